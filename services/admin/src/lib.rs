//! What staff do: players, roles, bans, battles, servers, chat, reports, results under
//! review, flags, the audit log.
//!
//! Start with [`desk`]: the only way a route comes into this service is through it, with the
//! permission that it needs and the name that the audit log calls it by. The desk lets nobody
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
pub mod desk;
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
mod text;
mod user;
mod user_view;

use std::sync::Arc;
use std::time::Duration;

use sortie_control::idempotency;
use sortie_control::keeper::Keeper;
use sortie_control::plane::Plane;
use sortie_control::rounds::Rounds;
use sortie_control::season::Seasons;
use sortie_control::service::{Job, Service, Stop};
use utoipa_axum::router::OpenApiRouter;

pub use erasure::erase;
pub use error::AdminError;
pub use first::{FIRST_LINK_LIFE, first_admin_link};

use desk::{Desk, Office};

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
pub fn service(plane: &Plane, settings: Settings, keeper: Arc<dyn Keeper>, stop: &Stop) -> Service {
    let office = Office { plane: plane.clone(), settings, keeper };
    let desk = Desk::new(office.clone());
    let desk = user::routes(desk);
    let desk = user_view::routes(desk);
    let desk = note::routes(desk);
    let desk = role::routes(desk);
    let desk = role_grant::routes(desk);
    let desk = ban::routes(desk);
    let desk = ban_view::routes(desk);
    let desk = kick::routes(desk);
    let desk = battle::routes(desk);
    let desk = server::routes(desk);
    let desk = chat::routes(desk);
    let desk = report::routes(desk);
    let desk = review::routes(desk);
    let desk = flag::routes(desk);
    let desk = season::routes(desk);
    let desk = audit::routes(desk);
    let routes = desk.close().merge(first::routes(office));
    Service { routes, jobs: vec![forget_keys(plane, stop)] }
}

/// The routes for players: their own bans, and reports of others. Serve them where players are.
pub fn public_service(plane: &Plane, stop: &Stop) -> Service {
    let routes = OpenApiRouter::new();
    let routes = routes.merge(appeal::routes(plane)).merge(player_report::routes(plane));
    Service { routes, jobs: vec![forget_keys(plane, stop)] }
}

fn forget_keys(plane: &Plane, stop: &Stop) -> Job {
    let db = plane.db.clone();
    let failing = "old idempotency keys could not be forgotten";
    let rounds = Rounds::new("idempotency keys", FORGET_EVERY, failing, stop.clone());
    let mut rounds = rounds.later();
    Job::new("idempotency keys", async move {
        while rounds.next().await {
            rounds.ended(idempotency::forget_old(&db).await.map(drop));
        }
    })
}
