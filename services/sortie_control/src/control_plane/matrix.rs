//! Every route and every gRPC method that a node serves x everybody who may call it.
//!
//! The table is written by hand, so that a route which is open by mistake is not expected to be.
//! A route without a line here fails, and so does a line without a route. What permissions open
//! in the admin service's own words is tested there; here it is what a node really serves.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::Method;
use serde_json::{Value, json};
use sortie_control::app::AppState;
use sortie_control::bus::Bus;
use sortie_control::http::{self, HttpOptions};
use sortie_control::internal::{self, SharedSecret};
use sortie_control::service::{self, Stop, Stopper, stop};
use sortie_control::vocabulary::GameMode;
use sortie_control::{query, revoked};
use sortie_testing::grpc::{EXPECTED, Listeners, authorisation_faults};
use sqlx::PgPool;
use time::OffsetDateTime;
use uuid::Uuid;

use super::listeners::{Listener, Rpc, RpcNode, Serves};
use super::openapi;
use super::services::{Role, Settings, of_roles};

/// Who may call a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum For {
    /// Everybody, without a token.
    All,
    /// Who is logged in, guests too.
    Players,
    /// Everybody, but a token that is sent must be good.
    Welcome,
    /// Staff whose role has this permission.
    Staff(&'static str),
}

use For::{All, Players, Staff, Welcome};

const EXPECTED_ROUTES: &[(&str, For)] = &[
    ("POST /v1/accounts", All),
    ("POST /v1/accounts/guest", All),
    ("POST /v1/accounts/upgrade", Players),
    ("GET /v1/admin/audit", Staff("audit.read")),
    ("GET /v1/admin/audit/verification", Staff("audit.read")),
    ("GET /v1/admin/bans", Staff("bans.read")),
    ("POST /v1/admin/bans", Staff("bans.write")),
    ("GET /v1/admin/bans/{ban_id}", Staff("bans.read")),
    ("POST /v1/admin/bans/{ban_id}/appeal", Staff("bans.write")),
    ("POST /v1/admin/bans/{ban_id}/lift", Staff("bans.write")),
    ("GET /v1/admin/battles", Staff("battles.read")),
    ("GET /v1/admin/battles/{battle_id}", Staff("battles.read")),
    ("POST /v1/admin/battles/{battle_id}/end", Staff("battles.write")),
    ("POST /v1/admin/battles/{battle_id}/messages", Staff("battles.write")),
    ("PUT /v1/admin/chat/channels/{channel_id}/slow_mode", Staff("chat.moderate")),
    ("DELETE /v1/admin/chat/messages/{message_id}", Staff("chat.moderate")),
    ("GET /v1/admin/chat/reports", Staff("chat.moderate")),
    ("GET /v1/admin/chat/words", Staff("chat.moderate")),
    ("DELETE /v1/admin/chat/words/{word}", Staff("chat.moderate")),
    ("PUT /v1/admin/chat/words/{word}", Staff("chat.moderate")),
    // Open to players: what it asks for is the token that was printed at the start.
    ("POST /v1/admin/first", Players),
    ("GET /v1/admin/flags", Staff("flags.read")),
    ("DELETE /v1/admin/flags/{flag}", Staff("flags.write")),
    ("PUT /v1/admin/flags/{flag}", Staff("flags.write")),
    ("GET /v1/admin/reports", Staff("reports.read")),
    ("GET /v1/admin/reports/{report_id}", Staff("reports.read")),
    ("POST /v1/admin/reports/{report_id}/decision", Staff("reports.write")),
    ("GET /v1/admin/reviews", Staff("battles.read")),
    ("GET /v1/admin/reviews/{battle_id}", Staff("battles.read")),
    ("GET /v1/admin/roles", Staff("users.read")),
    ("DELETE /v1/admin/roles/{role}", Staff("roles.write")),
    ("PUT /v1/admin/roles/{role}", Staff("roles.write")),
    ("GET /v1/admin/seasons", Staff("seasons.read")),
    ("POST /v1/admin/seasons", Staff("seasons.write")),
    ("GET /v1/admin/servers", Staff("servers.read")),
    ("POST /v1/admin/servers/{server_id}/drain", Staff("servers.write")),
    ("GET /v1/admin/users", Staff("users.read")),
    ("GET /v1/admin/users/{player_id}", Staff("users.read")),
    ("POST /v1/admin/users/{player_id}/kick", Staff("bans.write")),
    ("POST /v1/admin/users/{player_id}/logout", Staff("users.write")),
    ("PUT /v1/admin/users/{player_id}/name", Staff("users.write")),
    ("GET /v1/admin/users/{player_id}/notes", Staff("users.notes")),
    ("POST /v1/admin/users/{player_id}/notes", Staff("users.notes")),
    ("DELETE /v1/admin/users/{player_id}/roles/{role}", Staff("roles.write")),
    ("PUT /v1/admin/users/{player_id}/roles/{role}", Staff("roles.write")),
    ("DELETE /v1/admin/users/{player_id}/totp", Staff("users.write")),
    ("POST /v1/bans/{ban_id}/appeal", All),
    ("GET /v1/battles", Players),
    ("GET /v1/battles/{battle_id}", Players),
    ("POST /v1/battles/{battle_id}/join", Players),
    ("POST /v1/battles/{battle_id}/leave", Players),
    ("POST /v1/battles/{battle_id}/reports", Players),
    // Browsers cannot send a header: they say who they are in the first frame.
    ("GET /v1/chat", Welcome),
    ("GET /v1/chat/channels/{kind}/{about}/messages", Players),
    ("GET /v1/leaderboards/{mode}", All),
    ("GET /v1/leaderboards/{mode}/around-me", Players),
    ("GET /v1/matchmaking/mine", Players),
    ("POST /v1/matchmaking/proposals/{match_id}/answer", Players),
    ("GET /v1/matchmaking/queues", Players),
    ("POST /v1/matchmaking/tickets", Players),
    ("DELETE /v1/matchmaking/tickets/{ticket_id}", Players),
    ("GET /v1/matchmaking/tickets/{ticket_id}", Players),
    ("GET /v1/matchmaking/tickets/{ticket_id}/events", Players),
    ("GET /v1/matchmaking/tickets/{ticket_id}/why", Players),
    ("DELETE /v1/me", Players),
    ("GET /v1/me", Players),
    ("PATCH /v1/me", Players),
    ("GET /v1/me/bans", Players),
    ("POST /v1/me/bans/{ban_id}/appeal", Players),
    ("GET /v1/me/export", Players),
    ("DELETE /v1/me/picture", Players),
    ("PUT /v1/me/picture", Players),
    ("POST /v1/parties", Players),
    ("POST /v1/parties/join", Players),
    ("POST /v1/parties/kick", Players),
    ("POST /v1/parties/lead", Players),
    ("POST /v1/parties/leave", Players),
    ("GET /v1/parties/mine", Players),
    ("POST /v1/password", Players),
    ("POST /v1/password/reset-requests", All),
    ("POST /v1/password/resets", All),
    ("GET /v1/players/{player_id}", All),
    ("GET /v1/players/{player_id}/picture", All),
    ("GET /v1/players/{player_id}/rating-changes", Players),
    ("GET /v1/players/{player_id}/ratings", Players),
    ("GET /v1/players/{player_id}/statistics", Players),
    ("GET /v1/rooms", Players),
    ("POST /v1/rooms", Players),
    ("POST /v1/rooms/join", Players),
    ("POST /v1/rooms/leave", Players),
    ("DELETE /v1/rooms/{room_id}", Players),
    ("GET /v1/rooms/{room_id}", Players),
    ("POST /v1/rooms/{room_id}/start", Players),
    ("POST /v1/rooms/{room_id}/team", Players),
    ("GET /v1/seasons", All),
    ("DELETE /v1/sessions", Players),
    ("GET /v1/sessions", Players),
    ("POST /v1/sessions", All),
    ("DELETE /v1/sessions/current", Players),
    ("POST /v1/sessions/refresh", All),
    ("DELETE /v1/sessions/{session_id}", Players),
    ("DELETE /v1/totp", Players),
    ("POST /v1/totp", Players),
    ("POST /v1/totp/confirm", Players),
];

/// Who calls.
#[derive(Clone, Debug)]
pub(super) enum Caller {
    Anonymous,
    /// With a credential that is good for nothing, or no longer.
    Refused(&'static str, String),
    Player,
    Guest,
    /// Of this role, with these permissions.
    Staff(String, Vec<String>),
}

impl Caller {
    /// Whether a route is open to this one.
    fn may(&self, who: For) -> bool {
        match (who, self) {
            (All, _) => true,
            (Welcome, Self::Refused(..)) | (Players | Staff(_), Self::Anonymous) => false,
            (Players | Staff(_), Self::Refused(..)) => false,
            (Welcome | Players, _) => true,
            (Staff(permission), Self::Staff(_, permissions)) => {
                permissions.iter().any(|known| known == "*" || known == permission)
            }
            (Staff(_), _) => false,
        }
    }
}

/// What a node serves, on one database.
pub(super) struct Fixture {
    app: AppState,
    settings: Settings,
    pub(super) routers: BTreeMap<Role, Router>,
    /// The routes that take a body.
    taking: BTreeSet<String>,
    chat: SocketAddr,
    stopper: Stopper,
    stop: Stop,
}

impl Fixture {
    pub(super) async fn new(db: PgPool) -> Self {
        let app = AppState::local(db);
        let mut settings = Settings::default();
        settings.admin.require_totp = false;
        settings.account.limits = sortie_account::settings::Limits::NONE;
        let (stopper, stop) = stop();
        let mut routers = BTreeMap::new();
        for (role, services) in of_roles(&app, &settings, &Role::ALL, &stop) {
            let routes = services.into_iter().map(|service| query::strict(service.routes));
            routers.insert(role, routes.fold(Router::new(), Router::merge));
        }
        let listener = listener().await;
        let chat = listener.local_addr().unwrap();
        let (router, ended) = (routers[&Role::Chat].clone(), asked(stop.clone()));
        let options = HttpOptions { calls: None, ..HttpOptions::default() };
        tokio::spawn(http::serve(listener, router, Bus::local(), options, ended));
        tokio::spawn(revoked::job(&app.revoked, &app.bus, &stop).work);
        let taking = operations().into_iter().filter(|(_, one)| one["requestBody"].is_object());
        let taking = taking.map(|(route, _)| route).collect();
        Self { app, settings, routers, taking, chat, stopper, stop }
    }

    /// Everybody who may call.
    async fn callers(&self) -> Vec<Caller> {
        let roles: Vec<(String, Vec<String>)> =
            sqlx::query_as("select role, permissions from role where is_template order by role")
                .fetch_all(&self.app.db)
                .await
                .unwrap();
        assert!(roles.len() >= 5, "{roles:?}");
        let mut callers = vec![
            Caller::Anonymous,
            Caller::Player,
            Caller::Guest,
            Caller::Refused("rubbish", "rubbish".to_owned()),
            Caller::Refused("logged out", self.logged_out().await),
            Caller::Refused("banned", self.banned().await),
        ];
        callers.extend(roles.into_iter().map(|(role, may)| Caller::Staff(role, may)));
        callers
    }

    async fn post(&self, role: Role, path: &str, token: Option<&str>, body: Value) -> Value {
        let router = &self.routers[&role];
        let (status, body) =
            sortie_testing::call(router, Method::POST, path, token, Some(body)).await;
        assert!(status.is_success(), "{path}: {status} {body}");
        body
    }

    /// An access token of a login that has ended.
    async fn logged_out(&self) -> String {
        let router = &self.routers[&Role::Api];
        let guest =
            sortie_testing::call(router, Method::POST, "/v1/accounts/guest", None, None).await.1;
        let token = guest["tokens"]["access_token"].as_str().unwrap().to_owned();
        let path = "/v1/sessions/current";
        let (status, _) =
            sortie_testing::call(router, Method::DELETE, path, Some(&token), None).await;
        assert_eq!(status, 204);
        self.until_refused(&token).await;
        token
    }

    /// An access token of a player whom staff have banned since.
    async fn banned(&self) -> String {
        let player = sortie_testing::player(&self.app.db, "Banned").await;
        let staff = self.token(&Caller::Staff("administrator".to_owned(), Vec::new())).await;
        // Tokens know seconds: one of the second of the ban could be a later one.
        let before = OffsetDateTime::now_utc() - Duration::from_secs(2);
        let token = self.app.access.issue(player, Uuid::now_v7(), false, before);
        let ban = json!({ "player_id": player, "scope": "login", "reason": "for the matrix" });
        self.post(Role::Admin, "/v1/admin/bans", staff.as_deref(), ban).await;
        self.until_refused(&token).await;
        token
    }

    async fn until_refused(&self, token: &str) {
        let deadline = Instant::now() + Duration::from_secs(20);
        let router = &self.routers[&Role::Api];
        while sortie_testing::call(router, Method::GET, "/v1/me", Some(token), None).await.0 != 401
        {
            assert!(Instant::now() < deadline, "the token is still good");
            tokio::task::yield_now().await;
        }
    }

    /// A credential of somebody new, so that calls which end logins end nobody else's.
    pub(super) async fn token(&self, caller: &Caller) -> Option<String> {
        let is_guest = matches!(caller, Caller::Guest);
        match caller {
            Caller::Anonymous => return None,
            Caller::Refused(_, token) => return Some(token.clone()),
            Caller::Player | Caller::Guest | Caller::Staff(..) => {}
        }
        let name = Uuid::now_v7().simple().to_string().split_off(20);
        let player = sortie_testing::player(&self.app.db, &name).await;
        if let Caller::Staff(role, _) = caller {
            sortie_testing::grant(&self.app.db, player, role).await;
        }
        let now = OffsetDateTime::now_utc();
        Some(self.app.access.issue(player, Uuid::now_v7(), is_guest, now))
    }

    /// The code of the error that a caller hears; nothing when there is none.
    async fn outcome(&self, route: &str, token: Option<&str>) -> (u16, String) {
        let (method, path) = route.split_once(' ').unwrap();
        if path == "/v1/chat" {
            return self.handshake(token).await;
        }
        let method: Method = method.parse().unwrap();
        // Nothing that fits: whoever is let in is told so, and changes little.
        let body = self.taking.contains(route).then(|| json!({ "nothing": "that fits" }));
        let router = &self.routers[&role_of(path)];
        let (status, answer) =
            sortie_testing::call(router, method, &filled(path), token, body).await;
        (status.as_u16(), answer["error"]["code"].as_str().unwrap_or_default().to_owned())
    }

    /// WebSockets need a connection.
    async fn handshake(&self, token: Option<&str>) -> (u16, String) {
        let mut request = reqwest::Client::new()
            .get(format!("http://{}/v1/chat", self.chat))
            .header("connection", "upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        if status == 101 {
            return (status, String::new());
        }
        let body: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        (status, body["error"]["code"].as_str().unwrap_or_default().to_owned())
    }
}

/// The role whose listener has a path.
pub(super) fn role_of(path: &str) -> Role {
    match path {
        _ if path.starts_with("/v1/admin/") => Role::Admin,
        _ if path.starts_with("/v1/chat") => Role::Chat,
        _ => Role::Api,
    }
}

/// With ids of nobody: whoever is let in finds nothing.
pub(super) fn filled(path: &str) -> String {
    let part = |part: &str| match part {
        "{kind}" => "global".to_owned(),
        "{about}" => "-".to_owned(),
        "{mode}" => GameMode::ALL[0].name().to_owned(),
        "{role}" => "no_such_role".to_owned(),
        "{flag}" => "no.such.flag".to_owned(),
        "{word}" => "word".to_owned(),
        _ if part.starts_with('{') => Uuid::from_u128(0xdead).to_string(),
        _ => part.to_owned(),
    };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

async fn listener() -> tokio::net::TcpListener {
    internal::bind(SocketAddr::from(([127, 0, 0, 1], 0)), "--test").await.unwrap()
}

async fn asked(mut stop: Stop) {
    stop.asked().await;
}

/// `METHOD PATH` of every operation, with its description.
pub(super) fn operations() -> BTreeMap<String, Value> {
    let mut document = openapi::document();
    let named = |(method, path, operation): (&String, &String, &mut Value)| {
        (format!("{} {path}", method.to_uppercase()), operation.clone())
    };
    openapi::operations(&mut document).map(named).collect()
}

#[tokio::test]
async fn every_route_has_an_expectation_and_says_it_in_its_document() {
    let operations = operations();
    let expected: BTreeMap<&str, For> = EXPECTED_ROUTES.iter().copied().collect();
    assert_eq!(expected.len(), EXPECTED_ROUTES.len(), "a route stands there twice");
    let mut faults = Vec::new();
    for (route, operation) in &operations {
        let Some(who) = expected.get(route.as_str()) else {
            faults.push(format!("{route} has no expectation"));
            continue;
        };
        let security = &operation["security"];
        let said = match who {
            All => json!([]),
            Welcome => json!([{ "bearer": [] }, {}]),
            Players | Staff(_) => json!([{ "bearer": [] }]),
        };
        if *security != said {
            faults.push(format!("{route} is for {who:?}, and its document says {security}"));
        }
        let permission = operation["x-permission"].as_str();
        let is_right = match who {
            Staff(wanted) => permission == Some(wanted),
            _ => permission.is_none_or(|name| !name.contains('.')),
        };
        if !is_right {
            faults.push(format!("{route} is for {who:?}, and its document says {permission:?}"));
        }
    }
    let gone = expected.keys().filter(|route| !operations.contains_key(**route));
    faults.extend(gone.map(|route| format!("{route} is expected and not there")));
    assert!(faults.is_empty(), "{faults:#?}");
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn every_route_is_open_to_whom_it_is_for_and_to_nobody_else(db: PgPool) {
    let fixture = Fixture::new(db).await;
    let callers = fixture.callers().await;
    let (mut faults, mut calls) = (Vec::new(), 0);
    for (route, who) in EXPECTED_ROUTES {
        for caller in &callers {
            let token = fixture.token(caller).await;
            let (status, code) = fixture.outcome(route, token.as_deref()).await;
            calls += 1;
            // Handlers refuse for reasons of their own, too, with codes of their own.
            let is_let_in = !code.starts_with("auth.");
            let is_as_it_should_be = match caller {
                _ if status >= 500 => false,
                _ if caller.may(*who) => is_let_in,
                Caller::Anonymous => status == 401 && code == "auth.missing",
                Caller::Refused("rubbish", _) => status == 401 && code == "auth.invalid",
                Caller::Refused(..) => status == 401 && code == "auth.revoked",
                _ => status == 403 && code == "auth.forbidden",
            };
            if !is_as_it_should_be {
                faults.push(format!("{route} for {who:?}, by {caller:?}: {status} {code}"));
            }
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
    assert_eq!(calls, EXPECTED_ROUTES.len() * callers.len());
    fixture.stopper.stop();
}

/// A key that cannot be is refused by whatever looks at keys, and by nothing else.
#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn the_idempotency_key_counts_exactly_where_it_is_declared(db: PgPool) {
    let fixture = Fixture::new(db).await;
    let staff = Caller::Staff("administrator".to_owned(), Vec::new());
    let key = "k".repeat(101);
    let (mut faults, mut declared) = (Vec::new(), 0);
    for (route, operation) in operations() {
        let (method, path) = route.split_once(' ').unwrap();
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let is_declared = parameters.into_iter().any(|one| one["name"] == "Idempotency-Key");
        declared += usize::from(is_declared);
        if method == "GET" {
            // WebSockets and streams go on; nothing that reads is done twice.
            assert!(!is_declared, "{route}");
            continue;
        }
        let role = if path.starts_with("/v1/admin/") { Role::Admin } else { Role::Api };
        let (router, path) = (&fixture.routers[&role], filled(path));
        let body = fixture.taking.contains(&route).then(|| json!({ "nothing": "that fits" }));
        let token = fixture.token(&staff).await;
        let (token, key) = (token.as_deref(), Some(key.as_str()));
        let method = method.parse().unwrap();
        let answer = sortie_testing::call_with_key(router, method, &path, token, key, body).await.1;
        let counts = answer["error"]["code"] == "request.idempotency_key";
        if counts != is_declared {
            faults.push(format!("{route}: declared {is_declared}, counts {counts}: {answer}"));
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
    assert!(declared > 10, "{declared}");
    fixture.stopper.stop();
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn every_grpc_method_is_open_to_whom_it_is_for_and_to_nobody_else(db: PgPool) {
    const SECRET: &str = "the secret of the matrix";
    let fixture = Fixture::new(db).await;
    let (app, settings, stop) = (&fixture.app, &fixture.settings, &fixture.stop);
    let secret = &SharedSecret::new(SECRET).unwrap();
    let public = serve_rpc("grpc", &RpcNode { app, settings, secret, stop }).await;
    let callers = fixture.callers().await;
    for caller in &callers {
        if !caller.may(Players) {
            continue;
        }
        // Each with a door of its own: wrong secrets are counted.
        let secret = &SharedSecret::new(SECRET).unwrap();
        // It listens to the database, and gives that connection back when it ends.
        let (own_stopper, own) = service::stop();
        let node = RpcNode { app, settings, secret, stop: &own };
        let internal = serve_rpc("fleet", &node).await;
        let now = OffsetDateTime::now_utc();
        let listeners = Listeners {
            internal,
            public,
            secret: SECRET.to_owned(),
            credential: app.access.issue_server(Uuid::now_v7(), 1, now),
            token: fixture.token(caller).await.unwrap(),
            ended: fixture.logged_out().await,
        };
        let (faults, calls) = authorisation_faults(&listeners).await;
        assert!(faults.is_empty(), "as {caller:?}: {faults:#?}");
        assert_eq!(calls, EXPECTED.len() * 6);
        own_stopper.stop();
    }
    fixture.stopper.stop();
}

/// Serves what the listener with this key does.
async fn serve_rpc(key: &str, node: &RpcNode<'_>) -> SocketAddr {
    let Serves::Rpc(services) = Listener::of_key(key).serves else { panic!("{key} is not gRPC") };
    let Rpc { routes, jobs, .. } = Rpc::new(services, node);
    jobs.into_iter().for_each(|job| drop(tokio::spawn(job.work)));
    let listener = listener().await;
    let at = listener.local_addr().unwrap();
    tokio::spawn(internal::serve(listener, routes, Vec::new(), asked(node.stop.clone())));
    at
}
