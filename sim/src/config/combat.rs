//! What hurts, heals, wins and counts, as data.

use serde::{Deserialize, Serialize};

use super::error::{ConfigError, check};

/// What hurts and heals. Distances in metres, times in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CombatRules {
    /// Times the damage of a round into the head.
    pub head_factor: f32,
    /// Times the damage of a round into a limb.
    pub limb_factor: f32,
    /// Part of the damage that armour takes while it lasts, 0 to 1.
    pub armour_part: f32,
    /// A downed soldier bleeds out after this.
    pub down_s: f32,
    /// What a medic needs to help one up.
    pub revive_medic_s: f32,
    /// What a squad mate needs.
    pub revive_mate_s: f32,
    /// Hit points after that.
    pub revive_hp: u8,
    /// As far as hands reach.
    pub reach_m: f32,
    /// Whoever leaves within this after an enemy hurt it falls to that enemy.
    pub leave_s: f32,
    /// Damage of a strike.
    pub melee_hp: f32,
    /// From one strike, throw or gadget to the next.
    pub melee_s: f32,
    /// To take another weapon in hand.
    pub switch_s: f32,
    /// Kits help mates within this.
    pub kit_m: f32,
    /// Kits lie so long.
    pub kit_s: f32,
    /// Hit points in a medkit.
    pub medkit_hp: u16,
    /// What it gives each mate.
    pub medkit_hp_per_s: f32,
    /// Magazines in an ammunition box.
    pub ammo_magazines: u16,
    /// Sensors mark enemies within this.
    pub sensor_m: f32,
    /// Sensors work so long.
    pub sensor_s: f32,
    /// A spotted enemy stays so.
    pub spotted_s: f32,
    /// A player marks one enemy at most in this time.
    pub spot_s: f32,
    /// Enemies can be spotted within this.
    pub spot_m: f32,
}

/// What a round is won by. Times in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObjectiveRules {
    /// One soldier alone takes a point in this.
    pub capture_s: f32,
    /// More are faster, up to this factor.
    pub capture_factor_max: f32,
    /// Tickets of a team for each of its players.
    pub tickets_per_player: u32,
    /// But at least so many.
    pub tickets_min: u32,
    /// For each point of majority the other side loses a ticket each.
    pub bleed_s: f32,
    /// A round lasts no longer.
    pub round_s: f32,
    /// Rounds of a battle, one after the other; 0: as many as its time allows.
    pub rounds: u32,
    /// From the end of a round to the beginning of the next.
    pub pause_s: f32,
    /// A battle lasts no longer: the score decides the round that is being fought then. 0: it
    /// lasts until its rounds are over.
    pub battle_s: f32,
    /// Deathmatch: the first team with so many kills wins.
    pub score_to_win: u32,
    /// From one spawn wave of a team to the next.
    pub wave_s: f32,
    /// The same for soldiers who have not been in the field in this round: nobody waits to begin.
    pub deploy_s: f32,
    /// A squad mate hit within this time is no place to come in.
    pub squad_calm_s: f32,
    /// Members of a squad at most.
    pub squad_max: u8,
}

/// Points on the scoreboard.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScoreRules {
    /// An enemy down.
    pub kill: u32,
    /// By a shot into the head, on top.
    pub headshot: u32,
    /// Least for having hurt one that another brought down.
    pub assist_min: u32,
    /// Most for that; between, by the share of the damage.
    pub assist_max: u32,
    /// A point taken.
    pub capture: u32,
    /// A point made neutral.
    pub neutralise: u32,
    /// A kill on an own point.
    pub defend: u32,
    /// A mate helped up.
    pub revive: u32,
    /// Most for healing from one kit, one each hit point.
    pub heal_max: u32,
    /// A magazine given.
    pub resupply: u32,
    /// An enemy down that one had spotted.
    pub spot_assist: u32,
    /// A capture of the point that the squad was ordered to, on top.
    pub order: u32,
}

impl CombatRules {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        let numbers = [
            (self.head_factor, 10.0, "combat.head_factor must be 0 to 10"),
            (self.limb_factor, 10.0, "combat.limb_factor must be 0 to 10"),
            (self.armour_part, 1.0, "combat.armour_part must be 0 to 1"),
            (self.down_s, 600.0, "combat.down_s must be 0 to 600"),
            (self.revive_medic_s, 60.0, "combat.revive_medic_s must be 0 to 60"),
            (self.revive_mate_s, 60.0, "combat.revive_mate_s must be 0 to 60"),
            (self.reach_m, 10.0, "combat.reach_m must be 0 to 10"),
            (self.leave_s, 600.0, "combat.leave_s must be 0 to 600"),
            (self.melee_hp, 1e3, "combat.melee_hp must be 0 to 1000"),
            (self.melee_s, 60.0, "combat.melee_s must be 0 to 60"),
            (self.switch_s, 60.0, "combat.switch_s must be 0 to 60"),
            (self.kit_m, 50.0, "combat.kit_m must be 0 to 50"),
            (self.kit_s, 600.0, "combat.kit_s must be 0 to 600"),
            (self.medkit_hp_per_s, 1e3, "combat.medkit_hp_per_s must be 0 to 1000"),
            (self.sensor_m, 200.0, "combat.sensor_m must be 0 to 200"),
            (self.sensor_s, 600.0, "combat.sensor_s must be 0 to 600"),
            (self.spotted_s, 600.0, "combat.spotted_s must be 0 to 600"),
            (self.spot_s, 60.0, "combat.spot_s must be 0 to 60"),
            (self.spot_m, 2e3, "combat.spot_m must be 0 to 2000"),
        ];
        numbers
            .iter()
            .try_for_each(|&(value, most, rule)| check((0.0..=most).contains(&value), rule))?;
        check((1..=100).contains(&self.revive_hp), "combat.revive_hp must be 1 to 100")
    }
}

impl ObjectiveRules {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        check((0.1..=600.0).contains(&self.capture_s), "objective.capture_s must be 0.1 to 600")?;
        let factor = (1.0..=100.0).contains(&self.capture_factor_max);
        check(factor, "objective.capture_factor_max must be 1 to 100")?;
        let tickets = self.tickets_per_player <= 10_000 && self.tickets_min <= 1_000_000;
        check(
            tickets,
            "objective.tickets_per_player and tickets_min must be 10000, 1000000 at most",
        )?;
        check((0.1..=600.0).contains(&self.bleed_s), "objective.bleed_s must be 0.1 to 600")?;
        check((1.0..=1e5).contains(&self.round_s), "objective.round_s must be 1 to 100000")?;
        check((0.0..=600.0).contains(&self.pause_s), "objective.pause_s must be 0 to 600")?;
        check((0.0..=1e6).contains(&self.battle_s), "objective.battle_s must be 0 to 1000000")?;
        check((0.1..=600.0).contains(&self.wave_s), "objective.wave_s must be 0.1 to 600")?;
        check((0.1..=600.0).contains(&self.deploy_s), "objective.deploy_s must be 0.1 to 600")?;
        check(
            (0.0..=600.0).contains(&self.squad_calm_s),
            "objective.squad_calm_s must be 0 to 600",
        )?;
        check((1..=32).contains(&self.squad_max), "objective.squad_max must be 1 to 32")
    }
}
