//! Who calls on the fleet's listener: somebody who has the secret that all battle servers share,
//! or one battle server, by the credential that it was given at its registration.
//!
//! The secret lets a server register under a name that nobody has. It does not make its holder any
//! of the servers that are there: for that, a server shows its credential. The credential is
//! signed, so that it is checked before a byte of the message is read, by every node, without the
//! database; that its epoch is still the server's is checked where the server's row is read anyway.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ring::digest;
use tonic::service::Interceptor;
use tonic::{Request, Status};
use uuid::Uuid;

use crate::access::AccessKeys;
use crate::address::{client_address, counts_as};
use crate::headers;

/// Wrong secrets of one address in [`WINDOW`]; after them nothing of it is looked at.
const WRONG_MAX: u32 = 20;

/// How long wrong secrets are remembered.
const WINDOW: Duration = Duration::from_secs(60);

/// Addresses that are remembered; beyond them all others count as one.
const ADDRESSES_MAX: usize = 4_096;

/// Who calls, as the door found it; in a request's extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FleetCaller {
    /// Somebody who has the secret.
    Secret,
    /// A battle server, in one of its epochs.
    Server {
        /// The server that its credential was signed for.
        server_id: Uuid,
        /// Of its registrations.
        epoch: i64,
    },
}

impl FleetCaller {
    /// Of a request that came through the door.
    ///
    /// # Errors
    /// It did not.
    pub fn of<T>(request: &Request<T>) -> Result<Self, Status> {
        let found = request.extensions().get::<Self>().copied();
        found.ok_or_else(|| Status::unauthenticated("this call came past the fleet's door"))
    }

    /// For what a server's credential does not open.
    ///
    /// # Errors
    /// It is a server.
    pub fn require_secret(self) -> Result<(), Status> {
        match self {
            Self::Secret => Ok(()),
            Self::Server { .. } => Err(Status::unauthenticated(
                "this needs the fleet secret, not a server's credential",
            )),
        }
    }
}

/// The secret that battle servers share with the control plane, and who guesses at it. Clones
/// count together.
#[derive(Clone)]
pub struct SharedSecret {
    digest: Arc<[u8]>,
    wrong: Arc<Mutex<HashMap<IpAddr, Wrong>>>,
    trusted_proxies: Arc<[IpAddr]>,
}

/// Wrong secrets of an address.
struct Wrong {
    since: Instant,
    count: u32,
}

impl std::fmt::Debug for SharedSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SharedSecret")
    }
}

impl SharedSecret {
    /// Of a text of at least 16 bytes.
    ///
    /// # Errors
    /// It is shorter.
    pub fn new(secret: &str) -> anyhow::Result<Self> {
        anyhow::ensure!(secret.len() >= 16, "the fleet secret must have at least 16 characters");
        Ok(Self {
            digest: sha256(secret.as_bytes()).into(),
            wrong: Arc::default(),
            trusted_proxies: Arc::default(),
        })
    }

    /// The same secret; calls that come over these proxies count by the address that they name.
    #[must_use]
    pub fn behind(mut self, trusted_proxies: &[IpAddr]) -> Self {
        self.trusted_proxies = trusted_proxies.into();
        self
    }

    /// Whether a value of `authorization` carries it. Digests are compared, so that the time
    /// tells nothing of the secret.
    pub fn is_carried_by(&self, value: Option<&str>) -> bool {
        headers::bearer(value)
            .is_some_and(|secret| sha256(secret.as_bytes())[..] == self.digest[..])
    }

    /// How long nothing of this address is looked at: not even a right secret, so that a guess
    /// tells nothing.
    fn shut_for(&self, address: IpAddr, now: Instant) -> Option<Duration> {
        let wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        let found = wrong.get(&counts_as(address));
        // Where there is no room left, strangers share an entry.
        let found = found.or_else(|| wrong.get(&REST).filter(|_| wrong.len() > ADDRESSES_MAX))?;
        let left = WINDOW.checked_sub(now.saturating_duration_since(found.since))?;
        (found.count >= WRONG_MAX && !left.is_zero()).then_some(left)
    }

    fn note_wrong(&self, address: IpAddr, now: Instant) {
        metrics::counter!("sortie_fleet_wrong_secrets_total").increment(1);
        let mut wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        let mut address = counts_as(address);
        if wrong.len() >= ADDRESSES_MAX && !wrong.contains_key(&address) {
            wrong.retain(|_, entry| now.saturating_duration_since(entry.since) < WINDOW);
            if wrong.len() >= ADDRESSES_MAX {
                address = REST;
            }
        }
        let entry = wrong.entry(address).or_insert(Wrong { since: now, count: 0 });
        if now.saturating_duration_since(entry.since) >= WINDOW {
            *entry = Wrong { since: now, count: 0 };
        }
        entry.count += 1;
        if entry.count == WRONG_MAX {
            tracing::warn!(%address, "wrong fleet secrets; none is looked at for a while");
        }
    }
}

/// Stands for all addresses that there is no room for; nobody calls from it.
const REST: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

/// What the control plane keeps of a server's identity.
pub fn identity_hash(identity: &[u8]) -> Vec<u8> {
    sha256(identity)
}

fn sha256(bytes: &[u8]) -> Vec<u8> {
    digest::digest(&digest::SHA256, bytes).as_ref().to_vec()
}

/// Lets calls pass that carry the secret or a server's credential, and notes which:
/// [`FleetCaller::of`].
#[derive(Clone, Debug)]
pub struct FleetDoor {
    secret: SharedSecret,
    keys: AccessKeys,
}

impl FleetDoor {
    /// Credentials are signed with `keys`.
    pub fn new(secret: SharedSecret, keys: AccessKeys) -> Self {
        Self { secret, keys }
    }

    fn admit(&self, request: &Request<()>, now: Instant) -> Result<FleetCaller, Status> {
        let text = |name: &str| request.metadata().get(name).and_then(|value| value.to_str().ok());
        let value = text("authorization");
        let credential = headers::bearer(value);
        if let Some((server_id, epoch)) = credential.and_then(|one| self.keys.verify_server(one)) {
            return Ok(FleetCaller::Server { server_id, epoch });
        }
        // Without a listener, in tests that call a service by itself, there is no address.
        let peer = request.remote_addr().map_or(REST, |peer| peer.ip());
        let forwarded = text("x-forwarded-for").unwrap_or_default();
        let address = client_address(peer, forwarded, &self.secret.trusted_proxies);
        if let Some(left) = self.secret.shut_for(address, now) {
            let seconds = left.as_secs() + 1;
            let text = format!("too many wrong secrets from this address; wait {seconds} s");
            return Err(Status::resource_exhausted(text));
        }
        if self.secret.is_carried_by(value) {
            return Ok(FleetCaller::Secret);
        }
        // Tokens of players and servers are signed: nobody finds the secret by trying them.
        if credential.is_some_and(|guess| !self.keys.is_of_our_form(guess)) {
            self.secret.note_wrong(address, now);
        }
        Err(Status::unauthenticated(
            "this needs the fleet secret or a server's credential as `authorization: Bearer …`",
        ))
    }
}

impl Interceptor for FleetDoor {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let caller = self.admit(&request, Instant::now())?;
        request.extensions_mut().insert(caller);
        Ok(request)
    }
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::*;

    const SECRET: &str = "a secret of some length";

    fn door() -> FleetDoor {
        FleetDoor::new(SharedSecret::new(SECRET).unwrap(), AccessKeys::generate())
    }

    fn call(
        door: &FleetDoor,
        credential: &str,
        from: &str,
        now: Instant,
    ) -> Result<FleetCaller, Status> {
        let mut request = Request::new(());
        let value = format!("Bearer {credential}").parse().unwrap();
        request.metadata_mut().insert("authorization", value);
        let remote_addr = Some(format!("{from}:1").parse().unwrap());
        let info = tonic::transport::server::TcpConnectInfo { local_addr: None, remote_addr };
        request.extensions_mut().insert(info);
        door.admit(&request, now)
    }

    #[test]
    fn only_the_secret_passes() {
        let secret = SharedSecret::new(SECRET).unwrap();
        for scheme in ["Bearer", "bearer", "BEARER"] {
            assert!(secret.is_carried_by(Some(&format!("{scheme} {SECRET}"))), "{scheme}");
        }
        for wrong in [None, Some(""), Some("Bearer "), Some("a secret of some length")] {
            assert!(!secret.is_carried_by(wrong), "{wrong:?}");
        }
        assert!(SharedSecret::new("short").is_err());
    }

    #[test]
    fn a_credential_says_who_calls() {
        let (door, now) = (door(), Instant::now());
        let server_id = Uuid::from_u128(5);
        let credential = door.keys.issue_server(server_id, 3, OffsetDateTime::now_utc());
        let caller = call(&door, &credential, "10.0.0.1", now).unwrap();
        assert_eq!(caller, FleetCaller::Server { server_id, epoch: 3 });
        assert!(caller.require_secret().is_err());
        assert_eq!(call(&door, SECRET, "10.0.0.1", now).unwrap(), FleetCaller::Secret);
        let other = AccessKeys::generate().issue_server(server_id, 3, OffsetDateTime::now_utc());
        assert!(call(&door, &other, "10.0.0.1", now).is_err());
    }

    #[test]
    fn guesses_are_slowed_by_address_and_a_right_one_tells_nothing() {
        let (door, now) = (door(), Instant::now());
        let code = |credential: &str, from, now| {
            call(&door, credential, from, now).map_err(|status| status.code())
        };
        use tonic::Code::{ResourceExhausted, Unauthenticated};
        for guess in 0..WRONG_MAX {
            let guess = format!("guess number {guess}");
            assert_eq!(code(&guess, "10.0.0.1", now), Err(Unauthenticated));
        }
        assert_eq!(code("one more", "10.0.0.1", now), Err(ResourceExhausted));
        assert_eq!(code(SECRET, "10.0.0.1", now), Err(ResourceExhausted));
        // Servers that are registered, and whoever is elsewhere, notice nothing.
        let credential = door.keys.issue_server(Uuid::nil(), 1, OffsetDateTime::now_utc());
        assert!(code(&credential, "10.0.0.1", now).is_ok());
        assert!(code(SECRET, "10.0.0.2", now).is_ok());
        assert!(code(SECRET, "10.0.0.1", now + WINDOW).is_ok());
    }

    #[test]
    fn what_is_remembered_of_guesses_is_bounded() {
        let (door, now) = (door(), Instant::now());
        for at in 0..2 * ADDRESSES_MAX as u32 {
            let from = std::net::Ipv4Addr::from_bits(0x0b00_0000 + at).to_string();
            drop(call(&door, "a guess", &from, now));
        }
        assert!(door.secret.wrong.lock().unwrap().len() <= ADDRESSES_MAX + 1);
        // Strangers share what is left.
        let code = call(&door, "a guess", "12.0.0.1", now).map_err(|status| status.code());
        assert_eq!(code, Err(tonic::Code::ResourceExhausted));
        // Later the others are forgotten.
        assert!(call(&door, SECRET, "12.0.0.1", now + WINDOW).is_ok());
    }
}
