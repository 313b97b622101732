//! Memory that is charged: frames, page tables and capability tables for tasks.

use core::cell::RefCell;

use lilliput_abi::Error;
use lilliput_core::capability::Capability;
use lilliput_core::frames::{Frame, FrameAllocator};
use lilliput_core::paging::{MapError, TableMemory};
use x86_64::structures::paging::PageTable;

use crate::mm::physmap;
use crate::objects::Quota;

/// Capabilities in a page of them.
const CAPABILITIES: usize = Frame::SIZE as usize / size_of::<Capability>();

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
        self.quota.charge(pages)?;
        let Some(first) = self.frames.borrow_mut().allocate_run(pages) else {
            self.quota.refund(pages);
            return Err(Error::NoMemory);
        };
        // SAFETY: the frames are allocated, mapped in the map of physical memory, and nobody has them yet.
        unsafe { core::ptr::write_bytes(address(first), 0, (pages * Frame::SIZE) as usize) };
        Ok(first)
    }

    /// Gives frames back.
    ///
    /// # Errors
    /// `Busy` where one of them is mapped; nothing is given back.
    pub fn free(&mut self, first: Frame, pages: u64) -> Result<(), Error> {
        self.frames.borrow_mut().free_run(first, pages).map_err(|_| Error::Busy)?;
        self.quota.refund(pages);
        Ok(())
    }

    /// A capability table of so many pages, empty.
    ///
    /// # Errors
    /// `NoMemory`.
    pub fn capability_table(&mut self, pages: u64) -> Result<&'static mut [Capability], Error> {
        let frame = self.allocate(pages)?;
        // SAFETY: frames just allocated, whose only use this is until they come back below; all zero is the null capability.
        Ok(unsafe { core::slice::from_raw_parts_mut(address(frame).cast(), CAPABILITIES * pages as usize) })
    }

    /// Takes a capability table back.
    pub fn free_capability_table(&mut self, table: &'static mut [Capability]) {
        let frame = Frame::containing(physmap::physical(x86_64::VirtAddr::from_ptr(table.as_ptr())));
        let freed = self.free(frame, (table.len() / CAPABILITIES) as u64);
        debug_assert!(freed.is_ok(), "a capability table is mapped nowhere");
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
        let freed = self.free(frame, 1);
        debug_assert!(freed.is_ok(), "a page table is mapped nowhere");
    }
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
