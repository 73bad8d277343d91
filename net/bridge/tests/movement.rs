//! The movement step as `docs/protocol.md` tells it, held to the code by the page's own examples.

use std::fmt::Write;

use sortie_bridge::predict::Predictor;
use sortie_session::predict::{Neighbour, Predict};
use sortie_sim::config::SimConfig;
use sortie_wire::{
    input::InputCommand,
    state::{SelfState, status},
};

const DOCUMENT: &str = include_str!("../../../docs/protocol.md");

/// The only block of this kind.
fn block(kind: &str) -> &'static str {
    let start = format!("\n```{kind}\n");
    let (_, rest) = DOCUMENT.split_once(&start).unwrap_or_else(|| panic!("no block {kind}"));
    rest.split_once("\n```").expect("a block ends").0
}

/// A body as a line of the page: place, velocity, top of the fall, and three bits.
fn line_of(own: &SelfState) -> String {
    let mut line = String::new();
    let numbers = own.pos.iter().chain(&own.vel).chain([&own.fall_from_y]);
    numbers.for_each(|number| write!(line, "{number} ").unwrap());
    let bits = [own.crouched, own.grounded, own.jump_held].map(u8::from);
    write!(line, "{}{}{}", bits[0], bits[1], bits[2]).unwrap();
    line
}

fn numbers(text: &str) -> Vec<f32> {
    text.split_whitespace().map(|word| word.parse().expect("a number")).collect()
}

#[test]
fn the_examples_of_the_page_are_what_the_code_does() {
    let mut predictor = Predictor::default();
    predictor.prepare(block("movement-map"), &SimConfig::default().to_toml(), 60).unwrap();
    let mut own = SelfState::default();
    let mut neighbours: Vec<Neighbour> = Vec::new();
    let (mut examples, mut said) = (0, String::new());
    for line in block("movement").lines() {
        let (words, _) = line.split_once('|').unwrap_or((line, ""));
        if let Some(place) = words.strip_prefix("start ") {
            let [x, y, z] = numbers(place)[..] else { panic!("{line}") };
            own = SelfState {
                status: status::ALIVE,
                pos: [x, y, z],
                fall_from_y: y,
                ..SelfState::default()
            };
            neighbours.clear();
            writeln!(said, "{line}").unwrap();
            continue;
        }
        if let Some(place) = words.strip_prefix("neighbour ") {
            let [x, y, z] = numbers(place)[..] else { panic!("{line}") };
            neighbours.push(Neighbour { id: 1, pos: [x, y, z] });
            writeln!(said, "{line}").unwrap();
            continue;
        }
        let [ticks, right, forward, yaw, buttons] = numbers(words)[..] else { panic!("{line}") };
        let input = InputCommand {
            move_right: right as i8,
            move_forward: forward as i8,
            yaw: yaw as u16,
            buttons: buttons as u16,
            ..InputCommand::default()
        };
        (0..ticks as u32).for_each(|_| predictor.step(&mut own, &input, &neighbours));
        writeln!(said, "{}| {}", words, line_of(&own)).unwrap();
        examples += 1;
    }
    assert!(examples >= 12, "{examples}");
    assert_eq!(block("movement"), said.trim_end(), "the code says:\n{said}");
}

#[test]
fn a_move_of_minus_128_is_one_of_minus_127() {
    let mut predictor = Predictor::default();
    predictor.prepare(block("movement-map"), &SimConfig::default().to_toml(), 60).unwrap();
    let run = |predictor: &mut Predictor, moves: i8| {
        let mut own =
            SelfState { status: status::ALIVE, pos: [20.0, 0.0, 40.0], ..SelfState::default() };
        let input =
            InputCommand { move_right: moves, move_forward: moves, ..InputCommand::default() };
        (0..60).for_each(|_| predictor.step(&mut own, &input, &[]));
        own
    };
    assert_eq!(run(&mut predictor, -128), run(&mut predictor, -127));
}
