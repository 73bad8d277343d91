//! Join tickets for bots and for development.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sortie_keys::random_bytes;
use sortie_wire::limits::TICKET_LIFE_MS_MAX;
use sortie_wire::ticket::{Ticket, TicketError, TicketSigner};

/// Who is to be admitted where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TicketRequest {
    /// The battle.
    pub battle_id: u128,
    /// The account; equal keys are the same player.
    pub player_key: u128,
    /// The name that others see.
    pub name: String,
    /// The side, 0 or 1; `None` lets balance decide.
    pub team: Option<u8>,
    /// Class for the first spawn, 0 to 3.
    pub class: u8,
    /// How long the ticket is good for; cut to what servers accept.
    pub valid: Duration,
}

/// A ticket with a number of its own, signed by the key of this private seed.
pub fn issue(seed: &[u8; 32], request: &TicketRequest) -> Result<Vec<u8>, TicketError> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let valid_ms = request.valid.as_millis().min(u128::from(TICKET_LIFE_MS_MAX)) as u64;
    TicketSigner::from_seed(*seed).sign(&Ticket {
        ticket_id: u128::from_le_bytes(random_bytes()),
        player_key: request.player_key,
        battle_id: request.battle_id,
        team: request.team,
        class: request.class,
        expires_at_ms: now.as_millis() as u64 + valid_ms,
        name: request.name.clone(),
        audience: String::new(),
    })
}

#[cfg(test)]
mod tests {
    use sortie_wire::ticket::TicketVerifier;

    use super::*;

    #[test]
    fn an_issued_ticket_opens_its_battle() {
        let request = TicketRequest {
            battle_id: 3,
            player_key: 7,
            name: "Ada".to_owned(),
            team: None,
            class: 1,
            valid: Duration::from_secs(3_600),
        };
        let bytes = issue(&[9; 32], &request).unwrap();
        let key = TicketSigner::from_seed([9; 32]).public_key();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;
        let ticket = TicketVerifier::new(key, 3, "here").verify(&bytes, now).unwrap();
        assert_eq!((ticket.player_key, ticket.class), (7, 1));
        assert_ne!(issue(&[9; 32], &request).unwrap(), bytes, "two tickets are the same one");
    }
}
