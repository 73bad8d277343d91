//! Logins, refreshes and token verifications a second.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::ensure;
use axum::Router;
use axum::http::Method;
use serde_json::{Value, json};
use sortie_account::Settings;
use sortie_account::hasher::{Cost, Hasher, Pool};
use sortie_account::settings::Limits;
use sortie_control::app::AppState;
use sortie_control::service;
use sortie_control::who::Caller;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::figure::{Figures, quantile_ms};
use crate::fixture::Fixture;

const PASSWORD: &str = "correct horse battery";

/// Logs players in as fast as it goes: with the product's pool, and with one for all processors.
pub(crate) async fn logins(fixture: &Fixture, figures: &mut Figures) -> anyhow::Result<()> {
    let processors = std::thread::available_parallelism().map_or(2, usize::from);
    let players = fixture.size(16, 2);
    let Cost { memory_kib, passes, lanes } = Cost::default();
    let cost = format!("argon2id {} MiB t={passes} p={lanes}", memory_kib >> 10);
    let every = Pool { running_max: processors, waiting_max: 64 };
    let mut pools = vec![("every processor".to_owned(), every)];
    if Pool::default().running_max != processors {
        pools.insert(0, ("the default".to_owned(), Pool::default()));
    }
    for repeat in 0..fixture.repeats {
        for (which, pool) in &pools {
            let running = pool.running_max;
            let logins = fixture.size(100 * running, 4);
            fixture.say(format_args!("{logins} logins, {running} hashes at once, run {repeat}"));
            let routes = routes(fixture, *pool)?;
            let which = format!("{which}, {running} hashes at once");
            let sessions = Run { routes, players, logins, cost: &cost, which: &which };
            sessions.measure(figures).await?;
        }
        let alone = alone(fixture.size(20, 2)).await?;
        figures.add(format!("a hash alone, {cost}"), "ms", alone, "the right password is right");
    }
    Ok(())
}

/// The routes of accounts with this pool; cleaning up is not what is measured.
fn routes(fixture: &Fixture, pool: Pool) -> anyhow::Result<Routes> {
    let settings =
        Settings { pool, limits: Limits::NONE, sessions_max: 10_000, ..Settings::default() };
    let app = AppState::local(fixture.db.clone());
    let (_stopper, stop) = service::stop();
    Ok(Routes(Arc::new(sortie_account::service(&app, settings, &[], &stop).routes.into())))
}

/// Median milliseconds of one verification while nothing else runs here.
async fn alone(count: usize) -> anyhow::Result<f64> {
    let hasher = Hasher::new(Cost::default(), Pool { running_max: 1, waiting_max: 1 });
    let phc = hasher.hash(PASSWORD.to_owned()).await?;
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        let began = Instant::now();
        ensure!(hasher.verify(PASSWORD.to_owned(), Some(phc.clone())).await?, "a right password");
        times.push(began.elapsed());
    }
    Ok(quantile_ms(&mut times, 0.5))
}

struct Run<'a> {
    routes: Routes,
    players: usize,
    logins: usize,
    cost: &'a str,
    which: &'a str,
}

impl Run<'_> {
    async fn measure(&self, figures: &mut Figures) -> anyhow::Result<()> {
        let Self { routes, players, logins, cost, which } = self;
        // The first run makes the players, the others find them.
        for at in 0..*players {
            let (name, email) = (name(at), format!("{at}@example.org"));
            let body = json!({ "name": name, "email": email, "password": PASSWORD });
            let status = routes.post("/v1/accounts", body).await.0;
            ensure!(status == 201 || status == 409, "sign-up of {at}: {status}");
        }
        let started = Instant::now();
        let login = |at: usize| json!({ "login": name(at % players), "password": PASSWORD });
        let (mut times, bodies) = all(routes, "/v1/sessions", 201, 4, *logins, login).await?;
        let took = started.elapsed();
        let wrong = json!({ "login": name(0), "password": "wrong horse battery" });
        ensure!(routes.post("/v1/sessions", wrong).await.0 == 401, "a wrong password is let in");
        let guard = format!("{logins} of {logins} answered 201, a wrong password 401");
        let p99 = quantile_ms(&mut times, 0.99);
        figures.add(format!("logins, {cost}, {which}"), "1/s", per_s(*logins, took), &*guard);
        figures.add(format!("a login, four at a time, p99, {which}"), "ms", p99, guard);

        let tokens: Vec<String> = bodies
            .iter()
            .filter_map(|body| body["tokens"]["refresh_token"].as_str().map(str::to_owned))
            .collect();
        ensure!(tokens.len() == *logins, "{} refresh tokens of {logins} logins", tokens.len());
        let started = Instant::now();
        let refresh = |at: usize| json!({ "refresh_token": tokens[at] });
        all(routes, "/v1/sessions/refresh", 200, 8, tokens.len(), refresh).await?;
        let took = started.elapsed();
        // The same token again may be a lost answer; one that was never given is theft.
        let forged: String = tokens[0].chars().rev().collect();
        let forged = json!({ "refresh_token": forged });
        ensure!(routes.post("/v1/sessions/refresh", forged).await.0 == 401, "a forged token");
        if which.starts_with("every") {
            let guard = format!("{} exchanged once, a forged one 401", tokens.len());
            figures.add("refresh tokens exchanged", "1/s", per_s(tokens.len(), took), guard);
        }
        Ok(())
    }
}

fn name(at: usize) -> String {
    format!("Player {at}")
}

/// Routes that can be called.
#[derive(Clone)]
struct Routes(Arc<Router>);

impl Routes {
    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        let (status, body) =
            sortie_testing::call(&self.0, Method::POST, path, None, Some(body)).await;
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

/// Verifies access tokens as every call does: signature, times, and whether the login has ended.
pub(crate) async fn tokens(fixture: &Fixture, figures: &mut Figures) -> anyhow::Result<()> {
    let app = AppState::local(fixture.db.clone());
    let processors = std::thread::available_parallelism().map_or(2, usize::from);
    let count = fixture.size(10_000, 100);
    for _ in 0..fixture.repeats {
        for threads in [1, processors] {
            let started = Instant::now();
            let checks = || verify(&app, count);
            std::thread::scope(|scope| {
                let others: Vec<_> = (0..threads).map(|_| scope.spawn(checks)).collect();
                let join = |other: std::thread::ScopedJoinHandle<'_, _>| {
                    other.join().unwrap_or_else(|_| Err(anyhow::anyhow!("a thread panicked")))
                };
                others.into_iter().try_for_each(join)
            })?;
            let what = format!("access tokens verified, Ed25519, {threads} threads");
            let guard = "each gives its player; with a changed byte it is refused";
            figures.add(what, "1/s", per_s(count * threads, started.elapsed()), guard);
        }
    }
    Ok(())
}

fn verify(app: &AppState, count: usize) -> anyhow::Result<()> {
    let (player, session) = (Uuid::now_v7(), Uuid::now_v7());
    let token = app.access.issue(player, session, false, OffsetDateTime::now_utc());
    for _ in 0..count {
        let caller = Caller::of_token(app, &token).ok();
        ensure!(caller.is_some_and(|caller| caller.player_id == player), "another player");
    }
    let middle = token.len() / 2;
    let other = if token.as_bytes()[middle] == b'A' { "B" } else { "A" };
    let forged = format!("{}{other}{}", &token[..middle], &token[middle + 1..]);
    ensure!(Caller::of_token(app, &forged).is_err(), "a forged token is taken");
    Ok(())
}

fn per_s(count: usize, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}
