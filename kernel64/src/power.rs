//! The end of a run.

use lilliput_abi::boot::exit;
use x86_64::instructions::port::PortWriteOnly;
use x86_64::instructions::{hlt, interrupts};

use crate::{bochs, console, log};

/// Ends the machine with one of [`exit`]'s codes.
///
/// QEMU with an `isa-debug-exit` device ends here with a status, Bochs without one. On other machines the ports
/// are nobody's, and the CPU is halted: what there is to read is on the console.
pub fn exit(code: u32) -> ! {
    interrupts::disable();
    console::take_back();
    let mut port = PortWriteOnly::<u32>::new(exit::PORT);
    // SAFETY: the port ends the emulator or is unassigned; no device of a PC answers at it.
    unsafe { port.write(code) };
    log!("halted with exit code {code:#x}: the machine can be switched off");
    console::drain();
    if bochs::is_here() {
        bochs::shut_down();
    }
    loop {
        hlt();
    }
}
