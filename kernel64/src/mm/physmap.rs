//! The map of physical memory: each frame at a fixed distance.
//!
//! The boot loader sets it up at the place where the kernel's own page table has it as well.

use lilliput_core::frames::Frame;
use lilliput_core::ipc::carry::Pages;
use lilliput_core::paging::{self, TableMemory};
use x86_64::registers::control::Cr3;
use x86_64::structures::paging::PageTable;
use x86_64::{PhysAddr, VirtAddr};

use super::frames::FrameSource;
use super::layout::{PAGE, PHYSMAP, PHYSMAP_SIZE};

/// Where a physical address is mapped.
#[inline]
pub fn address(physical: PhysAddr) -> VirtAddr {
    debug_assert!(physical.as_u64() < PHYSMAP_SIZE);
    VirtAddr::new(PHYSMAP + physical.as_u64())
}

/// The physical address of an address in the map.
#[inline]
pub fn physical(address: VirtAddr) -> PhysAddr {
    debug_assert!((PHYSMAP..PHYSMAP + PHYSMAP_SIZE).contains(&address.as_u64()));
    PhysAddr::new(address.as_u64() - PHYSMAP)
}

/// Page tables in the map of physical memory, new ones out of a source of frames.
pub struct PhysicalTables<'a, S>(pub &'a mut S);

impl<S: FrameSource> TableMemory for PhysicalTables<'_, S> {
    fn table(&mut self, frame: Frame) -> &mut PageTable {
        table(frame)
    }

    fn allocate_table(&mut self) -> Option<Frame> {
        let frame = self.0.frame()?;
        table(frame).zero();
        Some(frame)
    }

    fn free_table(&mut self, frame: Frame) {
        self.0.give_back(frame);
    }
}

fn table<'a>(frame: Frame) -> &'a mut PageTable {
    // SAFETY: the frame is a page table's, so it is memory, and memory is mapped here. The kernel runs on one CPU
    // with interrupts off, and `core::paging` lets go of one reference before it asks for the next.
    unsafe { &mut *address(frame.start()).as_mut_ptr() }
}

/// What the page table in force maps an address to, pages of all sizes.
pub fn translate(virtual_address: VirtAddr) -> Option<PhysAddr> {
    let root = Frame::containing(Cr3::read().0.start_address());
    let (frame, _) = paging::translate(&mut ReadOnly, root, virtual_address)?;
    Some(frame.start() + virtual_address.as_u64() % PAGE)
}

/// How memory of tasks is reached: in the map, whatever is mapped where.
pub const PAGES: Pages = Pages { find: |root, address| paging::translate(&mut ReadOnly, root, address), copy };

/// Copies bytes from page to page, which are a task's and memory.
fn copy(from: PhysAddr, to: PhysAddr, bytes: usize) {
    debug_assert!([from, to].into_iter().all(|at| at.as_u64() % PAGE + bytes as u64 <= PAGE));
    let (from, to) = (address(from).as_ptr::<u8>(), address(to).as_mut_ptr());
    // SAFETY: both lie within a page that `core::ipc::carry` found mapped for a task, as memory and, what is written, as writable. The
    // kernel has no references to such pages. They may be one page: hence not as if they didn't overlap.
    unsafe { core::ptr::copy(from, to, bytes) };
}

/// Page tables that are looked at and never changed.
struct ReadOnly;

impl TableMemory for ReadOnly {
    fn table(&mut self, frame: Frame) -> &mut PageTable {
        table(frame)
    }

    fn allocate_table(&mut self) -> Option<Frame> {
        None
    }

    fn free_table(&mut self, _: Frame) {}
}

/// Whether the page table in force has all of a physical range in the map.
#[unsafe(link_section = ".boot.text")]
pub fn is_mapped(start: PhysAddr, length: u64) -> bool {
    let Some(end) = start.as_u64().checked_add(length).filter(|&end| end <= PHYSMAP_SIZE) else {
        return false;
    };
    let first = start.as_u64() & !(PAGE - 1);
    (first..end).step_by(PAGE as usize).all(|page| translate(VirtAddr::new(PHYSMAP + page)).is_some())
}
