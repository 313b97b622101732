//! The serial port's registers, by the ports that the root task gave: a UART 16550.
//!
//! The threads of this server share it: the output has the transmitter and the interrupt mask, the driver of keys the receiver and
//! the interrupt register; the line status is for both to look at.

use lilliput_runtime::IoPorts;
use lilliput_runtime::place::driver::PORTS;
use lilliput_user64::Native;
use uart_16550::Uart16550;
use uart_16550::backend::Backend;

/// The first port of COM1.
pub const COM1: u16 = 0x3f8;

/// Registers by system calls. A call that is refused reads as if nothing answered.
pub struct Registers;

/// A view of the UART.
pub type Uart = Uart16550<Registers>;

/// The ports.
pub const fn ports() -> IoPorts<Native> {
    IoPorts::at(PORTS)
}

impl Backend for Registers {
    unsafe fn read(&mut self, register: u8) -> u8 {
        ports().read(COM1 + u16::from(register), 1).map_or(0xff, |value| value as u8)
    }

    unsafe fn write(&mut self, register: u8, value: u8) {
        // A port that is not there loses what is written, as this does.
        let _ = ports().write(COM1 + u16::from(register), 1, u32::from(value));
    }
}

/// A view of it, which changes nothing by itself.
pub const fn view() -> Uart {
    // SAFETY: the kernel checks every access; the worst that a register can do to this program is to be read as something else.
    unsafe { Uart16550::new_with_backend(Registers) }
}
