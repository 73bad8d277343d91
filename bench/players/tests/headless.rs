//! Headless runs: what comes out depends on the configuration, never on threads.

use std::sync::atomic::AtomicBool;

use sortie_players::headless::{SimReport, SimRunConfig, run};
use sortie_players::scenario::Scenario;

fn report(scenario: Scenario, threads: usize, seed: u64) -> SimReport {
    let config =
        SimRunConfig { players: 120, ticks: 150, threads, scenario, seed, ..Default::default() };
    run(&config, &mut |_| {}, &AtomicBool::new(false)).unwrap()
}

#[test]
fn threads_do_not_change_the_state() {
    for scenario in Scenario::ALL {
        let one = report(scenario, 1, 1);
        for threads in [2, 4] {
            let more = report(scenario, threads, 1);
            assert_eq!(more.state_hash, one.state_hash, "{scenario} on {threads} threads");
        }
        assert_ne!(report(scenario, 1, 2).state_hash, one.state_hash, "the seed changes nothing");
    }
}

#[test]
fn a_run_that_is_stopped_tells_how_far_it_came() {
    let config = SimRunConfig { players: 10, ticks: 100, ..Default::default() };
    assert_eq!(run(&config, &mut |_| {}, &AtomicBool::new(true)).unwrap().ticks, 0);
}

#[test]
fn every_phase_of_the_tick_is_timed() {
    let report = report(Scenario::Uniform, 1, 1);
    assert_eq!((report.players, report.ticks), (120, 150));
    assert!(report.system_us.len() >= 6, "{:?}", report.system_us);
    assert!(report.tick_us.p50 > 0.0 && report.regions_max >= 1);
}

#[test]
fn a_map_that_does_not_exist_is_refused() {
    let config = SimRunConfig { map: Some("atlantis".to_owned()), ..Default::default() };
    let error = run(&config, &mut |_| {}, &AtomicBool::new(false)).unwrap_err();
    assert!(error.to_string().contains("atlantis"), "{error}");
}
