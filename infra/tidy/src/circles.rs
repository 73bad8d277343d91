//! No circles: where two files or folders lie in one folder, and the one uses the other, the other
//! does not use the one, neither by itself nor through their neighbours.
//!
//! A module and the module that declares it count as one thing seen from inside and outside, so
//! arrows between them are not looked at. Nor are re-exports, and what is there for tests.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::SourceFile;

/// A module's path within its crate; the root's is empty.
type Path = Vec<String>;

/// Who uses whom among the modules of one parent, and where it says so, as `path:line`.
type Arrows = BTreeMap<String, BTreeMap<String, String>>;

/// Every circle: for each module that lies on one, the shortest through it, named once.
pub fn findings(sources: &[SourceFile]) -> Vec<String> {
    let tests: BTreeSet<String> = sources.iter().flat_map(SourceFile::test_modules).collect();
    let mut crates = BTreeMap::<&str, Vec<(Path, &SourceFile)>>::new();
    for file in sources.iter().filter(|file| !tests.contains(&file.path)) {
        if let Some((folder, module)) = home(&file.path) {
            crates.entry(folder).or_default().push((module, file));
        }
    }
    let circles = |(folder, modules): (&&str, &Vec<_>)| {
        let levels = levels(modules).into_iter();
        let named = levels.flat_map(|(parent, arrows)| circles(&parent.join("::"), &arrows));
        named.map(|circle| format!("{folder}: {circle}")).collect::<Vec<_>>()
    };
    crates.iter().flat_map(circles).collect()
}

/// The folder of the crate that a file belongs to, and its module path there. `None`: it is part
/// of no library or program, or begins a program beside a library.
fn home(path: &str) -> Option<(&str, Path)> {
    let (folder, rest) = path.split_once("/src/")?;
    let rest = rest.strip_suffix(".rs")?;
    if rest.starts_with("bin/") {
        return None;
    }
    let mut module: Path = rest.split('/').map(str::to_owned).collect();
    if matches!(module.last().map(String::as_str), Some("mod" | "lib" | "main")) {
        module.pop();
    }
    Some((folder, module))
}

/// Of each module that has modules: who of these uses whom.
fn levels(modules: &[(Path, &SourceFile)]) -> BTreeMap<Path, Arrows> {
    let known: BTreeSet<&Path> = modules.iter().map(|(module, _)| module).collect();
    let mut levels = BTreeMap::<Path, Arrows>::new();
    for (module, file) in modules {
        for (used, line) in used(file, module) {
            let Some(used) = (0..=used.len())
                .rev()
                .map(|end| used[..end].to_vec())
                .find(|used| known.contains(used))
            else {
                continue;
            };
            let shared = module.iter().zip(&used).take_while(|(one, other)| one == other).count();
            if let (Some(from), Some(to)) = (module.get(shared), used.get(shared)) {
                let level = levels.entry(module[..shared].to_vec()).or_default();
                let place = format!("{}:{line}", file.path);
                level.entry(from.clone()).or_default().entry(to.clone()).or_insert(place);
            }
        }
    }
    levels
}

/// All paths into its own crate that the file's code names, from the crate's root, with lines
/// from 1.
fn used(file: &SourceFile, module: &[String]) -> Vec<(Path, usize)> {
    let tokens = tokens(file);
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let (line, token) = (tokens[at].0, tokens[at].1.as_str());
        if token == "use" {
            let end = at + tokens[at..].iter().position(|(_, token)| token == ";").unwrap_or(0);
            if !is_public(&tokens[..at]) {
                expand(&tokens[at + 1..end.max(at + 1)], &[], &mut found);
            }
            at = end.max(at + 1);
        } else if matches!(token, "crate" | "super" | "self") && named(&tokens, at + 1, "::") {
            let mut path = vec![token.to_owned()];
            while named(&tokens, at + 1, "::") && tokens.get(at + 2).is_some_and(is_word) {
                path.push(tokens[at + 2].1.clone());
                at += 2;
            }
            found.push((path, line));
            at += 1;
        } else {
            at += 1;
        }
    }
    let absolute = |(path, line): (Path, usize)| Some((from_root(&path, module)?, line));
    found.into_iter().filter_map(absolute).collect()
}

/// `path` as it reads in `module`, from the crate's root; `None` if it leads out of the crate.
fn from_root(path: &[String], module: &[String]) -> Option<Path> {
    let mut here = module.to_vec();
    let mut rest = path;
    match path.first()?.as_str() {
        "crate" => (here, rest) = (Vec::new(), &path[1..]),
        "self" => rest = &path[1..],
        "super" => {}
        _ => return None,
    }
    while rest.first().is_some_and(|part| part == "super") {
        here.pop();
        rest = &rest[1..];
    }
    here.extend(rest.iter().cloned());
    Some(here)
}

/// Every path of a tree of imports, each behind `before`.
fn expand(tree: &[(usize, String)], before: &[String], found: &mut Vec<(Path, usize)>) {
    let mut path = before.to_vec();
    for (at, (line, token)) in tree.iter().enumerate() {
        match token.as_str() {
            "::" => {}
            "{" => {
                for branch in branches(&tree[at + 1..]) {
                    expand(branch, &path, found);
                }
                return;
            }
            "as" => break,
            _ => path.push(token.clone()),
        }
        if at + 1 == tree.len() {
            found.push((path, *line));
            return;
        }
    }
    if let Some((line, _)) = tree.first() {
        found.push((path, *line));
    }
}

/// What stands between the commas of the braces that `tree` is behind the opening one of.
fn branches(tree: &[(usize, String)]) -> Vec<&[(usize, String)]> {
    let (mut depth, mut begin, mut branches) = (0, 0, Vec::new());
    for (at, (_, token)) in tree.iter().enumerate() {
        match token.as_str() {
            "{" => depth += 1,
            "}" if depth > 0 => depth -= 1,
            "," | "}" if depth == 0 => {
                branches.push(&tree[begin..at]);
                begin = at + 1;
                if token == "}" {
                    break;
                }
            }
            _ => {}
        }
    }
    branches.retain(|branch| !branch.is_empty());
    branches
}

/// Whether what follows `before` is `pub`, to whomever.
fn is_public(before: &[(usize, String)]) -> bool {
    let end =
        before.iter().rposition(|(_, token)| token != ")" && token != "(" && !is_scope(token));
    end.is_some_and(|end| before[end].1 == "pub")
}

/// What may stand in the parentheses of `pub(…)`.
fn is_scope(token: &str) -> bool {
    matches!(token, "crate" | "super" | "self" | "in")
}

fn named(tokens: &[(usize, String)], at: usize, what: &str) -> bool {
    tokens.get(at).is_some_and(|(_, token)| token == what)
}

fn is_word((_, token): &(usize, String)) -> bool {
    token.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

/// Words, `::` and single other characters of the code that ships, with lines from 1.
fn tokens(file: &SourceFile) -> Vec<(usize, String)> {
    let mut tokens = Vec::<(usize, String)>::new();
    for (at, line) in file.lines.iter().enumerate().filter(|(_, line)| !line.in_test) {
        let mut word = String::new();
        let mut last = ' ';
        for c in line.code.chars().chain([' ']) {
            if c.is_alphanumeric() || c == '_' {
                word.push(c);
            } else {
                if !word.is_empty() {
                    tokens.push((at + 1, std::mem::take(&mut word)));
                }
                if c == ':' && last == ':' {
                    tokens.pop();
                    tokens.push((at + 1, "::".to_owned()));
                } else if !c.is_whitespace() {
                    tokens.push((at + 1, c.to_string()));
                }
            }
            last = if c == ':' && last == ':' { ' ' } else { c };
        }
    }
    tokens
}

/// The circles among the modules of one parent: `a -> b -> a`, and where each arrow is.
fn circles(parent: &str, arrows: &Arrows) -> Vec<String> {
    let mut named = BTreeSet::new();
    let mut findings = Vec::new();
    for start in arrows.keys() {
        if named.contains(start) {
            continue;
        }
        if let Some(circle) = shortest(start, arrows) {
            named.extend(circle.iter().cloned());
            let arrow = |pair: &[String]| arrows[&pair[0]][&pair[1]].clone();
            let places: Vec<_> = circle.windows(2).map(arrow).collect();
            let within = if parent.is_empty() { String::new() } else { format!("{parent}: ") };
            findings.push(format!("{within}{} ({})", circle.join(" -> "), places.join(", ")));
        }
    }
    findings
}

/// The shortest way from `start` back to it.
fn shortest(start: &str, arrows: &Arrows) -> Option<Vec<String>> {
    let mut came_from = BTreeMap::<&str, &str>::new();
    let mut open = VecDeque::from([start]);
    while let Some(here) = open.pop_front() {
        for next in arrows.get(here).into_iter().flatten().map(|(next, _)| next.as_str()) {
            if next == start {
                let mut circle = vec![start.to_owned()];
                let mut back = here;
                while back != start {
                    circle.push(back.to_owned());
                    back = came_from[back];
                }
                circle.push(start.to_owned());
                circle.reverse();
                return Some(circle);
            }
            if !came_from.contains_key(next) {
                came_from.insert(next, here);
                open.push_back(next);
            }
        }
    }
    None
}
