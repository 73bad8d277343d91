//! Logins, refreshes and token verifications a second.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::ensure;
use axum::Router;
use axum::http::Method;
use serde_json::{Value, json};
use sortie_account::Settings;
use sortie_account::hasher::{Cost, Pool};
use sortie_account::settings::Limits;
use sortie_control::plane::Plane;
use sortie_control::{service, testing};
use sqlx::PgPool;
use time::OffsetDateTime;

use crate::figure::{Figure, quantile_ms};

const PASSWORD: &str = "correct horse battery";

/// Logs players in as fast as it goes, from as many tasks as there are processors.
pub async fn run(db: &PgPool, quick: bool) -> anyhow::Result<Vec<Figure>> {
    let processors = std::thread::available_parallelism().map_or(2, usize::from);
    let (players, logins) = if quick { (2, 8) } else { (16, 400) };
    let cost = Cost::default();
    let settings = Settings {
        cost,
        pool: Pool { running_max: processors, waiting_max: 64 },
        limits: Limits::NONE,
        sessions_max: 10_000,
        ..Settings::default()
    };
    let plane = Plane::local(db.clone());
    let (_stopper, stop) = service::stop();
    // Jobs are not run: cleaning up is not what is measured.
    let service = sortie_account::service(&plane, settings, &stop);
    let routes = Routes(Arc::new(service.routes.into()));
    for at in 0..players {
        let body = json!({ "name": name(at), "email": format!("{at}@example.org"),
            "password": PASSWORD });
        ensure!(routes.post("/v1/accounts", body).await.0 == 201, "sign-up {at}");
    }

    let started = Instant::now();
    let login = |at: usize| json!({ "login": name(at % players), "password": PASSWORD });
    let (mut times, bodies) = all(&routes, "/v1/sessions", 201, processors, logins, login).await?;
    let what = format!("logins, argon2id {} MiB t={} p={}", cost.memory_kib >> 10, cost.passes, cost.lanes);
    let mut figures = vec![
        rate(&what, logins, started.elapsed(), format!("{processors} processors, all 201")),
        Figure::new("login p99", quantile_ms(&mut times, 0.99), "ms", "while at the rate above"),
    ];

    let tokens: Vec<String> = bodies
        .iter()
        .filter_map(|body| body["tokens"]["refresh_token"].as_str().map(str::to_owned))
        .collect();
    let started = Instant::now();
    let refresh = |at: usize| json!({ "refresh_token": tokens[at] });
    all(&routes, "/v1/sessions/refresh", 200, 4 * processors, tokens.len(), refresh).await?;
    let guard = format!("{} of {} exchanged once", tokens.len(), logins);
    figures.push(rate("refreshes", tokens.len(), started.elapsed(), guard));

    figures.push(verifications(&plane, if quick { 100 } else { 20_000 })?);
    Ok(figures)
}

fn name(at: usize) -> String {
    format!("Player {at}")
}

/// Routes that can be called.
#[derive(Clone)]
struct Routes(Arc<Router>);

impl Routes {
    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        let (status, body) = testing::call(&self.0, Method::POST, path, None, Some(body)).await;
        (status.as_u16(), body)
    }
}

/// So many calls from so many tasks at once; gives how long each took, and the answers.
async fn all(
    routes: &Routes,
    path: &'static str,
    expected: u16,
    tasks: usize,
    calls: usize,
    body: impl Fn(usize) -> Value,
) -> anyhow::Result<(Vec<Duration>, Vec<Value>)> {
    let mut running = tokio::task::JoinSet::new();
    let (mut times, mut answers) = (Vec::with_capacity(calls), Vec::with_capacity(calls));
    for at in 0..calls + tasks {
        if at >= tasks.min(calls)
            && let Some(done) = running.join_next().await
        {
            let (status, answer, took): (u16, Value, Duration) = done?;
            ensure!(status == expected, "{path}: {status} {answer}");
            times.push(took);
            answers.push(answer);
        }
        if at < calls {
            let (routes, body) = (routes.clone(), body(at));
            running.spawn(async move {
                let started = Instant::now();
                let (status, answer) = routes.post(path, body).await;
                (status, answer, started.elapsed())
            });
        }
    }
    ensure!(times.len() == calls, "{} of {calls} answers", times.len());
    Ok((times, answers))
}

fn verifications(plane: &Plane, count: usize) -> anyhow::Result<Figure> {
    let now = OffsetDateTime::now_utc();
    let (player, session) = (uuid::Uuid::now_v7(), uuid::Uuid::now_v7());
    let token = plane.access.issue(player, session, false, now);
    let started = Instant::now();
    for _ in 0..count {
        ensure!(plane.access.verify(&token, now)?.sub == player, "another player");
    }
    Ok(rate("access tokens verified", count, started.elapsed(), "one thread, all good".to_owned()))
}

fn rate(what: &str, count: usize, took: Duration, guard: String) -> Figure {
    Figure::new(what, count as f64 / took.as_secs_f64(), "1/s", guard)
}
