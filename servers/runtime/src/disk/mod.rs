//! The disk: how a client has sectors read and written.
//!
//! Data goes through frames that client and server share, [`BUFFER_PAGES`] of them; whoever starts both gives them out. A request names
//! sectors; the data begin at the frames' first byte. Requests are answered when they are done.
//!
//! Who does not want to wait uses [`rings`].

pub mod check;
pub mod pattern;
pub mod rings;

use lilliput_abi::Error;

use crate::invoke::Invoke;
use crate::message::{Message, Word, halves};
use crate::object::Endpoint;

/// How many sectors there are: `() -> (low 32 bits, high 32 bits)`
pub const CAPACITY: u16 = 1;
/// Reads sectors into the frames: `(count, low half of the first one's number, high half) -> ()`
pub const READ: u16 = 2;
/// Writes sectors from the frames: likewise.
pub const WRITE: u16 = 3;
/// Waits until what was written is on the disk: `() -> ()`
pub const FLUSH: u16 = 4;
/// How often the device interrupted: `() -> (low 32 bits, high 32 bits)`
pub const INTERRUPTS: u16 = 5;

/// Labels of answers.
pub mod answer {
    /// It is done.
    pub const DONE: u16 = 0;
    /// No such request, no such sectors, or more than the frames hold.
    pub const REFUSED: u16 = 1;
    /// The device failed, or there is none.
    pub const FAILED: u16 = 2;
}

/// Bytes of a sector.
pub const SECTOR: usize = 512;
/// Pages of the frames that are shared.
pub const BUFFER_PAGES: usize = 16;
/// Sectors that they hold.
pub const MOST_SECTORS: usize = BUFFER_PAGES * 4096 / SECTOR;

/// Why a request was not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskError {
    /// See [`answer::REFUSED`].
    Refused,
    /// See [`answer::FAILED`].
    Failed,
    /// The server can't be called.
    Call(Error),
}

/// Asks a disk server.
///
/// # Errors
/// Why it was not carried out.
pub fn request<K: Invoke>(server: Endpoint<K>, label: u16, words: &[Word]) -> Result<Message, DiskError> {
    let answer = server.request(label, words).map_err(DiskError::Call)?;
    match answer.label() {
        answer::DONE => Ok(answer),
        answer::REFUSED => Err(DiskError::Refused),
        _ => Err(DiskError::Failed),
    }
}

/// The words of a request for sectors.
pub const fn sectors(first: u64, count: usize) -> [Word; 3] {
    let [low, high] = halves(first);
    [count, low, high]
}

/// The sectors that a request names, if the disk has them and the frames can hold them.
pub fn range(message: &Message, capacity: u64) -> Option<(usize, usize)> {
    let (count, first) = (*message.payload().first()?, message.payload().get(1..3).map(|_| message.pair(1))?);
    let end = first.checked_add(count as u64)?;
    let valid = (1..=MOST_SECTORS).contains(&count) && end <= capacity;
    valid.then_some((first as usize, count))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn only_sectors_that_there_are_are_touched(first: u64, count in 0_usize..300, capacity in 0_u64..400) {
            for first in [first, first % 500, u64::MAX - first % 300] {
                let touched = range(&Message::new(READ, &sectors(first, count)), capacity);
                let inside = u128::from(first) + count as u128 <= u128::from(capacity);
                let expected = inside && (1..=MOST_SECTORS).contains(&count);
                prop_assert_eq!(touched, expected.then_some((first as usize, count)));
            }
        }
    }

    #[test]
    fn short_messages_name_nothing() {
        for words in [&[][..], &[1], &[1, 0]] {
            assert_eq!(range(&Message::new(READ, words), 100), None);
        }
    }
}
