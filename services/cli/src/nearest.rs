//! What a misspelt name was meant to be.

use strsim::damerau_levenshtein;

/// The name of `known` that is nearest to `name`, if no more than a third of its letters differ.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let distances = known.into_iter().map(|other| (damerau_levenshtein(name, other), other));
    let (distance, other) = distances.min()?;
    (distance * 3 <= name.chars().count()).then_some(other)
}

/// `; is it NAME?`, or nothing: the end of a sentence about a name that is not there.
pub fn hint<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(name, known).map(|other| format!("; is it `{other}`?")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised_and_another_word_is_not() {
        let known = ["bots", "duration", "seed"];
        assert_eq!(nearest("botz", known), Some("bots"));
        assert_eq!(nearest("duratoin", known), Some("duration"));
        assert_eq!(nearest("players", known), None);
        assert_eq!(nearest("", known), None);
        assert_eq!(hint("seeed", known), "; is it `seed`?");
        assert_eq!(hint("x", []), "");
    }
}
