//! Runs every stack on S1, one after the other, and prints the comparison.

mod child;
mod measure;
mod sortie;
mod table;

use std::path::PathBuf;

use anyhow::Context;
use clap::Parser;

use measure::{Outcome, Plan};

/// Compares Sortie with what else one might pick, on the scenario S1.
#[derive(Debug, Parser)]
struct Args {
    /// Numbers of players, ascending; a stack that does not hold one is not asked for more.
    #[arg(long, value_delimiter = ',', default_value = "100,250,500")]
    players: Vec<usize>,
    /// Steady seconds that are measured, after three of warm-up.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// How often everything is measured; the repeats of the stacks interleave.
    #[arg(long, default_value_t = 3)]
    repeats: usize,
    /// Only these stacks.
    #[arg(long, value_delimiter = ',')]
    stacks: Vec<String>,
    /// The core of the servers.
    #[arg(long, default_value_t = 0)]
    server_core: usize,
    /// The cores of the clients, which are shared out among a process on each (Sortie's own
    /// benchmark has all of its clients on core 1).
    #[arg(long, value_delimiter = ',', default_value = "1")]
    clients_cores: Vec<usize>,
    /// Folder of the main workspace's release programs, for Sortie itself.
    #[arg(long, env = "PEERS_SORTIE")]
    sortie: Option<PathBuf>,
    /// Also write every single run as JSON to this file.
    #[arg(long)]
    json: Option<PathBuf>,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let programs = std::env::current_exe()?.parent().context("no folder")?.to_path_buf();
    let plan = Plan {
        seconds: args.seconds,
        server_core: args.server_core,
        clients_cores: args.clients_cores.clone(),
    };
    let mut stacks: Vec<String> = ["quinn", "replicon", "lightyear"].map(str::to_owned).into();
    stacks.retain(|stack| programs.join(format!("peers-{stack}")).exists());
    if args.sortie.is_some() {
        stacks.extend(sortie::LANES.map(str::to_owned));
    }
    stacks.retain(|stack| args.stacks.is_empty() || args.stacks.contains(stack));

    let mut outcomes: Vec<Outcome> = Vec::new();
    for repeat in 0..args.repeats {
        for &players in &args.players {
            for stack in &stacks {
                let gave_up = outcomes.iter().any(|before| {
                    before.is(repeat, stack) && before.players < players && !before.held()
                });
                if gave_up {
                    continue;
                }
                let measured = match &args.sortie {
                    Some(folder) if sortie::LANES.contains(&stack.as_str()) => {
                        sortie::measure(folder, stack, players, &plan)
                    }
                    _ => measure::measure(&programs, stack, players, &plan),
                };
                let outcome = Outcome::new(repeat, stack, players, measured);
                eprintln!("{}", table::line(&outcome));
                outcomes.push(outcome);
            }
        }
    }
    if let Some(path) = &args.json {
        let text = serde_json::to_string_pretty(&outcomes)?;
        std::fs::write(path, text).with_context(|| format!("writing {}", path.display()))?;
    }
    print!("{}", table::markdown(&outcomes));
    Ok(())
}
