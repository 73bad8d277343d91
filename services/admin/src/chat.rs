//! `/v1/admin/chat`: the queue of reported messages, and what is done about them.

use axum::extract::State;
use axum::http::StatusCode;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sortie_control::app::AppState;
use sortie_control::chat::{self, ChatChange, Parcel, Told};
use sortie_control::error::{ApiResult, ErrorBody};
use sortie_control::json::{Json, Path, Query};
use sortie_control::page::{Page, PageQuery};
use sortie_control::permission::needs;
use sortie_control::vocabulary::WordEffect;
use sortie_messages::{channel, message};
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::error::AdminError;
use crate::staff_router::{Acting, AdminState, DONE, StaffRouter};

/// Messages before and after a reported one.
const CONTEXT: i32 = 5;
const WORD_CHARS_MAX: usize = 60;
const WORDS_MAX: i64 = 10_000;

pub(crate) fn routes(router: StaffRouter) -> StaffRouter {
    router
        .serve::<needs::ChatModerate>("chat.queue", routes!(queue))
        .serve::<needs::ChatModerate>("chat.delete", routes!(delete))
        .serve::<needs::ChatModerate>("chat.slow_mode", routes!(slow_mode))
        .serve::<needs::ChatModerate>("chat.words", routes!(words))
        .serve::<needs::ChatModerate>("chat.add_word", routes!(add_word))
        .serve::<needs::ChatModerate>("chat.remove_word", routes!(remove_word))
}

/// A report of a message.
#[derive(Debug, Serialize, ToSchema)]
struct Reported {
    report_id: Uuid,
    reporter: Uuid,
    accused: Uuid,
    /// What the reporter says.
    text: String,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    channel_id: Option<Uuid>,
    message_id: Option<Uuid>,
    /// The message, with up to five before and five after it, in order.
    messages: Vec<Message>,
}

/// A message.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ChatMessage)]
struct Message {
    message_id: Uuid,
    author: Uuid,
    /// Also of a deleted one.
    text: String,
    #[serde(with = "time::serde::rfc3339")]
    said_at: OffsetDateTime,
    is_deleted: bool,
}

/// List open reports of messages, oldest first, with what was said around them
#[utoipa::path(get, operation_id = "list_reported_messages",
    path = "/v1/admin/chat/reports", tag = "admin", params(PageQuery),
    responses((status = 200, description = "A page", body = Page<Reported>),
        (status = 422, description = "A value is out of bounds", body = ErrorBody)))]
async fn queue(
    State(state): State<AdminState>,
    Query(page): Query<PageQuery>,
) -> ApiResult<Json<Page<Reported>>> {
    let (limit, after) = (page.limit()?, page.after::<Uuid>()?);
    let rows = sqlx::query!(
        r#"select report_id, reporter, accused, r.text, r.created_at, message_id,
               channel_id as "channel_id?"
           from report r left join chat_message using (message_id)
           where r.kind = 'chat' and report_is_open(r.state)
               and ($1::uuid is null or report_id > $1)
           order by report_id limit $2"#,
        after,
        limit + 1
    )
    .fetch_all(state.db())
    .await?;
    let mut reports = Vec::with_capacity(rows.len());
    for row in rows {
        let messages = match row.channel_id.zip(row.message_id) {
            Some((channel_id, message_id)) => around(&state, channel_id, message_id).await?,
            None => Vec::new(),
        };
        reports.push(Reported {
            report_id: row.report_id,
            reporter: row.reporter,
            accused: row.accused,
            text: row.text,
            created_at: row.created_at,
            channel_id: row.channel_id,
            message_id: row.message_id,
            messages,
        });
    }
    Ok(Json(Page::new(reports, limit, |report| report.report_id)))
}

async fn around(
    state: &AdminState,
    channel_id: Uuid,
    message_id: Uuid,
) -> sqlx::Result<Vec<Message>> {
    sqlx::query_as!(
        Message,
        r#"select message_id as "message_id!", author as "author!", text as "text!",
               said_at as "said_at!", is_deleted as "is_deleted!"
           from (
               (select message_id, author, text, said_at, deleted_at is not null as is_deleted
                from chat_message where channel_id = $1 and message_id <= $2
                order by message_id desc limit $3 + 1)
               union all
               (select message_id, author, text, said_at, deleted_at is not null
                from chat_message where channel_id = $1 and message_id > $2
                order by message_id limit $3)) found
           order by message_id"#,
        channel_id,
        message_id,
        CONTEXT
    )
    .fetch_all(state.db())
    .await
}

/// Delete a message
#[utoipa::path(delete, operation_id = "delete_chat_message",
    path = "/v1/admin/chat/messages/{message_id}", tag = "admin",
    params(("message_id" = Uuid, Path, description = "The message")),
    responses((status = 204, description = "Nobody sees it any more"),
        (status = 404, description = "`chat.unknown_message`", body = ErrorBody)))]
async fn delete(
    State(state): State<AdminState>,
    acting: Acting,
    Path(message_id): Path<Uuid>,
) -> ApiResult<StatusCode> {
    let place = delete_now(&state, &acting, message_id).await?;
    tell_deleted(&state.app, &place, message_id).await;
    Ok(DONE)
}

struct Place {
    channel_id: Uuid,
    kind: String,
    about: String,
}

async fn delete_now(
    state: &AdminState,
    acting: &Acting,
    message_id: Uuid,
) -> Result<Place, AdminError> {
    let mut tx = state.db().begin().await?;
    let deleted = message::delete(&mut tx, message_id, acting.player_id).await?;
    let row = deleted.ok_or(AdminError::UnknownMessage)?;
    let before = json!({ "author": row.author, "channel_id": row.channel_id });
    acting.record(&mut tx, format!("message:{message_id}"), Some(before), None).await?;
    tx.commit().await?;
    Ok(Place { channel_id: row.channel_id, kind: row.kind, about: row.about })
}

/// Tells the nodes of chat; whoever misses it reads Postgres.
async fn tell_deleted(app: &AppState, place: &Place, message_id: Uuid) {
    let topic = chat::topic((place.kind != "whisper").then_some(place.channel_id));
    // Nobody's words are in it, and no node of chat is the sender.
    let change = ChatChange::<()>::Deleted { message_id };
    let changes = vec![Told { place: (&place.kind, &place.about), change }];
    let parcel = json!(Parcel { node: Uuid::now_v7(), changes });
    if let Err(error) = app.bus.topics.publish(&topic, Bytes::from(parcel.to_string())).await {
        tracing::warn!(%error, "sockets of chat were not told of a deleted message");
    }
}

/// How slow a channel is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SlowMode {
    /// Least seconds between two messages of one player, 0 to 3600; 0: no slow mode.
    #[schema(minimum = 0, maximum = 3600)]
    seconds: i32,
}

/// Slow a channel down
#[utoipa::path(put, operation_id = "set_slow_mode",
    path = "/v1/admin/chat/channels/{channel_id}/slow_mode", tag = "admin",
    params(("channel_id" = Uuid, Path, description = "The channel")), request_body = SlowMode,
    responses((status = 204, description = "It is so now"),
        (status = 404, description = "`chat.unknown_channel`", body = ErrorBody),
        (status = 422, description = "`request.fields`", body = ErrorBody)))]
async fn slow_mode(
    State(state): State<AdminState>,
    acting: Acting,
    Path(channel_id): Path<Uuid>,
    Json(slow): Json<SlowMode>,
) -> ApiResult<StatusCode> {
    set_slow_mode(&state, &acting, channel_id, slow.seconds).await?;
    Ok(DONE)
}

async fn set_slow_mode(
    state: &AdminState,
    acting: &Acting,
    channel_id: Uuid,
    seconds: i32,
) -> Result<(), AdminError> {
    if !(0..=3_600).contains(&seconds) {
        return Err(AdminError::BadValue("seconds must be 0 to 3600"));
    }
    let mut tx = state.db().begin().await?;
    let before = channel::set_slow_mode(&mut tx, channel_id, seconds).await?;
    let before = before.ok_or(AdminError::UnknownChannel)?;
    let (before, after) = (json!({ "seconds": before }), json!({ "seconds": seconds }));
    acting.record(&mut tx, format!("channel:{channel_id}"), Some(before), Some(after)).await?;
    Ok(tx.commit().await?)
}

/// A word of the filter.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FilterWord)]
struct Word {
    word: String,
    #[schema(value_type = WordEffect)]
    effect: String,
}

/// List the words of the filter
#[utoipa::path(get, operation_id = "list_filter_words",
    path = "/v1/admin/chat/words", tag = "admin",
    responses((status = 200, description = "All words", body = Vec<Word>),
        (status = 503, description = "The database is away", body = ErrorBody)))]
async fn words(State(state): State<AdminState>) -> ApiResult<Json<Vec<Word>>> {
    let words = sqlx::query_as!(
        Word,
        "select word, effect from chat_word order by word limit $1",
        WORDS_MAX
    );
    Ok(Json(words.fetch_all(state.db()).await?))
}

/// What the word does.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewFilterWord)]
struct NewWord {
    effect: WordEffect,
}

/// Put a word into the filter
#[utoipa::path(put, operation_id = "add_filter_word",
    path = "/v1/admin/chat/words/{word}", tag = "admin",
    params(("word" = String, Path, description = "The word, any case, letters and digits")),
    request_body = NewWord,
    responses((status = 204, description = "It is there now"),
        (status = 422, description = "`request.fields`", body = ErrorBody)))]
async fn add_word(
    State(state): State<AdminState>,
    acting: Acting,
    Path(word): Path<String>,
    Json(new): Json<NewWord>,
) -> ApiResult<StatusCode> {
    write_word(&state, &acting, &word.to_lowercase(), new.effect).await?;
    Ok(DONE)
}

async fn write_word(
    state: &AdminState,
    acting: &Acting,
    word: &str,
    effect: WordEffect,
) -> Result<(), AdminError> {
    // The filter compares whole words: one with a blank in it would never be found.
    let is_word = !word.is_empty() && word.chars().all(char::is_alphanumeric);
    if !is_word || word.chars().count() > WORD_CHARS_MAX {
        return Err(AdminError::BadValue("a word has 1 to 60 letters and digits"));
    }
    let effect = effect.name();
    let mut tx = state.db().begin().await?;
    let old = sqlx::query_scalar!("select effect from chat_word where word = $1", word)
        .fetch_optional(&mut *tx)
        .await?;
    sqlx::query!(
        "insert into chat_word (word, effect) values ($1, $2)
         on conflict (word) do update set effect = excluded.effect",
        word,
        effect
    )
    .execute(&mut *tx)
    .await?;
    let before = old.map(|effect| json!({ "effect": effect }));
    let after = json!({ "effect": effect });
    acting.record(&mut tx, format!("word:{word}"), before, Some(after)).await?;
    Ok(tx.commit().await?)
}

/// Take a word out of the filter
#[utoipa::path(delete, operation_id = "remove_filter_word",
    path = "/v1/admin/chat/words/{word}", tag = "admin",
    params(("word" = String, Path, description = "The word")),
    responses((status = 204, description = "It is gone"),
        (status = 404, description = "`chat.unknown_word`", body = ErrorBody)))]
async fn remove_word(
    State(state): State<AdminState>,
    acting: Acting,
    Path(word): Path<String>,
) -> ApiResult<StatusCode> {
    delete_word(&state, &acting, &word.to_lowercase()).await?;
    Ok(DONE)
}

async fn delete_word(state: &AdminState, acting: &Acting, word: &str) -> Result<(), AdminError> {
    let mut tx = state.db().begin().await?;
    let effect =
        sqlx::query_scalar!("delete from chat_word where word = $1 returning effect", word)
            .fetch_optional(&mut *tx)
            .await?
            .ok_or(AdminError::UnknownWord)?;
    let before = json!({ "effect": effect });
    acting.record(&mut tx, format!("word:{word}"), Some(before), None).await?;
    Ok(tx.commit().await?)
}
