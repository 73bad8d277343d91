//! The main thread of a battle server of a fleet: one battle after the other, at one site.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};
use std::{fs, io};

use anyhow::Context;
use sortie_rpc::ranking::EndedBy;
use sortie_sim::view::RoundState;
use sortie_udp::RecvBatch;

use super::agent::Agent;
use super::config::{FleetConfig, FleetEvent, Registered};
use super::folder::Folders;
use super::link::{Facts, Line, Link};
use super::order::BattleOrder;
use super::reporter::Reporter;
use super::result::{Facts as ResultFacts, result_of};
use super::spool::Spool;
use crate::config::BattleServerConfig;
use crate::failpoint::{Failpoint, Failpoints, is_frozen, is_frozen_io};
use crate::journal::{JournalError, JournalReader};
use crate::resume::{open_battle, recover};
use crate::server::mailbox::{self, Mailbox};
use crate::server::{BattleServer, Ending, Finished, Site};
use crate::store::Store;

/// An idle server looks around this often.
const IDLE_STEP: Duration = Duration::from_millis(50);
/// A result that could not be spooled is tried again after this long.
const SETTLE_AGAIN: Duration = Duration::from_secs(10);

/// Runs battles as the control plane orders them, until `stop` is set or the server was drained.
/// `base` has the server's own rules, ports and directories.
///
/// # Errors
/// It cannot start: a port is taken, a file cannot be read. Or the disk fails later.
pub fn run(
    config: FleetConfig,
    mut base: BattleServerConfig,
    stop: &AtomicBool,
    on_event: impl Fn(FleetEvent<'_>) + Send + Sync + 'static,
) -> anyhow::Result<()> {
    if let Some(failpoints) = Failpoints::from_environment()? {
        base.journal.failpoints = failpoints;
    }
    // Known without the control plane, which battles that are taken up do not wait for.
    base.audience.clone_from(&config.name);
    let store = Store::open(&base.data_dir)?;
    let folders = Folders::open(&store).context("cannot make the folder of battles")?;
    let failpoints = base.journal.failpoints.clone();
    let spool = Spool::open(&store.dir().join("spool"), config.spool, failpoints)
        .context("cannot open the spool of results")?;
    let ticket_keys = folders.ticket_keys().context("cannot read ticket-keys.json")?;
    let (commands, mut mailbox) = mailbox::new();
    if let Some(keys) = ticket_keys {
        mailbox.shared().set_ticket_keys(keys);
    }
    let on_event = Arc::new(on_event);
    let left = folders.list().context("cannot read the folder of battles")?;
    mailbox.shared().unfinished().extend(left.iter().copied());
    mailbox.waiting.extend(left);
    let mut host = Host {
        config,
        base,
        folders,
        spool,
        mailbox: Box::new(mailbox),
        on_event: Arc::clone(&on_event) as OnEvent,
        unsettled: VecDeque::new(),
        settle_at: Instant::now(),
    };
    host.settle_what_is_over()?;
    let site = Site::open(&host.base, store)?;
    let agent = host.start_agent(&site, commands)?;
    let outcome = host.serve(site, &agent, stop);
    host.mailbox.shared().drain();
    agent.finish(host.config.farewell);
    outcome
}

type OnEvent = Arc<dyn Fn(FleetEvent<'_>) + Send + Sync>;

struct Host {
    config: FleetConfig,
    base: BattleServerConfig,
    folders: Folders,
    spool: Spool,
    mailbox: Box<Mailbox>,
    on_event: OnEvent,
    /// Battles that are over and whose result is not in the spool yet.
    unsettled: VecDeque<u128>,
    settle_at: Instant,
}

impl Host {
    fn start_agent(
        &self,
        site: &Site,
        commands: std::sync::mpsc::SyncSender<mailbox::Command>,
    ) -> anyhow::Result<Agent> {
        let config = self.config.clone();
        let listen = site.listen();
        let address = config.public_address.clone().unwrap_or_else(|| listen.to_string());
        let facts = Facts {
            name: config.name.clone(),
            address: address.clone(),
            fingerprint: site.identity.fingerprint().0,
            identity: site.store.key("fleet-identity")?,
        };
        let registered = Registered {
            listen,
            address,
            fingerprint: site.identity.fingerprint().to_string(),
            ops: site.ops.as_ref().map(sortie_kit::ops::OpsListener::addr),
            data_dir: self.base.data_dir.clone(),
            incarnation: site.incarnation,
            name: config.name.clone(),
            server_id: String::new(),
            epoch: 0,
        };
        let (base, folders, spool) = (self.base.clone(), self.folders.clone(), self.spool.clone());
        let (shared, on_event) = (Arc::clone(self.mailbox.shared()), Arc::clone(&self.on_event));
        Agent::start(move |farewell| {
            let line = Line::new(&config)?;
            let (registration, known) = tokio::sync::watch::channel(None);
            let reporter = Reporter {
                spool: spool.clone(),
                shared: Arc::clone(&shared),
                line: line.clone(),
                registration: known,
                farewell,
            };
            let link = Link {
                facts,
                line,
                base,
                folders,
                spool,
                shared,
                commands,
                registration,
                taken: 0,
            };
            let tell = move |known: &super::link::Registration| {
                let (server_id, epoch) = (known.server_id.to_string(), known.epoch);
                on_event(FleetEvent::Registered(&Registered { server_id, epoch, ..registered }));
            };
            Ok((link, reporter, Box::new(tell)))
        })
    }

    fn serve(&mut self, mut site: Site, agent: &Agent, stop: &AtomicBool) -> anyhow::Result<()> {
        let mut trash = RecvBatch::new();
        while !stop.load(Ordering::Relaxed) {
            anyhow::ensure!(!agent.has_ended(), "the agent has ended");
            self.give_up_dropped()?;
            let is_draining = self.mailbox.shared().is_draining();
            let Some(battle_id) = self.mailbox.waiting.pop_front() else {
                if is_draining {
                    break;
                }
                self.idle(&site, &mut trash)?;
                continue;
            };
            let was_begun = self.folders.store_of(battle_id).journal_path().exists();
            if is_draining && !was_begun {
                self.refuse(battle_id, "the server takes no new battles")?;
                continue;
            }
            site = self.fight(site, battle_id, stop)?;
        }
        // Orders that came meanwhile are on the disk: the next start finds them.
        self.mailbox.note_durable(u32::MAX);
        Ok(())
    }

    /// No battle: waits a little for an order.
    fn idle(&mut self, site: &Site, trash: &mut RecvBatch) -> anyhow::Result<()> {
        let now = Instant::now();
        site.health.beat(now);
        for socket in &site.sockets {
            // Nobody is let in; what comes must not be the next battle's first task.
            while trash.receive(socket).is_ok_and(|count| count > 0) {}
        }
        if !self.unsettled.is_empty() && now >= self.settle_at {
            for _ in 0..self.unsettled.len() {
                if let Some(battle_id) = self.unsettled.pop_front() {
                    self.settle(battle_id)?;
                }
            }
        }
        if let Some(command) = self.mailbox.wait(IDLE_STEP) {
            self.mailbox.handle(&command.wish, None);
            self.mailbox.note_done(command.order_id, 0);
        }
        self.mailbox.note_durable(u32::MAX);
        Ok(())
    }

    /// Runs one battle to its end.
    fn fight(
        &mut self,
        mut site: Site,
        battle_id: u128,
        stop: &AtomicBool,
    ) -> anyhow::Result<Site> {
        let (order, config) = match self.folders.read(battle_id).and_then(|order| {
            let config = order.config(&self.base)?;
            Ok((order, config))
        }) {
            Ok(ordered) => ordered,
            Err(error) => {
                self.set_aside(battle_id, &error)?;
                return Ok(site);
            }
        };
        site.store = self.folders.store_of(battle_id);
        let opened = match open_battle(&site.store, &config) {
            Ok(opened) => opened,
            Err(error) => {
                self.set_aside(battle_id, &error)?;
                return Ok(site);
            }
        };
        let began_ms = opened.header.created_ms;
        let id = format!("{battle_id:032x}");
        tracing::info!(battle_id = id, resumed = opened.resumed, "a battle begins");
        (self.on_event)(FleetEvent::Begun(&id));
        let mut server = BattleServer::begin(config, site, opened)?;
        // It may have died after the decision to end. An end by the battle's own rules is found
        // again by going on: the journal may lack the last ticks before it.
        let decided = ending_of(&order)
            .filter(|ending| !matches!(ending, Ending::Duration | Ending::Round))
            .or_else(|| server.ending());
        let ending = match decided {
            Some(ending) => ending,
            None => {
                let mailbox = std::mem::replace(&mut self.mailbox, Box::new(mailbox::new().1));
                server.start_clock(Instant::now());
                server.sit_at(mailbox, self.config.empty_after);
                server.play(stop)
            }
        };
        if let Some(ended_by) = ending.ended_by()
            && let Err(error) = self.folders.note_end(&order, ended_by)
        {
            tracing::warn!(%error, "cannot note why the battle ends");
        }
        let mut finished = server.finish(ending);
        if let Some(mailbox) = finished.mailbox.take() {
            self.mailbox = mailbox;
        }
        self.mailbox.clear();
        self.mailbox.note_durable(u32::MAX);
        self.conclude(finished, battle_id, began_ms, ending)
    }

    /// The battle is over: its result into the spool, its folder away.
    fn conclude(
        &mut self,
        finished: Finished,
        battle_id: u128,
        began_ms: u64,
        ending: Ending,
    ) -> anyhow::Result<Site> {
        let Finished { mut report, kept, battle, roster, site, .. } = finished;
        let replay = match kept {
            Ok(path) => Some(path),
            Err(error) if is_frozen(&error) => return Err(error),
            Err(error) => {
                tracing::error!(error = format!("{error:#}"), "the journal is no replay");
                None
            }
        };
        let erased: Vec<_> = self.mailbox.shared().erased().iter().copied().collect();
        if let Some(path) = replay.as_deref().filter(|_| !erased.is_empty())
            && let Err(error) = crate::journal::blank(path, &erased)
        {
            tracing::error!(%error, "a name cannot be taken out of a replay");
        }
        report.replay_path.clone_from(&replay);
        if let Some(ended_by) = ending.ended_by() {
            let replay = replay.as_deref().map(|path| (path, report.journal_bytes));
            let (battle, roster) = (&battle, &roster);
            let facts = ResultFacts { battle_id, battle, roster, ended_by, replay };
            self.spool_result(began_ms, battle_id, &facts)?;
        } else {
            self.remove(battle_id)?;
        }
        (self.on_event)(FleetEvent::Report(&report));
        self.thin_out_replays(&site);
        self.mailbox.shared().news.notify_one();
        Ok(site)
    }

    fn spool_result(
        &mut self,
        began_ms: u64,
        battle_id: u128,
        facts: &ResultFacts<'_>,
    ) -> anyhow::Result<()> {
        match self.spool.put(began_ms, battle_id, &result_of(facts)) {
            Ok(()) => {
                self.base.journal.failpoints.pass(Failpoint::AfterSpool)?;
                self.remove(battle_id)?;
                self.mailbox.shared().spooled.notify_one();
            }
            Err(error) if is_frozen_io(&error) => return Err(error.into()),
            Err(error) => {
                // The replay has it; it is made again from there.
                tracing::error!(%error, "a battle result cannot be spooled; it is tried again");
                self.settle_at = Instant::now() + SETTLE_AGAIN;
                self.unsettled.push_back(battle_id);
            }
        }
        Ok(())
    }

    fn remove(&mut self, battle_id: u128) -> anyhow::Result<()> {
        self.folders.remove(battle_id).context("cannot remove a battle's folder")?;
        self.mailbox.shared().unfinished().remove(&battle_id);
        Ok(())
    }

    fn refuse(&mut self, battle_id: u128, why: &str) -> anyhow::Result<()> {
        self.mailbox.shared().refuse(battle_id, why);
        self.remove(battle_id)
    }

    fn give_up_dropped(&mut self) -> anyhow::Result<()> {
        for battle_id in std::mem::take(&mut self.mailbox.dropped) {
            self.refuse(battle_id, "it was called off before it began")?;
        }
        Ok(())
    }

    fn set_aside(&mut self, battle_id: u128, cause: &anyhow::Error) -> anyhow::Result<()> {
        let aside = self.folders.set_aside(battle_id).context("cannot set a battle aside")?;
        tracing::error!(
            error = format!("{cause:#}"),
            folder = %aside.display(),
            "a battle cannot be run; its folder is set aside"
        );
        self.mailbox.shared().unfinished().remove(&battle_id);
        let why = match JournalError::is_version(cause) {
            true => "its journal is of another version",
            false => "its files are damaged",
        };
        self.mailbox.shared().refuse(battle_id, why);
        Ok(())
    }

    /// Makes the results of battles that ended just before the server died.
    fn settle_what_is_over(&mut self) -> anyhow::Result<()> {
        let waiting: Vec<u128> = self.mailbox.waiting.drain(..).collect();
        for battle_id in waiting {
            if self.closed_journal(battle_id).is_some() {
                self.settle(battle_id)?;
            } else {
                self.mailbox.waiting.push_back(battle_id);
            }
        }
        Ok(())
    }

    /// The journal of a battle that has its end; it may be a replay already.
    fn closed_journal(&self, battle_id: u128) -> Option<(PathBuf, JournalReader)> {
        let store = self.folders.store_of(battle_id);
        let paths = [store.journal_path(), store.replay_path(battle_id)];
        // What cannot be read is looked at again when the battle is to be taken up.
        let mut readers = paths.into_iter().filter_map(|path| {
            let reader = JournalReader::open(&path).ok()?;
            Some((path, reader))
        });
        readers.find(|(_, reader)| reader.end.is_some())
    }

    fn settle(&mut self, battle_id: u128) -> anyhow::Result<()> {
        let Some((path, mut reader)) = self.closed_journal(battle_id) else { return Ok(()) };
        let store = self.folders.store_of(battle_id);
        let recovered = match recover(&mut reader, self.base.threads) {
            Ok(recovered) => recovered,
            Err(error) => return self.set_aside(battle_id, &error),
        };
        let place = match path == store.journal_path() {
            true => store.keep_replay(battle_id).context("cannot keep a replay")?,
            false => path,
        };
        let (battle, roster) = (&recovered.battle, &recovered.roster);
        let decided = self.folders.read(battle_id).ok().and_then(|order| order.ended_by);
        let ended_by = decided.unwrap_or(match battle.view().round {
            RoundState::Ended { .. } => EndedBy::Round,
            RoundState::Running => EndedBy::Stopped,
        });
        let replay = Some((&*place, reader.bytes));
        let facts = ResultFacts { battle_id, battle, roster, ended_by, replay };
        tracing::info!(battle_id = format!("{battle_id:032x}"), "a result is made from its replay");
        self.spool_result(reader.header.created_ms, battle_id, &facts)
    }

    /// The oldest replays go when there are too many.
    fn thin_out_replays(&self, site: &Site) {
        let (count_max, bytes_max) = (self.config.replays_max, self.config.replay_bytes_max);
        let kept = (count_max.unwrap_or(usize::MAX), bytes_max.unwrap_or(u64::MAX));
        if let Err(error) = thin_out(site.store.replays_dir(), kept) {
            tracing::warn!(%error, "old replays cannot be removed");
        }
    }
}

/// Removes the oldest files until at most `count_max` with at most `bytes_max` bytes are left.
fn thin_out(dir: PathBuf, (count_max, bytes_max): (usize, u64)) -> io::Result<()> {
    let mut files: Vec<(SystemTime, PathBuf, u64)> = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        files.push((metadata.modified()?, entry.path(), metadata.len()));
    }
    files.sort_unstable();
    let (mut count, mut bytes) =
        (files.len(), files.iter().map(|(_, _, bytes)| bytes).sum::<u64>());
    for (_, path, size) in files {
        if count <= count_max && bytes <= bytes_max {
            break;
        }
        fs::remove_file(path)?;
        (count, bytes) = (count - 1, bytes - size);
    }
    Ok(())
}

fn ending_of(order: &BattleOrder) -> Option<Ending> {
    let ended_by = order.ended_by.as_ref()?;
    Ending::ALL.into_iter().find(|ending| ending.ended_by().as_ref() == Some(ended_by))
}

#[cfg(test)]
mod tests {
    use tempfile::tempdir;

    use super::*;

    #[test]
    fn old_replays_go_by_count_and_by_bytes() {
        let dir = tempdir().unwrap();
        let left = |bounds| {
            thin_out(dir.path().to_owned(), bounds).unwrap();
            let names = fs::read_dir(dir.path()).unwrap();
            let mut names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
            names.sort_unstable();
            names
        };
        for (age, name) in ["a", "b", "c", "d"].into_iter().enumerate() {
            let path = dir.path().join(name);
            fs::write(&path, [0; 10]).unwrap();
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(age as u64);
            fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
        }
        assert_eq!(left((usize::MAX, u64::MAX)).len(), 4);
        assert_eq!(left((3, u64::MAX)), ["b", "c", "d"]);
        assert_eq!(left((usize::MAX, 25)), ["c", "d"]);
    }
}
