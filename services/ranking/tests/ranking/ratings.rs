//! Who is rated, why, and that ratings and sums add up whatever happens at once.

use std::collections::HashMap;

use crate::common::{Fixture, Random, TICKS, guest, ranked, seat, stored};
use sortie_control::app::AppState;
use sortie_ranking::eligibility::Reason;
use sortie_ranking::rating::Skill;
use sortie_ranking::report::{BattleResult, Outcome, store};
use sortie_rpc::ranking::v1 as rpc;
use sqlx::PgPool;
use uuid::Uuid;

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn every_player_has_a_reason(db: PgPool) {
    let fixture = Fixture::new(db).await;
    let mut players = fixture.players(8).await;
    assert_eq!(fixture.reasons(&players, |_| ()).await, ["ranked"; 8]);
    let stopped = fixture.reasons(&players, |report| report.ended_by = "stopped".to_owned());
    assert_eq!(stopped.await, ["no_result"; 8]);
    let ended = fixture.reasons(&players, |report| report.ended_by = "operator".to_owned());
    assert_eq!(ended.await, ["no_result"; 8]);
    // A newer server's word: the result is stored, and counts for nothing.
    let newer = fixture.reasons(&players, |report| report.ended_by = "surrender".to_owned());
    assert_eq!(newer.await, ["no_result"; 8]);
    let short = fixture.reasons(&players, |report| report.last_tick = 29 * 60);
    assert_eq!(short.await, ["too_short"; 8]);
    assert_eq!(fixture.reasons(&players[..3], |_| ()).await, ["too_few_players"; 3]);
    let draw = fixture.reasons(&players, |report| {
        report.winner = None;
        report.ended_by = "duration".to_owned();
    });
    assert_eq!(draw.await, ["ranked"; 8]);
    let uneven = fixture.reasons(&players, |report| {
        report.players[3].team = 1;
    });
    assert_eq!(uneven.await, ["uneven_teams"; 8]);
    players.push(guest(&fixture.db, "a guest").await);
    players.extend(fixture.players(1).await);
    let mixed = fixture.reasons(&players, |report| {
        report.players[0].left_tick = Some(TICKS / 2);
        report.players[1].joined_tick = TICKS / 2 + 1;
        // Of the team that lost: leaving does not help.
        report.players[7].left_tick = Some(TICKS / 2);
    });
    let ranked = "ranked";
    let expected = [
        "left_early",
        "joined_late",
        ranked,
        ranked,
        ranked,
        ranked,
        ranked,
        ranked,
        "guest",
        ranked,
    ];
    assert_eq!(mixed.await, expected);
    let unranked = fixture.battle_of("conquest", false).await;
    let outcome = fixture.store(fixture.report(unranked, &players)).await;
    assert_eq!(stored(&outcome).reasons.get(&Reason::BattleUnranked), Some(&10));
    let unmoved = "select count(*) from rating_change
        where not is_ranked and (rating_before, uncertainty_before, shown_before)
            <> (rating_after, uncertainty_after, shown_after)";
    assert_eq!(fixture.count(unmoved).await, 0);
    assert_eq!(fixture.count("select count(distinct reason) from rating_change").await, 9);
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn winners_rise_and_losers_fall(db: PgPool) {
    let fixture = Fixture::new(db).await;
    let players = fixture.players(8).await;
    let battle = fixture.battle().await;
    let outcome = fixture.store(fixture.report(battle, &players)).await;
    let shown: HashMap<Uuid, i64> = stored(&outcome).scores.iter().copied().collect();
    for (at, player) in players.iter().enumerate() {
        // Everybody is more certain; losers fall far enough to be shown lower all the same.
        assert_eq!(shown[player] > i64::from(Skill::default().shown()), at < 4);
    }
    let rows = "select count(*) from rating where battles = 1 and played_at is not null
        and decays_at > now() + interval '13 days' and uncertainty < 25 / 3.0
        and (wins = 1 and rating > 25 or losses = 1 and rating < 25)";
    assert_eq!(fixture.count(rows).await, 8);
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn statistics_are_the_sums_of_battles(db: PgPool) {
    let fixture = Fixture::new(db).await;
    let mut random = Random::new();
    let players = fixture.players(12).await;
    for _ in 0..20 {
        random_battle(&fixture, &mut random, &players).await;
    }
    let differing = "select count(*) from (
        select player_id, mode, count(*), sum(points), sum(kills), sum(deaths), sum(assists),
            sum(revives), sum(captures), sum(shots), sum(hits),
            sum(ticks_played / 60)
        from battle_player join battle using (battle_id) where state = 'finished' group by 1, 2
        except
        select player_id, mode, battles, points, kills, deaths, assists, revives, captures, shots,
            hits, seconds_played from player_statistics) difference";
    assert_eq!(fixture.count(differing).await, 0);
    let wins = "select count(*) from (
        select player_id, mode, count(*) filter (where winner = team)
        from battle_player join battle using (battle_id) where state = 'finished' group by 1, 2
        except select player_id, mode, wins from player_statistics) difference";
    assert_eq!(fixture.count(wins).await, 0);
    let rated = "select count(*) from (
        select player_id, mode, count(*) from rating_change where is_ranked group by 1, 2
        except select player_id, mode, battles from rating
            where battles = wins + losses + draws) difference";
    assert_eq!(fixture.count(rated).await, 0);
    let weapons = "select count(*) from weapon_statistics w
        where shots <> (select count(*) from battle_player p where p.player_id = w.player_id)
            * case weapon when 'rifle' then 40 else 10 end";
    assert_eq!(fixture.count(weapons).await, 0);
    assert_eq!(fixture.count("select count(*) from weapon_statistics").await, 24);
}

/// Overlapping players, both orders, several modes at once: nothing deadlocks, nothing is lost,
/// and what a player had before a battle is what the player had after the one before.
#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn parallel_battles_of_the_same_players_keep_the_ledger(db: PgPool) {
    let fixture = Fixture::new(db).await;
    let mut random = Random::new();
    let players = fixture.players(24).await;
    let mut expected_rows = 0;
    let mut expected_ranked = 0;
    for _ in 0..8 {
        let mut reports = tokio::task::JoinSet::new();
        for _ in 0..12 {
            let report = random_report(&fixture, &mut random, &players).await;
            expected_rows += report.players.len() as i64;
            seat(&fixture.db, &report).await;
            let result = BattleResult::try_from(report).unwrap();
            let (db, settings) = (fixture.db.clone(), fixture.settings.clone());
            reports.spawn(async move { store(&db, &settings, &result).await.unwrap() });
        }
        for outcome in reports.join_all().await {
            expected_ranked += ranked(&outcome) as i64;
        }
    }
    assert!(expected_ranked > 100, "{expected_ranked} rated");
    assert_eq!(fixture.count("select count(*) from rating_change").await, expected_rows);
    let ranked = "select count(*) from rating_change where is_ranked";
    assert_eq!(fixture.count(ranked).await, expected_ranked);
    assert_eq!(
        fixture.count("select coalesce(sum(battles), 0) from rating").await,
        expected_ranked
    );
    assert_eq!(broken_links(&fixture).await, 0);
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn the_ledger_holds_over_random_battles(db: PgPool) {
    let fixture = Fixture::new(db).await;
    let mut random = Random::new();
    let mut players = fixture.players(14).await;
    players.push(guest(&fixture.db, "guest one").await);
    players.push(guest(&fixture.db, "guest two").await);
    let mut rows = 0;
    for _ in 0..60 {
        rows += random_battle(&fixture, &mut random, &players).await;
    }
    assert_eq!(fixture.count("select count(*) from rating_change").await, rows);
    assert_eq!(broken_links(&fixture).await, 0);
}

/// Links of the ledger, per player, season and mode, that do not hold; and last links that are
/// not what the rating says.
async fn broken_links(fixture: &Fixture) -> i64 {
    let links = "select count(*) from (
        select rating_before, uncertainty_before, shown_before,
            lag(rating_after, 1, 25.0::float8) over ledger as rating,
            lag(uncertainty_after, 1, 25.0::float8 / 3) over ledger as uncertainty,
            lag(shown_after, 1, 1000) over ledger as shown
        from rating_change window ledger as
            (partition by player_id, season_id, mode order by change_id)) link
        where (rating_before, uncertainty_before, shown_before)
            <> (rating, uncertainty, shown)";
    let ends = "select count(*) from rating r where not exists (
        select 1 from (select distinct on (player_id, season_id, mode) * from rating_change
            order by player_id, season_id, mode, change_id desc) last
        where (last.player_id, last.season_id, last.mode, last.rating_after,
                last.uncertainty_after, last.shown_after)
            = (r.player_id, r.season_id, r.mode, r.rating, r.uncertainty, r.shown))";
    fixture.count(links).await + fixture.count(ends).await
}

async fn random_battle(fixture: &Fixture, random: &mut Random, players: &[Uuid]) -> i64 {
    let report = random_report(fixture, random, players).await;
    let rows = report.players.len() as i64;
    assert!(matches!(fixture.store(report).await, Outcome::Stored(_)));
    rows
}

async fn random_report(
    fixture: &Fixture,
    random: &mut Random,
    players: &[Uuid],
) -> rpc::ReportRequest {
    let mode = ["conquest", "deathmatch"][random.below(2)];
    let battle = fixture.battle_of(mode, random.below(5) > 0).await;
    let count = 2 + random.below(players.len() - 1);
    let chosen = random.choose(players, count);
    let mut report = fixture.report(battle, &chosen);
    report.winner = [None, Some(0), Some(1), Some(1)][random.below(4)];
    let ends = ["round", "round", "round", "duration", "stopped", "operator"];
    report.ended_by = ends[random.below(ends.len())].to_owned();
    report.last_tick = [TICKS, TICKS, TICKS, 600][random.below(4)];
    for player in &mut report.players {
        player.kills = random.below(30) as u32;
        player.points = random.below(3_000) as u32;
        if random.below(6) == 0 {
            player.joined_tick = random.below(TICKS as usize) as u32;
        }
        if random.below(6) == 0 {
            player.left_tick = Some(random.below(TICKS as usize) as u32);
        }
    }
    report
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn a_new_season_begins_halfway_back(db: PgPool) {
    let fixture = Fixture::new(db).await;
    let app = AppState::local(fixture.db.clone());
    let players = fixture.players(8).await;
    let battle = fixture.battle().await;
    fixture.store(fixture.report(battle, &players)).await;
    let season = sortie_ranking::open_season(&app, " Season 2 ").await.unwrap();
    assert_eq!((season.name.as_str(), season.ends_at), ("Season 2", None));
    assert_eq!(sortie_ranking::carry_over(&fixture.db).await.unwrap(), 8);
    let old: Vec<(f64, f64)> = sqlx::query_as(
        "select rating, uncertainty from rating where season_id < $1 order by player_id",
    )
    .bind(season.season_id)
    .fetch_all(&fixture.db)
    .await
    .unwrap();
    let new: Vec<(f64, f64, i32, i32)> = sqlx::query_as(
        "select rating, uncertainty, shown, battles from rating where season_id = $1
        order by player_id",
    )
    .bind(season.season_id)
    .fetch_all(&fixture.db)
    .await
    .unwrap();
    assert_eq!((old.len(), new.len()), (8, 8));
    for (old, new) in old.iter().zip(&new) {
        let carried = Skill { rating: old.0, uncertainty: old.1 }.in_new_season();
        assert_eq!(*new, (carried.rating, carried.uncertainty, carried.shown(), 0));
    }
    let battle = fixture.battle().await;
    let outcome = fixture.store(fixture.report(battle, &players)).await;
    assert_eq!(stored(&outcome).season_id, season.season_id);
    let taken = sortie_ranking::open_season(&app, "Season 2").await.unwrap_err();
    assert!(matches!(taken, sortie_ranking::SeasonError::NameTaken));
    let bad = sortie_ranking::open_season(&app, " ").await.unwrap_err();
    assert!(matches!(bad, sortie_ranking::SeasonError::BadName));
    assert_eq!(fixture.count("select count(*) from season").await, 2);
}

/// Results that come while a season is opened are neither lost nor counted in both.
#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn results_and_a_new_season_wait_for_each_other(db: PgPool) {
    let fixture = Fixture::new(db).await;
    let app = AppState::local(fixture.db.clone());
    let players = fixture.players(16).await;
    let mut reports = tokio::task::JoinSet::new();
    for at in 0..16 {
        let battle = fixture.battle().await;
        let report = fixture.report(battle, &players);
        seat(&fixture.db, &report).await;
        let result = BattleResult::try_from(report).unwrap();
        let (app, settings) = (app.clone(), fixture.settings.clone());
        reports.spawn(async move {
            if at % 5 == 4 {
                sortie_ranking::open_season(&app, &format!("Season {at}")).await.unwrap();
            }
            store(&app.db, &settings, &result).await.unwrap()
        });
    }
    let outcomes = reports.join_all().await;
    assert_eq!(outcomes.iter().map(ranked).sum::<u64>(), 16 * 16);
    assert_eq!(fixture.count("select sum(battles) from rating").await, 16 * 16);
    assert_eq!(fixture.count("select count(*) from season").await, 4);
    // A season's first link begins where the season before ended, halfway back.
    let broken = "select count(*) from (
        select rating_before, (lag(rating_after, 1, 25.0::float8) over
            (partition by player_id order by change_id)) as last,
            season_id - lag(season_id, 1, season_id) over
            (partition by player_id order by change_id) as seasons
        from rating_change) link
        where abs(rating_before - (25 + (last - 25) / (2 ^ seasons))) > 1e-9";
    assert_eq!(fixture.count(broken).await, 0);
}
