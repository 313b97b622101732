//! A process's memory: areas, which say what its addresses hold, and the pages that are there so far.

mod area;
mod pool;
mod room;
mod shared;
mod table;
mod user;

use alloc::collections::BTreeMap;
use core::ops::Range;

use lilliput_abi::Rights;
use syscalls::Errno;

pub use area::{Area, Source};
pub use pool::{Frame, Pool};
pub use shared::{Shared, gather, spread};
pub use table::{Memories, Place};
pub use user::User;

use crate::machine::Machine;
use crate::program::Layout;

/// Bytes of a page.
pub const PAGE: u64 = 4096;

/// Bytes of the server's memory that the books of processes' memories get none of.
pub(crate) const LAST_RESERVE: usize = 4 << 20;
/// About so many bytes a page takes in the books, and an area.
const PAGE_RECORD: usize = 40;
const AREA_RECORD: usize = 160;

/// What a program did, or the server on its behalf, to an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It read.
    Read,
    /// It wrote.
    Write,
    /// It fetched an instruction.
    Execute,
}

/// A page that is there.
#[derive(Clone, Copy, Debug)]
struct Page {
    frame: Frame,
    /// With which rights the task has it mapped; none if it has not.
    mapped: Rights,
}

/// A page that was looked for, and what was found: programs have their buffers in the same places again and again.
#[derive(Clone, Copy, Debug)]
struct Recent {
    address: u64,
    frame: Frame,
    /// What may be done in its area.
    rights: Rights,
    /// Whether it was found to be written.
    writes: bool,
}

impl Recent {
    /// Whether it is what would be found there. Who may write or execute may read.
    fn serves(&self, address: u64, access: Access) -> bool {
        self.address == address
            && match access {
                Access::Read => true,
                Access::Write => self.writes,
                Access::Execute => false,
            }
    }
}

/// The memory of a process.
pub struct Memory<S> {
    /// The task that it is the memory of.
    pub space: S,
    /// How large the task's space is.
    size: u64,
    /// Where mappings go to for which there is no room below: the lowest first. The space grows so far, and no further.
    above: Range<u64>,
    areas: BTreeMap<u64, Area>,
    pages: BTreeMap<u64, Page>,
    /// Nothing of areas or pages, or of who shares them, has changed since.
    recent: Option<Recent>,
    /// Where mappings go to that name no address: below the end of this, the highest first.
    mappings: Range<u64>,
    /// Where the heap begins, and where it ends now.
    pub heap: Range<u64>,
    /// Where the stack of its first thread ends.
    pub stack: u64,
    /// Where the page was put by which a 32-bit program makes system calls; 0 if it was not.
    pub calls: u64,
}

impl<S: Copy> Memory<S> {
    /// Memory that holds nothing, in a space that is as large as a program's layout says and can grow to `limit`.
    pub fn new(space: S, layout: &Layout, limit: u64) -> Self {
        let Layout { size, mappings, stack, .. } = layout.clone();
        Self {
            space,
            size,
            // A page between is nobody's.
            above: limit.min(size + PAGE)..limit,
            areas: BTreeMap::new(),
            pages: BTreeMap::new(),
            recent: None,
            mappings,
            heap: 0..0,
            stack: stack.end,
            calls: 0,
        }
    }

    /// The area that an address lies in.
    pub fn area(&self, address: u64) -> Option<&Area> {
        let (_, area) = self.areas.range(..=address).next_back()?;
        (address < area.end).then_some(area)
    }

    /// All areas, the lowest first.
    pub fn areas(&self) -> impl Iterator<Item = &Area> {
        self.areas.values()
    }

    /// How many pages are there.
    pub fn resident(&self) -> u64 {
        self.pages.len() as u64
    }

    /// How many areas there are.
    pub fn area_count(&self) -> usize {
        self.areas.len()
    }

    /// About how many bytes of the server's memory its books take.
    pub fn books(&self) -> usize {
        self.pages.len() * PAGE_RECORD + self.areas.len() * AREA_RECORD
    }

    /// Whether nothing is in a range.
    pub fn is_free(&self, range: &Range<u64>) -> bool {
        self.areas.range(..range.end).next_back().is_none_or(|(_, area)| area.end <= range.start)
    }

    /// Adds an area, where nothing is; joined to one below that it only continues.
    ///
    /// # Errors
    /// `EEXIST` if something is there, `ENOMEM` if it lies outside the space.
    pub fn add(&mut self, area: Area) -> Result<(), Errno> {
        let range = area.start..area.end;
        if range.is_empty() || range.end > self.size {
            return Err(Errno::ENOMEM);
        }
        if !self.is_free(&range) {
            return Err(Errno::EEXIST);
        }
        if let Some((_, below)) = self.areas.range_mut(..area.start).next_back()
            && below.is_continued_by(&area)
        {
            below.end = area.end;
            return Ok(());
        }
        self.areas.insert(area.start, area);
        Ok(())
    }

    /// Takes a range of pages away.
    pub fn remove<M: Machine<Space = S>>(&mut self, range: Range<u64>, pool: &mut Pool, machine: &mut M) {
        self.cut(range.start);
        self.cut(range.end);
        self.areas.retain(|start, area| {
            let stays = !range.contains(start);
            if !stays {
                area.source.end(pool);
            }
            stays
        });
        self.forget_pages(range, pool, machine);
    }

    /// Takes away what is in the pages of a range; the areas stay, so that what is there at first is there again.
    ///
    /// # Errors
    /// `ENOMEM` if a part of it has no area. What has one is done.
    pub fn discard<M: Machine<Space = S>>(
        &mut self,
        range: Range<u64>,
        pool: &mut Pool,
        machine: &mut M,
    ) -> Result<(), Errno> {
        let is_whole = self.is_covered(&range);
        self.forget_pages(range, pool, machine);
        if is_whole { Ok(()) } else { Err(Errno::ENOMEM) }
    }

    /// Whether every address of a range lies in an area.
    pub fn is_covered(&self, range: &Range<u64>) -> bool {
        let mut address = range.start;
        while address < range.end {
            let Some(area) = self.area(address) else { return false };
            address = area.end;
        }
        true
    }

    fn forget_pages<M: Machine<Space = S>>(&mut self, range: Range<u64>, pool: &mut Pool, machine: &mut M) {
        self.recent = None;
        let mut mapped = false;
        while let Some((&address, page)) = self.pages.range(range.clone()).next() {
            mapped |= !page.mapped.is_empty();
            pool.release(page.frame);
            self.pages.remove(&address);
        }
        if mapped {
            let end = range.end.min(self.size);
            machine.unmap(self.space, range.start, ((end - range.start) / PAGE) as usize);
        }
    }

    /// Changes what may be done in a range of pages.
    ///
    /// # Errors
    /// `ENOMEM` if a part of it has no area, `EACCES` if one is shared and must not be written.
    pub fn protect<M: Machine<Space = S>>(
        &mut self,
        range: Range<u64>,
        rights: Rights,
        machine: &mut M,
    ) -> Result<(), Errno> {
        self.recent = None;
        let mut address = range.start;
        while address < range.end {
            let area = self.area(address).ok_or(Errno::ENOMEM)?;
            if rights.contains(Rights::WRITE) && !area.source.may_be_written() {
                return Err(Errno::EACCES);
            }
            address = area.end;
        }
        self.cut(range.start);
        self.cut(range.end);
        for (_, area) in self.areas.range_mut(range.clone()) {
            area.rights = rights;
        }
        self.join(&range);
        for (&address, page) in self.pages.range_mut(range) {
            if !page.mapped.is_empty() && !rights.contains(page.mapped) {
                // What is allowed still comes back when it is touched.
                machine.unmap(self.space, address, 1);
                page.mapped = Rights::empty();
            }
        }
        Ok(())
    }

    /// Areas in a range, and at its ends, that only continue those below them become one with them.
    fn join(&mut self, range: &Range<u64>) {
        let mut at = range.start;
        while at <= range.end
            && let Some((&start, next)) = self.areas.range(at..=range.end).next()
        {
            at = start + PAGE;
            let end = next.end;
            if let Some((_, below)) = self.areas.range(..start).next_back()
                && below.is_continued_by(next)
                && let Some((_, below)) = self.areas.range_mut(..start).next_back()
            {
                below.end = end;
                self.areas.remove(&start);
            }
        }
    }

    /// Makes an area begin at an address in the middle of one.
    fn cut(&mut self, at: u64) {
        if let Some((&start, area)) = self.areas.range_mut(..at).next_back()
            && area.end > at
        {
            let upper = area.split(at);
            debug_assert!(start < at);
            self.areas.insert(at, upper);
        }
    }

    /// A thread of the process had a page fault.
    ///
    /// # Errors
    /// `EFAULT` where it has no right, `ENXIO` behind the end of a file, `ENOMEM` where there is no frame, or no room to note it.
    pub fn fault<M: Machine<Space = S>>(
        &mut self,
        address: u64,
        access: Access,
        pool: &mut Pool,
        machine: &mut M,
    ) -> Result<(), Errno> {
        let address = address - address % PAGE;
        let (frame, area_rights) = self.bring(address, access, pool, machine)?;
        let rights = match access {
            // Who may write may find the page shared with others, and gets a copy when it does.
            Access::Write => Rights::READ | Rights::WRITE,
            Access::Execute => Rights::READ | Rights::EXECUTE,
            Access::Read => area_rights & (Rights::READ | Rights::EXECUTE),
        };
        machine.map(self.space, address, frame, rights)?;
        if let Some(page) = self.pages.get_mut(&address) {
            page.mapped = rights;
        }
        Ok(())
    }

    /// Lets a page be there, and alone the process's if it is to be written; the frame, and what may be done in its area.
    fn bring<M: Machine<Space = S>>(
        &mut self,
        address: u64,
        access: Access,
        pool: &mut Pool,
        machine: &mut M,
    ) -> Result<(Frame, Rights), Errno> {
        if let Some(Recent { frame, rights, .. }) = self.recent.filter(|recent| recent.serves(address, access)) {
            return Ok((frame, rights));
        }
        self.recent = None;
        let (frame, rights) = self.find_page(address, access, pool, machine)?;
        self.recent = Some(Recent { address, frame, rights, writes: access == Access::Write });
        Ok((frame, rights))
    }

    fn find_page<M: Machine<Space = S>>(
        &mut self,
        address: u64,
        access: Access,
        pool: &mut Pool,
        machine: &mut M,
    ) -> Result<(Frame, Rights), Errno> {
        let area = self.area(address).ok_or(Errno::EFAULT)?;
        let (rights, private) = (area.rights, !area.shared);
        let wanted = match access {
            Access::Read => Rights::READ,
            Access::Write => Rights::WRITE,
            Access::Execute => Rights::EXECUTE,
        };
        // On this processor who may write or execute may read.
        let allowed = if rights.is_empty() { rights } else { rights | Rights::READ };
        if !allowed.contains(wanted) {
            return Err(Errno::EFAULT);
        }
        let Some(page) = self.pages.get(&address).copied() else {
            if machine.free_memory() < LAST_RESERVE {
                return Err(Errno::ENOMEM);
            }
            let frame = area.source.fill(address - area.start, access == Access::Write, pool)?;
            self.pages.insert(address, Page { frame, mapped: Rights::empty() });
            return Ok((frame, rights));
        };
        if access != Access::Write || !private || !pool.is_shared(page.frame) {
            return Ok((page.frame, rights));
        }
        let own = pool.copy(page.frame)?;
        pool.release(page.frame);
        if !page.mapped.is_empty() {
            machine.map(self.space, address, own, page.mapped)?;
        }
        self.pages.insert(address, Page { frame: own, mapped: page.mapped });
        Ok((own, rights))
    }

    /// Memory for a child, in a space of as many bytes as this has [used](Self::used), which shares all frames with this until one of the two writes.
    pub fn fork<M: Machine<Space = S>>(&mut self, space: S, pool: &mut Pool, machine: &mut M) -> Self {
        self.recent = None;
        let mut child = Self {
            space,
            size: self.used(),
            above: self.above.clone(),
            areas: self.areas.clone(),
            pages: BTreeMap::new(),
            recent: None,
            mappings: self.mappings.clone(),
            heap: self.heap.clone(),
            stack: self.stack,
            calls: self.calls,
        };
        // Neighbours are withdrawn by one call. They come back as they are touched.
        let mut withdrawn = 0..0;
        for (&address, page) in &mut self.pages {
            pool.hold(page.frame);
            child.pages.insert(address, Page { frame: page.frame, mapped: Rights::empty() });
            if !page.mapped.contains(Rights::WRITE) {
                continue;
            }
            let shared = self.areas.range(..=address).next_back().is_some_and(|(_, area)| area.shared);
            if shared {
                continue;
            }
            page.mapped = Rights::empty();
            if withdrawn.end != address {
                withdraw(machine, self.space, &withdrawn);
                withdrawn.start = address;
            }
            withdrawn.end = address + PAGE;
        }
        withdraw(machine, self.space, &withdrawn);
        child
    }

    /// Gives all frames back. The task is about to go, or gone.
    pub fn clear(&mut self, pool: &mut Pool) {
        self.recent = None;
        for page in self.pages.values() {
            pool.release(page.frame);
        }
        self.pages.clear();
        // Each goes before the next is looked at: the last one of a shared mapping has to be alone.
        for area in core::mem::take(&mut self.areas).into_values() {
            area.source.end(pool);
        }
    }

    /// Moves what is in a range to another address, where nothing is, with so many bytes in all.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn shift<M: Machine<Space = S>>(
        &mut self,
        from: Range<u64>,
        to: u64,
        length: u64,
        pool: &mut Pool,
        machine: &mut M,
    ) -> Result<(), Errno> {
        let area = self.area(from.start).ok_or(Errno::EFAULT)?.clone();
        let source = area.source.from(from.start - area.start);
        self.reach(to + length, machine)?;
        self.add(Area { start: to, end: to + length, source, ..area })?;
        let mut mapped = false;
        // One by one: there may be too many to have them twice.
        while let Some((&at, &page)) = self.pages.range(from.clone()).next() {
            mapped |= !page.mapped.is_empty();
            self.pages.remove(&at);
            self.pages.insert(at - from.start + to, Page { mapped: Rights::empty(), ..page });
        }
        if mapped {
            machine.unmap(self.space, from.start, ((from.end - from.start) / PAGE) as usize);
        }
        self.remove(from, pool, machine);
        Ok(())
    }
}

fn withdraw<M: Machine>(machine: &mut M, space: M::Space, range: &Range<u64>) {
    if !range.is_empty() {
        machine.unmap(space, range.start, ((range.end - range.start) / PAGE) as usize);
    }
}
