//! `/v1/admin/flags`: switches that change while everything runs. Which there are says
//! [`sortie_control::flag`].

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sortie_control::error::{ApiResult, ErrorBody};
use sortie_control::flag::Flag;
use sortie_control::json::{Json, Path};
use sortie_control::permission::needs;
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::error::AdminError;
use crate::staff_router::{Acting, AdminState, DONE, StaffRouter};

pub(crate) fn routes(router: StaffRouter) -> StaffRouter {
    router
        .serve::<needs::FlagsRead>("flags.list", routes!(list))
        .serve::<needs::FlagsWrite>("flags.set", routes!(set))
        .serve::<needs::FlagsWrite>("flags.remove", routes!(remove))
}

/// A flag.
#[derive(Debug, Serialize, ToSchema)]
struct FlagView {
    flag: Flag,
    /// What holds now.
    value: bool,
    /// What holds while nobody has set it.
    default: bool,
    /// What it does.
    about: &'static str,
    /// Null: nobody has set it.
    #[serde(with = "time::serde::rfc3339::option")]
    changed_at: Option<OffsetDateTime>,
    changed_by: Option<Uuid>,
}

/// What a flag is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewFlag {
    value: bool,
}

/// List the flags: all that there are
#[utoipa::path(get, operation_id = "list_flags",
    path = "/v1/admin/flags", tag = "admin",
    responses((status = 200, description = "All flags", body = Vec<FlagView>),
        (status = 503, description = "The database is away", body = ErrorBody)))]
async fn list(State(state): State<AdminState>) -> ApiResult<Json<Vec<FlagView>>> {
    let names: Vec<String> = Flag::ALL.iter().map(|flag| flag.name().to_owned()).collect();
    let rows = sqlx::query!(
        "select flag, value, changed_at, changed_by from flag where flag = any($1)",
        &names[..]
    )
    .fetch_all(state.db())
    .await?;
    let view = |flag: &Flag| {
        let row = rows.iter().find(|row| row.flag == flag.name());
        let value = row.and_then(|row| row.value.as_bool());
        FlagView {
            flag: *flag,
            value: value.unwrap_or(flag.default_value()),
            default: flag.default_value(),
            about: flag.about(),
            changed_at: row.map(|row| row.changed_at),
            changed_by: row.and_then(|row| row.changed_by),
        }
    };
    Ok(Json(Flag::ALL.iter().map(view).collect()))
}

/// Set a flag, for all nodes and at once
#[utoipa::path(put, operation_id = "set_flag",
    path = "/v1/admin/flags/{flag}", tag = "admin",
    params(("flag" = Flag, Path, description = "Which")),
    request_body = NewFlag,
    responses((status = 204, description = "It is so now"),
        (status = 404, description = "`flag.unknown`", body = ErrorBody),
        (status = 422, description = "`request.fields`", body = ErrorBody)))]
async fn set(
    State(state): State<AdminState>,
    acting: Acting,
    Path(flag): Path<String>,
    Json(new): Json<NewFlag>,
) -> ApiResult<StatusCode> {
    write(&state, &acting, &flag, new.value).await?;
    Ok(DONE)
}

async fn write(
    state: &AdminState,
    acting: &Acting,
    flag: &str,
    value: bool,
) -> Result<(), AdminError> {
    let flag = Flag::named(flag).ok_or(AdminError::UnknownFlag)?;
    let mut tx = state.db().begin().await?;
    let before =
        sqlx::query_scalar!("select value from flag where flag = $1 for update", flag.name())
            .fetch_optional(&mut *tx)
            .await?;
    sqlx::query!(
        "insert into flag (flag, value, about, changed_by) values ($1, $2, $3, $4)
         on conflict (flag) do update
         set value = excluded.value, about = excluded.about, changed_at = now(), changed_by = $4",
        flag.name(),
        Value::Bool(value),
        flag.about(),
        acting.player_id
    )
    .execute(&mut *tx)
    .await?;
    let before = before.map(|value| json!({ "value": value }));
    let after = json!({ "value": value });
    acting.record(&mut tx, format!("flag:{}", flag.name()), before, Some(after)).await?;
    Ok(tx.commit().await?)
}

/// Remove what was set: the default holds again
#[utoipa::path(delete, operation_id = "reset_flag",
    path = "/v1/admin/flags/{flag}", tag = "admin",
    params(("flag" = Flag, Path, description = "Which")),
    responses((status = 204, description = "The default holds"),
        (status = 404, description = "`flag.unknown`", body = ErrorBody)))]
async fn remove(
    State(state): State<AdminState>,
    acting: Acting,
    Path(flag): Path<String>,
) -> ApiResult<StatusCode> {
    delete(&state, &acting, &flag).await?;
    Ok(DONE)
}

async fn delete(state: &AdminState, acting: &Acting, flag: &str) -> Result<(), AdminError> {
    let mut tx = state.db().begin().await?;
    let value = sqlx::query_scalar!("delete from flag where flag = $1 returning value", flag)
        .fetch_optional(&mut *tx)
        .await?
        .ok_or(AdminError::UnknownFlag)?;
    let before = json!({ "value": value });
    acting.record(&mut tx, format!("flag:{flag}"), Some(before), None).await?;
    Ok(tx.commit().await?)
}
