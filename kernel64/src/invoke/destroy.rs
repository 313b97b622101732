//! The end of objects: what waits on them is woken, what they hold goes back to who paid.

use lilliput_abi::layout::PAGE_SIZE;
use lilliput_abi::{Error, ObjectType, Rights};
use lilliput_core::ipc::end;
use lilliput_core::paging::{self, Tables, UPPER_HALF};
use lilliput_core::slab::{self, Header, Index};
use lilliput_core::task::Task;
use lilliput_core::thread::{Kind, Thread};
use x86_64::VirtAddr;

use super::Call;
use super::task::{clear, flush, payer};
use crate::cpu::percpu::PerCpu;
use crate::dispatch::object;
use crate::memory::Charged;
use crate::objects::{ArenaObject, Frames, HOST_END, HOST_LOWEST};
use crate::state::Kernel;
use crate::{switch, tlb};

/// Pages that a host could have.
const HOST_PAGES: u64 = (HOST_END - HOST_LOWEST) / PAGE_SIZE;

/// Destroys the object of one of the caller's capabilities, and takes the capability away.
pub fn destroy(kernel: &mut Kernel, this: &mut PerCpu, call: &Call) -> Result<(), Error> {
    let place = call.small(0)?;
    let capability = kernel.machine.tasks[call.task].capabilities.named(place)?;
    const TYPES: [ObjectType; 6] = [
        ObjectType::Endpoint,
        ObjectType::Notification,
        ObjectType::Thread,
        ObjectType::Task,
        ObjectType::Arena,
        ObjectType::Frames,
    ];
    let number = slab::type_number(capability.key);
    match TYPES.into_iter().find(|&known| known as u8 == number) {
        Some(ObjectType::Endpoint) => {
            let endpoint = object(&kernel.machine.endpoints, capability, Rights::DESTROY)?;
            end::close_endpoint(&mut kernel.machine, &mut this.cpu, endpoint);
            let header = kernel.machine.endpoints[endpoint].header;
            kernel.machine.endpoints.remove(endpoint);
            refund_object(kernel, &header);
        }
        Some(ObjectType::Notification) => {
            let notification = object(&kernel.machine.notifications, capability, Rights::DESTROY)?;
            end::close_notification(&mut kernel.machine, &mut this.cpu, notification);
            let header = kernel.machine.notifications[notification].header;
            kernel.machine.notifications.remove(notification);
            refund_object(kernel, &header);
        }
        Some(ObjectType::Thread) => {
            let thread = object(&kernel.machine.threads, capability, Rights::DESTROY)?;
            if thread == this.cpu.current {
                return Err(Error::Busy);
            }
            destroy_thread(kernel, this, thread);
        }
        Some(ObjectType::Task) => {
            let task = object(&kernel.machine.tasks, capability, Rights::DESTROY)?;
            if task == call.task {
                return Err(Error::Busy);
            }
            destroy_task(kernel, this, task);
        }
        Some(ObjectType::Frames) => destroy_frames(kernel, object(&kernel.frame_sets, capability, Rights::DESTROY)?)?,
        Some(ObjectType::Arena) => {
            let arena = object(&kernel.arenas, capability, Rights::DESTROY)?;
            destroy_arena(kernel, this, arena)?;
        }
        _ => return Err(Error::WrongType),
    }
    kernel.machine.tasks[call.task].capabilities.remove(place).map(|_| ())
}

fn refund_object(kernel: &mut Kernel, header: &Header) {
    kernel.factories[Index::new(header.factory)].objects.refund(1);
}

fn destroy_thread(kernel: &mut Kernel, this: &mut PerCpu, thread: Index<Thread>) {
    let machine = &mut kernel.machine;
    end::detach(machine, &mut this.cpu, thread);
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

/// Ends a task: its threads, its mappings and what the TLB has of them, its tables, its place in the arena.
fn destroy_task(kernel: &mut Kernel, this: &mut PerCpu, task: Index<Task>) {
    while let Some(thread) = kernel.machine.tasks[task].threads.some() {
        destroy_thread(kernel, this, thread);
    }
    let Task { kind, space, header, .. } = kernel.machine.tasks[task];
    this.cpu.loaded.forget(task);
    if space.owns_root && this.cpu.loaded.cr3 == space.cr3 {
        load_kernel_root(kernel, this);
    }
    let arena = Index::<ArenaObject>::new(space.arena);
    match kind {
        // Its tables are its arena's: roots of that arena share them.
        Kind::Host => {
            clear(kernel, task, VirtAddr::new(HOST_LOWEST), HOST_PAGES, Tables::Keep);
            kernel.arenas[arena].host = Index::NONE;
        }
        Kind::Small => remove_space(kernel, task, arena),
        Kind::Wide => {
            let mut memory = kernel.memory(Index::new(header.factory));
            let frames = memory.frames;
            paging::free_tables(&mut memory, space.root(), 0..UPPER_HALF, &mut |leaf| {
                let _counted = frames.borrow_mut().remove_map(leaf.frame);
            });
            let freed = memory.free(space.root(), 1);
            debug_assert!(freed.is_ok(), "a root is mapped nowhere");
        }
    }
    // Frames and tables went back to the allocator, and are not used again before this.
    flush(kernel, this, task);
    if space.owns_root {
        kernel.pcids.release(space.cr3);
    }
    let table = kernel.machine.tasks[task].capabilities.take();
    kernel.memory(Index::new(header.factory)).free_capability_table(table);
    kernel.machine.tasks.remove(task);
    refund_object(kernel, &header);
}

/// Takes a small space out of its arena.
fn remove_space(kernel: &mut Kernel, task: Index<Task>, arena: Index<ArenaObject>) {
    let payer = payer(kernel, task);
    let Kernel { arenas, factories, frames, placed, .. } = kernel;
    let mut memory = Charged { frames, quota: &mut factories[payer].frames };
    let (arena, space) = (&mut arenas[arena].arena, placed[task.number() as usize].take());
    if let (Some(arena), Some(space)) = (arena, space) {
        arena.remove_space(&mut memory, space, &mut |_, frame| {
            let _counted = frames.borrow_mut().remove_map(frame);
        });
    }
}

/// Leaves a root that is about to end for one that has the kernel's half only.
fn load_kernel_root(kernel: &Kernel, this: &mut PerCpu) {
    let root = kernel.facts.kernel_root.start().as_u64();
    // SAFETY: it is the root that the kernel booted with.
    unsafe { switch::write_cr3(root) };
    this.cpu.loaded.cr3 = root;
    this.cpu.loaded.arena = 0;
}

fn destroy_arena(kernel: &mut Kernel, this: &mut PerCpu, index: Index<ArenaObject>) -> Result<(), Error> {
    let ArenaObject { cr3, host, header, .. } = kernel.arenas[index];
    if !host.is_none() {
        return Err(Error::Busy);
    }
    if this.cpu.loaded.arena == index.number() {
        load_kernel_root(kernel, this);
    }
    let Kernel { arenas, factories, frames, .. } = kernel;
    let mut memory = Charged { frames, quota: &mut factories[Index::new(header.factory)].frames };
    if let Some(arena) = &mut arenas[index].arena {
        arena.destroy(&mut memory, &mut |_, _| {})?;
    }
    // The host's tables were in all roots of the arena.
    tlb::flush_all();
    kernel.pcids.release(cr3);
    kernel.arenas.remove(index);
    refund_object(kernel, &header);
    Ok(())
}

fn destroy_frames(kernel: &mut Kernel, index: Index<Frames>) -> Result<(), Error> {
    let Frames { first, count, header, .. } = kernel.frame_sets[index];
    if let Some(first) = first {
        kernel.memory(Index::new(header.factory)).free(first, u64::from(count))?;
    }
    kernel.frame_sets.remove(index);
    refund_object(kernel, &header);
    Ok(())
}
