//! Rights: nothing is done without the one for it, and copies never have more.

use lilliput_abi::{Error, Rights};

use super::Outcome;
use super::kit::{self, copy};
use crate::machine::Machine;
use crate::message::Message;
use crate::object::{Endpoint, Frames, Notification, Task};
use crate::place;

pub fn missing_right<K: Machine>() -> Outcome {
    let only = |place, rights| copy::<K>(place, rights);
    let empty = Message::default();
    let sender = Endpoint::<K>::at(only(place::SERVICE, Rights::SEND)?);
    assert_eq!(sender.receive().err(), Some(Error::NoRight), "receive by a capability to send");
    assert_eq!(sender.try_receive().err(), Some(Error::NoRight), "the same without waiting");
    let receiver = Endpoint::<K>::at(only(place::SERVICE, Rights::RECEIVE)?);
    assert_eq!(receiver.send(&empty).err(), Some(Error::NoRight), "send by a capability to receive");
    assert_eq!(receiver.call(&empty).err(), Some(Error::NoRight), "call by a capability to receive");
    assert_eq!(receiver.try_send(&empty).err(), Some(Error::NoRight), "send without waiting");
    assert_eq!(receiver.try_call(&empty).err(), Some(Error::NoRight), "call without waiting");
    let signaller = Notification::<K>::at(only(place::NOTIFICATION, Rights::SEND)?);
    assert_eq!(signaller.wait().err(), Some(Error::NoRight), "wait by a capability to signal");
    assert_eq!(signaller.poll().err(), Some(Error::NoRight), "poll by a capability to signal");
    let waiter = Notification::<K>::at(only(place::NOTIFICATION, Rights::RECEIVE)?);
    assert_eq!(waiter.signal().err(), Some(Error::NoRight), "signal by a capability to wait");
    let task = Task::<K>::at(only(place::TASK, Rights::GRANT)?);
    assert_eq!(task.info().err(), Some(Error::NoRight), "a method by a capability without the right to send");
    let destroyed = kit::factory::<K>().destroy(sender.place()).err();
    assert_eq!(destroyed, Some(Error::NoRight), "destroy without the right to");
    let frames = Frames::<K>::at(only(place::FRAMES, Rights::READ)?);
    for rights in [Rights::READ | Rights::WRITE, Rights::READ | Rights::EXECUTE] {
        let error = kit::task::<K>().map(frames, kit::SCRATCH, 0, 1, rights).err();
        assert_eq!(error, Some(Error::NoRight), "map with rights {:#x} what is only readable", rights.bits());
    }
    kit::task::<K>().map(frames, kit::SCRATCH, 0, 1, Rights::READ)?;
    kit::task::<K>().unmap(kit::SCRATCH, 1)
}

/// A task can't give itself, or one that it makes, more of the CPU's time than it was given.
pub fn ceilings<K: Machine>() -> Outcome {
    let (task, factory) = (kit::task::<K>(), kit::factory::<K>());
    assert_eq!(task.set_ceiling(64).err(), Some(Error::BadArgument), "a ceiling that is no priority");
    task.set_ceiling(kit::PRIORITY)?;
    assert_eq!(task.set_ceiling(kit::PRIORITY + 1).err(), Some(Error::NoRight), "a ceiling above its own");
    let refused = factory.create_thread(task, kit::PRIORITY + 1).err();
    assert_eq!(refused, Some(Error::NoRight), "a thread above the ceiling");
    let thread = factory.create_thread(task, kit::PRIORITY)?;
    for priority in [kit::PRIORITY + 1, 63] {
        assert_eq!(thread.set_priority(priority).err(), Some(Error::NoRight), "priority {priority}, above the ceiling");
    }
    thread.set_priority(kit::PRIORITY - 1)?;
    thread.set_priority(kit::PRIORITY)?;
    // Nor has it what it makes do so.
    let made = factory.create_wide()?;
    assert_eq!(made.set_ceiling(63).err(), Some(Error::NoRight), "the ceiling of a task that it made");
    assert_eq!(factory.create_thread(made, 63).err(), Some(Error::NoRight), "a thread of a task that it made");
    [thread.place(), made.place()].into_iter().try_for_each(|place| factory.destroy(place))
}

/// Nor a larger part of it.
pub fn budget_ceilings<K: Machine>() -> Outcome {
    let (task, factory) = (kit::task::<K>(), kit::factory::<K>());
    let thread = factory.create_thread(task, 1)?;
    for (time, period) in [(0, 1000), (1000, 0), (99, 1000), (100, 999), (1001, 1000)] {
        let refused = thread.set_budget(time, period).err();
        assert_eq!(refused, Some(Error::BadArgument), "{time} us in {period}");
        assert_eq!(task.set_ceilings(1, time, period).err(), refused, "a ceiling of {time} us in {period}");
    }
    thread.set_budget(1000, 1000)?;
    thread.set_budget(0, 0)?;
    task.set_ceilings(kit::PRIORITY, 2000, 10_000)?;
    for (time, period) in [(2001, 20_000), (2000, 9_999), (300, 1000)] {
        assert_eq!(thread.set_budget(time, period).err(), Some(Error::NoRight), "{time} us in {period}");
    }
    for (time, period) in [(2000, 10_000), (200, 1000), (1000, 50_000), (0, 0)] {
        thread.set_budget(time, period)?;
    }
    let made = factory.create_wide()?;
    assert_eq!(made.set_ceilings(1, 5000, 10_000).err(), Some(Error::NoRight), "the ceiling of a task that it made");
    made.set_ceilings(1, 1000, 10_000)?;
    [thread.place(), made.place()].into_iter().try_for_each(|place| factory.destroy(place))
}

pub fn grant_takes_away<K: Machine>() -> Outcome {
    let task = kit::task::<K>();
    let plain = copy::<K>(place::SERVICE, Rights::SEND)?;
    assert_eq!(
        task.grant(plain, Rights::SEND, 0, 0).err(),
        Some(Error::NoRight),
        "a copy without the right to give one"
    );
    let giver = copy::<K>(place::SERVICE, Rights::SEND | Rights::GRANT)?;
    assert_eq!(task.grant(giver, Rights::RECEIVE, 0, 0).err(), Some(Error::NoRight), "a copy with more rights");
    assert_eq!(task.grant(giver, Rights::empty(), 0, 0).err(), Some(Error::BadArgument), "a copy with no right");
    assert_eq!(
        task.grant(giver, Rights::SEND, 1 << 31, 0).err(),
        Some(Error::BadArgument),
        "a badge with the error bit"
    );
    let badged = task.grant(giver, Rights::SEND | Rights::GRANT, 7, 0)?;
    assert_eq!(task.grant(badged, Rights::SEND, 8, 0).err(), Some(Error::BadArgument), "another badge over a badge");
    assert_eq!(task.grant(giver, Rights::SEND, 0, badged).err(), Some(Error::Occupied), "a place that is taken");
    assert!(task.grant(giver, Rights::SEND, 0, 1 << 20).is_err(), "a place beyond the table");
    for place in [plain, giver, badged] {
        task.delete(place)?;
        assert_eq!(task.delete(place).err(), Some(Error::BadCapability), "deleting twice");
    }
    Ok(())
}
