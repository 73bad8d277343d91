//! Enums of words that both sides of a wall say, and what they do with one that they do not know.

/// Makes an enum of words: each variant with the text that messages, rows and users have for it,
/// and one more for a word of a newer version, which is kept and passed on as it came.
macro_rules! words {
    (
        $(#[$about:meta])*
        $name:ident { $(#[doc = $doc:literal] $variant:ident = $text:literal,)+ }
    ) => {
        $(#[$about])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum $name {
            $(#[doc = $doc] $variant,)+
            /// A newer version's, as it came.
            Other(String),
        }

        impl $name {
            /// Those that this version knows.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// As messages, rows and users spell it.
            pub fn name(&self) -> &str {
                match self {
                    $(Self::$variant => $text,)+
                    Self::Other(name) => name,
                }
            }

            /// Reads a name. Nothing is refused.
            pub fn of_name(name: &str) -> Self {
                let known = Self::ALL.iter().find(|word| word.name() == name);
                known.cloned().unwrap_or_else(|| Self::Other(name.to_owned()))
            }

            /// Whether this version knows it.
            pub fn is_known(&self) -> bool {
                !matches!(self, Self::Other(_))
            }

            /// What it means, in a sentence for users; empty for what is not known.
            pub fn about(&self) -> &'static str {
                match self {
                    $(Self::$variant => $doc.trim_ascii(),)+
                    Self::Other(_) => "",
                }
            }

            /// The names of those that this version knows.
            pub fn names() -> impl Iterator<Item = &'static str> + Clone {
                Self::ALL.iter().map(Self::name)
            }
        }

        impl ::serde::Serialize for $name {
            fn serialize<S: ::serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(self.name())
            }
        }

        impl<'de> ::serde::Deserialize<'de> for $name {
            fn deserialize<D: ::serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                String::deserialize(from).map(|name| Self::of_name(&name))
            }
        }
    };
}

pub(crate) use words;
