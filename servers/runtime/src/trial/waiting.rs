//! Waiting, not waiting, and what ends it.

use core::sync::atomic::Ordering;

use lilliput_abi::{Error, Rights, fault};

use super::kit::{self, PRIORITY, SEEN, Work, copy, partner, service};
use super::{Outcome, partner as told};
use crate::machine::Machine;
use crate::message::Message;
use crate::object::{reply, unbind};
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

pub fn bound_notification<K: Machine>() -> Outcome {
    let (own, service, bits) = (kit::notification::<K>(), service::<K>(), Some(kit::BITS as usize));
    let silent = || assert_eq!(service.try_receive().err(), Some(Error::WouldBlock), "there is nothing to receive");
    own.bind()?;
    silent();
    own.signal()?;
    assert_eq!(service.try_receive()?.signals(), bits, "a signal that was there");
    silent();
    // It is signalled while it waits.
    kit::start::<K>(Work::Signal, place::NOTIFICATION, PRIORITY - 1)?;
    assert_eq!(service.receive()?.signals(), bits, "a signal that was waited for");
    let caller = copy::<K>(place::SERVICE, Rights::SEND)?;
    kit::start::<K>(Work::Call, caller, PRIORITY - 1)?;
    assert_eq!(service.receive()?.signals(), None, "a message");
    own.signal()?;
    let received = service.next(Some(&crate::Message::default()))?;
    assert_eq!((received.signals(), received.badge), (bits, 0), "a signal behind an answer");
    // The caller, which has its answer, sends nothing else.
    silent();
    kit::start::<K>(Work::Send, caller, PRIORITY - 1)?;
    assert_eq!(service.receive()?.signals(), None, "a message that needs no answer");

    let signals_only = copy::<K>(place::NOTIFICATION, Rights::SEND)?;
    assert_eq!(crate::Notification::<K>::at(signals_only).bind().err(), Some(Error::NoRight));
    assert_eq!(crate::Notification::<K>::at(place::SERVICE).bind().err(), Some(Error::WrongType));
    own.signal()?;
    unbind::<K>();
    silent();
    assert_eq!(own.poll().ok(), bits, "what it is not bound to any more keeps its bits");
    // A capability that is lost takes the binding with it.
    let lent = copy::<K>(place::NOTIFICATION, Rights::RECEIVE)?;
    crate::Notification::<K>::at(lent).bind()?;
    kit::task::<K>().delete(lent)?;
    own.signal()?;
    silent();
    Ok(())
}

pub fn queue_order<K: Machine>() -> Outcome {
    for badge in 1..=4 {
        let place = kit::task::<K>().grant(place::SERVICE, Rights::SEND, badge, 0)?;
        kit::start::<K>(Work::Send, place, PRIORITY + 1)?;
    }
    for badge in 1..=4 {
        assert_eq!(service::<K>().receive()?.badge, badge, "who comes next of those that waited");
    }
    Ok(())
}

pub fn fault_message<K: Machine>() -> Outcome {
    const BADGE: u32 = 77;
    kit::task::<K>().set_fault_handler(place::SERVICE, BADGE)?;
    // It runs at once, and faults.
    kit::start::<K>(Work::Peek, 0, PRIORITY + 1)?;
    assert_eq!(SEEN.load(Ordering::SeqCst), 0, "a read of what is not mapped went on");
    let received = service::<K>().receive()?;
    let words = received.message.words;
    assert_eq!((received.badge, received.message.label()), (BADGE, fault::FAULT_LABEL), "badge and label");
    // Error code 4: not present, read, in user mode (AMD64 APM vol. 2, 8.4.2).
    assert_eq!(words[fault::VECTOR], 4 << 8 | 14, "vector and error code");
    assert_eq!(words[fault::ADDRESS], kit::SCRATCH, "the address");
    assert!(words[fault::IP] != 0 && words[fault::SP] != 0, "instruction and stack pointer");
    // It reads the same page again once there is one, and finds zero.
    kit::map_scratch::<K>(Rights::READ)?;
    reply::<K>(&Message::new(fault::RESUME, &[]))?;
    assert_eq!(SEEN.load(Ordering::SeqCst), 1, "what the restarted read found, and one");
    Ok(())
}
