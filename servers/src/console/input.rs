//! Input: keys become lines, and lines go to who asks for them.
//!
//! Two threads, so that neither waits for what only it could bring about: the driver serves the port's interrupts and never waits for
//! anything else; the editor makes lines of keys, shows them and hands them out. It hears of keys where it receives from readers. So what is
//! typed while nobody reads is shown and kept, and ^C is heard.

use lilliput_abi::tag::SHORT_WORDS;
use lilliput_runtime::console::edit::{Editor, Event, MOST};
use lilliput_runtime::console::ring::Ring;
use lilliput_runtime::console::{ECHO, END, PROMPT, READ};
use lilliput_runtime::message::pack;
use lilliput_runtime::object::{Received, reply};
use lilliput_runtime::place::console::{BREAK, KEYS_PRESSED, OUTPUT, READERS, SENT};
use lilliput_runtime::place::driver::{INTERRUPT, INTERRUPTED};
use lilliput_runtime::{Interrupt, Message, Word};
use lilliput_user64::Native;
use uart_16550::spec::registers::InterruptType;

use crate::uart;

type Endpoint = lilliput_runtime::Endpoint<Native>;
type Notification = lilliput_runtime::Notification<Native>;

/// Stands in the ring for the end of input. No line has such a byte.
const END_OF_INPUT: u8 = 4;

/// Keys that are not in a line yet.
static KEYS: Ring<1024> = Ring::new();
/// Whole lines that nobody has read, each with its end.
static TYPED: Ring<4096> = Ring::new();

/// How often the port is looked at for one interrupt: more than it can have to say.
const MOST_CAUSES: usize = 256;

/// Serves the port's interrupts, for ever.
pub fn drive() -> ! {
    let mut uart = uart::view();
    let interrupt = Interrupt::<Native>::at(INTERRUPT);
    loop {
        // Before the first one as well: what has come until then interrupts no more.
        for _ in 0..MOST_CAUSES {
            let cause = uart.isr().interrupt_type();
            if cause == Some(InterruptType::TransmitterHoldingRegisterEmpty) {
                let _ = Notification::at(SENT).signal();
            }
            match uart.try_receive_byte() {
                // Keys that nobody makes lines of are lost.
                Ok(byte) => drop(KEYS.put(&[byte])),
                Err(_) if cause.is_none() => break,
                Err(_) => {}
            }
        }
        let _ = Notification::at(KEYS_PRESSED).signal();
        if let Err(error) = interrupt.acknowledge().and_then(|()| Notification::at(INTERRUPTED).wait()) {
            panic!("the port's interrupt: {error:?}");
        }
    }
}

/// Makes lines of keys and hands them out, for ever.
pub fn edit() -> ! {
    let mut editor = Editor::new();
    // Who waits for a line: how many bytes a word of its has.
    let mut reader = None;
    if let Err(error) = Notification::at(KEYS_PRESSED).bind() {
        panic!("the notification of keys: {error:?}");
    }
    loop {
        take_keys(&mut editor, reader.is_some());
        if let Some(word) = reader
            && hand_out(word)
        {
            reader = None;
        }
        let heard = match reader {
            // Whoever receives leaves its caller without an answer.
            Some(_) => Notification::at(KEYS_PRESSED).wait().map(drop),
            None => Endpoint::at(READERS).receive().map(|received| reader = begin(&received)),
        };
        if let Err(error) = heard {
            panic!("readers and keys: {error:?}");
        }
    }
}

/// A message, or the signal that there are keys. Who wants a line waits for it: as many bytes in a word as the reader's has.
fn begin(received: &Received) -> Option<usize> {
    if received.signals().is_some() {
        return None;
    }
    if received.message.label() != READ {
        // Nonsense gets nothing, and so does whoever is gone.
        let _ = reply::<Native>(&Message::new(0, &[]));
        return None;
    }
    let _ = Endpoint::at(OUTPUT).request(PROMPT, &[received.badge as Word]);
    Some(received.message.words[0].clamp(1, size_of::<Word>()))
}

/// All keys that there are.
fn take_keys(editor: &mut Editor, reading: bool) {
    let mut keys = [0; 64];
    loop {
        // No key is 0xff in any encoding of text: as many as there are.
        let count = KEYS.peek_until(0xff, &mut keys);
        KEYS.take(count);
        keys[..count].iter().for_each(|&key| take(editor, key, reading));
        if count == 0 {
            return;
        }
    }
}

/// A key.
fn take(editor: &mut Editor, byte: u8, reading: bool) {
    let mut line = [0; MOST + 1];
    let length = match editor.feed(byte, &mut show) {
        Event::None => 0,
        Event::Line => {
            let text = editor.line();
            line[..text.len()].copy_from_slice(text);
            line[text.len()] = b'\n';
            text.len() + 1
        }
        Event::End => {
            line[0] = END_OF_INPUT;
            1
        }
        Event::Interrupt => {
            let _ = Notification::at(BREAK).signal();
            // Who reads gets an empty line, to show its prompt again.
            line[0] = b'\n';
            usize::from(reading)
        }
    };
    if length == 0 {
        return;
    }
    if !TYPED.put(&line[..length]) {
        show(b"\x07(nobody reads: the line is lost)\r\n");
    }
}

/// Shows text on the terminal.
fn show(text: &[u8]) {
    for piece in text.chunks(SHORT_WORDS as usize * size_of::<Word>()) {
        let mut words = [0; SHORT_WORDS as usize];
        let count = pack(piece, &mut words);
        // An output that is gone shows nothing.
        let _ = Endpoint::at(OUTPUT).request(ECHO, &words[..count]);
    }
}

/// Answers the reader with what was typed, a line at most, if there is anything.
fn hand_out(word: usize) -> bool {
    let mut bytes = [0; SHORT_WORDS as usize * size_of::<Word>()];
    let count = TYPED.peek_until(b'\n', &mut bytes[..SHORT_WORDS as usize * word]);
    if count == 0 {
        return false;
    }
    let end = bytes[..count].iter().position(|&byte| byte == END_OF_INPUT);
    // A line that is only begun by another one's end.
    let (count, text) = if end == Some(0) { (1, 0) } else { (end.unwrap_or(count), end.unwrap_or(count)) };
    let mut words = [0; SHORT_WORDS as usize];
    for (place, piece) in words.iter_mut().zip(bytes[..text].chunks(word)) {
        pack(piece, core::slice::from_mut(place));
    }
    let answer = Message::new(if end == Some(0) { END } else { 0 }, &words[..text.div_ceil(word)]);
    // A reader that is gone leaves the line to the next one.
    if reply::<Native>(&answer).is_ok() {
        TYPED.take(count);
    }
    true
}
