//! `GET /v1/chat/channels/{kind}/{about}/messages`

use axum::extract::State;
use sortie_control::app::AppState;
use sortie_control::bus::Rate;
use sortie_control::error::{ApiError, ApiResult, ErrorBody};
use sortie_control::json::{Json, Path, Query};
use sortie_control::page::{Page, PageQuery};
use sortie_control::who::Caller;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::channel::{ChannelName, Kind};
use crate::request;
use crate::wire::Message;

pub(crate) fn router(app: AppState, rate: Rate) -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(messages)).with_state(History { app, rate })
}

#[derive(Clone)]
struct History {
    app: AppState,
    rate: Rate,
}

impl axum::extract::FromRef<History> for AppState {
    fn from_ref(history: &History) -> Self {
        history.app.clone()
    }
}

/// Lists what was said in a channel, newest first.
///
/// For members of the channel, and for moderators where it is no whisper. `about` is `-` for the
/// global channel, else as in docs/chat.md.
#[utoipa::path(
    get, operation_id = "list_messages",
    path = "/v1/chat/channels/{kind}/{about}/messages", tag = "chat",
    security(("bearer" = [])),
    params(
        ("kind" = Kind, Path, description = "What kind of channel"),
        ("about" = String, Path, description = "Which of that kind; `-`: the global one"),
        PageQuery,
    ),
    responses(
        (status = 200, description = "A page", body = Page<Message>),
        (status = 400, description = "The path or query cannot be read", body = ErrorBody),
        (status = 401, description = "No valid token", body = ErrorBody),
        (status = 403, description = "`chat.no_access`: the channel is for others",
            body = ErrorBody),
        (status = 404, description = "`chat.channel`: there is none", body = ErrorBody),
        (status = 422, description = "The limit or cursor is none", body = ErrorBody),
        (status = 429, description = "Too often", body = ErrorBody),
        (status = 503, description = "The database is away", body = ErrorBody),
    )
)]
async fn messages(
    State(History { app, rate }): State<History>,
    caller: Caller,
    Path((kind, about)): Path<(Kind, String)>,
    Query(page): Query<PageQuery>,
) -> ApiResult<Json<Page<Message>>> {
    let bucket = format!("chat/history/{}", caller.player_id);
    app.bus.limiter.take(&bucket, rate).await.map_err(ApiError::too_many)?;
    let channel = ChannelName { kind, about };
    Ok(Json(request::history(&app.db, caller.player_id, &channel, &page).await?))
}
