//! Lines of text on standard output, each written at once.

use crate::call;

const OUTPUT: usize = 1;
const LONGEST: usize = 120;
/// Digits of the largest number.
const DIGITS: usize = 20;

/// A line that is put together.
pub struct Line {
    bytes: [u8; LONGEST],
    length: usize,
}

impl Default for Line {
    fn default() -> Self {
        Self { bytes: [0; LONGEST], length: 0 }
    }
}

impl Line {
    /// Adds text, as far as there is room.
    pub fn text(&mut self, text: &[u8]) -> &mut Self {
        // One place stays for the end.
        let length = text.len().min(LONGEST - 1 - self.length);
        self.bytes[self.length..][..length].copy_from_slice(&text[..length]);
        self.length += length;
        self
    }

    /// Adds a number.
    pub fn number(&mut self, mut number: u64) -> &mut Self {
        let mut digits = [0; DIGITS];
        let mut first = DIGITS;
        loop {
            first -= 1;
            digits[first] = b'0' + (number % 10) as u8;
            number /= 10;
            if number == 0 {
                return self.text(&digits[first..]);
            }
        }
    }

    /// What it is so far.
    #[allow(dead_code, reason = "one of the programs uses it")]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    /// Prints it.
    pub fn end(&mut self) {
        self.bytes[self.length] = b'\n';
        // There is nobody else to tell.
        let _ = call::write(OUTPUT, &self.bytes[..=self.length]);
        self.length = 0;
    }
}
