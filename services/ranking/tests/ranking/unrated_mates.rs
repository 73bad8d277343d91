//! Who is not rated fought nevertheless: nobody gains or loses by the company of guests.

use std::collections::HashMap;

use crate::common::{TICKS, World, guest};
use sqlx::PgPool;
use uuid::Uuid;

/// Gain and loss of the first player of each team, as (of team 0 by winning, of team 0 by losing,
/// of team 1 by winning, of team 1 by losing); each time all are new.
async fn at_stake(world: &World, teams: [&[Who]; 2]) -> [f64; 4] {
    let mut stakes = Vec::new();
    for winner in [0, 1] {
        let mut players = Vec::new();
        for who in teams.concat() {
            players.push(match who {
                Member => world.players(1).await[0],
                _ => guest(&world.db, &format!("Guest {}", short())).await,
            });
        }
        let battle = world.battle().await;
        let mut report = world.report(battle, &players);
        report.winner = Some(winner);
        for (at, who) in teams.concat().iter().enumerate() {
            report.players[at].team = u32::from(at >= teams[0].len());
            if *who == GuestForHalf {
                report.players[at].joined_tick = TICKS / 2;
            }
        }
        world.store(report).await;
        let changes: Vec<(Uuid, f64)> = sqlx::query_as(
            "select player_id, rating_after - rating_before from rating_change
            where battle_id = $1",
        )
        .bind(battle)
        .fetch_all(&world.db)
        .await
        .unwrap();
        let changes: HashMap<Uuid, f64> = changes.into_iter().collect();
        stakes.push([changes[&players[0]], changes[&players[teams[0].len()]]]);
    }
    [stakes[0][0], stakes[1][0], stakes[1][1], stakes[0][1]]
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Who {
    Member,
    Guest,
    GuestForHalf,
}

/// Names are unique; the end of an id is.
fn short() -> String {
    Uuid::now_v7().simple().to_string()[20..].to_owned()
}

use Who::{Guest, GuestForHalf, Member};

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn four_guests_of_thirty_two_change_nothing(db: PgPool) {
    let world = World::new(db).await;
    let with_guests = [&[Member; 28][..], &[Guest; 4]].concat();
    let [won, lost, other_won, other_lost] = at_stake(&world, [&[Member; 32], &with_guests]).await;
    // Nobody was to win: what winning brings, losing costs, in either team.
    assert!(won > 0.0 && (won + lost).abs() < 0.01 * won, "{won} {lost}");
    assert!((won - other_won).abs() < 0.01 * won, "{won} {other_won}");
    assert!((lost - other_lost).abs() < 0.01 * won, "{lost} {other_lost}");
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn a_pair_with_six_guests_does_not_climb_by_losing_half_of_its_battles(db: PgPool) {
    let world = World::new(db).await;
    let pair = [&[Member; 2][..], &[Guest; 6]].concat();
    let [won, lost, ..] = at_stake(&world, [&pair, &[Member; 8]]).await;
    assert!(won > 0.0 && (won + lost).abs() < 0.01 * won, "{won} {lost}");
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn who_came_for_half_of_the_battle_counts_half(db: PgPool) {
    let world = World::new(db).await;
    let thin = [&[Member; 6][..], &[GuestForHalf; 2]].concat();
    let [won, lost, other_won, other_lost] = at_stake(&world, [&thin, &[Member; 8]]).await;
    // One head short: the few were not to win, and the many were.
    assert!(won > other_won && other_won > 0.0, "{won} {other_won}");
    assert!(other_lost < lost && lost < 0.0, "{other_lost} {lost}");
    let even = at_stake(&world, [&[Member; 8], &[Member; 8]]).await[0];
    assert!(won < 1.5 * even, "{won} {even}: two were there for half, not absent");
}
