//! Methods of a factory: what makes objects, and ends them.

use lilliput_abi::object::FactoryMethod;
use lilliput_abi::{Error, Isolation, Rights};
use lilliput_core::budget::Budget;
use lilliput_core::capability::Capability;
use lilliput_core::endpoint::{Endpoint, Notification};
use lilliput_core::factory::Factory;
use lilliput_core::frames::Colours;
use lilliput_core::reply::Reply;
use lilliput_core::slab::{Index, Object, Slab};
use lilliput_core::task::Task;

use super::create::{NewTask, new_arena, new_task, new_thread};
use super::{Answer, Call, Words, destroy, device, frames, space};
use crate::cpu::percpu::PerCpu;
use crate::dispatch::object;
use crate::state::Kernel;

/// What [`create`] says of frames that are not all cleared.
const UNFINISHED: u64 = u64::MAX;

pub(super) fn invoke(kernel: &mut Kernel, this: &mut PerCpu, factory: Index<Factory>, call: &Call) -> Answer {
    let method = FactoryMethod::from_label(call.label).ok_or(Error::BadOperation)?;
    match method {
        FactoryMethod::Destroy => return destroy::destroy(kernel, this, factory, call),
        FactoryMethod::CreateFrames if call.words[1] != 0 => return more_frames(kernel, call),
        FactoryMethod::Usage => {
            let Factory { frames, objects, arenas, .. } = kernel.factories[factory];
            return match call.words[0] {
                0 => Ok([frames.used, frames.limit, objects.used, objects.limit].into()),
                1 => Ok([arenas.used, arenas.limit].into()),
                _ => Err(Error::BadArgument),
            };
        }
        _ => {}
    }
    // Where the capability goes is settled first, so that nothing is made that can't be named.
    let place = kernel.machine.tasks[call.task].capabilities.free_place()?;
    kernel.factories[factory].objects.charge(1)?;
    match create(kernel, factory, method, call) {
        Ok((capability, second)) => {
            let placed = kernel.machine.tasks[call.task].capabilities.insert(place, capability);
            debug_assert_eq!(placed, Ok(place));
            if second == UNFINISHED {
                return Ok(Words::again([call.words[0], u64::from(place)]));
            }
            Ok([u64::from(place), second].into())
        }
        Err(error) => {
            kernel.factories[factory].objects.refund(1);
            Err(error)
        }
    }
}

/// Makes an object: its capability, and a second word for the answer.
fn create(
    kernel: &mut Kernel,
    factory: Index<Factory>,
    method: FactoryMethod,
    call: &Call,
) -> Result<(Capability, u64), Error> {
    let number = factory.number();
    let plain = |capability| Ok((capability, 0));
    match method {
        FactoryMethod::CreateEndpoint => plain(insert(&mut kernel.machine.endpoints, number, Endpoint::default())?),
        FactoryMethod::CreateNotification => {
            plain(insert(&mut kernel.machine.notifications, number, Notification::default())?)
        }
        FactoryMethod::CreateReply => plain(insert(&mut kernel.machine.replies, number, Reply::default())?),
        FactoryMethod::CreateFactory => {
            let made = kernel.factories.make(factory, [call.words[0], call.words[1], call.words[2]])?;
            plain(full(&kernel.factories, made))
        }
        FactoryMethod::CreateFrames => {
            let colours = Colours(u64::from(call.small::<u32>(2)?) | u64::from(call.small::<u32>(3)?) << 32);
            let frames = frames::new(kernel, factory, call.small(0)?, (colours != Colours(0)).then_some(colours))?;
            let second = if frames::grow(kernel, frames).inspect_err(|_| frames::abandon(kernel, frames))? {
                0
            } else {
                UNFINISHED
            };
            Ok((full(&kernel.frame_sets, frames), second))
        }
        FactoryMethod::CreateArena => {
            let host_of = match call.words[0] {
                0 => None,
                _ => Some(space::named_arena(kernel, call)?),
            };
            let arena = new_arena(kernel, factory, host_of)?;
            plain(full(&kernel.arenas, arena))
        }
        FactoryMethod::CreateThread => {
            let task = object(&kernel.machine.tasks, call.capability(kernel, 0)?, Rights::SEND)?;
            let thread = new_thread(kernel, factory, task, call.priority(kernel, 1)?)?;
            let most = kernel.machine.tasks[call.task].share;
            kernel.machine.threads[thread].budget = Budget::new(most, kernel.facts.clock, 0);
            plain(full(&kernel.machine.threads, thread))
        }
        FactoryMethod::CreateTask64 => task(kernel, factory, call.task, NewTask::Wide),
        FactoryMethod::CreateHost => {
            let arena = space::named_arena(kernel, call)?;
            task(kernel, factory, call.task, NewTask::Host(arena))
        }
        FactoryMethod::CreateSmall => {
            let arena = space::named_arena(kernel, call)?;
            let isolation = Isolation::from_number(call.words[2]).ok_or(Error::BadArgument)?;
            let new = NewTask::Small { arena, size: call.words[1], isolation, domain: call.small(3)? };
            task(kernel, factory, call.task, new)
        }
        FactoryMethod::CreateInterrupt => plain(device::interrupt(kernel, number, call, Some(call.small(1)?))?),
        FactoryMethod::CreateMessageInterrupt => plain(device::interrupt(kernel, number, call, None)?),
        FactoryMethod::CreatePorts => plain(device::ports(kernel, number, call)?),
        FactoryMethod::CreateDeviceFrames => plain(device::frames(kernel, factory, call)?),
        FactoryMethod::Destroy | FactoryMethod::Usage => Err(Error::BadOperation),
    }
}

/// Clears a few more pages of frames that are being made.
fn more_frames(kernel: &mut Kernel, call: &Call) -> Answer {
    let place: u32 = call.small(1)?;
    let frames = object(&kernel.frame_sets, call.capability(kernel, 1)?, Rights::DESTROY)?;
    let words = [call.words[0], u64::from(place)];
    Ok(if frames::grow(kernel, frames)? { [words[1], 0].into() } else { Words::again(words) })
}

/// A task, which can give no higher priority and no larger budget than its creator.
fn task(
    kernel: &mut Kernel,
    factory: Index<Factory>,
    creator: Index<Task>,
    new: NewTask,
) -> Result<(Capability, u64), Error> {
    let task = new_task(kernel, factory, new)?;
    let Task { ceiling, share, .. } = kernel.machine.tasks[creator];
    let new = &mut kernel.machine.tasks[task];
    (new.ceiling, new.share) = (ceiling, share);
    let isolation = kernel.machine.tasks[task].space.isolation;
    Ok((full(&kernel.machine.tasks, task), isolation.map_or(0, |isolation| isolation as u64)))
}

pub(super) fn insert<T: Object>(slab: &mut Slab<T>, factory: u32, new: T) -> Result<Capability, Error> {
    let index = slab.insert(factory, new).ok_or(Error::NoMemory)?;
    Ok(full(slab, index))
}

/// The first capability to a new object: all rights, no badge.
pub fn full<T: Object>(slab: &Slab<T>, index: Index<T>) -> Capability {
    Capability::new(index.number(), slab[index].header(), Rights::all())
}
