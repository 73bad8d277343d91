//! Why a map document is refused, with the line that is wrong.

use toml::de::{DeTable, DeValue};

/// A refused map document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{what}", line.map(|line| format!("line {line}: ")).unwrap_or_default())]
pub struct MapError {
    /// Counted from 1; `None` when the fault belongs to no single line.
    pub line: Option<usize>,
    /// What is wrong, and what would be right.
    pub what: String,
}

impl MapError {
    pub(super) fn whole(what: String) -> Self {
        Self { line: None, what }
    }

    pub(super) fn from_toml(text: &str, error: &toml::de::Error) -> Self {
        let line = error.span().map(|span| line_of(text, span.start));
        Self { line, what: error.message().to_owned() }
    }
}

/// A fault found in a parsed document: where it is by key, and what it is.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Fault {
    pub(super) path: Vec<Step>,
    pub(super) what: String,
}

/// One step from a document's top to the faulty value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Step {
    Key(&'static str),
    Index(usize),
}

impl Fault {
    pub(super) fn new(path: &[Step], what: impl Into<String>) -> Self {
        Self { path: path.to_vec(), what: what.into() }
    }

    /// Parses the text once more, now with positions: only refused documents pay for them.
    pub(super) fn locate(self, text: &str) -> MapError {
        MapError { line: find(text, &self.path).map(|at| line_of(text, at)), what: self.what }
    }
}

/// Byte offset of the deepest part of `path` that the text spells out.
fn find(text: &str, path: &[Step]) -> Option<usize> {
    let document = DeTable::parse(text).ok()?;
    let mut table = Some(document.get_ref());
    let mut value: Option<&DeValue<'_>> = None;
    let mut at = None;
    for step in path {
        let next = match *step {
            Step::Key(key) => {
                let within = table.take().or_else(|| value.and_then(DeValue::as_table));
                within.and_then(|table| table.get(key))
            }
            Step::Index(index) => {
                value.and_then(DeValue::as_array).and_then(|array| array.get(index))
            }
        };
        let Some(next) = next else { break };
        at = Some(next.span().start);
        value = Some(next.get_ref());
    }
    at
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|&byte| byte == b'\n').count()
}
