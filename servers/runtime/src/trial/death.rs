//! Threads that end while others wait for them, and what is there afterwards.

use core::sync::atomic::Ordering;

use lilliput_abi::operation::exit;
use lilliput_abi::{Error, Operation, Rights, fault};

use super::kit::{self, PRIORITY, SEEN, Work, service};
use super::{Outcome, partner as told};
use crate::invoke::{give_way, invoke};
use crate::machine::Machine;
use crate::message::{Message, Word};
use crate::object::{Endpoint, reply};
use crate::{parent, place};

/// Places of a table when a task is made.
const PLACES: Word = 256;

fn exits<K: Machine>(label: u16) -> Error {
    let mut message = Message::new(label, &[]);
    invoke::<K>(Operation::Exit, 0, &mut message).err().unwrap_or(Error::BadOperation)
}

pub fn thread_exits<K: Machine>() -> Outcome {
    for label in [0, 3, u16::MAX] {
        assert_eq!(exits::<K>(label), Error::BadArgument, "an exit of nobody");
    }
    let (factory, server) = (kit::factory::<K>(), kit::factory::<K>().create_endpoint()?);
    let before = factory.objects()?;
    let thread = kit::start::<K>(Work::ExitServing, server.place(), PRIORITY + 1)?;
    assert_eq!(factory.objects()?.0, before.0 + 1, "objects with a thread");
    assert_eq!(server.request(told::ECHO, &[]).err(), Some(Error::Gone), "a call to a thread that ends over it");
    assert_eq!(factory.objects()?, before, "objects without it");
    assert_eq!(thread.set_priority(1).err(), Some(Error::BadCapability), "a thread that is gone");
    factory.destroy(server.place())
}

pub fn task_exits<K: Machine>() -> Outcome {
    let error = super::kit::partner::<K>().request(told::EXIT, &[]).err();
    assert_eq!(error, Some(Error::Gone), "a call to a task all of whose threads end over it");
    let error = super::kit::partner::<K>().try_call(&Message::new(told::ECHO, &[])).err();
    assert_eq!(error, Some(Error::WouldBlock), "a call to an endpoint that nobody serves any more");
    Ok(())
}

/// Whoever serves an endpoint next has all that the one before it did not take.
pub fn server_restarts<K: Machine>() -> Outcome {
    let server = kit::factory::<K>().create_endpoint()?;
    for round in 0..2 {
        let dying = kit::start::<K>(Work::ReceiveAndWait, server.place(), PRIORITY + 2)?;
        // One is taken, one waits.
        kit::start::<K>(Work::Call, server.place(), PRIORITY + 1)?;
        assert_eq!(SEEN.load(Ordering::SeqCst), 0, "a call that nobody answers came back");
        kit::factory::<K>().destroy(dying.place())?;
        assert_eq!(SEEN.load(Ordering::SeqCst), Error::Gone as u32, "what a client was told");
        let waiting = kit::start::<K>(Work::Call, server.place(), PRIORITY + 1)?;
        server.receive()?;
        assert_eq!(SEEN.load(Ordering::SeqCst), 0, "round {round}: a call that is not answered came back");
        if round == 0 {
            reply::<K>(&Message::default())?;
            assert_eq!(SEEN.load(Ordering::SeqCst), u32::MAX, "a call that the next server answered");
        } else {
            kit::factory::<K>().destroy(waiting.place())?;
            let error = reply::<K>(&Message::default()).err();
            assert_eq!(error, Some(Error::NobodyToReplyTo), "an answer to a client that is gone");
        }
    }
    kit::factory::<K>().destroy(server.place())
}

/// A fault whose handler dies is told to the next one.
pub fn pager_dies<K: Machine>() -> Outcome {
    const BADGES: [u32; 2] = [7, 8];
    let (task, factory) = (kit::task::<K>(), kit::factory::<K>());
    let pager = factory.create_endpoint()?;
    task.set_fault_handler(place::SERVICE, BADGES[0])?;
    let fault_of = |endpoint: Endpoint<K>| -> Result<(u32, Word), Error> {
        let received = endpoint.receive()?;
        assert_eq!(received.message.label(), fault::FAULT_LABEL, "what a handler is told");
        Ok((received.badge, received.message.words[fault::ADDRESS]))
    };
    // While it has the fault, and serves the same endpoint again in another's person.
    let dying = kit::start::<K>(Work::ReceiveAndWait, pager.place(), PRIORITY + 2)?;
    let paged = kit::start::<K>(Work::PeekAfterMessage, place::SERVICE, PRIORITY + 1)?;
    paged.set_fault_handler(pager.place(), BADGES[1])?;
    service::<K>().send(&Message::default())?;
    factory.destroy(dying.place())?;
    assert_eq!(fault_of(pager)?, (BADGES[1], kit::SCRATCH), "what is told to the next pager");
    // The next one dies too, with its endpoint.
    factory.destroy(pager.place())?;
    assert_eq!(SEEN.load(Ordering::SeqCst), 0, "a page that is not there was read");
    reply::<K>(&Message::new(fault::STOP, &[]))?;
    paged.resume()?;
    assert_eq!(fault_of(service::<K>())?, (BADGES[0], kit::SCRATCH), "what is told to the task's handler");
    kit::map_scratch::<K>(Rights::READ | Rights::WRITE)?;
    reply::<K>(&Message::new(fault::RESUME, &[]))?;
    assert_eq!(SEEN.load(Ordering::SeqCst), 1, "what the thread read in the end");
    factory.destroy(paged.place())
}

/// Who derives a capability while it is taken is left with none.
pub fn revoked_while_derived<K: Machine>() -> Outcome {
    let (task, own) = (kit::task::<K>(), kit::factory::<K>().create_endpoint()?);
    let (used, _) = task.places(0)?;
    for round in 1..=3 {
        let lineage = task.grant(own.place(), Rights::SEND | Rights::GRANT, round, 0)?;
        let deriving = kit::start::<K>(Work::Derive, lineage, PRIORITY)?;
        while SEEN.load(Ordering::SeqCst) < 4 * round {
            give_way::<K>();
        }
        task.revoke(own.place(), round)?;
        let is_taken = || -> Result<(), Error> {
            let (after, _) = task.places(0)?;
            assert_eq!(after, used + 1, "capabilities after what was derived was taken, with one to the thread");
            Ok(())
        };
        let let_it_derive = || (0..10).for_each(|_| give_way::<K>());
        is_taken()?;
        // It may have been about to count one that it had.
        let_it_derive();
        let before = SEEN.load(Ordering::SeqCst);
        let_it_derive();
        assert_eq!(SEEN.load(Ordering::SeqCst), before, "deriving from what was taken");
        is_taken()?;
        kit::factory::<K>().destroy(deriving.place())?;
    }
    kit::factory::<K>().destroy(own.place())
}

/// A table of capabilities as large as whoever makes the task wants it.
pub fn places<K: Machine>() -> Outcome {
    let factory = kit::factory::<K>();
    let frames = factory.usage()?.0;
    let other = factory.create_wide()?;
    assert_eq!(other.places(0)?, (0, PLACES), "the table of a new task");
    let with_task = factory.usage()?.0;
    for (wanted, pages) in [(1, 1), (257, 2), (PLACES, 2), (5000, 20)] {
        assert_eq!(other.places(wanted)?, (0, PLACES * pages), "a table for {wanted}");
        assert_eq!(factory.usage()?.0, with_task + pages - 1, "frames in use with a table for {wanted}");
    }
    assert_eq!(other.places((1 << 20) + 1).err(), Some(Error::BadArgument), "a table that is too large");
    for place in [1, 255, 256, 5119] {
        assert_eq!(other.grant(place::SERVICE, Rights::SEND, 0, place)?, place, "where a capability was put");
    }
    assert_eq!(other.grant(place::SERVICE, Rights::SEND, 0, 5120).err(), Some(Error::BadArgument), "beyond the table");
    assert_eq!(other.places(5121).err(), Some(Error::Occupied), "another table in place of one with capabilities");
    assert_eq!(other.places(5120)?, (4, 5120), "the table that it has");
    factory.destroy(other.place())?;
    let threaded = factory.create_wide()?;
    factory.create_thread(threaded, 1)?;
    assert_eq!(threaded.places(PLACES + 1).err(), Some(Error::Occupied), "another table under a thread's feet");
    factory.destroy(threaded.place())?;
    assert_eq!(factory.usage()?.0, frames, "frames in use when all is gone");
    let poor = factory.create_factory(10, 10)?;
    let task = poor.create_wide()?;
    assert_eq!(task.places(PLACES * 16).err(), Some(Error::NoMemory), "a table that its factory can't pay");
    assert_eq!(task.places(0)?, (0, PLACES), "the table afterwards");
    factory.destroy(poor.place())
}

/// What a further thread does to end while it is waited for.
pub(super) fn exit_serving<K: Machine>(endpoint: Endpoint<K>) {
    let _ = endpoint.receive();
    exits::<K>(exit::THREAD);
    parent::explain::<K>(format_args!("a thread outlived its exit"));
}

/// Ends the task's threads.
pub(super) fn exit_all<K: crate::invoke::Invoke>() {
    let _ = invoke::<K>(Operation::Exit, 0, &mut Message::new(exit::ALL_THREADS, &[]));
}

/// Derives from a capability of the task's until it can't any more.
pub(super) fn derive<K: Machine>(from: u32) {
    while let Ok(place) = kit::task::<K>().grant(from, Rights::SEND | Rights::GRANT, 0, 0) {
        let count = SEEN.fetch_add(1, Ordering::SeqCst);
        // Some stay, so that there is something to be taken.
        if !count.is_multiple_of(4) {
            let _ = kit::task::<K>().delete(place);
        }
        if count.is_multiple_of(16) {
            give_way::<K>();
        }
    }
}
