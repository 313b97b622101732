//! Moving what is mapped by page-directory entries: from one place to another, of the same root or of another one.
//!
//! An entry and the table of 512 pages below it move as they are; no page is touched and nothing copied. First the
//! directories at the new place are [reserved](reserve), which may fail, then the entries [moved](shift), which can't.

use x86_64::VirtAddr;
use x86_64::structures::paging::page_table::PageTableEntry;
use x86_64::structures::paging::{PageTable, PageTableFlags as Flags};

use super::group::{GROUP, sum};
use super::{ENTRIES, LARGE_PAGE, MapError, TableMemory, below, make_directory};
use crate::frames::Frame;

/// Where a run of page-directory entries begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The root that it is reached from.
    pub root: Frame,
    /// The linear address that its first entry maps, a multiple of 2 MiB.
    pub start: VirtAddr,
}

/// Makes the directories that `entries` entries at `from` need when they are moved to `to`, and says how many
/// page tables move with them.
///
/// # Errors
/// `NoMemory`; directories made on the way stay, reachable and empty. `Huge` where a page of 1 GiB is in the way.
pub fn reserve(memory: &mut impl TableMemory, from: Place, to: Place, entries: u64) -> Result<u64, MapError> {
    let mut tables = 0;
    for part in parts(from, to, entries) {
        let Some(source) = directory(memory, part.from) else { continue };
        let first = part.from.index();
        let used = Used::of(memory.table(source), first, first + part.entries);
        tables += used.all - used.large;
        if used.all > 0 {
            make_directory(memory, part.to.root, part.to.start)?;
        }
    }
    Ok(tables)
}

/// Moves `entries` entries from `from` to `to`, where [`reserve`] has made room and nothing is mapped but, where the
/// two runs overlap, what is to be moved itself.
pub fn shift(memory: &mut impl TableMemory, from: Place, to: Place, entries: u64) {
    if from == to {
        return;
    }
    for part in parts(from, to, entries) {
        let Some(source) = directory(memory, part.from) else { continue };
        let Some(target) = directory(memory, part.to) else { continue };
        memory.move_entries((source, part.from.index()), (target, part.to.index()), part.entries);
    }
}

/// Frees all tables below a top-level entry out of which everything was [moved](shift): its first `most` directories, of which
/// there are no more, and what leads to them.
pub fn free_emptied(memory: &mut impl TableMemory, root: Frame, index: usize, most: usize) {
    let Some(pointers) = below(&memory.table(root)[index]) else { return };
    memory.table(root)[index].set_unused();
    for entry in 0..most {
        let entry = &mut memory.table(pointers)[entry];
        if let Some(directory) = below(entry) {
            entry.set_unused();
            debug_assert!(memory.table(directory).is_empty(), "something did not move");
            memory.free_table(directory);
        }
    }
    debug_assert!(memory.table(pointers).is_empty(), "there is a directory more");
    memory.free_table(pointers);
}

/// Entries of a directory that are used.
#[derive(Default)]
struct Used {
    all: u64,
    /// Those for large pages: all others lead to a table.
    large: u64,
}

impl Used {
    /// Counts entries, eight at a time where it can: there are up to 2044.
    fn of(directory: &PageTable, mut at: usize, end: usize) -> Self {
        let (mut used, end) = (Self::default(), end.min(ENTRIES));
        while at < end && !at.is_multiple_of(GROUP) {
            used.add(marks(&directory[at]));
            at += 1;
        }
        while at + GROUP <= end {
            used.add(sum(directory, at, marks));
            at += GROUP;
        }
        while at < end {
            used.add(marks(&directory[at]));
            at += 1;
        }
        used
    }

    /// Adds what is in a sum of up to a hundred [`marks`].
    fn add(&mut self, marks: u64) {
        self.all += marks % LARGE;
        self.large += marks / LARGE;
    }
}

/// The mark of a large page.
const LARGE: u64 = Flags::HUGE_PAGE.bits();

/// 1 for an entry that is used, and [`LARGE`] as well for a large page.
fn marks(entry: &PageTableEntry) -> u64 {
    (entry.flags() & (Flags::PRESENT | Flags::HUGE_PAGE)).bits()
}

/// A part of two runs that lies in one directory each.
struct Part {
    from: Place,
    to: Place,
    entries: usize,
}

/// The parts of two runs, from the end where a move has to begin.
fn parts(from: Place, to: Place, entries: u64) -> impl Iterator<Item = Part> {
    let up = to.start > from.start;
    let (mut first, mut end) = (0, entries);
    core::iter::from_fn(move || {
        if first >= end {
            return None;
        }
        let part = |at: u64, entries: usize| Part { from: from.plus(at), to: to.plus(at), entries };
        if up {
            let room = |place: Place| place.plus(end - 1).index() + 1;
            let count = room(from).min(room(to)).min((end - first) as usize);
            end -= count as u64;
            Some(part(end, count))
        } else {
            let room = |place: Place| ENTRIES - place.plus(first).index();
            let count = room(from).min(room(to)).min((end - first) as usize);
            first += count as u64;
            Some(part(first - count as u64, count))
        }
    })
}

impl Place {
    fn plus(self, entries: u64) -> Self {
        Self { start: VirtAddr::new_truncate(self.start.as_u64().wrapping_add(entries * LARGE_PAGE)), ..self }
    }

    /// Its place in its directory.
    fn index(self) -> usize {
        self.start.p2_index().into()
    }
}

/// The directory that a place is in, if there is one.
fn directory(memory: &mut impl TableMemory, at: Place) -> Option<Frame> {
    let pointers = below(&memory.table(at.root)[at.start.p4_index()])?;
    below(&memory.table(pointers)[at.start.p3_index()])
}

#[cfg(test)]
mod tests;
