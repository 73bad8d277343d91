//! `sortie.ranking.v1.Results`: what battle servers call.

use std::time::Instant;

use tonic::service::RoutesBuilder;
use tonic::service::interceptor::InterceptedService;
use tonic::{Request, Response, Status};

use sortie_control::app::AppState;
use sortie_control::error::ApiError;
use sortie_control::internal::{FleetCaller, FleetDoor, SharedSecret};
use sortie_rpc::ranking::v1 as rpc;
use sortie_rpc::ranking::v1::results_server::{Results, ResultsServer};
use sortie_rpc::ranking::{Receipt, RefusalCode};

use super::check::BattleResult;
use super::outcome::{Outcome, Stored};
use super::store::store;
use crate::settings::Settings;

/// Largest report. More than other services read: a battle of 8,192 players with 20,000 events
/// is one message. Who calls is checked before any of it is read.
pub const REPORT_BYTES_MAX: usize = 32 << 20;

/// Adds the service to a listener's routes; calls need a server's credential, or the fleet secret
/// where the server is older than those.
pub fn add_rpc(
    routes: &mut RoutesBuilder,
    app: &AppState,
    secret: SharedSecret,
    settings: Settings,
) {
    let results = Reports { app: app.clone(), settings };
    let server = ResultsServer::new(results).max_decoding_message_size(REPORT_BYTES_MAX);
    let door = FleetDoor::new(secret, app.access.clone());
    routes.add_service(InterceptedService::new(server, door));
}

struct Reports {
    app: AppState,
    settings: Settings,
}

#[tonic::async_trait]
impl Results for Reports {
    async fn report(
        &self,
        request: Request<rpc::ReportRequest>,
    ) -> Result<Response<rpc::ReportResponse>, Status> {
        let started = Instant::now();
        let caller = FleetCaller::of(&request)?;
        let mut result = match BattleResult::try_from(request.into_inner()) {
            Ok(result) => result,
            Err(malformed) => {
                tracing::warn!(%malformed, "a malformed result");
                let reason = malformed.to_string();
                return answer(Receipt::Refused { code: RefusalCode::Malformed, reason });
            }
        };
        if let FleetCaller::Server { server_id, epoch } = caller {
            if (server_id, epoch) != (result.server_id, result.epoch) {
                let text = "server_id and epoch: they are not those of the credential";
                return Err(Status::permission_denied(text));
            }
            result.is_proven = true;
        }
        let battle_id = result.battle_id;
        // A task of its own: a caller that hangs up must not cut a transaction in two.
        let (app, settings) = (self.app.clone(), self.settings.clone());
        let stored = self.app.tasks.spawn("result", async move {
            let outcome = store(&app.db, &settings, &result).await?;
            if let Outcome::Stored(stored) = &outcome {
                count(stored);
            }
            Ok::<_, sqlx::Error>(outcome)
        });
        let outcome = match stored.await {
            Ok(outcome) => outcome.map_err(ApiError::from)?,
            Err(panic) => return Err(ApiError::internal(&panic).into()),
        };
        metrics::histogram!("sortie_result_seconds").record(started.elapsed().as_secs_f64());
        match outcome {
            Outcome::Stored(stored) if stored.misfits.is_empty() => answer(Receipt::Stored),
            Outcome::Stored(stored) => {
                metrics::counter!("sortie_results_under_review_total").increment(1);
                let misfits = stored.misfits.join("; ");
                tracing::warn!(
                    %battle_id,
                    misfits,
                    "a result does not fit its battle; nobody is rated"
                );
                answer(Receipt::UnderReview { reason: misfits })
            }
            Outcome::Known { state } => answer(Receipt::Known { state }),
            Outcome::Refused(refusal) => {
                tracing::warn!(%battle_id, %refusal, "a result was refused");
                answer(Receipt::Refused { code: refusal.code(), reason: refusal.to_string() })
            }
        }
    }
}

/// Counts and sends what became of a result.
fn answer(receipt: Receipt) -> Result<Response<rpc::ReportResponse>, Status> {
    let response = rpc::ReportResponse::from(receipt);
    let outcome = response.outcome.clone();
    metrics::counter!("sortie_results_total", "outcome" => outcome).increment(1);
    Ok(Response::new(response))
}

fn count(stored: &Stored) {
    for (reason, players) in &stored.reasons {
        metrics::counter!("sortie_rating_changes_total", "reason" => reason.name())
            .increment(*players);
    }
}
