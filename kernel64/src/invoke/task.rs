//! Methods of a task: its capabilities, its fault handler and its ceiling here, its memory in [`memory`].

use lilliput_abi::object::{TaskMethod, kind};
use lilliput_abi::{Error, Rights};
use lilliput_core::capability::Capability;
use lilliput_core::slab::Index;
use lilliput_core::task::Task;
use lilliput_core::thread::Kind;

use super::{Answer, Call, DONE, Words, memory, revoke, space};
use crate::cpu::percpu::PerCpu;
use crate::dispatch::object;
use crate::memory::{CAPABILITIES, grow_table};
use crate::state::Kernel;

/// Pages of places that are made before interrupts have their turn.
const PAGES_MADE: u32 = 4;
/// Places that a table can have.
const MOST_PLACES: u32 = 1 << 20;

pub(super) fn invoke(kernel: &mut Kernel, this: &mut PerCpu, task: Index<Task>, call: &Call) -> Answer {
    match TaskMethod::from_label(call.label).ok_or(Error::BadOperation)? {
        TaskMethod::Map => memory::map(kernel, this, task, call),
        TaskMethod::Unmap => memory::unmap(kernel, this, task, call),
        TaskMethod::Move => memory::move_pages(kernel, this, task, call),
        TaskMethod::Grant => grant(kernel, this, task, call),
        TaskMethod::Delete => revoke::delete(kernel, this, task, call),
        TaskMethod::SetFaultHandler => {
            let Some(handler) = fault_handler(kernel, this, call)? else { return Ok(call.again()) };
            kernel.machine.tasks[task].fault_handler = handler;
            Ok(DONE)
        }
        TaskMethod::Info => Ok(info(&kernel.machine.tasks[task])),
        TaskMethod::SetCeiling => {
            let (ceiling, share) = (call.priority(kernel, 0)?, call.share(kernel, 1)?);
            let task = &mut kernel.machine.tasks[task];
            (task.ceiling, task.share) = (ceiling, share);
            Ok(DONE)
        }
        TaskMethod::Places => {
            if !make_places(kernel, task, call.small(0)?)? {
                return Ok(call.again());
            }
            let table = &kernel.machine.tasks[task].capabilities;
            Ok([table.used(), table.places()].map(u64::from).into())
        }
        TaskMethod::Revoke => revoke::revoke(kernel, this, task, call),
        TaskMethod::Resize => space::resize(kernel, this, task, call),
        TaskMethod::SetIsolation => space::set_isolation(kernel, this, task, call.words[0]),
        TaskMethod::MoveSpace => space::move_to(kernel, this, task, call),
    }
}

/// Makes some of so many places, where a task has fewer: true when there are all. The table is another one then, which nobody may have
/// looked into yet.
///
/// # Errors
/// `BadArgument` for more than a table can have, `Occupied` where the task has capabilities or threads, `NoMemory`.
pub fn make_places(kernel: &mut Kernel, index: Index<Task>, places: u32) -> Result<bool, Error> {
    let Task { header, threads, table_pages, ref capabilities, .. } = kernel.machine.tasks[index];
    let (factory, pages) = (Index::new(header.factory), places.div_ceil(CAPABILITIES as u32));
    if pages > table_pages {
        if places > MOST_PLACES {
            return Err(Error::BadArgument);
        }
        if capabilities.used() > 0 || !threads.is_none() {
            return Err(Error::Occupied);
        }
        let table = kernel.memory(factory).capability_table(pages.into())?;
        let task = &mut kernel.machine.tasks[index];
        task.table_pages = pages;
        let old = core::mem::replace(&mut task.capabilities, table).take();
        kernel.memory(factory).free_capability_table(old, table_pages.into());
    }
    let Task { capabilities, table_pages, .. } = &mut kernel.machine.tasks[index];
    let all = *table_pages * CAPABILITIES as u32;
    for _ in 0..PAGES_MADE {
        if capabilities.places() == all {
            break;
        }
        // SAFETY: the table was allocated with more pages than it has.
        unsafe { grow_table(capabilities) };
    }
    Ok(capabilities.places() == all)
}

fn grant(kernel: &mut Kernel, this: &mut PerCpu, task: Index<Task>, call: &Call) -> Answer {
    let source = call.capability(kernel, 0)?;
    let rights = Rights::from_bits(call.small(1)?).ok_or(Error::BadArgument)?;
    let Some(derived) = revoke::derive(kernel, this, source, rights, call.small(2)?)? else { return Ok(call.again()) };
    let place = kernel.machine.tasks[task].capabilities.insert(call.small(3)?, derived)?;
    Ok([u64::from(place)].into())
}

/// What the caller names as a handler of faults: `(endpoint or 0, badge)`. `None` where the call is to be made again.
pub(super) fn fault_handler(kernel: &mut Kernel, this: &mut PerCpu, call: &Call) -> Result<Option<Capability>, Error> {
    if call.words[0] == 0 {
        return Ok(Some(Capability::NULL));
    }
    let source = call.capability(kernel, 0)?;
    object(&kernel.machine.endpoints, source, Rights::SEND)?;
    revoke::derive(kernel, this, source, Rights::SEND, call.small(1)?)
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
