//! Watching: who sees what, when, and until when.

use std::time::{Duration, Instant};

use sortie_rpc::fleet::v1::BattleStatus;
use sortie_rpc::game::v1::{WatchBattleRequest, WatchBattleResponse};
use sqlx::PgPool;
use tonic::{Code, Status, Streaming};
use uuid::Uuid;

use crate::common::{
    Line, Node, Server, ask, quick, registration, soon, status, until, until_state, with,
};

/// A battle that runs, with its server's stream.
async fn running(db: &PgPool, node: &Node) -> (Uuid, Server, Line) {
    let server = node.fleet().await.register(registration("one", 1)).await;
    let mut line = server.serve().await;
    let battle = ask(db, 64).await;
    line.order().await;
    let mut beat = server.beat();
    beat.battles = vec![status(battle, 1)];
    line.send(beat).await;
    until_state(db, battle, "running").await;
    (battle, server, line)
}

async fn watch(
    node: &Node,
    battle: Uuid,
    token: &str,
    with_positions: bool,
) -> Result<Streaming<WatchBattleResponse>, Status> {
    let request = WatchBattleRequest { battle_id: battle.to_string(), with_positions };
    let answer = node.game().await.watch_battle(with(request, token)).await?;
    Ok(answer.into_inner())
}

async fn next(stream: &mut Streaming<WatchBattleResponse>) -> Option<BattleStatus> {
    let answer = soon("a status comes", stream.message()).await.unwrap();
    answer.map(|answer| answer.status.unwrap())
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn players_see_the_score_and_neither_positions_nor_regions(db: PgPool) {
    let node = Node::start(&db, quick()).await;
    let (battle, server, line) = running(&db, &node).await;
    let token = sortie_testing::token(&node.app, sortie_testing::player(&db, "Watcher").await);
    let mut stream = watch(&node, battle, &token, false).await.unwrap();
    assert_eq!(next(&mut stream).await.unwrap().score, [100, 90], "what is stored comes first");
    for tick in 2..200 {
        let mut beat = server.beat();
        beat.battles = vec![status(battle, tick)];
        line.send(beat).await;
        let seen = next(&mut stream).await.unwrap();
        assert!(seen.positions.is_empty() && seen.regions.is_empty());
        if seen.tick > 20 {
            break;
        }
    }
    // The result is in: the last status, and the end.
    sqlx::query("update battle set state = 'finished', ended_at = now() where battle_id = $1")
        .bind(battle)
        .execute(&db)
        .await
        .unwrap();
    while next(&mut stream).await.is_some() {}
    node.stop().await;
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn positions_need_the_permission_and_refusals_are_audited(db: PgPool) {
    let node = Node::start(&db, quick()).await;
    let (battle, _server, _line) = running(&db, &node).await;
    let player = sortie_testing::player(&db, "Curious").await;
    let token = sortie_testing::token(&node.app, player);
    let refused = watch(&node, battle, &token, true).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    let audited: i64 = sqlx::query_scalar(
        "select count(*) from audit
         where actor = $1 and action = 'battles.watch' and outcome = 'refused'",
    )
    .bind(player)
    .fetch_one(&db)
    .await
    .unwrap();
    assert_eq!(audited, 1);
    let nobody = watch(&node, Uuid::nil(), &token, false).await.unwrap_err();
    assert_eq!(nobody.code(), Code::NotFound);
    node.stop().await;
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn spectators_see_positions_as_late_as_they_should(db: PgPool) {
    let node = Node::start(&db, quick()).await;
    let (battle, server, line) = running(&db, &node).await;
    let staff = sortie_testing::player(&db, "Referee").await;
    sortie_testing::grant(&db, staff, "moderator").await;
    let token = sortie_testing::token(&node.app, staff);
    let mut stream = watch(&node, battle, &token, true).await.unwrap();
    let sending = tokio::spawn(async move {
        let mut sent_at = Vec::new();
        let mut pace = tokio::time::interval(Duration::from_millis(60));
        for tick in 0..60_u32 {
            pace.tick().await;
            let mut beat = server.beat();
            beat.battles = vec![status(battle, tick)];
            sent_at.push(Instant::now());
            line.send(beat).await;
        }
        (sent_at, line)
    });
    let mut seen = Vec::new();
    while seen.len() < 20 {
        let status = next(&mut stream).await.unwrap();
        // What was stored before the watch began has no positions.
        if !status.positions.is_empty() {
            assert_eq!(status.regions.len(), 1);
            seen.push((status.tick, Instant::now()));
        }
    }
    let (sent_at, _line) = sending.await.unwrap();
    for (tick, at) in seen {
        let late = at.duration_since(sent_at[tick as usize]);
        assert!(late >= quick().spectator_delay, "tick {tick} was seen after {late:?}");
    }
    node.stop().await;
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn another_node_without_a_common_bus_shows_what_is_stored(db: PgPool) {
    let node = Node::start(&db, quick()).await;
    let other = Node::without_jobs(&db, quick()).await;
    let (battle, server, line) = running(&db, &node).await;
    let token = sortie_testing::token(&other.app, sortie_testing::player(&db, "Elsewhere").await);
    let mut stream = watch(&other, battle, &token, false).await.unwrap();
    let mut pace = tokio::time::interval(quick().heartbeat);
    for tick in 2.. {
        pace.tick().await;
        let mut beat = server.beat();
        beat.battles = vec![status(battle, tick)];
        line.send(beat).await;
        if next(&mut stream).await.unwrap().tick > 5 {
            break;
        }
        assert!(tick < 200, "the stored status is not seen");
    }
    node.stop().await;
    other.stop().await;
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn one_player_watches_four_battles_at_a_time_and_leaves_the_rest_to_others(db: PgPool) {
    let node = Node::start(&db, quick()).await;
    let (battle, _server, _line) = running(&db, &node).await;
    let greedy = sortie_testing::token(&node.app, sortie_testing::player(&db, "Greedy").await);
    let other = sortie_testing::token(&node.app, sortie_testing::player(&db, "Other").await);
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(watch(&node, battle, &greedy, false).await.unwrap());
    }
    let fifth = watch(&node, battle, &greedy, false).await.unwrap_err();
    assert_eq!(fifth.code(), Code::ResourceExhausted);
    watch(&node, battle, &other, false).await.unwrap();
    // Whoever stops watching may watch again.
    drop(held);
    until("a place is free again", || async { watch(&node, battle, &greedy, false).await.is_ok() })
        .await;
    node.stop().await;
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn a_watch_ends_with_the_login(db: PgPool) {
    let node = Node::start(&db, quick()).await;
    let (battle, _server, _line) = running(&db, &node).await;
    let player = sortie_testing::player(&db, "Banned").await;
    let token = sortie_testing::token(&node.app, player);
    let mut stream = watch(&node, battle, &token, false).await.unwrap();
    next(&mut stream).await.unwrap();
    let revocation = sortie_control::revoked::Revocation {
        player_id: player,
        session_id: None,
        scope: "login".to_owned(),
        why: "banned".to_owned(),
    };
    node.app.revoked.note(&revocation, i64::MAX);
    let ended = loop {
        match soon("the watch ends", stream.message()).await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("it ended without a reason"),
            Err(status) => break status,
        }
    };
    assert_eq!(ended.code(), Code::Unauthenticated);
    node.stop().await;
}
