//! The console server: drives the serial port, writes what its clients print line by line, and reads what somebody types.
#![no_std]
#![no_main]

mod input;
mod output;
mod uart;

use core::panic::PanicInfo;

use lilliput_runtime::{Word, parent, place, role, text};
use lilliput_user64::{Native, end, entry};

type System = lilliput_runtime::System<Native>;

entry!(main, panic);

/// Each thread has a role; `keys` is not zero where somebody types.
fn main(role: Word, keys: Word) -> Word {
    match role {
        role::CONSOLE_KEYS => input::drive(),
        role::CONSOLE_EDITOR => input::edit(),
        _ => output::run(keys != 0),
    }
}

/// The parent may be waiting for this server, so that only the log is left to tell.
fn panic(info: &PanicInfo) -> ! {
    let log = System::at(place::SYSTEM);
    let _ = text::send(format_args!("console: {info}\n"), |words| {
        text::bytes(words).try_for_each(|byte| log.write(&[byte]))
    });
    end(parent::PANICKED)
}
