//! Output: what clients write, line by line, and what the input has to show.

use lilliput_abi::boot::UNENFORCED;
use lilliput_abi::object::fact;
use lilliput_runtime::console::{ECHO, INPUT_BADGE, LINE_BYTES, Lines, PROMPT, WRITE};
use lilliput_runtime::place::console::SENT;
use lilliput_runtime::{Message, Notification, System, invoke, place, text};
use lilliput_user64::Native;
use uart_16550::spec::FIFO_SIZE;
use uart_16550::spec::registers::IER;
use uart_16550::{BaudRate, Config};

use crate::uart::{self, COM1, Uart};

type Endpoint = lilliput_runtime::Endpoint<Native>;

/// How often the transmitter is asked whether it can take more before the port is given up.
const PATIENCE: u32 = 1 << 20;

/// Bytes of a line with what may be added to it.
const PIECE: usize = LINE_BYTES + 16;

/// Where text goes.
enum Output {
    /// To the serial port. Its transmitter interrupts when it can take more, if there is a driver to hear that.
    Port { uart: Uart, interrupts: bool },
    /// To the kernel's log: there is no port.
    Log,
}

/// Serves the clients, for ever. `keys`: somebody drives the receiver.
pub fn run(keys: bool) -> ! {
    let mut output = Output::open(keys);
    let mut lines = Lines::new();
    let mut answer = None;
    loop {
        let received = match Endpoint::at(place::SERVICE).next(answer.as_ref()) {
            Ok(received) => received,
            Err(error) => panic!("the console's endpoint: {error:?}"),
        };
        let message = &received.message;
        match (message.label(), received.badge) {
            (ECHO, INPUT_BADGE) => {
                let mut bytes = [0; size_of::<Message>()];
                let length = text::bytes(message.payload()).zip(&mut bytes).map(|(byte, place)| *place = byte).count();
                output.send(&bytes[..length]);
            }
            (PROMPT, INPUT_BADGE) => lines.prompt(message.words[0] as u32, &mut |text| output.send(text)),
            (WRITE, badge) => {
                for byte in text::bytes(message.payload()) {
                    lines.push(badge, byte, &mut |line| output.line(line));
                }
            }
            _ => {}
        }
        answer = Some(Message::new(0, &[]));
    }
}

impl Output {
    fn open(keys: bool) -> Self {
        let interrupts = if keys { IER::DATA_READY } else { IER::empty() };
        let config = Config { baud_rate: BaudRate::Baud115200, interrupts, ..Config::DEFAULT };
        let mut uart = uart::view();
        if uart.init(config).is_err() {
            return Self::Log;
        }
        Self::Port { uart, interrupts: keys }
    }

    /// Writes a line. Its end becomes CR LF, as terminals want it; before that goes the mark of a boot that confines nobody.
    fn line(&mut self, line: &[u8]) {
        let Self::Port { .. } = self else { return self.send(line) };
        let marked = System::<Native>::at(place::SYSTEM).fact(fact::UNENFORCED) == Ok(1);
        let (mut piece, mut length) = ([0; PIECE], 0);
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        let mark: [&[u8]; 2] = if marked { [b" ", UNENFORCED.as_bytes()] } else { [b"", b""] };
        for part in [text, mark[0], mark[1], b"\r\n"] {
            piece[length..length + part.len()].copy_from_slice(part);
            length += part.len();
        }
        self.send(&piece[..length]);
    }

    /// Writes bytes as they are.
    fn send(&mut self, bytes: &[u8]) {
        let Self::Port { uart, interrupts } = self else {
            // There is nowhere to say that the log refused a line.
            let _ = System::<Native>::at(place::SYSTEM).write(bytes);
            return;
        };
        let most = if uart.fifo_enabled() { FIFO_SIZE } else { 1 };
        for piece in bytes.chunks(most) {
            if !wait(uart, *interrupts) || uart::ports().write_bytes(COM1, piece).is_err() {
                *self = Self::Log;
                return;
            }
        }
    }
}

/// Waits until the transmitter can take more. False where it takes too long.
fn wait(uart: &mut Uart, interrupts: bool) -> bool {
    for _ in 0..PATIENCE {
        if uart.ready_to_send().is_ok() {
            return true;
        }
        if interrupts {
            uart.enable_interrupts(IER::THR_EMPTY);
            let sent = Notification::<Native>::at(SENT).wait();
            uart.disable_interrupts(IER::THR_EMPTY);
            if sent.is_err() {
                return false;
            }
        } else {
            invoke::give_way::<Native>();
        }
    }
    false
}
