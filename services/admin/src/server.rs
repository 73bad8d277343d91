//! `/v1/admin/servers`: battle servers.

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sortie_battles::server;
use sortie_battles::state::ServerState;
use sortie_control::error::{ApiResult, ErrorBody};
use sortie_control::json::{Json, Path, Query};
use sortie_control::page::{Page, PageQuery};
use sortie_control::permission::needs;
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::error::AdminError;
use crate::staff_router::{Acting, AdminState, StaffRouter};

pub(crate) fn routes(router: StaffRouter) -> StaffRouter {
    router
        .serve::<needs::ServersRead>("servers.list", routes!(list))
        .serve::<needs::ServersWrite>("servers.drain", routes!(drain))
}

/// A battle server.
#[derive(Debug, Serialize, ToSchema)]
struct Server {
    server_id: Uuid,
    name: String,
    address: String,
    version: String,
    #[schema(value_type = ServerState)]
    state: String,
    epoch: i64,
    #[serde(with = "time::serde::rfc3339")]
    lease_until: OffsetDateTime,
    /// Allocated and running.
    battles: i64,
    battles_max: i32,
    players_max: i32,
    /// The newest heartbeat.
    load: ServerLoad,
}

/// How much a battle server has to do; 0 until it has told.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
struct ServerLoad {
    /// Players in its battles.
    players: u32,
    /// 99 of 100 ticks took at most so long, in microseconds.
    tick_p99_us: u32,
    /// Ticks that took longer than they may.
    tick_overruns: u64,
    /// Its step on the ladder of overload; 0: none.
    overload_step: u32,
    /// Parts that its maps are simulated in.
    regions: u32,
    /// Players in the fullest of them.
    region_players_max: u32,
}

impl From<Value> for ServerLoad {
    /// What cannot be read is 0.
    fn from(load: Value) -> Self {
        serde_json::from_value(load).unwrap_or_default()
    }
}

/// List battle servers, newest first
#[utoipa::path(get, operation_id = "list_servers",
    path = "/v1/admin/servers", tag = "admin", params(PageQuery),
    responses((status = 200, description = "A page", body = Page<Server>),
        (status = 422, description = "A value is out of bounds", body = ErrorBody)))]
async fn list(
    State(state): State<AdminState>,
    Query(page): Query<PageQuery>,
) -> ApiResult<Json<Page<Server>>> {
    let (limit, before) = (page.limit()?, page.after::<Uuid>()?);
    let servers = sqlx::query_as!(
        Server,
        r#"select server_id, name, address, version, state, epoch, lease_until,
               (select count(*) from battle b where b.server_id = s.server_id
                   and battle_is_on_server(b.state)) as "battles!",
               battles_max, players_max, load
           from battle_server s where ($1::uuid is null or server_id < $1)
           order by server_id desc limit $2"#,
        before,
        limit + 1
    )
    .fetch_all(state.db())
    .await?;
    Ok(Json(Page::new(servers, limit, |server| server.server_id)))
}

/// Drain a battle server: it finishes its battles and gets no new ones
#[utoipa::path(post, operation_id = "drain_server",
    path = "/v1/admin/servers/{server_id}/drain", tag = "admin",
    params(("server_id" = Uuid, Path, description = "The server")),
    responses((status = 202, description = "It is told"),
        (status = 404, description = "`server.unknown`", body = ErrorBody),
        (status = 409, description = "`server.gone`", body = ErrorBody)))]
async fn drain(
    State(state): State<AdminState>,
    acting: Acting,
    Path(server_id): Path<Uuid>,
) -> ApiResult<StatusCode> {
    order(&state, &acting, server_id).await?;
    Ok(StatusCode::ACCEPTED)
}

async fn order(state: &AdminState, acting: &Acting, server_id: Uuid) -> Result<(), AdminError> {
    let mut tx = state.db().begin().await?;
    let state = sqlx::query_scalar!(
        "select state from battle_server where server_id = $1 for no key update",
        server_id
    )
    .fetch_optional(&mut *tx)
    .await?
    .ok_or(AdminError::UnknownServer)?;
    if ServerState::Gone.is(&state) {
        return Err(AdminError::ServerGone);
    }
    server::drain(&mut tx, server_id).await?;
    let (before, after) = (json!({ "state": state }), json!({ "state": ServerState::Draining }));
    acting.record(&mut tx, format!("server:{server_id}"), Some(before), Some(after)).await?;
    Ok(tx.commit().await?)
}
