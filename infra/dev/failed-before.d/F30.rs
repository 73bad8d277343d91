//! F30: a program whose reader is gone ends quietly.
//! Goes to services/sortie/tests.
#![allow(dead_code, reason = "of the tests' helpers a part is used")]

mod common;

#[test]
fn a_reader_that_is_gone_is_no_error() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut sim = common::command(&["sim", "--players", "4", "--ticks", "30"]);
    let output = sim.stdout(writer).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    let panicked = stderr.contains("panicked");
    assert!(!panicked, "F30: it panics, with exit code {:?}", output.status.code());
}
