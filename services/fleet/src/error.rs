//! What can go wrong in the fleet, before any transport is chosen.

use std::borrow::Cow;

use sortie_control::error::{ApiError, broken_constraint};
use sortie_control::text::prose;
use tonic::Status;
use uuid::Uuid;

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    /// A field cannot be; the text says which and how it should be.
    #[error("{0}")]
    Invalid(Cow<'static, str>),
    /// No server has this id.
    #[error("there is no server {0}")]
    UnknownServer(Uuid),
    /// The server registered again since: whoever calls is of the past.
    #[error("the server has registered again since; register, or end")]
    OldEpoch,
    /// The lease ran out.
    #[error("the lease of this server ran out; register again")]
    LeaseLost,
    /// Somebody else has this name.
    #[error(
        "another server has this name; a server proves that it is the same by the identity in its \
         data directory. Choose another --name, or wait until that server was gone for long"
    )]
    NameTaken,
    /// The server has an identity, and the caller showed the secret only.
    #[error("this server has a credential of its own; register, and show that")]
    Unproven,
    /// No battle has this id.
    #[error("there is no battle {0}")]
    UnknownBattle(Uuid),
    /// The battle is over, so it cannot be changed.
    #[error("the battle is over")]
    BattleOver,
    /// The player is in no battle, or not in this one.
    #[error("the player is in no such battle")]
    PlayerElsewhere,
    /// Too many watch at a time.
    #[error("too many battles are being watched; try again later")]
    TooManyWatches,
    /// The database failed.
    #[error("the fleet's database failed")]
    Database(sqlx::Error),
}

impl FleetError {
    /// A field cannot be.
    pub(crate) fn invalid(text: impl Into<Cow<'static, str>>) -> Self {
        Self::Invalid(text.into())
    }
}

impl From<sqlx::Error> for FleetError {
    fn from(error: sqlx::Error) -> Self {
        match broken_constraint(&error) {
            Some("battle_server_name_shape") => Self::invalid(
                "name: up to 63 lower case letters, digits, dots, dashes; the first no dash",
            ),
            _ => Self::Database(error),
        }
    }
}

impl From<FleetError> for ApiError {
    fn from(error: FleetError) -> Self {
        let text = error.to_string();
        match error {
            FleetError::Invalid(_) => Self::invalid("fleet.invalid", text),
            FleetError::UnknownServer(_) => Self::not_found("fleet.unknown_server", text),
            FleetError::OldEpoch => Self::conflict("fleet.old_epoch", text),
            FleetError::LeaseLost => Self::conflict("fleet.lease_lost", text),
            FleetError::NameTaken => Self::conflict("fleet.name_taken", text),
            FleetError::Unproven => Self::conflict("fleet.unproven", text),
            FleetError::UnknownBattle(_) => Self::not_found("battle.unknown", text),
            FleetError::BattleOver => Self::conflict("battle.over", text),
            FleetError::PlayerElsewhere => Self::not_found("battle.player_elsewhere", text),
            FleetError::TooManyWatches => Self::too_many(std::time::Duration::from_secs(10)),
            FleetError::Database(error) => error.into(),
        }
    }
}

impl From<FleetError> for Status {
    fn from(error: FleetError) -> Self {
        ApiError::from(error).into()
    }
}

/// An id as gRPC messages carry it.
pub(crate) fn uuid(field: &'static str, text: &str) -> Result<Uuid, FleetError> {
    // Other spellings of UUIDs are longer or shorter.
    let id = if text.len() == 36 { Uuid::try_parse(text).ok() } else { None };
    id.ok_or_else(|| FleetError::invalid(format!("{field} must be a UUID")))
}

/// A text for people of at most 200 characters, without what is not seen or turns its direction.
pub(crate) fn reason(text: &str) -> Result<String, FleetError> {
    const REASON: prose::Bounds = prose::Bounds { chars: 0..=200, lines_max: 50 };
    let fault = || FleetError::invalid("reason: at most 200 characters, no control codes");
    prose::sane(text, &REASON).ok_or_else(fault)
}
