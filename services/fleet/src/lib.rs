//! Battle servers and the battles on them, for the rest of the product.
//!
//! Two gRPC services: [`add_rpc`] adds `sortie.fleet.v1.Fleet` to the internal listener, where
//! battle servers register and are told what to do; [`game::add_rpc`] adds `sortie.game.v1.Game`
//! to the public one, where players and spectators see battles. [`service`] has the same lists
//! over REST, and the jobs that keep the tables true: battles are given to servers, servers whose
//! lease ran out are marked gone, the battle log is kept as long as it should be.
//! [`health_and_reflection`] adds what every gRPC listener has.
//!
//! What is deliberately absent: results of battles (ranking stores them), and who plays in which
//! battle (matchmaking and rooms write that). The life of a server and a battle, with every fault,
//! is drawn in `docs/fleet.md`.

mod address;
mod beat;
mod error;
pub mod game;
mod lease;
mod log;
mod orders;
mod placement;
mod reflection;
mod refused_names;
mod register;
mod requeue;
mod rpc;
mod serve;
mod settings;
mod status;
mod tools;
mod wakes;

pub use error::FleetError;
pub use reflection::{RpcHealth, health_and_reflection, service_names};
pub use rpc::add_rpc;
pub use settings::Settings;
use sortie_control::app::AppState;
use sortie_control::service::{Job, Service, Stop};
pub use status::{BattlePoint, BattleRegion, Status, topic};

/// Routes of battles, and the jobs `placement`, `leases` and `battle log`.
pub fn service(app: &AppState, settings: Settings, stop: &Stop) -> Service {
    let (db, clock) = (app.db.clone(), app.clock.clone());
    let log = log::run(db, clock, settings.clone(), stop.clone());
    let jobs = vec![
        Job::new("placement", placement::run(app.db.clone(), settings.clone(), stop.clone())),
        Job::new("leases", lease::run(app.db.clone(), settings, stop.clone())),
        Job::new("battle log", log),
    ];
    Service { routes: game::routes(app), jobs }
}
