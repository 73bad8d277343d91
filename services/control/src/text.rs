//! Texts that people write, and what of them others may be shown.
//!
//! - [`name`]: what players and rooms are called. Strict, because a name stands for somebody.
//! - [`prose`]: what is said in chat and about oneself. Lenient: only what hides or breaks out.
//! - [`look`]: when two texts look the same, and which player has which look.
//! - [`words`]: the filter of bad words.
//!
//! The tables are the Unicode Consortium's (UTS 39, UAX 15), from the crates `unicode-security` and
//! `unicode-normalization`. What is deliberately absent: any language's rules.

pub mod look;
pub mod name;
pub mod prose;
pub mod words;
