//! Unmapping whole ranges, in steps, and freeing the tables that mapped them.

use core::ops::Range;

use x86_64::VirtAddr;
use x86_64::structures::paging::{PageTable, PageTableFlags};

use super::group::{GROUP, is_unused};
use super::{ENTRIES, TableMemory, UPPER_HALF};
use crate::frames::Frame;

/// Pages below one top-level entry.
const PAGES_OF_P4: u64 = 1 << 27;
/// Pages of the whole address space.
const ALL_PAGES: u64 = 1 << 36;

/// What a page unmapped or a table freed takes from the work of a step; a group of entries looked at takes 1, as does one that is used.
const HEAVY: u32 = 8;

/// The least work that gets anywhere: an entry of each level, and a page.
pub const LEAST_WORK: u32 = 64;

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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tables {
    /// They stay, for the next page mapped there.
    #[default]
    Keep,
    /// They are freed. Nothing may be mapped in the range until the last step.
    Free,
}

/// A range of pages that is being unmapped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Clearing {
    range: Range<u64>,
    next: u64,
    tables: Tables,
}

impl Clearing {
    /// All pages that lie within `pages` 4-KiB pages from `start` on. A large page that the range covers in part stays.
    pub fn new(start: VirtAddr, pages: u64, tables: Tables) -> Self {
        let first = start.as_u64() / Frame::SIZE % ALL_PAGES;
        Self { range: first..first.saturating_add(pages).min(ALL_PAGES), next: first, tables }
    }

    /// All that lies below these top-level entries of the lower half, with its tables.
    pub fn below(indices: Range<usize>) -> Self {
        let first = indices.start as u64 * PAGES_OF_P4;
        let end = indices.end.min(UPPER_HALF) as u64 * PAGES_OF_P4;
        Self { range: first..end, next: first, tables: Tables::Free }
    }

    /// Whether nothing is left to do. So it is before the first step where the range is empty.
    pub const fn is_done(&self) -> bool {
        self.next >= self.range.end
    }

    /// How many pages of the range lie before the next one that a step looks at.
    pub const fn pages_done(&self) -> u64 {
        self.next - self.range.start
    }

    /// Unmaps some pages, and tells of each. True when that was all.
    ///
    /// It looks at no more than `work` entries, eight unused neighbours counting for one, and a page that is told of or a table freed for eight, but at
    /// [`LEAST_WORK`]: time goes by the tables that there are, not by the length of the range.
    pub fn step(
        &mut self,
        memory: &mut impl TableMemory,
        root: Frame,
        work: u32,
        unmapped: &mut dyn FnMut(Leaf),
    ) -> bool {
        let mut every = |leaf| {
            unmapped(leaf);
            true
        };
        self.step_where(memory, root, work, &mut every)
    }

    /// The same for those pages only of which `goes` says so. Tables must be kept.
    pub fn step_where(
        &mut self,
        memory: &mut impl TableMemory,
        root: Frame,
        work: u32,
        goes: &mut dyn FnMut(Leaf) -> bool,
    ) -> bool {
        let mut left = work.max(LEAST_WORK);
        if !self.is_done() && self.sweep(memory, Table { frame: root, level: 4, base: 0 }, &mut left, goes) {
            self.next = self.range.end;
        }
        self.is_done()
    }

    /// Clears what is left of the range in a table. False where the work was used up; then `next` says where.
    fn sweep(
        &mut self,
        memory: &mut impl TableMemory,
        table: Table,
        left: &mut u32,
        goes: &mut dyn FnMut(Leaf) -> bool,
    ) -> bool {
        let step = 1 << (9 * (table.level - 1));
        let mut index = (self.next.saturating_sub(table.base) / step) as usize;
        let end = self.range.end.saturating_sub(table.base).div_ceil(step).min(ENTRIES as u64) as usize;
        loop {
            let entries = memory.table(table.frame);
            index = next_used(entries, index, end, left);
            if index >= end {
                return true;
            }
            let page = table.base + index as u64 * step;
            if *left == 0 {
                self.next = self.next.max(page);
                return false;
            }
            *left -= 1;
            let entry = &entries[index];
            let (below, flags) = (Frame::containing(entry.addr()), entry.flags());
            let whole = self.range.start <= page && page + step <= self.range.end;
            if table.level == 1 || flags.contains(PageTableFlags::HUGE_PAGE) {
                let address = VirtAddr::new_truncate(page * Frame::SIZE);
                if whole {
                    if goes(Leaf { address, frame: below, frames: step, flags }) {
                        memory.table(table.frame)[index].set_unused();
                    }
                    *left = left.saturating_sub(HEAVY);
                }
                index += 1;
                continue;
            }
            let lower = Table { frame: below, level: table.level - 1, base: page };
            if !self.sweep(memory, lower, left, goes) {
                return false;
            }
            if whole && self.tables == Tables::Free {
                memory.table(table.frame)[index].set_unused();
                memory.free_table(below);
                *left = left.saturating_sub(HEAVY);
            }
            index += 1;
        }
    }
}

/// The first used entry from `at` on and before `end`, or whichever was to be looked at next when no work was left.
fn next_used(entries: &PageTable, mut at: usize, end: usize, left: &mut u32) -> usize {
    while at < end && *left > 0 {
        let first = at & !(GROUP - 1);
        if is_unused(entries, first) {
            at = first + GROUP;
            *left -= 1;
            continue;
        }
        let behind = (first + GROUP).min(end);
        while at < behind {
            if !entries[at].is_unused() {
                return at;
            }
            at += 1;
        }
        *left -= 1;
    }
    at.min(end)
}

/// A table, its level (4 is the root's), and the number of the first page below it.
#[derive(Clone, Copy)]
struct Table {
    frame: Frame,
    level: u32,
    base: u64,
}

/// Does all of [`Clearing::new`] at once.
pub fn clear(
    memory: &mut impl TableMemory,
    root: Frame,
    start: VirtAddr,
    pages: u64,
    tables: Tables,
    unmapped: &mut dyn FnMut(Leaf),
) {
    let mut clearing = Clearing::new(start, pages, tables);
    while !clearing.step(memory, root, u32::MAX, unmapped) {}
}

/// Unmaps all below these top-level entries of the lower half, and frees the tables. The root stays.
pub fn free_tables(memory: &mut impl TableMemory, root: Frame, indices: Range<usize>, unmapped: &mut dyn FnMut(Leaf)) {
    let mut clearing = Clearing::below(indices);
    while !clearing.step(memory, root, u32::MAX, unmapped) {}
}
