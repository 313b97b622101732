//! Methods of a task: its memory, its capabilities, its fault handler.

use lilliput_abi::layout::{PAGE_SIZE, USER_START};
use lilliput_abi::object::{TaskMethod, kind};
use lilliput_abi::{Error, Rights};
use lilliput_core::capability::Capability;
use lilliput_core::frames::Frame;
use lilliput_core::paging::{self, Tables};
use lilliput_core::slab::Index;
use lilliput_core::task::Task;
use lilliput_core::thread::Kind;
use x86_64::VirtAddr;

use super::{Answer, Call, DONE, Words};
use crate::cpu::percpu::PerCpu;
use crate::dispatch::object;
use crate::memory::map_error;
use crate::objects::{Factory, HOST_LOWEST};
use crate::state::Kernel;
use crate::tlb;

pub(super) fn invoke(kernel: &mut Kernel, this: &mut PerCpu, task: Index<Task>, call: &Call) -> Answer {
    match TaskMethod::from_label(call.label).ok_or(Error::BadOperation)? {
        TaskMethod::Map => map(kernel, task, call),
        TaskMethod::Unmap => unmap(kernel, this, task, call.words[0], call.words[1]).map(|()| DONE),
        TaskMethod::Grant => grant(kernel, task, call),
        TaskMethod::Delete => kernel.machine.tasks[task].capabilities.remove(call.small(0)?).map(|_| DONE),
        TaskMethod::SetFaultHandler => set_fault_handler(kernel, task, call),
        TaskMethod::Info => Ok(info(&kernel.machine.tasks[task])),
    }
}

fn map(kernel: &mut Kernel, task: Index<Task>, call: &Call) -> Answer {
    let capability = call.capability(kernel, 0)?;
    let rights = Rights::from_bits(call.small(3)?).ok_or(Error::BadArgument)?;
    let frames = object(&kernel.frame_sets, capability, rights)?;
    let range: u32 = call.small(2)?;
    let (first, count) = (u64::from(range & 0xffff), u64::from(range >> 16));
    let set = &kernel.frame_sets[frames];
    if first + count > u64::from(set.count) {
        return Err(Error::BadArgument);
    }
    let from = set.first.and_then(|start| start.offset(first)).ok_or(Error::BadCapability)?;
    map_frames(kernel, task, call.words[1], from, count, rights).map(|()| DONE)
}

/// Maps contiguous frames into a task, all of them or none.
///
/// # Errors
/// `BadAddress` outside of what the task may map, `Occupied`, `NoMemory` for page tables, `BadArgument` for rights that can't be had.
pub fn map_frames(
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
    let quota = payer(kernel, task);
    let mut memory = kernel.memory(quota);
    for page in 0..count {
        let frame = first.offset(page).ok_or(Error::BadArgument)?;
        if let Err(error) = paging::map(&mut memory, root, start + page * PAGE_SIZE, frame, flags) {
            clear(kernel, task, start, page, Tables::Keep);
            // Nobody ran meanwhile, but a CPU may load entries ahead of any access.
            tlb::flush_all();
            return Err(map_error(error));
        }
        // Frames that the allocator never had, the boot archive's, are not counted: they are never freed.
        let _counted = memory.frames.borrow_mut().add_map(frame);
    }
    Ok(())
}

fn unmap(kernel: &mut Kernel, this: &PerCpu, task: Index<Task>, address: u64, count: u64) -> Result<(), Error> {
    let start = linear(&kernel.machine.tasks[task], address, count)?;
    clear(kernel, task, start, count, Tables::Keep);
    flush(kernel, this, task);
    Ok(())
}

/// Unmaps whatever a task has mapped in a range. The caller flushes.
pub(super) fn clear(kernel: &mut Kernel, task: Index<Task>, start: VirtAddr, pages: u64, tables: Tables) {
    let root = kernel.machine.tasks[task].space.root();
    let payer = payer(kernel, task);
    let mut memory = kernel.memory(payer);
    let frames = memory.frames;
    paging::clear(&mut memory, root, start, pages, tables, &mut |leaf| {
        let _counted = frames.borrow_mut().remove_map(leaf.frame);
    });
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

fn grant(kernel: &mut Kernel, task: Index<Task>, call: &Call) -> Answer {
    let source = call.capability(kernel, 0)?;
    let rights = Rights::from_bits(call.small(1)?).ok_or(Error::BadArgument)?;
    let derived = source.derive(rights, call.small(2)?)?;
    let place = kernel.machine.tasks[task].capabilities.insert(call.small(3)?, derived)?;
    Ok([u64::from(place)].into())
}

fn set_fault_handler(kernel: &mut Kernel, task: Index<Task>, call: &Call) -> Answer {
    let handler = if call.words[0] == 0 {
        Capability::NULL
    } else {
        let source = call.capability(kernel, 0)?;
        object(&kernel.machine.endpoints, source, Rights::SEND)?;
        source.derive(Rights::SEND, call.small(1)?)?
    };
    kernel.machine.tasks[task].fault_handler = handler;
    Ok(DONE)
}

fn info(task: &Task) -> Words {
    let number = match task.kind {
        Kind::Small => kind::SMALL,
        Kind::Host => kind::HOST,
        Kind::Wide => kind::WIDE,
    };
    let isolation = task.space.isolation.map_or(0, |isolation| isolation as u64);
    [number, isolation, task.space.base, task.space.size].into()
}
