//! What can go wrong when staff act, before any transport is chosen.

use sortie_control::error::{ApiError, broken_constraint};
use sortie_control::flag::Flag;
use sortie_control::permission::Permission;

/// Why an act is not done.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// No such player, or erased.
    #[error("there is no such player")]
    UnknownPlayer,
    /// Somebody else has it.
    #[error("this name is taken")]
    NameTaken,
    /// Whatever its letters are.
    #[error("another player has a name that looks the same")]
    NameSimilar,
    /// Nothing to take away.
    #[error("this player has no authenticator")]
    NoTotp,
    /// No such role.
    #[error("there is no such role")]
    UnknownRole,
    /// Templates come with the product.
    #[error("this role is a template; templates do not change")]
    RoleIsTemplate,
    /// Somebody has it.
    #[error("players have this role; take it from them first")]
    RoleInUse,
    /// Not a permission of ours.
    #[error("there is no permission {0}")]
    UnknownPermission(String),
    /// Nobody grants what they do not have.
    #[error("you do not have the permission {0} yourself")]
    Lacks(String),
    /// The target may do what the actor may not.
    #[error("this player may do what you may not: {0}")]
    Outranked(Permission),
    /// Somebody has to be left.
    #[error("this is the last administrator")]
    LastAdministrator,
    /// Staff do not act on themselves.
    #[error("not to yourself")]
    Oneself,
    /// Guests come and go.
    #[error("a guest cannot be staff")]
    Guest,
    /// No such ban.
    #[error("there is no such ban")]
    UnknownBan,
    /// Over already.
    #[error("the ban is not in force any more")]
    BanOver,
    /// Appeals are made once, and decided once.
    #[error("the appeal is {0} already")]
    AppealNotOpen(String),
    /// Nobody asked for it.
    #[error("there is no open appeal")]
    NoAppeal,
    /// No such battle.
    #[error("there is no such battle")]
    UnknownBattle,
    /// It is over, or nobody has it yet.
    #[error("the battle is {0}")]
    BattleNotLive(String),
    /// Not in that battle, or in none.
    #[error("the player is in no such battle now")]
    NotInBattle,
    /// No such server.
    #[error("there is no such server")]
    UnknownServer,
    /// Its lease ran out.
    #[error("the server is gone")]
    ServerGone,
    /// No such message, or deleted.
    #[error("there is no such message")]
    UnknownMessage,
    /// No such channel.
    #[error("there is no such channel")]
    UnknownChannel,
    /// Not in the list.
    #[error("the word is not in the list")]
    UnknownWord,
    /// No such report.
    #[error("there is no such report")]
    UnknownReport,
    /// No result of this battle was kept, or not any more.
    #[error("no result of this battle is under review")]
    UnknownReview,
    /// Decided once.
    #[error("the report is {0} already")]
    ReportDecided(String),
    /// No such flag.
    #[error("there is no such flag; there are {}", Flag::names())]
    UnknownFlag,
    /// The accused had no seat in the battle.
    #[error("this player was not in the battle")]
    NotTogether,
    /// Once a battle.
    #[error("you have reported this player in this battle already")]
    ReportedAlready,
    /// Nobody reports themselves.
    #[error("you cannot report yourself")]
    ReportOneself,
    /// A value is out of bounds.
    #[error("{0}")]
    BadValue(&'static str),
    /// The database failed.
    #[error("the database failed")]
    Database(sqlx::Error),
}

impl From<sqlx::Error> for AdminError {
    fn from(error: sqlx::Error) -> Self {
        match broken_constraint(&error) {
            Some("player_name_taken") => Self::NameTaken,
            Some("name_look_taken") => Self::NameSimilar,
            Some("player_name_shape") => Self::BadValue("a name has 3 to 24 letters and digits"),
            Some("ban_expires_later") => Self::BadValue("expires_at must be in the future"),
            Some("ban_reason_length") => Self::BadValue("reason has 3 to 500 characters"),
            Some("ban_appeal_length") => Self::BadValue("text has at most 2000 characters"),
            Some("ban_player_id_fkey" | "player_role_player_id_fkey") => Self::UnknownPlayer,
            Some("player_role_role_fkey") => Self::RoleInUse,
            Some("role_shape") => Self::BadValue("a role is named by 2 to 40 of a-z and _"),
            Some("report_once_a_battle") => Self::ReportedAlready,
            Some("report_other") => Self::ReportOneself,
            Some("chat_word_shape") => Self::BadValue("words are in lower case"),
            Some("staff_note_length") => Self::BadValue("text has 1 to 2000 characters"),
            _ => Self::Database(error),
        }
    }
}

impl From<AdminError> for ApiError {
    fn from(error: AdminError) -> Self {
        use AdminError as E;
        let message = error.to_string();
        match error {
            E::UnknownPlayer => Self::not_found("user.unknown", message),
            E::NameTaken => Self::conflict("user.name_taken", message),
            E::NameSimilar => Self::conflict("user.name_similar", message),
            E::NoTotp => Self::conflict("user.no_totp", message),
            E::UnknownRole => Self::not_found("role.unknown", message),
            E::RoleIsTemplate => Self::conflict("role.template", message),
            E::RoleInUse => Self::conflict("role.in_use", message),
            E::UnknownPermission(_) => Self::invalid("role.unknown_permission", message),
            E::Lacks(_) => Self::forbidden("role.not_yours_to_give", message),
            E::Outranked(_) => Self::forbidden("admin.outranked", message),
            E::LastAdministrator => Self::conflict("role.last_administrator", message),
            E::Oneself => Self::conflict("admin.oneself", message),
            E::Guest => Self::conflict("role.guest", message),
            E::UnknownBan => Self::not_found("ban.unknown", message),
            E::BanOver => Self::conflict("ban.over", message),
            E::AppealNotOpen(_) => Self::conflict("ban.appeal_decided", message),
            E::NoAppeal => Self::conflict("ban.no_appeal", message),
            E::UnknownBattle => Self::not_found("battle.unknown", message),
            E::BattleNotLive(_) => Self::conflict("battle.not_live", message),
            E::NotInBattle => Self::conflict("battle.not_a_player", message),
            E::UnknownServer => Self::not_found("server.unknown", message),
            E::ServerGone => Self::conflict("server.gone", message),
            E::UnknownMessage => Self::not_found("chat.unknown_message", message),
            E::UnknownChannel => Self::not_found("chat.unknown_channel", message),
            E::UnknownWord => Self::not_found("chat.unknown_word", message),
            E::UnknownReport => Self::not_found("report.unknown", message),
            E::UnknownReview => Self::not_found("review.unknown", message),
            E::ReportDecided(_) => Self::conflict("report.decided", message),
            E::UnknownFlag => Self::not_found("flag.unknown", message),
            E::NotTogether => Self::conflict("report.not_in_battle", message),
            E::ReportedAlready => Self::conflict("report.already", message),
            E::ReportOneself => Self::conflict("report.oneself", message),
            E::BadValue(_) => Self::invalid("request.fields", message),
            E::Database(error) => error.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_flag_is_answered_with_those_that_there_are() {
        let message = AdminError::UnknownFlag.to_string();
        assert!(Flag::ALL.iter().all(|flag| message.contains(flag.name())), "{message}");
    }
}
