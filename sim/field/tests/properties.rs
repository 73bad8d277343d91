//! Laws that hold on any map for any player, against plain oracles.

use proptest::prelude::*;
use sortie_field::{
    Body, Field, Map, MoveIntent, MoveRules, Obstacle, Pitch, Shape, Vec3, Yaw, direction,
    step_body,
};

/// A small crowded map from a seed: hills, houses, crates, walls, platforms.
fn crowded(seed: u32) -> Field {
    let text = format!(
        "name = \"crowded\"\nsize_m = 96.0
        [terrain]\nseed = {seed}\nhills_m = 8.0\nwavelength_m = 40.0\noctaves = 2
        [scatter]\nseed = {seed}\nhouses = 4\ncrates = 60\nwalls = 20\nplatforms = 5
        [[base]]\nteam = 0\nx = 6.0\nz = 6.0\nradius_m = 2.0
        [[base]]\nteam = 1\nx = 90.0\nz = 90.0\nradius_m = 2.0\n"
    );
    Field::new(Map::parse(&text).expect("valid"))
}

fn wild_axis() -> impl Strategy<Value = f32> {
    prop_oneof![
        4 => -1.0f32..1.0,
        2 => Just(1.0f32),
        1 => Just(-1.0f32),
        1 => any::<f32>(),
        1 => Just(f32::NAN),
        1 => Just(f32::INFINITY),
    ]
}

fn wild_intent() -> impl Strategy<Value = MoveIntent> {
    (wild_axis(), wild_axis(), any::<u16>(), any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        |(right, forward, yaw, jump, crouch, sprint)| MoveIntent {
            right,
            forward,
            yaw: Yaw(yaw),
            jump,
            crouch,
            sprint,
        },
    )
}

/// How deep an upright cylinder reaches into a box, horizontally; 0 when it does not.
fn depth_in(obstacle: &Obstacle, body: &Body, rules: &MoveRules) -> f32 {
    const TOUCH_M: f32 = 2e-3;
    let head = body.pos.y + body.stance.height_m(rules) - TOUCH_M;
    let feet = body.pos.y + TOUCH_M;
    if obstacle.shape == Shape::Ramp || obstacle.top() <= feet || obstacle.bottom() >= head {
        return 0.0;
    }
    let (sin, cos) = libm::sincosf(obstacle.yaw.radians());
    let offset = body.pos - obstacle.center;
    let across = (offset.x * cos + offset.z * sin).abs() - obstacle.half.x;
    let along = (offset.x * sin - offset.z * cos).abs() - obstacle.half.z;
    let outside = libm::hypotf(across.max(0.0), along.max(0.0)) + across.max(along).min(0.0);
    (rules.radius_m - outside).max(0.0)
}

fn all_hits(field: &Field, origin: Vec3, dir: Vec3, max_m: f32) -> f32 {
    let solids = field
        .map()
        .obstacles
        .iter()
        .filter_map(|obstacle| obstacle.raycast(origin, dir, max_m).map(|hit| hit.distance_m));
    let mut nearest = solids.fold(f32::INFINITY, f32::min);
    // The ground by small steps and bisection.
    let under = |at: f32| {
        let place = origin + dir * at;
        let range = 0.0..=field.map().size_m;
        range.contains(&place.x)
            && range.contains(&place.z)
            && place.y < field.ground_y(place.x, place.z)
    };
    let steps = (max_m / 0.05) as u32;
    for step in 0..=steps {
        let at = step as f32 * 0.05;
        if at > nearest {
            break;
        }
        if under(at) {
            let (mut low, mut high) = ((at - 0.05).max(0.0), at);
            for _ in 0..20 {
                let middle = (low + high) * 0.5;
                if under(middle) { high = middle } else { low = middle }
            }
            nearest = nearest.min(high);
            break;
        }
    }
    nearest
}

proptest! {

    #[test]
    fn bodies_stay_sane_whatever_the_intent(
        seed in 0u32..8,
        start in (10.0f32..86.0, 10.0f32..86.0),
        hertz in prop_oneof![Just(20.0f32), Just(60.0), Just(128.0)],
        intents in prop::collection::vec((wild_intent(), 1usize..40), 1..40),
    ) {
        let field = crowded(seed);
        let rules = MoveRules::default();
        let mut body = Body::at(Vec3::new(start.0, field.ground_y(start.0, start.1), start.1));
        if !field.has_room(body.pos, rules.radius_m + 0.01, rules.stand_m) {
            return Ok(());
        }
        let dt_s = 1.0 / hertz;
        let mut fallen = 0;
        for (intent, times) in intents {
            for _ in 0..times {
                let before = body;
                let fall = step_body(&mut body, &intent, &field, &rules, dt_s);
                fallen += usize::from(fall.is_some());
                prop_assert!(body.pos.is_finite() && body.vel.is_finite(), "{body:?}");
                let moved = libm::hypotf(body.pos.x - before.pos.x, body.pos.z - before.pos.z);
                prop_assert!(moved <= 7.0 * dt_s + 2e-5, "{moved} m in {dt_s} s");
                prop_assert!(libm::hypotf(body.vel.x, body.vel.z) <= 7.0 + 1e-4);
                prop_assert!(body.pos.y >= field.ground_y(body.pos.x, body.pos.z) - 1e-3);
                prop_assert!((0.399..=95.601).contains(&body.pos.x));
                prop_assert!((0.399..=95.601).contains(&body.pos.z));
                for obstacle in &field.map().obstacles {
                    let depth = depth_in(obstacle, &body, &rules);
                    let told = format!("{obstacle:?}: {before:?} {body:?} {intent:?}");
                    prop_assert!(depth < 2e-3, "{depth} m inside {told}");
                }
            }
        }
        prop_assert!(fallen < 1_000);
    }

    #[test]
    fn rays_agree_with_asking_everything(
        seed in 0u32..8,
        origin in (-5.0f32..101.0, -2.0f32..12.0, -5.0f32..101.0),
        yaw: u16,
        pitch in -8_000i16..8_000,
        max_m in 0.5f32..120.0,
    ) {
        let field = crowded(seed);
        let origin = Vec3::from(origin);
        let dir = direction(Yaw(yaw), Pitch(pitch));
        // A start in the thin layer that counts as on top of the ground has no plain oracle.
        let above = origin.y - field.ground_y(origin.x, origin.z);
        prop_assume!(!(-0.03..0.01).contains(&above));
        let inside = (0.0..=96.0).contains(&origin.x) && (0.0..=96.0).contains(&origin.z);
        prop_assume!(inside || above > 0.0);
        let wanted = all_hits(&field, origin, dir, max_m);
        let found = field.raycast(origin, dir, max_m);
        let at = found.map_or(f32::INFINITY, |hit| hit.distance_m);
        if let Some(hit) = found {
            prop_assert!((hit.normal.length() - 1.0).abs() < 1e-3);
            prop_assert!(hit.normal.dot(dir) <= 1e-3, "{hit:?}");
        }
        // Grazes shorter than the oracle's steps may be missed by it, and ends may round apart.
        let skimmed = at < wanted && {
            let place = origin + dir * at;
            (place.y - field.ground_y(place.x, place.z)).abs() < 1e-2
        };
        let at_the_end = (at.min(wanted) - max_m).abs() < 1e-2;
        prop_assert!((at - wanted).abs() < 1e-2 || skimmed || at_the_end || at == wanted,
            "ray {at}, oracle {wanted}");
    }

    #[test]
    fn sight_is_mutual(
        seed in 0u32..8,
        a in (0.0f32..96.0, -2.0f32..12.0, 0.0f32..96.0),
        b in (0.0f32..96.0, -2.0f32..12.0, 0.0f32..96.0),
    ) {
        let field = crowded(seed);
        let (a, b) = (Vec3::from(a), Vec3::from(b));
        prop_assert_eq!(field.line_clear(a, b), field.line_clear(b, a));
        // Ends that count as on top of the ground are looked at from there.
        let at_ground = |p: Vec3| (-0.03..0.01).contains(&(p.y - field.ground_y(p.x, p.z)));
        prop_assume!(!at_ground(a) && !at_ground(b));
        let dir = (b - a).normalize_or_zero();
        let hit = field.raycast(a + dir * 0.05, dir, a.distance(b) - 0.1);
        // Between exact agreement lies only what touches the very ends.
        if let Some(hit) = hit && hit.distance_m > 0.0 && hit.distance_m < a.distance(b) - 0.2 {
            prop_assert!(!field.line_clear(a, b));
        }
    }

    #[test]
    fn any_text_is_refused_or_builds_a_map(text in "[a-z=\\[\\]0-9\n. \"-]{0,200}") {
        if let Ok(map) = Map::parse(&text) {
            prop_assert_eq!(Map::parse(&map.document()).map(|again| again.hash()), Ok(map.hash()));
        }
    }

    #[test]
    fn rays_from_anywhere_end(
        origin: (f32, f32, f32),
        dir: (f32, f32, f32),
        max_m: f32,
    ) {
        let field = crowded(1);
        let dir = Vec3::from(dir).normalize_or_zero();
        if let Some(hit) = field.raycast(Vec3::from(origin), dir, max_m) {
            prop_assert!(hit.distance_m >= 0.0 && hit.distance_m <= max_m);
        }
        field.line_clear(Vec3::from(origin), Vec3::new(48.0, 2.0, 48.0));
    }
}
