//! Whether a result fits what is known of its battle. A server is believed what only it can know;
//! not who had a seat, how long the battle can have lasted, or that somebody did more than anybody
//! can. What does not fit is kept for people to look at, and rates nobody.

use std::collections::BTreeMap;
use std::time::Duration;

use sortie_rpc::ranking::EndedBy;
use uuid::Uuid;

use super::check::{BattleResult, COUNTS, PlayerRecord};

/// What anybody can do in a minute, and what is free besides, in the order of [`COUNTS`]. Far
/// above the best, and far below what is made up: a kill a second, a magazine every two.
const BOUNDS: [(f64, f64); 8] = [
    (12_000.0, 6_000.0), // points
    (60.0, 30.0),        // kills
    (30.0, 15.0),        // deaths
    (120.0, 60.0),       // assists
    (30.0, 15.0),        // revives
    (30.0, 15.0),        // captures
    (1_500.0, 500.0),    // shots
    (15_000.0, 5_000.0), // hits: of pellets, too
];

/// Clocks of servers run a little faster or slower than the database's.
const SLACK: Duration = Duration::from_secs(2);
const SLACK_SHARE: f64 = 0.01;

/// What is known of a battle without its server.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    /// Since it was first given to a server.
    pub(super) given_for: Duration,
    /// How long it was to last, seconds; `None`: until its round is over.
    pub(super) duration_s: Option<i32>,
    /// Who has or had a seat.
    pub(super) seats: BTreeMap<Uuid, Seat>,
}

/// What is known of a player's seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seat {
    /// The team that it was dealt: in a battle nobody changes sides. `None` once the player has
    /// left, who may have been sent into the other since.
    pub(super) team: Option<i16>,
    /// Whether the player ever asked for a join ticket: nobody gets in without.
    pub(super) had_ticket: bool,
}

/// What does not fit: a code and a sentence each. Empty: all does.
pub(super) fn misfits(result: &BattleResult, known: &Known) -> Vec<String> {
    let mut found = Vec::new();
    let mut note = |code: &str, text: String| found.push(format!("{code}: {text}"));
    let lasted_s = f64::from(result.ticks) / f64::from(result.tick_hz);
    let most_s = known.given_for.as_secs_f64() * (1.0 + SLACK_SHARE) + SLACK.as_secs_f64();
    if lasted_s > most_s {
        let text = format!("{lasted_s:.0} s, and its server had it for {most_s:.0} s at most");
        note("too_long", text);
    }
    if let Some(duration_s) = known.duration_s {
        let duration_s = f64::from(duration_s);
        if lasted_s > duration_s + SLACK.as_secs_f64() {
            note("too_long", format!("{lasted_s:.0} s of a battle of {duration_s:.0} s"));
        } else if result.ended_by == EndedBy::Duration
            && lasted_s < duration_s - SLACK.as_secs_f64()
        {
            let text = format!("{lasted_s:.0} s, and it was to last {duration_s:.0} s");
            note("too_short", text);
        }
    }
    let players = || result.players.iter().map(|player| player.player_id);
    let no_seat = players().filter(|id| !known.seats.contains_key(id)).count();
    if no_seat > 0 {
        note("no_seat", format!("{no_seat} players who never had a seat in it"));
    }
    let has_none = |id: &Uuid| known.seats.get(id).is_some_and(|seat| !seat.had_ticket);
    let no_ticket = players().filter(has_none).count();
    if no_ticket > 0 {
        note("no_ticket", format!("{no_ticket} players who never asked to be let in"));
    }
    let is_elsewhere = |player: &&PlayerRecord| {
        let seat = known.seats.get(&player.player_id);
        seat.and_then(|seat| seat.team).is_some_and(|team| team != player.team)
    };
    let wrong_team = result.players.iter().filter(is_elsewhere).count();
    if wrong_team > 0 {
        note("wrong_team", format!("{wrong_team} players in the team that they were not in"));
    }
    for (at, name) in COUNTS.iter().enumerate() {
        let beyond = result.players.iter().filter(|player| is_beyond(player, at, result.tick_hz));
        let worst = beyond.map(|player| player.counts[at]).max();
        if let Some(worst) = worst {
            note("too_much", format!("{worst} {name} of one player"));
        }
    }
    found
}

fn is_beyond(player: &PlayerRecord, at: usize, tick_hz: i32) -> bool {
    let (per_minute, free) = BOUNDS[at];
    let minutes = f64::from(player.ticks_played()) / f64::from(tick_hz) / 60.0;
    f64::from(player.counts[at]) > free + per_minute * minutes
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAYER: Uuid = Uuid::from_u128(1);

    fn known() -> Known {
        let seats = BTreeMap::from([(PLAYER, Seat { team: Some(0), had_ticket: true })]);
        Known { given_for: Duration::from_secs(605), duration_s: Some(600), seats }
    }

    /// A battle of ten minutes at 60 Hz.
    fn result() -> BattleResult {
        let player = PlayerRecord {
            player_id: PLAYER,
            team: 0,
            joined_tick: 0,
            left_tick: 36_000,
            has_left: false,
            counts: [20_000, 120, 60, 40, 10, 20, 6_000, 3_000],
            weapons: BTreeMap::new(),
        };
        BattleResult {
            server_id: Uuid::from_u128(2),
            epoch: 1,
            is_proven: true,
            battle_id: Uuid::from_u128(3),
            ticks: 36_000,
            tick_hz: 60,
            state_hash: "0123456789abcdef".to_owned(),
            winner: Some(0),
            ended_by: EndedBy::Duration,
            players: vec![player],
            events: Vec::new(),
            replay: None,
        }
    }

    /// Codes of what does not fit after a change.
    fn codes(change: impl FnOnce(&mut BattleResult, &mut Known)) -> Vec<String> {
        let (mut result, mut known) = (result(), known());
        change(&mut result, &mut known);
        let code = |misfit: &String| misfit.split(':').next().unwrap().to_owned();
        misfits(&result, &known).iter().map(code).collect()
    }

    #[test]
    fn a_very_good_player_of_an_honest_battle_fits() {
        assert_eq!(codes(|_, _| ()), [""; 0]);
        // Clocks differ by a little.
        assert_eq!(codes(|_, known| known.given_for = Duration::from_secs(595)), [""; 0]);
        assert_eq!(codes(|result, _| result.ticks = 36_001), [""; 0]);
        // A round may end at any time, and a battle without a duration, too.
        assert_eq!(
            codes(|result, _| (result.ticks, result.ended_by) = (60, EndedBy::Round)),
            [""; 0]
        );
        assert_eq!(codes(|_, known| known.duration_s = None), [""; 0]);
        assert_eq!(codes(|result, _| result.players.clear()), [""; 0]);
    }

    #[test]
    fn whatever_cannot_be_is_found() {
        assert_eq!(codes(|_, known| known.given_for = Duration::from_secs(3)), ["too_long"]);
        assert_eq!(codes(|_, known| known.duration_s = Some(300)), ["too_long"]);
        assert_eq!(codes(|_, known| known.duration_s = Some(900)), ["too_short"]);
        assert_eq!(codes(|_, known| known.seats.clear()), ["no_seat"]);
        let seat = |seat| {
            move |_: &mut BattleResult, known: &mut Known| {
                known.seats = BTreeMap::from([(PLAYER, seat)]);
            }
        };
        assert_eq!(codes(seat(Seat { team: Some(0), had_ticket: false })), ["no_ticket"]);
        assert_eq!(codes(seat(Seat { team: Some(1), had_ticket: true })), ["wrong_team"]);
        assert_eq!(codes(seat(Seat { team: None, had_ticket: true })), [""; 0]);
        for at in 0..COUNTS.len() {
            assert_eq!(codes(|result, _| result.players[0].counts[at] = 1_000_000), ["too_much"]);
        }
        assert_eq!(codes(|result, _| result.players[0].counts[1] = 1_000), ["too_much"]);
        // As much as in the whole battle, in the half minute that the player was there.
        assert_eq!(codes(|result, _| result.players[0].joined_tick = 34_200)[0], "too_much");
    }
}
