//! The serial console: COM1, the one output device that every emulator and most servers have.
//!
//! A user-level driver may be given the port's registers; from then on the port is *lent*. The kernel still writes its log there: for the
//! time of a piece of text it sets the line to its own mode, and leaves the port as it found it, ready to send, with the
//! driver none the wiser but for an interrupt that it has no use for. What the driver does with the port may garble the log, and
//! never stops the kernel; at a panic and at the end of the machine the kernel sets the port up anew.

use core::fmt;

use lilliput_abi::boot::UNENFORCED;
use lilliput_core::ports::PortRange;
use spin::Mutex;
use uart_16550::backend::{Backend, PioBackend};
use uart_16550::spec::registers::{LSR, offsets};
use uart_16550::{BaudRate, Config, Uart16550};

/// The I/O port of COM1.
const COM1_PORT: u16 = 0x3f8;
/// The line control register for 8 data bits, no parity, one stop bit (16550 data sheet).
const EIGHT_BITS: u8 = 0b11;
/// How often the port is asked whether it is ready, before it is given up: about a second.
const PATIENCE: u32 = 1 << 20;

/// A UART, and whether there is one: where there is none, output is dropped rather than waited for.
pub struct Console {
    uart: Uart16550<PioBackend>,
    present: bool,
    /// Whether a driver has the registers too.
    lent: bool,
    /// Whether lines are marked: see [`mark_unenforced`].
    unenforced: bool,
}

static CONSOLE: Mutex<Console> = Mutex::new(Console { uart: com1(), present: false, lent: false, unenforced: false });

const fn com1() -> Uart16550<PioBackend> {
    // SAFETY: `CONSOLE` is the only user of COM1's eight ports in the kernel, and a driver that has them too is one that
    // whoever answers for the machine's devices has chosen.
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
        let mode = self.lent.then(|| self.enter_own_mode());
        for line in bytes.split_inclusive(|&byte| byte == b'\n') {
            match line.strip_suffix(b"\n") {
                Some(text) => {
                    self.send(text);
                    if self.unenforced {
                        self.send(b" ");
                        self.send(UNENFORCED.as_bytes());
                    }
                    self.send(b"\r\n");
                }
                None => self.send(line),
            }
        }
        if let Some(mode) = mode {
            self.wait_until(LSR::THR_EMPTY);
            self.leave_own_mode(mode);
        }
    }

    fn send(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && self.wait_until(LSR::THR_EMPTY) {
            bytes = &bytes[self.uart.send_bytes(bytes)..];
        }
    }

    /// False where it takes too long: then the port is given up.
    fn wait_until(&mut self, state: LSR) -> bool {
        self.present = self.present && (0..PATIENCE).any(|_| self.uart.lsr().contains(state));
        self.present
    }

    /// Eight bits, no divisor in the way of the data, no interrupts. Returns the driver's mode.
    fn enter_own_mode(&mut self) -> [u8; 2] {
        let line = self.uart.lcr().bits();
        self.set(offsets::LCR, EIGHT_BITS);
        let interrupts = self.uart.ier().bits();
        self.set(offsets::IER, 0);
        [line, interrupts]
    }

    fn leave_own_mode(&mut self, [line, interrupts]: [u8; 2]) {
        self.set(offsets::IER, interrupts);
        self.set(offsets::LCR, line);
    }

    fn set(&mut self, register: usize, value: u8) {
        // SAFETY: a register of the port, which the kernel may set as it likes.
        unsafe { self.uart.backend_mut().write(register as u8, value) };
    }

    fn set_up(&mut self) {
        let config = Config { baud_rate: BaudRate::Baud115200, ..Config::DEFAULT };
        self.present = self.uart.init(config).is_ok();
        self.lent = false;
    }
}

impl fmt::Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.write_bytes(text.as_bytes());
        Ok(())
    }
}

/// Sets the UART up. Before this, output is dropped.
#[unsafe(link_section = ".boot.text")]
pub fn init() {
    CONSOLE.lock().set_up();
}

/// From now on somebody else has the port's registers too, if it is among these.
pub fn lend(ports: &PortRange) {
    if ports.has_any(COM1_PORT, COM1_PORT + 7) {
        CONSOLE.lock().lent = true;
    }
}

/// The port is the kernel's again, whatever state it is in: whoever had it too never runs any more.
pub fn take_back() {
    let mut console = CONSOLE.lock();
    if console.lent {
        console.wait_until(LSR::TRANSMITTER_EMPTY);
        console.set_up();
    }
}

/// From now on every line, whoever prints it, ends with a word that says that small tasks are not confined.
pub fn mark_unenforced() {
    CONSOLE.lock().unenforced = true;
}

/// Whether it has come to that.
pub fn is_unenforced() -> bool {
    CONSOLE.lock().unenforced
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
    CONSOLE.lock().wait_until(LSR::TRANSMITTER_EMPTY);
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
