//! Moving what is mapped by page-directory entries: from one place to another, of the same root or of another one.
//!
//! An entry and the table of 512 pages below it move as they are; no page is touched and nothing copied. First the
//! directories at the new place are [reserved](reserve), which may fail, then the entries [moved](shift), which can't.

use x86_64::VirtAddr;

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
        let used = memory.table(source).iter().skip(first).take(part.entries).filter(|entry| !entry.is_unused());
        let (mut any, mut below_here) = (false, 0);
        for entry in used {
            any = true;
            below_here += u64::from(below(entry).is_some());
        }
        tables += below_here;
        if any {
            make_directory(memory, part.to.root, part.to.start)?;
        }
    }
    Ok(tables)
}

/// Moves `entries` entries from `from` to `to`, where [`reserve`] has made room and nothing is mapped but, where the
/// two runs overlap, what is to be moved itself.
///
/// Takes time by the entries that there are, at most 512 steps for each GiB.
pub fn shift(memory: &mut impl TableMemory, from: Place, to: Place, entries: u64) {
    if from == to {
        return;
    }
    // As in `memmove`: an entry goes where the entry was that went before it.
    let up = to.start > from.start;
    for part in parts(from, to, entries) {
        let Some(source) = directory(memory, part.from) else { continue };
        let Some(target) = directory(memory, part.to) else { continue };
        for n in 0..part.entries {
            let n = if up { part.entries - 1 - n } else { n };
            let entry = &mut memory.table(source)[part.from.index() + n];
            if entry.is_unused() {
                continue;
            }
            let moved = entry.clone();
            entry.set_unused();
            let free = &mut memory.table(target)[part.to.index() + n];
            debug_assert!(free.is_unused(), "something is mapped where entries are moved to");
            *free = moved;
        }
    }
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
