//! A player's side of REST.

use std::time::{Duration, Instant};

use reqwest::{Client, Method};
use serde_json::{Value, json};

/// No call takes longer, whatever is away.
pub(crate) const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// An answer of REST.
#[derive(Debug)]
pub(crate) struct Answer {
    pub status: u16,
    pub body: Value,
    pub has_retry_after: bool,
    pub took: Duration,
}

impl Answer {
    /// The error's code; empty when it is none.
    pub(crate) fn code(&self) -> &str {
        self.body["error"]["code"].as_str().unwrap_or_default()
    }
}

/// Where calls go, and as whom.
#[derive(Clone)]
pub(crate) struct Api {
    http: Client,
    base: String,
    token: String,
    /// As which address; the node takes this one for a proxy.
    from: String,
}

/// A call to make.
pub(crate) type Call = (Method, String, Value);

impl Api {
    pub(crate) fn at(address: &Value) -> Self {
        let http = Client::builder().timeout(ANSWER_WITHIN).build().unwrap();
        let base = format!("http://{}", address.as_str().unwrap());
        Self { http, base, token: String::new(), from: "10.0.0.1".to_owned() }
    }

    /// The same player elsewhere.
    pub(crate) fn also_at(&self, address: &Value) -> Self {
        let base = format!("http://{}", address.as_str().unwrap());
        Self { base, ..self.clone() }
    }

    /// The same player from another address: limits by address are not what is tested.
    pub(crate) fn from(&self, address: String) -> Self {
        Self { from: address, ..self.clone() }
    }

    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// A new player, and its id.
    pub(crate) async fn sign_up(&self, name: &str, number: usize) -> (Self, String) {
        let mut player = Self { from: format!("10.1.0.{number}"), ..self.clone() };
        let (email, password) =
            (format!("{number}@example.org"), format!("a long password of {name}"));
        let body = json!({ "name": name, "email": email, "password": password });
        let answer = player.call(Method::POST, "/v1/accounts", body).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.body["tokens"]["access_token"].as_str().unwrap().clone_into(&mut player.token);
        (player, answer.body["player"]["player_id"].as_str().unwrap().to_owned())
    }

    /// Calls; with a body unless it is null. There is always an answer.
    pub(crate) async fn call(&self, method: Method, path: &str, body: Value) -> Answer {
        let began = Instant::now();
        let mut request = self.http.request(method.clone(), format!("{}{path}", self.base));
        request = request.header("x-forwarded-for", &self.from);
        if !self.token.is_empty() {
            request = request.bearer_auth(&self.token);
        }
        if !body.is_null() {
            request = request.json(&body);
        }
        let answer =
            request.send().await.unwrap_or_else(|error| panic!("{method} {path}: {error}"));
        let status = answer.status().as_u16();
        let has_retry_after = answer.headers().contains_key("retry-after");
        let body = answer.bytes().await.unwrap();
        let text = || Value::String(String::from_utf8_lossy(&body).into_owned());
        let body = serde_json::from_slice(&body).unwrap_or_else(|_| text());
        Answer { status, body, has_retry_after, took: began.elapsed() }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path, Value::Null).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.call(Method::POST, path, body).await
    }

    /// A counter or gauge without labels of `/metrics`; 0 while it is not there.
    pub(crate) async fn metric(&self, name: &str) -> f64 {
        let answer = self.get("/metrics").await;
        let text = answer.body.as_str().unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|value| value.parse().ok()).unwrap_or_default()
    }
}
