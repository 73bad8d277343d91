//! What an operator decides: the queues, and how patient they are.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sortie_control::clock::Clock;
use sortie_control::vocabulary::GameMode;
use sortie_wire::ticket::TicketSigner;
use sqlx::PgPool;
use time::OffsetDateTime;

/// Players in a party, most. The wire and the database know the same number.
pub const PARTY_MAX: usize = 8;

/// Everything that matchmaking is told when it starts.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The queues, by name. At least one; names are unique.
    pub queues: Vec<Queue>,
    /// Maps that custom rooms may ask for.
    pub room_maps: Vec<String>,
    /// Times and bounds that all queues share.
    pub pace: Pace,
    /// Signs join tickets; battle servers know its public key.
    pub ticket_signer: Arc<TicketSigner>,
    /// What the time is; a test puts its own ahead.
    pub clock: Clock,
}

/// One queue: what is played there, by how many, and who meets whom.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Queue {
    /// Names it in routes: lower-case letters, digits, `-`; 1 to 32.
    pub name: String,
    /// A game mode's name.
    pub mode: String,
    /// A map that the battle servers have.
    pub map: String,
    /// Whether its battles count for the ranking.
    pub is_ranked: bool,
    /// Fewest players of a team with which a battle may begin.
    pub team_min: u32,
    /// Most players of a team. A match of two such teams is made at once.
    pub team_max: u32,
    /// Most players at a time on the battle server; at least two full teams. Who has left takes no
    /// place: what is beyond two full teams is for those who come while others may still come back.
    pub players_max: u32,
    /// Seconds after which the battle ends; `None`: when the round is over.
    #[serde(default)]
    pub duration_s: Option<u32>,
    /// By how many players the teams may differ when parties leave no other way.
    #[serde(default)]
    pub team_difference_max: u32,
    /// Seconds to answer a ready check; `None`: matches begin without one.
    #[serde(default)]
    pub ready_check_s: Option<u32>,
    /// Until when running battles are filled, as a share of their duration (0: never, 1: always).
    #[serde(default = "half")]
    pub backfill_share: f64,
    /// Who meets whom.
    #[serde(default)]
    pub window: Window,
}

/// The rating window: how far another's rating may be from one's own. In points of the rating.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Window {
    /// Half its width for a new ticket.
    pub start: f64,
    /// What waiting adds to that, a second.
    pub per_s: f64,
    /// Half its width at most. A newcomer has 25 points, and few players have above 50.
    pub widest: f64,
    /// How far the chance to win of a new ticket's match may be from one half.
    pub unfair_start: f64,
    /// What waiting adds to that, a second; at 0.5, any match will do.
    pub unfair_per_s: f64,
    /// Seconds over which a queue comes down from full teams to the smallest ones.
    pub patience_s: u32,
}

/// Times and bounds that all queues share.
#[derive(Clone, Debug, PartialEq)]
pub struct Pace {
    /// Between two looks of a node at the queues.
    pub matcher_period: Duration,
    /// Between two rounds of cleaning up.
    pub cleanup_period: Duration,
    /// A ticket whose owner has not asked for it for so long is gone.
    pub ticket_life: Duration,
    /// How long ended tickets are kept.
    pub ticket_keep: Duration,
    /// A room that was not started for so long is closed.
    pub room_life: Duration,
    /// Seconds after which the battle of a room ends, most: a server must not be held for good.
    pub room_duration_s: u32,
    /// How long a join ticket is good. The wire allows 30 s.
    pub join_life: Duration,
    /// How long a running battle keeps the seat of a player who has not asked for the way to it
    /// since its ticket was over.
    pub no_show: Duration,
    /// What declining costs.
    pub decline: Decline,
    /// Waiting tickets of a queue that are looked at in a pass, oldest first.
    pub tickets_max: u32,
    /// Matches made in one transaction, which keeps transactions short.
    pub matches_max: usize,
    /// How old what `why` and `queues` tell may be.
    pub view_life: Duration,
    /// Between two looks of a node at the tickets that are watched.
    pub look_period: Duration,
    /// After so long without news, a stream of a ticket says that it is alive. Less than half of
    /// `ticket_life`: the stream keeps the ticket alive, too.
    pub stream_beat: Duration,
    /// Streams of tickets at a time, on a node.
    pub streams_max: usize,
    /// Of these, of one player.
    pub streams_per_player_max: usize,
}

/// How long those may not queue who decline ready checks, or let them pass: all of their party,
/// because one of a party could otherwise decline for the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decline {
    /// For the first time; each further time doubles it.
    pub first: Duration,
    /// Longest pause that doubling leads to.
    pub longest: Duration,
    /// After so long without another, it begins anew.
    pub forget: Duration,
}

impl Default for Decline {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(15),
            longest: Duration::from_secs(15 * 60),
            forget: Duration::from_secs(3_600),
        }
    }
}

impl Default for Settings {
    /// Three queues on the shipped maps, and a signer whose key nobody knows yet.
    fn default() -> Self {
        let signer = TicketSigner::generate();
        Self {
            queues: Queue::shipped(),
            room_maps: ["ridge", "steppe", "plain", "quarry"].map(str::to_owned).to_vec(),
            pace: Pace::default(),
            ticket_signer: Arc::new(signer),
            clock: Clock::default(),
        }
    }
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            matcher_period: Duration::from_millis(500),
            cleanup_period: Duration::from_secs(1),
            ticket_life: Duration::from_secs(30),
            ticket_keep: Duration::from_secs(7 * 86_400),
            room_life: Duration::from_secs(2 * 3_600),
            room_duration_s: 3_600,
            join_life: Duration::from_secs(20),
            no_show: Duration::from_secs(30),
            decline: Decline::default(),
            tickets_max: 20_000,
            matches_max: 256,
            view_life: Duration::from_secs(1),
            look_period: Duration::from_millis(250),
            stream_beat: Duration::from_secs(10),
            streams_max: 1_024,
            streams_per_player_max: 2,
        }
    }
}

impl Default for Window {
    fn default() -> Self {
        Self {
            start: 4.0,
            per_s: 0.5,
            widest: 60.0,
            unfair_start: 0.1,
            unfair_per_s: 0.01,
            patience_s: 20,
        }
    }
}

fn half() -> f64 {
    0.5
}

impl Window {
    /// Half the width after `waited_s` seconds.
    pub fn half_width(&self, waited_s: f64) -> f64 {
        (self.start + self.per_s * waited_s.max(0.0)).min(self.widest)
    }

    /// How far the chance to win may be from one half after `waited_s` seconds.
    pub fn unfair(&self, waited_s: f64) -> f64 {
        (self.unfair_start + self.unfair_per_s * waited_s.max(0.0)).min(0.5)
    }
}

/// What is wrong with the name of a mode that is asked for.
pub(crate) fn mode_fault(name: &str) -> Option<&'static str> {
    static FAULT: LazyLock<String> = LazyLock::new(|| {
        let all: Vec<&str> = GameMode::names().collect();
        format!("mode is none of {}", all.join(", "))
    });
    (!GameMode::of_name(name).is_known()).then_some(&FAULT)
}

impl Queue {
    /// What a new installation has.
    pub fn shipped() -> Vec<Self> {
        let (conquest, deathmatch) = (GameMode::Conquest, GameMode::Deathmatch);
        let queue = |name: &str, mode: &GameMode, map: &str, team_min, team_max, is_ranked| Self {
            name: name.to_owned(),
            mode: mode.name().to_owned(),
            map: map.to_owned(),
            is_ranked,
            team_min,
            team_max,
            players_max: team_max * 3,
            duration_s: Some(1_200),
            team_difference_max: 1,
            ready_check_s: None,
            backfill_share: half(),
            window: Window::default(),
        };
        vec![
            queue(conquest.name(), &conquest, "ridge", 4, 32, true),
            queue(deathmatch.name(), &deathmatch, "ridge", 2, 16, true),
            queue("large", &conquest, "steppe", 64, 500, false),
        ]
    }

    /// Players that each team needs when the one who waited longest has waited `waited_s`
    /// seconds: full teams at first, the smallest ones after `patience_s`, even steps between.
    pub fn team_needed(&self, waited_s: f64) -> u32 {
        let patience_s = f64::from(self.window.patience_s);
        let share = if patience_s > 0.0 { (waited_s / patience_s).clamp(0.0, 1.0) } else { 1.0 };
        let spare = f64::from(self.team_max.saturating_sub(self.team_min));
        self.team_max - (spare * share).floor() as u32
    }

    /// Seconds that a battle of this queue is filled up after it began.
    pub fn backfill_s(&self) -> f64 {
        /// A round without a clock of its own takes about so long.
        const ROUND_S: u32 = 1_200;
        f64::from(self.duration_s.unwrap_or(ROUND_S)) * self.backfill_share
    }

    fn fault(&self) -> Option<&'static str> {
        let is_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let Window { start, per_s, widest, unfair_start, unfair_per_s, .. } = self.window;
        if !(1..=32).contains(&self.name.len()) || !self.name.bytes().all(is_name) {
            Some("a name has 1 to 32 lower-case letters, digits and dashes")
        } else if let Some(fault) = mode_fault(&self.mode) {
            Some(fault)
        } else if !(1..=60).contains(&self.map.len()) {
            Some("a map has a name")
        } else if self.team_min == 0 || self.team_min > self.team_max {
            Some("team_min is 1 to team_max")
        } else if self.players_max < self.team_max * 2 || self.players_max > 2_048 {
            Some("players_max is two full teams to 2048")
        } else if self.duration_s.is_some_and(|duration_s| !(5..=86_400).contains(&duration_s)) {
            Some("duration_s is 5 to 86400")
        } else if self.ready_check_s.is_some_and(|answer_s| !(3..=120).contains(&answer_s)) {
            Some("ready_check_s is 3 to 120")
        } else if !(0.0..=1.0).contains(&self.backfill_share) {
            Some("backfill_share is 0 to 1")
        } else if !(start >= 0.0 && per_s >= 0.0 && widest >= start && widest.is_finite()) {
            Some("a window starts at 0 or more, does not shrink, and has a finite width")
        } else if !(unfair_start >= 0.0 && unfair_per_s >= 0.0) {
            Some("unfair_start and unfair_per_s are 0 or more")
        } else {
            None
        }
    }
}

impl Settings {
    /// The queue of that name.
    pub fn queue(&self, name: &str) -> Option<&Queue> {
        self.queues.iter().find(|queue| queue.name == name)
    }

    /// The names of all queues, for people.
    pub(crate) fn names(&self) -> String {
        let names: Vec<&str> = self.queues.iter().map(|queue| &*queue.name).collect();
        names.join(", ")
    }

    /// Whether all of it makes sense; for `sortie-control check` and before the start.
    ///
    /// # Errors
    /// The first thing that does not, in words.
    pub fn check(&self) -> Result<(), String> {
        let mut names = BTreeSet::new();
        for queue in &self.queues {
            if let Some(fault) = queue.fault() {
                return Err(format!("queue '{}': {fault}", queue.name));
            }
            if !names.insert(&queue.name) {
                return Err(format!("queue '{}' is there twice", queue.name));
            }
        }
        if self.queues.is_empty() {
            return Err("there is no queue".to_owned());
        }
        if self.pace.join_life > Duration::from_secs(30) {
            return Err("join tickets live 30 s at most".to_owned());
        }
        if self.pace.stream_beat * 2 > self.pace.ticket_life {
            return Err("a stream's beat is at most half of a ticket's life".to_owned());
        }
        if !(5..=86_400).contains(&self.pace.room_duration_s) {
            return Err("battles of rooms last 5 to 86400 s".to_owned());
        }
        Ok(())
    }

    /// The time, by the database's clock.
    pub(crate) async fn now(&self, db: &PgPool) -> sqlx::Result<OffsetDateTime> {
        self.clock.now(db).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_queues_make_sense() {
        Settings::default().check().unwrap();
    }

    #[test]
    fn nonsense_is_named() {
        let broken = |change: fn(&mut Queue)| {
            let mut settings = Settings::default();
            change(&mut settings.queues[0]);
            settings.check().unwrap_err()
        };
        assert!(broken(|queue| queue.team_min = 0).contains("team_min"));
        assert!(broken(|queue| queue.team_max = 1_025).contains("players_max"));
        assert!(broken(|queue| queue.window.widest = f64::NAN).contains("window"));
        assert!(broken(|queue| queue.name = "large".to_owned()).contains("twice"));
    }

    #[test]
    fn a_queue_gets_less_choosy_with_time() {
        let queue = &Queue::shipped()[0];
        let needed = |waited_s| queue.team_needed(waited_s);
        assert_eq!([needed(0.0), needed(10.0), needed(20.0), needed(1e9)], [32, 18, 4, 4]);
        let width = |waited_s| queue.window.half_width(waited_s);
        assert_eq!([width(-5.0), width(10.0), width(1e9)], [4.0, 9.0, 60.0]);
    }
}
