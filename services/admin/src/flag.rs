//! `/v1/admin/flags`: configuration that changes while everything runs.

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sortie_control::error::{ApiResult, ErrorBody};
use sortie_control::json::{Json, Path};
use sortie_control::permission::needs;
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::desk::{Acting, DONE, Desk, Office};
use crate::error::AdminError;

const VALUE_BYTES_MAX: usize = 4_096;
const ABOUT_CHARS_MAX: usize = 200;
const FLAGS_MAX: i64 = 1_000;

pub(crate) fn routes(desk: Desk) -> Desk {
    desk.serve::<needs::FlagsRead>("flags.list", routes!(list))
        .serve::<needs::FlagsWrite>("flags.set", routes!(set))
        .serve::<needs::FlagsWrite>("flags.remove", routes!(remove))
}

/// A flag.
#[derive(Debug, Serialize, ToSchema)]
struct Flag {
    flag: String,
    /// Any JSON.
    value: Value,
    about: String,
    #[serde(with = "time::serde::rfc3339")]
    changed_at: OffsetDateTime,
    changed_by: Option<Uuid>,
}

/// What a flag is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewFlag {
    /// Any JSON of at most 4096 bytes.
    value: Value,
    /// What it is for, at most 200 characters; absent: as before.
    #[serde(default)]
    #[schema(max_length = 200)]
    about: Option<String>,
}

/// List the flags
#[utoipa::path(get, path = "/v1/admin/flags", tag = "admin",
    responses((status = 200, description = "All flags", body = Vec<Flag>),
        (status = 503, description = "The database is away", body = ErrorBody)))]
async fn list(State(office): State<Office>) -> ApiResult<Json<Vec<Flag>>> {
    let flags = sqlx::query_as!(
        Flag,
        "select flag, value, about, changed_at, changed_by from flag order by flag limit $1",
        FLAGS_MAX
    );
    Ok(Json(flags.fetch_all(office.db()).await?))
}

/// Set a flag
#[utoipa::path(put, path = "/v1/admin/flags/{flag}", tag = "admin",
    params(("flag" = String, Path, description = "Its name", pattern = "^[a-z0-9_.]{2,60}$")),
    request_body = NewFlag,
    responses((status = 204, description = "It is so now"),
        (status = 422, description = "`request.fields`", body = ErrorBody)))]
async fn set(
    State(office): State<Office>,
    acting: Acting,
    Path(flag): Path<String>,
    Json(new): Json<NewFlag>,
) -> ApiResult<StatusCode> {
    write(&office, &acting, &flag, &new).await?;
    Ok(DONE)
}

async fn write(
    office: &Office,
    acting: &Acting,
    flag: &str,
    new: &NewFlag,
) -> Result<(), AdminError> {
    if new.value.to_string().len() > VALUE_BYTES_MAX {
        return Err(AdminError::BadValue("value has at most 4096 bytes"));
    }
    if new.about.as_ref().is_some_and(|about| about.chars().count() > ABOUT_CHARS_MAX) {
        return Err(AdminError::BadValue("about has at most 200 characters"));
    }
    let mut tx = office.db().begin().await?;
    let before = sqlx::query_scalar!("select value from flag where flag = $1 for update", flag)
        .fetch_optional(&mut *tx)
        .await?;
    sqlx::query!(
        "insert into flag (flag, value, about, changed_by) values ($1, $2, coalesce($3, ''), $4)
         on conflict (flag) do update set value = excluded.value,
             about = coalesce($3, flag.about), changed_at = now(), changed_by = $4",
        flag,
        new.value,
        new.about,
        acting.player_id
    )
    .execute(&mut *tx)
    .await?;
    let before = before.map(|value| json!({ "value": value }));
    let after = json!({ "value": new.value });
    acting.record(&mut tx, format!("flag:{flag}"), before, Some(after)).await?;
    Ok(tx.commit().await?)
}

/// Remove a flag
#[utoipa::path(delete, path = "/v1/admin/flags/{flag}", tag = "admin",
    params(("flag" = String, Path, description = "Its name")),
    responses((status = 204, description = "It is gone"),
        (status = 404, description = "`flag.unknown`", body = ErrorBody)))]
async fn remove(
    State(office): State<Office>,
    acting: Acting,
    Path(flag): Path<String>,
) -> ApiResult<StatusCode> {
    delete(&office, &acting, &flag).await?;
    Ok(DONE)
}

async fn delete(office: &Office, acting: &Acting, flag: &str) -> Result<(), AdminError> {
    let mut tx = office.db().begin().await?;
    let value = sqlx::query_scalar!("delete from flag where flag = $1 returning value", flag)
        .fetch_optional(&mut *tx)
        .await?
        .ok_or(AdminError::UnknownFlag)?;
    let before = json!({ "value": value });
    acting.record(&mut tx, format!("flag:{flag}"), Some(before), None).await?;
    Ok(tx.commit().await?)
}
