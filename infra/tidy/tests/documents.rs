//! Documents and code must not part: every relative link of a document leads to a file.

use sortie_tidy::{assert_none, documents, workspace_root};

#[test]
fn relative_links_lead_somewhere() {
    let root = workspace_root();
    let mut findings = Vec::new();
    for document in documents() {
        let text = std::fs::read_to_string(root.join(&document)).expect("documents are UTF-8");
        let folder = root.join(&document).parent().expect("a folder").to_path_buf();
        for target in links(&text) {
            let path = target.split('#').next().unwrap_or_default();
            let outside = target.contains("://") || target.starts_with("mailto:");
            if !outside && !path.is_empty() && !folder.join(path).exists() {
                findings.push(format!("{}: {target}", document.display()));
            }
        }
    }
    assert_none("links to files that do not exist:", &findings);
}

/// The targets of `[text](target)` outside of code blocks.
fn links(text: &str) -> Vec<&str> {
    let mut fenced = false;
    let mut found = Vec::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if !fenced {
            let targets = line.split("](").skip(1).filter_map(|rest| rest.split(')').next());
            found.extend(targets);
        }
    }
    found
}

#[test]
fn links_are_found_outside_of_code() {
    let text = "see [a](b.md) and [c](d.md#e)\n```\n[x](y)\n```\n";
    assert_eq!(links(text), ["b.md", "d.md#e"]);
}
