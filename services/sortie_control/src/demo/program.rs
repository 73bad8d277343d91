//! Where the program of battle servers is: a sibling of this one, unless it was named.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::{env, fs};

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
        if !is_executable(named) {
            bail!("--battle-program: {} is not executable", named.display());
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

/// Whether somebody may start a file.
fn is_executable(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

fn first_of(candidates: &[PathBuf]) -> anyhow::Result<PathBuf> {
    if let Some(found) = candidates.iter().find(|candidate| is_executable(candidate)) {
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
    use super::*;

    fn write(file: &Path, mode: u32) {
        fs::write(file, "").unwrap();
        fs::set_permissions(file, fs::Permissions::from_mode(mode)).unwrap();
    }

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
        write(&build.join("sortie"), 0o644);
        write(&elsewhere.join("sortie"), 0o755);
        assert_eq!(first_of(&places).unwrap(), elsewhere.join("sortie"), "one that can be started");
        write(&build.join("sortie"), 0o755);
        assert_eq!(first_of(&places).unwrap(), build.join("sortie"));
    }

    #[test]
    fn a_named_program_that_is_not_there_is_refused_by_its_flag() {
        let error = battle_program(Some(Path::new("/nonexistent/sortie"))).unwrap_err();
        let error = error.to_string();
        assert!(error.contains("--battle-program") && error.contains("/nonexistent/"), "{error}");
    }

    #[test]
    fn a_named_program_that_cannot_be_started_is_refused_before_anything_is() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("sortie");
        write(&file, 0o644);
        let error = battle_program(Some(&file)).unwrap_err().to_string();
        assert!(error.contains("--battle-program") && error.contains("not executable"), "{error}");
        let error = battle_program(Some(folder.path())).unwrap_err().to_string();
        assert!(error.contains("there is no file"), "{error}");
        write(&file, 0o755);
        assert_eq!(battle_program(Some(&file)).unwrap(), file);
    }
}
