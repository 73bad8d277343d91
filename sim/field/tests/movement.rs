//! What bodies can and cannot do, on maps made for the purpose.

use sortie_field::{
    Body, Field, Map, MoveIntent, MoveRules, Stance, Vec2, Vec3, Yaw, push_body, step_body,
};

const DT_S: f32 = 1.0 / 60.0;
const NORTH: Yaw = Yaw(0);
const EAST: Yaw = Yaw(16_384);

/// A flat yard of 64 m with these obstacles.
fn yard(obstacles: &str) -> Field {
    document("[terrain]\n", obstacles)
}

fn document(terrain: &str, obstacles: &str) -> Field {
    let text = format!(
        "name = \"yard\"\nsize_m = 64.0\n{terrain}
        [[base]]\nteam = 0\nx = 8.0\nz = 8.0\nradius_m = 4.0
        [[base]]\nteam = 1\nx = 56.0\nz = 56.0\nradius_m = 4.0\n{obstacles}"
    );
    Field::new(Map::parse(&text).expect("the test's own map"))
}

/// A box (or ramp) with its middle at x, z and its underside at `bottom_m`.
fn solid(shape: &str, [x, bottom_m, z]: [f32; 3], [w, h, l]: [f32; 3]) -> String {
    format!(
        "[[obstacle]]\nshape = \"{shape}\"\nx = {x:?}\nz = {z:?}\nbottom_m = {bottom_m:?}
        width_m = {w:?}\nheight_m = {h:?}\nlength_m = {l:?}\n"
    )
}

fn walk(yaw: Yaw) -> MoveIntent {
    MoveIntent { forward: 1.0, yaw, ..MoveIntent::default() }
}

/// A body that has found its footing at x, z.
fn standing(field: &Field, x: f32, y: f32, z: f32) -> Body {
    let mut body = Body::at(Vec3::new(x, y, z));
    run(&mut body, MoveIntent::default(), field, 1.0);
    assert!(body.grounded);
    body
}

/// Steps for `seconds`; gives the highest place of the feet and the fall heights.
fn run(body: &mut Body, intent: MoveIntent, field: &Field, seconds: f32) -> (f32, Vec<f32>) {
    let rules = MoveRules::default();
    let (mut top, mut falls) = (body.pos.y, Vec::new());
    for _ in 0..(seconds / DT_S).round() as u32 {
        falls.extend(step_body(body, &intent, field, &rules, DT_S));
        top = top.max(body.pos.y);
    }
    (top, falls)
}

#[test]
fn every_gait_has_its_speed() {
    let field = yard("");
    let speed = |intent: MoveIntent| {
        let mut body = standing(&field, 32.0, 0.0, 32.0);
        run(&mut body, intent, &field, 0.5);
        let before = body.pos;
        run(&mut body, intent, &field, 1.0);
        body.pos.distance(before)
    };
    let forward = walk(EAST);
    let close = |speed: f32, wanted: f32| assert!((speed - wanted).abs() < 0.01, "{speed} m/s");
    close(speed(forward), 5.0);
    close(speed(MoveIntent { sprint: true, ..forward }), 7.0);
    close(speed(MoveIntent { crouch: true, ..forward }), 2.5);
    close(speed(MoveIntent { forward: -1.0, ..forward }), 4.0);
    close(speed(MoveIntent { right: 1.0, ..forward }), 5.0);
    close(speed(MoveIntent { right: 1.0, forward: 0.0, sprint: true, ..forward }), 5.0);
    close(speed(MoveIntent { forward: 0.5, ..forward }), 2.5);
}

#[test]
fn a_jump_is_as_high_as_the_rule_and_needs_a_new_press() {
    let field = yard("");
    let mut body = standing(&field, 32.0, 0.0, 32.0);
    let jump = MoveIntent { jump: true, ..MoveIntent::default() };
    let (top, falls) = run(&mut body, jump, &field, 2.0);
    assert!((top - 1.1).abs() < 0.01, "{top} m");
    assert_eq!(falls.len(), 1, "held jump must not hop again");
    assert!((falls[0] - 1.1).abs() < 0.01);
    run(&mut body, MoveIntent::default(), &field, 0.1);
    assert!(run(&mut body, jump, &field, 0.3).0 > 0.9);
}

#[test]
fn falls_are_told_when_landing() {
    let field = yard("");
    let mut body = Body::at(Vec3::new(32.0, 7.0, 32.0));
    let (_, falls) = run(&mut body, MoveIntent::default(), &field, 3.0);
    assert_eq!(falls.len(), 1);
    assert!((falls[0] - 7.0).abs() < 1e-3);
    assert!(body.grounded && body.pos.y == 0.0);
}

#[test]
fn low_steps_are_climbed_and_high_ones_block() {
    let field = yard(
        &[
            solid("Box", [32.0, 0.0, 28.0], [4.0, 0.44, 1.0]),
            solid("Box", [42.0, 0.0, 28.0], [4.0, 0.5, 1.0]),
        ]
        .concat(),
    );
    let mut body = standing(&field, 32.0, 0.0, 32.0);
    let (top, falls) = run(&mut body, walk(NORTH), &field, 2.0);
    assert!(body.pos.z < 25.0 && (top - 0.44).abs() < 1e-3 && falls.is_empty());
    let mut body = standing(&field, 42.0, 0.0, 32.0);
    run(&mut body, walk(NORTH), &field, 2.0);
    assert!((body.pos.z - 28.9).abs() < 0.01, "held at the step, not at {}", body.pos.z);
    // The jump clears it, and the body stands on top.
    run(&mut body, MoveIntent { jump: true, ..walk(NORTH) }, &field, 0.25);
    run(&mut body, MoveIntent::default(), &field, 1.0);
    assert!(body.grounded && (body.pos.y - 0.5).abs() < 1e-3, "{body:?}");
}

#[test]
fn walls_let_bodies_slide_but_never_faster() {
    let field = yard(&solid("Box", [32.0, 0.0, 20.0], [40.0, 3.0, 0.3]));
    let rules = MoveRules::default();
    let mut body = standing(&field, 20.0, 0.0, 22.0);
    let intent = MoveIntent { sprint: true, ..walk(Yaw(8_192)) };
    for _ in 0..120 {
        let before = body.pos;
        step_body(&mut body, &intent, &field, &rules, DT_S);
        assert!(body.pos.z > 20.15 + 0.4 - 1e-3);
        assert!(body.pos.distance(before) <= 7.0 * DT_S + 1e-5);
    }
    assert!(body.pos.x > 26.0, "slid to {}", body.pos.x);
}

#[test]
fn a_thin_wall_stops_a_sprint_at_twenty_hertz() {
    let field = yard(&solid("Box", [32.0, 0.0, 20.0], [40.0, 3.0, 0.1]));
    let mut body = standing(&field, 32.0, 0.0, 30.0);
    let intent = MoveIntent { sprint: true, ..walk(NORTH) };
    for _ in 0..100 {
        step_body(&mut body, &intent, &field, &MoveRules::default(), 0.05);
    }
    assert!(body.pos.z > 20.4);
}

#[test]
fn ramps_lead_up_and_down() {
    let field = yard(
        &[
            solid("Ramp", [32.0, 0.0, 30.0], [3.0, 2.0, 4.0]),
            solid("Box", [32.0, 0.0, 25.5], [5.0, 2.0, 5.0]),
        ]
        .concat(),
    );
    let mut body = standing(&field, 32.0, 0.0, 36.0);
    run(&mut body, walk(NORTH), &field, 2.0);
    assert!(body.grounded && body.pos.y == 2.0, "{body:?}");
    let (_, falls) = run(&mut body, walk(Yaw(32_768)), &field, 2.0);
    assert!(body.pos.y == 0.0 && falls.is_empty(), "walked down without a fall: {falls:?}");
    // Jumping into the slope lands on it instead of falling through.
    let mut body = standing(&field, 32.0, 0.0, 33.0);
    let leap = MoveIntent { sprint: true, jump: true, ..walk(NORTH) };
    for _ in 0..60 {
        step_body(&mut body, &leap, &field, &MoveRules::default(), 0.05);
        let surface = field.floor_y(body.pos + Vec3::Y, 0.01);
        assert!(body.pos.y >= surface - 0.05, "{body:?} under {surface}");
    }
    assert!(body.pos.y >= 2.0 || body.pos.z < 23.0);
}

#[test]
fn ceilings_stop_heads_and_keep_crouchers_down() {
    let field = yard(&solid("Box", [32.0, 1.5, 28.0], [6.0, 0.3, 4.0]));
    let mut body = standing(&field, 32.0, 0.0, 33.0);
    run(&mut body, walk(NORTH), &field, 1.5);
    assert!(body.pos.z > 30.39, "standing it does not fit: {}", body.pos.z);
    run(&mut body, MoveIntent { crouch: true, ..walk(NORTH) }, &field, 1.0);
    assert!(body.pos.z < 29.0 && body.stance == Stance::Crouched);
    run(&mut body, MoveIntent::default(), &field, 0.2);
    assert_eq!(body.stance, Stance::Crouched, "no room to stand up");
    let (top, _) = run(&mut body, MoveIntent { jump: true, ..MoveIntent::default() }, &field, 1.0);
    assert!(top <= 0.301, "the head met the ceiling at {top}");
    run(&mut body, walk(NORTH), &field, 3.0);
    assert_eq!(body.stance, Stance::Standing, "out in the open again");
}

#[test]
fn the_map_ends_at_its_edge() {
    let field = yard("");
    for (yaw, x, z) in [(NORTH, 32.0, 0.4), (EAST, 63.6, 32.0)] {
        let mut body = standing(&field, 32.0, 0.0, 32.0);
        run(&mut body, MoveIntent { sprint: true, ..walk(yaw) }, &field, 10.0);
        assert!(Vec2::new(body.pos.x - x, body.pos.z - z).length() < 1e-3, "{body:?}");
    }
}

#[test]
fn slopes_up_to_the_limit_can_be_walked() {
    let climb = |height_m: f32| {
        let terrain =
            format!("[terrain]\nheights_m = [[0.0, {height_m:?}], [0.0, {height_m:?}]]\n");
        let field = document(&terrain, "");
        let mut body = Body::at(Vec3::new(20.0, field.ground_y(20.0, 32.0), 32.0));
        run(&mut body, walk(EAST), &field, 2.0);
        body.pos.x - 20.0
    };
    assert!(climb(32.0) > 9.0, "27 degrees");
    assert!(climb(63.0) > 9.0, "44.6 degrees");
    assert!(climb(72.0) < 0.1, "48 degrees: {}", climb(72.0));
    assert!(climb(128.0) < -2.0, "63 degrees slide down: {}", climb(128.0));
}

#[test]
fn pushing_respects_walls() {
    let field = yard(&solid("Box", [32.0, 0.0, 20.0], [4.0, 3.0, 4.0]));
    let rules = MoveRules::default();
    let mut body = standing(&field, 32.0, 0.0, 22.5);
    for _ in 0..10 {
        push_body(&mut body, Vec2::new(0.0, -0.3), &field, &rules);
    }
    assert!((body.pos.z - 22.401).abs() < 1e-3, "{}", body.pos.z);
    push_body(&mut body, Vec2::new(0.2, 9.0), &field, &rules);
    assert!((body.pos.z - 22.751).abs() < 0.01, "cut to 0.35 m: {}", body.pos.z);
    push_body(&mut body, Vec2::new(f32::NAN, 0.0), &field, &rules);
    assert!(body.pos.is_finite());
}

#[test]
fn golden_walk_over_the_ridge() {
    // The same in debug and release, and on every machine that the promise covers.
    let field = Field::new(Map::shipped("ridge").expect("shipped"));
    let rules = MoveRules::default();
    let mut body = Body::at(Vec3::new(130.0, field.ground_y(130.0, 180.0), 180.0));
    let mut mixed = 0u64;
    for step in 0..6_000u32 {
        let intent = MoveIntent {
            forward: 1.0,
            right: if step % 700 < 350 { 0.25 } else { -0.5 },
            yaw: Yaw((step / 90 * 7_919) as u16),
            jump: step % 97 < 5,
            crouch: step % 1_500 > 1_200,
            sprint: step % 3 > 0,
        };
        step_body(&mut body, &intent, &field, &rules, DT_S);
        for part in [body.pos.x, body.pos.y, body.pos.z, body.vel.x, body.vel.y, body.vel.z] {
            mixed = (mixed ^ u64::from(part.to_bits())).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
    assert_eq!(mixed, 0xc760_aaba_9b95_0e98, "{mixed:#x}: {body:?}");
}
