//! The keys of one direction in one phase.

use ring::aead::{AES_128_GCM, Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, Tag, UnboundKey};
use ring::hkdf::{HKDF_SHA256, KeyType, Prk};

use crate::secrets::Suite;

/// Bytes of the authentication tag at the end of every packet.
pub const TAG_BYTES: usize = 16;

/// The bytes were not sealed under this key, number and header. Says no more, on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyError;

/// AEAD key and IV of one direction in one phase, and the secret of the next phase.
///
/// Derived with HKDF-Expand (RFC 5869) over SHA-256; `secret` is the pseudorandom key and the
/// info is the bare ASCII text: `sortie sealed key` (16 or 32 bytes), `sortie sealed iv` (12),
/// `sortie sealed next` (32). Not printable, on purpose.
pub struct Keys {
    aead: LessSafeKey,
    iv: [u8; 12],
    next: [u8; 32],
    suite: Suite,
}

impl Keys {
    /// The keys of the phase whose secret is `secret`.
    pub fn new(suite: Suite, secret: &[u8; 32]) -> Self {
        let algorithm = match suite {
            Suite::Aes128Gcm => &AES_128_GCM,
            Suite::ChaCha20Poly1305 => &CHACHA20_POLY1305,
        };
        let secret = Prk::new_less_safe(HKDF_SHA256, secret);
        let mut key = [0; 32];
        let key = &mut key[..algorithm.key_len()];
        expand(&secret, b"sortie sealed key", key);
        let mut keys = Self {
            aead: LessSafeKey::new(UnboundKey::new(algorithm, key).expect("the suite's length")),
            iv: [0; 12],
            next: [0; 32],
            suite,
        };
        expand(&secret, b"sortie sealed iv", &mut keys.iv);
        expand(&secret, b"sortie sealed next", &mut keys.next);
        keys
    }

    /// The keys of the phase after this one.
    pub fn next(&self) -> Self {
        Self::new(self.suite, &self.next)
    }

    /// Encrypts `bytes` in place and gives the tag, which covers `header` too. `number` must
    /// never have been used with these keys before: a repeated one gives both texts away.
    pub fn seal_in_place(&self, number: u32, header: &[u8], bytes: &mut [u8]) -> [u8; TAG_BYTES] {
        let sealed =
            self.aead.seal_in_place_separate_tag(self.nonce(number), Aad::from(header), bytes);
        let tag: Tag = sealed.expect("a packet is far shorter than the AEAD's limit");
        tag.as_ref().try_into().expect("both suites have tags of 16 bytes")
    }

    /// Decrypts `bytes`, ciphertext and tag, in place and gives the plaintext.
    ///
    /// # Errors
    /// [`KeyError`] when key, number, header, ciphertext or tag are not the ones of the sealing;
    /// `bytes` then hold nothing of value.
    pub fn open_in_place<'a>(
        &self,
        number: u32,
        header: &[u8],
        bytes: &'a mut [u8],
    ) -> Result<&'a mut [u8], KeyError> {
        let nonce = self.nonce(number);
        self.aead.open_in_place(nonce, Aad::from(header), bytes).map_err(|_| KeyError)
    }

    /// The IV with the packet number, big-endian, over its last four bytes (RFC 9001, 5.3).
    fn nonce(&self, number: u32) -> Nonce {
        let mut nonce = self.iv;
        for (byte, number) in nonce[8..].iter_mut().zip(number.to_be_bytes()) {
            *byte ^= number;
        }
        Nonce::assume_unique_for_key(nonce)
    }
}

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

fn expand(secret: &Prk, info: &[u8], out: &mut [u8]) {
    let expanded = secret.expand(&[info], Length(out.len())).and_then(|okm| okm.fill(out));
    expanded.expect("HKDF gives far more than 32 bytes");
}
