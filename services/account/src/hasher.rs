//! Passwords become argon2id hashes, on a bounded number of threads.
//!
//! A hash takes 19 MiB and some 30 ms: whoever could ask for any number of them would have our
//! memory. So many are computed at once, so many wait, and the rest is refused at once. Who waits
//! holds a password and nothing more; who computes borrows memory that is used again and again:
//! blocks of this size from an allocator would stay behind in one heap a thread. Verifying against
//! nobody's hash costs the same as against somebody's: the time tells nothing.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use sortie_control::access::random_bytes;
use tokio::sync::Semaphore;
use unicode_normalization::UnicodeNormalization;

use crate::error::AccountError;

/// What a hash costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// KiB of memory, at least 8 for each lane.
    pub memory_kib: u32,
    /// Passes over the memory, at least 1.
    pub passes: u32,
    /// Lanes, at least 1.
    pub lanes: u32,
}

impl Default for Cost {
    fn default() -> Self {
        Self { memory_kib: 19 << 10, passes: 2, lanes: 1 }
    }
}

/// How many hashes at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool {
    /// Computed at once; each takes a processor and its memory.
    pub running_max: usize,
    /// Waiting for that; further ones are refused.
    pub waiting_max: usize,
}

impl Default for Pool {
    /// Half of the processors: battles and the database need the others.
    fn default() -> Self {
        let processors = std::thread::available_parallelism().map_or(2, usize::from);
        let running_max = (processors / 2).max(1);
        Self { running_max, waiting_max: 32 * running_max }
    }
}

/// What a password is, compared with a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The password is another one.
    Wrong,
    /// The password is this one.
    Right,
    /// The one, but its hash is of the bytes that were typed: from before passwords were
    /// prepared. It should be renewed.
    RightAsTyped,
}

/// A password as it is hashed (RFC 8265, "OpaqueString"): all blanks are one, and what can be
/// written in two ways is composed (NFC), so that it does not matter which keyboard typed it.
pub fn prepared(password: &str) -> String {
    let blank = |char: char| if is_blank(char) { ' ' } else { char };
    password.chars().map(blank).nfc().collect()
}

/// Unicode's category Zs.
fn is_blank(char: char) -> bool {
    matches!(
        char,
        ' ' | '\u{a0}' | '\u{1680}' | '\u{2000}'
            ..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}'
    )
}

/// Makes and checks hashes. Cheap to clone.
#[derive(Clone)]
pub struct Hasher(Arc<Inner>);

struct Inner {
    argon: Argon2<'static>,
    /// Of a password that nobody knows, for users that nobody knows.
    dummy: String,
    running: Arc<Semaphore>,
    admitted: Arc<Semaphore>,
    /// What nobody computes in at the moment: at most one for each that may run.
    memory: Mutex<Vec<Memory>>,
    computed: AtomicU64,
}

/// The blocks that a hash is computed in.
type Memory = Vec<Block>;

impl Inner {
    /// Does `work` in memory that was used before, or that others will use.
    fn with_memory<T>(&self, work: impl FnOnce(&mut Memory) -> T) -> T {
        let pool = || self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let mut memory = pool().pop().unwrap_or_default();
        let result = work(&mut memory);
        // A hash of another cost may have needed more; only today's size is kept.
        if memory.len() <= self.argon.params().block_count() {
            pool().push(memory);
        }
        result
    }
}

impl std::fmt::Debug for Hasher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hasher").field("computed", &self.computed()).finish_non_exhaustive()
    }
}

impl Hasher {
    /// With this cost, on this many threads. Computes one hash.
    ///
    /// # Panics
    /// The cost is below what argon2 can do; it is the operator's, and read at the start.
    pub fn new(cost: Cost, pool: Pool) -> Self {
        let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, None);
        let params = params.expect("a cost that argon2 can do");
        let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let unknown: [u8; 32] = random_bytes();
        let mut memory = Memory::new();
        let dummy = hash_with(&argon, &BASE64.encode(unknown), &mut memory);
        Self(Arc::new(Inner {
            argon,
            dummy,
            running: Arc::new(Semaphore::new(pool.running_max)),
            admitted: Arc::new(Semaphore::new(pool.running_max + pool.waiting_max)),
            memory: Mutex::new(vec![memory]),
            computed: AtomicU64::new(0),
        }))
    }

    /// The hash of a new password, as a PHC string.
    ///
    /// # Errors
    /// [`AccountError::Busy`].
    pub async fn hash(&self, password: String) -> Result<String, AccountError> {
        self.compute(move |inner, memory| hash_with(&inner.argon, &prepared(&password), memory))
            .await
    }

    /// Whether `password` is the one of `phc`; with `None`, it is not, after the same time.
    ///
    /// # Errors
    /// [`AccountError::Busy`].
    pub async fn verify(
        &self,
        password: String,
        phc: Option<String>,
    ) -> Result<bool, AccountError> {
        Ok(self.look_at(password, phc).await? != Verdict::Wrong)
    }

    /// As [`Self::verify`], and in which form.
    ///
    /// # Errors
    /// [`AccountError::Busy`].
    pub async fn look_at(
        &self,
        password: String,
        phc: Option<String>,
    ) -> Result<Verdict, AccountError> {
        self.compute(move |inner, memory| {
            let is_known = phc.is_some();
            let phc = phc.as_deref().unwrap_or(&inner.dummy);
            let mut is_of = |text: &str| is_hash_of(phc, text, memory) == Some(true) && is_known;
            let prepared = prepared(&password);
            if is_of(&prepared) {
                Verdict::Right
            } else if prepared != password && is_of(&password) {
                Verdict::RightAsTyped
            } else {
                Verdict::Wrong
            }
        })
        .await
    }

    /// Whether a hash was made with another cost than today's.
    pub fn is_outdated(&self, phc: &str) -> bool {
        let Ok(hash) = PasswordHash::new(phc) else { return true };
        let today = self.0.argon.params();
        Params::try_from(&hash).ok().is_none_or(|params| {
            let of = |params: &Params| (params.m_cost(), params.t_cost(), params.p_cost());
            of(&params) != of(today)
        })
    }

    /// How many hashes were computed since the start.
    pub fn computed(&self) -> u64 {
        self.0.computed.load(Ordering::Relaxed)
    }

    async fn compute<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner, &mut Memory) -> T + Send + 'static,
    ) -> Result<T, AccountError> {
        let Ok(admitted) = Arc::clone(&self.0.admitted).try_acquire_owned() else {
            metrics::counter!("sortie_account_hashes_refused_total").increment(1);
            return Err(AccountError::Busy);
        };
        let running = Arc::clone(&self.0.running).acquire_owned().await;
        let running = running.map_err(|_| AccountError::Busy)?;
        let inner = Arc::clone(&self.0);
        let done = tokio::task::spawn_blocking(move || {
            let started = Instant::now();
            let result = inner.with_memory(|memory| work(&inner, memory));
            inner.computed.fetch_add(1, Ordering::Relaxed);
            metrics::histogram!("sortie_account_hash_seconds").record(started.elapsed());
            // Held until here even if the caller has gone: the thread is busy all the same.
            drop((running, admitted));
            result
        });
        done.await.map_err(|_| AccountError::Busy)
    }
}

fn hash_with(argon: &Argon2<'static>, password: &str, memory: &mut Memory) -> String {
    let salt: [u8; 16] = random_bytes();
    let mut output = [0; Params::DEFAULT_OUTPUT_LEN];
    derive(argon, password, &salt, &mut output, memory)
        .expect("16 bytes are a salt, and passwords are bounded");
    let hash = PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(argon.params()).expect("parameters have a text"),
        salt: Some(Salt::new(&salt).expect("16 bytes are a salt")),
        hash: Some(Output::new(&output).expect("32 bytes are a hash")),
    };
    hash.to_string()
}

/// Whether `phc` is the hash of `password`, with the cost that it names; `None` when it is no hash
/// of ours.
fn is_hash_of(phc: &str, password: &str, memory: &mut Memory) -> Option<bool> {
    let hash = PasswordHash::new(phc).ok()?;
    let algorithm = Algorithm::try_from(hash.algorithm.as_str()).ok()?;
    let version = hash.version.map_or(Some(Version::V0x13), |version| version.try_into().ok())?;
    let params = Params::try_from(&hash).ok()?;
    let (salt, expected) = (hash.salt?, hash.hash?);
    let argon = Argon2::new(algorithm, version, params);
    let mut output = [0; Output::MAX_LENGTH];
    let output = output.get_mut(..expected.len())?;
    derive(&argon, password, &salt, output, memory)?;
    // Compares in constant time.
    Some(Output::new(output).ok()? == expected)
}

/// Fills `output`, in `memory`, which grows to what it takes.
fn derive(
    argon: &Argon2<'_>,
    password: &str,
    salt: &[u8],
    output: &mut [u8],
    memory: &mut Memory,
) -> Option<()> {
    let blocks = argon.params().block_count();
    if memory.len() < blocks {
        memory.reserve_exact(blocks - memory.len());
        memory.resize(blocks, Block::default());
    }
    let memory = &mut memory[..blocks];
    argon.hash_password_into_with_memory(password.as_bytes(), salt, output, memory).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHEAP: Cost = Cost { memory_kib: 64, passes: 1, lanes: 1 };

    #[test]
    fn the_default_cost_is_what_we_promise() {
        assert_eq!(Cost::default(), Cost { memory_kib: 19_456, passes: 2, lanes: 1 });
        let hasher = Hasher::new(Cost::default(), Pool::default());
        let phc = hash_with(&hasher.0.argon, "a password", &mut Memory::new());
        assert!(phc.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{phc}");
    }

    #[tokio::test]
    async fn a_hash_knows_its_password_and_no_other() {
        let hasher = Hasher::new(CHEAP, Pool { running_max: 1, waiting_max: 1 });
        let phc = hasher.hash("correct horse".to_owned()).await.unwrap();
        assert!(hasher.verify("correct horse".to_owned(), Some(phc.clone())).await.unwrap());
        assert!(!hasher.verify("wrong horse".to_owned(), Some(phc.clone())).await.unwrap());
        assert!(!hasher.verify("correct horse".to_owned(), None).await.unwrap());
        assert_eq!(hasher.computed(), 4, "nobody's hash is computed like anybody's");
        assert!(!hasher.is_outdated(&phc));
        let dearer = Hasher::new(Cost { passes: 2, ..CHEAP }, Pool::default());
        assert!(dearer.is_outdated(&phc) && dearer.is_outdated("rubbish"));
        assert!(dearer.verify("correct horse".to_owned(), Some(phc)).await.unwrap());
    }

    #[test]
    fn used_memory_and_fresh_memory_give_the_same_hash() {
        let hasher = Hasher::new(CHEAP, Pool { running_max: 1, waiting_max: 1 });
        let argon = &hasher.0.argon;
        let mut used = Memory::new();
        for password in ["one", "another", "a third one"] {
            let [mut here, mut there, mut theirs] = [[0; 32]; 3];
            derive(argon, password, &[7; 16], &mut here, &mut used).unwrap();
            derive(argon, password, &[7; 16], &mut there, &mut Memory::new()).unwrap();
            argon.hash_password_into(password.as_bytes(), &[7; 16], &mut theirs).unwrap();
            assert_eq!((here, there), (theirs, theirs));
        }
    }

    #[tokio::test]
    async fn only_memory_of_todays_size_is_kept() {
        let cost = |memory_kib| Cost { memory_kib, ..CHEAP };
        let pool = Pool { running_max: 2, waiting_max: 1 };
        let (dear, hasher) = (Hasher::new(cost(512), pool), Hasher::new(CHEAP, pool));
        let phc = dear.hash("a password".to_owned()).await.unwrap();
        for _ in 0..3 {
            assert!(hasher.verify("a password".to_owned(), Some(phc.clone())).await.unwrap());
            assert!(!hasher.verify("a password".to_owned(), None).await.unwrap());
        }
        let kept: Vec<usize> = hasher.0.memory.lock().unwrap().iter().map(Vec::len).collect();
        assert_eq!(kept, [64]);
    }

    #[tokio::test]
    async fn a_password_is_the_same_however_it_is_typed() {
        let hasher = Hasher::new(CHEAP, Pool { running_max: 1, waiting_max: 1 });
        let (composed, apart) = ("p\u{e4}ssw\u{f6}rt gut", "pa\u{308}sswo\u{308}rt\u{a0}gut");
        let phc = hasher.hash(apart.to_owned()).await.unwrap();
        for typed in [composed, apart] {
            let verdict = hasher.look_at(typed.to_owned(), Some(phc.clone())).await.unwrap();
            assert_eq!(verdict, Verdict::Right);
        }
        // Compatibility letters are other letters: NFKC would make passwords weaker.
        assert!(!hasher.verify("\u{fb01}sh and chips".to_owned(), Some(phc)).await.unwrap());
        let old = hash_with(&hasher.0.argon, apart, &mut Memory::new());
        let verdict = hasher.look_at(apart.to_owned(), Some(old.clone())).await.unwrap();
        assert_eq!(verdict, Verdict::RightAsTyped);
        assert!(!hasher.verify(composed.to_owned(), Some(old)).await.unwrap());
        let verdict = hasher.look_at(apart.to_owned(), None).await.unwrap();
        assert_eq!(verdict, Verdict::Wrong);
    }

    #[tokio::test]
    async fn more_than_the_queue_holds_are_refused_at_once() {
        let hasher = Hasher::new(CHEAP, Pool { running_max: 1, waiting_max: 2 });
        let busy = Arc::clone(&hasher.0.running).acquire_owned().await.unwrap();
        let mut waiting = tokio::task::JoinSet::new();
        for _ in 0..10 {
            let hasher = hasher.clone();
            waiting.spawn(async move { hasher.hash("a password".to_owned()).await.is_ok() });
        }
        let mut refused = 0;
        while refused < 7 {
            assert!(!waiting.join_next().await.unwrap().unwrap());
            refused += 1;
        }
        drop(busy);
        let hashed = waiting.join_all().await;
        assert_eq!(hashed, [true; 3]);
    }
}
