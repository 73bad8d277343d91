//! What a battle remembers of its players for the result, beyond what the simulation counts:
//! when they came and went, what they killed with, and the events worth keeping.
//!
//! It is part of the roster, so that it stands in every checkpoint, and it is counted from the
//! ticks' events alone: a battle that is taken up from its journal counts the same again.

use sortie_sim::event::{Event, TickOutput};
use sortie_sim::id::{PlayerSlot, WeaponId};

use super::bytes::{Parts, put_varint};
use super::error::Damage;

/// Events that are kept, most; later ones are only counted.
pub const EVENTS_MAX: usize = 2_048;
/// Of these, kills, most: captures and departures of a long battle still find room.
pub const KILLS_MAX: usize = 1_536;

/// A player's part that the simulation does not keep.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlayerTally {
    /// The tick in which the player joined first.
    pub joined: u32,
    /// The tick in which it left for good; `None` while it is here, also again.
    pub left: Option<u32>,
    /// The side, 0 or 1.
    pub team: u8,
    /// Enemies downed, by weapon.
    pub weapon_kills: Vec<(u8, u32)>,
}

/// Something worth keeping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TallyEvent {
    /// The tick in which it happened.
    pub tick: u32,
    /// What happened in that tick.
    pub what: TallyEventKind,
}

/// What a [`TallyEvent`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TallyEventKind {
    /// A player joined.
    Joined(PlayerSlot),
    /// A player left for good.
    Left(PlayerSlot),
    /// A soldier went down.
    Downed {
        /// Slot of the player whose soldier it was.
        victim: PlayerSlot,
        /// By whom; `None`: nobody.
        killer: Option<PlayerSlot>,
        /// The weapon, where one did it.
        weapon: Option<WeaponId>,
    },
    /// A point changed hands.
    Captured {
        /// Number of the point on the map.
        point: u8,
        /// To whom, 0 or 1; `None`: neutral.
        owner: Option<u8>,
    },
    /// The round is over.
    RoundEnded {
        /// Who won, 0 or 1; `None`: a draw.
        winner: Option<u8>,
    },
}

/// What is remembered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// By slot; leavers keep their rows.
    pub players: Vec<PlayerTally>,
    /// The first [`EVENTS_MAX`].
    pub events: Vec<TallyEvent>,
    /// Events that are only counted.
    pub events_left_out: u32,
    kills: u32,
}

impl Tally {
    /// Counts what happened in a tick.
    pub(super) fn note(&mut self, output: &TickOutput) {
        let tick = output.tick.0;
        for event in &output.events {
            match *event {
                Event::Joined { player, team } => {
                    let is_known = self.players.len() > usize::from(player.0);
                    let row = self.row(player);
                    // Who comes again has its place again: the first join counts.
                    row.joined = if is_known { row.joined } else { tick };
                    (row.left, row.team) = (None, team as u8);
                    self.keep(tick, TallyEventKind::Joined(player));
                }
                Event::Left { player } => {
                    self.row(player).left = Some(tick);
                    self.keep(tick, TallyEventKind::Left(player));
                }
                Event::Downed { victim, killer, weapon, .. } => {
                    if let (Some(killer), Some(weapon)) = (killer, weapon) {
                        self.count_kill(victim, killer, weapon);
                    }
                    self.keep(tick, TallyEventKind::Downed { victim, killer, weapon });
                }
                Event::PointOwner { point, owner } => {
                    let owner = owner.map(|team| team as u8);
                    self.keep(tick, TallyEventKind::Captured { point: point.0, owner });
                }
                Event::RoundEnded { winner } => {
                    let winner = winner.map(|team| team as u8);
                    self.keep(tick, TallyEventKind::RoundEnded { winner });
                }
                _ => {}
            }
        }
    }

    fn row(&mut self, player: PlayerSlot) -> &mut PlayerTally {
        let slot = usize::from(player.0);
        if self.players.len() <= slot {
            self.players.resize(slot + 1, PlayerTally::default());
        }
        &mut self.players[slot]
    }

    fn count_kill(&mut self, victim: PlayerSlot, killer: PlayerSlot, weapon: WeaponId) {
        if self.row(victim).team == self.row(killer).team {
            return;
        }
        let kills = &mut self.row(killer).weapon_kills;
        match kills.iter_mut().find(|(known, _)| *known == weapon.0) {
            Some((_, count)) => *count += 1,
            None => kills.push((weapon.0, 1)),
        }
    }

    fn keep(&mut self, tick: u32, what: TallyEventKind) {
        let is_kill = matches!(what, TallyEventKind::Downed { .. });
        let is_full =
            self.events.len() >= EVENTS_MAX || (is_kill && self.kills as usize >= KILLS_MAX);
        // The end is always told: it comes once.
        if is_full && !matches!(what, TallyEventKind::RoundEnded { .. }) {
            self.events_left_out = self.events_left_out.saturating_add(1);
            return;
        }
        self.kills += u32::from(is_kill);
        self.events.push(TallyEvent { tick, what });
    }

    pub(super) fn put(&self, out: &mut Vec<u8>) {
        put_varint(out, self.players.len() as u32);
        for row in &self.players {
            put_varint(out, row.joined);
            put_option(out, row.left);
            out.push(row.team);
            put_varint(out, row.weapon_kills.len() as u32);
            for (weapon, kills) in &row.weapon_kills {
                out.push(*weapon);
                put_varint(out, *kills);
            }
        }
        put_varint(out, self.events.len() as u32);
        self.events.iter().for_each(|event| event.put(out));
        put_varint(out, self.events_left_out);
    }

    pub(super) fn take(parts: &mut Parts<'_>) -> Result<Self, Damage> {
        let mut tally = Self::default();
        for _ in 0..parts.varint()? {
            let (joined, left, team) = (parts.varint()?, take_option(parts)?, parts.u8()?);
            let mut weapon_kills = Vec::new();
            for _ in 0..parts.varint()? {
                weapon_kills.push((parts.u8()?, parts.varint()?));
            }
            tally.players.push(PlayerTally { joined, left, team, weapon_kills });
        }
        for _ in 0..parts.varint()? {
            let event = TallyEvent::take(parts)?;
            tally.kills += u32::from(matches!(event.what, TallyEventKind::Downed { .. }));
            tally.events.push(event);
        }
        tally.events_left_out = parts.varint()?;
        Ok(tally)
    }
}

impl TallyEvent {
    fn put(&self, out: &mut Vec<u8>) {
        put_varint(out, self.tick);
        match self.what {
            TallyEventKind::Joined(player) => put_parts(out, 0, &[Some(player.0.into())]),
            TallyEventKind::Left(player) => put_parts(out, 1, &[Some(player.0.into())]),
            TallyEventKind::Downed { victim, killer, weapon } => {
                let killer = killer.map(|killer| killer.0.into());
                let weapon = weapon.map(|weapon| weapon.0.into());
                put_parts(out, 2, &[Some(victim.0.into()), killer, weapon]);
            }
            TallyEventKind::Captured { point, owner } => {
                put_parts(out, 3, &[Some(point.into()), owner.map(u32::from)]);
            }
            TallyEventKind::RoundEnded { winner } => put_parts(out, 4, &[winner.map(u32::from)]),
        }
    }

    fn take(parts: &mut Parts<'_>) -> Result<Self, Damage> {
        let tick = parts.varint()?;
        let what = match parts.u8()? {
            0 => TallyEventKind::Joined(take_slot(parts)?),
            1 => TallyEventKind::Left(take_slot(parts)?),
            2 => TallyEventKind::Downed {
                victim: take_slot(parts)?,
                killer: take_small(parts)?.map(PlayerSlot),
                weapon: take_small(parts)?.map(WeaponId),
            },
            3 => TallyEventKind::Captured {
                point: take_small(parts)?.ok_or(Damage("an event has no point"))?,
                owner: take_small(parts)?,
            },
            4 => TallyEventKind::RoundEnded { winner: take_small(parts)? },
            _ => return Err(Damage("an event is of no known kind")),
        };
        Ok(Self { tick, what })
    }
}

fn put_parts(out: &mut Vec<u8>, kind: u8, parts: &[Option<u32>]) {
    out.push(kind);
    parts.iter().for_each(|part| put_option(out, *part));
}

/// 0, or one more than the value, which is no tick's or slot's greatest.
fn put_option(out: &mut Vec<u8>, value: Option<u32>) {
    put_varint(out, value.map_or(0, |value| value.saturating_add(1)));
}

fn take_option(parts: &mut Parts<'_>) -> Result<Option<u32>, Damage> {
    parts.varint().map(|value| value.checked_sub(1))
}

fn take_small<T: TryFrom<u32>>(parts: &mut Parts<'_>) -> Result<Option<T>, Damage> {
    let small = |value| T::try_from(value).map_err(|_| Damage("a number is out of range"));
    take_option(parts)?.map(small).transpose()
}

fn take_slot(parts: &mut Parts<'_>) -> Result<PlayerSlot, Damage> {
    take_small(parts)?.map(PlayerSlot).ok_or(Damage("an event has no player"))
}

#[cfg(test)]
mod tests {
    use sortie_sim::id::{PointId, Team, Tick};

    use super::*;

    fn tick(tick: u32, events: &[Event]) -> TickOutput {
        TickOutput { tick: Tick(tick), events: events.to_vec(), ..TickOutput::default() }
    }

    fn downed(victim: u16, killer: u16) -> Event {
        let (victim, killer) = (PlayerSlot(victim), Some(PlayerSlot(killer)));
        Event::Downed { victim, killer, weapon: Some(WeaponId(3)), headshot: false }
    }

    fn joined(player: u16, team: Team) -> Event {
        Event::Joined { player: PlayerSlot(player), team }
    }

    #[test]
    fn a_tally_comes_back_from_its_bytes() {
        let mut tally = Tally::default();
        tally.note(&tick(1, &[joined(0, Team::Red), joined(1, Team::Blue)]));
        let captured = Event::PointOwner { point: PointId(2), owner: None };
        tally.note(&tick(7, &[downed(1, 0), downed(0, 0), captured]));
        let left = Event::Left { player: PlayerSlot(1) };
        let ended = Event::RoundEnded { winner: Some(Team::Blue) };
        tally.note(&tick(900, &[left, ended]));
        let mut bytes = Vec::new();
        tally.put(&mut bytes);
        let mut parts = Parts::new(&bytes);
        assert_eq!(Tally::take(&mut parts), Ok(tally.clone()));
        assert!(parts.is_empty());
        assert_eq!(tally.players[0].weapon_kills, [(3, 1)], "an own side's fall is no kill");
        assert_eq!((tally.players[1].joined, tally.players[1].left), (1, Some(900)));
        for cut in 0..bytes.len() {
            assert!(Tally::take(&mut Parts::new(&bytes[..cut])).is_err());
        }
    }

    #[test]
    fn a_long_battle_keeps_a_bounded_number_of_deeds() {
        let mut tally = Tally::default();
        tally.note(&tick(1, &[joined(0, Team::Red), joined(1, Team::Blue)]));
        (2..5_000).for_each(|at| tally.note(&tick(at, &[downed(1, 0)])));
        assert_eq!(tally.events.len(), KILLS_MAX + 2);
        let captured = Event::PointOwner { point: PointId(2), owner: None };
        (5_000..9_000).for_each(|at| tally.note(&tick(at, &[captured])));
        tally.note(&tick(9_000, &[Event::RoundEnded { winner: None }]));
        assert_eq!(tally.events.len(), EVENTS_MAX + 1);
        assert_eq!(tally.events.last().unwrap().what, TallyEventKind::RoundEnded { winner: None });
        assert_eq!(tally.players[0].weapon_kills, [(3, 4_998)], "all of them count");
        assert!(tally.events_left_out > 6_000);
    }
}
