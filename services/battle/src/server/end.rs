//! Ending in order: the journal first, then everything that waited for it, then goodbye.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use sortie_sim::Battle;
use sortie_wire::close::CloseCode;

use super::mailbox::Mailbox;
use super::shard::Shard;
use super::work::process_cpu;
use super::{BattleServer, Ending, Outlook, Site};
use crate::failpoint::{Failpoint, is_frozen};
use crate::journal::{End, JournalRoster};
use crate::report::{BattleReport, Percentiles};

/// How long last messages may take to arrive.
const LAST_WORDS: Duration = Duration::from_millis(300);
/// How long a lost close packet can still be asked for.
const FAREWELL: Duration = Duration::from_millis(60);
const STEP: Duration = Duration::from_millis(5);

/// What is left of a battle that has ended.
pub(crate) struct Finished {
    /// What there is to say; without the replay's path.
    pub report: BattleReport,
    /// Where the replay is.
    pub kept: anyhow::Result<PathBuf>,
    /// Its last state.
    pub battle: Battle,
    /// Its players.
    pub roster: JournalRoster,
    /// Where the next one can begin.
    pub site: Site,
    /// Where orders come from, if they do.
    pub mailbox: Option<Box<Mailbox>>,
}

impl BattleServer {
    /// Closes the journal, tells the clients why, and reports. A journal that cannot become a
    /// replay, because the disk is full for one, costs the replay and not the report, which then
    /// says that the journal is not complete.
    ///
    /// # Errors
    /// A failpoint stopped the server.
    pub fn end(self, why: Ending) -> anyhow::Result<BattleReport> {
        let Finished { mut report, kept, .. } = self.finish(why);
        match kept {
            Ok(replay) => report.replay_path = Some(replay),
            Err(error) if is_frozen(&error) => return Err(error),
            Err(error) => {
                tracing::error!(error = format!("{error:#}"), "the journal cannot become a replay");
                report.journal_complete = false;
            }
        }
        Ok(report)
    }

    /// The same; gives back what the next battle needs.
    pub(crate) fn finish(mut self, why: Ending) -> Finished {
        self.site.health.set_not_ready("battle", Some("has ended".to_owned()));
        let (tick, hash) = (self.battle.tick(), self.battle.state_hash());
        let journal_bytes = self.journal.bytes();
        let options = self.config.journal.clone();
        let unused = crate::journal::Journal::closed();
        let journal = std::mem::replace(&mut self.journal, unused);
        let complete = journal.close(End { tick: tick.0, hash });
        self.say_goodbye(match why {
            Ending::Stopped | Ending::Forgotten => CloseCode::ShuttingDown,
            Ending::Duration | Ending::Round | Ending::Operator => CloseCode::RoundOver,
        });
        let battle_id = self.header.battle_id;
        let journal_bytes = std::fs::metadata(self.site.store.journal_path())
            .map_or(journal_bytes, |metadata| metadata.len());
        let passed = options.failpoints.pass(Failpoint::AfterEnd);
        let kept = passed.and_then(|()| self.site.store.keep_replay(battle_id));
        let report = BattleReport {
            journal_complete: complete,
            journal_bytes,
            state_hash: format!("{hash:016x}"),
            ended_by: why.name(),
            ..self.report()
        };
        self.show_metrics();
        self.site.metrics.end_battle();
        let Self { battle, roster, mut site, shards, orders, .. } = self;
        site.sockets = shards.into_iter().map(|shard| shard.socket).collect();
        site.health.set_not_ready("battle", None);
        Finished {
            report,
            kept: kept.map_err(Into::into),
            battle,
            roster,
            site,
            mailbox: orders.mailbox,
        }
    }

    fn say_goodbye(&mut self, code: CloseCode) {
        let outlook = Outlook {
            view: self.battle.view(),
            history: &self.history,
            visibility: &self.visibility,
            noises: &self.noises,
            load: self.ladder.step(),
            // The journal is closed: all that waited for it may leave.
            released: u32::MAX,
            tick_hz: self.battle.config().tick_hz,
        };
        for shard in &mut self.shards {
            shard.tell(&outlook);
            let peers: Vec<_> = shard.quic.peers().collect();
            peers.into_iter().for_each(|peer| shard.say_leaving(peer, code));
        }
        let tick = self.battle.tick().0;
        linger(&mut self.shards, tick, LAST_WORDS);
        for shard in &mut self.shards {
            shard.quic.close_all(u32::from(code.number()), code.text());
        }
        linger(&mut self.shards, tick, FAREWELL);
    }

    fn report(&self) -> BattleReport {
        let (counters, totals) = (&self.counters, &self.roster.totals);
        let sum = |of: fn(&Shard) -> u64| self.shards.iter().map(of).sum::<u64>();
        let inputs = self.inputs();
        BattleReport {
            battle_id: self.ready.battle_id.clone(),
            last_tick: self.battle.tick().0,
            ticks: counters.ticks,
            tick_overruns: counters.overruns,
            ticks_left_out: counters.left_out,
            tick_cpu_us: Percentiles::from(&self.tick_cpu_us),
            tick_us: Percentiles::from(&self.tick_us),
            tick_own_us: Percentiles::from(&self.tick_own_us),
            stolen_seconds: counters.stolen.as_secs_f64(),
            phase_us: self.phases.report(),
            server_cpu_seconds: process_cpu().saturating_sub(self.cpu_at_start).as_secs_f64(),
            clients_peak: counters.clients_peak as u32,
            joins: totals.joins,
            players: self.battle.view().soldiers.len() as u64,
            resumes: counters.resumes,
            clients_lost: counters.clients_lost,
            updates_expected: sum(|shard| shard.counters.updates_due),
            snapshots_sent: sum(|shard| shard.counters.snapshots),
            snapshots_sealed: sum(|shard| shard.counters.snapshots_sealed),
            snapshot_bytes: sum(|shard| shard.counters.snapshot_bytes),
            bytes_out: sum(|shard| shard.udp_bytes().1),
            bytes_in: sum(|shard| shard.udp_bytes().0),
            inputs_late: inputs.late,
            inputs_early: inputs.early,
            inputs_missing: inputs.missing(),
            malformed: sum(|shard| shard.counters.malformed),
            overload_step_max: counters.overload_step_max,
            shots: totals.shots,
            hits: totals.hits,
            kills: totals.kills,
            captures: totals.captures,
            regions_max: totals.regions_max,
            splits: totals.splits,
            merges: totals.merges,
            winner: self.battle.winner().map(|team| team as u8),
            ..BattleReport::default()
        }
    }
}

/// Keeps the connections going without a battle behind them, at most so long; ends early when
/// nobody is connected.
fn linger(shards: &mut [Shard], tick: u32, at_most: Duration) {
    let deadline = Instant::now() + at_most;
    loop {
        let now = Instant::now();
        for shard in shards.iter_mut() {
            shard.receive(now, tick);
            shard.transmit(now);
        }
        let is_empty = shards.iter().all(|shard| shard.quic.open_connections() == 0);
        if is_empty || now >= deadline {
            return;
        }
        // An error only shortens the wait.
        drop(shards[0].socket.wait_readable_until(now + STEP));
    }
}
