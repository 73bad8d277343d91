//! A6: a used ticket stays used when the wall clock jumps ahead and back.
//! Goes to services/battle/tests.

use sortie_battle::admission::{Admission, UsedTickets, forget_expired};
use sortie_wire::ticket::{Ticket, TicketSigner};

const NOW_MS: u64 = 1_700_000_000_000;

#[test]
fn a_used_ticket_is_used_after_a_jump_of_the_clock() {
    let signer = TicketSigner::from_seed([3; 32]);
    let admission = Admission::new(signer.public_key(), 9, "", &[7; 32]);
    let ticket = Ticket {
        ticket_id: 1,
        player_key: 5,
        battle_id: 9,
        team: None,
        class: 0,
        expires_at_ms: NOW_MS + 20_000,
        name: "Ada".to_owned(),
        audience: String::new(),
    };
    let bytes = signer.sign(&ticket).unwrap();
    let mut used = UsedTickets::new();
    admission.check_ticket(&bytes, NOW_MS, &used).unwrap();
    used.insert(ticket.ticket_id, ticket.expires_at_ms);
    // What the server does in every tick, an hour ahead by mistake; then the clock is set right.
    forget_expired(&mut used, NOW_MS + 3_600_000);
    let again = admission.check_ticket(&bytes, NOW_MS, &used);
    assert!(again.is_err(), "A6: the same ticket is good a second time");
}
