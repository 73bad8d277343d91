//! The charts of `docs/benchmarks.md`, drawn from reports.

mod svg;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::details::Floors;
use super::error::{Error, file};
use super::report::GoalsReport;
use crate::light::run::RunReport;
use sortie_players::cpu::median;
use sortie_players::scenario::Scenario;
use svg::{Bar, ChartFrame, Line, bars, lines};

/// Phases of the server's tick, in order.
const PHASES: [&str; 7] = ["receive", "gather", "step", "record", "look", "tell", "send"];

/// The size of S1 that versions are compared by.
const HISTORY_PLAYERS: usize = 500;

/// Draws all charts into `folder`. The last file is the present; the others are older versions.
///
/// # Errors
/// A file cannot be read or written, or is no report.
pub(super) fn draw(folder: &Path, files: &[PathBuf]) -> Result<(), Error> {
    let reports = files.iter().map(|path| read(path)).collect::<Result<Vec<_>, _>>()?;
    let missing = || Error::Usage("--charts needs a folder and at least one report".to_owned());
    let newest = reports.last().ok_or_else(missing)?;
    fs::create_dir_all(folder).map_err(|error| file(folder, error))?;
    for (name, svg) in [
        ("cost", cost(newest)),
        ("phases", phases(newest)),
        ("bytes", bytes(newest)),
        ("scaling", scaling(newest)),
        ("history", history(&reports)),
    ] {
        let path = folder.join(format!("{name}.svg"));
        fs::write(&path, svg).map_err(|error| file(&path, error))?;
    }
    Ok(())
}

fn read(path: &Path) -> Result<GoalsReport, Error> {
    let text = fs::read_to_string(path).map_err(|error| file(path, error))?;
    serde_json::from_str(&text).map_err(|error| file(path, error.into()))
}

/// Medians of figures by the number of players.
fn medians(figures: impl Iterator<Item = (usize, f64)>) -> Vec<(f64, f64)> {
    let mut by_players: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
    for (players, figure) in figures {
        by_players.entry(players).or_default().push(figure);
    }
    by_players.into_iter().map(|(players, mut of)| (players as f64, median(&mut of))).collect()
}

/// Medians of a figure of the runs of S1, by the number of players.
fn s1(report: &GoalsReport, lane: &str, of: impl Fn(&RunReport) -> f64) -> Vec<(f64, f64)> {
    let runs = report.details.whole.iter().filter(|whole| {
        whole.scenario == Scenario::Uniform.name() && whole.lane == lane && whole.run.is_whole()
    });
    medians(runs.map(|whole| (whole.run.players, of(&whole.run))))
}

fn line(name: &str, points: Vec<(f64, f64)>) -> Line {
    Line { name: name.to_owned(), points, dashed: false }
}

/// A line of what is wanted, or of a limit.
fn dashed(name: &str, points: Vec<(f64, f64)>) -> Line {
    Line { dashed: true, ..line(name, points) }
}

/// What a player-tick costs by the number of players, over its floors.
fn cost(report: &GoalsReport) -> String {
    let floor = |of: fn(&Floors) -> f64| {
        medians(report.details.floors.iter().map(|floors| (floors.players, of(floors))))
    };
    let whole = |lane: &str| s1(report, lane, |run| run.us_per_player_tick);
    let all = [
        line("whole server, sealed lane", whole("sealed")),
        line("whole server, QUIC lane", whole("quic")),
        dashed("UDP with AES-128-GCM", floor(|floors| floors.sealed_us)),
        dashed("bare UDP", floor(|floors| floors.bare_us)),
    ];
    let frame = ChartFrame {
        title: "CPU of one player and tick on S1, server only".to_owned(),
        x: "players".to_owned(),
        y: "µs of CPU time".to_owned(),
        ..ChartFrame::default()
    };
    lines(&frame, &all)
}

/// Where the time of a tick goes.
fn phases(report: &GoalsReport) -> String {
    let of = |phase: &str| {
        let phase = phase.to_owned();
        s1(report, &report.lane, move |run| run.phase_us.get(&phase).copied().unwrap_or_default())
    };
    let columns = PHASES.map(of);
    let bar = |at: usize| {
        let (players, _) = columns[0][at];
        let parts = columns.iter().map(|column| column[at].1).collect();
        Bar { name: format!("{players} players"), parts }
    };
    let all: Vec<Bar> = (0..columns[0].len()).map(bar).collect();
    let frame = ChartFrame {
        title: format!("Where a tick's time goes on S1, {} lane", report.lane),
        y: "µs of wall time per player and tick".to_owned(),
        ..ChartFrame::default()
    };
    bars(&frame, &PHASES, &all)
}

/// Bytes of a client and second.
fn bytes(report: &GoalsReport) -> String {
    let snapshots = s1(report, &report.lane, |run| run.app_bytes_per_s / 1e3);
    let down = s1(report, &report.lane, |run| run.udp_down_bytes_per_s / 1e3);
    let up = s1(report, &report.lane, |run| run.udp_up_bytes_per_s / 1e3);
    let rows = snapshots.iter().zip(&down).zip(&up);
    let all: Vec<Bar> = rows
        .map(|(((players, snapshots), (_, down)), (_, up))| Bar {
            name: format!("{players} players"),
            parts: vec![*snapshots, (down - snapshots).max(0.0), *up],
        })
        .collect();
    let frame = ChartFrame {
        title: format!("Bytes of one client on S1, {} lane", report.lane),
        y: "kB a second, UDP payload".to_owned(),
        ..ChartFrame::default()
    };
    let parts = ["snapshots down", "sealing and messages down", "inputs and acks up, sealed"];
    bars(&frame, &parts, &all)
}

/// How a tick grows with the number of players.
fn scaling(report: &GoalsReport) -> String {
    let mut by_scenario: BTreeMap<&str, Vec<(usize, f64)>> = BTreeMap::new();
    for scaling in &report.details.scaling {
        let figures = scaling.points.iter().map(|(players, us)| (*players as usize, us / 1e3));
        by_scenario.entry(&scaling.scenario).or_default().extend(figures);
    }
    let all: Vec<Line> = by_scenario
        .into_iter()
        .map(|(name, figures)| line(name, medians(figures.into_iter())))
        .collect();
    let frame = ChartFrame {
        title: "A tick by the number of players, in memory, one thread".to_owned(),
        x: "players".to_owned(),
        y: "ms of CPU time".to_owned(),
        logarithmic: true,
        ..ChartFrame::default()
    };
    lines(&frame, &all)
}

/// What one size of S1 cost from version to version.
fn history(reports: &[GoalsReport]) -> String {
    let of = |figure: fn(&RunReport) -> f64, lane: &str| -> Vec<(f64, f64)> {
        let versions = reports.iter().enumerate();
        let figure = versions.filter_map(|(at, report)| {
            let all = s1(report, lane, figure);
            let size = HISTORY_PLAYERS as f64;
            let (_, figure) = all.into_iter().find(|(players, _)| *players == size)?;
            Some((at as f64 + 1.0, figure))
        });
        figure.collect()
    };
    let all = [
        line("µs per player-tick, sealed lane", of(|run| run.us_per_player_tick, "sealed")),
        line("µs per player-tick, QUIC lane", of(|run| run.us_per_player_tick, "quic")),
        line("kB a client-second", of(|run| run.app_bytes_per_s / 1e3, "sealed")),
    ];
    let commit = |report: &GoalsReport| {
        let commit = &report.origin.commit;
        commit.get(..7).unwrap_or(commit).to_owned()
    };
    let frame = ChartFrame {
        title: format!("S1 with {HISTORY_PLAYERS} players from version to version"),
        x: "commit".to_owned(),
        y: "µs of CPU, kB of snapshots".to_owned(),
        logarithmic: false,
        names: reports.iter().map(commit).collect(),
    };
    lines(&frame, &all)
}

#[cfg(test)]
mod tests {
    use super::super::details::{Details, Scaling, Whole};
    use super::*;

    #[test]
    fn all_charts_are_drawn_from_a_report() {
        let run = |players| RunReport {
            players,
            delivered: 1.0,
            us_per_player_tick: 9.0,
            phase_us: PHASES.map(|phase| (phase.to_owned(), 1.0)).into(),
            app_bytes_per_s: 12_000.0,
            udp_down_bytes_per_s: 14_000.0,
            ..RunReport::default()
        };
        let whole = |players| Whole {
            scenario: "uniform".to_owned(),
            lane: "sealed".to_owned(),
            threads: 1,
            run: run(players),
        };
        let points = vec![(125.0, 400.0), (4_000.0, 20_000.0)];
        let details = Details {
            whole: vec![whole(500), whole(1_000)],
            floors: vec![Floors {
                players: 500,
                bare_us: 4.0,
                sealed_us: 5.0,
                ..Floors::default()
            }],
            scaling: vec![Scaling { scenario: "crowd".to_owned(), points, ..Scaling::default() }],
            ..Details::default()
        };
        let report = GoalsReport { lane: "sealed".to_owned(), details, ..GoalsReport::default() };
        for (svg, needs) in [
            (cost(&report), "whole server, sealed lane"),
            (phases(&report), "1000 players"),
            (bytes(&report), "snapshots down"),
            (scaling(&report), "crowd"),
            (history(&[report.clone(), report.clone()]), "µs per player-tick"),
        ] {
            assert!(svg.contains(needs) && !svg.contains("NaN"), "{needs}: {svg}");
        }
    }

    #[test]
    fn charts_need_a_report() {
        assert!(matches!(draw(Path::new("nowhere"), &[]), Err(Error::Usage(_))));
    }
}
