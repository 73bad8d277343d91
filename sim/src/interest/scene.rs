//! What all observers share in one tick: who and what is where.

use sortie_field::{Field, Stance, Vec3};

use super::near::Near;
use super::sight::{Shape, SmokeCloud};
use crate::grid::SquareGrid;
use crate::id::{PlayerSlot, Team, Tick};
use crate::view::{PropKind, PropRow, SoldierRow, Status, View};

/// Squares of the grid, metres.
const SQUARE_M: f32 = 32.0;

/// Standing bodies, metres; the rules' own figures differ by centimetres, and so may the margin.
const STAND_M: f32 = 1.8;
const CROUCH_M: f32 = 1.2;
const LIE_M: f32 = 0.5;
/// Eyes are this far below the top.
const EYE_M: f32 = 0.15;
/// Half a body's width.
const HALF_WIDTH_M: f32 = 0.4;

/// One tick as observers need it.
#[derive(Debug, Default)]
pub(super) struct Scene {
    pub(super) tick: Tick,
    /// One a slot.
    pub(super) bodies: Vec<Body>,
    /// Soldiers in the field.
    pub(super) soldiers: Near,
    /// Props, by index into the view's.
    pub(super) props: SquareGrid,
    pub(super) smoke: Vec<SmokeCloud>,
    /// Slots with a squad, by squad.
    squads: Vec<(u32, PlayerSlot)>,
    size_m: f32,
}

/// One soldier as others see it and as it sees.
#[derive(Clone, Copy, Debug)]
pub(super) struct Body {
    pub(super) pos: Vec3,
    pub(super) height_m: f32,
    pub(super) in_field: bool,
    pub(super) spotted: bool,
    pub(super) team: Team,
    /// Team and squad in one number; `None` without a squad.
    pub(super) squad: Option<u32>,
}

impl Scene {
    pub(super) fn build(&mut self, view: &View, field: &Field) {
        let size_m = field.map().size_m;
        if self.size_m != size_m {
            self.size_m = size_m;
            self.props = SquareGrid::new(size_m, SQUARE_M);
        }
        self.tick = view.tick;
        self.bodies.clear();
        self.bodies.extend(view.soldiers.iter().map(|row| Body::of(row, view.tick)));
        let bodies = (0..).zip(&self.bodies).filter(|(_, body)| body.in_field);
        let places = bodies.map(|(slot, body)| (slot, body.pos));
        self.soldiers.build(size_m, self.bodies.len(), places);
        self.props.build((0..).zip(view.props.iter().map(|prop| prop.pos)));
        self.smoke.clear();
        self.smoke.extend(view.props.iter().filter_map(SmokeCloud::of));
        self.squads.clear();
        let slots = (0..).map(PlayerSlot);
        let squads = slots.zip(&self.bodies).filter_map(|(slot, body)| Some((body.squad?, slot)));
        self.squads.extend(squads);
        self.squads.sort_unstable();
    }

    /// The members of a squad, slots ascending.
    pub(super) fn squad(&self, squad: u32) -> impl Iterator<Item = PlayerSlot> + '_ {
        let first = self.squads.partition_point(|&(other, _)| other < squad);
        let members = self.squads[first..].iter().take_while(move |&&(other, _)| other == squad);
        members.map(|&(_, slot)| slot)
    }
}

impl Body {
    pub(super) fn of(row: &SoldierRow, tick: Tick) -> Self {
        let height_m = match (row.status, row.body.stance) {
            (Status::Down, _) => LIE_M,
            (_, Stance::Crouched) => CROUCH_M,
            (_, Stance::Standing) => STAND_M,
        };
        let squad = row.squad.map(|squad| (row.team.index() as u32) << 16 | u32::from(squad.0));
        Self {
            pos: row.body.pos,
            height_m,
            in_field: matches!(row.status, Status::Alive | Status::Down),
            spotted: row.spotted_until.0 > 0 && row.spotted_until >= tick,
            team: row.team,
            squad,
        }
    }

    pub(super) fn eye(&self) -> Vec3 {
        self.pos + Vec3::new(0.0, self.height_m - EYE_M, 0.0)
    }

    /// What is looked at, `peek_m` beyond the body included.
    pub(super) fn shape(&self, peek_m: f32) -> Shape {
        Shape {
            pos: self.pos,
            body_m: 0.75 * self.height_m,
            top_m: self.height_m + peek_m,
            side_m: HALF_WIDTH_M + peek_m,
        }
    }
}

impl SmokeCloud {
    pub(super) fn of(prop: &PropRow) -> Option<Self> {
        let open = prop.kind == PropKind::Smoke;
        open.then_some(Self { center: prop.pos, radius_m: prop.radius_m })
    }
}

/// What is looked at of a prop: a cloud is seen by its rims, all else is small.
pub(super) fn prop_shape(prop: &PropRow, peek_m: f32) -> Shape {
    let size_m = if prop.kind == PropKind::Smoke { prop.radius_m } else { 0.3 };
    Shape { pos: prop.pos, body_m: 0.1, top_m: size_m + peek_m, side_m: size_m + peek_m }
}
