//! Guards layering and style. Everything that matters here is in `tests/`; this crate holds only
//! what its tests share: the workspace's root, its Rust sources, and a reader that tells code
//! from comments and strings.
//!
//! Each rule states its reason in its failure message, so that whoever trips over it learns why.

mod source;
pub mod sql;
pub mod states;
pub mod tables;

pub use source::{Line, Literal, SourceFile};

use std::path::{Path, PathBuf};

/// The workspace's root folder.
pub fn workspace_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the root exists")
}

/// Every Rust source of the workspace that somebody wrote, in path order.
pub fn rust_sources() -> Vec<SourceFile> {
    let root = workspace_root();
    let mut paths = Vec::new();
    collect(&root, &mut |path| {
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

/// Fails with all findings at once, one a line, below the rule they break.
pub fn assert_none(rule: &str, findings: &[String]) {
    assert!(findings.is_empty(), "{rule}\n  {}", findings.join("\n  "));
}
