//! Documents and code must not part: every relative link of a document leads to a file, and to a
//! heading where it names one.

use sortie_tidy::{assert_none, documents, workspace_root};

#[test]
fn relative_links_lead_somewhere() {
    let root = workspace_root();
    let mut findings = Vec::new();
    for document in documents() {
        let text = std::fs::read_to_string(root.join(&document)).expect("documents are UTF-8");
        let folder = root.join(&document).parent().expect("a folder").to_path_buf();
        for target in links(&text) {
            let (path, heading) = target.split_once('#').unwrap_or((target, ""));
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let file = folder.join(path);
            let is_there = match (path, heading) {
                (_, "") => file.exists(),
                ("", heading) => has_heading(&text, heading),
                (_, heading) => std::fs::read_to_string(&file)
                    .is_ok_and(|text| !path.ends_with(".md") || has_heading(&text, heading)),
            };
            if !is_there {
                findings.push(format!("{}: {target}", document.display()));
            }
        }
    }
    assert_none("links to files or headings that do not exist:", &findings);
}

/// Whether a document has the heading that GitHub calls so: in lower case, dashes for blanks, and
/// no other signs.
fn has_heading(text: &str, anchor: &str) -> bool {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let name = |heading: &str| -> String {
        let heading = heading.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
        heading.chars().filter(|c| c.is_alphanumeric() || "-_".contains(*c)).collect()
    };
    headings.map(name).any(|name| name == anchor)
}

/// The map of the code names files and folders in backticks; none may be gone.
#[test]
fn the_map_of_the_code_names_what_is_there() {
    let root = workspace_root();
    let text = std::fs::read_to_string(root.join("docs/architecture.md")).expect("it is there");
    let tops = ["sim/", "net/", "services/", "proto/", "bench/", "infra/", "docs/", "migrations/"];
    let named = text.split('`').skip(1).step_by(2).filter(|name| {
        tops.iter().any(|top| name.starts_with(top)) && !name.contains(char::is_whitespace)
    });
    let gone: Vec<String> =
        named.filter(|name| !root.join(name).exists()).map(str::to_owned).collect();
    assert_none("docs/architecture.md names what does not exist:", &gone);
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
fn headings_have_the_names_that_links_use() {
    let text = "# One\n## What it does *not* keep\n### `a_b`, and c\n";
    for anchor in ["one", "what-it-does-not-keep", "a_b-and-c"] {
        assert!(has_heading(text, anchor), "{anchor}");
    }
    assert!(!has_heading(text, "two"));
}

#[test]
fn links_are_found_outside_of_code() {
    let text = "see [a](b.md) and [c](d.md#e)\n```\n[x](y)\n```\n";
    assert_eq!(links(text), ["b.md", "d.md#e"]);
}
