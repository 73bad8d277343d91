//! Who is let in: tickets, each good once, and resume tokens.

use std::collections::BTreeMap;

use sortie_wire::close::CloseCode;
use sortie_wire::limits::CLOCK_LEEWAY_MS;
use sortie_wire::resume::{ResumeClaims, ResumeKey, ResumeToken};
use sortie_wire::ticket::{Ticket, TicketVerifier};

/// Tickets used and not yet expired, with their expiry in milliseconds since 1970.
pub type UsedTickets = BTreeMap<u128, u64>;

/// Checks credentials for one battle.
#[derive(Debug)]
pub struct Admission {
    verifier: TicketVerifier,
    resume: ResumeKey,
    battle_id: u128,
}

impl Admission {
    /// Lets in whom the holder of `ticket_key` sends to `battle_id` at `audience`.
    pub fn new(
        ticket_key: [u8; 32],
        battle_id: u128,
        audience: &str,
        resume_key: &[u8; 32],
    ) -> Self {
        Self {
            verifier: TicketVerifier::new(ticket_key, battle_id, audience),
            resume: ResumeKey::new(resume_key),
            battle_id,
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
        if used.contains_key(&ticket.ticket_id) {
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

/// Forgets tickets that are refused for their age anyway.
pub fn forget_expired(used: &mut UsedTickets, now_ms: u64) {
    let keep_from = now_ms.saturating_sub(2 * CLOCK_LEEWAY_MS);
    used.retain(|_, expires_at_ms| *expires_at_ms >= keep_from);
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
    fn a_ticket_is_good_once() {
        let admission = admission();
        let mut used = UsedTickets::new();
        let bytes = ticket(1, NOW_MS + 20_000);
        let first = admission.check_ticket(&bytes, NOW_MS, &used).unwrap();
        used.insert(first.ticket_id, first.expires_at_ms);
        for replay in 0..10_000 {
            // Time passes; the ticket is either used or expired, never good.
            let now_ms = NOW_MS + replay * 5;
            forget_expired(&mut used, now_ms);
            let refused = admission.check_ticket(&bytes, now_ms, &used).unwrap_err();
            assert!(matches!(refused, CloseCode::TicketUsed | CloseCode::TicketExpired));
        }
        assert!(used.is_empty(), "expired tickets are forgotten");
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
