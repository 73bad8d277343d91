//! `/v1/admin/users/{player_id}/notes`: what staff tell each other about a player.

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sortie_control::error::{ApiResult, ErrorBody};
use sortie_control::json::{Json, Path, Query};
use sortie_control::page::{Page, PageQuery};
use sortie_control::permission::needs;
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::error::AdminError;
use crate::rank;
use crate::staff_router::{Acting, AdminState, StaffRouter};
use crate::text;

pub(crate) fn routes(router: StaffRouter) -> StaffRouter {
    router
        .serve::<needs::UsersNotes>("notes.list", routes!(list))
        .serve::<needs::UsersNotes>("notes.write", routes!(write))
}

/// A note.
#[derive(Debug, Serialize, ToSchema)]
struct Note {
    note_id: Uuid,
    author: Uuid,
    text: String,
    #[serde(with = "time::serde::rfc3339")]
    written_at: OffsetDateTime,
}

/// A note to be written.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewNote {
    /// 1 to 2000 characters.
    #[schema(min_length = 1, max_length = 2000)]
    text: String,
}

/// Read the notes on a player, newest first
#[utoipa::path(get, operation_id = "list_notes",
    path = "/v1/admin/users/{player_id}/notes", tag = "admin",
    params(("player_id" = Uuid, Path, description = "The player"), PageQuery),
    responses((status = 200, description = "A page", body = Page<Note>),
        (status = 422, description = "A value is out of bounds", body = ErrorBody)))]
async fn list(
    State(state): State<AdminState>,
    Path(player_id): Path<Uuid>,
    Query(page): Query<PageQuery>,
) -> ApiResult<Json<Page<Note>>> {
    let (limit, before) = (page.limit()?, page.after::<Uuid>()?);
    let notes = sqlx::query_as!(
        Note,
        "select note_id, author, text, written_at from personal.staff_note
         where player_id = $1 and ($2::uuid is null or note_id < $2)
         order by note_id desc limit $3",
        player_id,
        before,
        limit + 1
    )
    .fetch_all(state.db())
    .await?;
    Ok(Json(Page::new(notes, limit, |note| note.note_id)))
}

/// Write a note on a player
#[utoipa::path(post, operation_id = "write_note",
    path = "/v1/admin/users/{player_id}/notes", tag = "admin",
    params(("player_id" = Uuid, Path, description = "The player")), request_body = NewNote,
    responses((status = 201, description = "The note", body = Note),
        (status = 404, description = "`user.unknown`", body = ErrorBody),
        (status = 422, description = "`request.fields`", body = ErrorBody)))]
async fn write(
    State(state): State<AdminState>,
    acting: Acting,
    Path(player_id): Path<Uuid>,
    Json(new): Json<NewNote>,
) -> ApiResult<(StatusCode, Json<Note>)> {
    Ok((StatusCode::CREATED, Json(insert(&state, &acting, player_id, new.text).await?)))
}

async fn insert(
    state: &AdminState,
    acting: &Acting,
    player_id: Uuid,
    text: String,
) -> Result<Note, AdminError> {
    let text = text::sane(&text, 1..=2_000, "text has 1 to 2000 characters")?;
    let mut tx = state.db().begin().await?;
    rank::hold(&mut tx, player_id).await?;
    let note = sqlx::query_as!(
        Note,
        "insert into personal.staff_note (note_id, player_id, author, text)
         values ($1, $2, $3, $4) returning note_id, author, text, written_at",
        Uuid::now_v7(),
        player_id,
        acting.player_id,
        text
    )
    .fetch_one(&mut *tx)
    .await?;
    // The text is personal data, which an append-only log must not keep: its id says which.
    let after = json!({ "note_id": note.note_id });
    acting.record(&mut tx, format!("player:{player_id}"), None, Some(after)).await?;
    tx.commit().await?;
    Ok(note)
}
