//! A whole server under light clients: what they are told is what the replay says.

use std::path::PathBuf;
use std::time::Duration;

use sortie_bench::light::link::LaneKind;
use sortie_bench::light::run::{RunConfig, run};
use sortie_players::scenario::Scenario;

#[test]
fn light_clients_are_told_the_truth_over_both_lanes() {
    for lane in LaneKind::ALL {
        let folder = tempfile::tempdir().unwrap();
        let config = RunConfig {
            program: PathBuf::from(env!("CARGO_BIN_EXE_sortie")),
            data_dir: folder.path().to_owned(),
            scenario: Scenario::Uniform,
            players: 24,
            tick_hz: 60,
            lane,
            threads: 1,
            warm_up: Duration::from_millis(500),
            steady: Duration::from_secs(1),
            watched: 8,
        };
        let run = run(&config).unwrap();
        assert!(run.is_true(), "{lane:?}: {run:?}");
        assert_eq!(run.lost, 0, "{lane:?}: {run:?}");
        assert!(run.verdict.pairs > 1_000 && run.app_bytes_per_s > 0.0, "{lane:?}: {run:?}");
    }
}
