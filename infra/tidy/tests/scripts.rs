//! Whoever looks at a script of `infra/` for the first time asks it for help, and it must not go
//! to work then; nor when it is told what it does not know.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use sortie_tidy::{assert_none, workspace_root};

/// All that a script has until it knows what it is to do. One that goes to work finds no tool for
/// it, and ends.
const TOOLS: [&str; 4] = ["bash", "sed", "dirname", "realpath"];

/// It hands what it is told to `sortie-control up`, which has to be built first, and refuses it.
const HANDS_ON: &str = "infra/dev/up";

#[test]
fn every_script_answers_for_help_how_it_is_called() {
    let tools = folder_of_tools("help");
    let is_help = |script: &str, output: &Output| {
        let said = String::from_utf8_lossy(&output.stdout).to_lowercase();
        output.status.success()
            && said.contains(&format!("usage: {script}"))
                | said.contains(&format!("usage: programs=$({script})"))
                | said.contains(&format!("usage: eval \"$({script} "))
    };
    assert_none(
        "a script prints its usage for --help, and ends with 0:",
        &wrong(&scripts(), &tools, "--help", is_help),
    );
}

#[test]
fn every_script_refuses_what_it_does_not_know() {
    let tools = folder_of_tools("refusal");
    let is_refusal = |_: &str, output: &Output| {
        let said = String::from_utf8_lossy(&output.stderr).to_lowercase();
        output.status.code() == Some(2) && output.stdout.is_empty() && said.contains("usage: ")
    };
    let mut scripts = scripts();
    scripts.retain(|script| script != HANDS_ON);
    assert_none(
        "a script prints its usage to stderr for an unknown argument, and ends with 2:",
        &wrong(&scripts, &tools, "--no-such-argument", is_refusal),
    );
}

/// The scripts whose answer to `argument` does not hold, each with what it said.
fn wrong(
    scripts: &[String],
    tools: &Path,
    argument: &str,
    holds: impl Fn(&str, &Output) -> bool,
) -> Vec<String> {
    let judge = |script: &String| {
        let path = workspace_root().join(script);
        let mut call = Command::new(path);
        let output = call.arg(argument).env("PATH", tools).output().expect("it can be run");
        (!holds(script, &output)).then(|| format!("{script}: {output:?}"))
    };
    scripts.iter().filter_map(judge).collect()
}

/// Every executable file of `infra` and `infra/dev`, relative to the root.
fn scripts() -> Vec<String> {
    let root = workspace_root();
    let mut found = Vec::new();
    for folder in ["infra", "infra/dev"] {
        for entry in fs::read_dir(root.join(folder)).expect("a readable folder") {
            let entry = entry.expect("a readable entry");
            let about = entry.metadata().expect("a readable entry");
            if about.is_file() && about.permissions().mode() & 0o111 != 0 {
                found.push(format!("{folder}/{}", entry.file_name().display()));
            }
        }
    }
    found.sort();
    assert!(found.contains(&"infra/test".to_owned()) && found.len() > 10, "{found:?}");
    found.retain(|script| has_interpreter(script));
    found
}

/// Whether the program that a script's first line names is on this machine: those in Python are not
/// for everybody.
fn has_interpreter(script: &str) -> bool {
    let text = fs::read_to_string(workspace_root().join(script)).expect("scripts are UTF-8");
    let named = text.strip_prefix("#!").and_then(|line| line.split_whitespace().next());
    let is_there = Path::new(named.expect("a script names its program")).exists();
    if !is_there {
        println!("{script} is passed over: {named:?} is not here");
    }
    is_there
}

/// A folder with [`TOOLS`] and nothing else, of the test of this name.
fn folder_of_tools(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("tools-for-{name}"));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a writable target folder");
    let path = std::env::var_os("PATH").expect("a path");
    for tool in TOOLS {
        let places = std::env::split_paths(&path).map(|folder| folder.join(tool));
        let place = places.into_iter().find(|place| place.is_file()).expect("a usual tool");
        symlink(place, folder.join(tool)).expect("a new link");
    }
    folder
}
