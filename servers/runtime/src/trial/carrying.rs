//! Messages that carry something: capabilities and strings, between all kinds of task, across faults, and ends in the middle.

use core::sync::atomic::Ordering;

use lilliput_abi::layout::PAGE_SIZE;
use lilliput_abi::object::map::REPLACE;
use lilliput_abi::tag::carried;
use lilliput_abi::{Error, Operation, Rights, Selector, Tag, fault};

use super::kit::{self, GIVEN_TOO, PRIORITY, SCRATCH, SEEN, Work, copy, partner};
use super::partner::{self as told, MOST_BYTES};
use super::{Outcome, time};
use crate::machine::Machine;
use crate::message::{Message, WORDS, Word};
use crate::object::{Endpoint, Frames, Notification, Parcel, Received, accept};
use crate::place;

/// Where capabilities arrive.
const ARRIVES: u32 = 200;
/// Where one is that leaves: not the place that is the next to be taken, which is that of the last one that was deleted.
const LEAVES: u32 = 201;
const PAGE: Word = PAGE_SIZE as Word;
/// Where strings arrive.
const TARGET: Word = SCRATCH + 0x4_0000;
/// Pages from [`SCRATCH`] on that these trials use.
const PAGES: u16 = 0x40 + MOST_PAGES + 1;
const MOST_PAGES: u16 = (MOST_BYTES / PAGE) as u16;
const DATA: Rights = Rights::READ.union(Rights::WRITE);

/// Bytes of a string that takes several steps.
const LONG: Word = 80_000;

/// What [`Work::SendString`] sends.
pub const SENT: Parcel = Parcel::EMPTY.string(SCRATCH, LONG);

/// Hands a capability to the partner, which uses it and gives it back.
pub fn capability_returns<K: Machine>() -> Outcome {
    let task = kit::task::<K>();
    accept::<K>(ARRIVES, 0, 0)?;
    for moves in [false, true, true] {
        let held = Rights::SEND | Rights::GRANT | Rights::DESTROY;
        let given = task.grant(place::NOTIFICATION, held, 0, LEAVES)?;
        let rights = Rights::SEND | Rights::GRANT;
        let parcel = Parcel::new(told::RETURN, &[]);
        let parcel = if moves { parcel.moved(given, rights) } else { parcel.capability(given, rights) };
        let answer = partner::<K>().call_with(&parcel)?;
        assert_eq!(answer.message.words[0], 0, "what the partner found");
        assert_eq!(answer.capability(), Some(ARRIVES), "where it arrived");
        assert_eq!(kit::notification::<K>().poll()?, kit::BITS as Word, "the partner's signal, under the badge");
        let returned = Notification::<K>::at(ARRIVES);
        returned.signal()?;
        assert_eq!(kit::notification::<K>().poll()?, kit::BITS as Word, "by what came back");
        assert_eq!(returned.poll().err(), Some(Error::NoRight), "a right that it did not have");
        let destroyed = kit::factory::<K>().destroy(ARRIVES).err();
        assert_eq!(destroyed, Some(Error::NoRight), "a right that was not given");
        let left = Notification::<K>::at(given).signal();
        assert_eq!(left.err(), moves.then_some(Error::BadCapability), "what is left of it, if it moves: {moves}");
        if !moves {
            assert_eq!(kit::notification::<K>().poll()?, kit::BITS as Word, "by what was copied");
            task.delete(given)?;
        }
        task.delete(ARRIVES)?;
    }
    Ok(())
}

pub fn capability_refusals<K: Machine>() -> Outcome {
    let task = kit::task::<K>();
    let refused = |parcel: Parcel| {
        let called = partner::<K>().call_with(&parcel).err();
        assert_eq!(partner::<K>().send_with(&parcel).err(), called, "sent, and called");
        called
    };
    let keep = |place, rights| Parcel::new(told::KEEP, &[]).capability(place, rights);
    let plain = copy::<K>(place::NOTIFICATION, Rights::SEND)?;
    let giver = copy::<K>(place::NOTIFICATION, Rights::SEND | Rights::GRANT)?;
    assert_eq!(refused(keep(plain, Rights::SEND)), Some(Error::NoRight), "what may not be given");
    assert_eq!(refused(keep(giver, Rights::RECEIVE)), Some(Error::NoRight), "more rights than it has");
    assert_eq!(refused(keep(giver, Rights::empty())), Some(Error::BadArgument), "no rights");
    assert_eq!(refused(keep(0, Rights::SEND)), Some(Error::BadCapability), "place 0");
    assert_eq!(refused(keep(ARRIVES, Rights::SEND)), Some(Error::BadCapability), "an empty place");
    assert_eq!(refused(keep(0xff_ffff, Rights::SEND)), Some(Error::BadCapability), "a place beyond the table");
    let waits = Parcel::new(told::KEEP, &[]).moved(place::NOTIFICATION, Rights::SEND);
    assert_eq!(refused(waits), Some(Error::BadArgument), "moving what one may wait by");
    kit::notification::<K>().signal()?;
    kit::notification::<K>().poll()?;
    malformed::<K>();
    // A place that is full.
    assert_eq!(partner::<K>().call_with(&keep(giver, Rights::SEND))?.message.words[0], 1, "what arrived");
    let moved = Parcel::new(told::KEEP, &[]).moved(giver, Rights::SEND);
    assert_eq!(refused(moved), Some(Error::Unaccepted), "where the last one is still");
    Notification::<K>::at(giver).signal()?;
    assert_eq!(partner::<K>().request(told::DROP, &[])?.words[0], 0, "the partner empties the place");
    assert_eq!(partner::<K>().call_with(&moved)?.message.words[0], 1, "what arrived afterwards");
    assert_eq!(Notification::<K>::at(giver).signal().err(), Some(Error::BadCapability), "what has moved");
    partner::<K>().request(told::DROP, &[])?;
    // An answer that this thread has no room for: the partner gives another one.
    let giver = copy::<K>(place::NOTIFICATION, Rights::SEND | Rights::GRANT)?;
    let answer =
        partner::<K>().call_with(&Parcel::new(told::RETURN, &[]).capability(giver, Rights::SEND | Rights::GRANT));
    let answer = answer?;
    assert_eq!((answer.capability(), answer.message.words[0] as u32), (None, u32::MAX), "an answer without");
    assert_eq!(accept::<K>(giver, 0, 0).err(), Some(Error::Occupied), "accepting where something is");
    assert_eq!(accept::<K>(1 << 20, 0, 0).err(), Some(Error::BadArgument), "accepting beyond the table");
    [plain, giver].into_iter().try_for_each(|place| task.delete(place))
}

/// What no message can carry, and what carries none.
fn malformed<K: Machine>() {
    let invoke = |operation, index, flags| {
        let mut message = Message { tag: Tag::new(told::NOTE, 4).with_flags(flags), words: [0; WORDS] };
        Error::from_status(K::invoke(Selector::new(operation, index).carrying(), &mut message)).err()
    };
    for flags in [0, 4, 0x80, 0xff] {
        let error = invoke(Operation::Call, place::SERVER, flags);
        assert_eq!(error, Some(Error::BadMessage), "flags {flags:#x}");
    }
    for operation in Operation::ALL.into_iter().filter(|operation| !operation.sends()) {
        assert_eq!(invoke(operation, 0, carried::STRING), Some(Error::BadOperation), "{operation:?} carries nothing");
    }
    for flags in [0, carried::CAPABILITY] {
        assert_eq!(invoke(Operation::Call, place::TASK, flags), Some(Error::BadMessage), "to a method");
    }
}

/// Frames for all that these trials use, mapped.
fn pages<K: Machine>() -> Result<Frames<K>, Error> {
    let frames = kit::factory::<K>().create_frames(PAGES.into())?;
    kit::task::<K>().map(frames, SCRATCH, 0, PAGES, DATA)?;
    Ok(frames)
}

/// What a word of a string holds that this trial sends.
const fn pattern(at: Word, seed: u32) -> u32 {
    (at as u32).wrapping_mul(0x9e37_79b9) ^ seed
}

fn fill<K: Machine>(address: Word, length: Word, seed: u32) -> u32 {
    let words = length.div_ceil(4);
    (0..words).for_each(|at| K::poke(address + 4 * at, pattern(at, seed)));
    let bytes = (0..words).flat_map(|at| pattern(at, seed).to_le_bytes()).take(length);
    bytes.fold(0, |sum, byte| sum.wrapping_add(u32::from(byte)))
}

fn check<K: Machine>(address: Word, length: Word, seed: u32) {
    for at in 0..length / 4 {
        assert_eq!(K::peek(address + 4 * at), pattern(at, seed), "word {at} of {length} bytes");
    }
}

/// The partner takes a string, tells its sum, and sends it back.
fn reflect<K: Machine>(from: Word, length: Word) -> Result<Received, Error> {
    partner::<K>().call_with(&Parcel::new(told::REFLECT, &[]).string(from, length))
}

pub fn string_lengths<K: Machine>() -> Outcome {
    pages::<K>()?;
    let lengths = [0, 1, 4, 64, PAGE - 1, PAGE, PAGE + 1, 32 << 10, (32 << 10) + 4, LONG, MOST_BYTES];
    for (seed, length) in lengths.into_iter().enumerate() {
        for (from, to) in [(0, 0), (0xffc, 8), (8, 0xffc)] {
            let (from, to, seed) = (SCRATCH + from, TARGET + to, seed as u32 + from as u32);
            accept::<K>(0, to, length)?;
            let end = to + length.next_multiple_of(4);
            K::poke(end, 0x5a5a_5a5a);
            let sum = fill::<K>(from, length, seed);
            let answer = reflect::<K>(from, length)?;
            assert_eq!(answer.string(), Some(length), "bytes that came back");
            assert_eq!(answer.message.words[0] as u32, sum, "the sum of {length} bytes");
            assert_eq!(answer.message.words[carried::ADDRESS_WORD], to, "where they are");
            check::<K>(to, length, seed);
            assert_eq!(K::peek(end), 0x5a5a_5a5a, "what follows {length} bytes");
        }
    }
    Ok(())
}

pub fn string_refusals<K: Machine>() -> Outcome {
    pages::<K>()?;
    accept::<K>(0, TARGET, 100)?;
    let end = kit::task::<K>().info()?.size;
    assert_eq!(reflect::<K>(SCRATCH, MOST_BYTES + 1).err(), Some(Error::Unaccepted), "more than the partner takes");
    for (address, length) in
        [(0, 4), (0xfffc, 8), (end - 4, 8), (end, 1), (Word::MAX - 3, 8), (Word::MAX, 1), (Word::MAX / 2 + 1, 1)]
    {
        let error = reflect::<K>(address, length).err();
        assert_eq!(error, Some(Error::BadAddress), "{length} bytes at {address:#x}, which is not its own");
        assert_eq!(accept::<K>(0, address, length).err(), Some(Error::BadAddress), "the same as a place for a string");
    }
    assert_eq!(reflect::<K>(SCRATCH, Word::MAX).err(), Some(Error::Unaccepted), "as long as a word says");
    // What was refused changed nothing: this is still accepted. What is longer is the partner's error.
    assert_eq!(reflect::<K>(SCRATCH, 100)?.string(), Some(100));
    let answer = reflect::<K>(SCRATCH, 101)?;
    assert_eq!((answer.string(), answer.message.words[0]), (None, Error::Unaccepted as Word), "an answer too long");
    Ok(())
}

/// Gives pages of the frames at place [`GIVEN_TOO`] to whoever lacks them, and counts.
pub fn give_pages<K: Machine>(endpoint: u32) {
    let frames = Frames::<K>::at(GIVEN_TOO.load(Ordering::SeqCst));
    let mut answer = None;
    while let Ok(lack) = Endpoint::<K>::at(endpoint).next(answer.as_ref()) {
        SEEN.fetch_add(1, Ordering::SeqCst);
        let page = lack.message.words[fault::ADDRESS] & !(PAGE - 1);
        let first = ((page.wrapping_sub(SCRATCH)) / PAGE) as u16;
        let given = kit::task::<K>().map_pages(frames, page, first, 1, DATA, REPLACE);
        answer = Some(Message::new(if given.is_ok() { fault::RESUME } else { fault::STOP }, &[]));
    }
}

/// Pages that are missing on this side, when it sends and when it gets its answer, and pages that may only be read.
pub fn string_faults<K: Machine>() -> Outcome {
    let (task, frames) = (kit::task::<K>(), pages::<K>()?);
    let pager = kit::factory::<K>().create_endpoint()?;
    GIVEN_TOO.store(frames.place(), Ordering::SeqCst);
    task.set_fault_handler(pager.place(), 1)?;
    kit::start::<K>(Work::GivePages, pager.place(), PRIORITY + 1)?;
    let length = MOST_BYTES;
    accept::<K>(0, TARGET, length)?;
    let sum = fill::<K>(SCRATCH, length, 3);
    for (readable, lacking) in [(false, 2 * MOST_PAGES), (true, MOST_PAGES)] {
        task.unmap(SCRATCH, PAGES.into())?;
        if readable {
            task.map(frames, SCRATCH, 0, PAGES, Rights::READ)?;
        }
        SEEN.store(0, Ordering::SeqCst);
        let answer = reflect::<K>(SCRATCH, length)?;
        assert_eq!((answer.string(), answer.message.words[0] as u32), (Some(length), sum), "what came back");
        assert_eq!(SEEN.load(Ordering::SeqCst), lacking.into(), "pages that were given");
        check::<K>(TARGET, length, 3);
    }
    // Beyond what the pager has: whoever's they are hears of it.
    let beyond = SCRATCH + Word::from(PAGES) * PAGE;
    assert_eq!(reflect::<K>(beyond - 4, 8).err(), Some(Error::BadAddress), "pages that nobody gives");
    accept::<K>(0, beyond - 4, 8)?;
    let answer = reflect::<K>(SCRATCH, 8)?;
    assert_eq!(answer.message.words[0], Error::Unaccepted as Word, "an answer to where nobody gives pages");
    Ok(())
}

/// Takes a string into [`TARGET`].
pub fn receive_string<K: Machine>(endpoint: Endpoint<K>) -> Result<Word, Error> {
    accept::<K>(0, TARGET, MOST_BYTES)?;
    endpoint.receive().map(|received| received.string().unwrap_or(0))
}

/// Hands the partner a capability to call back by, and lacks pages for what it sends.
pub fn string_into_gaps<K: Machine>() -> Outcome {
    let (task, frames) = (kit::task::<K>(), pages::<K>()?);
    let pager = kit::factory::<K>().create_endpoint()?;
    GIVEN_TOO.store(frames.place(), Ordering::SeqCst);
    task.set_fault_handler(pager.place(), 1)?;
    kit::start::<K>(Work::GivePages, pager.place(), PRIORITY + 1)?;
    let back = Parcel::new(told::KEEP, &[]).capability(place::SERVICE, Rights::SEND);
    partner::<K>().call_with(&back)?;
    task.unmap(SCRATCH, PAGES.into())?;
    kit::start::<K>(Work::ReceiveString, place::SERVICE, PRIORITY + 2)?;
    let answer = partner::<K>().request(told::SEND, &[LONG])?;
    assert_eq!(answer.words[0], 0, "what the partner was told");
    for at in 0..LONG / 4 {
        assert_eq!(K::peek(TARGET + 4 * at), 7 + at as u32, "word {at}");
    }
    Ok(())
}

/// Somebody ends while a page is missing in the middle of a string. This thread is the pager, and knows when that is.
pub fn string_interrupted<K: Machine>() -> Outcome {
    let (task, factory) = (kit::task::<K>(), kit::factory::<K>());
    pages::<K>()?;
    let lacks = SCRATCH + 10 * PAGE;
    task.unmap(lacks, 1)?;
    let pager = |endpoint: Endpoint<K>| -> Outcome {
        let lack = endpoint.receive()?;
        let words = lack.message.words;
        assert_eq!(words[fault::VECTOR] & 0xff, 14, "what the pager hears of");
        assert_eq!(words[fault::ADDRESS], lacks, "and where");
        assert_eq!([words[fault::IP], words[fault::SP]], [0, 0], "no instruction did it");
        Ok(())
    };
    let there = |when: &str| assert!(partner::<K>().request(told::COUNT, &[]).is_ok(), "the partner after {when}");
    let seen = || SEEN.load(Ordering::SeqCst);
    let endpoint = factory.create_endpoint()?;
    task.set_fault_handler(endpoint.place(), 1)?;
    // Whoever sends is destroyed, or refused its page, or has waited long enough.
    let thread = kit::start::<K>(Work::SendString, place::SERVER, PRIORITY + 1)?;
    pager(endpoint)?;
    factory.destroy(thread.place())?;
    there("its sender was destroyed");
    kit::start::<K>(Work::SendString, place::SERVER, PRIORITY + 1)?;
    pager(endpoint)?;
    crate::object::reply::<K>(&Message::new(fault::STOP, &[]))?;
    assert_eq!(seen(), Error::BadAddress as u32, "what its sender hears of a page that it can't have");
    there("a page was refused");
    kit::start::<K>(Work::SendStringUntil, place::SERVER, PRIORITY + 1)?;
    pager(endpoint)?;
    crate::time::sleep::<K>(time::PATIENCE)?;
    crate::time::sleep::<K>(time::PATIENCE)?;
    assert_eq!(seen(), Error::TimedOut as u32, "what its sender hears after its deadline");
    there("its sender gave up");
    // Whoever receives is destroyed.
    let thread = kit::start::<K>(Work::ReceiveString, place::SERVICE, PRIORITY + 1)?;
    kit::start::<K>(Work::SendString, place::SERVICE, PRIORITY + 1)?;
    pager(endpoint)?;
    factory.destroy(thread.place())?;
    assert_eq!(seen(), Error::Gone as u32, "what the sender hears of a receiver that is gone");
    // The pager is, before it has heard of anything.
    kit::start::<K>(Work::SendString, place::SERVER, PRIORITY + 1)?;
    factory.destroy(endpoint.place())?;
    assert_eq!(seen(), Error::BadAddress as u32, "what the sender hears of a pager that is gone");
    there("a pager was destroyed");
    Ok(())
}
