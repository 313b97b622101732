//! Page tables of four levels, changed through a trait that says where the tables are.
//!
//! The kernel reaches its tables through the physical map, the tests through an emulated memory: the code
//! between is the same. Nothing here flushes a TLB. Whoever calls knows which CPUs may have the old entry
//! loaded, and flushes before a frame that a call gave up, table or page, is used for anything else
//! (AMD64 APM vol. 2, section 5.5).
//!
//! Entries above the last level allow everything (the CPU takes the AND of all levels), so that what
//! stands in the last one is what holds.

use core::ops::Range;

use lilliput_abi::Rights;
use x86_64::VirtAddr;
use x86_64::structures::paging::page_table::PageTableEntry;
use x86_64::structures::paging::{PageTable, PageTableFlags};

use crate::frames::Frame;

mod audit;
mod clear;
mod group;
pub mod shift;
#[cfg(test)]
mod tests;

pub use audit::breach;
pub use clear::{Clearing, LEAST_WORK, Leaf, Tables, clear, free_tables};

/// Entries of a table, at every level.
pub const ENTRIES: usize = 512;
/// Bytes of a large page.
pub const LARGE_PAGE: u64 = 2 << 20;
/// The first top-level entry of the upper half, the kernel's.
pub const UPPER_HALF: usize = ENTRIES / 2;

/// Where page tables are.
pub trait TableMemory {
    /// The table in a frame that is one.
    fn table(&mut self, frame: Frame) -> &mut PageTable;
    /// A frame for a new table, all zero.
    fn allocate_table(&mut self) -> Option<Frame>;
    /// Takes back a table that nothing points to any more.
    fn free_table(&mut self, frame: Frame);
    /// Gives a table the entries that another has, at these places.
    fn copy_entries(&mut self, from: Frame, to: Frame, places: Range<usize>) {
        for place in places {
            let entry = self.table(from)[place].clone();
            self.table(to)[place] = entry;
        }
    }
    /// Moves so many entries, each place of them given by its table and the first: where they were, and none of them is now, nothing is
    /// afterwards. They may overlap where they go to, where nothing else may be.
    fn move_entries(&mut self, from: (Frame, usize), to: (Frame, usize), count: usize) {
        let up = to.1 > from.1;
        for n in 0..count {
            // An entry goes where the entry was that went before it.
            let n = if up { count - 1 - n } else { n };
            let moved = core::mem::take(&mut self.table(from.0)[from.1 + n]);
            let free = &mut self.table(to.0)[to.1 + n];
            debug_assert!(free.is_unused(), "something is mapped where entries are moved to");
            *free = moved;
        }
    }
}

/// Of so many entries that move, each place given by its table and the first, those that no other moves to: the first, and how many.
pub const fn left_behind(from: (Frame, usize), to: (Frame, usize), count: usize) -> (usize, usize) {
    if from.0.number() != to.0.number() {
        return (from.1, count);
    }
    let apart = from.1.abs_diff(to.1);
    let left = if apart < count { apart } else { count };
    (if to.1 > from.1 { from.1 } else { from.1 + count - left }, left)
}

/// Why a page was not mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapError {
    /// There is no frame for a table. Tables made on the way stay, reachable, until they are cleared.
    NoMemory,
    /// Something is mapped there already; or, for a large page, within it.
    Occupied,
    /// A larger page covers the address.
    Huge,
    /// Address or frame is not a multiple of the page's size.
    Misaligned,
}

/// The entry's flags for a page that a task maps with these rights, if they may be had together.
///
/// A page is never writable and executable. x86 pages can't be writable without being readable.
pub fn user_flags(rights: Rights) -> Option<PageTableFlags> {
    let mut flags = PageTableFlags::PRESENT | PageTableFlags::USER_ACCESSIBLE;
    let (write, execute) = (rights.contains(Rights::WRITE), rights.contains(Rights::EXECUTE));
    if write && execute || !(write || execute || rights.contains(Rights::READ)) {
        return None;
    }
    flags.set(PageTableFlags::WRITABLE, write);
    flags.set(PageTableFlags::NO_EXECUTE, !execute);
    Some(flags)
}

/// The same for a page of device memory: never executable, and uncached whatever the firmware put in the MTRRs (Intel SDM volume 3,
/// 13.5.2.2).
pub fn device_flags(rights: Rights) -> Option<PageTableFlags> {
    let uncached = PageTableFlags::NO_CACHE | PageTableFlags::WRITE_THROUGH;
    user_flags(rights).filter(|_| !rights.contains(Rights::EXECUTE)).map(|flags| flags | uncached)
}

/// The rights that an entry's flags amount to: the other way round.
pub fn rights(flags: PageTableFlags) -> Rights {
    let mut rights = Rights::READ;
    rights.set(Rights::WRITE, flags.contains(PageTableFlags::WRITABLE));
    rights.set(Rights::EXECUTE, !flags.contains(PageTableFlags::NO_EXECUTE));
    rights
}

/// Sizes of pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// 4 KiB.
    Small,
    /// 2 MiB.
    Large,
}

impl Size {
    /// How many frames a page has.
    pub const fn frames(self) -> u64 {
        match self {
            Self::Small => 1,
            Self::Large => LARGE_PAGE / Frame::SIZE,
        }
    }
}

/// A page that is to be mapped.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// Its size.
    pub size: Size,
    /// Where, a multiple of its size.
    pub address: VirtAddr,
    /// Its first frame, the number of which is a multiple of its frames.
    pub frame: Frame,
    /// Flags of its entry. `PRESENT` is set whether it is among them or not.
    pub flags: PageTableFlags,
}

/// Maps a 4-KiB page where nothing is mapped.
pub fn map(
    memory: &mut impl TableMemory,
    root: Frame,
    address: VirtAddr,
    frame: Frame,
    flags: PageTableFlags,
) -> Result<(), MapError> {
    put(memory, root, Page { size: Size::Small, address, frame, flags }, false).map(drop)
}

/// Maps a 2-MiB page where nothing is mapped.
pub fn map_large(
    memory: &mut impl TableMemory,
    root: Frame,
    address: VirtAddr,
    frame: Frame,
    flags: PageTableFlags,
) -> Result<(), MapError> {
    put(memory, root, Page { size: Size::Large, address, frame, flags }, false).map(drop)
}

/// Maps a page. With `replace` it may take the place of one of the same size, whose first frame is returned; without,
/// as where pages of another size are mapped, that is an error. An empty table in a large page's way is freed.
pub fn put(memory: &mut impl TableMemory, root: Frame, page: Page, replace: bool) -> Result<Option<Frame>, MapError> {
    let Page { size, address, frame, flags } = page;
    let bytes = size.frames() * Frame::SIZE;
    if !address.is_aligned(bytes) || !frame.start().is_aligned(bytes) {
        return Err(MapError::Misaligned);
    }
    let directory = make_directory(memory, root, address)?;
    let index = address.p2_index();
    let entry = match size {
        Size::Large => {
            let lower = below(&memory.table(directory)[index]);
            if let Some(lower) = lower {
                if !memory.table(lower).is_empty() {
                    return Err(MapError::Occupied);
                }
                memory.table(directory)[index].set_unused();
                memory.free_table(lower);
            }
            &mut memory.table(directory)[index]
        }
        Size::Small => {
            let table = make(memory, directory, index.into(), address)?;
            &mut memory.table(table)[address.p1_index()]
        }
    };
    let was = (!entry.is_unused()).then(|| Frame::containing(entry.addr()));
    if was.is_some() && !replace {
        return Err(MapError::Occupied);
    }
    let mut flags = flags | PageTableFlags::PRESENT;
    flags.set(PageTableFlags::HUGE_PAGE, size == Size::Large);
    entry.set_addr(frame.start(), flags);
    Ok(was)
}

/// Unmaps the 4-KiB page at an address, and says what was there. Large pages stay.
pub fn unmap(memory: &mut impl TableMemory, root: Frame, address: VirtAddr) -> Option<(Frame, PageTableFlags)> {
    let mut table = root;
    for index in [address.p4_index(), address.p3_index(), address.p2_index()] {
        table = below(&memory.table(table)[index])?;
    }
    let entry = &mut memory.table(table)[address.p1_index()];
    if entry.is_unused() {
        return None;
    }
    let was = (Frame::containing(entry.addr()), entry.flags());
    entry.set_unused();
    Some(was)
}

/// The frame that an address is mapped to, and the flags of the entry that maps it, of whatever size.
pub fn translate(memory: &mut impl TableMemory, root: Frame, address: VirtAddr) -> Option<(Frame, PageTableFlags)> {
    let page = address.as_u64() / Frame::SIZE;
    let mut table = root;
    for (level, index) in
        [address.p4_index(), address.p3_index(), address.p2_index(), address.p1_index()].into_iter().enumerate()
    {
        let entry = &memory.table(table)[index];
        if entry.is_unused() {
            return None;
        }
        let pages_below = 1 << (9 * (3 - level));
        if pages_below == 1 || entry.flags().contains(PageTableFlags::HUGE_PAGE) {
            let frame = Frame::containing(entry.addr()).offset(page % pages_below)?;
            return Some((frame, entry.flags()));
        }
        table = Frame::containing(entry.addr());
    }
    None
}

/// Makes another root have the same top-level entries, so that it shares all that is, or ever will be,
/// below them. What `to` had there must be nothing, or shared as well.
pub fn share_p4(memory: &mut impl TableMemory, from: Frame, to: Frame, indices: Range<usize>) {
    memory.copy_entries(from, to, indices.start..indices.end.min(ENTRIES));
}

/// Makes sure that there is a level-3 table for a top-level entry, so that roots can share it before
/// anything is mapped there.
pub fn make_p4(memory: &mut impl TableMemory, root: Frame, index: usize) -> Result<(), MapError> {
    let address = VirtAddr::new_truncate((index as u64) << 39);
    make(memory, root, index % ENTRIES, address).map(|_| ())
}

fn make_directory(memory: &mut impl TableMemory, root: Frame, address: VirtAddr) -> Result<Frame, MapError> {
    let pointers = make(memory, root, address.p4_index().into(), address)?;
    make(memory, pointers, address.p3_index().into(), address)
}

/// The table below an entry, made if there is none.
fn make(memory: &mut impl TableMemory, table: Frame, index: usize, address: VirtAddr) -> Result<Frame, MapError> {
    let entry = &memory.table(table)[index];
    if !entry.is_unused() {
        return below(entry).ok_or(MapError::Huge);
    }
    let new = memory.allocate_table().ok_or(MapError::NoMemory)?;
    let mut flags = PageTableFlags::PRESENT | PageTableFlags::WRITABLE;
    flags.set(PageTableFlags::USER_ACCESSIBLE, usize::from(address.p4_index()) < UPPER_HALF);
    memory.table(table)[index].set_addr(new.start(), flags);
    Ok(new)
}

/// The table that an entry above the last level points to.
fn below(entry: &PageTableEntry) -> Option<Frame> {
    let table = !entry.is_unused() && !entry.flags().contains(PageTableFlags::HUGE_PAGE);
    table.then(|| Frame::containing(entry.addr()))
}
