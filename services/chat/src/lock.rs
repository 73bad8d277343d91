//! Locks of what a node keeps in memory.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Also after a panic of another holder: nothing here is left half done.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
