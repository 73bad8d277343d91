//! Chat over WebSockets: channels, history, mutes, reports, presence.
//!
//! Start with [`wire`], which is what clients and this service say to each other (`docs/chat.md`
//! has a sample of each). A socket (`socket`) reads requests (`request`) and writes what its
//! bounded queue (`line`) holds. What is said is stored first, in batches (`said`, `writer`), then
//! told (`told`) to the sockets of this node (`hub`, `room`) and over the bus to the other nodes
//! (`feed`); a node that missed something reads it from Postgres. Nothing of a channel is kept here
//! but ids of what was told already.
//!
//! What is deliberately absent: any truth in memory, and any wait for a slow reader. A socket
//! whose queue is full is closed.

mod authority;
pub mod channel;
pub mod close;
mod error;
mod feed;
mod history;
mod hub;
mod jobs;
mod line;
mod lock;
mod member;
mod request;
mod retention;
mod room;
mod said;
mod settings;
mod socket;
mod store;
mod told;
pub mod wire;
mod writer;

use std::sync::Arc;

pub use error::ChatError;
pub use retention::forget_old;
pub use settings::{Rates, Settings};

use hub::Hub;
use sortie_control::app::AppState;
use sortie_control::listening::{self, DeafError, Hearing};
use sortie_control::service::{Job, Service, Stop};
use tokio::sync::oneshot;
use utoipa_axum::router::OpenApiRouter;

/// The chat of one node.
pub fn service(app: &AppState, settings: Settings, stop: &Stop) -> Service {
    let (hub, said, told) = Hub::new(app.clone(), settings, stop.clone());
    let routes = OpenApiRouter::new()
        .merge(socket::router(hub.clone()))
        .merge(history::router(app.clone(), hub.settings.rates.history));
    let (written, all_written) = oneshot::channel();
    let write = writer::run(hub.clone(), said, stop.clone());
    let write = async move {
        write.await;
        // Whoever waits for it hears that nothing more is written, also after a panic.
        drop::<oneshot::Sender<()>>(written);
    };
    let jobs = vec![
        Job::new("chat_writer", write),
        Job::new("chat_publisher", feed::publish_all(hub.clone(), told, all_written)),
        listener(&hub, stop, "chat_whispers", "whispers are late", feed::hear_whispers),
        listener(&hub, stop, "chat_authority", "changes of players are late", authority::follow),
        listener(&hub, stop, "chat_revocations", "sockets close late", jobs::hear_revocations),
        Job::new("chat_presence", jobs::renew_presence(hub.clone(), stop.clone())),
        Job::new("chat_retention", retention::run(hub.clone(), stop.clone())),
        Job::new("chat_refresh", jobs::refresh(hub, stop.clone())),
    ];
    Service { routes, jobs }
}

/// A job that listens.
fn listener<F>(
    hub: &Arc<Hub>,
    stop: &Stop,
    name: &'static str,
    failing: &'static str,
    begin: fn(Arc<Hub>, Hearing) -> F,
) -> Job
where
    F: Future<Output = Result<(), DeafError>> + Send + 'static,
{
    let hub = Arc::clone(hub);
    let begin = move |hearing| begin(Arc::clone(&hub), hearing);
    Job::new(name, listening::listen(Hearing::new(name, failing), stop.clone(), begin))
}
