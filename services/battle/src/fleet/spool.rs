//! Results on the disk until somebody has a receipt for them.
//!
//! ```text
//! spool/TIME-ID.result    "SORTIE-R" | length u32 | CRC-32 u32 | protobuf of ReportRequest
//! spool/refused/…         what the control plane will never take, for people to look at
//! spool/torn/…            what a crash or a bad disk left of a file
//! ```
//! A file gets its name only when it is whole and synced, and the name holds when the folder is
//! synced. TIME is when the battle began: putting a result again replaces it by itself.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use prost::Message;
use sortie_rpc::ranking::v1::ReportRequest;

use crate::failpoint::{Failpoint, Failpoints};
use crate::store::sync_dir;

const MAGIC: [u8; 8] = *b"SORTIE-R";
const HEAD_BYTES: usize = 16;
/// No result is larger: nothing is read into memory that is.
const RESULT_BYTES_MAX: u64 = 4 << 20;

/// How much may wait. The spool does not lose results to stay below it: a server whose spool is
/// full begins no new battles.
#[derive(Clone, Copy, Debug)]
pub struct SpoolQuota {
    /// Results that may wait at a time.
    pub results_max: usize,
    /// Bytes of all that wait.
    pub bytes_max: u64,
}

impl Default for SpoolQuota {
    /// 1,000 results and 64 MiB: days of battles.
    fn default() -> Self {
        Self { results_max: 1_000, bytes_max: 64 << 20 }
    }
}

/// The folder of results.
#[derive(Clone, Debug)]
pub struct Spool {
    dir: PathBuf,
    quota: SpoolQuota,
    failpoints: Failpoints,
}

/// A result that waits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Waiting {
    name: String,
    bytes: u64,
}

impl Spool {
    /// Opens the folder, making it if need be. What crashes left half-written is removed.
    ///
    /// # Errors
    /// Of the disk.
    pub fn open(dir: &Path, quota: SpoolQuota, failpoints: Failpoints) -> io::Result<Self> {
        metrics::describe_gauge!("sortie_spool_results", "Battle results that wait to be reported");
        metrics::describe_counter!("sortie_spool_set_aside_total", "Results refused or torn");
        for folder in ["refused", "torn"] {
            fs::create_dir_all(dir.join(folder))?;
        }
        for entry in fs::read_dir(dir)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "new") {
                fs::remove_file(path)?;
            }
        }
        let spool = Self { dir: dir.to_owned(), quota, failpoints };
        spool.list()?;
        Ok(spool)
    }

    /// Keeps a result of a battle that began at `began_ms`, milliseconds since 1970. When this
    /// returns, no crash can lose it.
    ///
    /// # Errors
    /// Of the disk; then it is not kept.
    pub fn put(&self, began_ms: u64, battle_id: u128, result: &ReportRequest) -> io::Result<()> {
        let path = self.dir.join(name_of(began_ms, battle_id));
        let temporary = path.with_extension("new");
        let content = result.encode_to_vec();
        let mut file = File::create(&temporary)?;
        file.write_all(&MAGIC)?;
        file.write_all(&(content.len() as u32).to_le_bytes())?;
        file.write_all(&crc32fast::hash(&content).to_le_bytes())?;
        file.write_all(&content)?;
        self.failpoints.pass(Failpoint::SpoolWritten)?;
        file.sync_all()?;
        self.failpoints.pass(Failpoint::SpoolSynced)?;
        fs::rename(&temporary, &path)?;
        self.failpoints.pass(Failpoint::SpoolRenamed)?;
        sync_dir(&self.dir)?;
        if let Some(why) = self.why_full()? {
            tracing::warn!(why, "the spool of battle results is full: no new battles are begun");
        }
        Ok(())
    }

    /// What waits, oldest battle first.
    ///
    /// # Errors
    /// Of the disk.
    pub fn list(&self) -> io::Result<Vec<Waiting>> {
        let mut waiting = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            let name = entry.file_name().into_string().unwrap_or_default();
            if name.ends_with(".result") {
                waiting.push(Waiting { name, bytes: entry.metadata()?.len() });
            }
        }
        waiting.sort_unstable();
        metrics::gauge!("sortie_spool_results").set(waiting.len() as f64);
        Ok(waiting)
    }

    /// Whether a result of this battle waits.
    ///
    /// # Errors
    /// Of the disk.
    pub fn holds(&self, battle_id: u128) -> io::Result<bool> {
        let end = format!("-{battle_id:032x}.result");
        Ok(self.list()?.iter().any(|waiting| waiting.name.ends_with(&end)))
    }

    /// Why there is no room for another battle's result; `None`: there is.
    ///
    /// # Errors
    /// Of the disk.
    pub fn why_full(&self) -> io::Result<Option<String>> {
        let waiting = self.list()?;
        let (count, bytes) = (waiting.len(), waiting.iter().map(|one| one.bytes).sum::<u64>());
        let is_full = count >= self.quota.results_max || bytes >= self.quota.bytes_max;
        Ok(is_full.then(|| format!("{count} results of {bytes} bytes wait to be reported")))
    }

    /// Reads a result; `None` when it is torn, and then it is set aside.
    ///
    /// # Errors
    /// Of the disk.
    pub fn read(&self, waiting: &Waiting) -> io::Result<Option<ReportRequest>> {
        let content = match waiting.bytes {
            0..=RESULT_BYTES_MAX => fs::read(self.dir.join(&waiting.name))?,
            _ => Vec::new(),
        };
        let result = parse(&content);
        if result.is_none() {
            tracing::warn!(file = waiting.name, "a battle result is torn; it is set aside");
            self.set_aside(waiting, "torn")?;
        }
        Ok(result)
    }

    /// Somebody has a receipt for it.
    ///
    /// # Errors
    /// Of the disk.
    pub fn remove(&self, waiting: &Waiting) -> io::Result<()> {
        self.failpoints.pass(Failpoint::SpoolReported)?;
        fs::remove_file(self.dir.join(&waiting.name))?;
        sync_dir(&self.dir)
    }

    /// It will never be taken.
    ///
    /// # Errors
    /// Of the disk.
    pub fn refuse(&self, waiting: &Waiting, why: &str) -> io::Result<()> {
        tracing::error!(
            file = waiting.name,
            why,
            "the control plane refuses a battle result; it is kept in spool/refused"
        );
        self.set_aside(waiting, "refused")
    }

    fn set_aside(&self, waiting: &Waiting, folder: &str) -> io::Result<()> {
        metrics::counter!("sortie_spool_set_aside_total", "why" => folder.to_owned()).increment(1);
        let folder = self.dir.join(folder);
        fs::rename(self.dir.join(&waiting.name), folder.join(&waiting.name))?;
        sync_dir(&folder)?;
        sync_dir(&self.dir)?;
        self.thin_out(&folder)
    }

    /// What was set aside is bounded as well: the oldest go.
    fn thin_out(&self, folder: &Path) -> io::Result<()> {
        let mut names = Vec::new();
        for entry in fs::read_dir(folder)? {
            names.push(entry?.path());
        }
        names.sort_unstable();
        let surplus = names.len().saturating_sub(self.quota.results_max);
        for path in names.drain(..surplus) {
            tracing::warn!(file = %path.display(), "too many results are set aside; one goes");
            fs::remove_file(path)?;
        }
        Ok(())
    }
}

fn name_of(began_ms: u64, battle_id: u128) -> String {
    format!("{began_ms:013}-{battle_id:032x}.result")
}

fn parse(bytes: &[u8]) -> Option<ReportRequest> {
    let (head, content) = bytes.split_at_checked(HEAD_BYTES)?;
    let length = u32::from_le_bytes(head[8..12].try_into().ok()?);
    let crc = u32::from_le_bytes(head[12..16].try_into().ok()?);
    let is_whole =
        head[..8] == MAGIC && length as usize == content.len() && crc == crc32fast::hash(content);
    is_whole.then(|| ReportRequest::decode(content).ok())?
}

#[cfg(test)]
mod tests {
    use tempfile::tempdir;

    use super::*;
    use crate::failpoint::Fault;

    fn result(number: u32) -> ReportRequest {
        ReportRequest { battle_id: format!("battle {number}"), ..ReportRequest::default() }
    }

    fn open(dir: &Path) -> Spool {
        Spool::open(dir, SpoolQuota::default(), Failpoints::none()).unwrap()
    }

    #[test]
    fn results_come_back_oldest_first_and_once() {
        let dir = tempdir().unwrap();
        let spool = open(dir.path());
        for (began_ms, number) in [(3_000, 3), (1_000, 1), (2_000, 2), (1_000, 1)] {
            spool.put(began_ms, number.into(), &result(number)).unwrap();
        }
        let spool = open(dir.path());
        let waiting = spool.list().unwrap();
        let read = |one| spool.read(one).unwrap().unwrap().battle_id;
        let found: Vec<String> = waiting.iter().map(read).collect();
        assert_eq!(found, ["battle 1", "battle 2", "battle 3"]);
        assert!(spool.holds(2).unwrap() && !spool.holds(4).unwrap());
        spool.remove(&waiting[0]).unwrap();
        spool.refuse(&waiting[1], "another's").unwrap();
        assert_eq!(spool.list().unwrap(), waiting[2..]);
        assert_eq!(fs::read_dir(dir.path().join("refused")).unwrap().count(), 1);
    }

    #[test]
    fn every_crash_while_putting_leaves_all_or_nothing() {
        let points = [Failpoint::SpoolWritten, Failpoint::SpoolSynced, Failpoint::SpoolRenamed];
        for (at, point) in points.into_iter().enumerate() {
            let dir = tempdir().unwrap();
            let failpoints = Failpoints::at(point, 2, Fault::Freeze);
            let spool = Spool::open(dir.path(), SpoolQuota::default(), failpoints).unwrap();
            spool.put(1, 1, &result(1)).unwrap();
            spool.put(2, 2, &result(2)).unwrap_err();
            let spool = open(dir.path());
            let waiting = spool.list().unwrap();
            assert_eq!(waiting.len(), if at == 2 { 2 } else { 1 }, "{point:?}");
            assert!(waiting.iter().all(|one| spool.read(one).unwrap().is_some()));
            spool.put(2, 2, &result(2)).unwrap();
            assert_eq!(spool.list().unwrap().len(), 2);
        }
    }

    #[test]
    fn a_torn_result_is_set_aside() {
        let dir = tempdir().unwrap();
        let spool = open(dir.path());
        spool.put(1, 1, &result(1)).unwrap();
        let path = dir.path().join(name_of(1, 1));
        let whole = fs::read(&path).unwrap();
        for cut in 0..whole.len() {
            fs::write(&path, &whole[..cut]).unwrap();
            let waiting = spool.list().unwrap();
            assert_eq!(spool.read(&waiting[0]).unwrap(), None, "cut at {cut}");
        }
        let mut changed = whole.clone();
        *changed.last_mut().unwrap() ^= 1;
        fs::write(&path, &changed).unwrap();
        assert_eq!(spool.read(&spool.list().unwrap()[0]).unwrap(), None);
        assert!(spool.list().unwrap().is_empty());
        assert_eq!(fs::read_dir(dir.path().join("torn")).unwrap().count(), 1);
    }

    #[test]
    fn a_full_spool_says_so_and_what_is_set_aside_is_bounded() {
        let dir = tempdir().unwrap();
        let quota = SpoolQuota { results_max: 2, bytes_max: 1 << 20 };
        let spool = Spool::open(dir.path(), quota, Failpoints::none()).unwrap();
        spool.put(1, 1, &result(1)).unwrap();
        assert_eq!(spool.why_full().unwrap(), None);
        spool.put(2, 2, &result(2)).unwrap();
        assert!(spool.why_full().unwrap().unwrap().starts_with("2 results"));
        // A battle that was running when it became full is kept all the same.
        spool.put(3, 3, &result(3)).unwrap();
        for waiting in spool.list().unwrap() {
            spool.refuse(&waiting, "no").unwrap();
        }
        assert_eq!(fs::read_dir(dir.path().join("refused")).unwrap().count(), 2);
        assert_eq!(spool.why_full().unwrap(), None);
    }
}
