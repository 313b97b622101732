//! The machine: log, facts, power.

use lilliput_abi::Error;
use lilliput_abi::object::SystemMethod;

use super::capability;
use crate::invoke::{Invoke, call};
use crate::message::{Message, WORDS, Word};

capability! {
    /// The system object.
    System
}

impl<K: Invoke> System<K> {
    /// Writes text to the machine's console, in as many pieces as it takes.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn write(self, text: &[u8]) -> Result<(), Error> {
        const WORD_BYTES: usize = size_of::<Word>();
        for piece in text.chunks((WORDS - 1) * WORD_BYTES) {
            let mut message = Message::new(SystemMethod::Write as u16, &[piece.len()]);
            let words = piece.chunks(WORD_BYTES).map(|bytes| {
                let mut word = [0; WORD_BYTES];
                word[..bytes.len()].copy_from_slice(bytes);
                Word::from_le_bytes(word)
            });
            let count = message.words[1..].iter_mut().zip(words).map(|(place, word)| *place = word).count();
            call::<K>(self.place(), message.label(), &message.words[..=count])?;
        }
        Ok(())
    }

    /// Ends the machine with a code of [`lilliput_abi::boot::exit`].
    ///
    /// # Errors
    /// What the kernel says: it came back only because it was refused.
    pub fn exit(self, code: u32) -> Result<(), Error> {
        call::<K>(self.place(), SystemMethod::Exit as u16, &[code as Word]).map(drop)
    }

    /// Reads a fact of [`lilliput_abi::object::fact`].
    ///
    /// # Errors
    /// What the kernel says.
    pub fn fact(self, number: u64) -> Result<u64, Error> {
        call::<K>(self.place(), SystemMethod::Fact as u16, &[number as Word]).map(|answer| answer.pair(0))
    }
}
