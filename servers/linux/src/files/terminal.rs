//! The terminal: what is typed becomes lines, echoes and signals, and what is printed gets its ends of lines.
//!
//! Settings are those of `struct termios` (`include/uapi/asm-generic/termbits.h`), of which the usual ones have an effect.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use linux_raw_sys::general::{
    ECHO, ECHOCTL, ECHOE, ECHONL, ICANON, ICRNL, IGNCR, INLCR, ISIG, NOFLSH, ONLCR, OPOST, SIGINT, SIGQUIT, SIGTSTP,
    TOSTOP, VEOF, VEOL, VERASE, VINTR, VKILL, VMIN, VQUIT, VSUSP, VTIME, VWERASE,
};

/// Bytes of the settings.
pub const SETTINGS: usize = 36;
/// Where the control characters begin.
const KEYS: usize = 17;
/// Bytes that wait to be read, at most: more of what is typed is lost.
const MOST: usize = 4096;

/// The terminal.
pub struct Terminal {
    settings: [u8; SETTINGS],
    /// Rows and columns, then pixels.
    pub size: [u8; 8],
    /// The session that it belongs to, and the group in its foreground; 0 for none.
    pub session: u32,
    /// That group.
    pub foreground: u32,
    /// The line that is being typed.
    line: Vec<u8>,
    /// What can be read: lines, an empty one for the end of input; or keys one by one.
    ready: VecDeque<Vec<u8>>,
}

/// What typing something leads to.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Effect {
    /// What is shown.
    pub echo: Vec<u8>,
    /// Signals to the group in the foreground.
    pub signals: Vec<u32>,
}

/// What comes of reading.
#[derive(Debug, PartialEq, Eq)]
pub enum Read {
    /// These bytes; none for the end of input.
    Bytes(Vec<u8>),
    /// Somebody has to type first; but no longer than this, in nanoseconds, if that is said.
    Wait(Option<u64>),
}

impl Terminal {
    /// One of so many rows and columns, which belongs to nobody.
    pub fn new((rows, columns): (u16, u16)) -> Self {
        let mut size = [0; 8];
        size[..2].copy_from_slice(&rows.to_le_bytes());
        size[2..4].copy_from_slice(&columns.to_le_bytes());
        Self { settings: super::TERMINAL, size, session: 0, foreground: 0, line: Vec::new(), ready: VecDeque::new() }
    }

    /// The settings.
    pub const fn settings(&self) -> &[u8; SETTINGS] {
        &self.settings
    }

    /// Changes them; what was typed may be forgotten.
    pub fn set(&mut self, settings: [u8; SETTINGS], forgets: bool) {
        self.settings = settings;
        if forgets {
            self.forget();
        }
        if !self.is(3, ICANON) && !self.line.is_empty() {
            // The line's keys count one by one from now on.
            let line = core::mem::take(&mut self.line);
            self.ready.push_back(line);
        }
    }

    /// Forgets what was typed and not read.
    pub fn forget(&mut self) {
        self.line.clear();
        self.ready.clear();
    }

    /// Whether a flag is set, of input, output, control or local flags.
    fn is(&self, word: usize, flag: u32) -> bool {
        let at = 4 * word;
        let flags = u32::from_le_bytes([0, 1, 2, 3].map(|byte| self.settings[at + byte]));
        flags & flag != 0
    }

    /// Whether who is in the background may not print.
    pub fn stops_output(&self) -> bool {
        self.is(3, TOSTOP)
    }

    const fn key(&self, number: u32) -> u8 {
        self.settings[KEYS + number as usize]
    }

    /// Somebody has typed this.
    pub fn type_in(&mut self, bytes: &[u8]) -> Effect {
        let mut effect = Effect::default();
        for &byte in bytes {
            self.type_key(byte, &mut effect);
        }
        effect
    }

    fn type_key(&mut self, byte: u8, effect: &mut Effect) {
        let byte = match byte {
            b'\r' if self.is(0, IGNCR) => return,
            b'\r' if self.is(0, ICRNL) => b'\n',
            b'\n' if self.is(0, INLCR) => b'\r',
            byte => byte,
        };
        if self.is(3, ISIG) && byte != 0 {
            for (key, signal) in [(VINTR, SIGINT), (VQUIT, SIGQUIT), (VSUSP, SIGTSTP)] {
                if byte == self.key(key) {
                    if !self.is(3, NOFLSH) {
                        self.forget();
                    }
                    self.echo(byte, effect);
                    effect.signals.push(signal);
                    return;
                }
            }
        }
        if !self.is(3, ICANON) {
            self.push(alloc::vec![byte]);
            self.echo(byte, effect);
            return;
        }
        match byte {
            _ if byte != 0 && byte == self.key(VERASE) => self.erase(1, effect),
            _ if byte != 0 && byte == self.key(VKILL) => self.erase(usize::MAX, effect),
            _ if byte != 0 && byte == self.key(VWERASE) => {
                let word =
                    self.line.trim_ascii_end().iter().rev().take_while(|byte| !byte.is_ascii_whitespace()).count();
                let spaces = self.line.len() - self.line.trim_ascii_end().len();
                self.erase_bytes(word + spaces, effect);
            }
            _ if byte != 0 && byte == self.key(VEOF) => {
                let line = core::mem::take(&mut self.line);
                self.push(line);
            }
            _ if byte == b'\n' || byte != 0 && byte == self.key(VEOL) => {
                self.line.push(byte);
                if self.is(3, ECHO) || self.is(3, ECHONL) && byte == b'\n' {
                    self.show(byte, effect);
                }
                let line = core::mem::take(&mut self.line);
                self.push(line);
            }
            _ if self.line.len() + self.waiting() < MOST - 1 => {
                self.line.push(byte);
                self.echo(byte, effect);
            }
            // There is no room: it is lost, and a bell tells.
            _ => effect.echo.push(7),
        }
    }

    fn push(&mut self, chunk: Vec<u8>) {
        // Ends of input count as well: they are entries.
        if self.waiting() + chunk.len() <= MOST && self.ready.len() < MOST {
            self.ready.push_back(chunk);
        }
    }

    /// How many bytes can be read, in all.
    fn waiting(&self) -> usize {
        self.ready.iter().map(Vec::len).sum()
    }

    /// Takes so many letters from the end of the line.
    fn erase(&mut self, letters: usize, effect: &mut Effect) {
        let is_first = |&byte: &u8| byte & 0xc0 != 0x80;
        let start = self
            .line
            .iter()
            .enumerate()
            .rev()
            .filter(|(_, byte)| is_first(byte))
            .map(|(place, _)| place)
            .take(letters)
            .last();
        let bytes = start.map_or(0, |start| self.line.len() - start);
        self.erase_bytes(bytes, effect);
    }

    fn erase_bytes(&mut self, bytes: usize, effect: &mut Effect) {
        for byte in self.line.split_off(self.line.len() - bytes) {
            let width = match byte {
                0x80..0xc0 => 0,
                0..0x20 if self.is(3, ECHOCTL) => 2,
                0..0x20 => 0,
                _ => 1,
            };
            if self.is(3, ECHO) && self.is(3, ECHOE) {
                (0..width).for_each(|_| effect.echo.extend(b"\x08 \x08"));
            }
        }
    }

    fn echo(&self, byte: u8, effect: &mut Effect) {
        if self.is(3, ECHO) {
            self.show(byte, effect);
        }
    }

    fn show(&self, byte: u8, effect: &mut Effect) {
        match byte {
            b'\n' | b'\t' => effect.echo.extend(self.printed(&[byte])),
            0..0x20 | 0x7f if self.is(3, ECHOCTL) => effect.echo.extend([b'^', byte ^ 0x40]),
            byte => effect.echo.push(byte),
        }
    }

    /// What the screen gets where a program prints this.
    pub fn printed(&self, bytes: &[u8]) -> Vec<u8> {
        let returns = self.is(1, OPOST) && self.is(1, ONLCR);
        let mut printed = Vec::with_capacity(bytes.len());
        for &byte in bytes {
            if byte == b'\n' && returns {
                printed.push(b'\r');
            }
            printed.push(byte);
        }
        printed
    }

    /// Whether something can be read.
    pub fn is_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// How many bytes can be read at once.
    pub fn next(&self) -> usize {
        if self.is(3, ICANON) { self.ready.front().map_or(0, Vec::len) } else { self.waiting() }
    }

    /// Reads at most so many bytes.
    pub fn read(&mut self, most: usize) -> Read {
        let by_lines = self.is(3, ICANON);
        if most == 0 {
            return Read::Bytes(Vec::new());
        }
        if !by_lines {
            let (least, tenths) = (self.key(VMIN), self.key(VTIME));
            let enough = usize::from(least).min(most);
            if self.waiting() < enough.max(1) && (least != 0 || tenths != 0) {
                let limit = (least == 0).then(|| u64::from(tenths) * 100_000_000);
                return Read::Wait(limit);
            }
        } else if self.ready.is_empty() {
            return Read::Wait(None);
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = self.ready.front_mut() {
            let count = chunk.len().min(most - bytes.len());
            bytes.extend(chunk.drain(..count));
            if chunk.is_empty() {
                self.ready.pop_front();
            }
            if by_lines || bytes.len() == most {
                break;
            }
        }
        Read::Bytes(bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::string::String;

    use super::*;

    fn terminal() -> Terminal {
        Terminal::new((24, 80))
    }

    fn typed(terminal: &mut Terminal, text: &str) -> String {
        String::from_utf8(terminal.type_in(text.as_bytes()).echo).unwrap()
    }

    fn raw(least: u8, tenths: u8) -> Terminal {
        make_raw(terminal(), least, tenths)
    }

    fn make_raw(mut terminal: Terminal, least: u8, tenths: u8) -> Terminal {
        let mut settings = *terminal.settings();
        // No lines, no echo, no signals.
        settings[12..16].fill(0);
        (settings[KEYS + VMIN as usize], settings[KEYS + VTIME as usize]) = (least, tenths);
        terminal.set(settings, false);
        terminal
    }

    #[test]
    fn lines_are_edited_and_read_one_at_a_time() {
        let mut terminal = terminal();
        assert_eq!(typed(&mut terminal, "hepl\x7f\x7flp\rtwo"), "hepl\x08 \x08\x08 \x08lp\r\ntwo");
        assert!(terminal.is_ready());
        assert_eq!(terminal.read(3), Read::Bytes(b"hel".to_vec()));
        assert_eq!(terminal.read(100), Read::Bytes(b"p\n".to_vec()));
        assert_eq!(terminal.read(100), Read::Wait(None));
        typed(&mut terminal, " words  \x17\x15three\n");
        assert_eq!(terminal.read(100), Read::Bytes(b"three\n".to_vec()));
        // Nothing is there to be erased, nor half a letter.
        assert_eq!(typed(&mut terminal, "\x7f\x17\x15"), "");
        typed(&mut terminal, "a\u{e4}\x7f\n");
        assert_eq!(terminal.read(100), Read::Bytes(b"a\n".to_vec()));
    }

    #[test]
    fn a_line_that_is_begun_counts_key_by_key_once_there_are_no_lines() {
        let mut terminal = terminal();
        typed(&mut terminal, "half");
        let mut terminal = make_raw(terminal, 1, 0);
        typed(&mut terminal, " a line\r");
        assert_eq!(terminal.next(), 12);
        for key in b"half a line\n" {
            assert_eq!(terminal.read(1), Read::Bytes([*key].to_vec()));
        }
        assert_eq!(terminal.read(1), Read::Wait(None));
    }

    #[test]
    fn the_end_of_input_is_an_empty_line_or_a_line_without_its_end() {
        let mut terminal = terminal();
        assert_eq!(typed(&mut terminal, "ab\x04\x04"), "ab");
        assert_eq!(terminal.read(9), Read::Bytes(b"ab".to_vec()));
        assert_eq!(terminal.read(9), Read::Bytes(Vec::new()));
        assert_eq!(terminal.read(9), Read::Wait(None));
    }

    #[test]
    fn keys_are_signals_and_drop_the_line() {
        let mut terminal = terminal();
        let effect = terminal.type_in(b"line\x03\x1a\x1c");
        assert_eq!((effect.signals, effect.echo), (vec![SIGINT, SIGTSTP, SIGQUIT], b"line^C^Z^\\".to_vec()));
        assert!(!terminal.is_ready());
        let mut terminal = raw(1, 0);
        assert_eq!(terminal.type_in(b"\x03"), Effect::default());
        assert_eq!(terminal.read(9), Read::Bytes(vec![3]));
    }

    #[test]
    fn without_lines_keys_are_read_as_they_come() {
        let mut terminal = raw(1, 0);
        assert_eq!(terminal.read(9), Read::Wait(None));
        assert_eq!(typed(&mut terminal, "a\x7f\r"), "");
        assert_eq!((terminal.next(), terminal.read(2)), (3, Read::Bytes(b"a\x7f".to_vec())));
        assert_eq!(terminal.read(2), Read::Bytes(b"\n".to_vec()));
        let mut terminal = raw(3, 0);
        typed(&mut terminal, "ab");
        assert_eq!(terminal.read(9), Read::Wait(None));
        assert_eq!(terminal.read(2), Read::Bytes(b"ab".to_vec()));
        assert_eq!(raw(0, 0).read(9), Read::Bytes(Vec::new()));
        assert_eq!(raw(0, 5).read(9), Read::Wait(Some(500_000_000)));
    }

    #[test]
    fn what_is_typed_is_bounded() {
        for mut terminal in [terminal(), raw(1, 0)] {
            for _ in 0..3 * MOST {
                terminal.type_in(b"x");
            }
            terminal.type_in(b"\n");
            let Read::Bytes(bytes) = terminal.read(usize::MAX) else { panic!("nothing is there") };
            assert!((MOST - 1..=MOST).contains(&bytes.len()));
        }
        let mut terminal = terminal();
        (0..3 * MOST).for_each(|_| drop(terminal.type_in(b"\x04")));
        assert_eq!(terminal.ready.len(), MOST);
    }

    #[test]
    fn what_is_printed_gets_its_ends_of_lines() {
        let mut terminal = terminal();
        assert_eq!(terminal.printed(b"a\nb"), b"a\r\nb");
        let mut settings = *terminal.settings();
        settings[4..8].fill(0);
        terminal.set(settings, true);
        assert_eq!(terminal.printed(b"a\nb"), b"a\nb");
    }
}
