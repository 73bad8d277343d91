//! The result of a battle, made of the battle's last state and its roster: of a server that just
//! ended it, or of its replay.

use std::path::Path;

use prost::Message;
use serde_json::{Value, json};
use sortie_rpc::ranking::EndedBy;
use sortie_rpc::ranking::v1::{LogEvent, PlayerResult, Replay, ReportRequest, WeaponResult};
use sortie_sim::Battle;
use sortie_sim::id::PlayerSlot;
use sortie_sim::view::SoldierRow;
use uuid::Uuid;

use crate::journal::{JournalRoster, PlayerTally, TallyEvent, TallyEventKind};

/// The spool keeps results of 4 MiB and the control plane takes 32; this leaves room for who
/// reports and when. A battle of 2,000 players with all its events has less than 1 MiB.
const RESULT_BYTES_MAX: usize = 3 << 20;

/// What the result is made of.
pub(super) struct Facts<'a> {
    pub battle_id: u128,
    pub battle: &'a Battle,
    pub roster: &'a JournalRoster,
    pub ended_by: EndedBy,
    /// Where it is and its length, when there is one.
    pub replay: Option<(&'a Path, u64)>,
}

/// The result. Who reports it, and under which epoch, is put in when it is reported.
pub(super) fn result_of(facts: &Facts<'_>) -> ReportRequest {
    let Facts { battle, roster, .. } = *facts;
    let view = battle.view();
    let mut result = ReportRequest {
        battle_id: text_of(facts.battle_id),
        last_tick: view.tick.0,
        tick_hz: battle.config().tick_hz.into(),
        state_hash: format!("{:016x}", battle.state_hash()),
        winner: battle.winner().map(|team| team as u32),
        ended_by: facts.ended_by.name().to_owned(),
        players: players_of(battle, roster),
        replay: facts.replay.map(|(place, bytes)| Replay {
            place: place.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            bytes,
        }),
        ..ReportRequest::default()
    };
    add_events(&mut result, battle, roster);
    result
}

fn text_of(id: u128) -> String {
    Uuid::from_u128(id).to_string()
}

/// A row for everybody who was ever in the battle, in the order of their ids. Who left and came
/// again had the same place.
fn players_of(battle: &Battle, roster: &JournalRoster) -> Vec<PlayerResult> {
    let nobody = PlayerTally::default();
    let mut rows: Vec<&SoldierRow> = battle.view().soldiers.iter().collect();
    rows.sort_unstable_by_key(|row| row.key);
    let tally =
        |row: &SoldierRow| roster.tally.players.get(usize::from(row.slot.0)).unwrap_or(&nobody);
    rows.into_iter().map(|row| player_of(battle, row, tally(row))).collect()
}

fn player_of(battle: &Battle, row: &SoldierRow, tally: &PlayerTally) -> PlayerResult {
    let score = row.score;
    PlayerResult {
        player_id: text_of(row.key.0),
        team: row.team as u32,
        joined_tick: tally.joined,
        left_tick: tally.left,
        points: score.points,
        kills: score.kills.into(),
        deaths: score.deaths.into(),
        assists: score.assists.into(),
        revives: score.revives.into(),
        captures: score.captures.into(),
        shots: score.shots,
        hits: score.hits,
        weapons: weapons_of(battle, row.slot, tally),
    }
}

fn weapons_of(battle: &Battle, slot: PlayerSlot, tally: &PlayerTally) -> Vec<WeaponResult> {
    let stats = battle.stats(slot);
    let weapons = battle.config().weapons.iter().enumerate();
    let rows = weapons.map(|(index, spec)| {
        let of = |counts: &[u16]| counts.get(index).copied().unwrap_or_default().into();
        let kills = tally.weapon_kills.iter().find(|(weapon, _)| usize::from(*weapon) == index);
        WeaponResult {
            weapon: spec.name.clone(),
            shots: stats.map_or(0, |stats| of(&stats.weapon_shots)),
            hits: stats.map_or(0, |stats| of(&stats.weapon_hits)),
            kills: kills.map_or(0, |(_, kills)| *kills),
        }
    });
    rows.filter(|row| row.shots + row.hits + row.kills > 0).collect()
}

/// As many events as fit; the rest is only counted. In battles of thousands the weapons of players
/// have no room either.
fn add_events(result: &mut ReportRequest, battle: &Battle, roster: &JournalRoster) {
    if result.encoded_len() > RESULT_BYTES_MAX {
        result.players.iter_mut().for_each(|player| player.weapons.clear());
    }
    let mut left = RESULT_BYTES_MAX.saturating_sub(result.encoded_len());
    let mut left_out = roster.tally.events_left_out;
    for event in &roster.tally.events {
        let event = event_of(event, battle);
        // A length and a tag stand before it.
        let bytes = event.encoded_len() + 4;
        if bytes > left {
            left_out = left_out.saturating_add(1);
            continue;
        }
        left -= bytes;
        result.events.push(event);
    }
    if left_out > 0 {
        let (tick, kind) = (result.last_tick, "left_out".to_owned());
        let body = json!({ "events": left_out }).to_string();
        result.events.push(LogEvent { tick, kind, body });
    }
}

fn event_of(event: &TallyEvent, battle: &Battle) -> LogEvent {
    let player = |slot: PlayerSlot| {
        let row = battle.view().soldiers.get(usize::from(slot.0));
        row.map_or(Value::Null, |row| text_of(row.key.0).into())
    };
    let (kind, body) = match event.what {
        TallyEventKind::Joined(slot) => ("joined", json!({ "player": player(slot) })),
        TallyEventKind::Left(slot) => ("left", json!({ "player": player(slot) })),
        TallyEventKind::Downed { victim, killer, weapon } => {
            let weapons = &battle.config().weapons;
            let weapon = weapon.and_then(|id| weapons.get(usize::from(id.0)));
            let body = json!({
                "victim": player(victim),
                "killer": killer.map(player),
                "weapon": weapon.map(|spec| &*spec.name),
            });
            ("killed", body)
        }
        TallyEventKind::Captured { point, owner } => {
            let point = battle.field().map().points.get(usize::from(point));
            let name = point.map(|point| &*point.name);
            ("captured", json!({ "point": name, "team": owner }))
        }
        TallyEventKind::RoundEnded { winner } => ("round_ended", json!({ "winner": winner })),
    };
    LogEvent { tick: event.tick, kind: kind.to_owned(), body: body.to_string() }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use sortie_field::{Field, Map};
    use sortie_sim::BattleSetup;
    use sortie_sim::command::{Action, Command};
    use sortie_sim::config::SimConfig;
    use sortie_sim::id::{Class, PlayerKey, WeaponId};

    use super::*;
    use crate::journal::{EVENTS_MAX, KILLS_MAX};

    /// The result of a battle of `players` who all killed somebody with every weapon.
    fn large(players: u16) -> (usize, ReportRequest) {
        let config = SimConfig { players_max: players, ..SimConfig::default() };
        let weapons = config.weapons.len();
        let field = Arc::new(Field::new(Map::plain(512.0)));
        let mut battle = Battle::new(BattleSetup { config, field, seed: 1, threads: 1 });
        let join = |slot: u16| Command {
            player: PlayerSlot(slot),
            action: Action::Join {
                key: PlayerKey(u128::MAX - u128::from(slot)),
                team: None,
                class: Class::default(),
            },
        };
        let joins: Vec<Command> = (0..players).map(join).collect();
        let mut roster = JournalRoster::default();
        roster.note_tick(battle.step(&joins));
        let kills = |weapon| (weapon as u8, 1_000);
        for row in &mut roster.tally.players {
            row.weapon_kills = (0..weapons).map(kills).collect();
        }
        // As many kills, and as much else, as is kept at all.
        let kill = |at: usize| TallyEventKind::Downed {
            victim: PlayerSlot(at as u16 % players),
            killer: Some(PlayerSlot((at + 1) as u16 % players)),
            weapon: Some(WeaponId((at % weapons) as u8)),
        };
        let killed = |at| TallyEvent { tick: 100_000, what: kill(at) };
        roster.tally.events.truncate(EVENTS_MAX - KILLS_MAX);
        roster.tally.events.extend((0..KILLS_MAX).map(killed));
        roster.tally.events_left_out = 0;
        let (battle, roster) = (&battle, &roster);
        let facts =
            Facts { battle_id: 7, battle, roster, ended_by: EndedBy::Duration, replay: None };
        (weapons, result_of(&facts))
    }

    #[test]
    fn results_of_large_battles_are_whole() {
        for players in [1_000, 2_000] {
            let (weapons, result) = large(players);
            let bytes = result.encoded_len();
            println!("{players} players: {bytes} bytes");
            assert!(bytes < RESULT_BYTES_MAX, "{players} players: {bytes} bytes");
            assert_eq!(result.players.len(), usize::from(players));
            assert!(result.players.iter().all(|player| player.weapons.len() == weapons));
            assert_eq!(result.events.len(), EVENTS_MAX);
            assert!(result.events.iter().all(|event| event.kind != "left_out"));
        }
    }
}
