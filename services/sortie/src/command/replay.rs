//! `sortie replay FILE`: what it is, whether it is true, and how things stood at a tick.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use serde_json::{Value, json};
use sortie_battle::journal::{self, JournalError};
use sortie_battle::replay::{self, ReplayError, Verified};
use sortie_players::frames;
use sortie_sim::Battle;
use sortie_sim::config::Mode;
use sortie_sim::id::PlayerKey;
use sortie_sim::view::{RoundState, SoldierRow, Status, View};
use time::OffsetDateTime;
use time::macros::format_description;

use crate::mode::mode_name;
use sortie_cli::counts::counted;
use sortie_cli::exit::{Failure, OrFail, Result};
use sortie_cli::program::Common;
use sortie_cli::progress;

/// Options of `sortie replay`.
#[derive(Args)]
#[command(after_help = "\
Examples:
  sortie replay FILE                what battle it is
  sortie replay FILE --verify       simulate it again, comparing the state of every tick
  sortie replay FILE --seek 3600    how things stood after a minute
  sortie replay FILE --seek 3600 --json
  sortie replay FILE --frames OUT --ticks 600..720
  sortie replay FILE --blank PLAYER_ID   take the name of an erased player out

Verifying names the first tick that differs, and ends with exit code 5. A replay of another version
of the simulation was fought by other rules: it is refused with exit code 6. A replay that a crash
left torn is good up to its last whole block. Replays are the journals of battles: a closed one
lies in the server's data directory.")]
pub(crate) struct ReplayArgs {
    /// The replay
    file: PathBuf,
    /// Print what battle it is (the default)
    #[arg(long, group = "action")]
    info: bool,
    /// Simulate the battle again and compare every tick, every checkpoint and the end
    #[arg(long, group = "action")]
    verify: bool,
    /// Print how things stood after this tick
    #[arg(long, value_name = "TICK", group = "action")]
    seek: Option<u32>,
    /// Take this player's name out of the file, for good; all else stays as it is
    #[arg(long, value_name = "PLAYER_ID", value_parser = player_of, group = "action")]
    blank: Option<PlayerKey>,
    /// Write where every soldier was after each of `--ticks`, for comparing clients with the truth
    #[arg(long, value_name = "OUT", group = "action", requires = "ticks")]
    frames: Option<PathBuf>,
    /// Which ticks: the first, and the one after the last
    #[arg(long, value_name = "FROM..TO", value_parser = ticks_of, requires = "frames")]
    ticks: Option<Range<u32>>,
    /// Simulation threads; the result does not depend on them
    #[arg(long, value_name = "COUNT", default_value_t = 1, env = "SORTIE_REPLAY_THREADS")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=64))]
    threads: u16,
}

/// Prints what was asked for.
pub(crate) fn run(args: &ReplayArgs, common: &Common) -> Result {
    let threads = usize::from(args.threads);
    if let (Some(out), Some(ticks)) = (&args.frames, &args.ticks) {
        return write_frames(&args.file, out, ticks.clone(), threads);
    }
    if let Some(player) = args.blank {
        return blank(&args.file, player, common.json);
    }
    let (text, value) = match (args.verify, args.seek) {
        (true, _) => {
            let verified = verify(&args.file, threads, common.json)?;
            (verified_text(&verified), serde_json::to_value(&verified).or_fail(Failure::Run)?)
        }
        (false, Some(tick)) => {
            let battle = replay::seek(&args.file, tick, threads);
            let battle = battle.map_err(|error| refuse(&args.file, error))?;
            let (view, hash) = (battle.view(), battle.state_hash());
            (state_text(view, hash), state_value(view, hash))
        }
        (false, None) => {
            let info = replay::info(&args.file).map_err(|error| refuse(&args.file, error))?;
            // Its last seconds are simulated for this; one that is damaged there has no standing.
            let battle = replay::seek(&args.file, info.ticks, threads).ok();
            let standing = battle.map(|battle| Standing::of(battle.view()));
            let mut value = serde_json::to_value(&info).or_fail(Failure::Run)?;
            value["score"] = json!(standing.map(|standing| standing.score));
            value["winner"] = json!(standing.and_then(|standing| standing.winner()));
            (info_text(&info, standing), value)
        }
    };
    if common.json {
        sortie_cli::say!("{}", serde_json::to_string_pretty(&value).or_fail(Failure::Run)?);
    } else {
        sortie_cli::say_text!("{text}");
    }
    Ok(())
}

/// A UUID, or its 32 digits.
fn player_of(text: &str) -> std::result::Result<PlayerKey, String> {
    let digits = text.replace('-', "");
    let key = u128::from_str_radix(&digits, 16).ok().filter(|_| digits.len() == 32);
    key.map(PlayerKey).ok_or_else(|| "a player's id is a UUID".to_owned())
}

fn blank(file: &Path, player: PlayerKey, json: bool) -> Result {
    // Whatever is none is named as such, and not left alone silently.
    replay::info(file).map_err(|error| refuse(file, error))?;
    let blanked = journal::blank(file, &[player])
        .with_context(|| format!("cannot write {}", file.display()))
        .or_fail(Failure::Run)?;
    // As `--info` shows it.
    let id = format!("{:032x}", player.0);
    if json {
        sortie_cli::say!("{}", json!({ "blanked": blanked, "player_id": id }));
    } else {
        sortie_cli::say!("taken out: {} of player {id}", counted(blanked, "name"));
    }
    Ok(())
}

/// `FROM..TO`.
fn ticks_of(text: &str) -> std::result::Result<Range<u32>, String> {
    let bounds =
        text.split_once("..").and_then(|(from, to)| Some((from.parse().ok()?, to.parse().ok()?)));
    match bounds {
        Some((from, to)) if from < to => Ok(from..to),
        _ => Err("two ticks, as 600..720, the second above the first".to_owned()),
    }
}

/// Simulates the battle again up to the last of `ticks`, comparing every hash, and writes the
/// soldiers of each.
fn write_frames(file: &Path, out: &Path, ticks: Range<u32>, threads: usize) -> Result {
    let writing = || format!("cannot write {}", out.display());
    let target = File::create(out).with_context(writing).or_fail(Failure::Start)?;
    let mut target = BufWriter::new(target);
    let mut written = frames::write_head(&mut target);
    let mut write = |battle: &Battle| {
        let tick = battle.tick().0;
        if written.is_ok() && ticks.contains(&tick) {
            let frame = frames::frame_of(battle.view());
            written = frames::write_frame(&mut target, tick, &frame);
        }
    };
    replay::verify_each(file, threads, &mut write).map_err(|error| refuse(file, error))?;
    written.and_then(|()| target.flush()).with_context(writing).or_fail(Failure::Run)
}

/// Simulates a replay again; shows how far it is unless `silent`.
pub(crate) fn verify(file: &Path, threads: usize, silent: bool) -> Result<Verified> {
    let bar = progress::ticks(silent);
    let outcome = replay::verify(file, threads, &mut |tick, last| {
        bar.set_length(u64::from(last));
        bar.set_position(u64::from(tick));
    });
    bar.finish_and_clear();
    outcome.map_err(|error| refuse(file, error))
}

fn refuse(file: &Path, error: ReplayError) -> crate::exit::Error {
    let failure = match error {
        ReplayError::NoSuchTick { .. } => Failure::Usage,
        ReplayError::Journal(JournalError::Version { .. }) => Failure::Version,
        ReplayError::Journal(JournalError::Io { .. }) => Failure::Start,
        _ => Failure::Replay,
    };
    // These name the file themselves.
    let names_it = matches!(
        error,
        ReplayError::Journal(
            JournalError::Io { .. } | JournalError::NoJournal { .. } | JournalError::Torn { .. }
        )
    );
    let error = anyhow::Error::new(error);
    failure.because(if names_it { error } else { error.context(file.display().to_string()) })
}

fn verified_text(verified: &Verified) -> String {
    let Verified { ticks, commands, checkpoints, state_hash, .. } = verified;
    let end = match unfinished(verified.closed, *ticks, verified.torn_bytes) {
        Some(how) => format!("the battle did not end in order: {how}\n"),
        None => String::new(),
    };
    format!(
        "verified: {}, {} and {} came out as recorded\n{end}state hash {state_hash}\n",
        counted(ticks, "tick"),
        counted(commands, "command"),
        counted(checkpoints, "checkpoint")
    )
}

/// What is known of the end of a file that no end of a battle stands in; `None`: there is one.
fn unfinished(closed: bool, ticks: u32, torn_bytes: u64) -> Option<String> {
    (!closed).then(|| match torn_bytes {
        0 => format!(
            "its server died or still runs; the file ends behind a whole block, at tick {ticks}"
        ),
        torn => format!(
            "the file is torn, its server died while it wrote; it is whole up to tick {ticks}, and \
             the {} behind that are lost",
            counted(torn, "byte")
        ),
    })
}

/// How a battle stood after its last tick.
#[derive(Clone, Copy)]
struct Standing {
    /// Tickets left or score reached, per team.
    score: [u32; 2],
    round: RoundState,
}

impl Standing {
    fn of(view: &View) -> Self {
        Self { score: view.tickets, round: view.round }
    }

    /// The team that won the last round, as `red` or `blue`.
    fn winner(self) -> Option<&'static str> {
        match self.round {
            RoundState::Ended { winner, .. } => winner.map(|team| TEAMS[team.index()]),
            RoundState::Running => None,
        }
    }

    /// A line for people; nothing where nobody fights.
    fn line(self, mode: Mode) -> String {
        let [red, blue] = self.score;
        let Some(name) = mode.score_name() else { return String::new() };
        let outcome = match (self.round, self.winner()) {
            (RoundState::Running, _) => "the last round was not over".to_owned(),
            (RoundState::Ended { .. }, None) => "a draw".to_owned(),
            (RoundState::Ended { .. }, Some(winner)) => format!("{winner} won"),
        };
        format!("{name:<11} red {red}, blue {blue}; {outcome}\n")
    }
}

/// The teams by their index.
const TEAMS: [&str; 2] = ["red", "blue"];

/// When a battle began, as people write it.
fn date_of(created_ms: u64) -> String {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second] UTC");
    let date = OffsetDateTime::from_unix_timestamp((created_ms / 1_000) as i64);
    date.ok().and_then(|date| date.format(format).ok()).unwrap_or_else(|| "unknown".to_owned())
}

fn info_text(info: &replay::ReplayInfo, standing: Option<Standing>) -> String {
    let bytes_per_hour = info.bytes as f64 / info.seconds.max(1e-3) * 3_600.0;
    let end = match unfinished(info.closed, info.ticks, info.torn_bytes) {
        Some(how) => format!("not in order: {how}"),
        None => "ended in order".to_owned(),
    };
    let player = |(id, name): (&String, &String)| format!("  {id}  {name}\n");
    let players: String = info.player_ids.iter().zip(&info.players).map(player).collect();
    format!(
        "battle      {}\nbegan       {}\nmode        {}\nmap         {}\n\
         ticks       {} at {} Hz, {:.1} s\n{}players     {}\n\
         size        {} bytes, {:.1} MB an hour, {} of ticks, {}\nseed        {}\n\
         simulation  {}\nend         {end}\n{players}",
        info.battle_id,
        date_of(info.created_ms),
        mode_name(info.mode),
        info.map,
        info.ticks,
        info.tick_hz,
        info.seconds,
        standing.map_or(String::new(), |standing| standing.line(info.mode)),
        info.players.len(),
        info.bytes,
        bytes_per_hour / 1e6,
        counted(info.groups, "group"),
        counted(info.checkpoints, "checkpoint"),
        info.seed,
        info.simulation,
    )
}

fn state_text(view: &View, hash: u64) -> String {
    let count = |status| view.soldiers.iter().filter(|row| row.status == status).count();
    let mut text = format!(
        "tick {}: {} alive, {} down, {} waiting, {} left; tickets {} : {}\n",
        view.tick.0,
        count(Status::Alive),
        count(Status::Down),
        count(Status::Waiting),
        count(Status::Left),
        view.tickets[0],
        view.tickets[1]
    );
    for (index, point) in view.points.iter().enumerate() {
        let name = char::from(b'A' + (index % 26) as u8);
        let owner = point.owner.map_or("nobody".to_owned(), |team| format!("{team:?}"));
        let [red, blue] = point.inside;
        text +=
            &format!("  point {name}  {owner:<7} {:+.2}  {red} : {blue} inside\n", point.progress);
    }
    text +=
        "  slot team  class    status      hp  position                     kills deaths points\n";
    for row in &view.soldiers {
        let [x, y, z] = row.body.pos.to_array();
        text += &format!(
            "  {:>4} {:<5} {:<8} {:<8} {:>5}  {x:>8.2} {y:>8.2} {z:>8.2}   {:>5} {:>6} {:>6}\n",
            row.slot.0,
            format!("{:?}", row.team),
            format!("{:?}", row.class),
            format!("{:?}", row.status),
            row.health_hp,
            row.score.kills,
            row.score.deaths,
            row.score.points,
        );
    }
    text + &format!("state hash {hash:016x}\n")
}

fn state_value(view: &View, hash: u64) -> Value {
    let team = |index: usize| TEAMS[index];
    let soldier = |row: &SoldierRow| {
        json!({
            "slot": row.slot.0,
            "key": format!("{:032x}", row.key.0),
            "team": team(row.team.index()),
            "class": format!("{:?}", row.class).to_lowercase(),
            "status": format!("{:?}", row.status).to_lowercase(),
            "position_m": row.body.pos.to_array(),
            "velocity_mps": row.body.vel.to_array(),
            "health_hp": row.health_hp,
            "kills": row.score.kills,
            "deaths": row.score.deaths,
            "shots": row.score.shots,
            "hits": row.score.hits,
            "points": row.score.points,
        })
    };
    let point = |point: &sortie_sim::view::PointRow| {
        json!({
            "owner": point.owner.map(|owner| team(owner.index())),
            "progress": point.progress,
            "inside": point.inside,
        })
    };
    json!({
        "tick": view.tick.0,
        "state_hash": format!("{hash:016x}"),
        "tickets": view.tickets,
        "points": view.points.iter().map(point).collect::<Vec<_>>(),
        "props": view.props.len(),
        "soldiers": view.soldiers.iter().map(soldier).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use sortie_sim::id::{Team, Tick};

    use super::*;

    #[test]
    fn a_torn_file_is_told_from_a_whole_one_with_what_is_left_of_it() {
        assert_eq!(unfinished(true, 90, 0), None);
        let torn = unfinished(false, 90, 17).unwrap();
        assert!(torn.contains("torn") && torn.contains("tick 90"), "{torn}");
        assert!(torn.contains("17 bytes"), "{torn}");
        assert!(!unfinished(false, 90, 0).unwrap().contains("torn"));
    }

    #[test]
    fn the_standing_is_told_in_the_words_of_the_mode() {
        let ended = |winner| RoundState::Ended { winner, at: Tick(9) };
        let line = |mode, round| Standing { score: [12, 0], round }.line(mode);
        let won = "tickets     red 12, blue 0; red won\n";
        assert_eq!(line(Mode::Conquest, ended(Some(Team::ALL[0]))), won);
        assert_eq!(line(Mode::Deathmatch, ended(None)), "score       red 12, blue 0; a draw\n");
        assert!(line(Mode::Deathmatch, RoundState::Running).contains("not over"));
        assert_eq!(line(Mode::Walk, RoundState::Running), "");
        assert_eq!(date_of(1_700_000_000_000), "2023-11-14 22:13:20 UTC");
    }
}
