//! Where the agent's thread and the battle's meet. Neither waits for the other.

use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use sortie_keys::PublicKeys;
use sortie_sim::id::PlayerKey;
use tokio::sync::Notify;

use super::standing::Standing;
use crate::ticket_clock::TicketClock;

/// Commands that may wait for the tick; the agent waits when there are more.
const COMMANDS_MAX: usize = 256;
/// Battles that cannot be opened and are told of, the newest.
const REFUSED_MAX: usize = 16;

/// What the control plane wants, in the order in which it wants it.
#[derive(Debug)]
pub(crate) struct Command {
    /// The order behind it; 0: none.
    pub order_id: u64,
    /// What is to be done.
    pub wish: Wish,
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Nothing any more: the order was refused or is known.
    Nothing,
    /// The battle whose folder is there.
    Open(u128),
    /// A player leaves now.
    Kick {
        /// `None`: whatever battle runs.
        battle: Option<u128>,
        /// The player who has to leave.
        player: PlayerKey,
        /// For the player's eyes.
        reason: String,
    },
    /// A text for all players of a battle.
    Say {
        /// Id of the battle; for another one than runs nothing is said.
        battle: u128,
        /// The text that all players are shown.
        text: String,
    },
    /// A battle ends with the result that it has.
    End(u128),
    /// A battle ends without a result.
    Forget(u128),
    /// No new battles.
    Drain,
}

/// What both sides look at.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    standing: Mutex<Option<Arc<Standing>>>,
    done: AtomicU64,
    is_draining: AtomicBool,
    /// The origin of the control plane's clock; 0: not known yet.
    clock_origin_ms: AtomicU64,
    /// The keys of join tickets, as they were told last; `None`: not known yet.
    ticket_keys: Mutex<Option<Arc<PublicKeys>>>,
    /// Battles with a folder and without a result. The tick never looks at it.
    unfinished: Mutex<BTreeSet<u128>>,
    refused: Mutex<VecDeque<(u128, String)>>,
    /// Players whose names were taken out of journals since the process started.
    erased: Mutex<BTreeSet<PlayerKey>>,
    /// Something happened that the control plane should hear at once.
    pub news: Notify,
    /// A result was spooled.
    pub spooled: Notify,
    /// The link is to say a last word and end.
    pub goodbye: Notify,
}

impl Shared {
    /// How the battle stands; `None` while none runs.
    pub(crate) fn standing(&self) -> Option<Arc<Standing>> {
        lock(&self.standing).clone()
    }

    /// Newest order that was carried out.
    pub(crate) fn done(&self) -> u64 {
        self.done.load(Ordering::Acquire)
    }

    /// Whether no new battles are begun.
    pub(crate) fn is_draining(&self) -> bool {
        self.is_draining.load(Ordering::Acquire)
    }

    /// From now on no new battles are begun.
    pub(crate) fn drain(&self) {
        self.is_draining.store(true, Ordering::Release);
        self.news.notify_one();
    }

    /// The control plane's clock, as it was told last; `None` before that.
    pub(crate) fn clock(&self) -> Option<TicketClock> {
        let origin_ms = self.clock_origin_ms.load(Ordering::Relaxed);
        (origin_ms > 0).then(|| TicketClock::from_origin(origin_ms))
    }

    /// The control plane has told what the time is.
    pub(crate) fn set_clock(&self, clock: TicketClock) {
        self.clock_origin_ms.store(clock.origin_ms(), Ordering::Relaxed);
    }

    /// The keys of join tickets, as they were told last; `None` before that.
    pub(crate) fn ticket_keys(&self) -> Option<Arc<PublicKeys>> {
        lock(&self.ticket_keys).clone()
    }

    /// The control plane has told what the keys of join tickets are.
    pub(crate) fn set_ticket_keys(&self, keys: PublicKeys) {
        let before = lock(&self.ticket_keys).replace(Arc::new(keys.clone()));
        if before.is_none_or(|before| *before != keys) {
            tracing::info!(
                keys = keys.ids(),
                "join tickets are checked with the keys of these ids"
            );
        }
    }

    /// Battles with a folder and without a result.
    pub(crate) fn unfinished(&self) -> MutexGuard<'_, BTreeSet<u128>> {
        lock(&self.unfinished)
    }

    /// Players whose names are to be in no journal.
    pub(crate) fn erased(&self) -> MutexGuard<'_, BTreeSet<PlayerKey>> {
        lock(&self.erased)
    }

    /// Battles that could not be opened, with the reason.
    pub(crate) fn refused(&self) -> Vec<(u128, String)> {
        lock(&self.refused).iter().cloned().collect()
    }

    /// A battle cannot be opened.
    pub(crate) fn refuse(&self, battle_id: u128, why: &str) {
        tracing::warn!(battle_id = format!("{battle_id:032x}"), why, "a battle is refused");
        let mut refused = lock(&self.refused);
        refused.retain(|(known, _)| *known != battle_id);
        refused.push_back((battle_id, why.to_owned()));
        if refused.len() > REFUSED_MAX {
            refused.pop_front();
        }
        drop(refused);
        self.news.notify_one();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The battle's side. It goes from one battle to the next.
#[derive(Debug)]
pub(crate) struct Mailbox {
    commands: Receiver<Command>,
    shared: Arc<Shared>,
    /// Orders carried out, with the tick that must be durable before they count.
    carried_out: VecDeque<(u32, u64)>,
    /// Battles that are to be begun, oldest order first.
    pub waiting: VecDeque<u128>,
    /// Battles that were to be begun and are not wanted any more.
    pub dropped: Vec<u128>,
}

/// Both sides of a new mailbox: where the agent puts commands, and the battle's.
pub(crate) fn new() -> (SyncSender<Command>, Mailbox) {
    let (sender, commands) = sync_channel(COMMANDS_MAX);
    let mailbox = Mailbox {
        commands,
        shared: Arc::default(),
        carried_out: VecDeque::new(),
        waiting: VecDeque::new(),
        dropped: Vec::new(),
    };
    (sender, mailbox)
}

impl Mailbox {
    /// What both sides look at.
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// The keys of join tickets, as they were told last; `None` before that, and when the agent
    /// holds them at this very moment. Never waits.
    pub(crate) fn ticket_keys(&self) -> Option<Arc<PublicKeys>> {
        match self.shared.ticket_keys.try_lock() {
            Ok(keys) => keys.clone(),
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner().clone(),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// The next command, if one is there. Never waits.
    pub(crate) fn next(&mut self) -> Option<Command> {
        self.commands.try_recv().ok()
    }

    /// The next command, for which there is so much time.
    pub(crate) fn wait(&mut self, time: Duration) -> Option<Command> {
        match self.commands.recv_timeout(time) {
            Ok(command) => Some(command),
            Err(RecvTimeoutError::Timeout) => None,
            // Only in tests is there no agent.
            Err(RecvTimeoutError::Disconnected) => {
                std::thread::sleep(time);
                None
            }
        }
    }

    /// An order was carried out, for good once `tick` is durable.
    pub(crate) fn note_done(&mut self, order_id: u64, tick: u32) {
        if order_id > 0 {
            self.carried_out.push_back((tick, order_id));
        }
    }

    /// Ticks up to this one are durable. Orders are acknowledged in their order.
    pub(crate) fn note_durable(&mut self, tick: u32) {
        while let Some((needs, order_id)) = self.carried_out.front().copied()
            && needs <= tick
        {
            self.carried_out.pop_front();
            self.shared.done.store(order_id, Ordering::Release);
        }
    }

    /// What does not concern the battle that runs, `running`.
    pub(crate) fn handle(&mut self, wish: &Wish, running: Option<u128>) {
        match *wish {
            Wish::Open(battle) if Some(battle) != running && !self.waiting.contains(&battle) => {
                self.waiting.push_back(battle);
            }
            Wish::End(battle) | Wish::Forget(battle) if Some(battle) != running => {
                let before = self.waiting.len();
                self.waiting.retain(|waiting| *waiting != battle);
                if self.waiting.len() < before {
                    self.dropped.push(battle);
                }
            }
            Wish::Drain => self.shared.drain(),
            _ => {}
        }
    }

    /// Shows how the battle stands; false when the agent looks at this very moment. Never waits.
    pub(crate) fn show(&self, standing: Standing) -> bool {
        let mut slot = match self.shared.standing.try_lock() {
            Ok(slot) => slot,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return false,
        };
        *slot = Some(Arc::new(standing));
        true
    }

    /// The control plane should hear at once how it stands.
    pub(crate) fn tell_news(&self) {
        self.shared.news.notify_one();
    }

    /// No battle runs.
    pub(crate) fn clear(&mut self) {
        *lock(&self.shared.standing) = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_acknowledged_in_order_and_when_durable() {
        let (_agent, mut mailbox) = new();
        mailbox.note_done(4, 100);
        mailbox.note_done(5, 0);
        mailbox.note_done(0, 0);
        mailbox.note_durable(99);
        assert_eq!(mailbox.shared().done(), 0, "the kick before it could still be lost");
        mailbox.note_durable(100);
        assert_eq!(mailbox.shared().done(), 5);
    }

    #[test]
    fn the_tick_does_not_wait_for_who_looks() {
        let (agent, mut mailbox) = new();
        assert!(mailbox.next().is_none());
        assert!(mailbox.show(Standing::default()));
        let shared = Arc::clone(mailbox.shared());
        let held = lock(&shared.standing);
        assert!(!mailbox.show(Standing::default()));
        drop(held);
        assert!(mailbox.show(Standing::default()));
        // A battle that has ended does not read: the agent is refused, not held up.
        let command = || Command { order_id: 1, wish: Wish::Nothing };
        (0..COMMANDS_MAX).for_each(|_| agent.try_send(command()).unwrap());
        assert!(agent.try_send(command()).is_err());
    }

    #[test]
    fn a_battle_waits_once_and_can_be_called_off() {
        let (_agent, mut mailbox) = new();
        for wish in [Wish::Open(1), Wish::Open(2), Wish::Open(1), Wish::Open(9)] {
            mailbox.handle(&wish, Some(9));
        }
        assert_eq!(mailbox.waiting, [1, 2]);
        mailbox.handle(&Wish::Forget(1), Some(9));
        mailbox.handle(&Wish::End(9), Some(9));
        assert_eq!(
            (mailbox.waiting.make_contiguous(), &mailbox.dropped[..]),
            (&mut [2][..], &[1][..])
        );
    }
}
