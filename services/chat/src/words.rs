//! The word filter: data from the table `chat_word`.

use std::collections::HashMap;

/// What a word does to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Its letters become stars.
    Mask,
    /// The message is refused.
    Refuse,
}

/// The list.
#[derive(Debug, Default)]
pub(crate) struct Words(HashMap<String, Effect>);

impl Words {
    pub(crate) fn new(words: impl IntoIterator<Item = (String, Effect)>) -> Self {
        Self(words.into_iter().collect())
    }

    /// The text as it may be said; `None`: not at all. Whole words count, whatever their case.
    pub(crate) fn apply(&self, text: &str) -> Option<String> {
        if self.0.is_empty() {
            return Some(text.to_owned());
        }
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let is_word = first.is_alphanumeric();
            let end = rest.find(|c: char| c.is_alphanumeric() != is_word).unwrap_or(rest.len());
            let (part, after) = rest.split_at(end);
            match self.0.get(&part.to_lowercase()).filter(|_| is_word) {
                Some(Effect::Refuse) => return None,
                Some(Effect::Mask) => out.extend(part.chars().map(|_| '*')),
                None => out.push_str(part),
            }
            rest = after;
        }
        Some(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_masked_or_refused_whole_and_in_any_case() {
        let words = [("darn".to_owned(), Effect::Mask), ("über".to_owned(), Effect::Refuse)];
        let words = Words::new(words);
        assert_eq!(words.apply("Darn, DARN! darned").unwrap(), "****, ****! darned");
        assert_eq!(words.apply("fine 🙂").unwrap(), "fine 🙂");
        assert_eq!(words.apply("so ÜBER"), None);
        assert_eq!(Words::default().apply("darn").unwrap(), "darn");
    }
}
