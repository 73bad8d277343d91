//! A reported result, read with all its bounds: what comes out of here can be stored.

use std::collections::BTreeMap;

use serde::Serialize;
use sortie_rpc::ranking::{EndedBy, v1 as rpc};
use uuid::Uuid;

/// Most players in a result.
pub const PLAYERS_MAX: usize = 8_192;
/// Most events in a result.
pub const EVENTS_MAX: usize = 20_000;
/// Longest body of an event.
pub const EVENT_BYTES_MAX: usize = 1_024;
/// Most weapons of one player.
pub const WEAPONS_MAX: usize = 32;
/// Fastest battle.
pub const TICK_HZ_MAX: u32 = 1_000;

const NAME_BYTES_MAX: usize = 32;
const PLACE_BYTES_MAX: usize = 500;

/// How a battle went.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BattleResult {
    /// Who reports.
    pub server_id: Uuid,
    /// Under which epoch.
    pub epoch: i64,
    /// Whether the server showed its credential. Read from a message, it is not: whoever let the
    /// call in knows.
    pub is_proven: bool,
    /// The battle that is over.
    pub battle_id: Uuid,
    /// The battle's length.
    pub ticks: i32,
    /// Ticks in a second; 1 to [`TICK_HZ_MAX`].
    pub tick_hz: i32,
    /// Of the last tick; 16 digits.
    pub state_hash: String,
    /// 0 or 1; `None`: a draw or undecided.
    pub winner: Option<i16>,
    /// How it ended; maybe by a newer server's word.
    pub ended_by: EndedBy,
    /// By id, each once.
    pub players: Vec<PlayerRecord>,
    /// In the order in which they happened.
    pub events: Vec<EventRecord>,
    /// The recording, if there is one.
    pub replay: Option<ReplayRecord>,
}

/// What a player did.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlayerRecord {
    /// The player's account.
    pub player_id: Uuid,
    /// 0 or 1.
    pub team: i16,
    /// Not after `left_tick`.
    pub joined_tick: i32,
    /// At most the battle's length.
    pub left_tick: i32,
    /// Whether the player left before the end.
    pub has_left: bool,
    /// The eight counts, in the order of [`COUNTS`].
    pub counts: [i32; 8],
    /// By name, each once.
    pub weapons: BTreeMap<String, WeaponCounts>,
}

/// Names of a player's counts.
pub const COUNTS: [&str; 8] =
    ["points", "kills", "deaths", "assists", "revives", "captures", "shots", "hits"];

/// What a player did with a weapon.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct WeaponCounts {
    /// Shots fired.
    pub shots: i64,
    /// Shots that hit.
    pub hits: i64,
    /// Players killed.
    pub kills: i64,
}

/// Something worth keeping.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EventRecord {
    /// When; at most the battle's length.
    pub tick: i32,
    /// Like `kill`.
    pub kind: String,
    /// A JSON object.
    pub body: String,
}

/// Where a recording lies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReplayRecord {
    /// A path on the battle server, or an object's name.
    pub place: String,
    /// Size of the file in bytes.
    pub bytes: i64,
}

/// A result that can never be stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct Malformed {
    /// Which field, like `players.player_id`.
    pub field: &'static str,
    /// What is wrong with it.
    pub problem: String,
}

fn malformed(field: &'static str, problem: impl Into<String>) -> Malformed {
    Malformed { field, problem: problem.into() }
}

fn ended_by(name: &str) -> Result<EndedBy, Malformed> {
    let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
    if !(1..=NAME_BYTES_MAX).contains(&name.len()) || !name.bytes().all(is_letter) {
        return Err(malformed("ended_by", "must be a word"));
    }
    Ok(EndedBy::of_name(name))
}

impl TryFrom<rpc::ReportRequest> for BattleResult {
    type Error = Malformed;

    fn try_from(request: rpc::ReportRequest) -> Result<Self, Malformed> {
        at_most("players", request.players.len(), PLAYERS_MAX)?;
        at_most("events", request.events.len(), EVENTS_MAX)?;
        if !(1..=TICK_HZ_MAX).contains(&request.tick_hz) {
            return Err(malformed("tick_hz", format!("must be 1 to {TICK_HZ_MAX}")));
        }
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if request.state_hash.len() != 16 || !request.state_hash.bytes().all(is_digit) {
            return Err(malformed("state_hash", "must be 16 lower-case hexadecimal digits"));
        }
        let ticks = count("last_tick", request.last_tick)?;
        let winner = request.winner.map(|team| side("winner", team)).transpose()?;
        let players = request.players.into_iter().map(|player| PlayerRecord::of(player, ticks));
        let mut players = players.collect::<Result<Vec<_>, _>>()?;
        players.sort_unstable_by_key(|player| player.player_id);
        if players.windows(2).any(|pair| pair[0].player_id == pair[1].player_id) {
            return Err(malformed("players.player_id", "a player stands there twice"));
        }
        let events = request.events.into_iter().map(|event| EventRecord::of(event, ticks));
        Ok(Self {
            server_id: id("server_id", &request.server_id)?,
            epoch: i64::try_from(request.epoch).map_err(|_| malformed("epoch", "is too large"))?,
            is_proven: false,
            battle_id: id("battle_id", &request.battle_id)?,
            ticks,
            // At most TICK_HZ_MAX.
            tick_hz: request.tick_hz as i32,
            state_hash: request.state_hash,
            winner,
            ended_by: ended_by(&request.ended_by)?,
            players,
            events: events.collect::<Result<_, _>>()?,
            replay: request.replay.map(ReplayRecord::of).transpose()?,
        })
    }
}

impl PlayerRecord {
    /// Ticks outside of the battle count as its edges.
    fn of(player: rpc::PlayerResult, ticks: i32) -> Result<Self, Malformed> {
        at_most("players.weapons", player.weapons.len(), WEAPONS_MAX)?;
        let left_tick = player.left_tick.map_or(ticks, |tick| within(tick, ticks));
        let mut weapons: BTreeMap<String, WeaponCounts> = BTreeMap::new();
        for weapon in player.weapons {
            weapon_name(&weapon.weapon)?;
            let counts = weapons.entry(weapon.weapon).or_default();
            counts.shots += i64::from(count("players.weapons.shots", weapon.shots)?);
            counts.hits += i64::from(count("players.weapons.hits", weapon.hits)?);
            counts.kills += i64::from(count("players.weapons.kills", weapon.kills)?);
        }
        Ok(Self {
            player_id: id("players.player_id", &player.player_id)?,
            team: side("players.team", player.team)?,
            joined_tick: within(player.joined_tick, left_tick),
            left_tick,
            has_left: player.left_tick.is_some_and(|tick| within(tick, ticks) < ticks),
            counts: [
                count("players.points", player.points)?,
                count("players.kills", player.kills)?,
                count("players.deaths", player.deaths)?,
                count("players.assists", player.assists)?,
                count("players.revives", player.revives)?,
                count("players.captures", player.captures)?,
                count("players.shots", player.shots)?,
                count("players.hits", player.hits)?,
            ],
            weapons,
        })
    }

    /// How long the player was there.
    pub fn ticks_played(&self) -> i32 {
        self.left_tick - self.joined_tick
    }
}

impl EventRecord {
    fn of(event: rpc::LogEvent, ticks: i32) -> Result<Self, Malformed> {
        name("events.kind", &event.kind)?;
        at_most("events.body", event.body.len(), EVENT_BYTES_MAX)?;
        let body: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&event.body)
            .map_err(|_| malformed("events.body", "must be a JSON object"))?;
        let body = serde_json::Value::Object(body).to_string();
        // Postgres keeps no such character.
        if body.contains("\\u0000") {
            return Err(malformed("events.body", "must not contain the character U+0000"));
        }
        Ok(Self { tick: within(event.tick, ticks), kind: event.kind, body })
    }
}

impl ReplayRecord {
    fn of(replay: rpc::Replay) -> Result<Self, Malformed> {
        let is_plain = !replay.place.chars().any(char::is_control);
        if !is_plain || !(1..=PLACE_BYTES_MAX).contains(&replay.place.len()) {
            let problem = format!("must be 1 to {PLACE_BYTES_MAX} bytes without control codes");
            return Err(malformed("replay.place", problem));
        }
        let bytes = i64::try_from(replay.bytes);
        let bytes = bytes.map_err(|_| malformed("replay.bytes", "is too large"))?;
        Ok(Self { place: replay.place, bytes })
    }
}

fn at_most(field: &'static str, len: usize, most: usize) -> Result<(), Malformed> {
    if len <= most { Ok(()) } else { Err(malformed(field, format!("{len}; at most {most}"))) }
}

fn id(field: &'static str, text: &str) -> Result<Uuid, Malformed> {
    Uuid::try_parse(text).map_err(|_| malformed(field, "must be a UUID"))
}

fn side(field: &'static str, team: u32) -> Result<i16, Malformed> {
    match team {
        0 => Ok(0),
        1 => Ok(1),
        _ => Err(malformed(field, "must be 0 or 1")),
    }
}

/// A billion is more than anybody can do in a day, and 8,192 of them fit every sum.
fn count(field: &'static str, value: u32) -> Result<i32, Malformed> {
    match i32::try_from(value) {
        Ok(value @ 0..=1_000_000_000) => Ok(value),
        _ => Err(malformed(field, "is too large")),
    }
}

fn within(tick: u32, last: i32) -> i32 {
    i32::try_from(tick).unwrap_or(i32::MAX).min(last)
}

/// As the rules of the battle spell it, like `sniper rifle`.
fn weapon_name(text: &str) -> Result<(), Malformed> {
    if (1..=NAME_BYTES_MAX).contains(&text.len()) && !text.chars().any(char::is_control) {
        return Ok(());
    }
    let why = format!("must be 1 to {NAME_BYTES_MAX} bytes without control characters");
    Err(malformed("players.weapons.weapon", why))
}

fn name(field: &'static str, text: &str) -> Result<(), Malformed> {
    let is_fine = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if (1..=NAME_BYTES_MAX).contains(&text.len()) && text.bytes().all(is_fine) {
        return Ok(());
    }
    Err(malformed(field, format!("must be 1 to {NAME_BYTES_MAX} of a-z, 0-9 and _")))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn request() -> rpc::ReportRequest {
        rpc::ReportRequest {
            server_id: Uuid::from_u128(1).to_string(),
            epoch: 1,
            battle_id: Uuid::from_u128(2).to_string(),
            last_tick: 6_000,
            tick_hz: 60,
            state_hash: "0123456789abcdef".to_owned(),
            winner: Some(0),
            ended_by: "round".to_owned(),
            players: vec![player(5), player(4)],
            events: vec![event("{\"a\":1}")],
            replay: Some(rpc::Replay { place: "b.journal".to_owned(), bytes: 9 }),
        }
    }

    fn player(id: u128) -> rpc::PlayerResult {
        let player_id = Uuid::from_u128(id).to_string();
        rpc::PlayerResult { player_id, ..rpc::PlayerResult::default() }
    }

    fn event(body: &str) -> rpc::LogEvent {
        rpc::LogEvent { tick: 1, kind: "kill".to_owned(), body: body.to_owned() }
    }

    /// The field that is at fault after a change.
    fn fault(change: impl FnOnce(&mut rpc::ReportRequest)) -> Option<&'static str> {
        let mut request = request();
        change(&mut request);
        BattleResult::try_from(request).err().map(|malformed| malformed.field)
    }

    #[test]
    fn players_come_sorted() {
        let result = BattleResult::try_from(request()).unwrap();
        let ids = result.players.iter().map(|player| player.player_id.as_u128());
        assert_eq!(ids.collect::<Vec<_>>(), [4, 5]);
        assert_eq!(result.players[0].ticks_played(), 6_000);
    }

    #[test]
    fn everything_is_bounded() {
        assert_eq!(fault(|_| ()), None);
        assert_eq!(fault(|r| r.server_id.clear()), Some("server_id"));
        assert_eq!(fault(|r| r.battle_id = "7".to_owned()), Some("battle_id"));
        assert_eq!(fault(|r| r.epoch = u64::MAX), Some("epoch"));
        assert_eq!(fault(|r| r.last_tick = u32::MAX), Some("last_tick"));
        assert_eq!(fault(|r| r.tick_hz = 0), Some("tick_hz"));
        assert_eq!(fault(|r| r.state_hash = "0123456789ABCDEF".to_owned()), Some("state_hash"));
        assert_eq!(fault(|r| r.winner = Some(2)), Some("winner"));
        assert_eq!(fault(|r| r.ended_by = "Magic!".to_owned()), Some("ended_by"));
        assert_eq!(fault(|r| r.ended_by.clear()), Some("ended_by"));
        assert_eq!(fault(|r| r.ended_by = "a".repeat(33)), Some("ended_by"));
        // A newer server's: the result is not lost for it.
        assert_eq!(fault(|r| r.ended_by = "surrender".to_owned()), None);
        assert_eq!(fault(|r| r.players[0].team = 2), Some("players.team"));
        assert_eq!(fault(|r| r.players[0].kills = u32::MAX), Some("players.kills"));
        assert_eq!(fault(|r| r.players[0] = r.players[1].clone()), Some("players.player_id"));
        let many = |r: &mut rpc::ReportRequest| r.players = (0..8_193).map(player).collect();
        assert_eq!(fault(many), Some("players"));
        let weapon = |r: &mut rpc::ReportRequest, name: &str, times| {
            let weapon = rpc::WeaponResult { weapon: name.to_owned(), shots: 1, hits: 1, kills: 0 };
            r.players[0].weapons = vec![weapon; times];
        };
        assert_eq!(fault(|r| weapon(r, "rifle\n", 1)), Some("players.weapons.weapon"));
        assert_eq!(fault(|r| weapon(r, "rifle", 33)), Some("players.weapons"));
        assert_eq!(fault(|r| weapon(r, "rocket launcher", 32)), None);
        assert_eq!(fault(|r| r.events = vec![event("{}"); 20_001]), Some("events"));
        assert_eq!(fault(|r| r.events = vec![event("{}"); 20_000]), None);
        let long = format!("{{\"a\":\"{}\"}}", "x".repeat(EVENT_BYTES_MAX));
        for body in ["", "[]", "7", "{\"a\":\"\\u0000\"}", "{\"a\":1e999}", &long] {
            assert_eq!(fault(|r| r.events = vec![event(body)]), Some("events.body"), "{body}");
        }
        assert_eq!(fault(|r| r.events[0].kind.clear()), Some("events.kind"));
        let place = |r: &mut rpc::ReportRequest, place: &str| {
            r.replay = Some(rpc::Replay { place: place.to_owned(), bytes: 1 });
        };
        assert_eq!(fault(|r| place(r, "")), Some("replay.place"));
        assert_eq!(fault(|r| place(r, "a\0b")), Some("replay.place"));
        assert_eq!(fault(|r| r.replay.as_mut().unwrap().bytes = u64::MAX), Some("replay.bytes"));
    }

    proptest! {
        #[test]
        fn ticks_are_never_outside_of_the_battle(joined: u32, left: Option<u32>) {
            let mut request = request();
            request.players[0].joined_tick = joined;
            request.players[0].left_tick = left;
            let result = BattleResult::try_from(request).unwrap();
            for player in &result.players {
                prop_assert!(0 <= player.joined_tick && player.joined_tick <= player.left_tick);
                prop_assert!(player.left_tick <= result.ticks);
                prop_assert!(player.has_left == (player.left_tick < result.ticks));
            }
        }
    }
}
