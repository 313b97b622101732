//! A task's memory: mapping, unmapping and moving pages, a few at a time.

use lilliput_abi::layout::{PAGE_SIZE, USER_START};
use lilliput_abi::object::map;
use lilliput_abi::{Error, Rights};
use lilliput_core::factory::Factory;
use lilliput_core::frames::Frame;
use lilliput_core::paging::{self, Clearing, LARGE_PAGE, Page, Size, Tables, put};
use lilliput_core::slab::Index;
use lilliput_core::task::Task;
use lilliput_core::thread::Kind;
use x86_64::VirtAddr;
use x86_64::structures::paging::PageTableFlags;

use super::{Answer, Call, DONE, Words};
use crate::cpu::percpu::PerCpu;
use crate::dispatch::object;
use crate::memory::{Charged, forget, map_error, uncount};
use crate::objects::HOST_LOWEST;
use crate::state::Kernel;
use crate::tlb;

/// Pages that are mapped or moved before interrupts have their turn.
const PAGES_MAPPED: u64 = 32;

/// Page-table entries looked at before interrupts have their turn: see [`Clearing::step`].
pub(super) const ENTRIES_CLEARED: u32 = 896;

/// Maps pages of a frames object, from the first on until one can't be.
pub(super) fn map(kernel: &mut Kernel, this: &PerCpu, task: Index<Task>, call: &Call) -> Answer {
    let capability = call.capability(kernel, 0)?;
    let how: u32 = call.small(3)?;
    let rights = Rights::from_bits(how as u8).ok_or(Error::BadArgument)?;
    let (large, replace) = (how & map::LARGE != 0, how & map::REPLACE != 0);
    if how >> 8 & !(map::LARGE | map::REPLACE) >> 8 != 0 {
        return Err(Error::BadArgument);
    }
    let frames = object(&kernel.frame_sets, capability, rights)?;
    let device = kernel.frame_sets[frames].set.is_device();
    let flags = if device { paging::device_flags(rights) } else { paging::user_flags(rights) };
    let flags = flags.ok_or(Error::BadArgument)?;
    let range: u32 = call.small(2)?;
    let (first, count) = (range & 0xffff, range >> 16);
    let size = if large { Size::Large } else { Size::Small };
    let unit = size.frames();
    let end = u64::from(first + count);
    if end * unit > u64::from(kernel.frame_sets[frames].set.ready()) || end > 1 << 16 {
        return Err(Error::BadArgument);
    }
    let space = &kernel.machine.tasks[task];
    if large && space.kind == Kind::Small {
        return Err(Error::Unsupported);
    }
    let start = linear(space, call.words[1], u64::from(count) * unit)?;
    let root = space.space.root();
    let payer = payer(kernel, task);
    let Kernel { frame_sets, frames: allocator, factories, .. } = kernel;
    let mut memory = Charged { frames: allocator, quota: &mut factories[payer].frames };
    let (mut done, mut result) = (0, Ok(()));
    while done < count.min(PAGES_MAPPED as u32) {
        let page = (first + done) * unit as u32;
        let frame = frame_sets[frames].set.frame(&allocator.borrow(), page);
        let address = start + u64::from(done) * unit * PAGE_SIZE;
        let Some(frame) = frame else {
            result = Err(Error::BadArgument);
            break;
        };
        match put(&mut memory, root, Page { size, address, frame, flags }, replace) {
            Ok(was) => {
                frame_sets[frames].set.add_map();
                if let Some(was) = was {
                    uncount(frame_sets, allocator, was);
                }
                done += 1;
            }
            Err(error) => {
                result = Err(map_error(error));
                break;
            }
        }
    }
    if large || replace {
        // What was replaced may be cached, as may a table that gave way to a large page.
        flush(kernel, this, task);
    }
    let address = call.words[1] + u64::from(done) * unit * PAGE_SIZE;
    let rest = [call.words[0], address, u64::from((count - done) << 16 | (first + done) & 0xffff), call.words[3]];
    match result {
        Err(error) => Ok(Words::failed(error, rest)),
        Ok(()) if done < count => Ok(Words::again(rest)),
        Ok(()) => Ok(DONE),
    }
}

/// Maps contiguous frames that belong to no frames object, all at once: at boot.
///
/// # Errors
/// `BadAddress` outside of what the task may map, `Occupied`, `NoMemory` for page tables, `BadArgument` for rights that can't be had.
pub fn map_run(
    kernel: &mut Kernel,
    task: Index<Task>,
    address: u64,
    first: Frame,
    count: u64,
    rights: Rights,
) -> Result<(), Error> {
    let flags = paging::user_flags(rights).ok_or(Error::BadArgument)?;
    let start = linear(&kernel.machine.tasks[task], address, count)?;
    let root = kernel.machine.tasks[task].space.root();
    let payer = payer(kernel, task);
    let mut memory = kernel.memory(payer);
    for page in 0..count {
        let frame = first.offset(page).ok_or(Error::BadArgument)?;
        paging::map(&mut memory, root, start + page * PAGE_SIZE, frame, flags).map_err(map_error)?;
    }
    Ok(())
}

/// Unmaps whatever is mapped in a range, which may not cut a large page.
pub(super) fn unmap(kernel: &mut Kernel, this: &PerCpu, task: Index<Task>, call: &Call) -> Answer {
    let [address, count, ..] = call.words;
    let start = linear(&kernel.machine.tasks[task], address, count)?;
    let root = kernel.machine.tasks[task].space.root();
    let payer = payer(kernel, task);
    let Kernel { frame_sets, frames, factories, .. } = kernel;
    let mut memory = Charged { frames, quota: &mut factories[payer].frames };
    for edge in [start, start + count * PAGE_SIZE] {
        if !edge.is_aligned(LARGE_PAGE) && is_large(paging::translate(&mut memory, root, edge)) {
            return Err(Error::BadAddress);
        }
    }
    let mut clearing = Clearing::new(start, count, Tables::Keep);
    let finished = clearing.step(&mut memory, root, ENTRIES_CLEARED, &mut forget(frame_sets, frames));
    flush(kernel, this, task);
    if finished {
        return Ok(DONE);
    }
    let done = clearing.pages_done();
    Ok(Words::again([address + done * PAGE_SIZE, count - done]))
}

/// Moves pages of a frames object from this task to another, or to another place: they are mapped there with the rights
/// that they had here.
pub(super) fn move_pages(kernel: &mut Kernel, this: &PerCpu, task: Index<Task>, call: &Call) -> Answer {
    let [_, packed, _, to_address, ..] = call.words;
    let (address, count) = (packed & !(PAGE_SIZE - 1), packed % PAGE_SIZE);
    let capability = call.capability(kernel, 0)?;
    let frames = object(&kernel.frame_sets, capability, Rights::READ)?;
    let to = object(&kernel.machine.tasks, call.capability(kernel, 2)?, Rights::SEND)?;
    let tasks = &kernel.machine.tasks;
    let (from_start, to_start) = (linear(&tasks[task], address, count)?, linear(&tasks[to], to_address, count)?);
    let (from_root, to_root) = (tasks[task].space.root(), tasks[to].space.root());
    let payer = payer(kernel, to);
    let mut memory = kernel.memory(payer);
    let (mut done, mut result) = (0, Ok(()));
    while done < count.min(PAGES_MAPPED) && result.is_ok() {
        let [from, address] = [from_start, to_start].map(|start| start + done * PAGE_SIZE);
        result = match paging::translate(&mut memory, from_root, from) {
            None => Ok(()),
            Some((_, flags)) if flags.contains(PageTableFlags::HUGE_PAGE) => Err(Error::BadAddress),
            Some((frame, _)) if memory.frames.borrow().owner(frame) != Some(frames.number()) => Err(Error::BadArgument),
            Some((_, flags)) if !capability.rights().contains(paging::rights(flags)) => Err(Error::NoRight),
            Some((frame, flags)) => {
                let page = Page { size: Size::Small, address, frame, flags };
                let moved = put(&mut memory, to_root, page, false).map(drop).map_err(map_error);
                if moved.is_ok() {
                    let _here = paging::unmap(&mut memory, from_root, from);
                }
                moved
            }
        };
        done += u64::from(result.is_ok());
    }
    flush(kernel, this, task);
    let moved = done * PAGE_SIZE;
    let rest = [call.words[0], address + moved + (count - done), call.words[2], to_address + moved];
    match result {
        Err(error) => Ok(Words::failed(error, rest)),
        Ok(()) if done < count => Ok(Words::again(rest)),
        Ok(()) => Ok(DONE),
    }
}

fn is_large(found: Option<(Frame, PageTableFlags)>) -> bool {
    found.is_some_and(|(_, flags)| flags.contains(PageTableFlags::HUGE_PAGE))
}

/// Flushes what may be cached of a task's mappings. A host's are in all roots of its arena.
pub(super) fn flush(kernel: &Kernel, this: &PerCpu, task: Index<Task>) {
    let Task { kind, space, .. } = &kernel.machine.tasks[task];
    match kind {
        Kind::Host => tlb::flush_all(),
        Kind::Small | Kind::Wide => tlb::flush(this, space.cr3),
    }
}

/// The factory that pays for a task's page tables: its own if the root is its own, else the arena's.
pub(super) fn payer(kernel: &Kernel, task: Index<Task>) -> Index<Factory> {
    let Task { space, header, .. } = &kernel.machine.tasks[task];
    Index::new(if space.owns_root { header.factory } else { kernel.arenas[Index::new(space.arena)].header.factory })
}

/// The linear address of a range of a task's, if it may map there.
fn linear(task: &Task, address: u64, pages: u64) -> Result<VirtAddr, Error> {
    let lowest = match task.kind {
        Kind::Small | Kind::Wide => USER_START,
        Kind::Host => HOST_LOWEST,
    };
    let bytes = pages.checked_mul(PAGE_SIZE).ok_or(Error::BadAddress)?;
    let end = address.checked_add(bytes).ok_or(Error::BadAddress)?;
    if pages == 0 || !address.is_multiple_of(PAGE_SIZE) || address < lowest || end > task.space.size {
        return Err(Error::BadAddress);
    }
    VirtAddr::try_new(task.space.base + address).map_err(|_| Error::BadAddress)
}
