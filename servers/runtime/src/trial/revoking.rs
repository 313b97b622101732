//! Revoking: what was derived goes, and who waits by it learns it.

use core::sync::atomic::Ordering;

use lilliput_abi::{Error, Rights};

use super::Outcome;
use super::kit::{self, PRIORITY, SEEN, Work};
use crate::machine::Machine;
use crate::object::{Endpoint, Notification};

pub fn lineage<K: Machine>() -> Outcome {
    let (task, factory) = (kit::task::<K>(), kit::factory::<K>());
    let own = factory.create_endpoint()?;
    let grant = |from, badge| task.grant(from, Rights::all(), badge, 0);
    let (first, second) = (grant(own.place(), 1)?, grant(own.place(), 2)?);
    let (child, plain) = (grant(first, 0)?, grant(own.place(), 0)?);
    let weak = task.grant(own.place(), Rights::all() - Rights::DESTROY, 0, 0)?;
    // In another task, with a table of its own.
    let other = factory.create_wide()?;
    let far = other.grant(first, Rights::SEND, 0, 0)?;
    assert_eq!(task.revoke(weak, 0).err(), Some(Error::NoRight), "revoking without the right to destroy");
    assert_eq!(task.revoke(first, 2).err(), Some(Error::BadArgument), "another badge than its own");
    assert_eq!(task.revoke(own.place(), 1 << 31).err(), Some(Error::BadArgument), "what is no badge");
    assert_eq!(task.revoke(255, 0).err(), Some(Error::BadCapability), "an empty place");
    let there = |place| Endpoint::<K>::at(place).try_receive().err() == Some(Error::WouldBlock);
    assert!([own.place(), first, second, child, plain, weak].into_iter().all(there), "what was refused took something");
    task.revoke(first, 0)?;
    assert!(!there(child), "what was derived from one with a badge");
    assert!([own.place(), first, second, plain, weak].into_iter().all(there), "what was not derived from it");
    assert_eq!(other.delete(far).err(), Some(Error::BadCapability), "what another task has of it");
    task.revoke(own.place(), 2)?;
    assert!(!there(second) && there(first), "what has the badge, and what has another");
    task.revoke(own.place(), 0)?;
    assert!([first, plain, weak].into_iter().all(|place| !there(place)), "all that was derived");
    assert!(there(own.place()), "what it was derived from");
    // The object is as it was, and gives new ones.
    assert!(there(grant(own.place(), 1)?), "what is derived afterwards");
    [own.place(), other.place()].into_iter().try_for_each(|place| factory.destroy(place))
}

pub fn ends_waits<K: Machine>() -> Outcome {
    let (task, factory) = (kit::task::<K>(), kit::factory::<K>());
    let endpoint = factory.create_endpoint()?.place();
    let notification = factory.create_notification()?.place();
    // By a capability with a badge, that another one revokes which has none, nor a right to go on by.
    for (work, object) in
        [(Work::Send, endpoint), (Work::Call, endpoint), (Work::Receive, endpoint), (Work::Wait, notification)]
    {
        let keeper = task.grant(object, Rights::DESTROY | Rights::GRANT, 0, 0)?;
        let derived = task.grant(object, Rights::SEND | Rights::RECEIVE, 9, 0)?;
        kit::start::<K>(work, derived, PRIORITY + 1)?;
        assert_eq!(SEEN.load(Ordering::SeqCst), 0, "{work:?} did not wait");
        task.revoke(keeper, 8)?;
        assert_eq!(SEEN.load(Ordering::SeqCst), 0, "{work:?} ended by another lineage");
        task.revoke(keeper, 9)?;
        assert_eq!(SEEN.load(Ordering::SeqCst), Error::Gone as u32, "what ended {work:?}");
        task.delete(keeper)?;
    }
    assert_eq!(Endpoint::<K>::at(endpoint).try_receive().err(), Some(Error::WouldBlock), "the endpoint");
    assert_eq!(Notification::<K>::at(notification).poll().err(), Some(Error::WouldBlock), "the notification");
    [endpoint, notification].into_iter().try_for_each(|place| factory.destroy(place))
}
