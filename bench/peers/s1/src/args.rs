//! The command line that all stacks share: `server PLAYERS FOLDER`, or
//! `clients PLAYERS FOLDER ADDRESS FIRST STEP` for every STEP-th player's client from FIRST on.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, bail};

/// What a process of a stack is to do.
#[derive(Clone, Debug)]
pub struct Args {
    /// Server or clients.
    pub role: Role,
    /// Players of the world, each with one client.
    pub players: usize,
    /// Whose clients are in this process.
    pub clients: Vec<usize>,
    /// Where server and clients leave files for each other.
    pub folder: PathBuf,
}

/// One of the two processes of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Simulates and sends.
    Server,
    /// Connect to this address and judge what they are told.
    Clients(SocketAddr),
}

impl Args {
    /// Reads the process's own arguments.
    pub fn read() -> anyhow::Result<Self> {
        let words: Vec<String> = std::env::args().skip(1).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let (role, players, folder) = match words[..] {
            ["server", players, folder] => (Role::Server, players, folder),
            ["clients", players, folder, address, ..] => {
                let address = address.parse().context("the server's address")?;
                (Role::Clients(address), players, folder)
            }
            _ => bail!("usage: server PLAYERS FOLDER | clients PLAYERS FOLDER ADDRESS FIRST STEP"),
        };
        let players = players.parse().context("the number of players")?;
        let clients = match words[..] {
            [.., first, step] if words.len() == 6 => {
                (first.parse()?..players).step_by(step.parse()?).collect()
            }
            _ => Vec::new(),
        };
        Ok(Self { role, players, clients, folder: folder.into() })
    }
}
