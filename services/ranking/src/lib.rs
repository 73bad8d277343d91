//! Ratings, seasons, leaderboards, statistics, and the results of battles.
//!
//! A battle server reports over gRPC ([`add_rpc`]); [`report::store`] makes the result true with
//! everything that follows from it in one transaction. Who is rated, and why not, says
//! [`eligibility`]; by how much, [`rating`]. Players read the rest over REST ([`service`]).
//! `docs/ranking.md` has formulas, sources and samples.
//!
//! What is deliberately absent: making battles (matchmaking), watching them (fleet), and any
//! weighing of what single players did; who won is all that a rating knows.

mod board;
mod carry;
mod decay;
pub mod eligibility;
mod http;
mod opening;
pub mod rating;
pub mod report;
mod retention;
mod season;
mod settings;

use utoipa_axum::router::OpenApiRouter;

use sortie_control::app::AppState;
use sortie_control::service::{Job, Service, Stop};
use sortie_control::{outbox, retention as kept};

pub use board::{BoardName, GLOBAL};
pub use carry::carry_over;
pub use decay::decay;
pub use opening::{SeasonError, open_season, seasons};
pub use report::add_rpc;
pub use season::Season;
pub use settings::Settings;

/// Routes and jobs of ranking.
pub fn service(app: &AppState, settings: Settings, stop: &Stop) -> Service {
    let boards = board::Boards::new(app);
    let routes = OpenApiRouter::new()
        .merge(http::leaderboards::router())
        .merge(http::players::router())
        .merge(http::statistics::router())
        .merge(http::seasons::router())
        .with_state(boards.clone());
    let period = settings.boards_period;
    let jobs = vec![
        outbox::relay(app, stop),
        kept::job("retention", kept::RULES, app, stop),
        kept::job("ranking-retention", retention::RULES, app, stop),
        Job::new("leaderboard-events", board::events::job(boards.clone(), stop.clone())),
        Job::new("leaderboards", board::job(boards, period, stop.clone())),
        Job::new("season-carrying", carry::job(app.db.clone(), stop.clone())),
        Job::new("rating-decay", decay::job(app.db.clone(), settings, stop.clone())),
    ];
    Service { routes, jobs }
}
