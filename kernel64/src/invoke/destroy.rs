//! The end of objects: what waits on them is woken, what they hold goes back to who paid.

use lilliput_abi::layout::PAGE_SIZE;
use lilliput_abi::{Error, ObjectType, Rights};
use lilliput_compat32::arena::PlacedSpace;
use lilliput_core::capability::Capability;
use lilliput_core::ipc::end;
use lilliput_core::paging::{Clearing, Tables, UPPER_HALF};
use lilliput_core::slab::{self, Header, Index, Object, Slab};
use lilliput_core::task::Task;
use lilliput_core::thread::{Kind, Thread};
use x86_64::VirtAddr;

use super::memory::{ENTRIES_CLEARED, flush, payer};
use super::{Answer, Call, DONE, Words, frames};
use crate::cpu::percpu::PerCpu;
use crate::dispatch::object;
use crate::memory::{Charged, forget};
use crate::objects::{ArenaObject, HOST_END, HOST_LOWEST};
use crate::state::Kernel;
use crate::{devices, switch, tlb};

/// Pages that a host could have.
const HOST_PAGES: u64 = (HOST_END - HOST_LOWEST) / PAGE_SIZE;

/// Threads that are ended, or woken, before interrupts have their turn.
const THREADS_ENDED: u32 = 16;

/// Destroys the object of one of the caller's capabilities, and takes the capability away.
///
/// What may be long goes in steps. From the first one on the object is retired: no capability names it any more, but to
/// whoever destroys it.
pub fn destroy(kernel: &mut Kernel, this: &mut PerCpu, call: &Call) -> Answer {
    let place = call.small(0)?;
    let capability = kernel.machine.tasks[call.task].capabilities.named(place)?;
    if step(kernel, this, call.task, capability)? {
        kernel.machine.tasks[call.task].capabilities.remove(place)?;
        return Ok(DONE);
    }
    Ok(Words::again([call.words[0]]))
}

/// A step of an object's end. True when it is gone.
fn step(kernel: &mut Kernel, this: &mut PerCpu, caller: Index<Task>, capability: Capability) -> Result<bool, Error> {
    const TYPES: [ObjectType; 8] = [
        ObjectType::Endpoint,
        ObjectType::Notification,
        ObjectType::Thread,
        ObjectType::Task,
        ObjectType::Frames,
        ObjectType::Arena,
        ObjectType::Interrupt,
        ObjectType::IoPorts,
    ];
    let number = slab::type_number(capability.key);
    match TYPES.into_iter().find(|&known| known as u8 == number) {
        Some(ObjectType::Endpoint) => {
            let endpoint = retire(&mut kernel.machine.endpoints, capability, |_| false)?;
            if !end::close_endpoint(&mut kernel.machine, &mut this.cpu, endpoint, THREADS_ENDED) {
                return Ok(false);
            }
            let header = kernel.machine.endpoints[endpoint].header;
            kernel.machine.endpoints.remove(endpoint);
            refund_object(kernel, &header);
        }
        Some(ObjectType::Notification) => {
            let notification = retire(&mut kernel.machine.notifications, capability, |_| false)?;
            if !end::close_notification(&mut kernel.machine, &mut this.cpu, notification, THREADS_ENDED) {
                return Ok(false);
            }
            let header = kernel.machine.notifications[notification].header;
            kernel.machine.notifications.remove(notification);
            refund_object(kernel, &header);
        }
        Some(ObjectType::Thread) => {
            let thread = retire(&mut kernel.machine.threads, capability, |thread| thread == this.cpu.current)?;
            destroy_thread(kernel, this, thread);
        }
        Some(ObjectType::Task) => {
            let task = retire(&mut kernel.machine.tasks, capability, |task| task == caller)?;
            return Ok(destroy_task(kernel, this, task));
        }
        Some(ObjectType::Frames) => {
            let Kernel { frame_sets, .. } = kernel;
            let mapped = object(frame_sets, capability, Rights::DESTROY).is_ok_and(|at| frame_sets[at].set.is_mapped());
            let frames = retire(frame_sets, capability, |_| mapped)?;
            let header = frame_sets[frames].header;
            if !frames::end(kernel, frames) {
                return Ok(false);
            }
            refund_object(kernel, &header);
        }
        Some(ObjectType::Interrupt) => {
            let interrupt = retire(&mut kernel.devices.interrupts, capability, |_| false)?;
            let header = kernel.devices.interrupts[interrupt].header;
            devices::remove_interrupt(kernel, interrupt);
            refund_object(kernel, &header);
        }
        Some(ObjectType::IoPorts) => {
            let ports = retire(&mut kernel.devices.ports, capability, |_| false)?;
            let header = kernel.devices.ports[ports].header;
            kernel.devices.ports.remove(ports);
            refund_object(kernel, &header);
        }
        Some(ObjectType::Arena) => {
            let Kernel { arenas, .. } = kernel;
            let used = object(arenas, capability, Rights::DESTROY).is_ok_and(|at| arenas[at].is_used());
            let arena = retire(arenas, capability, |_| used)?;
            return Ok(destroy_arena(kernel, this, arena));
        }
        _ => return Err(Error::WrongType),
    }
    Ok(true)
}

/// The object that a capability lets end, from now on or already nameless.
///
/// # Errors
/// `Busy` where it must not end; what the capability lacks.
fn retire<T: Object>(
    slab: &mut Slab<T>,
    capability: Capability,
    busy: impl FnOnce(Index<T>) -> bool,
) -> Result<Index<T>, Error> {
    let index = match slab.retired(capability.number(), capability.key, Rights::DESTROY) {
        Some(index) => index,
        None => object(slab, capability, Rights::DESTROY)?,
    };
    if busy(index) {
        return Err(Error::Busy);
    }
    slab.retire(index);
    Ok(index)
}

fn refund_object(kernel: &mut Kernel, header: &Header) {
    kernel.factories[Index::new(header.factory)].objects.refund(1);
}

fn destroy_thread(kernel: &mut Kernel, this: &mut PerCpu, thread: Index<Thread>) {
    let machine = &mut kernel.machine;
    end::detach(machine, &mut this.cpu, thread);
    machine.leave_home(thread);
    if this.cpu.vector_owner == thread {
        this.cpu.vector_owner = Index::NONE;
    }
    let Thread { task, sibling, header, .. } = machine.threads[thread];
    if machine.tasks[task].threads == thread {
        machine.tasks[task].threads = sibling;
    } else {
        let mut before = machine.tasks[task].threads;
        while machine.threads[before].sibling != thread {
            before = machine.threads[before].sibling;
        }
        machine.threads[before].sibling = sibling;
    }
    machine.threads.remove(thread);
    refund_object(kernel, &header);
}

/// A step of a task's end: its threads; its mappings with its tables, and what the TLB has of them; then the rest.
fn destroy_task(kernel: &mut Kernel, this: &mut PerCpu, task: Index<Task>) -> bool {
    for _ in 0..THREADS_ENDED {
        let Some(thread) = kernel.machine.tasks[task].threads.some() else { break };
        destroy_thread(kernel, this, thread);
    }
    if !kernel.machine.tasks[task].threads.is_none() {
        return false;
    }
    let space = kernel.machine.tasks[task].space;
    this.cpu.loaded.forget(task);
    if space.owns_root && this.cpu.loaded.cr3 == space.cr3 {
        load_kernel_root(kernel, this);
    }
    let mut clearing = kernel.machine.tasks[task].clearing.take().unwrap_or_else(|| whole_space(kernel, task));
    let payer = payer(kernel, task);
    let Kernel { frame_sets, frames, factories, .. } = kernel;
    let mut memory = Charged { frames, quota: &mut factories[payer].frames };
    let cleared = clearing.step(&mut memory, space.root(), ENTRIES_CLEARED, &mut forget(frame_sets, frames));
    // Frames and tables went back to the allocator, and are not used again before this.
    flush(kernel, this, task);
    if !cleared {
        kernel.machine.tasks[task].clearing = Some(clearing);
        return false;
    }
    finish_task(kernel, task);
    true
}

/// All that a task has in its root and nobody else has.
fn whole_space(kernel: &Kernel, task: Index<Task>) -> Clearing {
    match kernel.machine.tasks[task].kind {
        // The uppermost tables are its arena's: roots of that arena share them.
        Kind::Host => Clearing::new(VirtAddr::new(HOST_LOWEST), HOST_PAGES, Tables::Free),
        Kind::Wide => Clearing::below(0..UPPER_HALF),
        Kind::Small => kernel.placed[task.number() as usize].as_ref().map(PlacedSpace::clearing).unwrap_or_default(),
    }
}

/// The end of a task that has neither threads nor mappings.
fn finish_task(kernel: &mut Kernel, task: Index<Task>) {
    let Task { kind, space, header, .. } = kernel.machine.tasks[task];
    let arena = Index::<ArenaObject>::new(space.arena);
    match kind {
        Kind::Host => kernel.arenas[arena].host = Index::NONE,
        Kind::Small => remove_space(kernel, task, arena),
        Kind::Wide => kernel.memory(Index::new(header.factory)).free(space.root(), 1),
    }
    if space.owns_root {
        kernel.pcids.release(space.cr3);
    }
    let table = kernel.machine.tasks[task].capabilities.take();
    kernel.memory(Index::new(header.factory)).free_capability_table(table);
    kernel.machine.tasks.remove(task);
    refund_object(kernel, &header);
}

/// Takes a small space that maps nothing any more out of its arena.
fn remove_space(kernel: &mut Kernel, task: Index<Task>, arena: Index<ArenaObject>) {
    let payer = payer(kernel, task);
    let Kernel { arenas, factories, frames, placed, .. } = kernel;
    let mut memory = Charged { frames, quota: &mut factories[payer].frames };
    let (arena, space) = (&mut arenas[arena].arena, placed[task.number() as usize].take());
    if let (Some(arena), Some(space)) = (arena, space) {
        arena.finish_removal(&mut memory, space);
    }
}

/// Leaves a root that is about to end for one that has the kernel's half only.
pub(super) fn load_kernel_root(kernel: &Kernel, this: &mut PerCpu) {
    let root = kernel.facts.kernel_root.start().as_u64();
    // SAFETY: it is the root that the kernel booted with.
    unsafe { switch::write_cr3(root) };
    this.cpu.loaded.cr3 = root;
    this.cpu.loaded.arena = 0;
}

/// A step of the end of an arena that has neither host nor tasks.
fn destroy_arena(kernel: &mut Kernel, this: &mut PerCpu, index: Index<ArenaObject>) -> bool {
    if this.cpu.loaded.arena == index.number() {
        load_kernel_root(kernel, this);
    }
    let Kernel { arenas, factories, frames, .. } = kernel;
    let ArenaObject { cr3, arena, header, clearing, .. } = &mut arenas[index];
    let (cr3, header) = (*cr3, *header);
    let mut memory = Charged { frames, quota: &mut factories[Index::new(header.factory)].frames };
    if let Some(arena) = arena {
        let clearing = clearing.get_or_insert_with(|| Clearing::below(0..UPPER_HALF));
        let cleared = clearing.step(&mut memory, arena.root(), ENTRIES_CLEARED, &mut |_| {});
        // The host's tables were in all roots of the arena.
        tlb::flush_all();
        if !cleared {
            return false;
        }
        let destroyed = arena.destroy(&mut memory, &mut |_, _| {});
        debug_assert_eq!(destroyed, Ok(()), "an arena that is retired has no spaces");
    }
    kernel.pcids.release(cr3);
    kernel.arenas.remove(index);
    refund_object(kernel, &header);
    true
}
