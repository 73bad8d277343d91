//! Where the program of battle servers is: a sibling of this one, unless it was named.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

/// The file name of the program.
const NAME: &str = "sortie";

/// The program of battle servers: `named`, or the one beside this program, or the first in `PATH`.
///
/// # Errors
/// It is nowhere; the message tells where it was looked for.
pub(crate) fn battle_program(named: Option<&Path>) -> anyhow::Result<PathBuf> {
    if let Some(named) = named {
        if !named.is_file() {
            bail!("--battle-program: there is no file {}", named.display());
        }
        return Ok(named.to_owned());
    }
    let own = env::current_exe().context("cannot find out where this program is")?;
    let path = env::var_os("PATH").unwrap_or_default();
    first_of(&candidates(&own, &env::split_paths(&path).collect::<Vec<_>>()))
}

/// Beside `own` first, so that a build tree and an installation each find what belongs to them.
fn candidates(own: &Path, path: &[PathBuf]) -> Vec<PathBuf> {
    let folders = own.parent().into_iter().chain(path.iter().map(PathBuf::as_path));
    folders.map(|folder| folder.join(NAME)).collect()
}

fn first_of(candidates: &[PathBuf]) -> anyhow::Result<PathBuf> {
    if let Some(found) = candidates.iter().find(|candidate| candidate.is_file()) {
        return Ok(found.clone());
    }
    let looked: Vec<String> =
        candidates.iter().map(|candidate| candidate.display().to_string()).collect();
    bail!(
        "battle servers are the program `{NAME}`, which is not there; build it with `cargo build \
         --release`, or name it with --battle-program FILE. Looked for: {}",
        looked.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_sibling_beats_the_path_and_what_is_missing_says_where_it_was_looked_for() {
        let folder = tempfile::tempdir().unwrap();
        let (build, elsewhere) = (folder.path().join("build"), folder.path().join("elsewhere"));
        fs::create_dir(&build).unwrap();
        fs::create_dir(&elsewhere).unwrap();
        let places = candidates(&build.join("sortie-control"), std::slice::from_ref(&elsewhere));
        let error = first_of(&places).unwrap_err().to_string();
        for place in [build.join("sortie"), elsewhere.join("sortie")] {
            assert!(error.contains(place.to_str().unwrap()), "{error}");
        }
        fs::write(elsewhere.join("sortie"), "").unwrap();
        assert_eq!(first_of(&places).unwrap(), elsewhere.join("sortie"));
        fs::write(build.join("sortie"), "").unwrap();
        assert_eq!(first_of(&places).unwrap(), build.join("sortie"));
    }

    #[test]
    fn a_named_program_that_is_not_there_is_refused_by_its_flag() {
        let error = battle_program(Some(Path::new("/nonexistent/sortie"))).unwrap_err();
        let error = error.to_string();
        assert!(error.contains("--battle-program") && error.contains("/nonexistent/"), "{error}");
    }
}
