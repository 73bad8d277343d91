//! Resume tokens: what brings a player back to the same soldier after a lost connection.
//!
//! The battle server issues them in its welcome and is the only one who reads them: the layout is
//! its own business, a client only keeps the bytes.
//!
//! ```text
//! version 1 (u8) | battle id (u128) | slot (u16) | player key (u128) | HMAC-SHA256 of all before
//! ```
//! Integers are little-endian.

use ring::hmac;

/// Bytes of a token.
pub const RESUME_TOKEN_BYTES: usize = CLAIMS_BYTES + 32;

const VERSION: u8 = 1;
const CLAIMS_BYTES: usize = 1 + 16 + 2 + 16;
/// Keeps these tags apart from anything else that might ever be signed with the same key.
const CONTEXT: &[u8] = b"sortie resume token\0";

/// Who may come back, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResumeClaims {
    /// Id of the battle that the soldier is in.
    pub battle_id: u128,
    /// The player's slot in it.
    pub slot: u16,
    /// The account behind the player.
    pub player_key: u128,
}

/// A token as it travels.
pub type ResumeToken = [u8; RESUME_TOKEN_BYTES];

/// Issues and checks tokens. The key lives as long as the battle's data.
pub struct ResumeKey(hmac::Key);

impl core::fmt::Debug for ResumeKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("ResumeKey(secret)")
    }
}

impl ResumeKey {
    /// From 32 secret random bytes.
    pub fn new(secret: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// The token of these claims; the same claims give the same token.
    pub fn issue(&self, claims: &ResumeClaims) -> ResumeToken {
        let mut token = [0; RESUME_TOKEN_BYTES];
        let (body, tag) = token.split_at_mut(CLAIMS_BYTES);
        body[0] = VERSION;
        body[1..17].copy_from_slice(&claims.battle_id.to_le_bytes());
        body[17..19].copy_from_slice(&claims.slot.to_le_bytes());
        body[19..].copy_from_slice(&claims.player_key.to_le_bytes());
        let mut context = hmac::Context::with_key(&self.0);
        context.update(CONTEXT);
        context.update(body);
        tag.copy_from_slice(context.sign().as_ref());
        token
    }

    /// The claims of a token that this key issued; `None` for anything else. Takes the same time
    /// whatever is wrong with the tag.
    pub fn verify(&self, token: &[u8]) -> Option<ResumeClaims> {
        let token: &ResumeToken = token.try_into().ok()?;
        let (body, tag) = token.split_at(CLAIMS_BYTES);
        let mut signed = [0; CONTEXT.len() + CLAIMS_BYTES];
        signed[..CONTEXT.len()].copy_from_slice(CONTEXT);
        signed[CONTEXT.len()..].copy_from_slice(body);
        hmac::verify(&self.0, &signed, tag).ok()?;
        if body[0] != VERSION {
            return None;
        }
        Some(ResumeClaims {
            battle_id: u128::from_le_bytes(body[1..17].try_into().ok()?),
            slot: u16::from_le_bytes(body[17..19].try_into().ok()?),
            player_key: u128::from_le_bytes(body[19..].try_into().ok()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLAIMS: ResumeClaims = ResumeClaims { battle_id: 7 << 90, slot: 513, player_key: 99 };

    #[test]
    fn a_token_names_who_it_was_issued_for() {
        let key = ResumeKey::new(&[3; 32]);
        assert_eq!(key.verify(&key.issue(&CLAIMS)), Some(CLAIMS));
    }

    #[test]
    fn a_changed_cut_or_foreign_token_is_refused() {
        let key = ResumeKey::new(&[3; 32]);
        let token = key.issue(&CLAIMS);
        for index in 0..token.len() {
            let mut changed = token;
            changed[index] ^= 1;
            assert_eq!(key.verify(&changed), None, "byte {index}");
            assert_eq!(key.verify(&token[..index]), None);
        }
        assert_eq!(ResumeKey::new(&[4; 32]).verify(&token), None);
    }
}
