//! Four nodes on one database: no ticket and no player in two matches, and the counts add up.

use crate::support::{Node, queue};
use sortie_control::store::{self, MIGRATOR};
use sortie_matchmaking::{Queue, Settings, matcher};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use uuid::Uuid;

const TICKETS: i64 = 10_000;

/// Ten thousand tickets of one or two players, with ratings all over, made in one statement each.
async fn many_wait(db: &PgPool, queues: i32) {
    let statements = [
        "insert into player (player_id, name)
         select gen_random_uuid(), 'Player ' || n from generate_series(1, $1 * 3 / 2) n
         where $2 > 0",
        "insert into ticket (ticket_id, queue, created_at, expires_at, rating, deviation, size)
         select gen_random_uuid(), 'queue-' || n % $2, now() - n % 60 * interval '1 s',
            now() + interval '1 hour', 25 + 8 * sin(n), 1 + n % 7, 1 + n / $2 % 2
         from generate_series(1, $1) n",
        "with seat as (
            select ticket_id, row_number() over (order by ticket_id, place) as number
            from ticket, generate_series(1, size) place
        ), someone as (
            select player_id, row_number() over (order by player_id) as number from player
        )
        insert into ticket_player (ticket_id, player_id, rating, deviation)
        select ticket_id, player_id, 25, 8 from seat join someone using (number)
        where $1 > 0 and $2 > 0",
        "insert into ticket_open (player_id, ticket_id)
         select player_id, ticket_id from ticket_player where $1 > 0 and $2 > 0",
    ];
    for statement in statements {
        sqlx::query(statement).bind(TICKETS as i32).bind(queues).execute(db).await.unwrap();
    }
}

/// Pools of their own, as on four machines.
async fn nodes(db: &PgPool, settings: &Settings, rounds: usize) -> u64 {
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let options = (*db.connect_options()).clone();
        let pool = PgPoolOptions::new().max_connections(2).connect_with(options).await.unwrap();
        let settings = settings.clone();
        tasks.spawn(async move {
            let mut matched = 0;
            for _ in 0..rounds {
                for queue in &settings.queues {
                    let pass = matcher::pass(&pool, &settings, queue).await.unwrap();
                    matched += (pass.matched + pass.backfilled) as u64;
                }
            }
            pool.close().await;
            matched
        });
    }
    let mut matched = 0;
    while let Some(task) = tasks.join_next().await {
        matched += task.unwrap();
    }
    matched
}

async fn assert_ledger(node: &Node, matched: i64) {
    let count = async |query| node.count(query).await;
    let waiting = count("select count(*) from ticket where state = 'waiting'").await;
    assert_eq!(count("select count(*) from ticket where state = 'matched'").await, matched);
    assert_eq!(waiting + matched, TICKETS, "everyone is matched or still waits");
    // The key of battle_player allows a player twice, in two battles.
    let twice = "select count(*) from (
        select from battle_player group by player_id having count(*) > 1) twice";
    assert_eq!(count(twice).await, 0, "players in two matches");
    let seated = "select coalesce(sum(size), 0)::bigint from ticket where state = 'matched'";
    assert_eq!(count(seated).await, count("select count(*) from battle_player").await);
    let open = "select coalesce(sum(size), 0)::bigint from ticket where state = 'waiting'";
    assert_eq!(count(open).await, count("select count(*) from ticket_open").await);
    let split = "select count(*) from (
        select from ticket join ticket_player using (ticket_id)
            join battle_player b using (battle_id, player_id)
        group by ticket_id having count(distinct b.team) > 1) split";
    assert_eq!(count(split).await, 0, "parties that were split");
    let elsewhere = "select count(*) from ticket join ticket_player using (ticket_id)
        left join battle_player b using (battle_id, player_id)
        where state = 'matched' and b.player_id is null";
    assert_eq!(count(elsewhere).await, 0, "matched without a seat");
    let uneven = "select count(*) from (
        select from battle_player group by battle_id
        having abs(sum(case team when 0 then 1 else -1 end)) > 1
            or count(*) filter (where team = 0) > 8
            or count(*) filter (where team = 1) > 8) uneven";
    assert_eq!(count(uneven).await, 0, "teams that differ, or are too large");
    let empty = "select count(*) from battle where not exists (
        select from battle_player p where p.battle_id = battle.battle_id)";
    assert_eq!(count(empty).await, 0);
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn four_nodes_and_ten_thousand_tickets(db: PgPool) {
    let queues: Vec<Queue> = (0..4).map(|number| queue(&format!("queue-{number}"))).collect();
    let mut node = Node::new(&db, queues);
    // Small transactions: the nodes take the queues from each other all the time.
    node.settings.pace.matches_max = 16;
    many_wait(&db, 4).await;
    let matched = nodes(&db, &node.settings, 12).await;
    println!("{matched} of {TICKETS} matched");
    assert!(matched > 9_900, "{matched}");
    assert_ledger(&node, matched as i64).await;
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn row_locks_alone_keep_matches_apart(db: PgPool) {
    // All four plan the same matches at once: the worst case.
    let node = Node::new(&db, vec![queue("queue-0")]);
    many_wait(&db, 1).await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let (db, settings) = (db.clone(), node.settings.clone());
        tasks.spawn(async move {
            matcher::pass_unlocked(&db, &settings, &settings.queues[0]).await.unwrap().matched
        });
    }
    let mut matched = 0;
    while let Some(task) = tasks.join_next().await {
        matched += task.unwrap() as i64;
    }
    assert!(matched > 0);
    assert_ledger(&node, matched).await;
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn tickets_that_are_cancelled_while_matches_are_made_are_in_none(db: PgPool) {
    let mut node = Node::new(&db, vec![queue("queue-0")]);
    node.settings.pace.matches_max = 4;
    many_wait(&db, 1).await;
    let cancelling = async {
        let ids: Vec<Uuid> =
            sqlx::query_scalar("select ticket_id from ticket order by 1 limit 500")
                .fetch_all(&db)
                .await
                .unwrap();
        let mut cancelled = 0;
        for id in ids {
            let player: Uuid = sqlx::query_scalar(
                "select player_id from ticket_player where ticket_id = $1 limit 1",
            )
            .bind(id)
            .fetch_one(&db)
            .await
            .unwrap();
            let path = format!("/v1/matchmaking/tickets/{id}");
            let (status, _) = node.call(player, "DELETE", &path, None).await;
            assert!([204, 409].contains(&status.as_u16()), "{status}");
            cancelled += i64::from(status.as_u16() == 204);
        }
        cancelled
    };
    let (cancelled, matched) = tokio::join!(cancelling, nodes(&db, &node.settings, 3));
    assert_eq!(
        node.count("select count(*) from ticket where state = 'cancelled'").await,
        cancelled
    );
    assert_eq!(
        node.count("select count(*) from ticket where state = 'matched'").await,
        matched as i64
    );
    let ghosts = "select count(*) from ticket join ticket_player using (ticket_id)
        join battle_player using (player_id) where state = 'cancelled'";
    assert_eq!(node.count(ghosts).await, 0);
    store::require_current(&db).await.unwrap();
}
