//! Join tickets: a signed admission of one player to one battle, checked without asking anyone.
//!
//! ```text
//! version 2 (u8) | key id (8 bytes) | ticket id (u128) | player key (u128) | battle id (u128)
//! | team (u8: 0, 1, 255 = balance decides) | class (u8) | expires at (u64, ms since 1970)
//! | name length (u8) | name | audience length (u8) | audience | Ed25519 signature (64 bytes)
//! ```
//! Integers are little-endian, text is UTF-8. The signature covers the bytes of `CONTEXT` and all
//! bytes before the signature. Version 1 had no key id and is refused.

use sortie_keys::{KeyId, KeyPair, PublicKeys, SignatureError, random_bytes};

use crate::limits::{
    AUDIENCE_BYTES_MAX, CLOCK_LEEWAY_MS, NAME_BYTES_MAX, TICKET_BYTES_MAX, TICKET_LIFE_MS_MAX,
};

/// What the signature covers before the ticket: a ticket key signs nothing that means anything
/// elsewhere.
pub const CONTEXT: &[u8] = b"sortie join ticket\0";

const VERSION: u8 = 2;
const NO_TEAM: u8 = 255;
const SIGNATURE_BYTES: usize = 64;
/// Version, key id, three ids, team, class, expiry.
const FIXED_BYTES: usize = 1 + KeyId::BYTES + 3 * 16 + 1 + 1 + 8;
const _: () = assert!(
    TICKET_BYTES_MAX >= FIXED_BYTES + 2 + NAME_BYTES_MAX + AUDIENCE_BYTES_MAX + SIGNATURE_BYTES
);

/// What a ticket says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// Names the ticket, so that it can be used only once.
    pub ticket_id: u128,
    /// The account behind the player.
    pub player_key: u128,
    /// The only battle that it opens.
    pub battle_id: u128,
    /// The side, 0 or 1; `None` lets balance decide.
    pub team: Option<u8>,
    /// Class for the first spawn.
    pub class: u8,
    /// Milliseconds since 1970 after which it opens nothing.
    pub expires_at_ms: u64,
    /// The name that others see: 1 to 32 bytes without control characters.
    pub name: String,
    /// The battle server that it is meant for, up to 64 bytes; empty: any that runs the battle.
    pub audience: String,
}

/// Why a ticket opens nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TicketError {
    /// Layout, limits or signature are wrong.
    #[error("the ticket is invalid")]
    Invalid,
    /// It names a key that the server does not hold: one that was taken away, or that the server
    /// was not told of yet.
    #[error("the server does not know the key of the ticket")]
    UnknownKey,
    /// Its time is over, or longer than any issuer may grant.
    #[error("the ticket has expired")]
    Expired,
    /// It is for another battle or another server.
    #[error("the ticket is for another battle")]
    WrongBattle,
}

impl TicketError {
    /// What the client is told.
    pub fn close_code(self) -> crate::close::CloseCode {
        match self {
            Self::Invalid => crate::close::CloseCode::TicketInvalid,
            Self::UnknownKey => crate::close::CloseCode::TicketKeyUnknown,
            Self::Expired => crate::close::CloseCode::TicketExpired,
            Self::WrongBattle => crate::close::CloseCode::TicketWrongBattle,
        }
    }
}

/// Signs tickets. Belongs to the control plane, or to a development server.
#[derive(Debug)]
pub struct TicketSigner(KeyPair);

impl TicketSigner {
    /// From the 32-byte private seed of RFC 8032.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self(KeyPair::from_seed(&seed))
    }

    /// With a new key pair from the system's random numbers.
    ///
    /// # Panics
    /// As [`random_bytes`].
    pub fn generate() -> Self {
        Self::from_seed(random_bytes())
    }

    /// The public key, for [`TicketVerifier::new`].
    pub fn public_key(&self) -> [u8; 32] {
        self.0.public_key()
    }

    /// What the key is called; every ticket says it.
    pub fn key_id(&self) -> KeyId {
        self.0.id()
    }

    /// The signed ticket as it travels.
    ///
    /// # Errors
    /// `Invalid` when name, audience or team break their limits.
    pub fn sign(&self, ticket: &Ticket) -> Result<Vec<u8>, TicketError> {
        if !is_lawful(ticket) {
            return Err(TicketError::Invalid);
        }
        let mut signed = Vec::with_capacity(CONTEXT.len() + TICKET_BYTES_MAX);
        signed.extend_from_slice(CONTEXT);
        write_body(self.key_id(), ticket, &mut signed);
        let signature = self.0.sign(&signed);
        let mut bytes = signed.split_off(CONTEXT.len());
        bytes.extend_from_slice(&signature);
        Ok(bytes)
    }
}

/// Checks tickets of one issuer for one battle.
#[derive(Clone, Debug)]
pub struct TicketVerifier {
    keys: PublicKeys,
    battle_id: u128,
    audience: String,
}

impl TicketVerifier {
    /// Accepts what one of `keys` signed for `battle_id` and for `audience`, this server's name.
    pub fn new(keys: impl Into<PublicKeys>, battle_id: u128, audience: impl Into<String>) -> Self {
        Self { keys: keys.into(), battle_id, audience: audience.into() }
    }

    /// From now on these keys count, and no others.
    pub fn set_keys(&mut self, keys: PublicKeys) {
        self.keys = keys;
    }

    /// The keys that count.
    pub fn keys(&self) -> &PublicKeys {
        &self.keys
    }

    /// The ticket in `bytes`, if it opens this battle at `now_ms` (milliseconds since 1970).
    /// That it is used only once is the caller's business.
    ///
    /// # Errors
    /// Which of the rules it breaks; nothing of the content is believed before the signature is.
    pub fn verify(&self, bytes: &[u8], now_ms: u64) -> Result<Ticket, TicketError> {
        if bytes.len() > TICKET_BYTES_MAX {
            return Err(TicketError::Invalid);
        }
        let ticket = self.authentic(bytes)?;
        if ticket.battle_id != self.battle_id
            || !(ticket.audience.is_empty() || ticket.audience == self.audience)
        {
            return Err(TicketError::WrongBattle);
        }
        let latest_ms = now_ms.saturating_add(TICKET_LIFE_MS_MAX + CLOCK_LEEWAY_MS);
        let earliest_ms = now_ms.saturating_sub(CLOCK_LEEWAY_MS);
        if !(earliest_ms..=latest_ms).contains(&ticket.expires_at_ms) {
            return Err(TicketError::Expired);
        }
        Ok(ticket)
    }

    fn authentic(&self, bytes: &[u8]) -> Result<Ticket, TicketError> {
        let (body, signature) =
            bytes.split_last_chunk::<SIGNATURE_BYTES>().ok_or(TicketError::Invalid)?;
        let (key_id, _) = split_key_id(body).ok_or(TicketError::Invalid)?;
        let mut signed = [0; CONTEXT.len() + TICKET_BYTES_MAX];
        let signed = &mut signed[..CONTEXT.len() + body.len()];
        signed[..CONTEXT.len()].copy_from_slice(CONTEXT);
        signed[CONTEXT.len()..].copy_from_slice(body);
        self.keys.verify(key_id, signed, signature).map_err(|error| match error {
            SignatureError::UnknownKey => TicketError::UnknownKey,
            SignatureError::Wrong => TicketError::Invalid,
        })?;
        read_body(body).ok_or(TicketError::Invalid)
    }
}

fn is_lawful(ticket: &Ticket) -> bool {
    (1..=NAME_BYTES_MAX).contains(&ticket.name.len())
        && !ticket.name.chars().any(char::is_control)
        && ticket.audience.len() <= AUDIENCE_BYTES_MAX
        && ticket.team.is_none_or(|team| team <= 1)
}

fn write_body(key_id: KeyId, ticket: &Ticket, out: &mut Vec<u8>) {
    out.push(VERSION);
    out.extend_from_slice(&key_id.to_bytes());
    for id in [ticket.ticket_id, ticket.player_key, ticket.battle_id] {
        out.extend_from_slice(&id.to_le_bytes());
    }
    out.push(ticket.team.unwrap_or(NO_TEAM));
    out.push(ticket.class);
    out.extend_from_slice(&ticket.expires_at_ms.to_le_bytes());
    for text in [&ticket.name, &ticket.audience] {
        out.push(text.len() as u8);
        out.extend_from_slice(text.as_bytes());
    }
}

/// Reads what comes before the signature. Public for fuzzing beneath the signature.
///
/// Anything that [`TicketSigner::sign`] would not have written is `None`.
pub fn read_body(body: &[u8]) -> Option<Ticket> {
    let (_, mut body) = split_key_id(body)?;
    let [ticket_id, player_key, battle_id] =
        [take(&mut body)?, take(&mut body)?, take(&mut body)?].map(u128::from_le_bytes);
    let [team, class] = take(&mut body)?;
    let expires_at_ms = u64::from_le_bytes(take(&mut body)?);
    let name = take_text(&mut body)?;
    let audience = take_text(&mut body)?;
    let ticket = Ticket {
        ticket_id,
        player_key,
        battle_id,
        team: Some(team).filter(|&team| team != NO_TEAM),
        class,
        expires_at_ms,
        name,
        audience,
    };
    (body.is_empty() && is_lawful(&ticket)).then_some(ticket)
}

/// The key that a ticket names, and what stands behind it.
fn split_key_id(mut body: &[u8]) -> Option<(KeyId, &[u8])> {
    let [version] = take(&mut body)?;
    let key_id = KeyId::from_bytes(take(&mut body)?);
    (version == VERSION).then_some((key_id, body))
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*head)
}

fn take_text(bytes: &mut &[u8]) -> Option<String> {
    let [len] = take(bytes)?;
    let (text, rest) = bytes.split_at_checked(usize::from(len))?;
    *bytes = rest;
    std::str::from_utf8(text).ok().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: u64 = 1_800_000_000_000;

    fn ticket() -> Ticket {
        Ticket {
            ticket_id: 1,
            player_key: 2 << 100,
            battle_id: 3,
            team: Some(1),
            class: 2,
            expires_at_ms: NOW_MS + 20_000,
            name: "Ada".into(),
            audience: String::new(),
        }
    }

    fn signer() -> TicketSigner {
        TicketSigner::from_seed([9; 32])
    }

    fn verify(ticket: &Ticket) -> Result<Ticket, TicketError> {
        let verifier = TicketVerifier::new(signer().public_key(), 3, "alpha");
        verifier.verify(&signer().sign(ticket).unwrap(), NOW_MS)
    }

    #[test]
    fn a_good_ticket_says_what_was_signed() {
        assert_eq!(verify(&ticket()), Ok(ticket()));
        let ticket = Ticket {
            team: None,
            name: "x".repeat(NAME_BYTES_MAX),
            audience: "a".repeat(AUDIENCE_BYTES_MAX),
            ..ticket()
        };
        let bytes = signer().sign(&ticket).unwrap();
        let audience = ticket.audience.clone();
        let verifier = TicketVerifier::new(signer().public_key(), 3, audience);
        assert_eq!(verifier.verify(&bytes, NOW_MS), Ok(ticket));
    }

    #[test]
    fn a_ticket_opens_one_battle_on_one_server_for_a_short_time() {
        let wrong = Err(TicketError::WrongBattle);
        assert_eq!(verify(&Ticket { battle_id: 4, ..ticket() }), wrong);
        assert_eq!(verify(&Ticket { audience: "beta".into(), ..ticket() }), wrong);
        assert!(verify(&Ticket { audience: "alpha".into(), ..ticket() }).is_ok());
        let at = |expires_at_ms| verify(&Ticket { expires_at_ms, ..ticket() }).is_ok();
        assert!(at(NOW_MS - CLOCK_LEEWAY_MS) && !at(NOW_MS - CLOCK_LEEWAY_MS - 1));
        let latest = NOW_MS + TICKET_LIFE_MS_MAX + CLOCK_LEEWAY_MS;
        assert!(at(latest) && !at(latest + 1) && !at(u64::MAX) && !at(0));
    }

    #[test]
    fn any_changed_or_missing_byte_makes_it_invalid() {
        let bytes = signer().sign(&ticket()).unwrap();
        let verifier = TicketVerifier::new(signer().public_key(), 3, "alpha");
        for index in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[index] ^= 0x20;
            let is_of_key_id = (1..=KeyId::BYTES).contains(&index);
            let expected =
                if is_of_key_id { TicketError::UnknownKey } else { TicketError::Invalid };
            assert_eq!(verifier.verify(&changed, NOW_MS), Err(expected), "byte {index}");
            let cut = verifier.verify(&bytes[..index], NOW_MS);
            assert_eq!(cut, Err(TicketError::Invalid), "{index} bytes");
        }
        assert_eq!(verifier.verify(&[0; 10_000], NOW_MS), Err(TicketError::Invalid));
    }

    #[test]
    fn a_ticket_is_checked_with_the_key_that_it_names() {
        let [old, new] = [8, 9].map(|seed| TicketSigner::from_seed([seed; 32]));
        let [by_old, by_new] = [&old, &new].map(|signer| signer.sign(&ticket()).unwrap());
        let only_new = TicketVerifier::new(new.public_key(), 3, "alpha");
        assert_eq!(only_new.verify(&by_old, NOW_MS), Err(TicketError::UnknownKey));
        assert_eq!(only_new.verify(&by_new, NOW_MS), Ok(ticket()));
        let both = PublicKeys::new(old.public_key(), [new.public_key()]).unwrap();
        let mut verifier = TicketVerifier::new(both, 3, "alpha");
        assert_eq!(verifier.verify(&by_old, NOW_MS), Ok(ticket()));
        assert_eq!(verifier.verify(&by_new, NOW_MS), Ok(ticket()));
        // Whoever names another's key has not its signature.
        let forged = [&by_old[..1], &new.key_id().to_bytes(), &by_old[1 + KeyId::BYTES..]].concat();
        assert_eq!(verifier.verify(&forged, NOW_MS), Err(TicketError::Invalid));
        verifier.set_keys(new.public_key().into());
        assert_eq!(verifier.verify(&by_old, NOW_MS), Err(TicketError::UnknownKey));
    }

    /// Each held key would have to be tried, which is more than a hello may cost.
    #[test]
    fn a_ticket_that_names_no_key_is_refused() {
        let pair = KeyPair::from_seed(&[9; 32]);
        let mut signed = CONTEXT.to_vec();
        write_body(pair.id(), &ticket(), &mut signed);
        let body = CONTEXT.len();
        signed.drain(body + 1..body + 1 + KeyId::BYTES);
        signed[body] = 1;
        let bytes = [&signed[body..], &pair.sign(&signed)].concat();
        let verifier = TicketVerifier::new(pair.public_key(), 3, "alpha");
        assert_eq!(verifier.verify(&bytes, NOW_MS), Err(TicketError::Invalid));
    }

    #[test]
    fn unlawful_tickets_are_not_signed() {
        let names = ["", "a\nb", &"x".repeat(NAME_BYTES_MAX + 1)];
        for name in names {
            let ticket = Ticket { name: name.to_owned(), ..ticket() };
            assert_eq!(signer().sign(&ticket), Err(TicketError::Invalid), "{name:?}");
        }
        assert!(signer().sign(&Ticket { team: Some(2), ..ticket() }).is_err());
    }

    #[test]
    fn generated_keys_differ() {
        let [a, b] = [(); 2].map(|()| TicketSigner::generate());
        assert_ne!(a.public_key(), b.public_key());
    }
}
