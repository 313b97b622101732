//! The tenants, what is known of them, and what is done to them.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec::Vec;
use core::fmt;

use lilliput_abi::{Error, Isolation, Rights};
use lilliput_runtime::object::{Arena, TaskInfo};
use lilliput_runtime::random::Random;
use lilliput_runtime::tenant::{COMMAND, Command, MOST_PAGES, MOST_RANGES, SIZE};
use lilliput_runtime::{Frames, Task, Word, role};
use lilliput_user64::Native;

use crate::FACTORY;
use crate::failure::{Failure, context};
use crate::memory::PAGE;
use crate::spawn::Space;
use crate::supervisor::{Id, Supervisor};

/// Priorities of tenants: the lowest, and how many.
const PRIORITIES: (u8, u32) = (20, 3);
/// Trust domains that they are of.
const DOMAINS: u32 = 2;

/// Memory that a tenant was given.
struct Range {
    start: Word,
    pages: Word,
    frames: Frames<Native>,
}

#[derive(Default)]
struct Tenant {
    arena: usize,
    size: Word,
    ranges: Vec<Range>,
    /// What it is told when it asks next.
    command: Command,
}

/// How often what was done; refusals are those of `NoHole`, `Occupied` and `Unsupported`.
#[derive(Default)]
pub struct Counts {
    grown: u32,
    moved: u32,
    large: u32,
    shrunk: u32,
    isolated: u32,
    settled: u32,
    compacted: u32,
    replaced: u32,
    refused: u32,
    heard: u32,
}

impl fmt::Display for Counts {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        let Self { grown, moved, large, shrunk, isolated, settled, compacted, replaced, refused, heard } = self;
        write!(
            formatter,
            "{grown} grown, of these {moved} elsewhere and {large} as large tasks, {shrunk} shrunk, {isolated} changes of \
             mode, {settled} moves to an arena, {compacted} moves by compaction, {replaced} replaced, {refused} refused; \
             memory checked {heard} times"
        )
    }
}

/// All of them.
pub struct Tenants {
    arenas: [Arena<Native>; 2],
    random: Random,
    tenants: BTreeMap<Id, Tenant>,
    counts: Counts,
}

impl Tenants {
    /// None yet.
    pub fn new(arenas: [Arena<Native>; 2], random: Random) -> Self {
        Self { arenas, random, tenants: BTreeMap::new(), counts: Counts::default() }
    }

    /// Makes one, anywhere.
    pub fn add(&mut self, supervisor: &mut Supervisor) -> Result<(), Failure> {
        let arena = self.below(2);
        // `segment` is asked for only of what has it: see `change`.
        let space = Space::Small(self.arenas[arena], SIZE, Isolation::Auto, self.random.below(DOMAINS));
        let id = supervisor.create("32/trials", "tenant", space)?;
        let priority = PRIORITIES.0 + self.random.below(PRIORITIES.1) as u8;
        supervisor.child_mut(id).start(priority, [role::TENANT, id as Word])?;
        self.tenants.insert(id, Tenant { arena, size: SIZE as Word, ..Tenant::default() });
        Ok(())
    }

    /// A tenant has checked its memory, and was told what there was for it.
    pub fn heard(&mut self, supervisor: &mut Supervisor, id: Id) -> Result<(), Failure> {
        let child = supervisor.child(id);
        if let Some(ending) = child.ending {
            return Err(Failure::new(format!("tenant {id} ended by {ending}: {}", child.text)));
        }
        self.counts.heard += 1;
        let task = child.task;
        let Some(tenant) = self.tenants.get_mut(&id) else { return Ok(()) };
        if let Command::Forget(end) = core::mem::take(&mut tenant.command) {
            context(task.resize(end, true), "making a tenant smaller")?;
            tenant.size = end;
            self.counts.shrunk += 1;
            while tenant.ranges.last().is_some_and(|range| range.start >= end) {
                let range = tenant.ranges.pop();
                give_back(range)?;
            }
        }
        let command = self.next_command(task, id)?;
        if let Some(tenant) = self.tenants.get_mut(&id) {
            tenant.command = command;
        }
        supervisor.child_mut(id).parameters.insert(COMMAND, command.packed());
        Ok(())
    }

    /// What a tenant is told next: of memory that it is given now, or that it is to lose.
    fn next_command(&mut self, task: Task<Native>, id: Id) -> Result<Command, Failure> {
        let (kind, pages) = (self.below(8), 1 + self.below(MOST_PAGES as u32));
        let Some(tenant) = self.tenants.get_mut(&id) else { return Ok(Command::GoOn) };
        let end = tenant.ranges.last().map_or(SIZE as Word, |range| range.start + range.pages * PAGE);
        if kind == 0 && !tenant.ranges.is_empty() {
            let from = self.random.below(tenant.ranges.len() as u32) as usize;
            return Ok(Command::Forget(tenant.ranges[from].start));
        }
        // A gap now and then, so that there are tables with nothing beside.
        let start = end + if kind == 1 { 3 << 20 } else { 0 };
        if start + pages * PAGE > tenant.size || tenant.ranges.len() == MOST_RANGES {
            return Ok(Command::GoOn);
        }
        let frames = context(FACTORY.create_frames(pages), "memory for a tenant")?;
        context(task.map(frames, start, 0, pages as u16, Rights::READ | Rights::WRITE), "mapping a tenant's memory")?;
        tenant.ranges.push(Range { start, pages, frames });
        Ok(Command::Fill(start, pages))
    }

    /// Changes some tenant in some way, whatever it is doing.
    pub fn change(&mut self, supervisor: &mut Supervisor) -> Result<(), Failure> {
        let which = self.below(self.tenants.len() as u32);
        let Some(&id) = self.tenants.keys().nth(which) else { return Ok(()) };
        let task = supervisor.child(id).task;
        let before = context(task.info(), "a tenant's space")?;
        let done = match self.random.below(16) {
            0..=6 => self.grow(id, task, &before)?,
            7..=9 => {
                let isolation = self.isolation();
                self.counts.isolated += 1;
                task.set_isolation(isolation).map(drop)
            }
            10..=11 => {
                let (arena, isolation) = (self.below(2), self.isolation());
                let moved = task.move_to(self.arenas[arena], isolation).map(drop);
                if moved.is_ok() {
                    self.tenants.entry(id).or_default().arena = arena;
                    self.counts.settled += 1;
                }
                moved
            }
            12..=14 => {
                let arena = self.below(2);
                let compacted = context(self.arenas[arena].compact(), "compacting an arena")?;
                self.counts.compacted += u32::from(compacted.moved);
                Ok(())
            }
            _ => {
                self.remove(supervisor, id)?;
                self.counts.replaced += 1;
                return self.add(supervisor);
            }
        };
        match done {
            Ok(()) => {}
            Err(Error::NoHole | Error::Occupied | Error::Unsupported) => self.counts.refused += 1,
            Err(error) => return Err(Failure::new(format!("changing a tenant: {}", error.name()))),
        }
        let (after, size) = (context(task.info(), "a tenant's space")?, self.tenants.entry(id).or_default().size);
        if after.size == size { Ok(()) } else { Err(Failure::new(format!("a space of {size:#x} bytes is {after:?}"))) }
    }

    fn grow(&mut self, id: Id, task: Task<Native>, before: &TaskInfo) -> Result<Result<(), Error>, Failure> {
        let most = if self.random.below(10) == 0 { 1 << 18 } else { 1 << 10 };
        let size = before.size + (1 + self.below(most)) * PAGE;
        // Only now and then as a large task: it would be small again only by chance.
        let may_be_large = self.random.below(3) == 0;
        Ok(match task.resize(size, may_be_large) {
            Ok(after) => {
                if after.size != size {
                    return Err(Failure::new(format!("it was to have {size:#x} bytes: {after:?}")));
                }
                self.tenants.entry(id).or_default().size = size;
                self.counts.grown += 1;
                self.counts.moved += u32::from(after.base != before.base);
                self.counts.large += u32::from(may_be_large && after.base != before.base && after.base < 5 << 20);
                Ok(())
            }
            // No space is so large.
            Err(Error::BadArgument) if size > lilliput_abi::layout::MAX_SMALL_SIZE as Word => Ok(()),
            Err(error) => Err(error),
        })
    }

    fn remove(&mut self, supervisor: &mut Supervisor, id: Id) -> Result<(), Failure> {
        supervisor.forget(id)?;
        let tenant = self.tenants.remove(&id).unwrap_or_default();
        tenant.ranges.into_iter().map(Some).try_for_each(give_back)
    }

    /// Ends all of them.
    pub fn end(mut self, supervisor: &mut Supervisor) -> Result<Counts, Failure> {
        while let Some(&id) = self.tenants.keys().next() {
            self.remove(supervisor, id)?;
        }
        Ok(self.counts)
    }

    fn below(&mut self, limit: u32) -> usize {
        self.random.below(limit) as usize
    }

    fn isolation(&mut self) -> Isolation {
        Isolation::from_number(u64::from(self.random.below(4))).unwrap_or(Isolation::Auto)
    }
}

fn give_back(range: Option<Range>) -> Result<(), Failure> {
    let Some(range) = range else { return Ok(()) };
    context(FACTORY.destroy(range.frames.place()), "taking back a tenant's memory")
}
