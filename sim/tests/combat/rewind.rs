//! A shot is judged against where the target stood when the shooter saw it, within 200 ms.

use sortie_sim::command::Buttons;
use sortie_sim::field::{Vec3, Yaw};
use sortie_sim::id::Class;

use crate::fixture::{Fixture, two_enemies};

/// Blue sprints across Red's view; Red shoots at where Blue stood `back` ticks ago, and says
/// that it saw the tick `claimed` ticks ago. Whether it hits.
fn hits(back: usize, claimed: u32) -> bool {
    let mut fixture = Fixture::new();
    let [red, blue] = two_enemies(&mut fixture, [Class::Assault, Class::Assault]);
    let input = fixture.input(blue);
    input.yaw = Yaw(0);
    input.move_forward = 127;
    input.buttons = Buttons::SPRINT;
    // Where Blue stood after each tick; the last is now.
    let mut course: Vec<Vec3> = Vec::new();
    for _ in 0..90 {
        fixture.step();
        course.push(fixture.row(blue).body.pos);
    }
    let speed_mps = fixture.row(blue).body.vel.length();
    assert!(speed_mps > 6.9, "{speed_mps} m/s");
    // The tick to come is one after the last of the course.
    let place = course[course.len() - back] + Vec3::Y * 1.2;
    fixture.look_at(red, place);
    fixture.set_lag(red, claimed);
    fixture.press(red, Buttons::FIRE);
    fixture.row(red).score.hits == 1
}

#[test]
fn a_shot_at_what_was_seen_hits() {
    for back in [1, 4, 8, 12] {
        assert!(hits(back, back as u32), "{back} ticks back");
    }
}

#[test]
fn a_shot_at_the_past_misses_for_who_claims_the_present() {
    assert!(!hits(12, 0));
    assert!(!hits(12, 3));
}

#[test]
fn a_shot_at_the_present_misses_for_who_claims_the_past() {
    assert!(!hits(1, 12));
}

#[test]
fn nothing_older_than_the_cap_can_be_hit() {
    for claimed in [24, 60, 300, u32::MAX] {
        assert!(!hits(24, claimed), "claims {claimed} ticks");
        assert!(!hits(60, claimed), "claims {claimed} ticks");
        assert!(hits(12, claimed), "the cap is what counts");
    }
}

#[test]
fn who_spawned_just_now_cannot_be_hit_in_its_past() {
    // The former life ended elsewhere; the new one has no past.
    use sortie_sim::command::{Action, SpawnAt};
    let mut fixture = Fixture::new();
    let [red, blue] = two_enemies(&mut fixture, [Class::Assault, Class::Recon]);
    let grave = fixture.row(blue).body.pos;
    fixture.bring_down(red, blue);
    fixture.ask(blue, Action::GiveUp);
    fixture.step();
    fixture.come_in(blue, SpawnAt::Base, Class::Recon);
    fixture.look_at(red, grave + Vec3::Y * 1.2);
    fixture.set_lag(red, 12);
    let before = fixture.row(red).score.hits;
    fixture.press(red, Buttons::FIRE);
    assert_eq!(fixture.row(red).score.hits, before);
    assert_eq!(fixture.row(blue).health_hp, 100);
}
