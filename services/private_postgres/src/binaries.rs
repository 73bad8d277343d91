//! Postgres's programs on this machine.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;

/// Oldest major version of Postgres that will do.
const VERSION_MIN: u32 = 15;

/// A folder with `initdb` and `postgres`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Binaries {
    version: u32,
    /// The folder.
    pub folder: PathBuf,
}

impl Binaries {
    /// The newest ones on this machine, or those of the version that made the cluster.
    ///
    /// # Errors
    /// There are none; the message says which package has them.
    pub(super) fn find(made_by: Option<u32>) -> anyhow::Result<Self> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let packaged = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
        let folders =
            std::env::split_paths(&path).chain(packaged.map(|version| version.path().join("bin")));
        let all: Vec<Self> = folders.filter_map(Self::at).collect();
        choose(all, made_by)
    }

    fn at(folder: PathBuf) -> Option<Self> {
        if !folder.join("initdb").is_file() {
            return None;
        }
        let told = Command::new(folder.join("postgres")).arg("--version").output().ok()?;
        // Like "postgres (PostgreSQL) 15.18 (Debian 15.18-0)".
        let told = String::from_utf8_lossy(&told.stdout);
        let (_, version) = told.split_once("(PostgreSQL) ")?;
        let digits = version.find(|c: char| !c.is_ascii_digit()).unwrap_or(version.len());
        Some(Self { version: version[..digits].parse().ok()?, folder })
    }
}

fn choose(mut all: Vec<Binaries>, made_by: Option<u32>) -> anyhow::Result<Binaries> {
    all.retain(|found| found.version >= VERSION_MIN);
    all.retain(|found| made_by.is_none_or(|version| found.version == version));
    all.into_iter().max().with_context(|| match made_by {
        Some(version) => format!(
            "the data directory was made by Postgres {version}, which is not on this machine; \
             install the package 'postgresql-{version}', or choose another data directory"
        ),
        None => format!(
            "Postgres {VERSION_MIN} or later is not on this machine; install the package \
             'postgresql' (Debian, Ubuntu: apt-get install postgresql), or give --database-url"
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_binaries_are_named_by_their_package() {
        let old = Binaries { version: 14, folder: "/opt/14".into() };
        let error = choose(vec![old.clone()], None).unwrap_err().to_string();
        assert!(error.contains("apt-get install postgresql"), "{error}");
        let new = |version| Binaries { version, folder: "/opt".into() };
        assert_eq!(choose(vec![new(15), old, new(17)], None).unwrap().version, 17);
        assert_eq!(choose(vec![new(15), new(17)], Some(15)).unwrap().version, 15);
        let error = choose(vec![new(17)], Some(16)).unwrap_err().to_string();
        assert!(error.contains("postgresql-16"), "{error}");
    }
}
