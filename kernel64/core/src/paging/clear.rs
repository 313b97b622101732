//! Unmapping whole ranges, and freeing the tables that mapped them.

use core::ops::Range;

use x86_64::VirtAddr;
use x86_64::structures::paging::PageTableFlags;

use super::{ENTRIES, TableMemory, UPPER_HALF};
use crate::frames::Frame;

/// Pages below one top-level entry.
const PAGES_OF_P4: u64 = 1 << 27;
/// Pages of the whole address space.
const ALL_PAGES: u64 = 1 << 36;

/// A page that was unmapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// Where it was mapped.
    pub address: VirtAddr,
    /// Its first frame.
    pub frame: Frame,
    /// How many frames it had: 1, 512 or 512 * 512.
    pub frames: u64,
    /// The flags of its entry.
    pub flags: PageTableFlags,
}

/// What becomes of tables that map nothing but the range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tables {
    /// They stay, for the next page mapped there.
    Keep,
    /// They are freed.
    Free,
}

/// Unmaps all pages that lie within `pages` 4-KiB pages from `start` on, and tells of each.
///
/// A large page that the range covers in part stays. A call takes time by the tables it finds, not by
/// the length of the range: at most 512 entries for each 2 MiB, so that a caller bounds it by the range.
pub fn clear(
    memory: &mut impl TableMemory,
    root: Frame,
    start: VirtAddr,
    pages: u64,
    tables: Tables,
    unmapped: &mut dyn FnMut(Leaf),
) {
    let first = start.as_u64() / Frame::SIZE % ALL_PAGES;
    let end = first.saturating_add(pages).min(ALL_PAGES);
    sweep(memory, Table { frame: root, level: 4, base: 0 }, first..end, tables, unmapped);
}

/// Unmaps all below these top-level entries of the lower half, and frees the tables. The root stays.
pub fn free_tables(memory: &mut impl TableMemory, root: Frame, indices: Range<usize>, unmapped: &mut dyn FnMut(Leaf)) {
    let first = indices.start as u64 * PAGES_OF_P4;
    let end = indices.end.min(UPPER_HALF) as u64 * PAGES_OF_P4;
    sweep(memory, Table { frame: root, level: 4, base: 0 }, first..end, Tables::Free, unmapped);
}

/// A table, its level (4 is the root's), and the number of the first page below it.
#[derive(Clone, Copy)]
struct Table {
    frame: Frame,
    level: u32,
    base: u64,
}

fn sweep(
    memory: &mut impl TableMemory,
    table: Table,
    range: Range<u64>,
    tables: Tables,
    unmapped: &mut dyn FnMut(Leaf),
) {
    let step = 1 << (9 * (table.level - 1));
    let first = range.start.saturating_sub(table.base) / step;
    let end = range.end.saturating_sub(table.base).div_ceil(step).min(ENTRIES as u64);
    for index in first..end {
        let entry = &memory.table(table.frame)[index as usize];
        if entry.is_unused() {
            continue;
        }
        let (below, flags) = (Frame::containing(entry.addr()), entry.flags());
        let page = table.base + index * step;
        let whole = range.start <= page && page + step <= range.end;
        if table.level == 1 || flags.contains(PageTableFlags::HUGE_PAGE) {
            if whole {
                memory.table(table.frame)[index as usize].set_unused();
                let address = VirtAddr::new_truncate(page * Frame::SIZE);
                unmapped(Leaf { address, frame: below, frames: step, flags });
            }
            continue;
        }
        let lower = Table { frame: below, level: table.level - 1, base: page };
        sweep(memory, lower, range.clone(), tables, unmapped);
        if whole && tables == Tables::Free {
            memory.table(table.frame)[index as usize].set_unused();
            memory.free_table(below);
        }
    }
}
