//! The test of the disk: a program that has sectors read and written, and compares.

use lilliput_abi::Rights;

use super::{
    BUFFER_PAGES, CAPACITY, DiskError, FLUSH, INTERRUPTS, MOST_SECTORS, READ, SECTOR, WRITE, pattern, request, sectors,
};
use crate::machine::Machine;
use crate::message::Word;
use crate::object::{Endpoint, Frames, Task};
use crate::place;
use crate::trial::kit::SCRATCH;

/// The size of a small task that runs it.
pub const SPACE: u32 = crate::trial::kit::SMALL_SIZE;

/// Runs it: a failure is a panic that says what was found.
///
/// # Errors
/// What the disk or the kernel says.
pub fn run<K: Machine>() -> Result<(), DiskError> {
    let server = Endpoint::<K>::at(place::SERVER);
    let (task, frames) = (Task::<K>::at(place::TASK), Frames::<K>::at(place::FRAMES));
    let mapped = task.map(frames, SCRATCH, 0, BUFFER_PAGES as u16, Rights::READ | Rights::WRITE);
    mapped.map_err(DiskError::Call)?;
    let capacity = request(server, CAPACITY, &[])?.pair(0);
    assert_eq!(capacity, pattern::SECTORS, "sectors of the disk");

    for (first, count) in [(0, 1), (5, 3), (80, 20), (capacity - 1, 1), (1000, MOST_SECTORS)] {
        fill::<K>(count, |_, _| 0);
        request(server, READ, &sectors(first, count))?;
        compare::<K>(first, count, false);
    }
    let written = pattern::WRITTEN;
    for first in written.clone().step_by(MOST_SECTORS) {
        let count = MOST_SECTORS.min((written.end - first) as usize);
        fill::<K>(count, |sector, place| pattern::word(first + sector, place, true));
        request(server, WRITE, &sectors(first, count))?;
    }
    request(server, FLUSH, &[])?;
    for first in (written.start - 10..written.end).step_by(MOST_SECTORS) {
        fill::<K>(MOST_SECTORS, |_, _| 0);
        request(server, READ, &sectors(first, MOST_SECTORS))?;
        compare::<K>(first, MOST_SECTORS, true);
    }

    let none = |words: &[Word]| request(server, READ, words).err();
    for (first, count) in
        [(capacity, 1), (capacity - 1, 2), (u64::MAX, 1), (u64::MAX, 2), (0, 0), (0, MOST_SECTORS + 1)]
    {
        assert_eq!(none(&sectors(first, count)), Some(DiskError::Refused), "{count} sectors from {first}");
    }
    assert_eq!(none(&[1, 0]), Some(DiskError::Refused), "a request that is cut off");
    assert_eq!(request(server, 0, &[]).err(), Some(DiskError::Refused), "request 0");
    let interrupts = request(server, INTERRUPTS, &[])?.pair(0);
    assert!(interrupts >= 10, "the device interrupted {interrupts} times only");
    Ok(())
}

/// The address of a word in the frames.
fn address(sector: usize, place: usize) -> Word {
    SCRATCH + sector * SECTOR + place * 4
}

fn fill<K: Machine>(sectors: usize, word: impl Fn(u64, usize) -> u32) {
    for sector in 0..sectors {
        for place in 0..pattern::WORDS {
            K::poke(address(sector, place), word(sector as u64, place));
        }
    }
}

fn compare<K: Machine>(first: u64, sectors: usize, after: bool) {
    for sector in 0..sectors {
        for place in 0..pattern::WORDS {
            let (found, number) = (K::peek(address(sector, place)), first + sector as u64);
            let expected = pattern::word(number, place, after);
            assert_eq!(found, expected, "word {place} of sector {number}, after writing: {after}");
        }
    }
}
