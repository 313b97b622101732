//! Small spaces that change while their task lives: size, place, isolation mode, arena.
//!
//! `compat32` decides and moves page-table entries. What is left is what this CPU and the task's threads have of the
//! old space: descriptors, roots, tags, TLB entries.

use lilliput_abi::layout::SLOT_UNIT;
use lilliput_abi::object::resize::{ALONE, ANYWHERE};
use lilliput_abi::{Error, Isolation, Rights};
use lilliput_compat32::arena::{Arena, Place, PlacedSpace, Policy, Request, Wanted};
use lilliput_compat32::descriptor::{Descriptor, Extent};
use lilliput_compat32::tls;
use lilliput_core::factory::Factory;
use lilliput_core::local::{Local, Storage};
use lilliput_core::machine::Machine;
use lilliput_core::slab::Index;
use lilliput_core::task::{Space, Task};
use lilliput_core::thread::{Kind, Thread};

use super::destroy::load_kernel_root;
use super::memory::{ENTRIES_CLEARED, payer};
use super::{Answer, Call, Words};
use crate::console;
use crate::cpu::percpu::PerCpu;
use crate::dispatch::object;
use crate::facts::Facts;
use crate::memory::{Charged, forget};
use crate::objects::ArenaObject;
use crate::state::Kernel;
use crate::tlb;

/// `Resize`: in place, else in another slot, else alone in a root of its own; or smaller, in steps.
pub(super) fn resize(kernel: &mut Kernel, this: &mut PerCpu, task: Index<Task>, call: &Call) -> Answer {
    let (size, place) = (call.words[0], call.words[1]);
    if place > ALONE {
        return Err(Error::BadArgument);
    }
    let PlacedSpace { space, isolation, large, .. } = placed(kernel, task)?;
    if size < space.size() {
        if !shrink(kernel, this, task, size)? {
            return Ok(Words::again([size, place]));
        }
    } else {
        let arena = Index::new(kernel.machine.tasks[task].space.arena);
        let in_slot = Wanted { size, isolation, place: Place::Slot };
        let own_root = if isolation == Isolation::Segment { Isolation::Page } else { isolation };
        let alone = Wanted { size, isolation: own_root, place: Place::Alone };
        match relocate(kernel, this, task, arena, if large || place == ALONE { alone } else { in_slot }) {
            Err(Error::NoHole) if !large && place == ANYWHERE => relocate(kernel, this, task, arena, alone)?,
            outcome => outcome?,
        }
    }
    let Space { base, size, isolation, .. } = kernel.machine.tasks[task].space;
    Ok([size, base, isolation.map_or(0, |isolation| isolation as u64)].into())
}

/// `SetIsolation`: another mode, by its number, in the slot that it has; a large task gets one if it is to be in `segment` mode.
pub fn set_isolation(kernel: &mut Kernel, this: &mut PerCpu, task: Index<Task>, wanted: u64) -> Answer {
    let arena = Index::new(kernel.machine.tasks[task].space.arena);
    let large = placed(kernel, task)?.large;
    let isolation = isolation(kernel, task, arena, wanted)?;
    let place = if large && isolation != Isolation::Segment { Place::Alone } else { Place::Slot };
    let size = kernel.machine.tasks[task].space.size;
    relocate(kernel, this, task, arena, Wanted { size, isolation, place })?;
    Ok([isolation as u64].into())
}

/// `Move`: into a slot of an arena, its own or another.
pub(super) fn move_to(kernel: &mut Kernel, this: &mut PerCpu, task: Index<Task>, call: &Call) -> Answer {
    placed(kernel, task)?;
    let arena = named_arena(kernel, call)?;
    let isolation = isolation(kernel, task, arena, call.words[1])?;
    let size = kernel.machine.tasks[task].space.size;
    relocate(kernel, this, task, arena, Wanted { size, isolation, place: Place::Slot })?;
    Ok([kernel.machine.tasks[task].space.base, isolation as u64].into())
}

/// `Compact`: the space behind the lowest hole slides down over it.
pub(super) fn compact(kernel: &mut Kernel, this: &mut PerCpu, index: Index<ArenaObject>) -> Answer {
    let behind = arena(kernel, index)?.slots().behind_first_hole();
    let task = behind.and_then(|unit| tenant(kernel, index, unit));
    if let Some(task) = task {
        if kernel.machine.tasks[task].clearing.is_some() {
            // Somebody is about to destroy it, in steps that know where it is.
            return Err(Error::Busy);
        }
        let PlacedSpace { space, isolation, .. } = placed(kernel, task)?;
        relocate(kernel, this, task, index, Wanted { size: space.size(), isolation, place: Place::Down })?;
    }
    let slots = arena(kernel, index)?.slots();
    let bytes = |units| u64::from(units) * SLOT_UNIT;
    Ok([task.is_some().into(), bytes(slots.largest_hole()), bytes(slots.free_units())].into())
}

/// What boot found out or was told about isolation.
pub(super) const fn policy(facts: &Facts) -> Policy {
    Policy { limits_enforced: facts.limits_enforced, unenforced_allowed: facts.unenforced_allowed }
}

/// Has every line that is printed say so once a space is in `segment` mode where no limits are enforced.
pub(super) fn mark(isolation: Isolation, policy: Policy) {
    if isolation == Isolation::Segment && !policy.limits_enforced {
        console::mark_unenforced();
    }
}

/// A placed space as its task has it, in an arena that the host of the second one serves.
pub(super) fn describe(placed: &PlacedSpace, [arena, host_arena]: [Index<ArenaObject>; 2], cr3: u64) -> Space {
    let space = placed.space;
    Space {
        cr3,
        arena: arena.number(),
        host_arena: host_arena.number(),
        base: space.base(),
        size: space.size(),
        isolation: Some(placed.isolation),
        owns_root: placed.owns_root(),
        code_descriptor: Descriptor::code32(space.extent()).0,
        data_descriptor: Descriptor::data32(space.extent()).0,
    }
}

/// What a small thread has for itself in a space: where limits confine that, with negative offsets or without.
#[inline(never)]
pub fn local(space: &Space, storage: Storage, below: bool) -> Local {
    let by_limits = space.isolation == Some(Isolation::Segment);
    let descriptor =
        Extent::new(space.base, space.size).map(|extent| tls::descriptor(extent, by_limits, storage, below).0);
    Local::small(storage, descriptor.unwrap_or(0))
}

/// The arena of the capability at the place that word 0 says: for tasks to be put there.
#[inline(never)]
pub(super) fn named_arena(kernel: &Kernel, call: &Call) -> Result<Index<ArenaObject>, Error> {
    object(&kernel.arenas, call.capability(kernel, 0)?, Rights::SEND)
}

fn placed(kernel: &Kernel, task: Index<Task>) -> Result<PlacedSpace, Error> {
    kernel.placed[task.number() as usize].ok_or(Error::WrongType)
}

fn arena(kernel: &Kernel, index: Index<ArenaObject>) -> Result<&Arena, Error> {
    kernel.arenas[index].arena.as_ref().ok_or(Error::BadCapability)
}

/// The small task whose slot begins at a unit of an arena.
fn tenant(kernel: &Kernel, arena: Index<ArenaObject>, unit: u16) -> Option<Index<Task>> {
    let tasks = &kernel.machine.tasks;
    let is_it = |index: Index<Task>| {
        let Task { kind, space, .. } = &tasks[index];
        *kind == Kind::Small
            && space.arena == arena.number()
            && kernel.placed[index.number() as usize]
                .is_some_and(|placed| !placed.large && placed.space.slot().first() == unit)
    };
    tasks.iter().find(|&index| is_it(index))
}

/// The mode that a request means for a task in an arena.
fn isolation(
    kernel: &Kernel,
    task: Index<Task>,
    index: Index<ArenaObject>,
    requested: u64,
) -> Result<Isolation, Error> {
    let isolation = Isolation::from_number(requested).ok_or(Error::BadArgument)?;
    let PlacedSpace { space, domain, .. } = placed(kernel, task)?;
    let request = Request { size: space.size(), isolation, domain };
    arena(kernel, index)?.isolation(&request, policy(&kernel.facts))
}

/// Makes a space what it is wanted to be. All or nothing.
fn relocate(
    kernel: &mut Kernel,
    this: &mut PerCpu,
    task: Index<Task>,
    to: Index<ArenaObject>,
    wanted: Wanted,
) -> Result<(), Error> {
    let (from, old) = (placed(kernel, task)?, kernel.machine.tasks[task].space);
    let (left, pays) = (Index::<ArenaObject>::new(old.arena), payer(kernel, task));
    let will_pay: Index<Factory> = Index::new(match wanted.isolation {
        Isolation::Segment => kernel.arenas[to].header.factory,
        _ => kernel.machine.tasks[task].header.factory,
    });
    let Kernel { arenas, factories, frames, .. } = kernel;
    let mut memory = Charged { frames, quota: &mut factories[will_pay].frames };
    let arena = arenas[to].arena.as_mut().ok_or(Error::BadCapability)?;
    let relocation = arena.prepare(&mut memory, &from, to == left, wanted)?;
    // Point of no return.
    relocation.carry_out(&mut memory);
    let (becomes, moves) = (*relocation.to(), relocation.moves());
    let cr3 = cr3(kernel, to, &from, &becomes, old.cr3);
    let other_root = moves || cr3 != old.cr3;
    if other_root && from.owns_root() && this.cpu.loaded.cr3 == old.cr3 {
        // A host may be running on it, and has a root of its arena loaded when it goes on.
        load_kernel_root(kernel, this);
    }
    let Kernel { arenas, factories, frames, .. } = kernel;
    if let Some(arena) = &mut arenas[left].arena {
        arena.finish(&mut Charged { frames, quota: &mut factories[pays].frames }, relocation);
    }
    if other_root {
        // Tables went back to the allocator, and are not used again before this.
        tlb::flush(this, old.cr3);
    }
    if from.owns_root() && cr3 != old.cr3 {
        kernel.pcids.release(old.cr3);
    }
    mark(becomes.isolation, policy(&kernel.facts));
    kernel.placed[task.number() as usize] = Some(becomes);
    let host_arena = kernel.arenas[to].host_arena;
    adopt(kernel, this, task, describe(&becomes, [to, host_arena], cr3));
    Ok(())
}

/// CR3 for a space that was relocated. A root that it keeps keeps its tag, unless the mode says otherwise.
fn cr3(kernel: &mut Kernel, arena: Index<ArenaObject>, from: &PlacedSpace, to: &PlacedSpace, old: u64) -> u64 {
    let root = to.root.start().as_u64();
    match to.isolation {
        Isolation::Segment | Isolation::Auto => kernel.arenas[arena].cr3,
        isolation if isolation == from.isolation => old,
        Isolation::Page => kernel.pcids.tag(root),
        Isolation::PageUntagged => root,
    }
}

/// Makes a task smaller by a step, and flushes what it lost. True when it has the size.
fn shrink(kernel: &mut Kernel, this: &mut PerCpu, task: Index<Task>, size: u64) -> Result<bool, Error> {
    let mut becomes = placed(kernel, task)?;
    let Space { arena, cr3, .. } = kernel.machine.tasks[task].space;
    let (index, pays) = (Index::<ArenaObject>::new(arena), payer(kernel, task));
    let Kernel { arenas, factories, frames, frame_sets, .. } = kernel;
    let mut memory = Charged { frames, quota: &mut factories[pays].frames };
    let arena = arenas[index].arena.as_mut().ok_or(Error::BadCapability)?;
    let done = arena.shrink_step(&mut memory, &mut becomes, size, ENTRIES_CLEARED, &mut forget(frame_sets, frames))?;
    tlb::flush(this, cr3);
    kernel.placed[task.number() as usize] = Some(becomes);
    let host_arena = kernel.arenas[index].host_arena;
    adopt(kernel, this, task, describe(&becomes, [index, host_arena], cr3));
    Ok(done)
}

/// Gives a task its new space. What its threads and the CPU have of the old one is not used again: whoever runs next, one of them perhaps, gets loaded
/// what it needs when the kernel is left.
fn adopt(kernel: &mut Kernel, this: &mut PerCpu, task: Index<Task>, space: Space) {
    let Machine { tasks, threads, .. } = &mut kernel.machine;
    tasks[task].space = space;
    let mut next = tasks[task].threads;
    while let Some(index) = next.some() {
        let thread = &mut threads[index];
        thread.outdate();
        next = thread.sibling;
    }
    this.cpu.loaded.forget(task);
}

/// Gives a thread what it has of its task's space, which changed since it ran.
#[cold]
pub fn renew(machine: &mut Machine, thread: Index<Thread>) {
    let Machine { tasks, threads, .. } = machine;
    let thread = &mut threads[thread];
    let space = &tasks[thread.task].space;
    let storage = thread.local.storage();
    let below = Descriptor(thread.local.descriptor(Kind::Small)).is_below();
    thread.enter(space, if storage.is_none() { Local::NONE } else { local(space, storage, below) });
}
