//! Line editing: from the keys of a terminal to lines.

/// The longest line, its end not counted.
pub const MOST: usize = 255;

/// What a key led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Nothing but a change of the line.
    None,
    /// The line is whole: see [`Editor::line`].
    Line,
    /// ^C: the line is dropped.
    Interrupt,
    /// ^D on an empty line: there is no more to come.
    End,
}

const INTERRUPT: u8 = 0x03;
const END: u8 = 0x04;
const BELL: u8 = 0x07;
const BACKSPACE: u8 = 0x08;
const DELETE: u8 = 0x7f;
const DELETE_LINE: u8 = 0x15;
const DELETE_WORD: u8 = 0x17;
const ESCAPE: u8 = 0x1b;

/// How far a control sequence of the terminal's, such as an arrow key's, has come. It is passed over.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sequence {
    None,
    Escape,
    Parameters,
}

/// A line that is being typed. Its end is where it is edited.
pub struct Editor {
    bytes: [u8; MOST],
    length: usize,
    whole: bool,
    after_return: bool,
    sequence: Sequence,
}

impl Default for Editor {
    fn default() -> Self {
        Self::new()
    }
}

impl Editor {
    /// An empty line.
    pub const fn new() -> Self {
        Self { bytes: [0; MOST], length: 0, whole: false, after_return: false, sequence: Sequence::None }
    }

    /// What was typed, without the line's end.
    pub fn line(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    /// Takes in a byte from the terminal; what the terminal is to show goes to `echo`.
    pub fn feed(&mut self, byte: u8, echo: &mut impl FnMut(&[u8])) -> Event {
        if core::mem::take(&mut self.whole) {
            self.length = 0;
        }
        // A line ends with CR, LF or both.
        if core::mem::replace(&mut self.after_return, byte == b'\r') && byte == b'\n' {
            return Event::None;
        }
        if self.skips(byte) {
            return Event::None;
        }
        match byte {
            b'\r' | b'\n' => {
                echo(b"\r\n");
                self.whole = true;
                return Event::Line;
            }
            INTERRUPT => {
                echo(b"^C\r\n");
                self.length = 0;
                return Event::Interrupt;
            }
            END if self.length == 0 => {
                echo(b"\r\n");
                return Event::End;
            }
            BACKSPACE | DELETE => {
                self.delete_last(echo);
            }
            DELETE_LINE => while self.delete_last(echo).is_some() {},
            DELETE_WORD => self.delete_word(echo),
            ESCAPE => self.sequence = Sequence::Escape,
            b' '.. if self.length < MOST => {
                self.bytes[self.length] = byte;
                self.length += 1;
                echo(&[byte]);
            }
            _ => echo(&[BELL]),
        }
        Event::None
    }

    /// Whether a byte belongs to a control sequence (ECMA-48, 5.4).
    fn skips(&mut self, byte: u8) -> bool {
        let next = match (self.sequence, byte) {
            (Sequence::None, _) => return false,
            (Sequence::Escape, b'[' | b'O') | (Sequence::Parameters, 0x20..=0x3f) => Sequence::Parameters,
            // Its last byte; or something that is no part of one, which counts by itself if it is a control.
            _ => Sequence::None,
        };
        self.sequence = next;
        byte >= b' '
    }

    /// Deletes the last character, which may have several bytes (UTF-8), and says which its first byte was.
    fn delete_last(&mut self, echo: &mut impl FnMut(&[u8])) -> Option<u8> {
        let is_first = |byte: &u8| *byte & 0xc0 != 0x80;
        let first = self.line().iter().rposition(is_first).or(self.length.checked_sub(1))?;
        self.length = first;
        echo(b"\x08 \x08");
        Some(self.bytes[first])
    }

    fn delete_word(&mut self, echo: &mut impl FnMut(&[u8])) {
        while self.line().last() == Some(&b' ') {
            self.delete_last(echo);
        }
        while self.line().last().is_some_and(|&byte| byte != b' ') {
            self.delete_last(echo);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What a terminal shows of what it is sent, for one line.
    #[derive(Default)]
    struct Screen {
        cells: Vec<char>,
        column: usize,
    }

    impl Screen {
        fn show(&mut self, text: &str) {
            for character in text.chars() {
                match character {
                    '\x08' => self.column -= 1,
                    '\r' | '\n' | '\x07' => {}
                    _ => {
                        self.cells.truncate(self.column);
                        self.cells.push(character);
                        self.column += 1;
                    }
                }
            }
        }

        fn text(&self) -> String {
            self.cells[..self.column].iter().collect()
        }
    }

    /// The events, the lines, and what was echoed.
    fn run(keys: &[u8]) -> (Vec<Event>, Vec<String>, Vec<u8>) {
        let (mut editor, mut events, mut lines, mut echoed) = (Editor::new(), Vec::new(), Vec::new(), Vec::new());
        for &key in keys {
            let event = editor.feed(key, &mut |bytes| echoed.extend_from_slice(bytes));
            if event == Event::Line {
                lines.push(String::from_utf8_lossy(editor.line()).into_owned());
            }
            if event != Event::None {
                events.push(event);
            }
        }
        (events, lines, echoed)
    }

    fn lines(keys: &str) -> Vec<String> {
        run(keys.as_bytes()).1
    }

    #[test]
    fn lines_are_what_was_typed() {
        assert_eq!(lines("help\rtasks\n"), ["help", "tasks"]);
        assert_eq!(lines("a\r\nb\r\n\r"), ["a", "b", ""], "CR LF is one end");
        assert_eq!(run(b"hi\r").2, b"hi\r\n");
    }

    #[test]
    fn mistakes_are_deleted() {
        assert_eq!(lines("hekp\x08\x7flp\r"), ["help"]);
        assert_eq!(lines("one two\x17three\r"), ["one three"]);
        assert_eq!(lines("one two  \x17\x17x\r"), ["x"]);
        assert_eq!(lines("all wrong\x15right\r"), ["right"]);
        assert_eq!(lines("\x08\x17\x15a\r"), ["a"], "deleting nothing");
        assert_eq!(lines("aü\x08b\r"), ["ab"], "a character of two bytes");
    }

    #[test]
    fn controls_end_or_drop_a_line() {
        assert_eq!(run(b"abc\x03x\r").0, [Event::Interrupt, Event::Line]);
        assert_eq!(lines("abc\x03x\r"), ["x"]);
        assert_eq!(run(b"\x04").0, [Event::End]);
        assert_eq!(run(b"a\x04\r").0, [Event::Line], "no end in the middle of a line");
    }

    #[test]
    fn arrow_keys_do_nothing() {
        assert_eq!(lines("a\x1b[A\x1b[1;5D\x1bOPb\r"), ["ab"]);
        assert_eq!(run(b"a\x1b\x03").0, [Event::Interrupt], "a control in the middle of a sequence counts");
    }

    #[test]
    fn a_line_has_an_end() {
        let (_, lines, echoed) = run(&[b"x".repeat(MOST + 5), b"\r".to_vec()].concat());
        assert_eq!(lines, ["x".repeat(MOST)]);
        assert_eq!(echoed.iter().filter(|&&byte| byte == BELL).count(), 5);
    }

    proptest! {
        /// Whatever is typed, the terminal shows the line, and a line never holds a control.
        #[test]
        fn the_terminal_shows_the_line(keys in "[ -~ä€\x08\x15\x17\x7f]{0,80}") {
            let (mut editor, mut screen, mut echoed) = (Editor::new(), Screen::default(), Vec::new());
            for key in keys.bytes() {
                editor.feed(key, &mut |bytes| echoed.extend_from_slice(bytes));
            }
            screen.show(&String::from_utf8_lossy(&echoed));
            let line = String::from_utf8(editor.line().to_vec()).unwrap();
            prop_assert!(!line.chars().any(char::is_control));
            prop_assert_eq!(screen.text(), line);
        }

        #[test]
        fn no_bytes_do_harm(keys in prop::collection::vec(any::<u8>(), 0..600)) {
            let lines = run(&keys).1;
            prop_assert!(lines.iter().all(|line| line.len() <= 3 * MOST));
        }
    }
}
