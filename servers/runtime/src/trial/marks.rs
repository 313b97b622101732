//! Memory with marks in it, by which who comes back to it sees that it is the same.

use core::sync::atomic::Ordering;

use lilliput_abi::Rights;

use super::Outcome;
use super::kit::{self, SCRATCH, SCRATCH_PAGES, SEEN, SMALL_SIZE, service};
use crate::machine::Machine;
use crate::message::{Message, Word};

const PAGE: Word = 4096;
const MIB: Word = 1 << 20;
const READ_WRITE: Rights = Rights::READ.union(Rights::WRITE);
/// The end of a trial's space, when it begins.
const SPACE_END: Word = SMALL_SIZE as Word;

/// What a word of marked memory holds.
pub const fn mark(address: Word) -> u32 {
    (address as u32).wrapping_mul(0x9e37_79b9) ^ 0x5eed_5eed
}

/// Marks both ends of each page of a range.
pub fn write_marks<K: Machine>(start: Word, end: Word) {
    for page in (start..end).step_by(PAGE) {
        K::poke(page, mark(page));
        K::poke(page + PAGE - 4, mark(page + PAGE - 4));
    }
}

pub fn check_marks<K: Machine>(start: Word, end: Word) {
    for page in (start..end).step_by(PAGE) {
        for address in [page, page + PAGE - 4] {
            assert_eq!(K::peek(address), mark(address), "what was at {address:#x} is something else");
        }
    }
}

/// Maps and marks the scratch pages of the kit.
pub fn mark_scratch<K: Machine>() -> Outcome {
    kit::task::<K>().map(kit::frames(), SCRATCH, 0, SCRATCH_PAGES, READ_WRITE)?;
    write_marks::<K>(SCRATCH, MARKED_END);
    Ok(())
}

/// The end of what [`mark_scratch`] marks.
pub const MARKED_END: Word = SCRATCH + SCRATCH_PAGES as Word * PAGE;

/// What a thread does that uses memory beyond the end of its space as if it were there.
pub fn climb<K: Machine>(bytes: Word) {
    for page in (SPACE_END..SPACE_END + bytes).step_by(PAGE) {
        write_marks::<K>(page, page + PAGE);
        if page.is_multiple_of(MIB) {
            check_marks::<K>(SPACE_END, page);
        }
    }
    check_marks::<K>(SPACE_END, SPACE_END + bytes);
    let sent = service::<K>().send(&Message::new(0, &[]));
    SEEN.store(kit::done(sent), Ordering::SeqCst);
}

/// What a thread does that is to be preempted in the middle: checks marks for ever, and counts.
pub fn verify<K: Machine>() {
    loop {
        check_marks::<K>(SCRATCH, MARKED_END);
        SEEN.fetch_add(1, Ordering::SeqCst);
    }
}
