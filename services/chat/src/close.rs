//! Why a socket is closed: the codes that clients see.

/// A close code and its reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closing {
    /// As in RFC 6455; ours are 4000 to 4999.
    pub code: u16,
    /// For people, and for the metric.
    pub why: &'static str,
}

macro_rules! closings {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal $why:literal;)+) => {
        $($(#[doc = $doc])+ pub const $name: Closing = Closing { code: $code, why: $why };)+

        /// Every code there is.
        pub const ALL: &[Closing] = &[$($name),+];
    };
}

closings! {
    /// The client said goodbye.
    GOODBYE = 1000 "goodbye";
    /// This node stops: connect again, to another one.
    GOING_AWAY = 1001 "going_away";
    /// A binary frame.
    BINARY = 1003 "binary";
    /// A message or frame above 4 KiB.
    TOO_BIG = 1009 "too_big";
    /// Too many frames in a row that are no requests.
    MALFORMED = 4000 "malformed";
    /// The login has ended: logout, ban, erasure.
    LOGIN_ENDED = 4001 "login_ended";
    /// No token in time.
    NO_HELLO = 4002 "no_hello";
    /// Banned from chat.
    BANNED = 4003 "banned";
    /// The token is worth nothing.
    BAD_TOKEN = 4004 "bad_token";
    /// The client read too slowly, and its queue is full.
    SLOW = 4008 "slow";
    /// The player has opened too many other sockets since.
    REPLACED = 4009 "replaced";
    /// The client has been silent for too long.
    SILENT = 4010 "silent";
    /// Who this is cannot be looked up now: try again soon.
    UNAVAILABLE = 4013 "unavailable";
    /// Too many frames.
    FLOOD = 4029 "flood";
}
