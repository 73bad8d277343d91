//! `GET /v1/me/export`: all that is stored about a player.
//!
//! Left out: digests and secrets (of no use to the player, of use to a thief), and who else
//! appears in a row about the player: who reported, who issued a ban.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};
use sortie_control::error::{ApiResult, ErrorBody};
use sortie_control::who::Caller;
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::error::AccountError;
use crate::state::Accounts;

/// The route.
pub fn router() -> OpenApiRouter<Accounts> {
    OpenApiRouter::new().routes(routes!(export))
}

/// A row of a table.
#[derive(Debug, ToSchema)]
#[schema(as = ExportRow, value_type = Object)]
#[expect(dead_code, reason = "the database makes it; this describes it")]
struct Row(Map<String, Value>);

/// All that is stored about a player: a list for each kind of row. What rows have is what their
/// tables have, and may change with them.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "the database makes it; this describes it")]
struct Export {
    exported_at: OffsetDateTime,
    /// Rows of each kind at most.
    rows_max: i64,
    player: Row,
    identity: Option<Row>,
    credential: Option<Row>,
    logins: Vec<Row>,
    roles: Vec<Row>,
    bans: Vec<Row>,
    staff_notes: Vec<Row>,
    battles: Vec<Row>,
    ratings: Vec<Row>,
    rating_changes: Vec<Row>,
    statistics: Vec<Row>,
    weapon_statistics: Vec<Row>,
    tickets: Vec<Row>,
    party: Option<Row>,
    rooms: Vec<Row>,
    messages: Vec<Row>,
    mutes: Vec<Row>,
    reports_made: Vec<Row>,
    reports_about: Vec<Row>,
}

/// Export one's own data
///
/// One object with a list for each kind of row. Of each kind at most `rows_max` rows are given,
/// the newest first where rows have a time.
#[utoipa::path(get, operation_id = "export_me",
    path = "/v1/me/export", tag = "account", security(("bearer" = [])),
    responses(
        (status = 200, body = Export),
        (status = 401, description = "auth.*", body = ErrorBody),
        (status = 404, description = "account.unknown_player", body = ErrorBody),
        (status = 429, description = "request.rate_limited", body = ErrorBody),
        (status = 503, description = "store.unavailable", body = ErrorBody),
    ))]
async fn export(State(accounts): State<Accounts>, caller: Caller) -> ApiResult<Response> {
    let data = exported(&accounts, caller.player_id).await?;
    let name = "attachment; filename=\"sortie-export.json\"";
    let headers = [(header::CONTENT_DISPOSITION, name), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, axum::Json(data)).into_response())
}

async fn exported(accounts: &Accounts, player_id: Uuid) -> Result<Value, AccountError> {
    let limit = accounts.settings.limits.heavy;
    accounts.limit("export", limit, &player_id.to_string()).await?;
    let rows_max = i64::from(accounts.settings.export_rows_max);
    let mut data = sqlx::query_scalar!(
        r#"select jsonb_build_object(
            'exported_at', now(),
            'rows_max', $2::bigint,
            'player', to_jsonb(p) - 'name_key' - 'picture'
                || jsonb_build_object('picture', encode(picture, 'hex')),
            'identity', (select to_jsonb(t) - 'player_id' - 'email_key' from personal.identity t
                where t.player_id = $1),
            'credential', (select jsonb_build_object('changed_at', changed_at,
                'totp_confirmed_at', totp_confirmed_at) from personal.credential t
                where t.player_id = $1),
            'logins', (select coalesce(jsonb_agg(row), '[]') from (
                select to_jsonb(t) - 'player_id' as row from personal.login_session t
                where t.player_id = $1 order by session_id desc limit $2) as rows),
            'roles', (select coalesce(jsonb_agg(row), '[]') from (
                select to_jsonb(t) - 'player_id' - 'granted_by' as row from player_role t
                where t.player_id = $1) as rows),
            'bans', (select coalesce(jsonb_agg(row), '[]') from (
                select to_jsonb(t) - 'player_id' - 'issued_by' - 'lifted_by' as row from ban t
                where t.player_id = $1 order by ban_id desc limit $2) as rows),
            'staff_notes', (select coalesce(jsonb_agg(row), '[]') from (
                select to_jsonb(t) - 'player_id' - 'author' as row from personal.staff_note t
                where t.player_id = $1 order by written_at desc limit $2) as rows)
        ) as "data!" from player p where player_id = $1 and erased_at is null"#,
        player_id,
        rows_max,
    )
    .fetch_optional(&accounts.app.db)
    .await?
    .ok_or(AccountError::UnknownPlayer)?;
    let played = sqlx::query_scalar!(
        r#"select jsonb_build_object(
            'battles', (select coalesce(jsonb_agg(row), '[]') from (
                select to_jsonb(t) - 'player_id' as row from battle_player t
                where t.player_id = $1 order by battle_id desc limit $2) as rows),
            'ratings', (select coalesce(jsonb_agg(row), '[]') from (
                select to_jsonb(t) - 'player_id' as row from rating t
                where t.player_id = $1 limit $2) as rows),
            'rating_changes', (select coalesce(jsonb_agg(row), '[]') from (
                select to_jsonb(t) - 'player_id' as row from rating_change t
                where t.player_id = $1 order by at desc limit $2) as rows),
            'statistics', (select coalesce(jsonb_agg(row), '[]') from (
                select to_jsonb(t) - 'player_id' as row from player_statistics t
                where t.player_id = $1) as rows),
            'weapon_statistics', (select coalesce(jsonb_agg(row), '[]') from (
                select to_jsonb(t) - 'player_id' as row from weapon_statistics t
                where t.player_id = $1) as rows),
            'tickets', (select coalesce(jsonb_agg(row), '[]') from (
                select to_jsonb(k) || to_jsonb(t) - 'player_id' as row
                from ticket_player t join ticket k using (ticket_id)
                where t.player_id = $1 order by ticket_id desc limit $2) as rows),
            'party', (select to_jsonb(t) - 'player_id' from party_member t
                where t.player_id = $1),
            'rooms', (select coalesce(jsonb_agg(row), '[]') from (
                select to_jsonb(t) - 'owner' as row from room t
                where t.owner = $1 order by created_at desc limit $2) as rows)
        ) as "data!""#,
        player_id,
        rows_max,
    )
    .fetch_one(&accounts.app.db)
    .await?;
    let said = sqlx::query_scalar!(
        r#"select jsonb_build_object(
            'messages', (select coalesce(jsonb_agg(row), '[]') from (
                select to_jsonb(t) - 'author' - 'deleted_by' as row from chat_message t
                where t.author = $1 order by message_id desc limit $2) as rows),
            'mutes', (select coalesce(jsonb_agg(row), '[]') from (
                select to_jsonb(t) - 'player_id' as row from chat_mute t
                where t.player_id = $1 limit $2) as rows),
            'reports_made', (select coalesce(jsonb_agg(row), '[]') from (
                select to_jsonb(t) - 'reporter' - 'decided_by' as row from report t
                where t.reporter = $1 order by created_at desc limit $2) as rows),
            'reports_about', (select coalesce(jsonb_agg(row), '[]') from (
                select to_jsonb(t) - 'accused' - 'reporter' - 'decided_by' - 'text' as row
                from report t
                where t.accused = $1 order by created_at desc limit $2) as rows)
        ) as "data!""#,
        player_id,
        rows_max,
    )
    .fetch_one(&accounts.app.db)
    .await?;
    for more in [played, said] {
        if let (Value::Object(data), Value::Object(more)) = (&mut data, more) {
            data.extend(more);
        }
    }
    Ok(data)
}
