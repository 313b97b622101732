//! The kernel's half of every address space.
//!
//! It is the same in all page tables: all 256 top-level entries are filled once, here, and copied into
//! each later root, so that a mapping made under one of them appears in all. Everything is global and for
//! the supervisor only, and no page is both writable and executable.

use core::ops::Range;

use lilliput_core::frames::Frame;
use lilliput_core::paging::{self, MapError, TableMemory};
use spin::Once;
use x86_64::registers::control::{Cr3, Cr3Flags};
use x86_64::structures::paging::{PageTableFlags, PhysFrame};
use x86_64::{PhysAddr, VirtAddr};

use super::early::EarlyFrames;
use super::frames::FrameSource;
use super::layout::{self, PAGE, PAGE_1G, PAGE_2M, PHYSMAP};
use super::physmap::{self, PhysicalTables};
use crate::boot::handoff::Handoff;
use crate::cpu::features;
use crate::cpu::stacks;

const CODE: PageTableFlags = PageTableFlags::PRESENT.union(PageTableFlags::GLOBAL);
const CONSTANTS: PageTableFlags = CODE.union(PageTableFlags::NO_EXECUTE);
const VARIABLES: PageTableFlags = CONSTANTS.union(PageTableFlags::WRITABLE);
/// Strong uncacheable by PCD and PWT, whatever the firmware put in the MTRRs (Intel SDM volume 3, 13.5.2.2).
const DEVICE: PageTableFlags = VARIABLES.union(PageTableFlags::NO_CACHE).union(PageTableFlags::WRITE_THROUGH);

/// The root that maps the kernel and nothing else. Idle CPUs run on it.
static ROOT: Once<Frame> = Once::new();

/// The root that maps the kernel and nothing else, to copy the upper half from.
pub fn root() -> Frame {
    *ROOT.get().expect("the kernel's page table is made before anybody asks")
}

/// Makes the kernel's page table. The boot loader's must still be in force.
pub fn build(handoff: &Handoff, frames: &mut EarlyFrames) {
    let mut tables = PhysicalTables(frames);
    let root = tables.allocate_table().expect("memory for the kernel's page table");
    ROOT.call_once(|| root);
    for index in paging::UPPER_HALF..paging::ENTRIES {
        done(paging::make_p4(&mut tables, root, index));
    }
    map_image(&mut tables);
    for region in handoff.regions() {
        map_memory(region.start..region.end, &mut tables);
    }
}

/// Maps a device's registers at their physical address's place in the map of physical memory, uncached.
pub fn map_device(start: PhysAddr, length: u64, frames: &mut impl FrameSource) -> VirtAddr {
    let first = start.align_down(PAGE);
    for page in (first.as_u64()..start.as_u64() + length).step_by(PAGE as usize).map(PhysAddr::new) {
        done(paging::map(&mut PhysicalTables(frames), root(), physmap::address(page), Frame::containing(page), DEVICE));
    }
    physmap::address(start)
}

/// Maps 2 MiB of memory for the kernel's data.
pub fn map_block(address: VirtAddr, block: Frame, frames: &mut impl FrameSource) {
    done(paging::map_large(&mut PhysicalTables(frames), root(), address, block, VARIABLES));
}

/// Leaves the boot loader's page table for the kernel's own.
///
/// # Safety
///
/// [`build`] was called, the stack is the kernel's own, and nothing outside of the kernel's image and of physical
/// memory is referred to any more.
pub unsafe fn activate() {
    let root = PhysFrame::containing_address(root().start());
    // SAFETY: the new root maps the image where it is, and memory where the boot loader had it; the caller vouches
    // for the rest.
    unsafe { Cr3::write(root, Cr3Flags::empty()) };
}

/// The kernel's image, each segment with what it needs; the pages under stacks stay unmapped.
///
/// The boot loader's frames are kept: it mapped the file where it read it, and fresh frames for `.bss`.
fn map_image(tables: &mut impl TableMemory) {
    for (segment, flags) in [(layout::text(), CODE), (layout::read_only_data(), CONSTANTS), (layout::data(), VARIABLES)]
    {
        for page in pages(segment).filter(|&page| !stacks::is_guard(page)) {
            let frame = physmap::translate(page).expect("the boot loader mapped the whole image");
            done(paging::map(tables, root(), page, Frame::containing(frame), flags));
        }
    }
}

fn pages(range: Range<VirtAddr>) -> impl Iterator<Item = VirtAddr> {
    (range.start.as_u64()..range.end.as_u64()).step_by(PAGE as usize).map(VirtAddr::new)
}

/// Maps a run of physical memory in the biggest pages that its bounds allow: a page never reaches beyond
/// memory, where devices may be that must not be cached.
fn map_memory(range: Range<u64>, tables: &mut impl TableMemory) {
    let mut at = range.start.next_multiple_of(PAGE);
    let end = range.end & !(PAGE - 1);
    let gigabyte_pages = features::get().gigabyte_pages;
    while at < end {
        let fits = |size: u64| at.is_multiple_of(size) && end - at >= size;
        let address = VirtAddr::new(PHYSMAP + at);
        let frame = Frame::containing(PhysAddr::new(at));
        at += if gigabyte_pages && fits(PAGE_1G) {
            map_gigabyte(tables, address, frame);
            PAGE_1G
        } else if fits(PAGE_2M) {
            done_once(paging::map_large(tables, root(), address, frame, VARIABLES));
            PAGE_2M
        } else {
            done_once(paging::map(tables, root(), address, frame, VARIABLES));
            PAGE
        };
    }
}

/// A page of a size that only the map of physical memory has: the table that it stands in is there.
fn map_gigabyte(tables: &mut impl TableMemory, address: VirtAddr, first: Frame) {
    let pointers = Frame::containing(tables.table(root())[address.p4_index()].addr());
    let entry = &mut tables.table(pointers)[address.p3_index()];
    entry.set_addr(first.start(), VARIABLES | PageTableFlags::HUGE_PAGE);
}

/// What can't fail but for lack of memory.
#[track_caller]
fn done(result: Result<(), MapError>) {
    if let Err(error) = result {
        panic!("the kernel's page table can't be made: {error:?}");
    }
}

/// The same for memory, which a firmware's map may name twice: once mapped it is mapped.
#[track_caller]
fn done_once(result: Result<(), MapError>) {
    match result {
        Err(MapError::Occupied | MapError::Huge) => (),
        other => done(other),
    }
}
