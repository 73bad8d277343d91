//! Why the control plane does not serve, told so that somebody can do something about it.

use tonic::{Code, Status};

/// Why the control plane does not serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    /// For people.
    pub why: String,
    /// What may help.
    pub kind: Kind,
}

/// What kind of trouble it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It cannot be reached, or cannot serve now.
    Away,
    /// It is there, and refuses the secret.
    Refusal,
    /// It is there, and knows another server by this name.
    NameTaken,
}

impl Trouble {
    /// It does not answer.
    pub(super) fn away(why: &str) -> Self {
        Self { why: why.to_owned(), kind: Kind::Away }
    }

    /// What a call ended with.
    pub(super) fn of_status(status: &Status) -> Self {
        let code = status.metadata().get("error-code");
        let kind = match status.code() {
            Code::Unauthenticated | Code::PermissionDenied => Kind::Refusal,
            _ if code.is_some_and(|code| code == "fleet.name_taken") => Kind::NameTaken,
            _ => Kind::Away,
        };
        let why = match status.message() {
            "" => status.code().description(),
            message => message,
        };
        Self { why: why.to_owned(), kind }
    }

    /// Whatever went wrong.
    pub(super) fn of(error: &anyhow::Error) -> Self {
        match error.downcast_ref::<Status>() {
            Some(status) => Self::of_status(status),
            None => Self::away(&format!("{error:#}")),
        }
    }

    /// Logs it, once a failure of a kind, not once a try; `away` is the kind that was logged last.
    pub(super) fn note(&self, away: &mut Option<Kind>, name: &str) {
        let Self { why, kind } = self;
        match (away.replace(*kind) == Some(*kind), kind) {
            (true, _) => tracing::debug!(why, "the control plane does not serve"),
            (false, Kind::NameTaken) => tracing::error!(
                name,
                why,
                "the control plane knows another server by this name: choose another --name, or \
                 start this one with that server's --data-dir. It gets no battles; the name is \
                 asked for again every 10 s"
            ),
            (false, Kind::Refusal) => tracing::error!(
                why,
                "the control plane refuses this server: check --fleet-secret-file; battles go on, \
                 results wait"
            ),
            (false, Kind::Away) => {
                tracing::warn!(why, "the control plane is away; battles go on, results wait");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_secret_is_not_away() {
        let refused = anyhow::Error::from(Status::unauthenticated("no secret"));
        let trouble = Trouble::of(&refused);
        assert_eq!(trouble, Trouble { why: "no secret".to_owned(), kind: Kind::Refusal });
        let kind = |error: anyhow::Error| Trouble::of(&error).kind;
        assert_eq!(kind(Status::unavailable("connection refused").into()), Kind::Away);
        assert_eq!(kind(anyhow::anyhow!("deadline has elapsed")), Kind::Away);
        assert!(!Trouble::of_status(&Status::new(Code::Unavailable, "")).why.is_empty());
    }

    #[test]
    fn a_name_that_is_anothers_is_no_outage() {
        let mut taken = Status::failed_precondition("another server has this name");
        assert_eq!(Trouble::of_status(&taken).kind, Kind::Away, "a refusal without its code");
        taken.metadata_mut().insert("error-code", "fleet.name_taken".parse().unwrap());
        assert_eq!(Trouble::of_status(&taken).kind, Kind::NameTaken);
    }
}
