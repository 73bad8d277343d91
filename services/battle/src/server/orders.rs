//! What the control plane orders, in the tick: looked for once, at its start.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use sortie_sim::command::{Action, Command};
use sortie_sim::id::PlayerKey;
use sortie_wire::close::CloseCode;
use sortie_wire::limits::{CLOCK_LEEWAY_MS, TICKET_LIFE_MS_MAX};
use sortie_wire::message::{ServerMessage, Text};

use super::mailbox::{Mailbox, Wish};
use super::standing::{LoadStanding, Standing};
use super::{BattleServer, Ending};
use crate::histogram::Histogram;

/// Orders that one tick carries out.
const ORDERS_PER_TICK_MAX: usize = 32;

/// What a server keeps of its orders.
#[derive(Default)]
pub(super) struct Orders {
    /// Where they come from; `None` without a control plane.
    pub mailbox: Option<Box<Mailbox>>,
    /// The end that was ordered, or that is due because nobody is there.
    pub ending: Option<Ending>,
    /// A battle without anybody ends after this long; `None`: not for that.
    empty_after: Option<Duration>,
    /// Since when nobody is connected.
    empty_since: Option<Instant>,
    /// Who was kicked, and until when a ticket from before could still be good.
    kicked: BTreeMap<PlayerKey, Instant>,
    /// Times of the ticks since the last status.
    recent_us: Histogram,
    /// The tick from which on the next status is due.
    show_at: u32,
}

impl Orders {
    /// Whether the player was kicked so lately that the ticket may be from before.
    pub(super) fn is_kicked(&self, player: PlayerKey, now: Instant) -> bool {
        self.kicked.get(&player).is_some_and(|until| now <= *until)
    }
}

impl BattleServer {
    /// From now on orders come from this mailbox, and a battle that is empty for `empty_after`
    /// ends.
    pub(crate) fn sit_at(&mut self, mailbox: Box<Mailbox>, empty_after: Option<Duration>) {
        self.orders.mailbox = Some(mailbox);
        self.orders.empty_after = empty_after;
        self.show_standing(Duration::ZERO);
        if let Some(mailbox) = &self.orders.mailbox {
            mailbox.tell_news();
        }
    }

    /// Carries out what was ordered since the last tick.
    pub(super) fn obey(&mut self, now: Instant) {
        let Some(mut mailbox) = self.orders.mailbox.take() else { return };
        if let Some(clock) = mailbox.shared().clock() {
            self.set_ticket_clock(clock);
        }
        if let Some(keys) = mailbox.ticket_keys() {
            self.admission.set_ticket_keys(&keys);
        }
        for _ in 0..ORDERS_PER_TICK_MAX {
            let Some(command) = mailbox.next() else { break };
            let durable_at = self.carry_out(&command.wish, &mut mailbox, now);
            mailbox.note_done(command.order_id, durable_at);
        }
        let durable = if self.journal_is_dead { u32::MAX } else { self.journal.durable().0 };
        mailbox.note_durable(durable.min(u32::MAX - 1));
        self.orders.mailbox = Some(mailbox);
        self.end_if_empty(now);
    }

    /// Others wait for the server: who asked for a battle and does not come, or leaves it, must
    /// not hold it. Ends as by order, so that neither journal nor replay know the difference.
    fn end_if_empty(&mut self, now: Instant) {
        let Some(empty_after) = self.orders.empty_after else { return };
        if self.connected() > 0 {
            self.orders.empty_since = None;
            return;
        }
        let since = *self.orders.empty_since.get_or_insert(now);
        if self.orders.ending.is_none() && now.saturating_duration_since(since) >= empty_after {
            tracing::info!(?empty_after, "nobody is in the battle; it ends");
            self.orders.ending = Some(Ending::Stopped);
        }
    }

    /// Gives the tick that must be durable for the order to be carried out for good.
    fn carry_out(&mut self, wish: &Wish, mailbox: &mut Mailbox, now: Instant) -> u32 {
        let own = self.header.battle_id;
        match wish {
            Wish::Kick { battle, player, reason } if battle.is_none_or(|id| id == own) => {
                self.kick(*player, reason, now)
            }
            Wish::Say { battle, text } if *battle == own => {
                let text = Text::truncated(text);
                self.tell_all(0, &ServerMessage::Notice { text });
                0
            }
            Wish::End(battle) if *battle == own => {
                self.orders.ending = Some(Ending::Operator);
                // Until the end is on the disk.
                u32::MAX
            }
            Wish::Forget(battle) if *battle == own => {
                self.orders.ending = Some(Ending::Forgotten);
                u32::MAX
            }
            wish => {
                mailbox.handle(wish, Some(own));
                0
            }
        }
    }

    fn kick(&mut self, player: PlayerKey, reason: &str, now: Instant) -> u32 {
        // Tickets of before must not bring the player back; whether new ones are issued is the
        // control plane's to decide.
        let until = now + Duration::from_millis(TICKET_LIFE_MS_MAX + CLOCK_LEEWAY_MS);
        self.orders.kicked.retain(|_, until| now <= *until);
        self.orders.kicked.insert(player, until);
        let tick = self.battle.tick().0;
        let Some(slot) = self.slots.get(&player).copied() else { return tick };
        let tick_hz = self.battle.config().tick_hz;
        let home = self.homes.get(usize::from(slot.0)).copied().flatten();
        let shard = home.map(|home| &mut self.shards[usize::from(home)]);
        let mut action = Action::Leave;
        if let Some(shard) = shard
            && let Some(seat) = shard.seats.get_mut(&slot.0)
        {
            action = seat.leave(tick, tick_hz, now);
            if let Some(peer) = seat.peer {
                seat.detach(now);
                shard.say_goodbye(peer, CloseCode::Kicked, reason);
            }
        }
        self.commands.push(Command { player: slot, action });
        tick + 1
    }

    /// Shows the control plane how the battle stands, about once a second. `work` is what the
    /// tick took.
    pub(super) fn show_standing(&mut self, work: Duration) {
        let Some(mailbox) = &self.orders.mailbox else { return };
        self.orders.recent_us.record(work.as_micros() as u64);
        let tick = self.battle.tick().0;
        if tick < self.orders.show_at {
            return;
        }
        let load = LoadStanding {
            tick_p99_us: self.orders.recent_us.quantile(0.99),
            tick_overruns: self.counters.overruns,
            overload_step: self.ladder.step() as u8,
        };
        let players = self.connected() as u32;
        let standing = Standing::of(&self.battle, self.header.battle_id, players, load).with_gone(
            &self.battle,
            &self.roster.tally,
            |key| self.slots.contains_key(&key),
        );
        // When somebody looks at this moment, the next tick tries again.
        if mailbox.show(standing) {
            self.orders.show_at = tick + u32::from(self.battle.config().tick_hz);
            self.orders.recent_us = Histogram::default();
        }
    }
}
