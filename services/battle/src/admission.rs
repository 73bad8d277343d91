//! Who is let in: tickets, each good once, and resume tokens.

use std::collections::BTreeSet;

use sortie_keys::PublicKeys;
use sortie_wire::close::CloseCode;
use sortie_wire::resume::{ResumeClaims, ResumeKey, ResumeToken};
use sortie_wire::ticket::{Ticket, TicketVerifier};

/// The ids of all tickets that were used in a battle. None is ever forgotten while the battle
/// lasts, a restart included: what a clock says of their age can change, that they were used
/// cannot. Each took a signed ticket and 16 bytes.
pub type UsedTickets = BTreeSet<u128>;

/// Checks credentials for one battle.
#[derive(Debug)]
pub struct Admission {
    verifier: TicketVerifier,
    resume: ResumeKey,
    battle_id: u128,
}

impl Admission {
    /// Lets in whom a holder of one of `ticket_keys` sends to `battle_id` at `audience`.
    pub fn new(
        ticket_keys: impl Into<PublicKeys>,
        battle_id: u128,
        audience: &str,
        resume_key: &[u8; 32],
    ) -> Self {
        Self {
            verifier: TicketVerifier::new(ticket_keys, battle_id, audience),
            resume: ResumeKey::new(resume_key),
            battle_id,
        }
    }

    /// From now on tickets are checked with these keys, and with no others.
    pub fn set_ticket_keys(&mut self, keys: &PublicKeys) {
        if self.verifier.keys() != keys {
            self.verifier.set_keys(keys.clone());
        }
    }

    /// What a ticket says, if it is good at `now_ms`. It is used up only when the caller notes it
    /// in `used`: a player turned away for lack of room may come again.
    ///
    /// # Errors
    /// What the client is told.
    pub fn check_ticket(
        &self,
        bytes: &[u8],
        now_ms: u64,
        used: &UsedTickets,
    ) -> Result<Ticket, CloseCode> {
        let ticket = self.verifier.verify(bytes, now_ms).map_err(|error| error.close_code())?;
        if used.contains(&ticket.ticket_id) {
            return Err(CloseCode::TicketUsed);
        }
        Ok(ticket)
    }

    /// Who comes back with a token.
    ///
    /// # Errors
    /// What the client is told.
    pub fn check_token(&self, token: &[u8]) -> Result<ResumeClaims, CloseCode> {
        let claims = self.resume.verify(token).ok_or(CloseCode::ResumeUnknown)?;
        if claims.battle_id == self.battle_id { Ok(claims) } else { Err(CloseCode::ResumeUnknown) }
    }

    /// The token that brings a player back.
    pub fn token(&self, slot: u16, player_key: u128) -> ResumeToken {
        self.resume.issue(&ResumeClaims { battle_id: self.battle_id, slot, player_key })
    }
}

#[cfg(test)]
mod tests {
    use sortie_wire::ticket::TicketSigner;

    use super::*;

    const NOW_MS: u64 = 1_700_000_000_000;

    fn ticket(ticket_id: u128, expires_at_ms: u64) -> Vec<u8> {
        let ticket = Ticket {
            ticket_id,
            player_key: 5,
            battle_id: 9,
            team: None,
            class: 0,
            expires_at_ms,
            name: "Ada".to_owned(),
            audience: String::new(),
        };
        TicketSigner::from_seed([3; 32]).sign(&ticket).unwrap()
    }

    fn admission() -> Admission {
        let key = TicketSigner::from_seed([3; 32]).public_key();
        Admission::new(key, 9, "here", &[7; 32])
    }

    #[test]
    fn a_ticket_is_good_once_whatever_the_clock_says() {
        let admission = admission();
        let mut used = UsedTickets::new();
        let bytes = ticket(1, NOW_MS + 20_000);
        let first = admission.check_ticket(&bytes, NOW_MS, &used).unwrap();
        used.insert(first.ticket_id);
        for jump_s in -3_600i64..3_600 {
            let now_ms = NOW_MS.saturating_add_signed(jump_s * 1_000);
            let refused = admission.check_ticket(&bytes, now_ms, &used).unwrap_err();
            assert!(matches!(refused, CloseCode::TicketUsed | CloseCode::TicketExpired));
            // As if time had stood still all along.
            let refused = admission.check_ticket(&bytes, NOW_MS, &used);
            assert_eq!(refused, Err(CloseCode::TicketUsed));
        }
        assert!(admission.check_ticket(&ticket(2, NOW_MS + 20_000), NOW_MS, &used).is_ok());
    }

    #[test]
    fn a_token_is_of_one_battle() {
        let admission = admission();
        let token = admission.token(4, 77);
        assert_eq!(admission.check_token(&token).unwrap().slot, 4);
        let elsewhere = Admission::new([0; 32], 10, "", &[7; 32]);
        assert_eq!(elsewhere.check_token(&token), Err(CloseCode::ResumeUnknown));
    }
}
