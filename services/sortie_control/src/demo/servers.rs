//! The battle servers of a run: as many as were asked for, whatever staff do with them.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use sortie_cli::program::LogFormat;
use uuid::Uuid;

use super::child::{BattleServer, BattleServerOptions, News};
use super::ports::Ports;

/// Where battle servers run, and what all of them are told.
#[derive(Clone)]
pub(crate) struct Site {
    /// The program, `sortie`.
    pub program: PathBuf,
    /// Of the control plane.
    pub fleet: SocketAddr,
    /// The secret's file.
    pub secret_file: PathBuf,
    /// Where game clients connect.
    pub ports: Ports,
    /// A folder in it is each server's.
    pub data_dir: PathBuf,
    /// What they log.
    pub log: String,
    /// Lines for people or JSON.
    pub log_format: LogFormat,
    /// Battles of earlier runs.
    pub earlier: Arc<HashSet<Uuid>>,
}

impl Site {
    /// Starts the server of a number, and waits until it is registered.
    ///
    /// # Errors
    /// It does not start, or does not register.
    pub(crate) async fn start(&self, number: u16, news: News) -> anyhow::Result<BattleServer> {
        let site = self.clone();
        let start = move || {
            let name = format!("local-{}", number + 1);
            BattleServer::start(&BattleServerOptions {
                program: &site.program,
                name: &name,
                fleet: site.fleet,
                secret_file: &site.secret_file,
                listen: site.ports.battle(number),
                data_dir: &site.data_dir.join(&name),
                log: &site.log,
                log_format: site.log_format,
                earlier: site.earlier,
                news,
            })
        };
        tokio::task::spawn_blocking(start).await?
    }

    /// Starts a fresh server for each that was drained and has ended: without it, players would be
    /// matched into battles that nobody runs. Gives how many it started.
    ///
    /// # Errors
    /// One does not start.
    pub(crate) async fn replace_drained(
        &self,
        servers: &mut [BattleServer],
    ) -> anyhow::Result<u64> {
        let mut replaced = 0;
        for (server, number) in servers.iter_mut().zip(0..) {
            if !server.was_drained() {
                continue;
            }
            let name = &server.name;
            tracing::warn!(name, "a battle server was drained and has ended; a fresh one starts");
            let fresh = self.start(number, server.news.clone()).await;
            *server = fresh.with_context(|| format!("no server takes the place of {name}"))?;
            replaced += 1;
        }
        Ok(replaced)
    }
}
