//! What a bot does for its team: revive, heal, bring ammunition, sense, spot, keep a squad.

use sortie_field::Vec3;

use super::{
    random::Random,
    view::{BotClass, BotOrder, BotRequest, BotView, Mate, apart_m, buttons},
};

/// How near a patient must be to be helped, metres.
const REACH_M: f32 = 1.6;

/// How far medics go for a patient, and others for a squad mate, metres.
const MEDIC_WAY_M: f32 = 30.0;
const MATE_WAY_M: f32 = 10.0;

/// The helping part of a bot's mind.
#[derive(Clone, Debug, Default)]
pub(super) struct Duty {
    patient: Option<Vec3>,
    /// Gives up on patients it cannot reach.
    patient_until: u32,
    no_patients_until: u32,
    use_until: u32,
    next_use: u32,
    next_spot: u32,
    squad_asked: bool,
    lives: u32,
}

impl Duty {
    pub(super) fn start_life(&mut self, view: &BotView<'_>) {
        self.patient = None;
        self.next_use = view.after_s(5.0);
        self.lives = self.lives.wrapping_add(1);
    }

    /// The class for the next life: of five bots two Assault, the others one each.
    pub(super) fn class(&self, slot: u16) -> BotClass {
        match slot % 5 {
            0 | 3 => BotClass::Assault,
            1 => BotClass::Medic,
            2 => BotClass::Support,
            _ => BotClass::Recon,
        }
    }

    /// Whom it goes to help, and whether it is there already.
    pub(super) fn patient(&self, view: &BotView<'_>) -> Option<(Vec3, bool)> {
        self.patient.map(|pos| (pos, apart_m(pos, view.me.pos) < REACH_M))
    }

    /// Looks for somebody to help.
    pub(super) fn choose(&mut self, view: &BotView<'_>, is_engaged: bool, random: &mut Random) {
        self.choose_patient(view, is_engaged);
        if self.patient.is_none()
            && view.tick >= self.next_use
            && self.wants_gadget(view, is_engaged)
        {
            self.use_until = view.after_s(0.1);
            self.next_use = view.after_s(random.range(12.0, 25.0));
        }
    }

    fn choose_patient(&mut self, view: &BotView<'_>, is_engaged: bool) {
        let had = self.patient.take();
        if is_engaged || view.tick < self.no_patients_until {
            return;
        }
        let is_medic = view.me.class == BotClass::Medic;
        let way_m = |mate: &Mate| match (is_medic, mate.in_squad) {
            (true, _) => MEDIC_WAY_M,
            (false, true) => MATE_WAY_M,
            (false, false) => 0.0,
        };
        let down = view.mates.iter().filter(|mate| mate.down);
        let reachable = down.filter(|mate| apart_m(mate.pos, view.me.pos) < way_m(mate));
        let nearest = reachable
            .map(|mate| (apart_m(mate.pos, view.me.pos), mate))
            .min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.id.cmp(&b.1.id)));
        let Some((_, mate)) = nearest else { return };
        if had.is_none() {
            self.patient_until = view.after_s(15.0);
        }
        if view.tick >= self.patient_until {
            self.no_patients_until = view.after_s(10.0);
            return;
        }
        self.patient = Some(mate.pos);
    }

    fn wants_gadget(&self, view: &BotView<'_>, is_engaged: bool) -> bool {
        let near = |mate: &&Mate| !mate.down && apart_m(mate.pos, view.me.pos) < 6.0;
        match view.me.class {
            BotClass::Assault => false,
            BotClass::Medic => {
                view.me.health_hp < 60
                    || view.mates.iter().filter(near).any(|mate| mate.health_hp < 60)
            }
            BotClass::Support => view.mates.iter().any(|mate| near(&mate)),
            BotClass::Recon => {
                let inside =
                    |point: &super::Point| apart_m(point.pos, view.me.pos) < point.radius_m;
                is_engaged || view.points.iter().any(inside)
            }
        }
    }

    /// Buttons of the duty.
    pub(super) fn press(&self, view: &BotView<'_>, fights: bool, order: &mut BotOrder) {
        let at_patient = self.patient.is_some_and(|pos| apart_m(pos, view.me.pos) < REACH_M);
        if at_patient && !fights {
            order.buttons = (order.buttons | buttons::USE | buttons::CROUCH) & !buttons::SPRINT;
            (order.move_right, order.move_forward) = (0, 0);
        } else if view.tick < self.use_until {
            order.buttons |= buttons::USE;
        }
    }

    /// What to ask for now.
    pub(super) fn request(&mut self, view: &BotView<'_>, fights: bool) -> Option<BotRequest> {
        if !self.squad_asked {
            self.squad_asked = true;
            return Some(BotRequest::JoinSquad);
        }
        if fights && view.tick >= self.next_spot {
            self.next_spot = view.after_s(4.0);
            return Some(BotRequest::Spot);
        }
        None
    }
}
