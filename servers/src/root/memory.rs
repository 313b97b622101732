//! The root task's own memory: its heap, the archive it was given, and the window through which it fills frames.

use core::slice;

use lilliput_abi::Rights;
use lilliput_abi::layout::PAGE_SIZE;
use lilliput_runtime::{Frames, Word};
use lilliput_user64::Native;
use linked_list_allocator::LockedHeap;

use crate::failure::{Failure, context};
use crate::{FACTORY, SELF};

/// Bytes of a page, as this program counts.
pub const PAGE: usize = PAGE_SIZE as usize;

const HEAP: Word = 0x20_0000_0000;
const HEAP_PAGES: usize = 256;
const WINDOW: Word = 0x30_0000_0000;

#[global_allocator]
static ALLOCATOR: LockedHeap = LockedHeap::empty();

/// Maps the heap. Nothing may be allocated before.
pub fn start_heap() -> Result<(), Failure> {
    let frames = context(FACTORY.create_frames(HEAP_PAGES), "memory for the root task's heap")?;
    context(
        SELF.map(frames, HEAP, 0, HEAP_PAGES as u16, Rights::READ | Rights::WRITE),
        "mapping the root task's heap",
    )?;
    // SAFETY: the range was mapped just now, belongs to nothing else, and stays for ever.
    unsafe { ALLOCATOR.lock().init(HEAP as *mut u8, HEAP_PAGES * PAGE) };
    Ok(())
}

/// The boot archive.
pub fn archive(address: Word, size: Word) -> Result<&'static [u8], Failure> {
    if address == 0 || size == 0 {
        return Err(Failure::new("the kernel handed over no boot archive"));
    }
    // SAFETY: the kernel maps the archive read-only at this address, for as long as the root task lives
    // (`lilliput_abi::boot::ARCHIVE_ADDRESS`).
    Ok(unsafe { slice::from_raw_parts(address as *const u8, size) })
}

/// Lets `fill` write the first `pages` pages of `frames`, which the caller has mapped nowhere else writable.
pub fn with_frames(frames: Frames<Native>, pages: usize, fill: impl FnOnce(&mut [u8])) -> Result<(), Failure> {
    let count = u16::try_from(pages).map_err(|_| Failure::new("a program is too large"))?;
    context(SELF.map(frames, WINDOW, 0, count, Rights::READ | Rights::WRITE), "mapping frames to fill them")?;
    // SAFETY: the range was mapped just now, for this closure only: the window is unmapped again below,
    // and this task has one thread.
    fill(unsafe { slice::from_raw_parts_mut(WINDOW as *mut u8, pages * PAGE) });
    context(SELF.unmap(WINDOW, pages), "unmapping the window")
}
