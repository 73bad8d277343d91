//! Where soldiers come in.
//!
//! **Rule.** A soldier comes in where a body fits and where it could have walked straight to from
//! the place that was asked for: the middle of the base or the point, or the squad mate. Where
//! nothing beside that place will do, it comes in at the place itself.

use sortie_field::body::{Body, Stance};
use sortie_field::{Vec2, Vec3};

use crate::command::SpawnAt;
use crate::components::{Identity, SquadMember};
use crate::config::SimConfig;
use crate::id::{PlayerSlot, SquadId, Team};
use crate::objective::Round;
use crate::rng::Dice;
use crate::world::Ground;

/// Ways that chance tries before it takes the longest of them.
const TRIES_MAX: usize = 8;
/// Beside a squad mate is within this, metres.
const BESIDE_M: f32 = 4.0;

/// A living soldier whom squad mates may join.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Anchor {
    pub(crate) slot: PlayerSlot,
    pub(crate) team: Team,
    pub(crate) squad: SquadId,
    pub(crate) body: Body,
}

/// Where soldiers may come in.
pub(crate) struct Places<'a> {
    pub(crate) ground: &'a Ground,
    pub(crate) rules: &'a SimConfig,
    pub(crate) round: &'a Round,
    pub(crate) anchors: &'a [Anchor],
}

impl Places<'_> {
    /// The body with which a soldier comes in.
    pub(crate) fn choose(
        &self,
        identity: &Identity,
        squad: &SquadMember,
        at: SpawnAt,
        dice: &mut Dice,
    ) -> Body {
        let area = match at {
            SpawnAt::Base => None,
            SpawnAt::Point(point) => self.own_point(usize::from(point.0), identity.team),
            SpawnAt::Squad => match self.mate(identity, squad, dice) {
                Some(mate) => return self.beside(&mate, dice),
                None => None,
            },
        };
        let (center, radius_m) = area.unwrap_or_else(|| self.base(identity.team, dice));
        let middle = self.ground.free_place(center.x, center.z, &self.rules.movement);
        // The middle may stand aside of an obstacle; the area stays where it is.
        let aside = Vec2::new(center.x - middle.x, center.z - middle.z);
        Body::at(self.around(middle, aside, radius_m, dice))
    }

    fn own_point(&self, point: usize, team: Team) -> Option<(Vec3, f32)> {
        let owned = self.round.points.get(point)?.owner == Some(team);
        let place = self.ground.map().points.get(point)?;
        owned.then_some((place.pos, place.radius_m))
    }

    fn mate(&self, identity: &Identity, squad: &SquadMember, dice: &mut Dice) -> Option<Body> {
        let squad = squad.squad?;
        let mates = || {
            self.anchors.iter().filter(move |anchor| {
                (anchor.team, anchor.squad) == (identity.team, squad)
                    && anchor.slot != identity.slot
            })
        };
        let chosen = dice.below(mates().count() as u32) as usize;
        mates().nth(chosen).map(|anchor| anchor.body)
    }

    fn base(&self, team: Team, dice: &mut Dice) -> (Vec3, f32) {
        let map = self.ground.map();
        let areas = &map.bases[team.index()];
        match areas.get(dice.below(areas.len() as u32) as usize) {
            Some(area) => (area.center, area.radius_m),
            // A map without bases: anywhere.
            None => (Vec3::new(map.size_m * 0.5, 0.0, map.size_m * 0.5), map.size_m * 0.45),
        }
    }

    /// Beside a mate where there is room, else where the mate is, as low as it is there.
    fn beside(&self, mate: &Body, dice: &mut Dice) -> Body {
        let rules = &self.rules.movement;
        // A mate in the air is above its place.
        let floor_y = self.ground.floor_y(mate.pos, rules.radius_m);
        let own = Vec3::new(mate.pos.x, floor_y.min(mate.pos.y), mate.pos.z);
        let place = self.around(own, Vec2::ZERO, BESIDE_M, dice);
        if place != own {
            return Body::at(place);
        }
        let upright = self.ground.has_room(own, rules.radius_m, rules.stand_m);
        let stance = if upright { Stance::Standing } else { mate.stance };
        Body { stance, ..Body::at(own) }
    }

    /// A place within `radius_m` of `middle + aside` to which a walk straight from `middle` leads;
    /// the farthest that some got to when none got there.
    fn around(&self, middle: Vec3, aside: Vec2, radius_m: f32, dice: &mut Dice) -> Vec3 {
        let (mut best, mut best_m) = (middle, 0.0);
        for _ in 0..TRIES_MAX {
            let by = aside + Vec2::from(dice.disc()) * radius_m;
            let place = self.ground.walk_straight(middle, by, &self.rules.movement);
            let way = Vec2::new(place.x - middle.x, place.z - middle.z);
            if (way - by).length() < 0.01 {
                return place;
            }
            if way.length() > best_m {
                (best, best_m) = (place, way.length());
            }
        }
        best
    }
}
