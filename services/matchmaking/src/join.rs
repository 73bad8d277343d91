//! `POST /v1/battles/{battle_id}/join`: a join ticket for the battle server.

use axum::extract::State;
use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use data_encoding::HEXLOWER;
use serde::Serialize;
use sortie_battles::state::{BattleState, ServerState};
use sortie_control::error::{ApiError, ApiResult, ErrorBody};
use sortie_control::json::{Json, Path};
use sortie_control::who::Caller;
use sortie_wire::limits::NAME_BYTES_MAX;
use sortie_wire::ticket::Ticket;
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::error::MatchmakingError;
use crate::settings::Settings;
use crate::state::Matchmaking;
use crate::{ban, seat};

pub(crate) fn routes() -> OpenApiRouter<Matchmaking> {
    OpenApiRouter::new().routes(routes!(join)).routes(routes!(leave))
}

/// What a client needs to enter a battle.
#[derive(Debug, Serialize, ToSchema)]
struct Admission {
    battle_id: Uuid,
    /// Of the battle server, host:port.
    #[schema(example = "203.0.113.7:4433")]
    address: String,
    /// SHA-256 of the certificate that it has, hexadecimal: trust no other.
    fingerprint: String,
    /// Good once, for a few seconds; Base64. The client sends it as its first message.
    join_ticket: String,
    #[serde(with = "time::serde::rfc3339")]
    expires_at: OffsetDateTime,
}

/// Get into a battle that you are a player of
///
/// Ask again for every connection: a join ticket admits once.
#[utoipa::path(post, operation_id = "join_battle",
    path = "/v1/battles/{battle_id}/join", tag = "matchmaking",
    security(("bearer" = [])), params(("battle_id" = Uuid, Path, description = "The battle")),
    responses(
        (status = 200, description = "Where to go, and the ticket", body = Admission),
        (status = 400, description = "Not an id", body = ErrorBody),
        (status = 401, description = "Not logged in", body = ErrorBody),
        (status = 403, description = "`battle.not_a_player` or `matchmaking.banned`",
            body = ErrorBody),
        (status = 404, description = "`battle.unknown`", body = ErrorBody),
        (status = 409, description = "`battle.not_running`: not yet. Or you had left for good, \
            and wait for another battle or are in it: `matchmaking.waiting`, \
            `matchmaking.in_battle`", body = ErrorBody),
        (status = 410, description = "`battle.finished`, `battle.lost`, `battle.cancelled`, or \
            `battle.seat_taken`: you had left for good", body = ErrorBody),
        (status = 429, description = "Too many calls", body = ErrorBody),
        (status = 503, description = "`battle.server_away`, or the database is away",
            body = ErrorBody),
    ))]
async fn join(
    State(state): State<Matchmaking>,
    caller: Caller,
    Path(battle_id): Path<Uuid>,
) -> ApiResult<Json<Admission>> {
    state.limit("join", caller.player_id, 30).await?;
    let now = state.now().await?;
    let seat = find(&state, battle_id, caller.player_id, now).await?;
    let admission = admit(&state.settings, battle_id, caller.player_id, seat, now)?;
    metrics::counter!("sortie_matchmaking_join_tickets_total").increment(1);
    Ok(Json(admission))
}

/// Give up your seat in a battle that is not over
///
/// Somebody else may have it, and you may queue again. If you are in the battle, you leave it now.
#[utoipa::path(post, operation_id = "leave_battle",
    path = "/v1/battles/{battle_id}/leave", tag = "matchmaking",
    security(("bearer" = [])), params(("battle_id" = Uuid, Path, description = "The battle")),
    responses(
        (status = 204, description = "The seat is not yours any more"),
        (status = 400, description = "Not an id", body = ErrorBody),
        (status = 401, description = "Not logged in", body = ErrorBody),
        (status = 403, description = "`battle.not_a_player`", body = ErrorBody),
        (status = 404, description = "`battle.unknown`", body = ErrorBody),
        (status = 410, description = "`battle.finished`, `battle.lost` or `battle.cancelled`",
            body = ErrorBody),
        (status = 429, description = "Too many calls", body = ErrorBody),
        (status = 503, description = "The database is away", body = ErrorBody),
    ))]
async fn leave(
    State(state): State<Matchmaking>,
    caller: Caller,
    Path(battle_id): Path<Uuid>,
) -> ApiResult<StatusCode> {
    state.limit("join", caller.player_id, 30).await?;
    seat::give_up(&state, battle_id, caller.player_id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Where a player sits.
struct Seat {
    name: String,
    team: i16,
    /// The server's name: its tickets are good at no other.
    server: String,
    address: String,
    fingerprint: Vec<u8>,
}

async fn find(
    state: &Matchmaking,
    battle_id: Uuid,
    player_id: Uuid,
    now: OffsetDateTime,
) -> Result<Seat, MatchmakingError> {
    let mut db = state.db().acquire().await?;
    let row = sqlx::query!(
        r#"select b.state, own.team as "team?", own.gone_at, player.name as "name?",
            b.status->>'waiting' as why, s.name as "server?",
            s.address as "address?", s.fingerprint as "fingerprint?", s.state as "server_state?"
         from battle b
         left join battle_player own on own.battle_id = b.battle_id and own.player_id = $2
         left join player on player.player_id = own.player_id
         left join battle_server s on s.server_id = b.server_id
         where b.battle_id = $1"#,
        battle_id,
        player_id
    )
    .fetch_optional(&mut *db)
    .await?
    .ok_or(MatchmakingError::UnknownBattle)?;
    let (Some(team), Some(name)) = (row.team, row.name) else {
        return Err(MatchmakingError::NotInBattle);
    };
    ban::refuse_banned(&mut db, player_id, &[player_id], now).await?;
    match BattleState::of_name(&row.state) {
        Some(BattleState::Running) => {}
        Some(BattleState::Asked | BattleState::Allocated) => {
            return Err(MatchmakingError::NotRunning);
        }
        Some(BattleState::Cancelled) => return Err(MatchmakingError::BattleCancelled(row.why)),
        _ => return Err(MatchmakingError::BattleOver(row.state)),
    }
    let (Some(server), Some(address), Some(fingerprint)) =
        (row.server, row.address, row.fingerprint)
    else {
        return Err(MatchmakingError::NotRunning);
    };
    if row.server_state.is_some_and(|state| ServerState::Gone.is(&state)) {
        return Err(MatchmakingError::ServerAway);
    }
    if row.gone_at.is_some() {
        // It has a connection of its own: nobody waits for one while holding another.
        drop(db);
        seat::take_back(state, battle_id, player_id).await?;
        db = state.db().acquire().await?;
    }
    sortie_whereabouts::seat::asked_for(&mut db, battle_id, player_id, now).await?;
    Ok(Seat { name, team, server, address, fingerprint })
}

fn admit(
    settings: &Settings,
    battle_id: Uuid,
    player_id: Uuid,
    seat: Seat,
    now: OffsetDateTime,
) -> Result<Admission, ApiError> {
    let expires_at = now + settings.pace.join_life;
    let ticket = Ticket {
        ticket_id: Uuid::new_v4().as_u128(),
        player_key: player_id.as_u128(),
        battle_id: battle_id.as_u128(),
        team: u8::try_from(seat.team).ok(),
        class: 0,
        expires_at_ms: u64::try_from(expires_at.unix_timestamp_nanos() / 1_000_000).unwrap_or(0),
        name: short_name(&seat.name),
        audience: seat.server,
    };
    let signed =
        settings.ticket_signer.sign(&ticket).map_err(|error| ApiError::internal(&error))?;
    Ok(Admission {
        battle_id,
        address: seat.address,
        fingerprint: HEXLOWER.encode(&seat.fingerprint),
        join_ticket: BASE64.encode(signed),
        expires_at,
    })
}

/// Names have up to 24 letters of any script; the wire has fewer bytes than the longest of them.
fn short_name(name: &str) -> String {
    name[..name.floor_char_boundary(NAME_BYTES_MAX)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_are_cut_between_letters() {
        assert_eq!(short_name("Ada Lovelace"), "Ada Lovelace");
        let long = short_name(&"ö".repeat(17));
        assert_eq!((long.chars().count(), long.len()), (16, 32));
        assert_eq!(short_name(&"界".repeat(24)).chars().count(), 10);
    }
}
