//! Guards layering and style. Everything that matters here is in `tests/`; this crate holds only
//! what its tests share: the workspace's root, its Rust sources, and a reader that tells code
//! from comments and strings.
//!
//! Each rule states its reason in its failure message, so that whoever trips over it learns why.

pub mod circles;
pub mod modes;
pub mod names;
mod source;
pub mod sql;
pub mod states;
pub mod tables;

pub use source::{Line, Literal, SourceFile};

use std::path::{Path, PathBuf};
use std::process::Command;

/// The workspace's root folder.
pub fn workspace_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the root exists")
}

/// Every Rust source of the workspace that somebody wrote, in path order.
pub fn rust_sources() -> Vec<SourceFile> {
    sources_below(&workspace_root())
}

/// Every Rust source that a program made and that is kept with the others, in path order.
pub fn generated_sources() -> Vec<SourceFile> {
    sources_below(&workspace_root().join("proto/rpc/src/generated"))
}

fn sources_below(folder: &Path) -> Vec<SourceFile> {
    let root = workspace_root();
    let mut paths = Vec::new();
    collect(folder, &mut |path| {
        if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path.to_path_buf());
        }
    });
    paths.sort();
    paths.iter().map(|path| SourceFile::read(&root, path)).collect()
}

/// All migrations, one after the other.
pub fn migrations() -> String {
    let folder = workspace_root().join("migrations");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("a readable folder")
        .map(|entry| entry.expect("a readable entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "sql"))
        .collect();
    paths.sort();
    let read = |path: &PathBuf| std::fs::read_to_string(path).expect("migrations are UTF-8");
    paths.iter().map(read).collect()
}

/// Every Markdown document of the workspace, in path order, relative to the root.
pub fn documents() -> Vec<PathBuf> {
    let root = workspace_root();
    let mut paths = Vec::new();
    collect(&root, &mut |path| {
        if path.extension().is_some_and(|extension| extension == "md") {
            paths.push(path.strip_prefix(&root).expect("inside the root").to_path_buf());
        }
    });
    paths.sort();
    paths
}

/// Visits every file below `folder`, leaving out what programs made: build output, generated code,
/// data; and hidden folders.
fn collect(folder: &Path, visit: &mut impl FnMut(&Path)) {
    let entries = std::fs::read_dir(folder).expect("a readable folder");
    for entry in entries {
        let path = entry.expect("a readable entry").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with('.') || ["target", "generated", "sortie-data"].contains(&&*name) {
            continue;
        }
        if path.is_dir() {
            collect(&path, visit);
        } else {
            visit(&path);
        }
    }
}

/// What cargo prints, called in the workspace's root.
///
/// # Panics
/// Cargo fails; its complaint is the message.
pub fn cargo(arguments: &[&str]) -> String {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let command = Command::new(cargo).args(arguments).current_dir(workspace_root()).output();
    let output = command.expect("cargo starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("cargo prints UTF-8")
}

/// Fails with all findings at once, one a line, below the rule they break.
pub fn assert_none(rule: &str, findings: &[String]) {
    assert!(findings.is_empty(), "{rule}\n  {}", findings.join("\n  "));
}
