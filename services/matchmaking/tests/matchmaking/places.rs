//! A player is in one place: of a queue, an open room and a battle that is not over, whatever
//! happens at once; and waits with the party or not at all.
//!
//! `SORTIE_CASES=500` plays more cases, `SORTIE_SEED=n` the same ones again. The rules stand here
//! once more, in SQL of their own: the product's view is not asked.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use sortie_control::store::MIGRATOR;
use sortie_matchmaking::{Queue, matcher};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tokio::sync::Barrier;
use uuid::Uuid;

use crate::support::{Node, queue};

const PARALLEL: usize = 64;
const PLAYERS: usize = 6;
/// What each of the parallel callers does, one after another.
const STEPS: usize = 3;

/// Players in two places at once.
const TWICE: &str = "select count(*) from (
    select player_id from (
        select player_id from ticket_open
        union all
        select p.player_id from room_player p join room r using (room_id) where r.state = 'open'
        union all
        select p.player_id from battle_player p join battle b using (battle_id)
        where p.gone_at is null and b.state in ('asked', 'allocated', 'running')
    ) as place group by player_id having count(*) > 1) as twice";

/// Players who wait otherwise than their party does.
const APART: &str = "select count(*) from party_member m
    full join (select o.player_id, t.party_id from ticket_open o join ticket t using (ticket_id)) w
        using (player_id)
    where (w.player_id is not null and w.party_id is distinct from m.party_id)
        or (w.player_id is null and exists (
            select from ticket t where t.party_id = m.party_id
                and t.state in ('waiting', 'proposed')))";

/// Tickets that wait without holding all of their players.
const LOOSE: &str = "select count(*) from ticket t where t.state in ('waiting', 'proposed')
    and t.size <> (select count(*) from ticket_open o where o.ticket_id = t.ticket_id)";

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

/// Splitmix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

async fn wide(db: &PgPool) -> PgPool {
    let options = (*db.connect_options()).clone();
    PgPoolOptions::new().max_connections(48).connect_with(options).await.unwrap()
}

async fn count(db: &PgPool, query: &'static str) -> i64 {
    sqlx::query_scalar(query).fetch_one(db).await.unwrap()
}

fn room() -> Option<Value> {
    Some(json!({ "name": "Friday night", "mode": "conquest", "map": "ridge", "players_max": 4 }))
}

/// One fixture: a queue, a server and players of its own.
struct Fixture {
    node: Node,
    players: Vec<Uuid>,
    server: Uuid,
    /// Codes of parties and rooms.
    codes: Mutex<Vec<Value>>,
}

impl Fixture {
    async fn new(db: &PgPool, case: u64, ready_check_s: Option<u32>) -> Self {
        let mut pairs = Queue {
            team_max: 2,
            players_max: 6,
            ready_check_s,
            ..queue(&format!("places-{case}"))
        };
        pairs.window.patience_s = 0;
        pairs.window.unfair_start = 0.5;
        let node = Node::new(db, vec![pairs]);
        let mut players = Vec::new();
        for _ in 0..PLAYERS {
            let name = format!("P{}", &Uuid::new_v4().simple().to_string()[..20]);
            players.push(sortie_testing::player(db, &name).await);
        }
        let server = Uuid::now_v7();
        sqlx::query(
            "insert into battle_server (server_id, name, address, fingerprint, version,
                protocol_version, battles_max, players_max, state, lease_until)
             values ($1, $2, '127.0.0.1:4433', $3, '0', 2, 64, 100, 'ready', now())",
        )
        .bind(server)
        .bind(server.simple().to_string())
        .bind(vec![1_u8; 32])
        .execute(db)
        .await
        .unwrap();
        Self { node, players, server, codes: Mutex::default() }
    }

    async fn step(&self, player: Uuid, what: u64, pick: usize) {
        let post = async |path: String, body| self.node.call(player, "POST", &path, body).await.1;
        let mine = async |name: &str| {
            let (_, mine) = self.node.call(player, "GET", "/v1/matchmaking/mine", None).await;
            if name == "battle" {
                let battles = mine["battles"].as_array().cloned().unwrap_or_default();
                battles.get(pick % battles.len().max(1)).map(|it| it["battle_id"].clone())
            } else {
                Some(mine[name].clone())
            }
        };
        let text = |value: Option<Value>| value.and_then(|it| it.as_str().map(str::to_owned));
        match what {
            0..=3 => {
                let queue = &self.node.settings.queues[0].name;
                post("/v1/matchmaking/tickets".into(), Some(json!({ "queue": queue }))).await;
            }
            4 => {
                let ticket = mine("ticket").await.unwrap_or_default();
                if let Some(id) = ticket["ticket_id"].as_str() {
                    let path = format!("/v1/matchmaking/tickets/{id}");
                    self.node.call(player, "DELETE", &path, None).await;
                }
            }
            5 | 6 => {
                let (path, body) =
                    if what == 5 { ("/v1/parties", None) } else { ("/v1/rooms", room()) };
                let made = post(path.into(), body).await;
                if made["code"].is_string() {
                    self.codes.lock().unwrap().push(json!({ "code": made["code"] }));
                }
            }
            7..=10 => {
                let code = {
                    let codes = self.codes.lock().unwrap();
                    codes.get(pick % codes.len().max(1)).cloned()
                };
                let kind = if what.is_multiple_of(2) { "rooms" } else { "parties" };
                post(format!("/v1/{kind}/join"), code.or(Some(json!({ "code": "ABCDEF" })))).await;
            }
            11 | 12 => {
                let kind = if what == 11 { "rooms" } else { "parties" };
                post(format!("/v1/{kind}/leave"), None).await;
            }
            13 | 14 => {
                if let Some(id) = text(mine("room_id").await) {
                    post(format!("/v1/rooms/{id}/start"), None).await;
                }
            }
            15 | 16 => {
                if let Some(id) = text(mine("battle").await) {
                    let act = if pick.is_multiple_of(2) { "leave" } else { "join" };
                    post(format!("/v1/battles/{id}/{act}"), None).await;
                }
            }
            17 => {
                let ticket = mine("ticket").await.unwrap_or_default();
                if let Some(id) = ticket["proposal"]["match_id"].as_str() {
                    let path = format!("/v1/matchmaking/proposals/{id}/answer");
                    post(path, Some(json!({ "accept": !pick.is_multiple_of(4) }))).await;
                }
            }
            18..=20 => {
                let (db, settings) = (self.node.db(), &self.node.settings);
                matcher::pass(db, settings, &settings.queues[0]).await.unwrap();
            }
            21 => self.node.clean_up().await,
            _ => self.fleet(pick % 4).await,
        }
    }

    /// What the fleet does: battles get their server, and end; the server goes and comes back.
    async fn fleet(&self, what: usize) {
        let query = match what {
            0 => {
                "update battle set state = 'running', server_id = $1, server_epoch = 1
                 where state = 'asked' and battle_id in (
                     select battle_id from battle_player where player_id = any($2))"
            }
            1 => {
                "update battle set state = 'finished' where battle_id in (
                     select battle_id from battle where server_id = $1 and state = 'running'
                         and $2::uuid[] is not null order by battle_id limit 1)"
            }
            2 => {
                "update battle_server set state = 'gone'
                 where server_id = $1 and $2::uuid[] is not null"
            }
            _ => {
                "update battle_server set state = 'ready'
                 where server_id = $1 and $2::uuid[] is not null"
            }
        };
        let query = sqlx::query(query).bind(self.server).bind(&self.players);
        query.execute(self.node.db()).await.unwrap();
    }
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_player_is_in_one_place_whatever_happens_at_once(db: PgPool) {
    let (cases, seed) = (number("SORTIE_CASES", 6), number("SORTIE_SEED", 1));
    println!("SORTIE_SEED={seed} SORTIE_CASES={cases}");
    let db = wide(&db).await;
    for case in 0..cases {
        let mut random = Random(seed.wrapping_add(case));
        let ready_check_s = random.next().is_multiple_of(2).then_some(3);
        let fixture = Arc::new(Fixture::new(&db, case, ready_check_s).await);
        let start = Arc::new(Barrier::new(PARALLEL));
        let mut callers = tokio::task::JoinSet::new();
        for _ in 0..PARALLEL {
            let steps: Vec<(usize, u64, usize)> = (0..STEPS)
                .map(|_| {
                    let player = random.next() as usize % PLAYERS;
                    (player, random.next() % 24, random.next() as usize)
                })
                .collect();
            let (fixture, start) = (Arc::clone(&fixture), Arc::clone(&start));
            callers.spawn(async move {
                start.wait().await;
                for (player, what, pick) in steps {
                    fixture.step(fixture.players[player], what, pick).await;
                }
            });
        }
        // Each look sees one moment, in the midst of it all; the last one what came of it.
        loop {
            while let Some(ended) = callers.try_join_next() {
                ended.unwrap();
            }
            let is_over = callers.is_empty();
            assert_eq!(count(&db, TWICE).await, 0, "in two places; case {case}");
            assert_eq!(count(&db, APART).await, 0, "apart from the party; case {case}");
            assert_eq!(count(&db, LOOSE).await, 0, "a ticket holds nobody; case {case}");
            if is_over {
                break;
            }
        }
        // What is left is in nobody's way.
        let battles = "update battle set state = 'cancelled'";
        for query in [battles, "delete from ticket", "delete from party"] {
            sqlx::query(query).execute(&db).await.unwrap();
        }
    }
    db.close().await;
}

/// Of two ways to a place that are tried at once, one succeeds; 64 times.
#[sqlx::test(migrator = "MIGRATOR")]
async fn of_two_ways_that_are_tried_at_once_one_succeeds(db: PgPool) {
    let db = wide(&db).await;
    let node = Node::new(&db, vec![queue("duel")]);
    let ticket = || Some(json!({ "queue": "duel" }));
    for round in 0..PARALLEL {
        let player = sortie_testing::player(&db, &format!("Player {round}")).await;
        let other = if round % 2 == 0 { ("/v1/rooms", room()) } else { ("/v1/parties", None) };
        let (waits, comes) = tokio::join!(
            node.call(player, "POST", "/v1/matchmaking/tickets", ticket()),
            node.call(player, "POST", other.0, other.1),
        );
        // A leader may queue the party that was made first.
        let both = waits.0.is_success() && comes.0.is_success();
        assert!(waits.0.is_success() || comes.0.is_success(), "{waits:?} {comes:?}");
        assert!(!both || round % 2 == 1, "in a room and in a queue");
    }
    assert_eq!(count(&db, TWICE).await, 0, "in two places");
    assert_eq!(count(&db, APART).await, 0, "apart from the party");
    db.close().await;
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn who_has_a_seat_in_a_queues_battle_sits_in_no_room(db: PgPool) {
    let duel = Queue { team_max: 1, players_max: 2, ..queue("duel") };
    let node = Node::new(&db, vec![duel]);
    let [ada, bob, eve] = node.players(["Ada", "Bob", "Eve"]).await;
    let made = node.ok(eve, "POST", "/v1/rooms", room()).await;
    let code = Some(json!({ "code": made["code"] }));
    for player in [ada, bob] {
        node.wait_in(player, "duel").await;
    }
    assert_eq!(node.pass().await.matched, 2);
    for (path, body) in [("/v1/rooms", room()), ("/v1/rooms/join", code.clone())] {
        let refused = node.refused(ada, "POST", path, body).await;
        assert_eq!(refused, (409, "room.in_battle".to_owned()), "{path}");
    }
    let battle = node.ok(ada, "GET", "/v1/matchmaking/mine", None).await;
    let battle_id = battle["battles"][0]["battle_id"].as_str().unwrap().to_owned();
    node.ok(ada, "POST", &format!("/v1/battles/{battle_id}/leave"), None).await;
    node.ok(ada, "POST", "/v1/rooms/join", code).await;
}

/// Its battle goes on when it comes back; whoever went elsewhere meanwhile is not in it any more.
#[sqlx::test(migrator = "MIGRATOR")]
async fn a_server_that_comes_back_brings_nobody_into_a_second_battle(db: PgPool) {
    let duel = Queue { team_max: 1, players_max: 2, ..queue("duel") };
    let node = Node::new(&db, vec![duel]);
    let players = node.players(["Ada", "Bob"]).await;
    for player in players {
        node.wait_in(player, "duel").await;
    }
    assert_eq!(node.pass().await.matched, 2);
    let mine = node.ok(players[0], "GET", "/v1/matchmaking/mine", None).await;
    let battle_id = mine["battles"][0]["battle_id"].as_str().unwrap().to_owned();
    node.run_battle(&battle_id).await;
    let set = async |state: &str| {
        let server = "update battle_server set state = $1";
        sqlx::query(server).bind(state).execute(&db).await.unwrap();
    };
    set("gone").await;
    for player in players {
        node.wait_in(player, "duel").await;
    }
    assert_eq!(node.pass().await.matched, 2);
    set("ready").await;
    assert_eq!(count(&db, TWICE).await, 0, "in two battles");
    let kicks = "select count(*) from server_order where kind = 'kick'";
    assert_eq!(node.count(kicks).await, 2, "the server is told");
    let join = format!("/v1/battles/{battle_id}/join");
    let back = node.refused(players[0], "POST", &join, None).await;
    assert_eq!(back, (409, "matchmaking.in_battle".to_owned()));
}
