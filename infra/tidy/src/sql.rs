//! What a piece of SQL writes to, and which functions it calls.
//!
//! This is no parser: it tells words from comments and texts, and knows the few shapes that a write
//! has. A word that stands where a table's name would, but is none, is for the caller to report.

/// Stands for a name that is put together elsewhere.
pub const UNREADABLE: &str = "a table that the text does not name";

/// Words of SQL, lower case, with names of two parts in one word, and signs.
pub struct Words(Vec<String>);

impl Words {
    /// Reads SQL; `--` and `/* */` comments and texts in single quotes are left out, bodies in
    /// dollar quotes are read like the rest.
    pub fn of(sql: &str) -> Self {
        let chars: Vec<char> = sql.chars().collect();
        let at = |index: usize| chars.get(index).copied().unwrap_or('\0');
        let upto = |from: usize, end: &dyn Fn(usize) -> bool| {
            (from..chars.len()).find(|&index| end(index)).unwrap_or(chars.len())
        };
        let (mut words, mut index) = (Vec::<String>::new(), 0);
        while index < chars.len() {
            let begin = index;
            match (at(index), at(index + 1)) {
                ('-', '-') => index = upto(index, &|i| at(i) == '\n'),
                ('/', '*') => index = upto(index + 2, &|i| at(i - 1) == '*' && at(i) == '/') + 1,
                ('\'', _) => {
                    index = upto(index + 1, &|i| at(i) == '\'') + 1;
                    words.push("''".to_owned());
                }
                ('"', _) => {
                    index = upto(index + 1, &|i| at(i) == '"') + 1;
                    let end = (index - 1).min(chars.len());
                    words.push(chars[begin + 1..end].iter().collect());
                }
                (c, _) if is_of_word(c) => {
                    index = upto(index, &|i| !is_of_word(at(i)));
                    let word: String = chars[begin..index].iter().collect();
                    words.push(word.to_lowercase());
                }
                (c, _) => {
                    if !c.is_whitespace() {
                        words.push(c.to_string());
                    }
                    index += 1;
                }
            }
        }
        Self(joined(words))
    }

    fn at(&self, index: usize) -> &str {
        self.0.get(index).map_or("", String::as_str)
    }

    /// The tables that are written to, in order; [`UNREADABLE`] for those whose name is not there.
    pub fn writes(&self) -> Vec<String> {
        let mut tables = Vec::new();
        for index in 0..self.0.len() {
            let before = if index == 0 { "" } else { self.at(index - 1) };
            match (self.at(index), self.at(index + 1)) {
                ("insert" | "merge", "into") => tables.push(self.table(index + 2)),
                ("delete", "from") => tables.push(self.table(index + 2)),
                ("update", _) if !["for", "key", "do"].contains(&before) => {
                    tables.extend(self.updated(index + 1));
                }
                ("truncate", next) if is_name(next) || next == "{" => {
                    tables.extend(self.truncated(index + 1));
                }
                ("copy", _) => tables.extend(self.copied(index + 1)),
                _ => {}
            }
        }
        tables
    }

    /// Functions that are called, in order; also what only looks like it.
    pub fn calls(&self) -> impl Iterator<Item = &str> {
        let names = self.0.windows(2).filter(|pair| is_name(&pair[0]) && pair[1] == "(");
        names.map(|pair| pair[0].as_str())
    }

    /// Names of tables that are made, each with the table that it is a part of.
    pub fn tables(&self) -> Vec<(String, Option<String>)> {
        let mut made = Vec::new();
        for index in 0..self.0.len() {
            if (self.at(index), self.at(index + 1)) == ("create", "table") {
                let mut at = index + 2;
                if self.at(at) == "if" {
                    at += 3;
                }
                let part = (self.at(at + 1), self.at(at + 2)) == ("partition", "of");
                made.push((self.table(at), part.then(|| self.table(at + 3))));
            }
        }
        made.retain(|(name, _)| name != UNREADABLE);
        made
    }

    /// Functions that are made, each with its body.
    pub fn functions(&self) -> Vec<(String, Self)> {
        let mut made = Vec::new();
        for (index, word) in self.0.iter().enumerate() {
            if word != "function" || !["create", "replace"].contains(&self.at(index.max(1) - 1)) {
                continue;
            }
            let is_quote = |at: &usize| self.at(*at) == "$" && self.at(at + 1) == "$";
            let mut quotes = (index..self.0.len()).filter(is_quote);
            if let (Some(begin), Some(end)) = (quotes.next(), quotes.next()) {
                let body = Self(self.0[begin + 2..end].to_vec());
                made.push((self.at(index + 1).to_owned(), body));
            }
        }
        made
    }

    /// The table whose name stands there.
    fn table(&self, index: usize) -> String {
        let index = if self.at(index) == "only" { index + 1 } else { index };
        let name = self.at(index);
        if is_name(name) { without_public(name) } else { UNREADABLE.to_owned() }
    }

    /// `update NAME set`, with or without an alias. Whatever else has that word is no statement.
    fn updated(&self, index: usize) -> Option<String> {
        let at = if self.at(index) == "only" { index + 1 } else { index };
        if self.at(at) == "{" {
            return Some(UNREADABLE.to_owned());
        }
        let sets = self.at(at + 1) == "set"
            || self.at(at + 2) == "set"
            || (self.at(at + 1), self.at(at + 3)) == ("as", "set");
        (is_name(self.at(at)) && self.at(at) != "set" && sets).then(|| self.table(at))
    }

    /// All tables of a `truncate`.
    fn truncated(&self, index: usize) -> Vec<String> {
        let mut at = if self.at(index) == "table" { index + 1 } else { index };
        if ["on", "or"].contains(&self.at(at)) {
            return Vec::new();
        }
        let mut tables = vec![self.table(at)];
        while self.at(at + 1) == "," {
            at += 2;
            tables.push(self.table(at));
        }
        tables
    }

    /// `copy NAME from`, with or without columns. To copy out of a table is to read it.
    fn copied(&self, index: usize) -> Option<String> {
        let mut at = index + 1;
        if self.at(at) == "(" {
            at += self.0[at..].iter().position(|word| word == ")")? + 1;
        }
        (is_name(self.at(index)) && self.at(at) == "from").then(|| self.table(index))
    }
}

/// A name and the schema before it make one word.
fn joined(words: Vec<String>) -> Vec<String> {
    let mut all: Vec<String> = Vec::with_capacity(words.len());
    let mut words = words.into_iter().peekable();
    while let Some(word) = words.next() {
        let joins = word == "." && all.last().is_some_and(|last| is_name(last));
        match words.next_if(|next| joins && is_name(next)) {
            Some(next) => {
                let last = all.last_mut().expect("looked at above");
                last.push('.');
                last.push_str(&next);
            }
            None => all.push(word),
        }
    }
    all
}

fn without_public(name: &str) -> String {
    name.strip_prefix("public.").unwrap_or(name).to_owned()
}

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn is_name(word: &str) -> bool {
    word.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn writes(sql: &str) -> Vec<String> {
        Words::of(sql).writes()
    }

    #[test]
    fn all_ways_to_write_are_known() {
        assert_eq!(writes("insert into a (b) values ('delete from c')"), ["a"]);
        assert_eq!(writes("delete from only a using b"), ["a"]);
        assert_eq!(
            writes("update a set b = 1; update a as x set b = 1; update a x set b = 1"),
            ["a", "a", "a"]
        );
        assert_eq!(writes("truncate table a, b; truncate c"), ["a", "b", "c"]);
        assert_eq!(writes("merge into a using b on true when matched then delete"), ["a"]);
        assert_eq!(writes("copy a (b, c) from stdin; copy d from 'x'; copy e to 'y'"), ["a", "d"]);
        assert_eq!(writes("with a as (insert into b select 1 returning 2) select"), ["b"]);
    }

    #[test]
    fn a_name_is_the_same_however_it_is_written() {
        assert_eq!(writes("INSERT INTO A"), ["a"]);
        assert_eq!(writes("insert into public.a"), ["a"]);
        assert_eq!(writes("insert\n into \"a\""), ["a"]);
        assert_eq!(writes("delete from Personal . A"), ["personal.a"]);
        assert_eq!(writes("delete /* or not */ from -- whom?\n a"), ["a"]);
    }

    #[test]
    fn what_only_reads_or_locks_writes_nothing() {
        for sql in [
            "select from a for update skip locked",
            "select from a for no key update of b",
            "create trigger t after insert or update on a",
            "create trigger t before update of b on a",
            "create trigger t before truncate on a",
            "select 1 -- insert into a",
            "the page is up to date: update it",
        ] {
            assert_eq!(writes(sql), Vec::<String>::new(), "{sql}");
        }
        assert_eq!(writes("insert into a on conflict (b) do update set c = 1"), ["a"]);
    }

    #[test]
    fn a_name_put_together_elsewhere_is_told() {
        for sql in ["delete from {table}", "insert into ", "update {table} set a = 1"] {
            assert_eq!(writes(sql), [UNREADABLE], "{sql}");
        }
    }

    #[test]
    fn functions_have_bodies() {
        let made = Words::of(
            "create function f(a b) returns c language sql as $$ delete from d $$;
             create or replace function g() as $$ select f(1) $$;
             create trigger t execute function f();",
        );
        let made = made.functions();
        assert_eq!(made.len(), 2);
        assert_eq!((made[0].0.as_str(), made[0].1.writes()), ("f", vec!["d".to_owned()]));
        assert_eq!((made[1].0.as_str(), made[1].1.calls().collect()), ("g", vec!["f"]));
    }
}
