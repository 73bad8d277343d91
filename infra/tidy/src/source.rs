//! One source file as lines with their code apart from comments and string contents.
//!
//! This is no parser: it follows block comments, line comments, strings, raw strings and
//! character literals, which is all the rules need.

use std::path::{Path, PathBuf};

/// A Rust source file.
pub struct SourceFile {
    /// Path relative to the workspace's root, with `/`.
    pub path: String,
    /// Its lines in order; index 0 is line 1.
    pub lines: Vec<Line>,
    /// Its strings, raw ones too, in order.
    pub strings: Vec<Literal>,
}

/// A string of a source file.
pub struct Literal {
    /// Index of the line that it begins on.
    pub line: usize,
    /// What is in it; an escaped character other than a quote or backslash is a space.
    pub text: String,
}

/// One line of a source file.
pub struct Line {
    /// As written.
    pub text: String,
    /// Without comments, and with the contents of strings left out.
    pub code: String,
    /// At or below the file's `#[cfg(test)]`, or in a file under `tests/` or `benches/`, or in a
    /// test for the code of an old commit.
    pub in_test: bool,
}

/// What the reader is inside of at the end of a character.
#[derive(Clone, Copy, PartialEq)]
enum Inside {
    Code,
    /// A block comment, with its depth.
    Block(u32),
    Str,
    /// A raw string that ends with `"` and this many `#`.
    Raw(usize),
}

impl SourceFile {
    pub(crate) fn read(root: &Path, path: &PathBuf) -> Self {
        let text = std::fs::read_to_string(path).expect("sources are UTF-8");
        let relative = path.strip_prefix(root).expect("inside the root");
        Self::parse(&relative.to_string_lossy().replace('\\', "/"), &text)
    }

    /// Splits `text`; `path` decides whether all of it is test code.
    pub fn parse(path: &str, text: &str) -> Self {
        let mut inside = Inside::Code;
        let homes = ["/tests/", "/benches/", "/failed-before.d/"];
        let mut in_test = homes.iter().any(|home| path.contains(home));
        let (mut lines, mut strings) = (Vec::<Line>::new(), Vec::new());
        for (at, text) in text.lines().enumerate() {
            let code = strip(text, &mut inside, at, &mut strings);
            in_test |= code.contains("#[cfg(test)]");
            // What was in a test for its sake alone: a declaration, not a module's beginning.
            let declared = code.trim_end().ends_with(';')
                && lines.last().is_some_and(|above| above.code.trim() == "#[cfg(test)]");
            lines.push(Line { text: text.to_owned(), code, in_test });
            in_test &= !declared || homes.iter().any(|home| path.contains(home));
        }
        Self { path: path.to_owned(), lines, strings }
    }

    /// Paths where a module may lie that this file declares for tests alone.
    pub fn test_modules(&self) -> Vec<String> {
        let path = self.path.trim_end_matches(".rs");
        let folder = ["/mod", "/lib", "/main"].iter().find_map(|end| path.strip_suffix(end));
        let folder = folder.unwrap_or(path);
        let pairs = self.lines.windows(2).filter(|pair| pair[0].code.trim() == "#[cfg(test)]");
        let names = pairs.filter_map(|pair| pair[1].code.trim().strip_suffix(';'));
        let names = names.filter_map(|code| code.strip_prefix("mod "));
        names
            .flat_map(|name| [format!("{folder}/{name}.rs"), format!("{folder}/{name}/mod.rs")])
            .collect()
    }

    /// `path:line: text` of every line for which `broken` holds.
    pub fn findings(&self, mut broken: impl FnMut(&Line) -> bool) -> Vec<String> {
        let numbered = self.lines.iter().enumerate().filter(|(_, line)| broken(line));
        numbered
            .map(|(at, line)| format!("{}:{}: {}", self.path, at + 1, line.text.trim()))
            .collect()
    }
}

/// The code of one line, the `line`th; `inside` carries over what is open at its end. The
/// contents of strings are added to `strings`.
fn strip(text: &str, inside: &mut Inside, line: usize, strings: &mut Vec<Literal>) -> String {
    let keep = |strings: &mut Vec<Literal>, c: char| {
        if let Some(open) = strings.last_mut() {
            open.text.push(c);
        }
    };
    let begin = |strings: &mut Vec<Literal>| strings.push(Literal { line, text: String::new() });
    let chars: Vec<char> = text.chars().collect();
    let at = |index: usize| chars.get(index).copied().unwrap_or('\0');
    let mut code = String::with_capacity(text.len());
    let mut index = 0;
    while index < chars.len() {
        let (here, next) = (at(index), at(index + 1));
        match *inside {
            Inside::Block(depth) => match (here, next) {
                ('*', '/') => {
                    *inside = if depth == 1 { Inside::Code } else { Inside::Block(depth - 1) };
                    index += 1;
                }
                ('/', '*') => {
                    *inside = Inside::Block(depth + 1);
                    index += 1;
                }
                _ => {}
            },
            Inside::Str => match here {
                '\\' => {
                    keep(strings, if matches!(next, '"' | '\\') { next } else { ' ' });
                    index += 1;
                }
                '"' => {
                    *inside = Inside::Code;
                    code.push('"');
                }
                _ => keep(strings, here),
            },
            Inside::Raw(hashes) => {
                let closes = here == '"' && (1..=hashes).all(|step| at(index + step) == '#');
                if closes {
                    *inside = Inside::Code;
                    code.push('"');
                    index += hashes;
                } else {
                    keep(strings, here);
                }
            }
            Inside::Code => match (here, next) {
                ('/', '/') => break,
                ('/', '*') => {
                    *inside = Inside::Block(1);
                    index += 1;
                }
                ('"', _) => {
                    code.push('"');
                    begin(strings);
                    *inside = Inside::Str;
                }
                ('r', '"' | '#') if !ends_in_word(&code) => {
                    let hashes = chars[index + 1..].iter().take_while(|&&c| c == '#').count();
                    code.push('r');
                    if at(index + 1 + hashes) == '"' {
                        code.push('"');
                        begin(strings);
                        *inside = Inside::Raw(hashes);
                        index += hashes + 1;
                    }
                }
                // A character literal, not a lifetime.
                ('\'', '\\') => {
                    let length = chars[index + 2..].iter().skip(1).take_while(|&&c| c != '\'');
                    index += 3 + length.count();
                }
                ('\'', _) if at(index + 2) == '\'' => index += 2,
                _ => code.push(here),
            },
        }
        index += 1;
    }
    if matches!(*inside, Inside::Str | Inside::Raw(_)) {
        keep(strings, '\n');
    }
    code
}

fn ends_in_word(code: &str) -> bool {
    code.chars().next_back().is_some_and(|last| last.is_alphanumeric() || last == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code_of(text: &str) -> Vec<String> {
        SourceFile::parse("a/src/b.rs", text).lines.into_iter().map(|line| line.code).collect()
    }

    #[test]
    fn comments_and_string_contents_are_no_code() {
        assert_eq!(code_of("let a = 1; // unsafe"), ["let a = 1; "]);
        assert_eq!(code_of("a /* b\n c */ d"), ["a ", " d"]);
        assert_eq!(code_of(r#"f("unsafe \" {", 'x', '"', '\'')"#), [r#"f("", , , )"#]);
        assert_eq!(code_of("r#\"dbg!\"# + for_r\"x\""), ["r\"\" + for_r\"\""]);
        assert_eq!(code_of("fn f<'a>(x: &'a str)"), ["fn f<'a>(x: &'a str)"]);
    }

    #[test]
    fn strings_are_kept_whole() {
        let text = "a(\"b \\\"c\\\"\\n\", r#\"d\n \"e\"\"#);";
        let strings = SourceFile::parse("a/src/b.rs", text).strings;
        let strings: Vec<_> = strings.iter().map(|one| (one.line, one.text.as_str())).collect();
        assert_eq!(strings, [(0, "b \"c\" "), (0, "d\n \"e\"")]);
    }

    #[test]
    fn a_declaration_for_tests_is_one_line() {
        let file = SourceFile::parse("a/src/b/mod.rs", "#[cfg(test)]\nmod c;\nfn a() {}");
        let in_test: Vec<_> = file.lines.iter().map(|line| line.in_test).collect();
        assert_eq!(in_test, [true, true, false]);
        assert_eq!(file.test_modules(), ["a/src/b/c.rs", "a/src/b/c/mod.rs"]);
    }

    #[test]
    fn everything_below_cfg_test_is_test_code() {
        let file = SourceFile::parse("a/src/b.rs", "fn a() {}\n#[cfg(test)]\nmod tests {}");
        assert_eq!(
            file.lines.iter().map(|line| line.in_test).collect::<Vec<_>>(),
            [false, true, true]
        );
    }
}
