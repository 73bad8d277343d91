//! Standard output that somebody may close: what is said to nobody is dropped.
//!
//! The standard library's `println!` panics when the reader of a pipe is gone, and a server that
//! somebody watched through `head` would die of it.

use std::fmt::Arguments;
use std::io::Write;

/// Writes to standard output, and forgets what cannot be written.
pub fn write(text: Arguments<'_>) {
    let mut out = std::io::stdout().lock();
    drop(out.write_fmt(text).and_then(|()| out.flush()));
}

/// [`println!`] for a standard output that may be closed.
#[macro_export]
macro_rules! say {
    () => { $crate::say::write(format_args!("\n")) };
    ($($text:tt)*) => { $crate::say::write(format_args!("{}\n", format_args!($($text)*))) };
}

/// [`print!`] for a standard output that may be closed.
#[macro_export]
macro_rules! say_text {
    ($($text:tt)*) => { $crate::say::write(format_args!($($text)*)) };
}
