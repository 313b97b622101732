//! System calls that must be refused, each with the error that says why.

use lilliput_abi::object::{FactoryMethod, counter, fact};
use lilliput_abi::operation::INDEX_MASK;
use lilliput_abi::tag::MAX_WORDS;
use lilliput_abi::{Error, Operation, Selector, Tag};

use super::Outcome;
use super::kit::{self, FACTORY};
use crate::invoke::{call, invoke};
use crate::machine::Machine;
use crate::message::{Message, Word};
use crate::place;

/// Operations that name a capability.
const NAMING: [Operation; 12] = [
    Operation::Call,
    Operation::Send,
    Operation::SendNonBlocking,
    Operation::CallNonBlocking,
    Operation::Receive,
    Operation::ReceiveNonBlocking,
    Operation::ReplyReceive,
    Operation::Signal,
    Operation::Wait,
    Operation::Poll,
    Operation::KeepReceive,
    Operation::ReplyKept,
];

fn fails<K: Machine>(operation: Operation, index: u32, message: Message) -> Option<Error> {
    invoke::<K>(operation, index, &mut { message }).err()
}

pub fn bad_capability<K: Machine>() -> Outcome {
    for operation in NAMING {
        // The null place, an empty one, one beyond every table.
        for index in [0, 200, INDEX_MASK] {
            let error = fails::<K>(operation, index, Message::default());
            // A reply is given before the endpoint is looked at; there is nobody to give it to.
            let also = operation == Operation::ReplyReceive && error == Some(Error::NobodyToReplyTo);
            assert!(error == Some(Error::BadCapability) || also, "{operation:?} on place {index:#x}: {error:?}");
        }
    }
    Ok(())
}

pub fn bad_operation<K: Machine>() -> Outcome {
    for number in (0..=0xff).filter(|number| (number & 0x1f) as usize >= Operation::ALL.len()) {
        for index in [0, place::SERVICE, INDEX_MASK] {
            let selector = Selector(number << 24 | index);
            let status = K::invoke(selector, &mut Message::default());
            assert_eq!(Error::from_status(status), Err(Error::BadOperation), "operation {number} on place {index:#x}");
        }
    }
    for place in [FACTORY, place::TASK, place::SYSTEM] {
        for label in [0, 100, 0xffff] {
            let error = call::<K>(place, label, &[]).err();
            assert_eq!(error, Some(Error::BadOperation), "method {label} of the object at place {place}");
        }
    }
    // Frames have no methods at all.
    assert_eq!(call::<K>(place::FRAMES, 1, &[]).err(), Some(Error::WrongType), "a call to frames");
    Ok(())
}

pub fn wrong_type<K: Machine>() -> Outcome {
    use Operation::{Poll, Receive, ReceiveNonBlocking, ReplyReceive, Send, SendNonBlocking, Signal, Wait};
    let (endpoint, notification, task) = (place::SERVICE, place::NOTIFICATION, place::TASK);
    let wrong = [
        (endpoint, &[Signal, Wait, Poll][..]),
        (notification, &[Send, SendNonBlocking, Receive, ReceiveNonBlocking]),
        (task, &[Send, SendNonBlocking, Receive, ReceiveNonBlocking, Signal, Wait, Poll]),
    ];
    for (index, operations) in wrong {
        for &operation in operations {
            let error = fails::<K>(operation, index, Message::default());
            assert_eq!(error, Some(Error::WrongType), "{operation:?} on place {index}");
        }
    }
    let error = fails::<K>(ReplyReceive, notification, Message::default());
    assert!(matches!(error, Some(Error::WrongType | Error::NobodyToReplyTo)), "{error:?}");
    // Objects of one type in the place of another, as arguments.
    let factory = kit::factory::<K>();
    let error = factory.create_thread(crate::Task::at(endpoint), 1).err();
    assert_eq!(error, Some(Error::WrongType), "a thread of an endpoint");
    let error = kit::task::<K>().map(crate::Frames::at(endpoint), kit::SCRATCH, 0, 1, lilliput_abi::Rights::READ).err();
    assert_eq!(error, Some(Error::WrongType), "mapping an endpoint");
    Ok(())
}

pub fn bad_message<K: Machine>() -> Outcome {
    use Operation::{Call, CallNonBlocking, Send, SendNonBlocking};
    for operation in [Call, CallNonBlocking, Send, SendNonBlocking] {
        for tag in [Tag(1 << 8), Tag(0xff00), Tag::new(0, MAX_WORDS + 1), Tag::new(0, 255)] {
            let selector = Selector::new(operation, place::SERVICE).long();
            let status = K::invoke(selector, &mut Message { tag, ..Message::default() });
            let error = Error::from_status(status).err();
            assert_eq!(error, Some(Error::BadMessage), "{operation:?} with tag {:#x}", tag.0);
        }
    }
    Ok(())
}

pub fn bad_argument<K: Machine>() -> Outcome {
    let factory = kit::factory::<K>();
    assert_eq!(factory.create_thread(kit::task(), 64).err(), Some(Error::BadArgument), "priority 64");
    assert_eq!(factory.create_frames(0).err(), Some(Error::BadArgument), "no frames");
    assert!(factory.create_frames(1 << 30).is_err(), "4 TiB of frames");
    assert_eq!(factory.destroy(200).err(), Some(Error::BadCapability), "destroying nothing");
    let arena = factory.create_arena()?;
    for size in [0, 1, 4097] {
        let error = factory.create_small(arena, size, lilliput_abi::Isolation::Auto, 0).err();
        assert_eq!(error, Some(Error::BadArgument), "a small space of {size} bytes");
    }
    let error = factory.create_small(arena, 0xffff_f000, lilliput_abi::Isolation::Auto, 0).err();
    assert!(matches!(error, Some(Error::NoHole | Error::BadArgument)), "a small space of almost 4 GiB: {error:?}");
    let words = [arena.place() as Word, 4096, 4, 0];
    let error = call::<K>(FACTORY, FactoryMethod::CreateSmall as u16, &words).err();
    assert_eq!(error, Some(Error::BadArgument), "isolation 4");
    factory.destroy(arena.place())?;
    let error = crate::System::<K>::at(place::SYSTEM).fact(1000).err();
    assert_eq!(error, Some(Error::BadArgument), "fact 1000");
    Ok(())
}

/// Whether they were asked for or not: emulators have none, and Bochs has some that stand still.
pub fn no_performance_counters<K: Machine>() -> Outcome {
    let fact = |number: usize| crate::System::<K>::at(place::SYSTEM).fact(fact::COUNTERS + number as u64).err();
    for number in 0..counter::COUNT {
        assert_eq!(fact(number), Some(Error::Unsupported), "{}", counter::NAMES[number]);
    }
    assert_eq!(fact(counter::COUNT), Some(Error::BadArgument));
    Ok(())
}
