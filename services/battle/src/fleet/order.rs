//! What a battle is ordered to be, and what comes of it by the server's own rules.

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};
use sortie_field::Map;
use sortie_keys::PublicKeys;
use sortie_rpc::fleet::v1::OpenBattle;
use sortie_rpc::ranking::EndedBy;
use uuid::Uuid;

use crate::config::{BattleServerConfig, TicketAuthority};
use crate::mode;

/// Smallest and largest side of a plain, metres.
const PLAIN_SIDE_M: std::ops::RangeInclusive<f32> = 16.0..=4_095.0;
/// Longest duration, seconds.
const DURATION_S_MAX: u32 = 86_400;

/// The content of a battle's order file: all that begins the battle again after a crash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BattleOrder {
    /// The battle.
    pub battle_id: Uuid,
    /// What the round is about.
    pub mode: String,
    /// Name of the map, as the order gave it.
    pub map: String,
    /// Most players.
    pub players_max: u16,
    /// Seconds; 0: until the round is over.
    pub duration_s: u32,
    /// Who signs join tickets, until the server knows better.
    pub ticket_public_key: [u8; 32],
    /// Why it ended, once that is decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_by: Option<EndedBy>,
}

impl BattleOrder {
    /// Reads an order.
    ///
    /// # Errors
    /// Says what this server cannot do.
    pub(super) fn read(
        open: &OpenBattle,
        ticket_keys: &PublicKeys,
        base: &BattleServerConfig,
    ) -> anyhow::Result<Self> {
        let battle_id = open.battle_id.parse().context("the battle's id is no UUID")?;
        let players_max = u16::try_from(open.players_max).unwrap_or(u16::MAX);
        let most = base.rules.players_max;
        ensure!(
            (1..=most).contains(&players_max),
            "{} players; this server takes 1 to {most}",
            open.players_max
        );
        ensure!(open.duration_s <= DURATION_S_MAX, "a battle lasts a day at most");
        let order = Self {
            battle_id,
            mode: open.mode.clone(),
            map: open.map.clone(),
            players_max,
            duration_s: open.duration_s,
            ticket_public_key: ticket_keys.first(),
            ended_by: None,
        };
        let config = order.config(base)?;
        config.rules.validate()?;
        crate::server::check_documents(&config)?;
        Ok(order)
    }

    /// What the battle is run with.
    ///
    /// # Errors
    /// The mode or the map is unknown.
    pub(super) fn config(&self, base: &BattleServerConfig) -> anyhow::Result<BattleServerConfig> {
        let mut config = base.clone();
        config.battle_id = Some(self.battle_id.as_u128());
        config.rules.mode = mode::of_name(&self.mode)?;
        config.rules.players_max = self.players_max;
        config.map = map_of(&self.map, base)?;
        config.tickets = TicketAuthority::PublicKeys(self.ticket_public_key.into());
        config.duration = match self.duration_s {
            0 => base.duration,
            seconds => Some(std::time::Duration::from_secs(seconds.into())),
        };
        Ok(config)
    }
}

/// A shipped map, a plain, or the one that the server was started with. Never a path: what comes
/// from outside opens no files.
fn map_of(name: &str, base: &BattleServerConfig) -> anyhow::Result<Map> {
    if name == base.map.name {
        return Ok(base.map.clone());
    }
    let side = name.strip_prefix("plain:").and_then(|side| side.parse::<f32>().ok());
    if let Some(side_m) = side.filter(|side_m| PLAIN_SIDE_M.contains(side_m)) {
        return Ok(Map::plain(side_m));
    }
    Map::shipped(name).with_context(|| format!("this server has no map '{name}'"))
}

#[cfg(test)]
mod tests {
    use sortie_sim::config::Mode;

    use super::*;

    fn open() -> OpenBattle {
        OpenBattle {
            battle_id: Uuid::from_u128(7).to_string(),
            mode: "walk".to_owned(),
            map: "plain:96".to_owned(),
            players_max: 16,
            duration_s: 60,
        }
    }

    #[test]
    fn an_order_becomes_a_battle_by_the_servers_rules() {
        let mut base = BattleServerConfig::new("data".into());
        base.rules.tick_hz = 30;
        let keys = PublicKeys::new([1; 32], [[2; 32]]).unwrap();
        let order = BattleOrder::read(&open(), &keys, &base).unwrap();
        let config = order.config(&base).unwrap();
        assert_eq!((config.rules.tick_hz, config.rules.players_max), (30, 16));
        assert_eq!((config.rules.mode, config.battle_id), (Mode::Walk, Some(7)));
        // Which keys count besides is the server's matter.
        assert_eq!(config.tickets, TicketAuthority::PublicKeys([1; 32].into()));
        let text = serde_json::to_string(&order).unwrap();
        assert_eq!(serde_json::from_str::<BattleOrder>(&text).unwrap(), order);
    }

    #[test]
    fn what_the_server_cannot_do_is_refused_by_name() {
        let base = BattleServerConfig::new("data".into());
        type Change = fn(&mut OpenBattle);
        let changes: [(&str, Change); 6] = [
            ("id", |open| open.battle_id = "x".to_owned()),
            ("mode", |open| open.mode = "chess".to_owned()),
            ("map", |open| open.map = "/etc/passwd".to_owned()),
            ("map", |open| open.map = "plain:1e9".to_owned()),
            ("players", |open| open.players_max = 70_000),
            ("day", |open| open.duration_s = 100_000),
        ];
        for (what, change) in changes {
            let mut open = open();
            change(&mut open);
            let error = BattleOrder::read(&open, &[1; 32].into(), &base).unwrap_err();
            assert!(format!("{error:#}").contains(what), "{error:#}");
        }
    }
}
