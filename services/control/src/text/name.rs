//! What players and rooms may be called.
//!
//! A name is composed (NFKC), so that one name is written in one way; has letters and digits that
//! identifiers may have (UTS 39: no character that is not seen, none that turns the direction), of
//! one script or of a mix that people write (UTS 39 "highly restrictive": Latin together with the
//! scripts of Chinese, Japanese or Korean); and is none of those by which people would take a
//! player for the staff.

use std::collections::HashSet;
use std::ops::RangeInclusive;
use std::sync::LazyLock;

use unicode_normalization::UnicodeNormalization;
use unicode_security::{RestrictionLevel, RestrictionLevelDetection};

use super::look;

/// Bytes of a name as it is sent: nothing longer is looked at.
const BYTES_MAX: usize = 600;

/// What a kind of name is made of.
#[derive(Clone, Debug)]
pub struct Shape {
    /// How many characters, composed.
    chars: RangeInclusive<usize>,
    /// What may stand beside letters and digits.
    marks: &'static str,
    /// Whether letters or digits stand at both ends.
    has_firm_ends: bool,
    /// Whether it stands for somebody, who would be taken for what its first or its last word says.
    is_person: bool,
}

/// 3 to 24 letters and digits, `_`, `.`, `-` and single blanks between them.
pub const PLAYER: Shape =
    Shape { chars: 3..=24, marks: " _.-", has_firm_ends: true, is_person: true };

/// 1 to 60 letters, digits and ASCII signs, one letter or digit at least.
pub const ROOM: Shape = Shape {
    chars: 1..=60,
    marks: " !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~",
    has_firm_ends: false,
    is_person: false,
};

/// Why something is no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadName {
    /// Too long, too short, or with characters that it may not have.
    #[error("a name has letters, digits and few signs, and not too many of them")]
    Shape,
    /// Letters of scripts that nobody writes together.
    #[error("a name may not mix letters of several scripts")]
    Scripts,
    /// Others would take it for the staff or the product.
    #[error("this name is reserved")]
    Reserved,
}

/// Anywhere as a word, or as the whole without signs and digits at the end.
const STAFF: [&str; 10] = [
    "admin",
    "administrator",
    "moderator",
    "sysadmin",
    "staff",
    "support",
    "operator",
    "official",
    "gamemaster",
    "sysop",
];

/// Only as the whole, likewise; of a player's name also as its first or last word: `Mod Bob` is no
/// moderator, `System` says what only the product may say, and `Guest-…` and `Erased-…` are names
/// that the product gives.
const TITLES: [&str; 8] =
    ["mod", "mods", "admins", "moderators", "system", "server", "guest", "erased"];

/// Only as the whole, likewise: `Root Beer` harms nobody.
const PRODUCT: [&str; 6] = ["sortie", "root", "deleted", "everyone", "nobody", "anonymous"];

/// By their looks.
static STAFF_LOOKS: LazyLock<HashSet<String>> =
    LazyLock::new(|| STAFF.iter().map(|name| look::of(name)).collect());
static TITLE_LOOKS: LazyLock<HashSet<String>> =
    LazyLock::new(|| TITLES.iter().map(|name| look::of(name)).collect());
static ALL_LOOKS: LazyLock<HashSet<String>> = LazyLock::new(|| {
    STAFF.iter().chain(&TITLES).chain(&PRODUCT).map(|name| look::of(name)).collect()
});

/// The name as it is kept and shown: composed, without blanks around it.
///
/// # Errors
/// [`BadName::Shape`], [`BadName::Scripts`]. Whether it is reserved is not asked: the product
/// gives such names itself.
pub fn composed(text: &str, shape: &Shape) -> Result<String, BadName> {
    if text.len() > BYTES_MAX {
        return Err(BadName::Shape);
    }
    let name: String = text.nfkc().collect();
    let is_firm = |char: char| char.is_alphanumeric();
    let is_sane = shape.chars.contains(&name.chars().count())
        && name.chars().all(|char| is_firm(char) || shape.marks.contains(char))
        && name.chars().any(is_firm)
        && !name.starts_with(' ')
        && !name.ends_with(' ')
        // Nobody counts blanks.
        && !name.contains("  ")
        && (!shape.has_firm_ends || name.starts_with(is_firm) && name.ends_with(is_firm));
    let letters: String = name.chars().filter(|char| is_firm(*char)).collect();
    let level = letters.detect_restriction_level();
    if !is_sane || level == RestrictionLevel::Unrestricted {
        Err(BadName::Shape)
    } else if level > RestrictionLevel::HighlyRestrictive {
        Err(BadName::Scripts)
    } else {
        Ok(name)
    }
}

/// As [`composed`], for names that somebody chooses.
///
/// # Errors
/// All of [`BadName`].
pub fn chosen(text: &str, shape: &Shape) -> Result<String, BadName> {
    let name = composed(text, shape)?;
    if is_reserved(&name, shape) { Err(BadName::Reserved) } else { Ok(name) }
}

fn is_reserved(name: &str, shape: &Shape) -> bool {
    let letters: String = name.chars().filter(|char| char.is_alphanumeric()).collect();
    let words: Vec<&str> = super::words::parts(name).collect();
    let edges = if shape.is_person { [words.first(), words.last()] } else { [None, None] };
    is_one_of(&ALL_LOOKS, &letters)
        || edges.into_iter().flatten().any(|word| is_one_of(&TITLE_LOOKS, word))
        || words.iter().any(|word| STAFF_LOOKS.contains(&look::of(word)))
}

/// As it is, or without digits at its end.
fn is_one_of(looks: &HashSet<String>, word: &str) -> bool {
    let bare = word.trim_end_matches(|char: char| char.is_numeric());
    [word, bare].into_iter().any(|word| looks.contains(&look::of(word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_composed_and_plain() {
        for name in ["Ada", "Ada Lovelace", "x_y.z-1", "Ünïcödé", "a12345678901234567890123"] {
            assert_eq!(chosen(name, &PLAYER).unwrap(), name);
        }
        let composed = chosen("Zoe\u{308}", &PLAYER).unwrap();
        assert_eq!(composed, "Zo\u{eb}");
        assert_eq!(chosen("\u{ff21}\u{ff44}\u{ff41}", &PLAYER).unwrap(), "Ada");
        for name in ["", "ab", " ada", "ada ", "a  b", "a\0b", "a\nb", "a@b", "-ada", "a<b>c"] {
            assert_eq!(chosen(name, &PLAYER), Err(BadName::Shape), "{name:?}");
        }
        assert!(chosen(&"x".repeat(25), &PLAYER).is_err());
        assert!(chosen(&"x".repeat(1_000_000), &PLAYER).is_err());
        // One character that composes to eighteen.
        assert!(chosen(&"\u{fdfa}".repeat(2), &PLAYER).is_err());
    }

    #[test]
    fn what_is_not_seen_is_no_part_of_a_name() {
        for hidden in [
            '\u{ad}',
            '\u{34f}',
            '\u{61c}',
            '\u{115f}',
            '\u{1160}',
            '\u{17b4}',
            '\u{180e}',
            '\u{200b}',
            '\u{200c}',
            '\u{200d}',
            '\u{200e}',
            '\u{200f}',
            '\u{202a}',
            '\u{202e}',
            '\u{2060}',
            '\u{2066}',
            '\u{2069}',
            '\u{3164}',
            '\u{fe0f}',
            '\u{feff}',
            '\u{ffa0}',
            '\u{e0041}',
            '\u{2800}',
        ] {
            for name in
                [format!("A{hidden}da"), format!("Ada{hidden}"), hidden.to_string().repeat(3)]
            {
                for shape in [&PLAYER, &ROOM] {
                    assert!(chosen(&name, shape).is_err(), "{}", name.escape_unicode());
                }
            }
        }
    }

    #[test]
    fn scripts_are_mixed_only_as_people_do() {
        for name in [
            "Адам",
            "Αδάμ",
            "さくら",
            "サクラ姫",
            "Team 日本",
            "김철수",
            "Kim 김",
            "王小明",
            "שלום",
            "محمد",
        ] {
            assert!(chosen(name, &PLAYER).is_ok(), "{name}");
        }
        // Latin with Cyrillic, Greek, Hebrew; Cyrillic with Greek; Hangul with Kana.
        for name in ["A\u{434}am", "Adαm", "Adaש", "Дδам", "김さくら"] {
            assert_eq!(chosen(name, &PLAYER), Err(BadName::Scripts), "{name}");
            assert_eq!(chosen(name, &ROOM), Err(BadName::Scripts), "{name}");
        }
    }

    #[test]
    fn nobody_is_called_like_the_staff() {
        for name in [
            "admin",
            "Admin",
            "ADMIN",
            "Adm1n",
            "\u{430}dmin",
            "ａｄｍｉｎ",
            "admin 2",
            "a.d.m.i.n",
            "The Admin",
            "x_admin_x",
            "rnoderator",
            "M0derator",
            "Chat Moderator",
            "system",
            "System1",
            "Sortie",
            "Guest",
            "Mod Bob",
            "Bob_Mod",
            "M0d.Bob",
            "Mod2 Bob",
            "Admin Bob",
            "Guest-4f0kQz1c",
            "erased-4f0kQz1c",
            "Gue\u{455}t-4f0kQz1c",
            "Server One",
        ] {
            let refused = chosen(name, &PLAYER);
            assert!(matches!(refused, Err(BadName::Reserved | BadName::Scripts)), "{name}");
        }
        for name in [
            "Badminton",
            "Systema",
            "Rooter",
            "Modesty",
            "Operatic",
            "Guestimate",
            "A Mod Life",
            "Root Beer",
            "Sortie Ace",
        ] {
            assert!(chosen(name, &PLAYER).is_ok(), "{name}");
        }
        assert!(chosen("Mods and guests", &ROOM).is_ok(), "a room is nobody");
        assert_eq!(composed("Guest", &PLAYER).unwrap(), "Guest");
    }

    #[test]
    fn rooms_have_signs_too() {
        for name in ["Friday night!", "x", "4 vs. 4 (no snipers)", "Ann's room", "日本 #1"] {
            assert_eq!(chosen(name, &ROOM).unwrap(), name);
        }
        for name in ["", " ", "!!", "a\u{7}b", "a\nb", "\u{3164}", "\u{2800}", &"x".repeat(61)] {
            assert_eq!(chosen(name, &ROOM), Err(BadName::Shape), "{name:?}");
        }
    }
}
