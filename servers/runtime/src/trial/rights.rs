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
