//! What became of a reported result, as the control plane writes it and battle servers read it.
//!
//! A new code is a new word for an older server: it reads it as [`RefusalCode::Other`], keeps the
//! result and reports it again. So does an older server with a new outcome, [`Receipt::Other`].

use crate::ranking::v1::ReportResponse;

/// What became of a reported result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Receipt {
    /// It is true now.
    Stored,
    /// It ended its battle, counts for nothing, and is kept for review.
    UnderReview {
        /// What does not fit, for operators.
        reason: String,
    },
    /// The battle was over before; nothing changed.
    Known {
        /// `finished` or `cancelled`; empty: the control plane does not say.
        state: String,
    },
    /// Nothing changed.
    Refused {
        /// The reason, for programs.
        code: RefusalCode,
        /// The same, for operators.
        reason: String,
    },
    /// A newer control plane's, as it came.
    Other(ReportResponse),
}

/// Why a result is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefusalCode {
    /// It breaks a bound, or a field makes no sense.
    Malformed,
    /// There is no such battle.
    UnknownBattle,
    /// The battle is another server's.
    OtherServer,
    /// Nobody registered under the server's id.
    UnknownServer,
    /// The server has registered anew since.
    OldEpoch,
    /// The server never had the epoch.
    UnknownEpoch,
    /// The server has an identity, and the report came without its credential.
    UnprovenServer,
    /// A newer control plane's, as it came.
    Other(String),
}

/// What all codes begin with.
const SPACE: &str = "ranking.";
const UNDER_REVIEW: &str = "ranking.under_review";

impl RefusalCode {
    /// Those that this version knows.
    pub const ALL: [Self; 7] = [
        Self::Malformed,
        Self::UnknownBattle,
        Self::OtherServer,
        Self::UnknownServer,
        Self::OldEpoch,
        Self::UnknownEpoch,
        Self::UnprovenServer,
    ];

    /// As messages and logs spell it.
    pub fn name(&self) -> &str {
        match self {
            Self::Malformed => "ranking.malformed",
            Self::UnknownBattle => "ranking.unknown_battle",
            Self::OtherServer => "ranking.other_server",
            Self::UnknownServer => "ranking.unknown_server",
            Self::OldEpoch => "ranking.old_epoch",
            Self::UnknownEpoch => "ranking.unknown_epoch",
            Self::UnprovenServer => "ranking.unproven_server",
            Self::Other(name) => name,
        }
    }

    /// Reads a name.
    pub fn of_name(name: &str) -> Self {
        let known = Self::ALL.into_iter().find(|code| code.name() == name);
        known.unwrap_or_else(|| Self::Other(name.to_owned()))
    }

    /// Whether the result can never be stored, so that it is of no use to report it again. A code
    /// that is not known here is not: nothing is lost for being reported once more.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Malformed | Self::UnknownBattle | Self::OtherServer)
    }
}

impl From<Receipt> for ReportResponse {
    fn from(receipt: Receipt) -> Self {
        let (outcome, code, reason) = match receipt {
            Receipt::Other(response) => return response,
            Receipt::Stored => ("stored", String::new(), String::new()),
            Receipt::UnderReview { reason } => ("stored", UNDER_REVIEW.to_owned(), reason),
            Receipt::Known { state } if state.is_empty() => ("known", state, String::new()),
            Receipt::Known { state } => ("known", format!("{SPACE}{state}"), String::new()),
            Receipt::Refused { code, reason } => ("refused", code.name().to_owned(), reason),
        };
        let why = match reason.is_empty() {
            true => code.clone(),
            false => format!("{code}: {reason}"),
        };
        Self { outcome: outcome.to_owned(), why, code }
    }
}

impl From<ReportResponse> for Receipt {
    fn from(response: ReportResponse) -> Self {
        let (code, reason) = split(&response);
        match response.outcome.as_str() {
            "stored" if code.is_empty() && reason.is_empty() => Self::Stored,
            "stored" => Self::UnderReview { reason: reason.to_owned() },
            "known" => {
                let state = code.strip_prefix(SPACE).unwrap_or(code);
                Self::Known { state: state.to_owned() }
            }
            "refused" => {
                Self::Refused { code: RefusalCode::of_name(code), reason: reason.to_owned() }
            }
            _ => Self::Other(response),
        }
    }
}

/// Code and reason. A control plane of before there was a field for the code says both in `why`.
fn split(response: &ReportResponse) -> (&str, &str) {
    let ReportResponse { why, code, .. } = response;
    if code.is_empty() {
        let (code, reason) = why.split_once(':').unwrap_or((why, ""));
        return (code.trim(), reason.trim_start());
    }
    let reason = why.strip_prefix(code.as_str()).unwrap_or(why);
    (code, reason.trim_start_matches(':').trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(outcome: &str, why: &str, code: &str) -> ReportResponse {
        ReportResponse { outcome: outcome.into(), why: why.into(), code: code.into() }
    }

    /// Each receipt as it goes over the wire.
    fn golden() -> Vec<(Receipt, ReportResponse)> {
        let refused = |code, reason: &str| Receipt::Refused { code, reason: reason.to_owned() };
        let reason = "length: 60 of 20 s; winner: a draw".to_owned();
        vec![
            (Receipt::Stored, response("stored", "", "")),
            (
                Receipt::UnderReview { reason: reason.clone() },
                response(
                    "stored",
                    &format!("ranking.under_review: {reason}"),
                    "ranking.under_review",
                ),
            ),
            (
                Receipt::Known { state: "finished".to_owned() },
                response("known", "ranking.finished", "ranking.finished"),
            ),
            (Receipt::Known { state: String::new() }, response("known", "", "")),
            (
                refused(RefusalCode::Malformed, "players.team: must be 0 or 1"),
                response(
                    "refused",
                    "ranking.malformed: players.team: must be 0 or 1",
                    "ranking.malformed",
                ),
            ),
            (
                refused(RefusalCode::Other("ranking.new".to_owned()), "x"),
                response("refused", "ranking.new: x", "ranking.new"),
            ),
            (
                Receipt::Other(response("postponed", "ranking.busy: x", "ranking.busy")),
                response("postponed", "ranking.busy: x", "ranking.busy"),
            ),
        ]
    }

    #[test]
    fn each_receipt_goes_over_the_wire_as_it_always_did_and_is_read_again() {
        for (receipt, on_the_wire) in golden() {
            assert_eq!(ReportResponse::from(receipt.clone()), on_the_wire);
            assert_eq!(Receipt::from(on_the_wire), receipt);
        }
        for code in RefusalCode::ALL {
            assert_eq!(RefusalCode::of_name(code.name()), code);
            let refused = Receipt::Refused { code, reason: "in words".to_owned() };
            assert_eq!(Receipt::from(ReportResponse::from(refused.clone())), refused);
        }
    }

    #[test]
    fn a_control_plane_without_a_field_for_the_code_is_understood() {
        for (receipt, mut on_the_wire) in golden() {
            if !matches!(receipt, Receipt::Other(_)) {
                on_the_wire.code.clear();
                assert_eq!(Receipt::from(on_the_wire), receipt);
            }
        }
        let bare = Receipt::from(response("refused", "ranking.unknown_epoch", ""));
        let (code, reason) = (RefusalCode::UnknownEpoch, String::new());
        assert_eq!(bare, Receipt::Refused { code, reason });
    }

    #[test]
    fn only_what_can_never_be_stored_is_given_up() {
        let is_final = |name: &str| RefusalCode::of_name(name).is_final();
        assert!(is_final("ranking.malformed") && is_final("ranking.unknown_battle"));
        assert!(is_final("ranking.other_server"));
        for name in ["ranking.old_epoch", "ranking.unknown_epoch", "ranking.unknown_server"] {
            assert!(!is_final(name), "{name}");
        }
        assert!(!is_final("ranking.unproven_server") && !is_final("") && !is_final("malformed"));
    }
}
