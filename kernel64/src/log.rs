//! The kernel's log: lines with a time stamp, `[seconds.milliseconds]` since the kernel's first instruction.

use core::fmt;

use crate::console;
use crate::cpu::clock;

/// Writes one line to the log.
#[macro_export]
macro_rules! log {
    ($($argument:tt)*) => { $crate::log::line(format_args!($($argument)*)) };
}

/// Writes one line; use [`log!`](crate::log!).
pub fn line(text: fmt::Arguments) {
    let milliseconds = clock::milliseconds();
    console::write(format_args!("[{:3}.{:03}] {text}\n", milliseconds / 1000, milliseconds % 1000));
}
