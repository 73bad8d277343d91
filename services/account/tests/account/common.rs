//! A service without a network, with cheap hashes and a mailbox.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use sortie_account::hasher::{Cost, Pool};
use sortie_account::mail::{Mail, MailError, Mailer};
use sortie_account::pictures::DiskPictures;
use sortie_account::settings::{Limits, Lockout, Settings};
use sortie_control::app::AppState;
use sortie_control::erasure::{BLANK, Eraser};
use sortie_control::idempotency;
use sortie_control::service::{self, Stopper};
use sqlx::PgPool;
use uuid::Uuid;

pub(crate) const PASSWORD: &str = "correct horse battery";

/// As good as any for tests, and a thousand times cheaper.
pub(crate) const CHEAP: Cost = Cost { memory_kib: 64, passes: 1, lanes: 1 };

/// Mails that were sent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mailbox(Arc<Mutex<Vec<Mail>>>);

#[async_trait]
impl Mailer for Mailbox {
    async fn send(&self, mail: Mail) -> Result<(), MailError> {
        self.0.lock().unwrap().push(mail);
        Ok(())
    }
}

impl Mailbox {
    /// Waits for the mail to `to` with this subject, and takes it.
    pub(crate) async fn take(&self, to: &str, subject: &str) -> Mail {
        let look = async {
            loop {
                match self.found(to, subject) {
                    Some(mail) => return mail,
                    None => tokio::task::yield_now().await,
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(10), look).await.expect("a mail in time")
    }

    fn found(&self, to: &str, subject: &str) -> Option<Mail> {
        let mut mails = self.0.lock().unwrap();
        let at = mails.iter().position(|mail| mail.to == to && mail.subject == subject)?;
        Some(mails.remove(at))
    }

    pub(crate) fn count(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

/// Everybody else who keeps something of a player, as the program hands them over.
const ERASERS: &[Eraser] = &[
    |db, player| Box::pin(sortie_matchmaking::erase(db, player)),
    |db, player| Box::pin(sortie_admin::erase(db, player)),
    |db, player| Box::pin(sortie_messages::erase(db, player, BLANK)),
    |db, player| Box::pin(sortie_sanctions::erase(db, player, BLANK)),
    |db, player| Box::pin(idempotency::erase(db, player)),
    |db, player| Box::pin(sortie_battles::order::erase(db, player)),
];

/// A running service.
pub(crate) struct Api {
    pub db: PgPool,
    pub app: AppState,
    pub router: Router,
    pub mailbox: Mailbox,
    _pictures: tempfile::TempDir,
    _stopper: Stopper,
}

/// Settings for tests: cheap, and without limits by address.
pub(crate) fn settings() -> Settings {
    Settings {
        cost: CHEAP,
        pool: Pool { running_max: 2, waiting_max: 128 },
        limits: Limits::NONE,
        lockout: Lockout { failures_max: 1_000, ..Lockout::default() },
        ..Settings::default()
    }
}

impl Api {
    pub(crate) fn new(db: PgPool) -> Self {
        Self::with(db, settings())
    }

    pub(crate) fn with(db: PgPool, settings: Settings) -> Self {
        let pictures = tempfile::tempdir().unwrap();
        let mailbox = Mailbox::default();
        let settings = Settings {
            mailer: Some(Arc::new(mailbox.clone())),
            pictures: Arc::new(DiskPictures::new(pictures.path())),
            ..settings
        };
        let app = AppState::local(db.clone());
        let (stopper, stop) = service::stop();
        let service = sortie_account::service(&app, settings, ERASERS, &stop);
        for job in service.jobs {
            tokio::spawn(job.work);
        }
        let router = Router::from(service.routes);
        Self { db, app, router, mailbox, _pictures: pictures, _stopper: stopper }
    }

    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Value,
    ) -> (StatusCode, Value) {
        let body = Some(body).filter(|body| !body.is_null());
        sortie_testing::call(&self.router, method, path, token, body).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> (StatusCode, Value) {
        self.call(Method::POST, path, None, body).await
    }

    /// A member `name`, with the address `name@example.org` and [`PASSWORD`].
    pub(crate) async fn member(&self, name: &str) -> Login {
        let email = format!("{name}@example.org");
        let body = json!({ "name": name, "email": email, "password": PASSWORD });
        let (status, body) = self.post("/v1/accounts", body).await;
        assert_eq!(status, StatusCode::CREATED, "{body}");
        Login::of(&body)
    }

    pub(crate) async fn guest(&self) -> Login {
        let (status, body) = self.post("/v1/accounts/guest", Value::Null).await;
        assert_eq!(status, StatusCode::CREATED, "{body}");
        Login::of(&body)
    }

    pub(crate) async fn log_in(&self, login: &str, password: &str) -> (StatusCode, Value) {
        self.post("/v1/sessions", json!({ "login": login, "password": password })).await
    }

    pub(crate) async fn refresh(&self, refresh_token: &str) -> (StatusCode, Value) {
        self.post("/v1/sessions/refresh", json!({ "refresh_token": refresh_token })).await
    }

    /// The status of a call that any player may make.
    pub(crate) async fn me(&self, access_token: &str) -> (StatusCode, Value) {
        self.call(Method::GET, "/v1/me", Some(access_token), Value::Null).await
    }

    pub(crate) async fn execute(&self, statement: &'static str, player_id: Uuid) {
        sqlx::query(statement).bind(player_id).execute(&self.db).await.unwrap();
    }
}

/// What a login gave.
#[derive(Clone, Debug)]
pub(crate) struct Login {
    pub player_id: Uuid,
    pub session_id: Uuid,
    pub access: String,
    pub refresh: String,
}

impl Login {
    pub(crate) fn of(body: &Value) -> Self {
        let id = |value: &Value| value.as_str().unwrap().parse().unwrap();
        Self {
            player_id: id(&body["player"]["player_id"]),
            session_id: id(&body["tokens"]["session_id"]),
            access: text(&body["tokens"]["access_token"]),
            refresh: text(&body["tokens"]["refresh_token"]),
        }
    }
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

/// Status and code of a refused call.
#[track_caller]
pub(crate) fn refused((status, body): (StatusCode, Value)) -> (u16, String) {
    assert!(!status.is_success(), "{status}: {body}");
    (status.as_u16(), text(&body["error"]["code"]))
}

#[track_caller]
pub(crate) fn is_refused(answer: (StatusCode, Value), status: u16, code: &str) {
    assert_eq!(refused(answer), (status, code.to_owned()));
}

#[track_caller]
pub(crate) fn is_done((status, body): (StatusCode, Value)) -> Value {
    assert!(status.is_success(), "{status}: {body}");
    body
}
