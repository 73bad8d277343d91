//! The words that rows hold and services say: how a ticket stands, what bans are from. How
//! a battle and its server stand is said beside their tables (`sortie_battles::state`).
//!
//! Rows hold them as text, and the database refuses every other word; here they are what the
//! OpenAPI document makes enums of. A test compares the two
//! (`services/sortie_control/src/control_plane/openapi/rules.rs`).
//!
//! Words that battle servers say too are enums of `proto/rpc`, and handed on here for crates that
//! know no messages, with how the document shows them.

use std::borrow::Cow;

pub use sortie_rpc::game::GameMode;
pub use sortie_rpc::ranking::EndedBy;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

/// Makes an enum of words: each variant with the text that rows, the API and gRPC have for it.
///
/// Whose crate uses it has `serde` and `utoipa` among its dependencies.
// `$text` is a token and no `literal`: derives cannot look into one that a macro has parsed.
#[macro_export]
macro_rules! words {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $text:tt,)+ }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[derive(::serde::Serialize, ::serde::Deserialize, ::utoipa::ToSchema)]
        pub enum $name { $($(#[$doc])* #[serde(rename = $text)] $variant,)+ }

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// As the database, the API and gRPC name it.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            /// Whether that is its name.
            pub fn is(self, name: &str) -> bool {
                self.name() == name
            }

            /// By its name.
            pub fn of_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|word| word.name() == name)
            }
        }
    };
}

/// Makes the schema of an enum that versions share and that rows hold as text: its words as the
/// document shows them. A row may have another one, of a newer version.
macro_rules! shared_words {
    ($(#[doc = $about:literal])+ $name:ident = $words:ty, shown as $shown:literal) => {
        $(#[doc = $about])+
        #[derive(Clone, Copy, Debug)]
        pub struct $name;

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                let about = concat!($($about),+).trim();
                let words = ObjectBuilder::new().schema_type(Type::String);
                words.description(Some(about)).enum_values(Some(<$words>::names())).into()
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                Cow::Borrowed($shown)
            }
        }
    };
}

shared_words! {
    /// What is fought for.
    ModeName = GameMode, shown as "Mode"
}

shared_words! {
    /// What ended a battle.
    EndedByName = EndedBy, shown as "EndedBy"
}

words! {
    /// What a player is banned from.
    BanScope {
        /// Everything: logins end.
        Login = "login",
        /// Chat sockets close.
        Chat = "chat",
        /// No battles.
        Matchmaking = "matchmaking",
        /// Nothing is bought.
        Purchase = "purchase",
    }
}

words! {
    /// How an appeal against a ban stands.
    AppealState {
        /// There is none.
        None = "none",
        /// It waits for a decision.
        Open = "open",
        /// The ban stays.
        Rejected = "rejected",
        /// The ban was lifted.
        Accepted = "accepted",
    }
}

words! {
    /// What a ticket, a battle or a room has become, so that it is too late for something.
    EndState {
        /// Of a ticket: it has a battle.
        Matched = "matched",
        /// Of a ticket: nobody asked for it in time.
        Expired = "expired",
        /// Of a ticket or a battle: somebody took it back.
        Cancelled = "cancelled",
        /// Of a battle: it is over, with a result.
        Finished = "finished",
        /// Of a battle: its server is gone for good.
        Lost = "lost",
        /// Of a room: its battle was made.
        Started = "started",
        /// Of a room: nobody is in it any more.
        Closed = "closed",
    }
}

words! {
    /// How a ticket stands.
    TicketState {
        /// It waits in its queue.
        Waiting = "waiting",
        /// A match was found, and asks: answer the ready check.
        Proposed = "proposed",
        /// It has a battle: join it.
        Matched = "matched",
        /// Somebody took it back, or let its match fail.
        Cancelled = "cancelled",
        /// Nobody asked for it in time.
        Expired = "expired",
    }
}

words! {
    /// How a match stands that asks its players whether they are there.
    ProposalState {
        /// It waits for answers.
        Asking = "asking",
        /// All said yes.
        Accepted = "accepted",
        /// Somebody said no, or nothing.
        Failed = "failed",
    }
}

words! {
    /// How a room stands.
    RoomState {
        /// Its owner may start it.
        Open = "open",
        /// Its battle was made.
        Started = "started",
        /// Nobody is in it any more.
        Closed = "closed",
    }
}

words! {
    /// What a report is about.
    ReportKind {
        /// A message.
        Chat = "chat",
        /// Help from a program.
        Cheating = "cheating",
        /// A battle that was spoiled for others.
        Behaviour = "behaviour",
    }
}

words! {
    /// How a report stands.
    ReportState {
        /// It waits for a decision.
        Open = "open",
        /// The player was bad.
        Upheld = "upheld",
        /// The player was not.
        Dismissed = "dismissed",
    }
}

words! {
    /// What a word of the filter does to a message.
    WordEffect {
        /// Its letters become stars.
        Mask = "mask",
        /// The message is refused.
        Refuse = "refuse",
    }
}

words! {
    /// What ended a login.
    LoginEnd {
        /// The player logged out.
        Logout = "logout",
        /// The player logged out everywhere.
        LogoutEverywhere = "logout_everywhere",
        /// The player has too many; this one was unused longest.
        TooMany = "too_many",
        /// A refresh token was used twice: somebody has a copy.
        Reuse = "reuse",
        /// The password was changed.
        PasswordChange = "password_change",
        /// The password was reset by mail.
        PasswordReset = "password_reset",
        /// An authenticator was confirmed.
        Totp = "totp",
        /// A guest became a member.
        Upgrade = "upgrade",
        /// The account was erased.
        Erasure = "erasure",
        /// A ban.
        Ban = "ban",
        /// Staff logged the player out.
        Staff = "staff",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_written_as_they_are_named() {
        let written = |word: &TicketState| serde_json::to_value(word).unwrap();
        for state in TicketState::ALL {
            assert_eq!(written(state), state.name());
            assert_eq!(TicketState::of_name(state.name()), Some(*state));
        }
        assert_eq!(TicketState::of_name("Waiting"), None);
    }
}
