//! Who is not rated fought nevertheless: nobody gains or loses by the company of guests.

use std::collections::HashMap;

use crate::common::{Fixture, TICKS, guest};
use sqlx::PgPool;
use uuid::Uuid;

/// Gain and loss of the first player of each team, as (of team 0 by winning, of team 0 by losing,
/// of team 1 by winning, of team 1 by losing); each time all are new.
async fn at_stake(fixture: &Fixture, teams: [&[Who]; 2]) -> [f64; 4] {
    let mut stakes = Vec::new();
    for winner in [0, 1] {
        let mut players = Vec::new();
        for who in teams.concat() {
            players.push(match who {
                Member => fixture.players(1).await[0],
                _ => guest(&fixture.db, &format!("Guest {}", short())).await,
            });
        }
        let battle = fixture.battle().await;
        let mut report = fixture.report(battle, &players);
        report.winner = Some(winner);
        for (at, who) in teams.concat().iter().enumerate() {
            report.players[at].team = u32::from(at >= teams[0].len());
            if *who == GuestForHalf {
                report.players[at].joined_tick = TICKS / 2;
            }
        }
        fixture.store(report).await;
        let changes: Vec<(Uuid, f64)> = sqlx::query_as(
            "select player_id, rating_after - rating_before from rating_change
            where battle_id = $1",
        )
        .bind(battle)
        .fetch_all(&fixture.db)
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
    let fixture = Fixture::new(db).await;
    let with_guests = [&[Member; 28][..], &[Guest; 4]].concat();
    let [won, lost, other_won, other_lost] =
        at_stake(&fixture, [&[Member; 32], &with_guests]).await;
    // Nobody was to win: what winning brings, losing costs, in either team.
    assert!(won > 0.0 && (won + lost).abs() < 0.01 * won, "{won} {lost}");
    assert!((won - other_won).abs() < 0.01 * won, "{won} {other_won}");
    assert!((lost - other_lost).abs() < 0.01 * won, "{lost} {other_lost}");
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn a_pair_with_six_guests_does_not_climb_by_losing_half_of_its_battles(db: PgPool) {
    let fixture = Fixture::new(db).await;
    let pair = [&[Member; 2][..], &[Guest; 6]].concat();
    let [won, lost, ..] = at_stake(&fixture, [&pair, &[Member; 8]]).await;
    assert!(won > 0.0 && (won + lost).abs() < 0.01 * won, "{won} {lost}");
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn who_came_for_half_of_the_battle_counts_half(db: PgPool) {
    let fixture = Fixture::new(db).await;
    let thin = [&[Member; 6][..], &[GuestForHalf; 2]].concat();
    let [won, lost, other_won, other_lost] = at_stake(&fixture, [&thin, &[Member; 8]]).await;
    // One head short: the few were not to win, and the many were.
    assert!(won > other_won && other_won > 0.0, "{won} {other_won}");
    assert!(other_lost < lost && lost < 0.0, "{other_lost} {lost}");
    let even = at_stake(&fixture, [&[Member; 8], &[Member; 8]]).await[0];
    assert!(won < 1.5 * even, "{won} {even}: two were there for half, not absent");
}
