//! A chat node on a thread of its own, with pool, bus and listener, as those of
//! `sortie-control serve`.

use std::net::SocketAddr;
use std::thread::{self, JoinHandle};

use anyhow::Context;
use rustix::thread::gettid;
use sortie_chat::{Rates, Settings};
use sortie_control::access::AccessKeys;
use sortie_control::app::AppState;
use sortie_control::bus::Rate;
use sortie_control::http::{HttpOptions, serve};
use sortie_control::service::{self, Stopper};
use sortie_control::store;
use tokio::net::TcpListener;

use crate::fixture::CONNECTIONS;
use crate::servers::bus;

/// So much that nobody meets it: all clients have one address, and few players speak for all.
const PLENTY: Rate = Rate { burst: 1_000_000, per_s: 1_000_000.0 };

/// A node that serves chat.
pub(super) struct Node {
    /// Where it listens.
    pub address: SocketAddr,
    thread_id: i32,
    stopper: Stopper,
    thread: JoinHandle<()>,
}

impl Node {
    /// Listens on a free port of loopback.
    pub(super) fn start(
        database: &str,
        redis: Option<String>,
        keys: &AccessKeys,
    ) -> anyhow::Result<Self> {
        let (database, keys) = (database.to_owned(), keys.clone());
        let (ready, is_ready) = std::sync::mpsc::channel();
        let (stopper, stop) = service::stop();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let work = async {
                let db = store::pool(&database, CONNECTIONS)?;
                let app = AppState::new(db, bus(redis.as_deref()).await?, keys);
                let listener = TcpListener::bind("127.0.0.1:0").await?;
                let told = (listener.local_addr()?, gettid().as_raw_nonzero().get());
                let service = sortie_chat::service(&app, settings(), &stop);
                for job in service.jobs {
                    tokio::spawn(job.work);
                }
                let router = service.routes.split_for_parts().0;
                let _ = ready.send(told);
                let mut stop = stop;
                let stopped = async move { stop.asked().await };
                serve(listener, router, app.bus.clone(), options(), stopped).await;
                app.db.close().await;
                anyhow::Ok(())
            };
            match runtime.map_err(anyhow::Error::from).and_then(|runtime| runtime.block_on(work)) {
                Ok(()) => {}
                Err(error) => eprintln!("a chat node failed: {error:#}"),
            }
        });
        let (address, thread_id) = is_ready.recv().context("a chat node does not start")?;
        Ok(Self { address, thread_id, stopper, thread })
    }

    /// CPU time of its thread so far, user and system; `None`: this kernel does not tell.
    pub(super) fn cpu_s(&self) -> Option<f64> {
        let path = format!("/proc/self/task/{}/schedstat", self.thread_id);
        let text = std::fs::read_to_string(path).ok()?;
        Some(text.split(' ').next()?.parse::<f64>().ok()? / 1e9)
    }

    /// Ends it, and waits until it has ended.
    pub(super) fn stop(self) {
        self.stopper.stop();
        drop(self.thread.join());
    }
}

/// The product's own, but for limits of one address and one player.
fn settings() -> Settings {
    let rates = Rates { say: PLENTY, join: PLENTY, frames: PLENTY, ..Rates::default() };
    Settings { rates, per_address_max: usize::MAX, ..Settings::default() }
}

fn options() -> HttpOptions {
    HttpOptions { calls: None, per_address_max: usize::MAX, ..HttpOptions::default() }
}
