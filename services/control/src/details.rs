//! The details of an error: facts for programs, each with a type of its own.
//!
//! Which of them an error has depends on its code: [`FIELDS`] says it, the OpenAPI document shows
//! it, and [`ApiError::with_details`](crate::error::ApiError::with_details) holds services to it.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::permission::Permission;
use crate::vocabulary::{BanScope, EndState};

/// The details of an error; `x-fields-by-code` says what comes with which code.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = ErrorDetails)]
pub struct Details {
    /// The player whom it is about: the caller, or another of the party.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub player_id: Option<Uuid>,
    /// The ticket that the player waits with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket_id: Option<Uuid>,
    /// The battle that the player has a seat in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub battle_id: Option<Uuid>,
    /// The ban.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ban_id: Option<Uuid>,
    /// What the ban is from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<BanScope>)]
    pub scope: Option<String>,
    /// Why there is a ban; for the banned player alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When the ban ends; absent: it is for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(with = "time::serde::rfc3339::option")]
    pub expires_at: Option<OffsetDateTime>,
    /// Good for an appeal against the ban; only for whoever has shown the password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub appeal_token: Option<String>,
    /// When the player may queue again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(with = "time::serde::rfc3339::option")]
    pub until: Option<OffsetDateTime>,
    /// Ready checks that failed because of the player or its party.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declines: Option<i32>,
    /// Most players that there may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most: Option<u32>,
    /// What a ticket, a battle or a room has become.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<EndState>)]
    pub state: Option<String>,
    /// Why a battle never ran, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The permission that is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Permission>)]
    pub permission: Option<String>,
}

/// Which fields come with which code, always or where there is something to say. Errors with other
/// codes have no details.
pub const FIELDS: &[(&str, &[&str])] = &[
    ("account.banned", &["ban_id", "reason", "expires_at", "appeal_token"]),
    ("auth.forbidden", &["permission"]),
    ("battle.cancelled", &["state", "why"]),
    ("battle.finished", &["state"]),
    ("battle.lost", &["state"]),
    ("matchmaking.banned", &["player_id", "scope", "reason", "expires_at"]),
    ("matchmaking.in_battle", &["player_id", "battle_id"]),
    ("matchmaking.in_room", &["player_id"]),
    ("matchmaking.party_too_large", &["most"]),
    ("matchmaking.paused", &["player_id", "until", "declines"]),
    ("matchmaking.ticket_over", &["state"]),
    ("matchmaking.waiting", &["player_id", "ticket_id"]),
    ("room.in_battle", &["player_id", "battle_id"]),
    ("room.not_open", &["state"]),
];

impl Details {
    /// What there is may come with this code.
    pub(crate) fn fit(&self, code: &str) -> bool {
        let Some((_, fields)) = FIELDS.iter().find(|(known, _)| *known == code) else {
            return *self == Self::default();
        };
        let value = serde_json::to_value(self).unwrap_or_default();
        let names = value.as_object().into_iter().flat_map(|object| object.keys());
        names.into_iter().all(|name| fields.contains(&name.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_come_with_the_codes_that_have_them() {
        let banned = Details { reason: Some("aimbot".to_owned()), ..Details::default() };
        assert!(banned.fit("account.banned") && banned.fit("matchmaking.banned"));
        assert!(!banned.fit("matchmaking.paused") && !banned.fit("account.name_taken"));
        assert!(Details::default().fit("account.name_taken"));
    }

    #[test]
    fn every_field_is_one_of_a_code() {
        let all = serde_json::to_value(<Details as utoipa::PartialSchema>::schema()).unwrap();
        for name in all["properties"].as_object().unwrap().keys() {
            assert!(FIELDS.iter().any(|(_, fields)| fields.contains(&name.as_str())), "{name}");
        }
        let known = |name: &str| all["properties"].get(name).is_some();
        assert!(FIELDS.iter().all(|(_, fields)| fields.iter().all(|name| known(name))));
    }
}
