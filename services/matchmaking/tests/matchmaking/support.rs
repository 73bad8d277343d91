//! A node with its routes, and players who call them.

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};
use sortie_control::app::AppState;
use sortie_control::service::{self, Job, Stopper};
use sortie_matchmaking::matcher::{self, Pass};
use sortie_matchmaking::{Queue, Settings, Window};
use sqlx::PgPool;
use tower::ServiceExt;
use uuid::Uuid;

/// One node on a database. Jobs do not run by themselves: tests call `pass` and `clean_up`.
pub(crate) struct Node {
    pub app: AppState,
    pub settings: Settings,
    router: Router,
    pub stopper: Stopper,
}

/// A queue for two to eight a side that takes anybody after ten seconds.
pub(crate) fn queue(name: &str) -> Queue {
    Queue {
        name: name.to_owned(),
        mode: "conquest".to_owned(),
        map: "ridge".to_owned(),
        is_ranked: true,
        team_min: 1,
        team_max: 8,
        players_max: 16,
        duration_s: Some(600),
        team_difference_max: 1,
        ready_check_s: None,
        backfill_share: 0.5,
        window: Window { per_s: 4.0, unfair_per_s: 0.04, patience_s: 10, ..Window::default() },
    }
}

impl Node {
    pub(crate) fn new(db: &PgPool, queues: Vec<Queue>) -> Self {
        Self::made(db, queues, |_| {}).0
    }

    /// One whose watched tickets are looked at; the other jobs do not run here either.
    pub(crate) fn with_watch(
        db: &PgPool,
        queues: Vec<Queue>,
        change: impl FnOnce(&mut Settings),
    ) -> Self {
        let (node, jobs) = Self::made(db, queues, change);
        let watch = jobs.into_iter().find(|job| job.name == "watched-tickets").unwrap();
        tokio::spawn(watch.work);
        node
    }

    fn made(
        db: &PgPool,
        queues: Vec<Queue>,
        change: impl FnOnce(&mut Settings),
    ) -> (Self, Vec<Job>) {
        let mut settings = Settings { queues, ..Settings::default() };
        settings.pace.view_life = std::time::Duration::ZERO;
        change(&mut settings);
        let app = AppState::local(db.clone());
        let (stopper, stop) = service::stop();
        let service = sortie_matchmaking::service(&app, settings.clone(), &stop);
        let router = Router::from(service.routes);
        (Self { app, settings, router, stopper }, service.jobs)
    }

    pub(crate) fn db(&self) -> &PgPool {
        &self.app.db
    }

    pub(crate) async fn call(
        &self,
        player: Uuid,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> (StatusCode, Value) {
        let token = sortie_testing::token(&self.app, player);
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        sortie_testing::call(&self.router, method, path, Some(&token), body).await
    }

    /// An answer whose body may go on.
    pub(crate) async fn get(&self, token: &str, path: &str) -> Response {
        let request = Request::get(path).header("authorization", format!("Bearer {token}"));
        let request = request.body(Body::empty()).unwrap();
        self.router.clone().oneshot(request).await.unwrap()
    }

    /// Calls without a token.
    pub(crate) async fn call_unknown(&self, method: &str, path: &str) -> (StatusCode, Value) {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        sortie_testing::call(&self.router, method, path, None, Some(json!({}))).await
    }

    /// Expects this status and gives the body.
    pub(crate) async fn ok(
        &self,
        player: Uuid,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> Value {
        let (status, answer) = self.call(player, method, path, body).await;
        assert!(status.is_success(), "{method} {path}: {status} {answer}");
        answer
    }

    /// Expects a refusal, given as status and code.
    pub(crate) async fn refused(
        &self,
        player: Uuid,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> (u16, String) {
        let (status, answer) = self.call(player, method, path, body).await;
        let code = answer["error"]["code"].as_str().unwrap_or_default().to_owned();
        (status.as_u16(), code)
    }

    /// Players by name.
    pub(crate) async fn players<const N: usize>(&self, names: [&str; N]) -> [Uuid; N] {
        let mut ids = [Uuid::nil(); N];
        for (id, name) in ids.iter_mut().zip(names) {
            *id = sortie_testing::player(self.db(), name).await;
        }
        ids
    }

    /// Queues a player or party; gives the ticket's id.
    pub(crate) async fn wait_in(&self, player: Uuid, queue: &str) -> String {
        let body = json!({ "queue": queue });
        let ticket = self.ok(player, "POST", "/v1/matchmaking/tickets", Some(body)).await;
        ticket["ticket_id"].as_str().unwrap().to_owned()
    }

    /// A party of these; the first leads.
    pub(crate) async fn party(&self, players: &[Uuid]) -> Value {
        let mut party = self.ok(players[0], "POST", "/v1/parties", None).await;
        let code = party["code"].clone();
        for &player in &players[1..] {
            let body = json!({ "code": code });
            party = self.ok(player, "POST", "/v1/parties/join", Some(body)).await;
        }
        party
    }

    pub(crate) async fn ticket(&self, player: Uuid, ticket_id: &str) -> Value {
        self.ok(player, "GET", &format!("/v1/matchmaking/tickets/{ticket_id}"), None).await
    }

    /// One look of the matcher at the first queue.
    pub(crate) async fn pass(&self) -> Pass {
        matcher::pass(self.db(), &self.settings, &self.settings.queues[0]).await.unwrap()
    }

    pub(crate) async fn clean_up(&self) {
        sortie_matchmaking::clean_up(self.db(), &self.settings).await.unwrap();
    }

    /// Puts the clock ahead.
    pub(crate) fn wait_s(&self, seconds: i64) {
        self.settings.clock.advance(time::Duration::seconds(seconds));
    }

    /// As the fleet does: a server that runs the battle.
    pub(crate) async fn run_battle(&self, battle_id: &str) -> Uuid {
        let server_id = Uuid::now_v7();
        let name = format!("server-{}", server_id.simple());
        sqlx::query(
            "insert into battle_server (server_id, name, address, fingerprint, version,
                protocol_version, battles_max, players_max, state, lease_until)
             values ($1, $2, '127.0.0.1:4433', $3, '0', 2, 4, 100, 'ready', now())",
        )
        .bind(server_id)
        .bind(name)
        .bind(vec![0xab_u8; 32])
        .execute(self.db())
        .await
        .unwrap();
        sqlx::query(
            "update battle set state = 'running', server_id = $2, server_epoch = 1,
                started_at = $3 where battle_id = $1",
        )
        .bind(battle_id.parse::<Uuid>().unwrap())
        .bind(server_id)
        .bind(self.settings.clock.estimate())
        .execute(self.db())
        .await
        .unwrap();
        server_id
    }

    pub(crate) async fn set_battle(&self, battle_id: &str, state: &str) {
        sqlx::query("update battle set state = $2 where battle_id = $1")
            .bind(battle_id.parse::<Uuid>().unwrap())
            .bind(state)
            .execute(self.db())
            .await
            .unwrap();
    }

    pub(crate) async fn ban(&self, player: Uuid, scope: &str) {
        sqlx::query(
            "insert into ban (ban_id, player_id, scope, reason) values ($1, $2, $3, 'aimbot')",
        )
        .bind(Uuid::now_v7())
        .bind(player)
        .bind(scope)
        .execute(self.db())
        .await
        .unwrap();
    }

    /// Rows that a query counts.
    pub(crate) async fn count(&self, query: &'static str) -> i64 {
        sqlx::query_scalar(query).fetch_one(self.db()).await.unwrap()
    }
}
