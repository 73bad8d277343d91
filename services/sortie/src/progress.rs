//! What the live display of a swarm says.

use sortie_cli::counts::counted;
use sortie_players::swarm::Progress;

use crate::mode::score;

/// One line for how far a swarm is: what it sees of its battle, and how its network is.
pub(crate) fn line(progress: &Progress) -> String {
    let Progress { connected, lost, shots, kills, points, tickets, rounds, .. } = progress;
    let round = match rounds {
        0 => String::new(),
        before => format!("round {}  ", before + 1),
    };
    let finished = match progress.finished {
        0 => String::new(),
        finished => format!(", {finished} done"),
    };
    let ([red, blue], all) = points;
    let points = match progress.mode.is_some_and(|mode| mode.has_points()) {
        true => format!("points {red} : {blue} of {all}  "),
        false => String::new(),
    };
    let score = progress.mode.and_then(|mode| score(mode, *tickets));
    let score = score.map_or_else(String::new, |score| format!("{points}{score}  "));
    let (shots, kills) = (counted(shots, "shot"), counted(kills, "kill"));
    format!(
        "{round}{connected} in, {lost} lost{finished}  {shots}, {kills}  {score}tick {}  \
         rtt {:.1} ms  {:.0} snapshots/s",
        progress.tick, progress.rtt_ms, progress.snapshots_per_s
    )
}

#[cfg(test)]
mod tests {
    use sortie_sim::config::Mode;

    use super::*;

    #[test]
    fn the_line_tells_of_the_fight() {
        let progress = Progress {
            connected: 200,
            shots: 1_234,
            kills: 56,
            mode: Some(Mode::Conquest),
            points: ([2, 1], 5),
            tickets: [1_980, 1_955],
            ..Progress::default()
        };
        let first = line(&progress);
        assert!(first.starts_with("200 in, 0 lost  1234 shots, 56 kills  points 2 : 1 of 5"));
        assert!(first.contains("tickets 1980 : 1955"), "{first}");
        let second = line(&Progress { rounds: 1, finished: 3, ..progress });
        assert!(second.starts_with("round 2  200 in, 0 lost, 3 done"), "{second}");
        let frags = line(&Progress { mode: Some(Mode::Deathmatch), kills: 1, ..progress });
        assert!(frags.contains("1 kill  score 1980 : 1955  tick"), "{frags}");
        assert!(!frags.contains("tickets") && !frags.contains("points"), "{frags}");
    }
}
