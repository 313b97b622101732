//! A tenant: a small task that is made larger and smaller, moved and changed while it runs, and checks its memory all
//! the time. What it is to do it asks its parent for, as a parameter.

use lilliput_abi::Error;

use crate::machine::Machine;
use crate::message::Word;
use crate::parent;
use crate::trial::kit::SMALL_SIZE;

/// Parameter: what is to be done next, as [`Command::packed`].
pub const COMMAND: Word = 1;

/// Bytes of a tenant's space when it begins. What it is given lies beyond.
pub const SIZE: u32 = SMALL_SIZE;
/// Pages given at a time, at most.
pub const MOST_PAGES: Word = 15;
/// Times that it can be given memory; as often, at least, it has less again.
pub const MOST_RANGES: usize = 64;

const PAGE: Word = 4096;
/// Bytes between two words that are looked at: not a divisor of a page.
const STRIDE: Word = 52;

/// What a tenant is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Command {
    /// Nothing.
    #[default]
    GoOn,
    /// Memory was mapped: so many pages at an address.
    Fill(Word, Word),
    /// What lies from this address on is about to be taken away.
    Forget(Word),
}

impl Command {
    /// In 32 bits: the address' page number above bit 12, pages in bits 11..4, the kind below.
    pub const fn packed(self) -> Word {
        match self {
            Self::GoOn => 0,
            Self::Fill(address, pages) => address | pages << 4 | 1,
            Self::Forget(address) => address | 2,
        }
    }

    /// Reads it.
    pub const fn from_packed(word: Word) -> Self {
        let address = word & !(PAGE - 1);
        match word & 0xf {
            1 => Self::Fill(address, word >> 4 & 0xff),
            2 => Self::Forget(address),
            _ => Self::GoOn,
        }
    }
}

const fn mark(seed: Word, address: Word) -> u32 {
    (seed as u32 ^ address as u32).wrapping_mul(0x9e37_79b9) | 1
}

/// Lives on until its parent ends it, or it finds something wrong.
///
/// # Errors
/// What the kernel says.
pub fn run<K: Machine>(seed: Word) -> Result<(), Error> {
    let mut ranges = [(0, 0); MOST_RANGES];
    let mut count = 0;
    loop {
        for &(start, pages) in &ranges[..count] {
            for address in (start..start + pages * PAGE).step_by(STRIDE) {
                let found = K::peek(address & !3);
                let expected = mark(seed, address & !3);
                assert_eq!(found, expected, "what tenant {seed:#x} finds at {address:#x}");
            }
        }
        match Command::from_packed(parent::parameter::<K>(COMMAND)?) {
            Command::GoOn => {}
            Command::Fill(start, pages) => {
                for address in (start..start + pages * PAGE).step_by(4) {
                    let found = K::peek(address);
                    assert_eq!(found, 0, "tenant {seed:#x} was given memory that holds something at {address:#x}");
                    K::poke(address, mark(seed, address));
                }
                ranges[count] = (start, pages);
                count += 1;
            }
            Command::Forget(end) => {
                while count > 0 && ranges[count - 1].0 >= end {
                    count -= 1;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_survive_packing() {
        for command in [Command::GoOn, Command::Fill(0xbffe_f000, MOST_PAGES), Command::Forget(0x40_0000)] {
            assert_eq!(Command::from_packed(command.packed()), command);
            assert!(command.packed() < 1 << 32);
        }
    }
}
