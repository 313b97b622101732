//! Waiting, not waiting, and what ends it.

use core::sync::atomic::Ordering;

use lilliput_abi::{Error, Rights};

use super::kit::{self, PRIORITY, SEEN, Work, copy, partner, service};
use super::{Outcome, partner as told};
use crate::machine::Machine;
use crate::message::Message;
use crate::place;

pub fn non_blocking<K: Machine>() -> Outcome {
    let empty = Message::default();
    assert_eq!(service::<K>().try_receive().err(), Some(Error::WouldBlock), "receive");
    assert_eq!(service::<K>().try_send(&empty).err(), Some(Error::WouldBlock), "send");
    assert_eq!(service::<K>().try_call(&empty).err(), Some(Error::WouldBlock), "call");
    assert_eq!(kit::notification::<K>().poll().err(), Some(Error::WouldBlock), "poll");
    // The partner has a higher priority: whenever this thread runs, it waits.
    partner::<K>().request(told::ECHO, &[])?;
    let answer = partner::<K>().try_call(&Message::new(told::ECHO, &[3, 4]))?;
    assert_eq!(answer.payload(), [3, 4], "a call that need not wait");
    partner::<K>().try_send(&Message::new(told::NOTE, &[]))?;
    // A thread of this task that is about to send is one to receive from at once.
    kit::start::<K>(Work::Send, place::SERVICE, PRIORITY + 1)?;
    let received = service::<K>().try_receive()?;
    assert_eq!(received.message.payload(), [], "a message that waited");
    Ok(())
}

pub fn unanswered<K: Machine>() -> Outcome {
    // Sends when this thread waits for the answer.
    kit::start::<K>(Work::Send, place::SERVER, PRIORITY - 1)?;
    let error = partner::<K>().request(told::FORGET, &[]).err();
    assert_eq!(error, Some(Error::Unanswered), "a call that the server forgot");
    partner::<K>().request(told::ECHO, &[]).map(drop)
}

pub fn server_death<K: Machine>() -> Outcome {
    let error = partner::<K>().request(told::DIE, &[]).err();
    assert_eq!(error, Some(Error::Gone), "a call to a server that died over it");
    let error = partner::<K>().try_call(&Message::new(told::ECHO, &[])).err();
    assert_eq!(error, Some(Error::WouldBlock), "a call to an endpoint that nobody serves any more");
    Ok(())
}

pub fn destroyed_while_waiting<K: Machine>() -> Outcome {
    for work in [Work::Receive, Work::Send, Work::Call, Work::Wait] {
        let place = match work {
            Work::Wait => kit::factory::<K>().create_notification()?.place(),
            _ => kit::factory::<K>().create_endpoint()?.place(),
        };
        kit::start::<K>(work, place, PRIORITY + 1)?;
        assert_eq!(SEEN.load(Ordering::SeqCst), 0, "{work:?} did not wait");
        kit::factory::<K>().destroy(place)?;
        assert_eq!(SEEN.load(Ordering::SeqCst), Error::Gone as u32, "what ended {work:?}");
    }
    Ok(())
}

pub fn signal_bits<K: Machine>() -> Outcome {
    let own = kit::factory::<K>().create_notification()?;
    let badged = |badge| kit::task::<K>().grant(own.place(), Rights::SEND, badge, 0).map(crate::Notification::<K>::at);
    let (low, high) = (badged(1)?, badged(1 << 30)?);
    low.signal()?;
    low.signal()?;
    high.signal()?;
    assert_eq!(own.wait()?, 1 | 1 << 30, "bits of three signals");
    assert_eq!(own.poll().err(), Some(Error::WouldBlock), "bits are taken once");
    high.signal()?;
    assert_eq!(own.poll()?, 1 << 30, "bits of the last signal");
    kit::notification::<K>().signal()?;
    assert_eq!(kit::notification::<K>().wait()?, kit::BITS as usize, "bits of the kit's notification");
    let deaf = copy::<K>(place::NOTIFICATION, Rights::SEND)?;
    crate::Notification::<K>::at(deaf).signal()
}
