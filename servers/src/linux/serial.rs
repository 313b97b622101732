//! Where programs print: two serial ports, one for the standard output and one for errors.

use lilliput_abi::Error;
use lilliput_linux::Stream;
use lilliput_runtime::linux::port;
use lilliput_runtime::place::linux::{ERRORS, INTERRUPT, OUTPUT};
use lilliput_runtime::{Interrupt, IoPorts, invoke};
use lilliput_user64::Native;
use uart_16550::backend::Backend;
use uart_16550::spec::FIFO_SIZE;
use uart_16550::spec::registers::IER;
use uart_16550::{BaudRate, Config, Uart16550};

/// How often a transmitter is asked whether it can take more before the bytes are given up.
const PATIENCE: u32 = 1 << 20;
/// How often the port is looked at for one interrupt: more than it can have to say.
const MOST_CAUSES: usize = 256;
/// What goes before a line's mark, if its output is one of several.
const MARK: u8 = 0x1e;

/// Registers by system calls. A call that is refused reads as if nothing answered.
#[derive(Clone, Copy)]
struct Registers {
    ports: IoPorts<Native>,
    first: u16,
}

impl Backend for Registers {
    unsafe fn read(&mut self, register: u8) -> u8 {
        self.ports.read(self.first + u16::from(register), 1).map_or(0xff, |value| value as u8)
    }

    unsafe fn write(&mut self, register: u8, value: u8) {
        // A port that is not there loses what is written, as this does.
        let _ = self.ports.write(self.first + u16::from(register), 1, u32::from(value));
    }
}

/// A stream's port.
fn port(stream: Stream) -> Uart16550<Registers> {
    let (place, first) = match stream {
        Stream::Output => (OUTPUT, port::OUTPUT),
        Stream::Error => (ERRORS, port::ERRORS),
    };
    // SAFETY: the kernel checks every access; the worst that a register can do to this program is to be read as something else.
    unsafe { Uart16550::new_with_backend(Registers { ports: IoPorts::at(place), first }) }
}

/// Sets both ports up, which are not after a reset: they would send five bits of each byte, and one byte at a time. If somebody `types`, the
/// first interrupts.
pub fn start(types: bool) {
    for stream in [Stream::Output, Stream::Error] {
        let interrupts = if types && stream == Stream::Output { IER::DATA_READY } else { IER::empty() };
        // Into one that is not there nobody writes.
        let _ = port(stream).init(Config { baud_rate: BaudRate::Baud115200, interrupts, ..Config::default() });
    }
}

/// Calls `with` with what was typed since, as long as it comes; then the port may interrupt again.
pub fn take_typed(mut with: impl FnMut(&[u8])) -> Result<(), Error> {
    let mut uart = port(Stream::Output);
    for _ in 0..MOST_CAUSES {
        let cause = uart.isr().interrupt_type();
        match uart.try_receive_byte() {
            Ok(byte) => with(&[byte]),
            Err(_) if cause.is_none() => break,
            Err(_) => {}
        }
    }
    Interrupt::<Native>::at(INTERRUPT).acknowledge()
}

/// Sends bytes as they are, by a port that was set up.
pub fn send(stream: Stream, bytes: &[u8]) {
    let mut uart = port(stream);
    let Registers { ports, first } = *uart.backend();
    let most = if uart.fifo_enabled() { FIFO_SIZE } else { 1 };
    for piece in bytes.chunks(most) {
        if !is_ready(&mut uart) || ports.write_bytes(first, piece).is_err() {
            return;
        }
    }
}

fn is_ready(uart: &mut Uart16550<Registers>) -> bool {
    (0..PATIENCE).any(|_| {
        let ready = uart.ready_to_send().is_ok();
        if !ready {
            invoke::give_way::<Native>();
        }
        ready
    })
}

/// Marks where the output of one of several lines begins, in both streams. No mark for the only one, which has no name.
pub fn mark(name: &[u8]) {
    if name.is_empty() {
        return;
    }
    for stream in [Stream::Output, Stream::Error] {
        send(stream, &[MARK]);
        send(stream, name);
        send(stream, b"\n");
    }
}
