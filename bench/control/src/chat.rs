//! Chat messages fanned out to a thousand WebSockets: a real listener, real sockets over loopback,
//! one channel, and speakers who speed up step by step.
//!
//! A node has a thread of its own, and all clients share another one. A message says when it was
//! due, so a delay holds whatever made it late: the pace, the socket, the batch writer, Postgres,
//! the fan-out, and the client's own queue.

mod crowd;
mod node;

use anyhow::ensure;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sortie_control::access::AccessKeys;
use sqlx::PgPool;
use uuid::Uuid;

use crate::figure::{Figures, quantile_ms};
use crate::fixture::Fixture;
use crowd::{Crowd, Heard};
use node::Node;

/// Players of the same channel.
const SOCKETS: usize = 1_000;

/// Messages a second of each step.
const STEPS: [u32; 7] = [10, 25, 50, 75, 100, 150, 200];

/// Seconds of a step.
const STEP_S: u32 = 3;

/// The delay up to which a step is held, p99.
const HELD_MS: f64 = 200.0;

/// Messages on their way at most while going as fast as it goes; a socket's queue holds 512.
const ON_THE_WAY: usize = 64;

/// Files beside the sockets: pools, logs, the runtime's own.
const OTHER_FILES: u64 = 512;

/// One node, then two with Redis between them.
pub(crate) async fn run(fixture: &Fixture, figures: &mut Figures) -> anyhow::Result<()> {
    let sockets = fixture.size(SOCKETS, 40);
    // Both ends are in this process.
    raise_file_limit(2 * sockets as u64 + OTHER_FILES)?;
    let mut setups = vec![("one node", 1, None)];
    match &fixture.redis {
        Some(redis) => setups.push(("two nodes with Redis", 2, Some(redis.clone()))),
        None => fixture.say("no Redis: nothing is measured between nodes"),
    }
    for repeat in 0..fixture.repeats {
        for (which, nodes, redis) in &setups {
            fixture.say(format_args!("{sockets} sockets on {which}, run {repeat}"));
            let room = Room::new(&fixture.db, sockets).await?;
            let keys = AccessKeys::generate();
            let started = (0..*nodes).map(|_| Node::start(&fixture.url, redis.clone(), &keys));
            let started = started.collect::<anyhow::Result<Vec<Node>>>()?;
            let measured = measure(fixture, which, &started, &keys, &room, figures).await;
            for node in started {
                node.stop();
            }
            measured?;
        }
    }
    Ok(())
}

/// A battle, whose channel all its players may join.
struct Room {
    battle: Uuid,
    players: Vec<Uuid>,
}

impl Room {
    async fn new(db: &PgPool, count: usize) -> sqlx::Result<Self> {
        let battle = Uuid::now_v7();
        let players: Vec<Uuid> = sqlx::query_scalar(
            "insert into player (player_id, name)
            select id, 'c' || left(replace(id::text, '-', ''), 20)
            from (select gen_random_uuid() as id from generate_series(1, $1)) new
            returning player_id",
        )
        .bind(count as i64)
        .fetch_all(db)
        .await?;
        // Sockets of no living login are closed. A player's login has the player's id here.
        sqlx::query(
            "insert into personal.login_session (session_id, player_id, expires_at)
            select id, id, now() + interval '1 day' from unnest($1::uuid[]) id",
        )
        .bind(&players)
        .execute(db)
        .await?;
        sqlx::query(
            "insert into battle (battle_id, mode, map, is_ranked, players_max, state)
            values ($1, 'conquest', 'plain', false, 1000, 'asked')",
        )
        .bind(battle)
        .execute(db)
        .await?;
        sqlx::query(
            "insert into battle_player (battle_id, player_id, team, came_by)
            select $1, id, 0, 'match' from unnest($2::uuid[]) id",
        )
        .bind(battle)
        .bind(&players)
        .execute(db)
        .await?;
        Ok(Self { battle, players })
    }

    /// Messages of the channel that are stored.
    async fn stored(&self, db: &PgPool) -> sqlx::Result<i64> {
        sqlx::query_scalar(
            "select count(*) from chat_message join chat_channel using (channel_id)
            where kind = 'battle' and about = $1",
        )
        .bind(self.battle.to_string())
        .fetch_one(db)
        .await
    }
}

async fn measure(
    fixture: &Fixture,
    which: &str,
    nodes: &[Node],
    keys: &AccessKeys,
    room: &Room,
    figures: &mut Figures,
) -> anyhow::Result<()> {
    let sockets = room.players.len();
    let about = format!("{which}, {sockets} sockets");
    let crowd = Crowd::enter(nodes, keys, room.battle, &room.players).await?;
    let mut said = 0;

    // As fast as it goes: the next message is said when an earlier one has come everywhere.
    let busy = Busy::new(nodes);
    let heard = crowd.flood(fixture.size(3, 1), ON_THE_WAY).await?;
    said += heard.said;
    let guard = complete(&heard, sockets)?;
    let what = format!("deliveries, {ON_THE_WAY} messages on the way, {about}");
    figures.add(what, "1/s", heard.per_s(), guard);
    if let Some(cpu_s) = busy.seconds(nodes) {
        let us = cpu_s * 1e6 / heard.deliveries as f64;
        let guard = "user and system, nodes only, the kernel's loopback included";
        figures.add(format!("CPU time of a node per delivery, {about}"), "µs", us, guard);
    }

    let mut best = (0.0, String::new());
    for rate in STEPS {
        let rate = if fixture.quick { rate.min(25) } else { rate };
        let mut heard = crowd.pace(rate, fixture.size(STEP_S, 1)).await?;
        said += heard.said;
        let [p50, p99] = [0.5, 0.99].map(|share| quantile_ms(&mut heard.delays, share));
        let guard = match complete(&heard, sockets) {
            // A quick run shows that it works, however busy the machine is.
            Ok(guard) if p99 <= HELD_MS || fixture.quick => guard,
            Ok(_) => break,
            // Closed sockets are the honest answer to too much; wrong ones are not.
            Err(error) if heard.wrong > 0 => return Err(error),
            Err(_) => break,
        };
        let step = format!("{rate} messages/s, {about}");
        figures.add(format!("delay p50, {step}"), "ms", p50, &*guard);
        figures.add(format!("delay p99, {step}"), "ms", p99, &*guard);
        best = (heard.per_s(), guard);
        if fixture.quick && rate == 25 {
            break;
        }
    }
    let (per_s, guard) = best;
    ensure!(per_s > 0.0, "not even the slowest step is held");
    let guard = format!("p99 ≤ {HELD_MS} ms; {guard}");
    figures.add(format!("deliveries of the largest step held, {about}"), "1/s", per_s, guard);
    let stored = room.stored(&fixture.db).await?;
    ensure!(stored >= said as i64 || crowd.closed() > 0, "{stored} of {said} messages are stored");
    Ok(())
}

/// The guard of a run in which everything came, once and in order.
fn complete(heard: &Heard, sockets: usize) -> anyhow::Result<String> {
    let Heard { said, deliveries, wrong, refused, closed, .. } = heard;
    let all = *said * sockets;
    ensure!(*wrong == 0, "{wrong} messages came twice or in another order");
    ensure!(*refused == 0 && *closed == 0, "{refused} refused, {closed} sockets closed");
    ensure!(*deliveries == all, "{deliveries} of {all} deliveries");
    Ok(format!("{deliveries} of {said} × {sockets} deliveries, each once and in order"))
}

/// CPU time of nodes up to a moment.
struct Busy(Option<f64>);

impl Busy {
    fn new(nodes: &[Node]) -> Self {
        Self(nodes.iter().map(Node::cpu_s).sum())
    }

    fn seconds(self, nodes: &[Node]) -> Option<f64> {
        let now: Option<f64> = nodes.iter().map(Node::cpu_s).sum();
        Some(now? - self.0?)
    }
}

/// Makes room for so many open files.
fn raise_file_limit(wanted: u64) -> anyhow::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= wanted) {
        return Ok(());
    }
    let most = limit.maximum.unwrap_or(u64::MAX);
    ensure!(most >= wanted, "{wanted} open files are needed, and {most} allowed: `ulimit -Hn`");
    setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), ..limit })?;
    Ok(())
}
