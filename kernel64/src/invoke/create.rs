//! Making objects that hold memory: tasks, threads, arenas, frames.

use lilliput_abi::layout::{MOST_THREADS, USER_END};
use lilliput_abi::{Error, Isolation};
use lilliput_compat32::arena::{Arena, PlacedSpace, Request};
use lilliput_compat32::choose::TrustDomain;
use lilliput_compat32::descriptor::Descriptor;
use lilliput_compat32::entry_page::RETURN_ADDRESS;
use lilliput_compat32::gdt::{USER_CODE, USER_DATA};
use lilliput_core::factory::Factory;
use lilliput_core::local::Local;
use lilliput_core::paging::{self, ENTRIES, TableMemory, UPPER_HALF};
use lilliput_core::slab::Index;
use lilliput_core::task::{Space, Task};
use lilliput_core::thread::{Frame as ReturnFrame, Interrupted, Kind, PRIORITIES, Thread, Ways};

use super::space;
use crate::entry::FLAGS;
use crate::memory::Charged;
use crate::objects::{ArenaObject, HOST_END};
use crate::state::Kernel;

/// Pages of a new task's capability table: 256 capabilities each.
const TABLE_PAGES: u32 = 1;

/// What kind of task to make.
pub enum NewTask {
    /// With a page table of its own.
    Wide,
    /// In an arena's page table, above 4 GiB.
    Host(Index<ArenaObject>),
    /// In a slot.
    Small {
        /// Where.
        arena: Index<ArenaObject>,
        /// Bytes.
        size: u64,
        /// How confined.
        isolation: Isolation,
        /// Trust domain.
        domain: u64,
    },
}

/// An arena without tasks, charged to a factory as one of its arenas: without a host, or with that of another one, of which it shares all that the host maps. That
/// one's factory is the same, or above: so it does not end before this one is about to.
///
/// # Errors
/// `BadArgument` where the other one's host is another's itself, or its factory elsewhere; `NoMemory`.
#[inline(never)]
pub fn new_arena(
    kernel: &mut Kernel,
    factory: Index<Factory>,
    host_of: Option<Index<ArenaObject>>,
) -> Result<Index<ArenaObject>, Error> {
    if let Some(other) = host_of {
        let ArenaObject { host_arena, header, .. } = kernel.arenas[other];
        if host_arena != other || !kernel.factories.is_within(factory.number(), Index::new(header.factory)) {
            return Err(Error::BadArgument);
        }
    }
    kernel.factories[factory].arenas.charge(1)?;
    let made = insert_arena(kernel, factory, host_of);
    if made.is_err() {
        kernel.factories[factory].arenas.refund(1);
    }
    made
}

fn insert_arena(
    kernel: &mut Kernel,
    factory: Index<Factory>,
    host_of: Option<Index<ArenaObject>>,
) -> Result<Index<ArenaObject>, Error> {
    let index = kernel.arenas.insert(factory.number(), ArenaObject::default()).ok_or(Error::NoMemory)?;
    let kernel_root = kernel.facts.kernel_root;
    let host_root = host_of.and_then(|other| kernel.arenas[other].arena.as_ref()).map(Arena::root);
    match Arena::new(&mut kernel.memory(factory), kernel_root, host_root) {
        Ok(arena) => {
            let cr3 = kernel.pcids.tag(arena.root().start().as_u64());
            let host_arena = host_of.unwrap_or(index);
            let object = &mut kernel.arenas[index];
            (object.cr3, object.arena, object.host_arena) = (cr3, Some(arena), host_arena);
            Ok(index)
        }
        Err(error) => {
            kernel.arenas.withdraw(index);
            Err(error)
        }
    }
}

/// A task without threads or memory.
pub fn new_task(kernel: &mut Kernel, factory: Index<Factory>, new: NewTask) -> Result<Index<Task>, Error> {
    let index = kernel.machine.tasks.insert(factory.number(), Task::default()).ok_or(Error::NoMemory)?;
    match kernel.memory(factory).capability_table(TABLE_PAGES.into()) {
        Ok(table) => {
            let task = &mut kernel.machine.tasks[index];
            (task.capabilities, task.table_pages) = (table, TABLE_PAGES);
        }
        Err(error) => {
            kernel.machine.tasks.withdraw(index);
            return Err(error);
        }
    }
    let made = match new {
        NewTask::Wide => wide_space(kernel, factory).map(|space| (Kind::Wide, space)),
        NewTask::Host(arena) => host_space(kernel, arena, index).map(|space| (Kind::Host, space)),
        NewTask::Small { arena, size, isolation, domain } => {
            let request = Request { size, isolation, domain: TrustDomain(domain) };
            small_space(kernel, factory, arena, request, index).map(|space| (Kind::Small, space))
        }
    };
    match made {
        Ok((kind, space)) => {
            let task = &mut kernel.machine.tasks[index];
            (task.kind, task.space) = (kind, space);
            Ok(index)
        }
        Err(error) => {
            let table = kernel.machine.tasks[index].capabilities.take();
            kernel.memory(factory).free_capability_table(table, TABLE_PAGES.into());
            kernel.machine.tasks.withdraw(index);
            Err(error)
        }
    }
}

fn wide_space(kernel: &mut Kernel, factory: Index<Factory>) -> Result<Space, Error> {
    let kernel_root = kernel.facts.kernel_root;
    let mut memory = kernel.memory(factory);
    let root = memory.allocate_table().ok_or(Error::NoMemory)?;
    paging::share_p4(&mut memory, kernel_root, root, UPPER_HALF..ENTRIES);
    Ok(Space {
        cr3: kernel.pcids.tag(root.start().as_u64()),
        size: USER_END,
        owns_root: true,
        code_descriptor: Descriptor::USER_CODE64.0,
        data_descriptor: Descriptor::USER_DATA64.0,
        ..Space::default()
    })
}

fn host_space(kernel: &mut Kernel, arena: Index<ArenaObject>, host: Index<Task>) -> Result<Space, Error> {
    let object = &mut kernel.arenas[arena];
    if !object.host.is_none() || object.host_arena != arena {
        return Err(Error::Occupied);
    }
    object.host = host;
    Ok(Space {
        cr3: object.cr3,
        arena: arena.number(),
        host_arena: arena.number(),
        size: HOST_END,
        code_descriptor: Descriptor::USER_CODE64.0,
        data_descriptor: Descriptor::USER_DATA64.0,
        ..Space::default()
    })
}

fn small_space(
    kernel: &mut Kernel,
    factory: Index<Factory>,
    arena: Index<ArenaObject>,
    request: Request,
    task: Index<Task>,
) -> Result<Space, Error> {
    let policy = space::policy(&kernel.facts);
    let entry_page = kernel.facts.entry_page;
    let Kernel { arenas, factories, frames, .. } = kernel;
    let object = &mut arenas[arena];
    let arena_of = object.arena.as_mut().ok_or(Error::BadCapability)?;
    // Tables of the arena's root outlive the task.
    let payer = match arena_of.isolation(&request, policy)? {
        Isolation::Segment => Index::new(object.header.factory),
        _ => factory,
    };
    let mut memory = Charged { frames, quota: &mut factories[payer].frames };
    let placed = arena_of.create_space(&mut memory, request, policy, entry_page)?;
    let PlacedSpace { isolation, root, .. } = placed;
    space::mark(isolation, policy);
    let root = root.start().as_u64();
    let cr3 = match isolation {
        Isolation::Page => kernel.pcids.tag(root),
        Isolation::PageUntagged => root,
        Isolation::Segment | Isolation::Auto => object.cr3,
    };
    kernel.placed[task.number() as usize] = Some(placed);
    Ok(space::describe(&placed, [arena, object.host_arena], cr3))
}

/// A thread that has not started.
pub fn new_thread(
    kernel: &mut Kernel,
    factory: Index<Factory>,
    task: Index<Task>,
    priority: u8,
) -> Result<Index<Thread>, Error> {
    debug_assert!(usize::from(priority) < PRIORITIES);
    let machine = &mut kernel.machine;
    let Task { kind, space, ref capabilities, thread_count, .. } = machine.tasks[task];
    if thread_count == MOST_THREADS {
        return Err(Error::NoMemory);
    }
    let mut thread = Thread {
        capabilities: capabilities.address(),
        places: capabilities.places(),
        ways: Ways::own(kind),
        frame: ReturnFrame {
            ip: if kind == Kind::Small { u64::from(RETURN_ADDRESS) } else { 0 },
            cs: u64::from(USER_CODE),
            sp: 0,
            ss: u64::from(USER_DATA),
        },
        interrupted: Interrupted { flags: FLAGS, ..Interrupted::default() },
        task_handler: &raw const machine.tasks[task].fault_handler as u64 as u32,
        task,
        kind,
        priority,
        ..Thread::default()
    };
    thread.enter(&space, Local::NONE);
    let index = machine.threads.insert(factory.number(), thread).ok_or(Error::NoMemory)?;
    machine.join(index);
    Ok(index)
}
