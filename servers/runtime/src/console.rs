//! The console: how programs print and read lines, and how the console server keeps their lines apart.

use core::fmt;

use lilliput_abi::Error;

use crate::invoke::Invoke;
use crate::message::{Message, Word};
use crate::object::Endpoint;
use crate::{place, text};

pub mod edit;
pub mod ring;

/// Text of a client: packed as [`text`] has it `-> ()`
pub const WRITE: u16 = 1;
/// Writes at once what a client has written of its line, the client by its badge: `(badge) -> ()`. By the server's own input only.
pub const PROMPT: u16 = 2;
/// Text that is written as it is, packed likewise `-> ()`. By the server's own input only.
pub const ECHO: u16 = 3;

/// On the console's *input* endpoint: waits for a line that somebody types. `(bytes in a word of the caller's) -> (text)`, packed as
/// [`text`] has it. A piece that does not end with a line end is followed by another. The label of the answer is [`END`] where there is no
/// more to come. What the caller has written of a line, a prompt say, is shown first.
pub const READ: u16 = 1;
/// See [`READ`].
pub const END: u16 = 1;

/// The badge by which the server's own input calls its output.
pub const INPUT_BADGE: u32 = 1 << 29;

/// The longest line; a longer one is broken.
pub const LINE_BYTES: usize = 512;
/// Lines that can be begun and not finished at a time; one more breaks the one begun first.
pub const OPEN_LINES: usize = 32;

/// Prints by way of the console server. A console that is gone loses the text.
pub fn print<K: Invoke>(arguments: fmt::Arguments) {
    let console = Endpoint::<K>::at(place::CONSOLE);
    let _ = text::send(arguments, |words| console.call(&Message::new(WRITE, words)).map(drop));
}

/// Reads a line into a buffer, without its end. What does not fit is lost. `None` where there is no more to come.
///
/// # Errors
/// What the kernel says.
pub fn read_line<K: Invoke>(buffer: &mut [u8]) -> Result<Option<usize>, Error> {
    let mut length = 0;
    loop {
        let answer = Endpoint::<K>::at(place::INPUT).request(READ, &[size_of::<Word>()])?;
        if answer.label() == END {
            return Ok(None);
        }
        for byte in text::bytes(answer.payload()) {
            if byte == b'\n' {
                return Ok(Some(length));
            }
            if let Some(place) = buffer.get_mut(length) {
                *place = byte;
                length += 1;
            }
        }
    }
}

#[derive(Clone, Copy)]
struct Line {
    badge: u32,
    /// Zero for a line that is not in use.
    length: usize,
    bytes: [u8; LINE_BYTES],
}

/// Collects what clients write until a line is whole.
pub struct Lines {
    lines: [Line; OPEN_LINES],
    /// The line that is broken next when there are too many.
    oldest: usize,
}

impl Default for Lines {
    fn default() -> Self {
        Self::new()
    }
}

impl Lines {
    /// No line begun.
    pub const fn new() -> Self {
        Self { lines: [Line { badge: 0, length: 0, bytes: [0; LINE_BYTES] }; OPEN_LINES], oldest: 0 }
    }

    /// Adds a byte of a client's text. Whole lines go to `out`, with their end.
    ///
    /// A line that begins with `@` is a record for whoever started the machine. Only the parent, whose capability has no badge,
    /// can write one: to anybody else's a blank is added in front.
    pub fn push(&mut self, badge: u32, byte: u8, out: &mut impl FnMut(&[u8])) {
        let line = self.line_of(badge, out);
        if line.length == 0 && byte == b'@' && badge != 0 {
            line.bytes[0] = b' ';
            line.length = 1;
        }
        line.bytes[line.length] = byte;
        line.length += 1;
        if byte == b'\n' {
            out(&line.bytes[..line.length]);
            line.length = 0;
        } else if line.length == LINE_BYTES - 1 {
            Self::end(line, out);
        }
    }

    /// Ends the line that a client began and did not finish, if there is one.
    pub fn flush(&mut self, badge: u32, out: &mut impl FnMut(&[u8])) {
        if let Some(line) = self.lines.iter_mut().find(|line| line.length > 0 && line.badge == badge) {
            Self::end(line, out);
        }
    }

    /// Writes what a client has written of its line, without an end.
    pub fn prompt(&mut self, badge: u32, out: &mut impl FnMut(&[u8])) {
        if let Some(line) = self.lines.iter_mut().find(|line| line.length > 0 && line.badge == badge) {
            out(&line.bytes[..line.length]);
            line.length = 0;
        }
    }

    fn line_of(&mut self, badge: u32, out: &mut impl FnMut(&[u8])) -> &mut Line {
        let open = self.lines.iter().position(|line| line.length > 0 && line.badge == badge);
        let place = open.or_else(|| self.lines.iter().position(|line| line.length == 0)).unwrap_or_else(|| {
            let place = self.oldest;
            self.oldest = (place + 1) % OPEN_LINES;
            Self::end(&mut self.lines[place], out);
            place
        });
        let line = &mut self.lines[place];
        line.badge = badge;
        line
    }

    fn end(line: &mut Line, out: &mut impl FnMut(&[u8])) {
        line.bytes[line.length] = b'\n';
        out(&line.bytes[..=line.length]);
        line.length = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn run(pieces: &[(u32, String)]) -> Vec<Vec<u8>> {
        let mut lines = Box::new(Lines::new());
        let mut printed = Vec::new();
        for (badge, text) in pieces {
            for byte in text.bytes() {
                lines.push(*badge, byte, &mut |line| printed.push(line.to_vec()));
            }
        }
        printed
    }

    proptest! {
        #[test]
        fn lines_of_two_clients_never_mix(pieces in prop::collection::vec((1_u32..4, "[a-z\n]{0,20}"), 0..40)) {
            for client in 1..4 {
                let mine: Vec<_> = pieces.iter().filter(|piece| piece.0 == client).cloned().collect();
                let text: String = mine.iter().map(|piece| piece.1.as_str()).collect();
                let whole: Vec<&str> = text.split_inclusive('\n').filter(|line| line.ends_with('\n')).collect();
                prop_assert_eq!(run(&mine).concat(), whole.concat().into_bytes());
            }
            let mut together: Vec<_> = run(&pieces);
            let mut apart: Vec<_> = (1..4)
                .flat_map(|client| run(&pieces.iter().filter(|piece| piece.0 == client).cloned().collect::<Vec<_>>()))
                .collect();
            together.sort();
            apart.sort();
            prop_assert_eq!(together, apart);
        }
    }

    #[test]
    fn only_the_parent_writes_records() {
        let text = String::from("@test passed ok\n a@b\n");
        assert_eq!(run(&[(0, text.clone())]).concat(), text.as_bytes());
        assert_eq!(run(&[(7, text)]).concat(), b" @test passed ok\n a@b\n");
    }

    #[test]
    fn a_prompt_is_shown_before_its_line_ends() {
        let (mut lines, mut printed) = (Box::new(Lines::new()), Vec::new());
        for (badge, text) in [(1, "> "), (2, "other")] {
            text.bytes().for_each(|byte| lines.push(badge, byte, &mut |_| panic!("no line is whole")));
        }
        lines.prompt(1, &mut |line| printed.push(line.to_vec()));
        lines.prompt(1, &mut |_| panic!("it was shown already"));
        lines.push(2, b'\n', &mut |line| printed.push(line.to_vec()));
        assert_eq!(printed, [b"> ".to_vec(), b"other\n".to_vec()]);
    }

    #[test]
    fn a_line_too_long_is_broken() {
        let printed = run(&[(1, "x".repeat(LINE_BYTES + 10) + "\n")]);
        assert_eq!(printed.len(), 2);
        assert!(printed.iter().all(|line| line.len() <= LINE_BYTES && line.ends_with(b"\n")));
    }

    #[test]
    fn a_line_begun_is_flushed() {
        let mut lines = Box::new(Lines::new());
        let mut printed = Vec::new();
        for (badge, byte) in [(1, b'a'), (2, b'b'), (1, b'\n'), (2, b'c')] {
            lines.push(badge, byte, &mut |line| printed.push(line.to_vec()));
        }
        for badge in [1, 2, 2] {
            lines.flush(badge, &mut |line| printed.push(line.to_vec()));
        }
        assert_eq!(printed, [b"a\n".to_vec(), b"bc\n".to_vec()]);
    }

    #[test]
    fn one_line_too_many_breaks_the_oldest() {
        let pieces: Vec<_> = (0..=OPEN_LINES as u32).map(|client| (client, format!("c{client}"))).collect();
        assert_eq!(run(&pieces), [b"c0\n"]);
    }
}
