//! Text in message words.
//!
//! Bytes are packed little-endian, as many as a word of the sender holds, four words a message. Zero
//! bytes are no text. So a receiver of the other width unpacks a message without asking: what a
//! 32-bit sender leaves in the upper half of a 64-bit word is zero, and passed over.

use core::fmt::{self, Write};

use lilliput_abi::Error;
use lilliput_abi::tag::SHORT_WORDS;

use crate::message::Word;

const WORDS: usize = SHORT_WORDS as usize;
const WORD_BYTES: usize = size_of::<Word>();

/// The bytes of text in the words of a message.
pub fn bytes(words: &[Word]) -> impl Iterator<Item = u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).filter(|&byte| byte != 0)
}

/// Formats `arguments` and hands them to `send` in full messages; the last one may be shorter.
///
/// # Errors
/// The first that `send` returns.
pub fn send(arguments: fmt::Arguments, send: impl FnMut(&[Word]) -> Result<(), Error>) -> Result<(), Error> {
    let mut packer = Packer { bytes: [0; WORDS * WORD_BYTES], used: 0, send, outcome: Ok(()) };
    // Formatting fails only by what `outcome` holds already.
    let _ = packer.write_fmt(arguments);
    packer.flush();
    packer.outcome
}

struct Packer<S> {
    bytes: [u8; WORDS * WORD_BYTES],
    used: usize,
    send: S,
    outcome: Result<(), Error>,
}

impl<S: FnMut(&[Word]) -> Result<(), Error>> Packer<S> {
    fn flush(&mut self) {
        if self.used == 0 || self.outcome.is_err() {
            return;
        }
        self.bytes[self.used..].fill(0);
        let mut words = [0; WORDS];
        for (word, bytes) in words.iter_mut().zip(self.bytes.chunks_exact(WORD_BYTES)) {
            *word = Word::from_le_bytes(bytes.try_into().unwrap_or_default());
        }
        self.outcome = (self.send)(&words[..self.used.div_ceil(WORD_BYTES)]);
        self.used = 0;
    }
}

impl<S: FnMut(&[Word]) -> Result<(), Error>> Write for Packer<S> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            self.bytes[self.used] = byte;
            self.used += 1;
            if self.used == self.bytes.len() {
                self.flush();
            }
        }
        if self.outcome.is_ok() { Ok(()) } else { Err(fmt::Error) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_was_sent_arrives(text in "[^\0]{0,200}") {
            let mut arrived = Vec::new();
            send(format_args!("{text}"), |words| {
                assert!(!words.is_empty() && words.len() <= WORDS);
                arrived.extend(bytes(words));
                Ok(())
            })
            .unwrap();
            prop_assert_eq!(arrived, text.as_bytes());
        }

        #[test]
        fn a_narrow_sender_is_understood(text in "[ -~]{1,16}") {
            // What a 32-bit program packs, seen in 64-bit words.
            let words: Vec<Word> = text
                .as_bytes()
                .chunks(4)
                .map(|four| four.iter().rev().fold(0, |word, &byte| word << 8 | byte as Word))
                .collect();
            prop_assert_eq!(bytes(&words).collect::<Vec<_>>(), text.as_bytes());
        }
    }

    #[test]
    fn the_first_error_ends_it() {
        let mut calls = 0;
        let outcome = send(format_args!("{:100}", 1), |_| {
            calls += 1;
            Err(Error::Gone)
        });
        assert_eq!((outcome, calls), (Err(Error::Gone), 1));
    }
}
