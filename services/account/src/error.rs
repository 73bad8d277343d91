//! What can go wrong with an account; knows no HTTP but at the last step, below.

use std::time::Duration;

use axum::http::StatusCode;
use sortie_control::details::Details;
use sortie_control::error::{ApiError, broken_constraint};
use time::OffsetDateTime;
use uuid::Uuid;

/// Why an account's call was not done.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// Another player has it, whatever its case.
    #[error("another player has this name")]
    NameTaken,
    /// 3 to 24 letters and digits, with spaces, `_`, `.` and `-` between them.
    #[error(
        "a name has 3 to 24 letters or digits; spaces, '_', '.' and '-' may stand between them"
    )]
    NameShape,
    /// Letters of scripts that nobody writes together.
    #[error("a name may not mix letters of several scripts, such as Latin and Cyrillic")]
    NameScripts,
    /// Others would take it for the staff or the product.
    #[error("this name is reserved")]
    NameReserved,
    /// A word of the filter.
    #[error("there is a word in this name that is not said here")]
    NameWord,
    /// Whatever its letters are.
    #[error("another player has a name that looks the same")]
    NameSimilar,
    /// Another account has it.
    #[error("another account has this e-mail address")]
    EmailTaken,
    /// Not an address that mail can be sent to.
    #[error("this is not an e-mail address")]
    EmailShape,
    /// Over 500 characters or twelve lines, control characters, or too many marks on a letter.
    #[error(
        "the text about a player has at most 500 characters in 12 lines, no control characters"
    )]
    AboutShape,
    /// A word of the filter that refuses texts.
    #[error("there is a word in this text that is not said here")]
    AboutWord,
    /// Staff have closed it.
    #[error("no new accounts are made at the moment")]
    SignUpClosed,
    /// Not 8 to 256 characters.
    #[error("a password has 8 to 256 characters, and no control characters")]
    PasswordLength,
    /// On the block list, or hardly more than the name.
    #[error("this password is among the first that anybody would try")]
    PasswordCommon,
    /// No such account, or not its password. Which of the two is not told.
    #[error("the name, the address or the password is wrong")]
    WrongLogin,
    /// The password of somebody who is logged in.
    #[error("the password is wrong")]
    WrongPassword,
    /// The password was right; a code is needed, too.
    #[error("this account wants a code from its authenticator, too")]
    TotpRequired,
    /// Wrong, too old, or used before.
    #[error("the code is wrong or was used before")]
    WrongCode,
    /// Too many guesses.
    #[error("too many wrong guesses; wait as long as Retry-After says")]
    Locked(Duration),
    /// Too many calls.
    #[error("too many requests; wait as long as Retry-After says")]
    TooMany(Duration),
    /// May not log in.
    #[error("this account is banned")]
    Banned {
        /// Id of the ban, which an appeal names.
        ban_id: Uuid,
        /// Good for an appeal against it; `None` where nobody has shown a password.
        appeal_token: Option<String>,
        /// As its issuer wrote it.
        reason: String,
        /// `None`: for good.
        expires_at: Option<OffsetDateTime>,
    },
    /// More passwords than can be checked now.
    #[error("too many logins at once; try again soon")]
    Busy,
    /// Never there, or erased.
    #[error("there is no such player")]
    UnknownPlayer,
    /// Nobody would be left who may do everything.
    #[error(
        "you are the last administrator; give another player the role administrator first, and \
         erase your account then"
    )]
    LastAdministrator,
    /// Not a login of the caller's, or ended.
    #[error("there is no such login")]
    UnknownSession,
    /// Not a refresh token of ours, or so old that it was forgotten.
    #[error("the refresh token is invalid; log in again")]
    RefreshInvalid,
    /// Its login has ended.
    #[error("this login has ended; log in again")]
    SessionEnded,
    /// It was exchanged before: somebody has a copy. The login has ended.
    #[error("the refresh token was used before; the login was ended, log in again")]
    RefreshReused,
    /// The operator gave no mail server.
    #[error("this service sends no mails; ask its staff")]
    MailOff,
    /// Unknown, used, or too old.
    #[error("the reset token is invalid or too old; ask for another mail")]
    ResetInvalid,
    /// Only guests can be upgraded.
    #[error("only a guest can be upgraded")]
    NotGuest,
    /// Guests have no password and what hangs on it.
    #[error("a guest has no password; upgrade the account first")]
    Guest,
    /// Confirmed before.
    #[error("this account has an authenticator already")]
    TotpEnrolled,
    /// None was begun or confirmed.
    #[error("this account has no authenticator, or has it confirmed already")]
    TotpMissing,
    /// Neither PNG nor JPEG, or broken.
    #[error("a picture is a PNG or a JPEG, and what its content type says")]
    PictureType,
    /// Too small or too large.
    #[error("a picture is 16 to 1024 pixels wide and high")]
    PictureSize,
    /// None was uploaded.
    #[error("this player has no picture")]
    NoPicture,
    /// The store of pictures is away or full.
    #[error("pictures cannot be stored or read now; try again later")]
    Pictures(#[source] std::io::Error),
    /// The database is away, or something is wrong with us.
    #[error("the account database failed")]
    Store(#[source] sqlx::Error),
}

impl From<sqlx::Error> for AccountError {
    fn from(error: sqlx::Error) -> Self {
        match broken_constraint(&error) {
            Some("player_name_taken") => Self::NameTaken,
            Some("name_look_taken") => Self::NameSimilar,
            Some("player_name_shape") => Self::NameShape,
            Some("player_about_length") => Self::AboutShape,
            Some("identity_email_taken") => Self::EmailTaken,
            Some("identity_email_shape") => Self::EmailShape,
            _ => Self::Store(error),
        }
    }
}

impl From<AccountError> for ApiError {
    fn from(error: AccountError) -> Self {
        use AccountError as E;
        let text = error.to_string();
        match error {
            E::NameTaken => Self::conflict("account.name_taken", text),
            E::NameShape => Self::invalid("account.name_shape", text),
            E::NameScripts => Self::invalid("account.name_scripts", text),
            E::NameReserved => Self::invalid("account.name_reserved", text),
            E::NameWord => Self::invalid("account.name_word", text),
            E::NameSimilar => Self::conflict("account.name_similar", text),
            E::EmailTaken => Self::conflict("account.email_taken", text),
            E::EmailShape => Self::invalid("account.email_shape", text),
            E::AboutShape => Self::invalid("account.about_shape", text),
            E::AboutWord => Self::invalid("account.about_word", text),
            E::SignUpClosed => Self::forbidden("account.sign_up_closed", text),
            E::PasswordLength => Self::invalid("account.password_length", text),
            E::PasswordCommon => Self::invalid("account.password_common", text),
            E::WrongLogin => Self::unauthenticated("account.wrong_login", text),
            // Not 401: the access token was good, refreshing it would not help.
            E::WrongPassword => Self::forbidden("account.wrong_password", text),
            E::TotpRequired => Self::unauthenticated("account.totp_required", text),
            E::WrongCode => Self::forbidden("account.wrong_code", text),
            E::Locked(wait) => Self::new(StatusCode::TOO_MANY_REQUESTS, "account.locked", text)
                .with_retry_after(wait),
            E::TooMany(wait) => Self::too_many(wait),
            E::Banned { ban_id, appeal_token, reason, expires_at } => {
                let (ban_id, reason) = (Some(ban_id), Some(reason));
                let details =
                    Details { ban_id, reason, expires_at, appeal_token, ..Details::default() };
                Self::forbidden("account.banned", text).with_details(details)
            }
            E::Busy => Self::unavailable("account.busy", text),
            E::UnknownPlayer => Self::not_found("account.unknown_player", text),
            E::LastAdministrator => Self::conflict("role.last_administrator", text),
            E::UnknownSession => Self::not_found("account.unknown_session", text),
            E::RefreshInvalid => Self::unauthenticated("account.refresh_invalid", text),
            E::SessionEnded => Self::unauthenticated("account.session_ended", text),
            E::RefreshReused => Self::unauthenticated("account.refresh_reused", text),
            E::MailOff => Self::unavailable("account.mail_off", text),
            E::ResetInvalid => Self::invalid("account.reset_invalid", text),
            E::NotGuest => Self::conflict("account.not_guest", text),
            E::Guest => Self::conflict("account.guest", text),
            E::TotpEnrolled => Self::conflict("account.totp_enrolled", text),
            E::TotpMissing => Self::conflict("account.totp_missing", text),
            E::PictureType => {
                Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "account.picture_type", text)
            }
            E::PictureSize => Self::invalid("account.picture_size", text),
            E::NoPicture => Self::not_found("account.no_picture", text),
            E::Pictures(cause) => {
                tracing::error!(error = %cause, "the store of pictures failed");
                Self::unavailable("account.pictures_unavailable", text)
            }
            E::Store(cause) => cause.into(),
        }
    }
}
