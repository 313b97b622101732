//! The Bochs emulator, which has no CPUID leaf to know it by and no device that ends it with a status.

use x86_64::instructions::port::{PortReadOnly, PortWriteOnly};

/// Bochs' debug port: reads as its own number where it is enabled, and as no other machine has it.
const DEBUG_PORT: u8 = 0xe9;
/// Where Bochs takes the word that ends it.
const SHUTDOWN_PORT: u16 = 0x8900;

/// Whether this is Bochs with its debug port enabled.
pub fn is_here() -> bool {
    let mut port = PortReadOnly::<u8>::new(u16::from(DEBUG_PORT));
    // SAFETY: reading the debug port changes nothing, and elsewhere no device of a PC answers at it.
    unsafe { port.read() == DEBUG_PORT }
}

/// Ends Bochs.
pub fn shut_down() {
    let mut port = PortWriteOnly::<u8>::new(SHUTDOWN_PORT);
    for byte in *b"Shutdown" {
        // SAFETY: the caller knows that this is Bochs, where the port has this one purpose; elsewhere it has none.
        unsafe { port.write(byte) };
    }
}
