//! The end of objects: what waits on them is woken, what they hold goes back to who paid.

use lilliput_abi::layout::PAGE_SIZE;
use lilliput_abi::operation::exit as abi;
use lilliput_abi::{Error, ObjectType, Rights};
use lilliput_compat32::arena::PlacedSpace;
use lilliput_core::capability::Capability;
use lilliput_core::cpu::Decision;
use lilliput_core::endpoint::{Endpoint, Notification};
use lilliput_core::factory::Factory;
use lilliput_core::interrupt::Interrupt;
use lilliput_core::ipc::{end, kept};
use lilliput_core::paging::{Clearing, Tables, UPPER_HALF};
use lilliput_core::ports::IoPorts;
use lilliput_core::reply::Reply;
use lilliput_core::slab::{self, Header, Index, Object, Slab};
use lilliput_core::task::Task;
use lilliput_core::thread::{Account, Kind, Thread};
use x86_64::VirtAddr;

use super::memory::{ENTRIES_CLEARED, flush, payer};
use super::{Answer, Call, DONE, Words, frames, reclaim};
use crate::boot::objects::ROOT_FACTORY;
use crate::cpu::percpu::PerCpu;
use crate::dispatch::object;
use crate::memory::{Charged, forget};
use crate::objects::{ArenaObject, Frames, HOST_END, HOST_LOWEST};
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
pub fn destroy(kernel: &mut Kernel, this: &mut PerCpu, by: Index<Factory>, call: &Call) -> Answer {
    let place = call.small(0)?;
    let capability = kernel.machine.tasks[call.task].capabilities.named(place)?;
    let used = used(kernel, capability);
    if step(kernel, this, by, call.task, capability)? {
        kernel.machine.tasks[call.task].capabilities.remove(place)?;
        return Ok(used);
    }
    Ok(Words::again([call.words[0]]))
}

/// What a thread has used, which nobody can be asked once it is gone; nothing is said of other objects, and of what is not to be destroyed.
fn used(kernel: &Kernel, capability: Capability) -> Words {
    let threads = &kernel.machine.threads;
    if slab::type_number(capability.key) != ObjectType::Thread as u8 {
        return DONE;
    }
    named(threads, capability).map_or(DONE, |thread| {
        let Account { user, kernel, .. } = threads[thread].account;
        [user & 0xffff_ffff, user >> 32, kernel & 0xffff_ffff, kernel >> 32].into()
    })
}

/// A step of an object's end. True when it is gone.
fn step(
    kernel: &mut Kernel,
    this: &mut PerCpu,
    by: Index<Factory>,
    caller: Index<Task>,
    capability: Capability,
) -> Result<bool, Error> {
    const TYPES: [ObjectType; 10] = [
        ObjectType::Endpoint,
        ObjectType::Notification,
        ObjectType::Reply,
        ObjectType::Thread,
        ObjectType::Task,
        ObjectType::Frames,
        ObjectType::Arena,
        ObjectType::Interrupt,
        ObjectType::IoPorts,
        ObjectType::Factory,
    ];
    let number = slab::type_number(capability.key);
    Ok(match TYPES.into_iter().find(|&known| known as u8 == number) {
        Some(ObjectType::Endpoint) => {
            let endpoint = retire(&mut kernel.machine.endpoints, capability, |_, _| false)?;
            end_endpoint(kernel, this, endpoint)
        }
        Some(ObjectType::Notification) => {
            let notification = retire(&mut kernel.machine.notifications, capability, |_, _| false)?;
            end_notification(kernel, this, notification)
        }
        Some(ObjectType::Reply) => {
            let reply = object(&kernel.machine.replies, capability, Rights::DESTROY)?;
            end_reply(kernel, this, reply)
        }
        Some(ObjectType::Thread) => {
            let thread = retire(&mut kernel.machine.threads, capability, |_, thread| thread == this.cpu.current)?;
            end_thread(kernel, this, thread)
        }
        Some(ObjectType::Task) => {
            let task = retire(&mut kernel.machine.tasks, capability, |_, task| task == caller)?;
            end_task(kernel, this, task)
        }
        Some(ObjectType::Frames) => {
            let frames = retire(&mut kernel.frame_sets, capability, |sets, at| sets[at].set.is_mapped())?;
            end_frames(kernel, frames)
        }
        Some(ObjectType::Interrupt) => {
            let interrupt = retire(&mut kernel.devices.interrupts, capability, |_, _| false)?;
            end_interrupt(kernel, interrupt)
        }
        Some(ObjectType::IoPorts) => {
            let ports = retire(&mut kernel.ports, capability, |_, _| false)?;
            end_ports(kernel, ports)
        }
        Some(ObjectType::Arena) => {
            let arena = retire(&mut kernel.arenas, capability, |arenas, at| {
                arenas[at].is_used() || arenas.iter().any(|other| other != at && arenas[other].host_arena == at)
            })?;
            end_arena(kernel, this, arena)
        }
        Some(ObjectType::Factory) => {
            let harmed = |kernel: &Kernel, doomed| {
                kernel.factories.is_within(by.number(), doomed) || reclaim::takes_caller(kernel, this, caller, doomed)
            };
            let factory = named(&kernel.factories, capability)?;
            if factory == ROOT_FACTORY || harmed(kernel, factory) {
                return Err(Error::Busy);
            }
            kernel.factories.retire(factory);
            reclaim::step(kernel, this, factory)
        }
        _ => return Err(Error::WrongType),
    })
}

/// The object that a capability lets end, whether its end has begun or not.
///
/// # Errors
/// What the capability lacks.
fn named<T: Object>(slab: &Slab<T>, capability: Capability) -> Result<Index<T>, Error> {
    match slab.retired(capability.number(), capability.key, Rights::DESTROY) {
        Some(index) => Ok(index),
        None => object(slab, capability, Rights::DESTROY),
    }
}

/// The object that a capability lets end, from now on or already nameless.
///
/// # Errors
/// `Busy` where it must not end; what the capability lacks.
fn retire<T: Object>(
    slab: &mut Slab<T>,
    capability: Capability,
    busy: impl FnOnce(&Slab<T>, Index<T>) -> bool,
) -> Result<Index<T>, Error> {
    let index = named(slab, capability)?;
    if busy(slab, index) {
        return Err(Error::Busy);
    }
    slab.retire(index);
    Ok(index)
}

/// A step of an endpoint's end.
pub(super) fn end_endpoint(kernel: &mut Kernel, this: &mut PerCpu, endpoint: Index<Endpoint>) -> bool {
    if !end::close_endpoint(&mut kernel.machine, &mut this.cpu, endpoint, THREADS_ENDED) {
        return false;
    }
    let header = kernel.machine.endpoints[endpoint].header;
    kernel.machine.endpoints.remove(endpoint);
    refund_object(kernel, &header);
    true
}

/// A step of a notification's end.
pub(super) fn end_notification(kernel: &mut Kernel, this: &mut PerCpu, notification: Index<Notification>) -> bool {
    if !end::close_notification(&mut kernel.machine, &mut this.cpu, notification, THREADS_ENDED) {
        return false;
    }
    let header = kernel.machine.notifications[notification].header;
    kernel.machine.notifications.remove(notification);
    refund_object(kernel, &header);
    true
}

/// The end of a reply object.
pub(super) fn end_reply(kernel: &mut Kernel, this: &mut PerCpu, reply: Index<Reply>) -> bool {
    kept::close(&mut kernel.machine, &mut this.cpu, reply);
    let header = kernel.machine.replies[reply].header;
    kernel.machine.replies.remove(reply);
    refund_object(kernel, &header);
    true
}

/// A step of the end of frames that are mapped nowhere.
pub(super) fn end_frames(kernel: &mut Kernel, frames: Index<Frames>) -> bool {
    let header = kernel.frame_sets[frames].header;
    let ended = frames::end(kernel, frames);
    if ended {
        refund_object(kernel, &header);
    }
    ended
}

/// The end of an interrupt.
pub(super) fn end_interrupt(kernel: &mut Kernel, interrupt: Index<Interrupt>) -> bool {
    let header = kernel.devices.interrupts[interrupt].header;
    devices::remove_interrupt(kernel, interrupt);
    refund_object(kernel, &header);
    true
}

/// The end of ports.
pub(super) fn end_ports(kernel: &mut Kernel, ports: Index<IoPorts>) -> bool {
    let header = kernel.ports[ports].header;
    kernel.ports.remove(ports);
    refund_object(kernel, &header);
    true
}

fn refund_object(kernel: &mut Kernel, header: &Header) {
    kernel.factories.give_back(header, |factory| &mut factory.objects);
}

/// A step of the end of a thread. Whom its task keeps waits for nobody any more if it is the last one.
pub(super) fn end_thread(kernel: &mut Kernel, this: &mut PerCpu, thread: Index<Thread>) -> bool {
    let machine = &mut kernel.machine;
    if !kept::forsake(machine, &mut this.cpu, thread, THREADS_ENDED) {
        return false;
    }
    end::detach(machine, &mut this.cpu, thread);
    machine.leave_home(thread);
    if this.cpu.vector_owner == thread {
        this.cpu.vector_owner = Index::NONE;
    }
    machine.part(thread);
    let Thread { header, .. } = machine.threads[thread];
    machine.threads.remove(thread);
    refund_object(kernel, &header);
    true
}

/// `Exit`: the running thread ends, and all others of its task before it where its label says so.
///
/// # Errors
/// `BadArgument` for another label.
pub fn exit(kernel: &mut Kernel, this: &mut PerCpu) -> Result<Decision, Error> {
    let running = this.cpu.current;
    let thread = &kernel.machine.threads[running];
    let first = kernel.machine.tasks[thread.task].threads;
    let other = if first == running { thread.sibling } else { first };
    let ends = match thread.tag().label() {
        abi::ALL_THREADS if !other.is_none() => other,
        abi::THREAD | abi::ALL_THREADS => running,
        _ => return Err(Error::BadArgument),
    };
    if end_thread(kernel, this, ends) && ends == running {
        return Ok(Decision::Block);
    }
    kernel.machine.threads[running].repeat(&[]);
    Ok(Decision::Stay)
}

/// A step of a task's end: its threads; its mappings with its tables, and what the TLB has of them; then the rest.
pub(super) fn end_task(kernel: &mut Kernel, this: &mut PerCpu, task: Index<Task>) -> bool {
    for _ in 0..THREADS_ENDED {
        let Some(thread) = kernel.machine.tasks[task].threads.some() else { break };
        if !end_thread(kernel, this, thread) {
            break;
        }
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
    let Task { kind, space, header, table_pages, .. } = kernel.machine.tasks[task];
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
    kernel.memory(Index::new(header.factory)).free_capability_table(table, table_pages.into());
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
pub(super) fn end_arena(kernel: &mut Kernel, this: &mut PerCpu, index: Index<ArenaObject>) -> bool {
    // The host of another may be running on its root.
    if this.cpu.loaded.arena == index.number() || this.cpu.loaded.cr3 == kernel.arenas[index].cr3 {
        load_kernel_root(kernel, this);
    }
    let Kernel { arenas, factories, frames, .. } = kernel;
    let ArenaObject { cr3, arena, header, clearing, .. } = &mut arenas[index];
    let (cr3, header) = (*cr3, *header);
    let mut memory = Charged { frames, quota: &mut factories[Index::new(header.factory)].frames };
    if let Some(arena) = arena {
        let clearing = clearing.get_or_insert_with(|| arena.clearing());
        let cleared = clearing.step(&mut memory, arena.root(), ENTRIES_CLEARED, &mut |_| {});
        // The host's tables were in all roots of the arena.
        tlb::flush_all();
        if !cleared {
            return false;
        }
        let destroyed = arena.free_root(&mut memory);
        debug_assert_eq!(destroyed, Ok(()), "an arena that is retired has no spaces");
    }
    kernel.pcids.release(cr3);
    kernel.arenas.remove(index);
    kernel.factories.give_back(&header, |factory| &mut factory.arenas);
    refund_object(kernel, &header);
    true
}
