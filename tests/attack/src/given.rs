//! What an attack's capabilities do not give: the messages, answers, objects and time of others.

use core::sync::atomic::AtomicUsize;

use lilliput_abi::layout::USER_START;
use lilliput_abi::object::register;
use lilliput_abi::tag::carried;
use lilliput_abi::{Error, Rights, Tag};
use lilliput_runtime::invoke::give_way;
use lilliput_runtime::object::{Parcel, accept, reply};
use lilliput_runtime::{Endpoint, Invoke, Machine, Message, Notification, Word, place};

use crate::kit::{self, WITNESSES, parameter, role};
use crate::witness::ECHO;
use crate::{Outcome, must};

/// Tries everything on what it may only send to.
///
/// # Errors
/// What the kernel says of what it must not refuse.
pub fn nothing_of_others<K: Invoke>() -> Outcome {
    let empty = Message::default();
    for number in WITNESSES.into_iter().chain([place::PARENT]) {
        let endpoint = Endpoint::<K>::at(number);
        must!(K, endpoint.try_receive().is_err(), "a message to another was taken at {number}");
        must!(K, endpoint.receive().is_err(), "messages to another were waited for at {number}");
        must!(K, endpoint.reply_receive(&empty).is_err(), "messages to another were waited for at {number}");
        must!(K, Notification::<K>::at(number).signal().is_err(), "{number} was signalled");
        must!(K, Notification::<K>::at(number).poll().is_err(), "{number} was polled");
        for rights in [Rights::SEND, Rights::RECEIVE, Rights::all()] {
            let copied = kit::task::<K>().grant(number, rights, 0, 0);
            must!(K, copied == Err(Error::NoRight), "a copy of {number} was given: {copied:?}");
        }
        must!(K, kit::factory::<K>().destroy(number) == Err(Error::NoRight), "{number} was destroyed");
        must!(K, kit::task::<K>().set_fault_handler(number, 1).is_err(), "faults are told to {number}");
    }
    must!(K, reply::<K>(&empty) == Err(Error::NobodyToReplyTo), "an answer was given for another");
    must!(K, kit::factory::<K>().destroy(kit::FACTORY).is_err(), "the factory was destroyed");
    WITNESSES.into_iter().try_for_each(|number| Endpoint::<K>::at(number).request(ECHO, &[]).map(drop))
}

/// Tries to have the kernel read or write what is not its own, by messages that carry something: to the witnesses, which take nothing, and to
/// a thread of its own, which takes all that it can.
///
/// # Errors
/// What the kernel says of what it must not refuse.
pub fn nothing_by_messages<K: Machine>() -> Outcome {
    let size = kit::task::<K>().info()?.size;
    let taker = kit::factory::<K>().create_thread(kit::task(), kit::SERVER_PRIORITY)?;
    let top = &raw const TAKER_STACK as Word + size_of_val(&TAKER_STACK);
    taker.start(K::entry(), top, [role::TAKER, size])?;
    let others =
        [parameter::ABOVE, parameter::BELOW, parameter::ABOVE_LINEAR, parameter::HOST].map(kit::parameter::<K>);
    let middle = Word::MAX / 2 + 1;
    // The kernel's image, its tables, its map of memory; the last bytes, and a range that wraps around into the task's own.
    let kernels =
        [middle, middle | middle >> 16, Word::MAX << 31, Word::MAX << 26, Word::MAX, Word::MIN.wrapping_sub(0x2_0000)];
    for address in others.into_iter().chain(kernels).chain([0, 1, 0x1000, LOWEST - 1, size - 1, size]) {
        for length in [2, 64, 0x3_0000, Word::MAX >> 1, Word::MAX - 1] {
            let own = address >= LOWEST && address.checked_add(length).is_some_and(|end| end <= size);
            let short = u32::try_from(length).is_ok();
            let accepted = accept::<K>(0, address, length);
            must!(K, accepted.is_ok() == (own && short), "{length} bytes at {address:#x} are accepted: {accepted:?}");
            let parcel = Parcel::new(ECHO, &[]).string(address, length);
            for number in WITNESSES {
                let sent = Endpoint::<K>::at(number).call_with(&parcel);
                must!(K, sent.is_err(), "{length} bytes at {address:#x} went to {number}: {sent:?}");
            }
            if !own {
                let sent = kit::service::<K>().call_with(&parcel);
                must!(K, sent.is_err(), "{length} bytes at {address:#x} went to itself: {sent:?}");
                let refused = if length <= most(size) { Error::BadAddress } else { Error::Unaccepted };
                assert_eq!(sent.err(), Some(refused), "{length} bytes at {address:#x}");
            }
        }
    }
    accept::<K>(0, 0, 0)?;
    for number in WITNESSES {
        let witness = Endpoint::<K>::at(number);
        let given = Parcel::new(ECHO, &[]).moved(place::TASK, Rights::all());
        must!(K, witness.call_with(&given).is_err(), "a capability was put into the table of {number}");
        let lent = Parcel::new(ECHO, &[]).capability(number, Rights::SEND);
        must!(K, witness.call_with(&lent) == Err(Error::NoRight), "{number} was handed on");
        let forged = Message { tag: Tag::new(ECHO, 4).with_flags(carried::ALL), ..Message::default() };
        must!(K, witness.call(&forged).is_ok(), "a message with flags that mean nothing was refused");
    }
    kit::factory::<K>().destroy(taker.place())
}

/// The lowest address of a task's own.
const LOWEST: Word = USER_START as Word;

/// Bytes of the longest string that a task can take.
fn most(size: Word) -> Word {
    (size - LOWEST).min(u32::MAX as Word)
}

/// The taker's stack. Nothing is read from it but by the taker.
static TAKER_STACK: [AtomicUsize; 2048] = [const { AtomicUsize::new(0) }; 2048];

/// The thread of an attack that takes strings, as long as any can be, over all that is its own.
pub fn take<K: Machine>(size: Word) -> ! {
    let mut answer = None;
    loop {
        let taken = accept::<K>(0, LOWEST, most(size)).and_then(|()| kit::service::<K>().next(answer.as_ref()));
        match taken {
            Ok(received) => answer = Some(received.message),
            Err(error) => panic!("the taker can't receive: {}", error.name()),
        }
    }
}

/// Tries to run before those of a higher priority than it was given.
///
/// # Errors
/// What the kernel says of what it must not refuse.
pub fn no_more_time<K: Invoke>() -> Outcome {
    const MOST: u8 = 63;
    let (task, factory) = (kit::task::<K>(), kit::factory::<K>());
    let thread = factory.create_thread(task, kit::SERVER_PRIORITY)?;
    for above in [kit::SERVER_PRIORITY + 1, MOST] {
        must!(K, task.set_ceiling(above) == Err(Error::NoRight), "its ceiling became {above}");
        must!(K, factory.create_thread(task, above).is_err(), "it has a thread of priority {above}");
        must!(K, thread.set_priority(above) == Err(Error::NoRight), "its thread has priority {above}");
    }
    let wide = factory.create_wide()?;
    must!(K, factory.create_thread(wide, MOST).is_err(), "a task that it made has a thread of priority {MOST}");
    must!(K, wide.set_ceiling(MOST) == Err(Error::NoRight), "a task that it made has another ceiling");
    factory.destroy(wide.place())?;
    factory.destroy(thread.place())
}

/// Lets a thread go on with registers that the kernel's return must bear: at places, on stacks and with flags of all kinds.
///
/// # Errors
/// What the kernel says of what it must not refuse.
pub fn written_registers<K: Invoke>() -> Outcome {
    /// IOPL, VM, NT, VIF and VIP: a thread has none of them.
    const NEVER: Word = 3 << 12 | 1 << 14 | 1 << 17 | 1 << 19 | 1 << 20;
    const INTERRUPTS: Word = 1 << 9;
    let size = kit::task::<K>().info()?.size;
    let middle = Word::MAX / 2 + 1;
    let places = [1, 0x1000, 0x1001, size - 1, size, middle - 1, middle, Word::MAX - 1, Word::MAX];
    let thread = kit::factory::<K>().create_thread(kit::task(), kit::PRIORITY)?;
    // Nobody hears of its faults: it waits, and is stopped.
    thread.set_fault_handler(kit::service::<K>().place(), 0)?;
    for ip in places {
        for sp in places {
            for flags in [0, 0x202, NEVER, 1 << 8 | 1 << 10 | 1 << 18, Word::MAX] {
                let written = thread.write_registers(register::IP, &[ip, sp, flags]);
                must!(K, written.is_ok() == (ip < size), "at {ip:#x}, end {size:#x}: {written:?}");
                let [_, _, found, _] = thread.read_registers(register::IP)?;
                must!(K, found & NEVER == 0 && found & INTERRUPTS != 0, "flags {flags:#x} became {found:#x}");
                thread.resume()?;
                give_way::<K>();
                thread.stop()?;
            }
        }
    }
    kit::factory::<K>().destroy(thread.place())
}
