//! Hellos answered: newcomers with tickets, players coming back.

use std::collections::VecDeque;
use std::time::Instant;

use sortie_quic::PeerId;
use sortie_sim::command::{Action, Command};
use sortie_sim::id::{Class, PlayerKey, PlayerSlot, Team};
use sortie_sim::place::Place;
use sortie_wire::close::CloseCode;
use sortie_wire::limits::PROTOCOL_VERSION;
use sortie_wire::message::{Blob, Credential, Hello, LoadStep, ServerMessage, Text, Welcome};
use sortie_wire::ticket::Ticket;

use super::BattleServer;
use super::newcomers::NewcomerBudget;
use super::seat::Seat;
use crate::journal::Admitted;

/// A player who came in this tick and waits for its welcome.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival {
    slot: PlayerSlot,
    /// The soldier was there before.
    resumed: bool,
    /// The welcome may leave when this tick is durable: what a client was promised must not be
    /// forgotten by a crash.
    held_until: u32,
}

impl BattleServer {
    /// Answers the hellos that wait, as many as the tick has time for.
    pub(super) fn answer_hellos(&mut self, now: Instant) {
        let now_ms = self.ticket_clock.now_ms();
        let first = self.battle.tick().0 as usize;
        let count = NewcomerBudget::of(self.clock.period()).hellos;
        let mut queues: Vec<_> = self.shards.iter_mut().map(|shard| &mut shard.hellos).collect();
        for (shard, (peer, hello)) in deal(&mut queues, first, count) {
            if !self.shards[shard].is_waiting(peer) {
                continue;
            }
            if let Err(code) = self.answer(shard, peer, &hello, now, now_ms) {
                tracing::debug!(%peer, %code, "a client is turned away");
                self.counters.turned_away += 1;
                self.site.metrics.note_refusal(code);
                self.shards[shard].close(peer, code);
            }
        }
    }

    fn answer(
        &mut self,
        shard: usize,
        peer: PeerId,
        hello: &Hello,
        now: Instant,
        now_ms: u64,
    ) -> Result<(), CloseCode> {
        if hello.version != PROTOCOL_VERSION {
            return Err(CloseCode::ProtocolVersion);
        }
        match &hello.credential {
            Credential::Ticket(bytes) => {
                let used = &self.roster.used_tickets;
                let ticket = self.admission.check_ticket(bytes, now_ms, used)?;
                self.admit(shard, peer, ticket, now)
            }
            Credential::Resume(token) => {
                let claims = self.admission.check_token(token)?;
                let slot = PlayerSlot(claims.slot);
                let known = self.slots.get(&PlayerKey(claims.player_key)) == Some(&slot);
                if !known {
                    return Err(CloseCode::ResumeUnknown);
                }
                self.come_back(shard, peer, slot, 0, now);
                Ok(())
            }
        }
    }

    fn admit(
        &mut self,
        shard: usize,
        peer: PeerId,
        ticket: Ticket,
        now: Instant,
    ) -> Result<(), CloseCode> {
        let key = PlayerKey(ticket.player_key);
        if self.orders.is_kicked(key, now) {
            return Err(CloseCode::Kicked);
        }
        let known = self.slots.get(&key).copied();
        let slot = match known {
            Some(slot) => slot,
            None => self.free_slot(key)?,
        };
        let admitted = Admitted { slot, key, ticket_id: ticket.ticket_id, name: ticket.name };
        self.roster.admit(&admitted);
        self.admitted.push(admitted);
        let tick = self.battle.tick().0 + 1;
        if known.is_some() {
            self.come_back(shard, peer, slot, tick, now);
            return Ok(());
        }
        let team = ticket.team.and_then(Team::from_index);
        let class = Class::from_index(ticket.class).unwrap_or_default();
        self.commands.push(Command { player: slot, action: Action::Join { key, team, class } });
        self.slots.insert(key, slot);
        let seat = Seat::new(slot, key, self.session_config, tick - 1, now);
        self.place(shard, seat);
        self.shards[shard].seat_guest(peer, slot.0, now);
        self.arrivals.push(Arrival { slot, resumed: false, held_until: tick });
        Ok(())
    }

    /// The slot of a player who is not in the battle, when there is room and newcomers are let in.
    fn free_slot(&self, key: PlayerKey) -> Result<PlayerSlot, CloseCode> {
        if self.ladder.step() >= LoadStep::NoJoins {
            return Err(CloseCode::Overloaded);
        }
        match self.battle.place_for(key, &self.commands) {
            Place::Again(slot) | Place::New(slot) => Ok(slot),
            Place::Here(_) | Place::Full => Err(CloseCode::BattleFull),
        }
    }

    /// The player of `slot` is back, over a connection of `shard`. An older connection is closed.
    fn come_back(
        &mut self,
        shard: usize,
        peer: PeerId,
        slot: PlayerSlot,
        held_until: u32,
        now: Instant,
    ) {
        let Some(mut seat) = self.take_seat(slot) else { return };
        if let Some((home, older)) = seat.peer.map(|peer| (self.home(slot), peer)) {
            self.shards[home].close(older, CloseCode::Replaced);
        }
        seat.session.resume(self.battle.tick().0);
        self.homes[usize::from(slot.0)] = Some(shard as u8);
        self.shards[shard].seats.insert(slot.0, seat);
        self.shards[shard].seat_guest(peer, slot.0, now);
        self.arrivals.retain(|arrival| arrival.slot != slot);
        self.arrivals.push(Arrival { slot, resumed: true, held_until });
        self.counters.resumes += 1;
    }

    /// Gives a new seat its home.
    pub(super) fn place(&mut self, shard: usize, seat: Seat) {
        let slot = usize::from(seat.slot.0);
        if self.homes.len() <= slot {
            self.homes.resize(slot + 1, None);
        }
        self.homes[slot] = Some(shard as u8);
        self.shards[shard].seats.insert(seat.slot.0, Box::new(seat));
    }

    /// Takes a player's seat out of its home.
    pub(super) fn take_seat(&mut self, slot: PlayerSlot) -> Option<Box<Seat>> {
        let home = self.homes.get(usize::from(slot.0)).copied().flatten()?;
        self.shards[usize::from(home)].seats.remove(&slot.0)
    }

    fn home(&self, slot: PlayerSlot) -> usize {
        usize::from(self.homes[usize::from(slot.0)].unwrap_or_default())
    }

    /// Welcomes those who came in this tick, which is stepped by now.
    pub(super) fn welcome_arrivals(&mut self) {
        let arrivals = std::mem::take(&mut self.arrivals);
        if arrivals.is_empty() {
            return;
        }
        let tick = self.battle.tick().0;
        let everything: Vec<_> = self.feed.everything(self.battle.view());
        let everything: Vec<_> = everything.iter().filter_map(super::encoded).collect();
        for arrival in arrivals {
            let welcome = super::encoded(&self.welcome(&arrival));
            let home = self.home(arrival.slot);
            let Some(seat) = self.shards[home].seats.get_mut(&arrival.slot.0) else { continue };
            seat.outbox.clear();
            seat.bulletin_next = self.bulletins.end();
            seat.outbox.extend(welcome.map(|bytes| (arrival.held_until, bytes)));
            seat.outbox.extend(everything.iter().map(|bytes| (tick, bytes.clone())));
        }
    }

    fn welcome(&self, arrival: &Arrival) -> ServerMessage {
        let slot = arrival.slot;
        let row = self.battle.view().soldiers.get(usize::from(slot.0));
        let key = row.map_or(0, |row| row.key.0);
        let token = self.admission.token(slot.0, key);
        ServerMessage::Welcome(Box::new(Welcome {
            version: PROTOCOL_VERSION,
            battle_id: self.header.battle_id,
            incarnation: self.site.incarnation,
            slot: slot.0,
            team: row.map_or(0, |row| row.team as u8),
            tick: self.battle.tick().0,
            tick_hz: self.battle.config().tick_hz,
            snapshot_interval_ticks: 1,
            grace_s: self.config.grace.as_secs().min(u64::from(u16::MAX)) as u16,
            resumed: arrival.resumed,
            load: self.ladder.step(),
            resume_token: Blob::new(token).unwrap_or_default(),
            map: Text::new(self.header.map.clone()).unwrap_or_default(),
            rules: Text::new(self.header.rules.clone()).unwrap_or_default(),
        }))
    }
}

/// Takes at most `count` from the front of the queues, one from each in turn, beginning with number
/// `first` (modulo their count): so a crowd in one waits for itself and not for the others.
fn deal<T>(queues: &mut [&mut VecDeque<T>], first: usize, count: usize) -> Vec<(usize, T)> {
    let mut dealt = Vec::new();
    let mut empty = 0;
    for turn in 0.. {
        if empty >= queues.len() || dealt.len() >= count {
            break;
        }
        let at = first.wrapping_add(turn) % queues.len();
        match queues[at].pop_front() {
            Some(next) => {
                dealt.push((at, next));
                empty = 0;
            }
            None => empty += 1,
        }
    }
    dealt
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_in_one_shard_does_not_starve_the_others() {
        for flooded in 0..4 {
            let mut shards: Vec<VecDeque<usize>> = vec![VecDeque::new(); 4];
            let mut waited = Vec::new();
            for tick in 0..200 {
                // More than can be answered come here in every tick, and one honest one elsewhere.
                shards[flooded].extend([0; 20]);
                shards[(flooded + 1 + tick % 3) % 4].push_back(1 + tick);
                let mut queues: Vec<_> = shards.iter_mut().collect();
                let dealt = deal(&mut queues, tick, 16);
                assert_eq!(dealt.len(), 16);
                let honest = dealt.iter().filter(|(_, came)| *came > 0);
                waited.extend(honest.map(|(_, came)| tick - (came - 1)));
            }
            assert_eq!(waited.len(), 200, "everybody is answered");
            assert!(waited.iter().all(|ticks| *ticks == 0), "in the tick in which they ask");
        }
    }

    #[test]
    fn every_shard_has_its_turn_when_all_are_crowded() {
        let mut shards: Vec<VecDeque<()>> = vec![VecDeque::from(vec![(); 1_000]); 3];
        let mut answered = [0; 3];
        for tick in 0..30 {
            let mut queues: Vec<_> = shards.iter_mut().collect();
            deal(&mut queues, tick, 16).iter().for_each(|(shard, ())| answered[*shard] += 1);
        }
        assert_eq!(answered, [160; 3]);
        assert!(deal::<()>(&mut [], 3, 16).is_empty());
    }
}
