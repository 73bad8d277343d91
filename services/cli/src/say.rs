//! What a program says to people and to other programs, over streams that may be closed or full.
//!
//! The standard library's macros panic when they cannot write, and a server that somebody watched
//! through `head`, or whose log's disk is full, would die of it. Whoever closes a pipe has read
//! enough: what follows is dropped. A report that a full disk did not take is a failure, which
//! [`unwritten`] tells the program's end.

use std::fmt::Arguments;
use std::io::{ErrorKind, Write};
use std::sync::OnceLock;

/// The first fault of standard output that was no closed pipe.
static FAULT: OnceLock<String> = OnceLock::new();

/// Writes to standard output; see [`unwritten`] for what becomes of faults.
pub fn write(text: Arguments<'_>) {
    let mut out = std::io::stdout().lock();
    if let Err(error) = out.write_fmt(text).and_then(|()| out.flush())
        && error.kind() != ErrorKind::BrokenPipe
    {
        // Only the first is told.
        let _ = FAULT.set(error.to_string());
    }
}

/// Writes to standard error, and forgets what cannot be written: there is nobody left to tell.
pub fn write_aside(text: Arguments<'_>) {
    let mut out = std::io::stderr().lock();
    drop(out.write_fmt(text).and_then(|()| out.flush()));
}

/// Why something that was said on standard output is lost, apart from pipes that were closed.
pub fn unwritten() -> Option<&'static str> {
    FAULT.get().map(String::as_str)
}

/// [`println!`] for a standard output that may be closed or full.
#[macro_export]
macro_rules! say {
    () => { $crate::say::write(format_args!("\n")) };
    ($($text:tt)*) => { $crate::say::write(format_args!("{}\n", format_args!($($text)*))) };
}

/// [`print!`] for a standard output that may be closed or full.
#[macro_export]
macro_rules! say_text {
    ($($text:tt)*) => { $crate::say::write(format_args!($($text)*)) };
}

/// [`eprintln!`] for a standard error that may be closed or full.
#[macro_export]
macro_rules! say_aside {
    ($($text:tt)*) => {
        $crate::say::write_aside(format_args!("{}\n", format_args!($($text)*)))
    };
}
