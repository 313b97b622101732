//! The keeper: starts servers from the boot archive, and starts one anew when it dies.
//!
//! A *ward* is a server that it keeps. The endpoint that a ward serves is its owner's, who hands out capabilities to call it: it outlives the ward. So whoever
//! calls one that dies is told [`Gone`](lilliput_abi::Error::Gone), whoever comes later waits for the next, and nobody is handed anything anew.
//!
//! A ward has died when it raised an exception or told its parent that it is done. One that ends its threads without a word is not noticed, nor one
//! that answers nobody.

use lilliput_abi::tag::SHORT_WORDS;
use lilliput_abi::{Error, Rights};

use crate::invoke::Invoke;
use crate::message::{Message, WORDS, Word, pack};
use crate::object::{Endpoint, Parcel};

pub mod ward;

/// Keeps a server: `(name, rest of the name, how it is to be started) -> (ward)`; see [`how`]. What it serves is carried: an endpoint, with the
/// rights to receive, to grant and to destroy.
pub const START: u16 = 1;
/// What became of a ward: `(ward) -> (times that it was started, 1 if it is kept still)`
pub const STATE: u16 = 2;
/// Ends a ward, and its endpoint: `(ward) -> ()`
pub const STOP: u16 = 3;

/// Label of an answer that refuses.
pub const REFUSED: u16 = 1;

/// The most wards.
pub const MOST: usize = 8;
/// The longest name of a program.
pub const NAME_BYTES: usize = 16;

/// The keeper's own places, beside [`place::SERVICE`](crate::place::SERVICE), where wards are heard as well, and [`place::TASK`](crate::place::TASK).
pub mod own {
    /// The boot archive.
    pub const ARCHIVE: u32 = 12;
    /// What pays for wards.
    pub const FACTORY: u32 = 13;
}

/// Word 2 of [`START`]: the role that it is started with, below 2^32, and how often it is started at most. Then its endpoint is destroyed,
/// so that nobody waits for ever.
pub const fn how(role: Word, lives: u32) -> Word {
    role | (lives as Word) << (Word::BITS / 2)
}

/// The other way round.
pub const fn role_and_lives(how: Word) -> (Word, u32) {
    (how & ((1 << (Word::BITS / 2)) - 1), (how >> (Word::BITS / 2)) as u32)
}

/// A keeper, as an owner of its wards, in a 64-bit task, calls it.
#[derive(Clone, Copy, Debug)]
pub struct Keeper<K>(pub Endpoint<K>);

impl<K: Invoke> Keeper<K> {
    /// Has a program kept; its number as a ward.
    ///
    /// # Errors
    /// What the kernel says; `BadArgument` where the keeper refuses.
    pub fn start(self, program: &str, role: Word, lives: u32, service: Endpoint<K>) -> Result<Word, Error> {
        let mut words = [0; SHORT_WORDS as usize - 1];
        if program.len() > NAME_BYTES.min(2 * size_of::<Word>()) {
            return Err(Error::BadArgument);
        }
        pack(program.as_bytes(), &mut words[..2]);
        words[2] = how(role, lives);
        let rights = Rights::RECEIVE | Rights::GRANT | Rights::DESTROY;
        let parcel = Parcel::new(START, &words).capability(service.place(), rights);
        accepted(self.0.call_with(&parcel)?.message).map(|words| words[0])
    }

    /// How often a ward was started, and whether it is kept still.
    ///
    /// # Errors
    /// As [`Keeper::start`].
    pub fn state(self, ward: Word) -> Result<(Word, bool), Error> {
        accepted(self.0.request(STATE, &[ward])?).map(|words| (words[0], words[1] == 1))
    }

    /// Ends a ward and the endpoint that it serves.
    ///
    /// # Errors
    /// As [`Keeper::start`].
    pub fn stop(self, ward: Word) -> Result<(), Error> {
        accepted(self.0.request(STOP, &[ward])?).map(drop)
    }
}

fn accepted(answer: Message) -> Result<[Word; WORDS], Error> {
    if answer.label() == REFUSED { Err(Error::BadArgument) } else { Ok(answer.words) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_and_lives_come_back() {
        for (role, lives) in [(0, 0), (7, 1), (u32::MAX as Word, u32::MAX)] {
            assert_eq!(role_and_lives(how(role, lives)), (role, lives));
        }
    }
}
