//! `POST /v1/battles/{battle_id}/reports`: a player tells staff about another one.

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use sortie_control::app::AppState;
use sortie_control::bus::Rate;
use sortie_control::error::{ApiError, ApiResult, ErrorBody};
use sortie_control::idempotency;
use sortie_control::json::{Json, Path};
use sortie_control::who::Caller;
use sortie_sanctions::report::{self, OfPlayer};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::error::AdminError;
use crate::text;

const REPORTS: Rate = Rate::per(10, std::time::Duration::from_secs(600));

pub(crate) fn routes(app: &AppState) -> OpenApiRouter {
    let report = idempotency::kept(app, routes!(report));
    OpenApiRouter::new().routes(report).with_state(app.clone())
}

/// What the other player did.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum BattleReportKind {
    /// Plays with help from a program.
    Cheating,
    /// Spoils the battle for others.
    Behaviour,
}

/// A report of a player in a battle.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewReport {
    /// The reported player, who was in the same battle.
    player_id: Uuid,
    kind: BattleReportKind,
    /// What happened, at most 1000 characters.
    #[serde(default)]
    #[schema(max_length = 1000)]
    text: String,
    /// When in the battle; staff look there in the replay.
    #[serde(default)]
    #[schema(minimum = 0)]
    tick: Option<i32>,
}

/// A report that was made.
#[derive(Debug, Serialize, ToSchema)]
struct MadeReport {
    report_id: Uuid,
}

/// Report a player of a battle that you were in, too; each player once a battle
#[utoipa::path(post, operation_id = "report_player",
    path = "/v1/battles/{battle_id}/reports", tag = "battles",
    security(("bearer" = [])), params(("battle_id" = Uuid, Path, description = "The battle")),
    request_body = NewReport,
    responses((status = 201, description = "Staff will see it", body = MadeReport),
        (status = 401, description = "Not logged in", body = ErrorBody),
        (status = 404, description = "`battle.unknown`: there is none, or you were not in it",
            body = ErrorBody),
        (status = 409, description = "`report.not_in_battle`, `report.already`, `report.oneself`",
            body = ErrorBody),
        (status = 422, description = "`request.fields`", body = ErrorBody),
        (status = 429, description = "Too many reports", body = ErrorBody),
        (status = 503, description = "The database is away", body = ErrorBody)))]
async fn report(
    State(app): State<AppState>,
    caller: Caller,
    Path(battle_id): Path<Uuid>,
    Json(new): Json<NewReport>,
) -> ApiResult<(StatusCode, Json<MadeReport>)> {
    let bucket = format!("admin/report/{}", caller.player_id);
    app.bus.limiter.take(&bucket, REPORTS).await.map_err(ApiError::too_many)?;
    let report_id = write(&app, caller.player_id, battle_id, &new).await?;
    metrics::counter!("sortie_admin_player_reports_total").increment(1);
    Ok((StatusCode::CREATED, Json(MadeReport { report_id })))
}

async fn write(
    app: &AppState,
    reporter: Uuid,
    battle_id: Uuid,
    new: &NewReport,
) -> Result<Uuid, AdminError> {
    let text = text::sane(&new.text, 0..=1_000, "text has at most 1000 characters")?;
    if new.tick.is_some_and(|tick| tick < 0) {
        return Err(AdminError::BadValue("ticks count from 0"));
    }
    let seats = sqlx::query_scalar!(
        "select player_id from battle_player join player using (player_id)
         where battle_id = $1 and player_id = any($2) and erased_at is null",
        battle_id,
        &[reporter, new.player_id][..]
    )
    .fetch_all(&app.db)
    .await?;
    // Who was not there learns nothing about who was.
    if !seats.contains(&reporter) {
        return Err(AdminError::UnknownBattle);
    }
    if !seats.contains(&new.player_id) {
        return Err(AdminError::NotTogether);
    }
    let kind = match new.kind {
        BattleReportKind::Cheating => "cheating",
        BattleReportKind::Behaviour => "behaviour",
    };
    let report =
        OfPlayer { reporter, accused: new.player_id, kind, text: &text, battle_id, tick: new.tick };
    Ok(report::player(&app.db, report).await?)
}
