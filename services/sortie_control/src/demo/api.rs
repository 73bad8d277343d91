//! A player's side of the REST API, as far as bots need it.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

/// Access tokens live five minutes; a fresh one is got a minute before.
const REFRESH_AFTER: Duration = Duration::from_secs(240);

/// Why a call did not succeed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    /// The service said no.
    #[error("{method} {path}: {status} {code}")]
    Refused {
        /// What was called.
        method: Method,
        /// Its path.
        path: String,
        /// HTTP status.
        status: StatusCode,
        /// Stable code.
        code: String,
        /// Seconds to wait before trying again; 0: none named.
        retry_after_s: u64,
    },
    /// The service was not reached.
    #[error("{0}")]
    Network(#[from] reqwest::Error),
}

impl CallError {
    /// The HTTP status, when there was an answer.
    pub(crate) fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            Self::Network(_) => None,
        }
    }
}

/// A ticket of matchmaking, as far as it matters.
#[derive(Debug, Deserialize)]
pub(crate) struct Ticket {
    /// Id of the ticket.
    pub ticket_id: Uuid,
    /// waiting, proposed, matched, cancelled, expired
    pub state: String,
    /// Once it is matched.
    pub battle_id: Option<Uuid>,
}

/// What admits to a battle.
#[derive(Debug, Deserialize)]
pub(crate) struct Admission {
    /// Of the battle server.
    pub address: SocketAddr,
    /// SHA-256 of its certificate, hexadecimal.
    pub fingerprint: String,
    /// Base64.
    pub join_ticket: String,
}

#[derive(Deserialize)]
struct LoggedIn {
    tokens: Tokens,
}

#[derive(Deserialize)]
struct Tokens {
    access_token: String,
    refresh_token: String,
}

/// A logged-in player.
pub(crate) struct Player {
    http: reqwest::Client,
    base: String,
    /// Each bot has an address of its own, as players have: limits by address hold for each.
    address: Ipv4Addr,
    tokens: Tokens,
    since: Instant,
}

/// Who is to log in.
pub(crate) struct Who {
    /// As others see it.
    pub name: String,
    /// To log in again when the name is there already.
    pub password: String,
    /// Told to the service as the client's address.
    pub address: Ipv4Addr,
}

impl Player {
    /// Signs up, or logs in when that was done in an earlier run.
    pub(crate) async fn enter(
        http: &reqwest::Client,
        rest: SocketAddr,
        who: &Who,
    ) -> Result<Self, CallError> {
        let tokens = Tokens { access_token: String::new(), refresh_token: String::new() };
        let (http, base) = (http.clone(), format!("http://{rest}"));
        let mut player = Self { http, base, address: who.address, tokens, since: Instant::now() };
        let Who { name, password, .. } = who;
        let email = format!("{name}@bots.invalid");
        let body = json!({ "name": name, "email": email, "password": password });
        let entered: LoggedIn = match player.ask(Method::POST, "/v1/accounts", Some(body)).await {
            Err(error) if error.status() == Some(StatusCode::CONFLICT) => {
                let body = json!({ "login": name, "password": password });
                player.ask(Method::POST, "/v1/sessions", Some(body)).await?
            }
            other => other?,
        };
        player.tokens = entered.tokens;
        player.since = Instant::now();
        Ok(player)
    }

    /// Makes a party; gives the code that lets others join.
    pub(crate) async fn make_party(&mut self) -> Result<String, CallError> {
        #[derive(Deserialize)]
        struct Party {
            code: String,
        }
        let made: Result<Party, _> = self.call(Method::POST, "/v1/parties", None).await;
        match made {
            // One of an earlier run.
            Err(error) if error.status() == Some(StatusCode::CONFLICT) => {
                let mine: Party = self.call(Method::GET, "/v1/parties/mine", None).await?;
                Ok(mine.code)
            }
            other => Ok(other?.code),
        }
    }

    /// Joins a party, or is in it already.
    pub(crate) async fn join_party(&mut self, code: &str) -> Result<(), CallError> {
        let body = Some(json!({ "code": code }));
        match self.call::<Value>(Method::POST, "/v1/parties/join", body).await {
            Err(error) if error.status() != Some(StatusCode::CONFLICT) => Err(error),
            _ => Ok(()),
        }
    }

    /// Waits in a queue.
    pub(crate) async fn queue(&mut self, queue: &str) -> Result<Ticket, CallError> {
        let body = Some(json!({ "queue": queue }));
        self.call(Method::POST, "/v1/matchmaking/tickets", body).await
    }

    /// How the waiting stands.
    pub(crate) async fn ticket(&mut self, ticket_id: Uuid) -> Result<Ticket, CallError> {
        self.call(Method::GET, &format!("/v1/matchmaking/tickets/{ticket_id}"), None).await
    }

    /// Waits no longer.
    pub(crate) async fn cancel(&mut self, ticket_id: Uuid) -> Result<(), CallError> {
        let path = format!("/v1/matchmaking/tickets/{ticket_id}");
        self.call::<Value>(Method::DELETE, &path, None).await.map(drop)
    }

    /// Asks for a join ticket.
    pub(crate) async fn join(&mut self, battle_id: Uuid) -> Result<Admission, CallError> {
        self.call(Method::POST, &format!("/v1/battles/{battle_id}/join"), None).await
    }

    async fn call<T: for<'a> Deserialize<'a>>(
        &mut self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<T, CallError> {
        if self.since.elapsed() > REFRESH_AFTER {
            let body = json!({ "refresh_token": self.tokens.refresh_token });
            let path = "/v1/sessions/refresh";
            self.tokens = self.ask(Method::POST, path, Some(body)).await?;
            self.since = Instant::now();
        }
        self.ask(method, path, body).await
    }

    async fn ask<T: for<'a> Deserialize<'a>>(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<T, CallError> {
        let url = format!("{}{path}", self.base);
        let mut request = self.http.request(method.clone(), url);
        request = request.header("x-forwarded-for", self.address.to_string());
        if !self.tokens.access_token.is_empty() {
            request = request.bearer_auth(&self.tokens.access_token);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await?;
        let status = answer.status();
        if status.is_success() {
            let bytes = answer.bytes().await?;
            let bytes = if bytes.is_empty() { &b"null"[..] } else { &bytes[..] };
            return serde_json::from_slice(bytes).map_err(|error| CallError::Refused {
                method,
                path: path.to_owned(),
                status,
                code: format!("(an answer that cannot be read: {error})"),
                retry_after_s: 0,
            });
        }
        let wait = answer.headers().get("retry-after").and_then(|value| value.to_str().ok());
        let retry_after_s = wait.and_then(|value| value.parse().ok()).unwrap_or(0);
        let body: Value = answer.json().await.unwrap_or_default();
        let code = body["error"]["code"].as_str().unwrap_or_default().to_owned();
        Err(CallError::Refused { method, path: path.to_owned(), status, code, retry_after_s })
    }
}
