//! Memory: what is mapped, with what rights, and what it holds.

use lilliput_abi::layout::USER_END;
use lilliput_abi::{Error, Rights};

use super::Outcome;
use super::kit::{self, SCRATCH, SMALL_SIZE};
use crate::machine::Machine;
use crate::message::Word;

const READ_WRITE: Rights = Rights::READ.union(Rights::WRITE);

pub fn frames_are_zero<K: Machine>() -> Outcome {
    const PAGES: usize = 16;
    for pass in 0..8 {
        let frames = kit::factory::<K>().create_frames(PAGES)?;
        kit::task::<K>().map(frames, SCRATCH, 0, PAGES as u16, READ_WRITE)?;
        for address in (SCRATCH..SCRATCH + PAGES * 4096).step_by(4) {
            assert_eq!(K::peek(address), 0, "a new frame holds something at {address:#x} in pass {pass}");
            K::poke(address, 0xdead_beef);
        }
        kit::task::<K>().unmap(SCRATCH, PAGES)?;
        kit::factory::<K>().destroy(frames.place())?;
    }
    Ok(())
}

pub fn map_refusals<K: Machine>() -> Outcome {
    let (task, frames) = (kit::task::<K>(), kit::frames::<K>());
    let map = |address, first, count, rights| task.map(frames, address, first, count, rights).err();
    assert_eq!(
        map(SCRATCH, 0, 1, Rights::WRITE | Rights::EXECUTE),
        Some(Error::BadArgument),
        "writable and executable"
    );
    assert_eq!(map(SCRATCH, 0, 1, Rights::empty()), Some(Error::BadArgument), "without rights");
    assert!(map(SCRATCH, 0, 0, Rights::READ).is_some(), "no page");
    assert!(map(SCRATCH, 0, kit::FRAMES_PAGES as u16 + 1, Rights::READ).is_some(), "more pages than there are");
    assert!(map(SCRATCH, u16::MAX, 1, Rights::READ).is_some(), "a page that there is not");
    assert!(map(SCRATCH + 1, 0, 1, Rights::READ).is_some(), "an odd address");
    let end = if size_of::<Word>() == 4 { SMALL_SIZE as Word } else { USER_END as Word };
    for address in [0, 0x1000, 0xf000, end, end - 4096 * 2, Word::MAX & !0xfff, (Word::MAX / 2) & !0xfff] {
        assert!(map(address, 0, 3, Rights::READ).is_some(), "three pages at {address:#x}");
    }
    assert_eq!(map(SCRATCH, 0, 2, Rights::READ), None, "two pages");
    assert_eq!(map(SCRATCH + 4096, 3, 2, Rights::READ), Some(Error::Occupied), "over a page that is mapped");
    assert_eq!(map(SCRATCH + 8192, 3, 1, Rights::READ), None, "what a refused mapping left free");
    // The page through which a 32-bit program enters the kernel is not the task's to take away.
    assert!(task.unmap(0x1000, 1).is_err() || task.info().is_ok(), "the entry page was unmapped");
    task.unmap(SCRATCH, 3)
}

pub fn unmapped_faults<K: Machine>() -> Outcome {
    kit::map_scratch::<K>(READ_WRITE)?;
    K::poke(SCRATCH, 5);
    assert_eq!(K::peek(SCRATCH), 5, "a mapped page");
    kit::task::<K>().unmap(SCRATCH, 1)?;
    panic!("a page that was unmapped still reads as {}", K::peek(SCRATCH))
}

pub fn read_only_faults<K: Machine>() -> Outcome {
    kit::map_scratch::<K>(Rights::READ)?;
    assert_eq!(K::peek(SCRATCH), 0, "a page that is only readable");
    K::poke(SCRATCH, 5);
    panic!("a page that is only readable was written")
}
