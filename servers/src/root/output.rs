//! What the root task prints: through the console server once there is one, else straight to the log.

use core::fmt;
use core::sync::atomic::{AtomicU32, Ordering};

use lilliput_runtime::console::WRITE;
use lilliput_runtime::{Endpoint, Message, text};
use lilliput_user64::Native;

use crate::{SYSTEM, screen};

/// Place of the console's endpoint; 0 while there is none.
static CONSOLE: AtomicU32 = AtomicU32::new(0);

/// Prints a line.
macro_rules! say {
    ($($argument:tt)*) => {
        $crate::output::print(format_args!("{}\n", format_args!($($argument)*)))
    };
}
pub(crate) use say;

/// From now on the console server prints.
pub fn use_console(console: Endpoint<Native>) {
    CONSOLE.store(console.place(), Ordering::Relaxed);
}

/// From now on everything goes straight to the log.
pub fn forget_console() {
    CONSOLE.store(0, Ordering::Relaxed);
}

/// Prints text.
pub fn print(arguments: fmt::Arguments) {
    screen::print(arguments);
    // Where even the log refuses there is nobody left to tell.
    let _ = text::send(arguments, |words| {
        let console = CONSOLE.load(Ordering::Relaxed);
        if console != 0 && Endpoint::<Native>::at(console).call(&Message::new(WRITE, words)).is_ok() {
            return Ok(());
        }
        forget_console();
        let mut bytes = [0; 4 * size_of::<usize>()];
        let mut length = 0;
        for byte in text::bytes(words) {
            bytes[length] = byte;
            length += 1;
        }
        SYSTEM.write(&bytes[..length])
    });
}
