//! The serial console: COM1, the one output device that every emulator and most servers have.

use core::fmt;

use lilliput_abi::boot::UNENFORCED;
use spin::Mutex;
use uart_16550::backend::PioBackend;
use uart_16550::spec::registers::LSR;
use uart_16550::{BaudRate, Config, Uart16550};

/// The I/O port of COM1.
const COM1_PORT: u16 = 0x3f8;

/// A UART, and whether there is one: where there is none, output is dropped rather than waited for.
pub struct Console {
    uart: Uart16550<PioBackend>,
    present: bool,
    /// Whether lines are marked: see [`mark_unenforced`].
    unenforced: bool,
}

static CONSOLE: Mutex<Console> = Mutex::new(Console { uart: com1(), present: false, unenforced: false });

const fn com1() -> Uart16550<PioBackend> {
    // SAFETY: COM1's eight ports are the console's alone; `CONSOLE` is the only user.
    match unsafe { Uart16550::new_port(COM1_PORT) } {
        Ok(uart) => uart,
        Err(_) => panic!("COM1's ports lie within the I/O space"),
    }
}

impl Console {
    /// Writes bytes; a line end becomes CR LF, as terminals want it.
    pub fn write_bytes(&mut self, bytes: &[u8]) {
        if !self.present {
            return;
        }
        for line in bytes.split_inclusive(|&byte| byte == b'\n') {
            match line.strip_suffix(b"\n") {
                Some(text) => {
                    self.uart.send_bytes_exact(text);
                    if self.unenforced {
                        self.uart.send_bytes_exact(b" ");
                        self.uart.send_bytes_exact(UNENFORCED.as_bytes());
                    }
                    self.uart.send_bytes_exact(b"\r\n");
                }
                None => self.uart.send_bytes_exact(line),
            }
        }
    }
}

impl fmt::Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.write_bytes(text.as_bytes());
        Ok(())
    }
}

/// Sets the UART up. Before this, output is dropped.
pub fn init() {
    let mut console = CONSOLE.lock();
    let config = Config { baud_rate: BaudRate::Baud115200, ..Config::DEFAULT };
    console.present = console.uart.init(config).is_ok();
}

/// From now on every line, whoever prints it, ends with a word that says that small tasks are not confined.
pub fn mark_unenforced() {
    CONSOLE.lock().unenforced = true;
}

/// Writes bytes.
pub fn write_bytes(bytes: impl IntoIterator<Item = u8>) {
    let mut console = CONSOLE.lock();
    let mut bytes = bytes.into_iter();
    loop {
        // A UART takes 16 at a time.
        let mut chunk = [0; 16];
        let mut length = 0;
        for (place, byte) in chunk.iter_mut().zip(&mut bytes) {
            *place = byte;
            length += 1;
        }
        if length == 0 {
            return;
        }
        console.write_bytes(&chunk[..length]);
    }
}

/// Writes formatted text, in one piece: no other CPU's output comes between.
pub fn write(arguments: fmt::Arguments) {
    // Writing to the console cannot fail, and a formatter's own error has nowhere to go.
    let _ = fmt::write(&mut *CONSOLE.lock(), arguments);
}

/// Waits until the last byte is on the line.
pub fn drain() {
    let mut console = CONSOLE.lock();
    while console.present && !console.uart.lsr().contains(LSR::TRANSMITTER_EMPTY) {
        core::hint::spin_loop();
    }
}

/// Takes the console from whoever holds it.
///
/// # Safety
///
/// The holder must never run again: this is for the last words of a kernel that stops.
pub unsafe fn seize() {
    if CONSOLE.is_locked() {
        // SAFETY: the caller vouches that the guard will not be used or dropped any more.
        unsafe { CONSOLE.force_unlock() };
    }
}
