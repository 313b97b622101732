//! The machine: log, facts, power.

use lilliput_abi::Error;
use lilliput_abi::object::SystemMethod;

use super::capability;
use crate::invoke::{Invoke, call};
use crate::message::{WORDS, Word, pack};

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
        for piece in text.chunks((WORDS - 1) * size_of::<Word>()) {
            let mut words = [0; WORDS];
            words[0] = piece.len();
            let count = 1 + pack(piece, &mut words[1..]);
            call::<K>(self.place(), SystemMethod::Write as u16, &words[..count])?;
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
