//! The end of a run.

use lilliput_abi::boot::exit;
use x86_64::instructions::port::PortWriteOnly;
use x86_64::instructions::{hlt, interrupts};

use crate::log;

/// Ends the machine with one of [`exit`]'s codes.
///
/// An emulator with an `isa-debug-exit` device ends here. On other machines the port is nobody's, and the
/// CPU is halted: what there is to read is on the console.
pub fn exit(code: u32) -> ! {
    interrupts::disable();
    let mut port = PortWriteOnly::<u32>::new(exit::PORT);
    // SAFETY: the port ends the emulator or is unassigned; no device of a PC answers at it.
    unsafe { port.write(code) };
    log!("halted with exit code {code:#x}: the machine can be switched off");
    loop {
        hlt();
    }
}
