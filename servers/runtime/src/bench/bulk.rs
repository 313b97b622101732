//! Measuring how bytes get from one task to another: as a string of a message, and by mapping their pages.

use core::ops::Range;

use lilliput_abi::layout::{HOST_START, PAGE_SIZE};
use lilliput_abi::object::{TaskMethod, kind, map_range};
use lilliput_abi::{Error, Operation, Rights, Selector};

use super::clock::{Clock, Reading};
use super::{BEGIN, Figure, Spread, TAKE, messages, operation, parameter};
use crate::invoke::selector;
use crate::machine::Machine;
use crate::message::{Message, Word};
use crate::object::{Endpoint, Parcel, Task};
use crate::{parent, place};

/// Bytes of the longest string.
pub const MOST: Word = 4 << 20;
/// Pages of them.
pub const PAGES: u16 = (MOST / PAGE_SIZE as Word) as u16;
/// Size of a small task that measures this.
pub const SMALL_SIZE: u32 = 8 << 20;
/// Rounds of a batch; the median of the last ones counts.
const ROUNDS: usize = 8;

/// Where a task of this kind has the bytes.
pub const fn address(kind: u64) -> u64 {
    match kind {
        kind::SMALL => 0x20_0000,
        kind::HOST => HOST_START + (1 << 32),
        _ => 0x4000_0000,
    }
}

/// All of it that may be used: the bytes, and behind them what both tasks have.
pub const fn range(kind: u64) -> Range<u64> {
    address(kind)..address(kind) + MOST as u64 + messages::SHARED_PAGES as u64 * PAGE_SIZE
}

/// Measures strings, or mapping, of these sizes: one bit for each power of two.
///
/// # Errors
/// What the kernel says where something does not work.
pub fn run<K: Machine>(operation: Word) -> Result<(), Error> {
    let sizes = parent::parameter::<K>(parameter::LENGTHS)?;
    let address = parent::parameter::<K>(parameter::ADDRESS)?;
    if operation == operation::STRING {
        Endpoint::<K>::at(place::SERVER).request(TAKE, &[])?;
    }
    for (clock, reading) in Clock::read_alone::<K>()? {
        if operation == operation::STRING {
            // It notes no more rounds than a batch has.
            Endpoint::<K>::at(place::SERVER).request(BEGIN, &[Clock::Time.number()])?;
        }
        for size in (0..Word::BITS as Word).filter(|size| sizes >> size & 1 != 0) {
            let (length, mut samples) = (1 << size, [0; ROUNDS]);
            for sample in &mut samples {
                *sample = match operation {
                    operation::STRING => string::<K>(reading, address, length)?,
                    _ => mapping::<K>(reading, address, length)?,
                };
            }
            let (there, back) = (Spread::of(&mut samples), Spread::default());
            let figure = Figure { operation, words: size, clock, there, back };
            figure.to_results().iter().try_for_each(|result| parent::result::<K>(result))?;
        }
    }
    Ok(())
}

/// A call that carries so many bytes, and its answer, which carries none.
fn string<K: Machine>(by: Reading, from: Word, length: Word) -> Result<u32, Error> {
    let mut message = Parcel::new(super::ROUND, &[]).string(from, length).message();
    let selector = selector(Operation::Call, place::SERVER, &message).carrying();
    let stamps = by.around_call::<K>(selector, &mut message)?;
    Ok(stamps.after.wrapping_sub(stamps.before))
}

/// Pages of so many bytes, one at least, mapped in the server's space.
fn mapping<K: Machine>(by: Reading, to: Word, length: Word) -> Result<u32, Error> {
    let pages = length.div_ceil(PAGE_SIZE as Word);
    let rights = Rights::READ | Rights::WRITE;
    let words = [place::FRAMES as Word, to, map_range(0, pages as u16) as Word, rights.bits().into()];
    let mut message = Message::new(TaskMethod::Map as u16, &words);
    let stamps = by.around_call::<K>(Selector::new(Operation::Call, place::TASK), &mut message)?;
    Task::<K>::at(place::TASK).unmap(to, pages)?;
    Ok(stamps.after.wrapping_sub(stamps.before))
}
