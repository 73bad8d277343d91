//! What the benchmarks run: everything is prepared here, so that only the kernel is counted.

mod arena;
mod codec;
mod sealing;
mod sessions;

pub use arena::{Battlefield, Onlookers, Walkers};
pub use codec::{Coded, SoldierRun};
pub use sealing::{Bare, Ends};
pub use sessions::Sessions;

/// Has glibc choose the plainest code for `memcpy` and the like, which every processor runs; else
/// counts differ by up to 5 % from one to the next.
pub const PLAIN_GLIBC: [(&str, &str); 1] = [(
    "GLIBC_TUNABLES",
    "glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX512BW,-AVX2,-AVX,-BMI2,-ERMS,-FSRM,-RTM,-SSE4_2,\
     -SSE4_1,-SSSE3",
)];

/// What Valgrind is to set aside for the main thread's stack: a battle is built on it.
pub const MAIN_STACK: &str = "main-stacksize=67108864";
