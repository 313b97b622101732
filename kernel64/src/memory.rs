//! Memory that is charged: frames, page tables and capability tables for tasks.

use core::cell::RefCell;
use core::ops::Range;

use lilliput_abi::Error;
use lilliput_compat32::arena::PaidMemory;
use lilliput_core::capability::{Capability, CapabilityTable};
use lilliput_core::factory::Quota;
use lilliput_core::frames::{Frame, FrameAllocator};
use lilliput_core::paging::{ENTRIES, Leaf, MapError, TableMemory, left_behind};
use lilliput_core::slab::{Index, Slab};
use x86_64::structures::paging::PageTable;
use x86_64::structures::paging::page_table::PageTableEntry;

use crate::mm::physmap;
use crate::objects::Frames;

/// Capabilities in a page of them.
pub const CAPABILITIES: usize = Frame::SIZE as usize / size_of::<Capability>();

/// Page frames, for whom they are charged to.
pub struct Charged<'a> {
    /// All of them. A cell, since whoever takes page tables apart is told of each page while tables are freed.
    pub frames: &'a RefCell<FrameAllocator>,
    /// What pays.
    pub quota: &'a mut Quota,
}

impl Charged<'_> {
    /// Contiguous frames, all zero.
    ///
    /// # Errors
    /// `NoMemory`, of the quota or of the machine.
    pub fn allocate(&mut self, pages: u64) -> Result<Frame, Error> {
        let first = self.take(pages)?;
        // SAFETY: the frames are allocated, and nobody has them yet.
        unsafe { zero(first, pages) };
        Ok(first)
    }

    /// Contiguous frames with whatever is in them.
    fn take(&mut self, pages: u64) -> Result<Frame, Error> {
        self.quota.charge(pages)?;
        let first = self.frames.borrow_mut().allocate_run(pages);
        first.ok_or_else(|| {
            self.quota.refund(pages);
            Error::NoMemory
        })
    }

    /// Gives frames back that were allocated here, and that nothing points to any more.
    pub fn free(&mut self, first: Frame, pages: u64) {
        let freed = self.frames.borrow_mut().free_run(first, pages);
        debug_assert!(freed.is_ok(), "frames are freed once");
        self.quota.refund(pages);
    }

    /// Frames for a capability table of so many pages; the first is the table, empty, and the others are for [`grow_table`].
    ///
    /// # Errors
    /// `NoMemory`.
    pub fn capability_table(&mut self, pages: u64) -> Result<CapabilityTable, Error> {
        let places = address(self.take(pages)?).cast();
        // SAFETY: frames just allocated, whose only use this is until they come back below. Any bytes are capabilities.
        Ok(CapabilityTable::new(unsafe { core::slice::from_raw_parts_mut(places, CAPABILITIES) }))
    }

    /// Takes a capability table that had so many pages back.
    pub fn free_capability_table(&mut self, table: &'static mut [Capability], pages: u64) {
        let frame = Frame::containing(physmap::physical(x86_64::VirtAddr::from_ptr(table.as_ptr())));
        self.free(frame, pages);
    }
}

impl TableMemory for Charged<'_> {
    fn table(&mut self, frame: Frame) -> &mut PageTable {
        // SAFETY: `core::paging` asks for frames only that are page tables. They are in the map of physical memory,
        // and this object borrows all frames while the reference lives.
        unsafe { &mut *address(frame).cast() }
    }

    fn allocate_table(&mut self) -> Option<Frame> {
        self.allocate(1).ok()
    }

    fn free_table(&mut self, frame: Frame) {
        self.free(frame, 1);
    }

    fn copy_entries(&mut self, from: Frame, to: Frame, places: Range<usize>) {
        let entry = |frame| address(frame).cast::<PageTableEntry>().wrapping_add(places.start);
        assert!(places.end <= ENTRIES);
        // SAFETY: as for `table`, of each of the two, which are not one; the places are of a table.
        unsafe { entry(from).copy_to_nonoverlapping(entry(to), places.len()) };
    }

    fn move_entries(&mut self, from: (Frame, usize), to: (Frame, usize), count: usize) {
        assert!(from.1 + count <= ENTRIES && to.1 + count <= ENTRIES);
        let entry = |(table, place)| address(table).cast::<PageTableEntry>().wrapping_add(place);
        let (first, left) = left_behind(from, to, count);
        // SAFETY: as for `table`, of each of the two, or one; the places are of a table. An entry of zeros is an unused one.
        unsafe {
            entry(from).copy_to(entry(to), count);
            entry((from.0, first)).write_bytes(0, left);
        }
    }
}

/// Makes a capability table longer by one of the pages that it was allocated with.
///
/// # Safety
/// There is such a page behind those that it has.
pub unsafe fn grow_table(table: &mut CapabilityTable) {
    table.grow(|places| {
        let longer = places.len() + CAPABILITIES;
        // SAFETY: the page is the caller's word, and was allocated for this table alone. Any bytes are capabilities.
        unsafe { core::slice::from_raw_parts_mut(places.as_mut_ptr(), longer) }
    });
}

/// Clears frames.
///
/// # Safety
/// They are allocated, and nobody has a reference into them.
pub unsafe fn zero(first: Frame, pages: u64) {
    // SAFETY: all frames are mapped in the map of physical memory; the rest is the caller's.
    unsafe { core::ptr::write_bytes(address(first), 0, (pages * Frame::SIZE) as usize) };
}

/// Notes in its frames object that a page is unmapped. Those of no object, as the boot archive's, are not counted: they are never freed.
pub fn uncount(frame_sets: &mut Slab<Frames>, frames: &RefCell<FrameAllocator>, frame: Frame) {
    let owner = frames.borrow().owner(frame).map(Index::new).and_then(Index::some);
    if let Some(owner) = owner {
        frame_sets[owner].set.remove_map();
    }
}

/// The same for a page that [`lilliput_core::paging`] tells of.
pub fn forget<'a>(frame_sets: &'a mut Slab<Frames>, frames: &'a RefCell<FrameAllocator>) -> impl FnMut(Leaf) + 'a {
    move |leaf| uncount(frame_sets, frames, leaf.frame)
}

impl PaidMemory for Charged<'_> {
    fn charge(&mut self, tables: u64) -> bool {
        self.quota.charge(tables).is_ok()
    }

    fn refund(&mut self, tables: u64) {
        self.quota.refund(tables);
    }
}

/// Some bytes of a page that users may have.
///
/// # Safety
/// `offset` and as many bytes from there on lie in the page, which is no device's and none of the kernel's own.
pub unsafe fn read<const N: usize>(frame: Frame, offset: usize) -> [u8; N] {
    // SAFETY: the caller's; all memory is mapped, and a reference to none of a user's exists.
    unsafe { address(frame).add(offset).cast::<[u8; N]>().read_unaligned() }
}

/// Writes them.
///
/// # Safety
/// As of [`read`].
pub unsafe fn write<const N: usize>(frame: Frame, offset: usize, bytes: &[u8; N]) {
    // SAFETY: as above.
    unsafe { address(frame).add(offset).cast::<[u8; N]>().write_unaligned(*bytes) };
}

fn address(frame: Frame) -> *mut u8 {
    physmap::address(frame.start()).as_mut_ptr()
}

/// What a caller is told of a failed mapping.
pub const fn map_error(error: MapError) -> Error {
    match error {
        MapError::NoMemory => Error::NoMemory,
        MapError::Occupied | MapError::Huge => Error::Occupied,
        MapError::Misaligned => Error::BadAddress,
    }
}
