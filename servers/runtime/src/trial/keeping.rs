//! Callers that are put aside, and answered later or never.

use core::sync::atomic::Ordering;

use lilliput_abi::{Error, Operation, Rights};

use super::kit::{self, PRIORITY, SEEN, Work, copy, factory, partner, service};
use super::{Outcome, partner as told, time};
use crate::invoke::invoke;
use crate::machine::Machine;
use crate::message::Message;
use crate::object::{Parcel, Reply, reply};
use crate::place;

fn seen() -> u32 {
    SEEN.swap(0, Ordering::SeqCst)
}

const ANSWERED: u32 = u32::MAX;

/// Starts a thread that calls the kit's endpoint, and takes its call.
fn next_caller<K: Machine>(badge: u32, keep: Option<Reply<K>>) -> Outcome {
    let by = kit::task::<K>().grant(place::SERVICE, Rights::SEND, badge, 0)?;
    kit::start::<K>(Work::Call, by, PRIORITY + 1)?;
    let received = match keep {
        Some(reply) => reply.keep_receive()?,
        None => service::<K>().receive()?,
    };
    assert_eq!((received.badge, seen()), (badge, 0), "whose call it is");
    Ok(())
}

/// A server answers its callers in another order than theirs.
pub fn out_of_order<K: Machine>() -> Outcome {
    let empty = Message::default();
    let [first, second] = [factory::<K>().create_reply()?, factory::<K>().create_reply()?];
    next_caller::<K>(1, None)?;
    next_caller::<K>(2, Some(first))?;
    assert_eq!(first.keep_receive().err(), Some(Error::Busy), "where somebody is");
    next_caller::<K>(3, Some(second))?;
    first.reply(&empty)?;
    assert_eq!(seen(), ANSWERED, "who came first");
    assert_eq!(first.reply(&empty).err(), Some(Error::NobodyToReplyTo), "a second time");
    reply::<K>(&empty)?;
    assert_eq!(seen(), ANSWERED, "who came last");
    next_caller::<K>(4, None)?;
    assert_eq!(seen(), 0, "who came second still waits");
    next_caller::<K>(5, Some(first))?;
    // What carries something is answered by whoever has no other caller.
    let parcel = Parcel::new(told::ECHO, &[]).capability(place::NOTIFICATION, Rights::SEND);
    assert_eq!(second.reply_with(&parcel).err(), Some(Error::Busy), "with a caller of its own");
    reply::<K>(&empty)?;
    assert_eq!(seen(), ANSWERED, "that one");
    assert_eq!(second.reply_with(&parcel).err(), Some(Error::Unaccepted), "to who has no room");
    assert_eq!(second.reply(&empty).err(), Some(Error::NobodyToReplyTo), "it is this thread's own caller");
    reply::<K>(&empty)?;
    assert_eq!(seen(), ANSWERED, "who came second");
    first.reply(&empty)?;
    assert_eq!(seen(), ANSWERED, "who came fourth");
    [first, second].iter().try_for_each(|reply| factory::<K>().destroy(reply.place()))
}

/// What there is nobody for, and what may not be.
pub fn refusals<K: Machine>() -> Outcome {
    let empty = Message::default();
    let own = factory::<K>().create_reply()?;
    assert_eq!(own.keep_receive().err(), Some(Error::BadCapability), "by who received nowhere");
    assert_eq!(service::<K>().try_receive().err(), Some(Error::WouldBlock));
    assert_eq!(own.keep_receive().err(), Some(Error::NobodyToReplyTo), "of nobody");
    assert_eq!(own.reply(&empty).err(), Some(Error::NobodyToReplyTo), "to nobody");
    next_caller::<K>(1, None)?;
    let [answers, keeps] =
        [copy::<K>(own.place(), Rights::SEND)?, copy::<K>(own.place(), Rights::RECEIVE)?].map(Reply::<K>::at);
    assert_eq!(answers.keep_receive().err(), Some(Error::NoRight), "keeping by what answers");
    for operation in [Operation::KeepReceive, Operation::ReplyKept] {
        for other in [place::SERVICE, place::NOTIFICATION, place::TASK] {
            let error = invoke::<K>(operation, other, &mut Message::default()).err();
            assert_eq!(error, Some(Error::WrongType), "{operation:?} on place {other}");
        }
        let error = invoke::<K>(operation, 0, &mut Message::default()).err();
        assert_eq!(error, Some(Error::BadCapability), "{operation:?} on nothing");
    }
    assert_eq!(crate::invoke::call::<K>(own.place(), 1, &[]).err(), Some(Error::WrongType), "it has no methods");
    next_caller::<K>(2, Some(keeps))?;
    assert_eq!(keeps.reply(&empty).err(), Some(Error::NoRight), "answering by what keeps");
    answers.reply(&empty)?;
    assert_eq!(seen(), ANSWERED, "by what may");
    Ok(())
}

/// Callers that go, and objects that do.
pub fn ends<K: Machine>() -> Outcome {
    let empty = Message::default();
    let before = factory::<K>().objects()?;
    let own = factory::<K>().create_reply()?;
    let caller = kit::start::<K>(Work::Call, place::SERVICE, PRIORITY + 1)?;
    service::<K>().receive()?;
    next_caller::<K>(0, Some(own))?;
    factory::<K>().destroy(caller.place())?;
    assert_eq!(own.reply(&empty).err(), Some(Error::NobodyToReplyTo), "to a thread that is gone");
    // The next one's wait ends with the object.
    next_caller::<K>(7, Some(own))?;
    factory::<K>().destroy(own.place())?;
    assert_eq!(seen(), Error::Gone as u32, "what the caller got");
    assert_eq!(own.reply(&empty).err(), Some(Error::BadCapability), "by what is gone");
    reply::<K>(&empty)?;
    assert_eq!(seen(), ANSWERED, "who was not kept");
    // Of three threads one is gone.
    assert_eq!(factory::<K>().objects()?.0, before.0 + 2, "objects");
    // Deadlines go on.
    let own = factory::<K>().create_reply()?;
    kit::start::<K>(Work::CallUntil, place::SERVICE, PRIORITY + 1)?;
    service::<K>().receive()?;
    kit::start::<K>(Work::Send, place::SERVICE, PRIORITY + 1)?;
    own.keep_receive()?;
    assert_eq!(seen(), ANSWERED, "who only sent");
    time::rest::<K>(2 * time::PATIENCE_MILLISECONDS)?;
    assert_eq!(seen(), Error::TimedOut as u32, "who waited until its deadline");
    assert_eq!(own.reply(&empty).err(), Some(Error::NobodyToReplyTo), "to who gave up");
    factory::<K>().destroy(own.place())
}

/// A caller of another task's, which gives it away to be answered by a third party, and ends.
pub fn by_partner<K: Machine>() -> Outcome {
    let own = factory::<K>().create_reply()?;
    let parcel = Parcel::new(told::KEEP, &[]).capability(own.place(), Rights::SEND | Rights::RECEIVE);
    assert_eq!(partner::<K>().call_with(&parcel)?.message.payload(), [1], "a capability that arrived");
    // Answers when this thread waits.
    kit::start::<K>(Work::AnswerKept, own.place(), PRIORITY - 1)?;
    assert_eq!(partner::<K>().request(told::HOLD, &[3])?.payload(), [kit::KEPT_ANSWER], "by a thread of this task");
    kit::start::<K>(Work::AskForRelease, place::SERVER, PRIORITY - 1)?;
    assert_eq!(partner::<K>().request(told::HOLD, &[3, 4])?.payload(), [3, 4], "by the partner, later");
    kit::start::<K>(Work::AskForEnd, place::SERVER, PRIORITY - 1)?;
    assert_eq!(partner::<K>().request(told::HOLD, &[]).err(), Some(Error::Gone), "by a task without threads");
    assert_eq!(own.reply(&Message::default()).err(), Some(Error::NobodyToReplyTo), "afterwards");
    factory::<K>().destroy(own.place())
}
