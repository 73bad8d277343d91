//! A result is stored once, whoever brings it, however often and late.

use crate::common::{Fixture, ranked, seat, server, stored};
use sortie_ranking::report::{BattleResult, Outcome, Refusal, store};
use sqlx::PgPool;
use uuid::Uuid;

const EVERYTHING: &str = "select (select count(*) from rating_change)
    + 10 * (select coalesce(sum(battles), 0) from player_statistics)
    + 1000 * (select count(*) from outbox) + 100000 * (select count(*) from battle_log)
    + 10000000 * (select coalesce(sum(battles), 0) from rating)";

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn thirty_two_reports_at_once_are_one_result(db: PgPool) {
    let fixture = Fixture::new(db).await;
    let players = fixture.players(20).await;
    let battle = fixture.battle().await;
    let report = fixture.report(battle, &players);
    seat(&fixture.db, &report).await;
    let result = BattleResult::try_from(report).unwrap();
    let mut reports = tokio::task::JoinSet::new();
    for _ in 0..32 {
        let (db, settings, result) = (fixture.db.clone(), fixture.settings.clone(), result.clone());
        reports.spawn(async move { store(&db, &settings, &result).await.unwrap() });
    }
    let outcomes = reports.join_all().await;
    let stored = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Stored(_))).count();
    let known = Outcome::Known { state: "finished".to_owned() };
    let known = outcomes.iter().filter(|outcome| **outcome == known).count();
    assert_eq!((stored, known), (1, 31));
    assert_eq!(fixture.count(EVERYTHING).await, 20 + 10 * 20 + 1_000 + 300_000 + 10_000_000 * 20);
    let finished = "select count(*) from battle where state = 'finished' and winner = 0
        and ended_by = 'round' and ticks = 7200 and state_hash = '0123456789abcdef'
        and ended_at = started_at + interval '2 minutes'";
    assert_eq!(fixture.count(finished).await, 1);
    assert_eq!(fixture.count("select count(*) from replay where bytes = 1000").await, 1);
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn the_same_battle_told_otherwise_changes_nothing(db: PgPool) {
    let fixture = Fixture::new(db).await;
    let players = fixture.players(8).await;
    let battle = fixture.battle().await;
    assert_eq!(ranked(&fixture.store(fixture.report(battle, &players)).await), 8);
    let before = fixture.count(EVERYTHING).await;
    let mut other = fixture.report(battle, &players);
    other.winner = Some(1);
    other.players.truncate(4);
    let known = Outcome::Known { state: "finished".to_owned() };
    assert_eq!(fixture.store(other.clone()).await, known);
    // The server asks for the receipt again, from before it came back and after.
    sqlx::query("update battle_server set epoch = 2").execute(&fixture.db).await.unwrap();
    assert_eq!(fixture.store(other.clone()).await, known);
    other.epoch = 2;
    assert_eq!(fixture.store(other).await, known);
    assert_eq!(fixture.count(EVERYTHING).await, before);
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn strangers_other_servers_and_old_epochs_are_refused(db: PgPool) {
    let mut fixture = Fixture::new(db).await;
    let players = fixture.players(8).await;
    let battle = fixture.battle().await;
    let report = fixture.report(battle, &players);
    let refused = async |change: fn(&mut sortie_rpc::ranking::v1::ReportRequest, Uuid), other| {
        let mut report = report.clone();
        change(&mut report, other);
        match fixture.store(report).await {
            Outcome::Refused(refusal) => refusal,
            outcome => panic!("{outcome:?}"),
        }
    };
    let other = server(&fixture.db, "second").await;
    let nobody = Uuid::now_v7();
    let by = |report: &mut sortie_rpc::ranking::v1::ReportRequest, server: Uuid| {
        report.server_id = server.to_string();
    };
    assert_eq!(refused(by, other).await, Refusal::OtherServer);
    assert_eq!(refused(by, nobody).await, Refusal::UnknownServer);
    let of = |report: &mut sortie_rpc::ranking::v1::ReportRequest, battle: Uuid| {
        report.battle_id = battle.to_string();
    };
    assert_eq!(refused(of, nobody).await, Refusal::UnknownBattle);
    assert_eq!(refused(|report, _| report.epoch = 2, nobody).await, Refusal::UnknownEpoch);
    sqlx::query("update battle_server set epoch = 2 where server_id = $1")
        .bind(fixture.server)
        .execute(&fixture.db)
        .await
        .unwrap();
    assert_eq!(refused(|_, _| (), nobody).await, Refusal::OldEpoch);
    assert_eq!(fixture.count(EVERYTHING).await, 0);
    // Back under its new epoch, the server may tell what it still has.
    fixture.epoch = 2;
    assert_eq!(ranked(&fixture.store(fixture.report(battle, &players)).await), 8);
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn a_result_that_comes_after_its_battle_was_lost_is_stored_and_rated(db: PgPool) {
    let mut fixture = Fixture::new(db).await;
    let players = fixture.players(8).await;
    let battle = fixture.battle().await;
    sqlx::query("update battle set state = 'lost', ended_at = now()")
        .execute(&fixture.db)
        .await
        .unwrap();
    let lost = fixture.report(battle, &players);
    // The server is back under its next epoch; only that one counts.
    sqlx::query("update battle_server set epoch = 2").execute(&fixture.db).await.unwrap();
    assert_eq!(fixture.store(lost).await, Outcome::Refused(Refusal::OldEpoch));
    fixture.epoch = 2;
    assert_eq!(ranked(&fixture.store(fixture.report(battle, &players)).await), 8);
    let reasons = "select count(*) from rating_change where is_ranked and reason = 'ranked'";
    assert_eq!(fixture.count(reasons).await, 8);
    let finished = "select count(*) from battle where state = 'finished' and winner = 0
        and ended_at = started_at + interval '2 minutes'";
    assert_eq!(fixture.count(finished).await, 1);
    let again = fixture.store(fixture.report(battle, &players)).await;
    assert_eq!(again, Outcome::Known { state: "finished".to_owned() });
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn a_battle_that_was_cancelled_stays_so(db: PgPool) {
    let fixture = Fixture::new(db).await;
    let players = fixture.players(8).await;
    let battle = fixture.battle().await;
    sqlx::query("update battle set state = 'cancelled'").execute(&fixture.db).await.unwrap();
    let outcome = fixture.store(fixture.report(battle, &players)).await;
    assert_eq!(outcome, Outcome::Known { state: "cancelled".to_owned() });
    assert_eq!(fixture.count(EVERYTHING).await, 0);
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn a_result_that_names_players_whom_nobody_knows_is_not_believed(db: PgPool) {
    let fixture = Fixture::new(db).await;
    let mut players = fixture.players(8).await;
    players.insert(0, Uuid::now_v7());
    players.insert(0, Uuid::now_v7());
    let battle = fixture.battle().await;
    let outcome = fixture.store(fixture.report(battle, &players)).await;
    let misfits = &stored(&outcome).misfits;
    assert_eq!(misfits, &["no_seat: 2 players who never had a seat in it"]);
    assert_eq!(ranked(&outcome), 0);
    assert_eq!(fixture.count("select count(*) from battle_player").await, 8);
}
