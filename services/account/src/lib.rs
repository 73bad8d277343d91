//! Accounts: sign-up, login, refresh, profiles, data export and erasure.
//!
//! Start with [`service`], then [`session`]: a login is a row, held by a family of refresh tokens
//! of which each is good once, and by access tokens that are checked without the database.
//! [`guess`] stops who guesses, [`hasher`] keeps passwords from costing all our memory.
//!
//! What is deliberately absent: bans and roles (the service of the staff writes them; here they
//! are read), and anything that names a human being outside of the schema `personal` and the
//! player's own row, which [`erasure`] empties. What is kept of a player elsewhere is forgotten by
//! its owners.

mod authenticator;
pub mod cleanup;
pub mod erasure;
pub mod error;
pub mod export;
pub mod guess;
pub mod guests;
pub mod hasher;
pub mod image;
pub mod keeper;
pub mod looks;
pub mod mail;
pub mod mails;
pub mod me;
pub mod names;
pub mod password;
pub mod picture;
pub mod pictures;
pub mod profile;
pub mod session;
pub mod settings;
pub mod sign_up;
pub mod state;
pub mod token;
pub mod totp;

use std::sync::Arc;

use sortie_control::app::AppState;
use sortie_control::erasure::Eraser;
use sortie_control::service::{Job, Service, Stop};
use tokio::sync::mpsc;
use utoipa_axum::router::OpenApiRouter;

pub use crate::settings::Settings;
use crate::state::Accounts;

/// The routes of accounts, and their jobs: mails, cleaning up, guests who are gone. `erasers`: of
/// all that is kept of players elsewhere, in the order in which its rows are locked.
pub fn service(
    app: &AppState,
    settings: Settings,
    erasers: &'static [Eraser],
    stop: &Stop,
) -> Service {
    let settings = Arc::new(settings);
    let (mails, tasks) = mpsc::channel(mails::WAITING_MAX);
    let hasher = hasher::Hasher::new(settings.cost, settings.pool);
    let accounts = Accounts { app: app.clone(), hasher, settings, erasers, mails };
    let (db, settings) = (app.db.clone(), Arc::clone(&accounts.settings));
    let stopping = stop.clone();
    let mails = async move { mails::run(db, &settings, tasks, stopping).await };
    let (db, clock) = (app.db.clone(), app.clock.clone());
    let cleanup = cleanup::run(db, clock, accounts.settings.cleanup_every, stop.clone());
    let guests = guests::run(accounts.clone(), stop.clone());
    let looks = looks::run(app.db.clone(), stop.clone());
    Service {
        routes: router().with_state(accounts),
        jobs: vec![
            Job::new("account mails", mails),
            Job::new("account cleanup", cleanup),
            Job::new("account guests", guests),
            Job::new("account looks", looks),
        ],
    }
}

/// All routes, without their state.
pub fn router() -> OpenApiRouter<Accounts> {
    sign_up::router()
        .merge(session::router())
        .merge(password::router())
        .merge(totp::router())
        .merge(me::router())
        .merge(profile::router())
        .merge(picture::router())
        .merge(export::router())
        .merge(erasure::router())
}
