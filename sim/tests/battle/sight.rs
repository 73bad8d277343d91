//! What a player sees and hears, case by case, on a plain with one wall.

use sortie_sim::config::SimConfig;
use sortie_sim::event::Event;
use sortie_sim::field::map::Map;
use sortie_sim::field::{Body, Field, Obstacle, Shape, Vec3, Yaw};
use sortie_sim::id::{EntityId, PlayerSlot, SquadId, Team, Tick, WeaponId};
use sortie_sim::interest::{FAR_TICKS, NEAR_TICKS, Sound, Visibility, heard};
use sortie_sim::view::{PropKind, PropRow, SoldierRow, Status, View};

/// The longest that somebody in full sight may go unnoticed.
const SOON: u32 = NEAR_TICKS + 3;

const ME: PlayerSlot = PlayerSlot(0);
const HERE: Vec3 = Vec3::new(100.0, 0.0, 128.0);
const BEHIND_THE_WALL: Vec3 = Vec3::new(120.0, 0.0, 128.0);
const IN_THE_OPEN: Vec3 = Vec3::new(120.0, 0.0, 160.0);

/// The scene under test, one tick after the other.
struct Fixture {
    field: Field,
    rules: SimConfig,
    view: View,
    visibility: Visibility,
}

impl Fixture {
    /// The observer, Red, stands west of a wall that is 3 m high and 20 m long.
    fn new() -> Self {
        Self::by(SimConfig::default())
    }

    fn by(rules: SimConfig) -> Self {
        let mut map = Map::plain(512.0);
        let (middle, half) = (Vec3::new(110.0, 1.5, 128.0), Vec3::new(0.5, 1.5, 10.0));
        map.obstacles.push(Obstacle::new(middle, half, Yaw(0), Shape::Box));
        let visibility = Visibility::new(&rules);
        let mut fixture = Self { field: Field::new(map), rules, view: View::default(), visibility };
        fixture.add(Team::Red, HERE);
        fixture
    }

    fn add(&mut self, team: Team, pos: Vec3) -> EntityId {
        let slot = PlayerSlot(self.view.soldiers.len() as u16);
        let (body, status) = (Body::at(pos), Status::Alive);
        self.view.soldiers.push(SoldierRow { slot, team, body, status, ..SoldierRow::default() });
        slot.into()
    }

    fn prop(&mut self, kind: PropKind, team: Team, pos: Vec3, radius_m: f32) -> EntityId {
        let id = EntityId(EntityId::FIRST_PROP.0 + self.view.props.len() as u32);
        let owner = PlayerSlot(0);
        self.view.props.push(PropRow { id, kind, owner, team, pos, vel: Vec3::ZERO, radius_m });
        id
    }

    fn soldier(&mut self, id: EntityId) -> &mut SoldierRow {
        &mut self.view.soldiers[id.0 as usize]
    }

    fn pass(&mut self, ticks: u32) -> &mut Self {
        for _ in 0..ticks {
            self.view.tick.0 += 1;
            self.visibility.update(&self.view, &self.field, None);
        }
        self
    }

    fn shows(&self, id: EntityId) -> bool {
        self.visibility.visible(ME).contains(id)
    }
}

#[test]
fn who_runs_into_the_view_distance_is_shown_at_once_at_any_tick_rate() {
    let mut rules = SimConfig { tick_hz: 20, ..SimConfig::default() };
    rules.movement.sprint_mps = 20.0;
    rules.interest.mates_m = rules.interest.view_m;
    let view_m = rules.interest.view_m;
    let step_m = rules.movement.sprint_mps / f32::from(rules.tick_hz);
    let mut fixture = Fixture::by(rules);
    let mate = fixture.add(Team::Red, HERE + Vec3::X * (view_m + 30.0));
    for _ in 0..60 {
        fixture.soldier(mate).body.pos.x -= step_m;
        fixture.soldier(ME.into()).body.pos.x += step_m;
        let shown = fixture.pass(1).shows(mate);
        let apart_m = fixture.view.soldiers[1].body.pos.distance(fixture.view.soldiers[0].body.pos);
        assert!(shown || apart_m > view_m, "not shown from {apart_m} m");
    }
    assert!(fixture.shows(mate));
}

#[test]
fn an_enemy_behind_a_wall_is_unknown_until_it_comes_out() {
    let mut fixture = Fixture::new();
    let enemy = fixture.add(Team::Blue, BEHIND_THE_WALL);
    assert!(!fixture.pass(20).shows(enemy));
    fixture.soldier(enemy).body.pos = IN_THE_OPEN;
    assert!(fixture.pass(SOON).shows(enemy));
}

#[test]
fn whoever_hides_is_forgotten_after_the_grace_and_not_before() {
    for moment in 0..3 {
        let mut fixture = Fixture::new();
        let enemy = fixture.add(Team::Blue, IN_THE_OPEN);
        assert!(fixture.pass(20 + moment).shows(enemy));
        fixture.soldier(enemy).body.pos = BEHIND_THE_WALL;
        let grace = u32::from(fixture.rules.interest.grace_ticks);
        assert!(!fixture.pass(grace + 1).shows(enemy), "{moment}");
    }
}

#[test]
fn whoever_is_about_to_come_around_a_corner_is_there_already() {
    let mut fixture = Fixture::new();
    // The line past the wall's end, at (109.5, 138), meets x = 120 at z = 149.05.
    let corner = Vec3::new(120.0, 0.0, 148.5);
    let enemy = fixture.add(Team::Blue, corner);
    assert!(fixture.pass(2 * FAR_TICKS).shows(enemy));
    fixture.soldier(enemy).body.pos.z -= 3.0;
    assert!(!fixture.pass(20).shows(enemy));
}

#[test]
fn the_spotted_are_known_for_their_time() {
    let mut fixture = Fixture::new();
    let enemy = fixture.add(Team::Blue, BEHIND_THE_WALL);
    fixture.pass(10);
    fixture.soldier(enemy).spotted_until = Tick(15);
    assert!(fixture.pass(5).shows(enemy));
    assert!(!fixture.pass(1).shows(enemy));
    // And when the time ends in full sight, nothing flickers.
    fixture.soldier(enemy).body.pos = IN_THE_OPEN;
    fixture.soldier(enemy).spotted_until = Tick(40);
    while fixture.view.tick < Tick(60) {
        assert!(fixture.pass(1).shows(enemy), "{:?}", fixture.view.tick);
    }
}

#[test]
fn smoke_hides_men_and_shows_itself() {
    let mut fixture = Fixture::new();
    let enemy = fixture.add(Team::Blue, IN_THE_OPEN);
    assert!(fixture.pass(10).shows(enemy));
    let between = (HERE + IN_THE_OPEN) / 2.0;
    let smoke = fixture.prop(PropKind::Smoke, Team::Blue, between, 6.0);
    fixture.pass(10);
    assert!(!fixture.shows(enemy) && fixture.shows(smoke));
    fixture.view.props.clear();
    fixture.pass(10);
    assert!(fixture.shows(enemy) && !fixture.shows(smoke));
}

#[test]
fn props_of_the_enemy_must_be_seen_own_ones_are_known() {
    let mut fixture = Fixture::new();
    let own = fixture.prop(PropKind::Grenade, Team::Red, BEHIND_THE_WALL, 0.0);
    let hidden = fixture.prop(PropKind::Grenade, Team::Blue, BEHIND_THE_WALL, 0.0);
    fixture.pass(1);
    assert!(fixture.shows(own) && !fixture.shows(hidden));
    // Thrown in full sight: known in that very tick.
    let thrown = fixture.prop(PropKind::Grenade, Team::Blue, IN_THE_OPEN, 0.0);
    assert!(fixture.pass(1).shows(thrown) && !fixture.shows(hidden));
}

#[test]
fn mates_are_known_when_near_and_the_squad_everywhere() {
    let mut fixture = Fixture::new();
    let near = fixture.add(Team::Red, BEHIND_THE_WALL);
    let far = fixture.add(Team::Red, Vec3::new(400.0, 0.0, 128.0));
    assert!(fixture.pass(10).shows(near) && !fixture.shows(far));
    fixture.soldier(ME.into()).squad = Some(SquadId(2));
    fixture.soldier(far).squad = Some(SquadId(2));
    assert!(fixture.pass(10).shows(far));
    // Squads of the other team have numbers of their own.
    let enemy = fixture.add(Team::Blue, Vec3::new(400.0, 0.0, 140.0));
    fixture.soldier(enemy).squad = Some(SquadId(2));
    assert!(!fixture.pass(10).shows(enemy));
}

#[test]
fn whoever_waits_has_no_eyes() {
    let mut fixture = Fixture::new();
    let enemy = fixture.add(Team::Blue, IN_THE_OPEN);
    let mate = fixture.add(Team::Red, HERE);
    fixture.soldier(mate).squad = Some(SquadId(0));
    fixture.soldier(ME.into()).squad = Some(SquadId(0));
    assert!(fixture.pass(10).shows(enemy) && fixture.shows(mate));
    fixture.soldier(ME.into()).status = Status::Waiting;
    assert!(!fixture.pass(1).shows(enemy) && fixture.shows(mate));
    fixture.soldier(mate).status = Status::Waiting;
    assert!(!fixture.pass(1).shows(mate), "whoever is not in the field is nowhere");
}

#[test]
fn shots_are_heard_as_directions() {
    let mut fixture = Fixture::new();
    let far = Vec3::new(100.0, 0.0, 128.0 + 61.0);
    let shot = |shooter, origin| Event::Shot {
        shooter: PlayerSlot(shooter),
        weapon: WeaponId(3),
        origin,
        end: Vec3::ZERO,
    };
    fixture.pass(1);
    let events = [shot(1, BEHIND_THE_WALL), shot(2, far), shot(0, HERE)];
    let mut sounds = vec![Sound { weapon: WeaponId(9), direction: Yaw(1), loudness: 1 }];
    heard(&fixture.view, &events, ME, &fixture.rules.interest, &mut sounds);
    let east = Yaw(16_384);
    assert_eq!(sounds, [Sound { weapon: WeaponId(3), direction: east, loudness: 169 }]);
}
