//! What every handler of accounts has, and what several of them do with it.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{FromRef, FromRequestParts};
use axum::http::header::USER_AGENT;
use axum::http::request::Parts;
use sortie_control::address::{ClientAddress, network};
use sortie_control::app::AppState;
use sortie_control::bus::Rate;
use sortie_control::erasure::Eraser;
use sortie_control::error::ApiError;
use sortie_control::revoked::{self, Revocation};
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::error::AccountError;
use crate::hasher::Hasher;
use crate::mails::Task;
use crate::settings::Settings;

const AGENT_CHARS_MAX: usize = 200;

/// The state of the routes. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Accounts {
    /// Database, bus, keys.
    pub app: AppState,
    /// Passwords.
    pub hasher: Hasher,
    /// As the operator set them.
    pub settings: Arc<Settings>,
    /// Forget players elsewhere.
    pub erasers: &'static [Eraser],
    /// Mails to be sent when there is time.
    pub mails: mpsc::Sender<Task>,
}

impl FromRef<Accounts> for AppState {
    fn from_ref(accounts: &Accounts) -> Self {
        accounts.app.clone()
    }
}

impl Accounts {
    /// Takes a token from the bucket of a client's address.
    ///
    /// # Errors
    /// [`AccountError::TooMany`].
    pub async fn limit_address(
        &self,
        what: &str,
        rate: Option<Rate>,
        client: &Client,
    ) -> Result<(), AccountError> {
        self.limit(what, rate, &network(client.address)).await
    }

    /// Takes a token from the bucket of anything.
    ///
    /// # Errors
    /// [`AccountError::TooMany`].
    pub async fn limit(
        &self,
        what: &str,
        rate: Option<Rate>,
        key: &str,
    ) -> Result<(), AccountError> {
        let Some(rate) = rate else { return Ok(()) };
        let bucket = format!("account/{what}/{key}");
        self.app.bus.limiter.take(&bucket, rate).await.map_err(AccountError::TooMany)
    }

    /// Lets this node and all others know that logins have ended; the database knows already.
    pub async fn tell_ended(&self, player_id: Uuid, sessions: &[Uuid], why: &str) {
        let now_s = self.app.clock.estimate().unix_timestamp();
        for &session_id in sessions {
            let (scope, why) = ("login".to_owned(), why.to_owned());
            let end = Revocation { player_id, session_id: Some(session_id), scope, why };
            self.app.revoked.note(&end, now_s);
            if let Err(error) = revoked::tell(&self.app.bus, &end).await {
                tracing::warn!(%error, "other nodes hear of ended logins only when tokens expire");
            }
        }
    }
}

/// Where a call comes from, as the list of logins shows it. An extractor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// As far as it can be believed.
    pub address: IpAddr,
    /// The program, as it names itself; at most 200 characters.
    pub agent: String,
}

impl<S: Send + Sync> FromRequestParts<S> for Client {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let ClientAddress(address) = ClientAddress::from_request_parts(parts, state).await?;
        let agent = parts.headers.get(USER_AGENT).and_then(|value| value.to_str().ok());
        let agent = agent.unwrap_or_default().chars().take(AGENT_CHARS_MAX).collect();
        Ok(Self { address, agent })
    }
}

/// What Postgres cannot store in a text, and nobody needs in one.
pub fn has_control_characters(text: &str) -> bool {
    text.chars().any(|char| char.is_control() && char != '\n')
}
