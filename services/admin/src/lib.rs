//! What staff do: players, roles, bans, battles, servers, chat, reports, results under
//! review, flags, the audit log.
//!
//! Start with [`staff_router`]: the only way a route comes into this service is through it, with
//! the permission that it needs and the name that the audit log calls it by. The router lets nobody
//! else in, and writes down every call: what was done (in the transaction that does it), refused
//! and failed. [`effect`] is what a ban does to those who are logged in and fighting.
//!
//! What is deliberately absent: the console's pages, and any state of a process. Every node may
//! serve every call. `docs/administration.md` has the table of roles and permissions.

#![allow(unused_qualifications, reason = "utoipa's macro repeats the path of a parameter")]

mod appeal;
mod audit;
mod ban;
mod ban_view;
mod battle;
mod chat;
pub mod effect;
mod erasure;
mod error;
mod first;
mod flag;
mod kick;
mod note;
mod player_report;
mod rank;
mod report;
mod review;
mod role;
mod role_grant;
mod season;
mod server;
pub mod staff_router;
mod text;
mod user;
mod user_view;

use std::sync::Arc;
use std::time::Duration;

use sortie_control::app::AppState;
use sortie_control::idempotency;
use sortie_control::keeper::Keeper;
use sortie_control::rounds::{Round, Rounds};
use sortie_control::season::Seasons;
use sortie_control::service::{Job, Service, Stop};
use utoipa_axum::router::OpenApiRouter;

pub use erasure::erase;
pub use error::AdminError;
pub use first::{FIRST_LINK_LIFE, first_admin_link};

use staff_router::{AdminState, StaffRouter};

/// How the service works.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Whether staff need a confirmed TOTP. Default true; false is for development only.
    pub require_totp: bool,
    /// Who opens seasons; without it nobody can.
    pub seasons: Option<Arc<dyn Seasons>>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { require_totp: true, seasons: None }
    }
}

/// How often old idempotency keys are forgotten.
const FORGET_EVERY: Duration = Duration::from_secs(600);

/// The routes for staff; serve them on a listener of their own. `keeper`: who keeps accounts.
pub fn service(
    app: &AppState,
    settings: Settings,
    keeper: Arc<dyn Keeper>,
    stop: &Stop,
) -> Service {
    let state = AdminState { app: app.clone(), settings, keeper };
    let router = StaffRouter::new(state.clone());
    let router = user::routes(router);
    let router = user_view::routes(router);
    let router = note::routes(router);
    let router = role::routes(router);
    let router = role_grant::routes(router);
    let router = ban::routes(router);
    let router = ban_view::routes(router);
    let router = kick::routes(router);
    let router = battle::routes(router);
    let router = server::routes(router);
    let router = chat::routes(router);
    let router = report::routes(router);
    let router = review::routes(router);
    let router = flag::routes(router);
    let router = season::routes(router);
    let router = audit::routes(router);
    let routes = router.close().merge(first::routes(state));
    Service { routes, jobs: vec![forget_keys(app, stop)] }
}

/// The routes for players: their own bans, and reports of others. Serve them where players are.
pub fn public_service(app: &AppState, stop: &Stop) -> Service {
    let routes = OpenApiRouter::new();
    let routes = routes.merge(appeal::routes(app)).merge(player_report::routes(app));
    Service { routes, jobs: vec![forget_keys(app, stop)] }
}

fn forget_keys(app: &AppState, stop: &Stop) -> Job {
    let (db, clock) = (app.db.clone(), app.clock.clone());
    let failing = "old idempotency keys could not be forgotten";
    let rounds = Rounds::new("idempotency keys", FORGET_EVERY, failing, stop.clone());
    let mut rounds = rounds.later();
    Job::new("idempotency keys", async move {
        while rounds.next().await {
            rounds.ended(match clock.lets_remove(&db).await {
                Ok(true) => idempotency::forget_old(&db).await.map(|_| Round::Done),
                lets => lets.map(|_| Round::NotYet),
            });
        }
    })
}
