//! The word filter: data from the table `chat_word`.
//!
//! Whole words count, so that Scunthorpe is a town; they are compared by their looks, so that
//! letters of other scripts and characters that are not seen change nothing.

use std::collections::HashMap;

use sqlx::PgPool;
use unicode_normalization::char::is_combining_mark;

use super::look::{self, is_ignorable};

/// What a word does to a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Its letters become stars.
    Mask,
    /// The text is refused.
    Refuse,
}

/// The list, by looks.
#[derive(Debug, Default)]
pub struct Words(HashMap<String, Effect>);

impl Words {
    /// Of these words.
    pub fn new(words: impl IntoIterator<Item = (String, Effect)>) -> Self {
        let mut looks = HashMap::new();
        for (word, effect) in words {
            let known = looks.entry(look::of(&word)).or_insert(effect);
            // Two that look the same are one, and the stricter counts.
            if effect == Effect::Refuse {
                *known = effect;
            }
        }
        Self(looks)
    }

    /// All that staff have put in.
    ///
    /// # Errors
    /// The database is away.
    pub async fn load(db: &PgPool) -> sqlx::Result<Self> {
        let rows = sqlx::query!("select word, effect from chat_word").fetch_all(db).await?;
        Ok(Self::new(rows.into_iter().map(|row| {
            let effect = if row.effect == "refuse" { Effect::Refuse } else { Effect::Mask };
            (row.word, effect)
        })))
    }

    /// The text as it may be shown; `None`: not at all.
    pub fn apply(&self, text: &str) -> Option<String> {
        if self.0.is_empty() {
            return Some(text.to_owned());
        }
        let mut out = String::with_capacity(text.len());
        for part in parts_and_gaps(text) {
            match self.effect(part) {
                Some(Effect::Refuse) => return None,
                Some(Effect::Mask) => {
                    out.extend(part.chars().filter(|char| !is_ignorable(*char)).map(|_| '*'));
                }
                None => out.push_str(part),
            }
        }
        Some(out)
    }

    /// Whether a name may not be: one of the words is in it, masked or refused elsewhere, or it
    /// is one when the signs between its letters are left out.
    pub fn refuse_name(&self, name: &str) -> bool {
        let letters: String = name.chars().filter(|char| char.is_alphanumeric()).collect();
        self.effect(&letters).is_some() || parts(name).any(|part| self.effect(part).is_some())
    }

    fn effect(&self, part: &str) -> Option<Effect> {
        if !part.starts_with(is_of_word) {
            return None;
        }
        self.0.get(&look::of(part)).copied()
    }
}

/// Neither a mark on a letter nor what is not seen ends a word.
fn is_of_word(char: char) -> bool {
    char.is_alphanumeric() || is_combining_mark(char) || is_ignorable(char)
}

/// The words of a text.
pub(super) fn parts(text: &str) -> impl Iterator<Item = &str> {
    parts_and_gaps(text).filter(|part| part.starts_with(is_of_word))
}

fn parts_and_gaps(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let is_word = is_of_word(rest.chars().next()?);
        let end = rest.find(|char| is_of_word(char) != is_word).unwrap_or(rest.len());
        let (part, after) = rest.split_at(end);
        rest = after;
        Some(part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words() -> Words {
        let words = [
            ("darn", Effect::Mask),
            ("spit", Effect::Mask),
            ("über", Effect::Refuse),
            ("cunt", Effect::Refuse),
        ];
        Words::new(words.map(|(word, effect)| (word.to_owned(), effect)))
    }

    #[test]
    fn words_are_masked_or_refused_whole_and_in_any_case() {
        let words = words();
        assert_eq!(words.apply("Darn, DARN! darned").unwrap(), "****, ****! darned");
        assert_eq!(words.apply("fine 🙂").unwrap(), "fine 🙂");
        assert_eq!(words.apply("so ÜBER"), None);
        assert_eq!(Words::default().apply("darn").unwrap(), "darn");
    }

    #[test]
    fn other_letters_that_look_the_same_change_nothing() {
        let words = words();
        for written in
            ["d\u{430}rn", "ｄａｒｎ", "D\u{391}RN", "d\u{200b}arn", "da\u{ad}rn", "\u{202e}darn"]
        {
            assert_eq!(words.apply(written).unwrap(), "****", "{}", written.escape_unicode());
        }
        assert_eq!(words.apply("SPIT sp1t Spit").unwrap(), "**** **** ****");
        assert_eq!(words.apply("U\u{308}ber"), None);
    }

    #[test]
    fn scunthorpe_is_a_town() {
        let words = words();
        for town in ["Scunthorpe", "SCUNTHORPE United", "Darnell", "darning"] {
            assert_eq!(words.apply(town).unwrap(), town);
            assert!(!words.refuse_name(town), "{town}");
        }
    }

    #[test]
    fn names_have_none_of_them() {
        let words = words();
        for name in ["Darn", "x darn x", "d.a.r.n", "d_a_r_n", "D\u{430}rn", "a_CUNT"] {
            assert!(words.refuse_name(name), "{name}");
        }
    }
}
