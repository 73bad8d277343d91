//! Parties, queues, ready checks and rooms: how players come to battles.
//!
//! A party (or one player) gets a *ticket* in a queue and waits. The [`matcher`] makes matches of
//! tickets: near in rating, teams of one size, parties together, the chance to win near one half.
//! A match becomes a row in `battle`, which is all that the fleet needs to place it; its players
//! then ask for a *join ticket*, which admits to the battle server. Rooms make battles without
//! any of that. `docs/matchmaking.md` tells the rules; start here with [`Settings`].
//!
//! What is deliberately absent: anything that remembers in a process, but for who has a stream open
//! there. Every node may answer every call and run every job; Postgres decides who was first.

mod ban;
mod cleanup;
mod code;
mod ending;
mod erasure;
mod error;
mod events;
mod join;
pub mod matcher;
mod mine;
mod party;
mod pause;
mod proposal;
mod queue;
mod rating;
mod retention;
mod room;
mod seat;
mod settings;
mod state;
mod ticket;
mod view;
mod watch;
mod why;

use std::sync::Arc;

use sortie_control::app::AppState;
use sortie_control::retention as kept;
use sortie_control::service::{Job, Service, Stop};
use utoipa_axum::router::OpenApiRouter;

pub use cleanup::clean_up;
pub use erasure::erase;
pub use error::{Ban, MatchmakingError};
pub use rating::win_chance;
pub use settings::{PARTY_MAX, Pace, Queue, Settings, Window};

use state::Matchmaking;

/// Routes and jobs of matchmaking.
///
/// # Panics
/// [`Settings::check`] refuses the settings: a program checks them before it starts.
pub fn service(app: &AppState, settings: Settings, stop: &Stop) -> Service {
    if let Err(fault) = settings.check() {
        panic!("matchmaking cannot start: {fault}");
    }
    let settings = Arc::new(settings);
    let state = Matchmaking::new(app.clone(), Arc::clone(&settings), stop.clone());
    let (db, watches) = (app.db.clone(), Arc::clone(&state.watches));
    let watching = watch::run(db, watches, Arc::clone(&settings), stop.clone());
    let routes = OpenApiRouter::new()
        .merge(party::routes())
        .merge(ticket::routes())
        .merge(events::routes())
        .merge(why::routes())
        .merge(queue::routes())
        .merge(proposal::routes())
        .merge(mine::routes())
        .merge(join::routes())
        .merge(room::routes())
        .with_state(state);
    let jobs = vec![
        Job::new("watched-tickets", watching),
        Job::new("matcher", matcher::run(app.db.clone(), Arc::clone(&settings), stop.clone())),
        kept::job("matchmaking-retention", retention::RULES, app, stop),
        Job::new("matchmaking-cleanup", cleanup::run(app.db.clone(), settings, stop.clone())),
    ];
    Service { routes, jobs }
}
