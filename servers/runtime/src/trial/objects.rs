//! Objects: made, charged, destroyed, and then gone under every name.

use lilliput_abi::{Error, Isolation, Rights};

use super::Outcome;
use super::kit::{self, copy};
use crate::machine::Machine;
use crate::message::{Message, Word};
use crate::object::Endpoint;
use crate::{place, role};

pub fn stale_capability<K: Machine>() -> Outcome {
    let factory = kit::factory::<K>();
    let first = factory.create_endpoint()?;
    let copied = Endpoint::<K>::at(copy::<K>(first.place(), Rights::SEND | Rights::RECEIVE)?);
    factory.destroy(first.place())?;
    assert_eq!(copied.try_receive().err(), Some(Error::BadCapability), "a copy of what was destroyed");
    // The next object may stand where the old one stood; the old name must not reach it.
    let second = factory.create_endpoint()?;
    assert_eq!(copied.try_receive().err(), Some(Error::BadCapability), "a stale copy beside a new object");
    assert_eq!(second.try_receive().err(), Some(Error::WouldBlock), "the new object");
    let error = copied.try_send(&Message::default()).err();
    assert_eq!(error, Some(Error::BadCapability), "sending by a stale copy");
    factory.destroy(second.place())
}

pub fn table_full<K: Machine>() -> Outcome {
    let mut count = 0;
    let error = loop {
        match copy::<K>(place::SERVICE, Rights::SEND) {
            Ok(_) => count += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(error, Error::TableFull, "after {count} copies");
    let usage = kit::factory::<K>().usage()?;
    assert_eq!(kit::factory::<K>().create_frames(16).err(), Some(Error::TableFull), "an object without a place");
    assert_eq!(kit::factory::<K>().usage()?, usage, "what a creation that failed is charged");
    Ok(())
}

pub fn usage_returns<K: Machine>() -> Outcome {
    let (factory, task) = (kit::factory::<K>(), kit::task::<K>());
    // Twice: what the first pass may leave behind for later use, the second one uses.
    let mut before = factory.usage()?;
    for pass in 0..2 {
        let endpoint = factory.create_endpoint()?.place();
        let notification = factory.create_notification()?.place();
        let frames = factory.create_frames(5)?;
        task.map(frames, kit::SCRATCH, 1, 3, Rights::READ | Rights::WRITE)?;
        assert_eq!(factory.destroy(frames.place()).err(), Some(Error::Busy), "destroying frames that are mapped");
        task.unmap(kit::SCRATCH, 3)?;
        let arena = factory.create_arena()?;
        for isolation in Isolation::MODES {
            let small = match factory.create_small(arena, 1 << 20, isolation, 0) {
                Ok((small, _)) => small,
                Err(Error::Unsupported) => continue,
                Err(error) => return Err(error),
            };
            small.map(frames, 0x8_0000, 0, 5, Rights::READ)?;
            factory.create_thread(small, 1)?;
            factory.destroy(small.place())?;
        }
        let wide = factory.create_wide()?;
        wide.map(frames, 0x7000_0000, 0, 5, Rights::READ | Rights::EXECUTE)?;
        for place in [wide.place(), frames.place(), arena.place(), endpoint, notification] {
            factory.destroy(place)?;
        }
        let after = factory.usage()?;
        assert!(pass == 0 || after == before, "frames in use were {}, are {}", before.0, after.0);
        before = after;
    }
    Ok(())
}

pub fn thread_methods<K: Machine>() -> Outcome {
    let thread = kit::factory::<K>().create_thread(kit::task(), 1)?;
    let account = thread.account()?;
    assert_eq!((account.user, account.switches, account.messages), (0, 0, 0), "the account of a new thread");
    assert_eq!(thread.set_priority(64).err(), Some(Error::BadArgument), "priority 64");
    thread.set_priority(2)?;
    thread.start(K::entry(), 0, [role::TRIAL_THREAD, 0])?;
    assert_eq!(thread.start(K::entry(), 0, [0, 0]).err(), Some(Error::Occupied), "starting twice");
    let error = crate::invoke::call::<K>(thread.place(), 3, &[1000 as Word]).err();
    assert_eq!(error, Some(Error::BadArgument), "account 1000");
    kit::factory::<K>().destroy(thread.place())
}
