//! The outcomes for readers.

use std::fmt::Write;

use crate::measure::{Figures, Outcome};

/// What the others are set against.
const BASE: &str = "sortie-sealed";

/// One run in a line.
pub fn line(outcome: &Outcome) -> String {
    let Outcome { repeat, stack, players, .. } = outcome;
    let mut line = format!("#{repeat} {stack:12} {players:5}: ");
    if let Some(figures) = &outcome.figures {
        let _ = write!(
            line,
            "{:6.1} us/player-tick, {:.2} cores, {:6.0} B/client-s, {:5.1} % delivered, \
             age {:.1}/{:.1} ms, {:.1} % late, {:5.1} % inputs, {:.0} MiB, \
             {} checked: {:.3} m, {} wrong; clients busy {:.0} %",
            figures.cpu_us_per_player_tick,
            figures.server_cores,
            figures.bytes_per_client_second,
            figures.delivered * 100.0,
            figures.age_p50_ms,
            figures.age_p99_ms,
            figures.late * 100.0,
            figures.inputs * 100.0,
            figures.rss_mib,
            figures.checked,
            figures.position_error_max_m,
            figures.wrong,
            figures.clients_busy * 100.0,
        );
    }
    if !outcome.held() {
        let _ = write!(line, " NOT HELD: {}", outcome.missed.join(", "));
    }
    line
}

/// Medians over the repeats, one row a stack and number of players, then the largest numbers held.
pub fn markdown(outcomes: &[Outcome]) -> String {
    let mut text = String::from(
        "| stack | N | µs per player-tick | server cores | B down per client-second | delivered \
         | age p50 / p99, ms | late ticks | RSS, MiB | held |\n\
         |---|---:|---:|---:|---:|---:|---:|---:|---:|---|\n",
    );
    for (stack, players) in groups(outcomes) {
        let runs: Vec<&Outcome> = outcomes
            .iter()
            .filter(|outcome| outcome.stack == stack && outcome.players == players)
            .collect();
        let figures: Vec<&Figures> =
            runs.iter().filter_map(|outcome| outcome.figures.as_ref()).collect();
        let held = runs.iter().filter(|outcome| outcome.held()).count();
        if figures.is_empty() {
            let _ = writeln!(text, "| {stack} | {players} | - | - | - | - | - | - | - | no |");
            continue;
        }
        let of = |value: fn(&Figures) -> f64| sorted(&figures, value);
        let cpu = of(|figures| figures.cpu_us_per_player_tick);
        let _ = writeln!(
            text,
            "| {stack} | {players} | {:.1} ({:.1}-{:.1}) | {:.2} | {:.0} | {:.1} % \
             | {:.1} / {:.1} | {:.1} % | {:.0} | {held} of {} |",
            middle(&cpu),
            cpu[0],
            cpu[cpu.len() - 1],
            middle(&of(|figures| figures.server_cores)),
            middle(&of(|figures| figures.bytes_per_client_second)),
            middle(&of(|figures| figures.delivered)) * 100.0,
            middle(&of(|figures| figures.age_p50_ms)),
            middle(&of(|figures| figures.age_p99_ms)),
            middle(&of(|figures| figures.late)) * 100.0,
            middle(&of(|figures| figures.rss_mib)),
            runs.len(),
        );
    }
    text + &largest(outcomes) + &ratios(outcomes)
}

/// The largest number of players that each stack held in most repeats.
fn largest(outcomes: &[Outcome]) -> String {
    let mut text = String::from("\n| stack | largest N held |\n|---|---:|\n");
    let mut stacks: Vec<(String, Option<usize>)> = Vec::new();
    for (stack, players) in groups(outcomes) {
        let runs = outcomes.iter().filter(|run| run.stack == stack && run.players == players);
        let (held, missed): (Vec<_>, Vec<_>) = runs.partition(|run| run.held());
        let players = Some(players).filter(|_| held.len() > missed.len());
        match stacks.last_mut().filter(|(last, _)| *last == stack) {
            Some((_, largest)) => *largest = players.max(*largest),
            None => stacks.push((stack, players)),
        }
    }
    for (stack, largest) in stacks {
        let largest = largest.map_or("none of these".to_owned(), |players| players.to_string());
        let _ = writeln!(text, "| {stack} | {largest} |");
    }
    text
}

/// What the others take of what Sortie takes, medians of the ratios within a repeat.
fn ratios(outcomes: &[Outcome]) -> String {
    let mut text = String::new();
    for (stack, players) in groups(outcomes) {
        let (mut cpu, mut bytes) = (Vec::new(), Vec::new());
        for run in outcomes.iter().filter(|run| run.stack == stack && run.players == players) {
            let ours = outcomes.iter().find(|ours| {
                ours.stack == BASE && ours.players == players && ours.repeat == run.repeat
            });
            let ours = ours.and_then(|ours| ours.figures.as_ref());
            if let (Some(theirs), Some(ours)) = (&run.figures, ours) {
                cpu.push(theirs.cpu_us_per_player_tick / ours.cpu_us_per_player_tick);
                bytes.push(theirs.bytes_per_client_second / ours.bytes_per_client_second);
            }
        }
        if cpu.is_empty() || stack == BASE {
            continue;
        }
        cpu.sort_unstable_by(f64::total_cmp);
        bytes.sort_unstable_by(f64::total_cmp);
        let (cpu, bytes) = (middle(&cpu), middle(&bytes));
        let _ = writeln!(text, "| {stack} | {players} | {cpu:.1} | {bytes:.1} |");
    }
    if text.is_empty() {
        return text;
    }
    format!(
        "\n| times {BASE} | N | CPU per player-tick | bytes down |\n|---|---:|---:|---:|\n{text}"
    )
}

/// Stacks and numbers in the order in which they were first measured, a stack's rows together.
fn groups(outcomes: &[Outcome]) -> Vec<(String, usize)> {
    let mut groups: Vec<(String, usize)> = Vec::new();
    for outcome in outcomes {
        let group = (outcome.stack.clone(), outcome.players);
        if !groups.contains(&group) {
            let after = groups.iter().rposition(|(stack, _)| *stack == group.0);
            groups.insert(after.map_or(groups.len(), |at| at + 1), group);
        }
    }
    groups
}

fn sorted(figures: &[&Figures], value: fn(&Figures) -> f64) -> Vec<f64> {
    let mut values: Vec<f64> = figures.iter().map(|figures| value(figures)).collect();
    values.sort_unstable_by(f64::total_cmp);
    values
}

fn middle(sorted: &[f64]) -> f64 {
    let half = sorted.len() / 2;
    if sorted.len().is_multiple_of(2) {
        f64::midpoint(sorted[half - 1], sorted[half])
    } else {
        sorted[half]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(stack: &str, players: usize, cpu: Option<f64>, missed: &[&str]) -> Outcome {
        let figures = cpu.map(|cpu| Figures { cpu_us_per_player_tick: cpu, ..Figures::default() });
        let missed = missed.iter().map(|&reason| reason.to_owned()).collect();
        Outcome { repeat: 0, stack: stack.to_owned(), players, figures, missed }
    }

    #[test]
    fn rows_are_medians_and_the_largest_number_needs_a_majority() {
        let text = markdown(&[
            outcome("a", 100, Some(3.0), &[]),
            outcome("b", 100, None, &["no answer"]),
            outcome("a", 250, Some(9.0), &["late"]),
            outcome("a", 100, Some(1.0), &["late"]),
            outcome("a", 100, Some(2.0), &[]),
        ]);
        let rows: Vec<&str> = text.lines().collect();
        assert!(rows[2].starts_with("| a | 100 | 2.0 (1.0-3.0) |"), "{text}");
        assert!(rows[2].ends_with("| 2 of 3 |") && rows[3].ends_with("| 0 of 1 |"), "{text}");
        assert!(text.contains("| a | 100 |\n| b | none of these |"), "{text}");
    }

    #[test]
    fn ratios_are_of_the_same_repeat_and_number() {
        let text = ratios(&[
            outcome("a", 100, Some(30.0), &[]),
            outcome(BASE, 100, Some(10.0), &[]),
            outcome(BASE, 250, Some(1.0), &[]),
        ]);
        assert!(text.contains("| a | 100 | 3.0 |") && text.lines().count() == 4, "{text}");
    }
}
