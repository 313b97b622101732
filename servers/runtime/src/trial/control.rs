//! Threads in another's hands: stopped, resumed, with other registers, and with handlers of their own.

use core::sync::atomic::Ordering;

use lilliput_abi::object::{register, vector};
use lilliput_abi::{Error, Isolation, Rights, fault};

use super::Outcome;
use super::kit::{self, PRIORITY, SCRATCH, SEEN, Work, copy, factory, service};
use crate::invoke::give_way;
use crate::machine::{Machine, Vectors};
use crate::message::{Message, Word};
use crate::object::{Frames, Received, Thread, reply};
use crate::{place, role};

const PAGE_FAULT: Word = 14;

pub fn stop_and_resume<K: Machine>() -> Outcome {
    let runs = || {
        let before = SEEN.load(Ordering::SeqCst);
        give_way::<K>();
        SEEN.load(Ordering::SeqCst) != before
    };
    let thread = kit::start::<K>(Work::CountYields, 0, PRIORITY)?;
    assert!(runs(), "a thread that was started");
    assert_eq!(thread.resume().err(), Some(Error::Busy), "resuming what is not stopped");
    assert_eq!(thread.read_registers(0).err(), Some(Error::Busy), "registers of a thread that could run");
    assert_eq!(thread.write_registers(register::AX, &[0]).err(), Some(Error::Busy), "the same, written");
    for _ in 0..3 {
        thread.stop()?;
        thread.stop()?;
        assert!(!runs(), "a thread that was stopped");
        let [ip, sp, flags, _] = thread.read_registers(register::IP)?;
        assert!(ip != 0 && sp != 0 && flags & 0x202 == 0x202, "registers of a stopped thread");
        thread.resume()?;
        assert!(runs(), "a thread that was resumed");
    }
    let used = thread.times()?;
    assert!(used.0 > 0 && used.1 > 0, "a thread that ran has used something");
    assert_eq!(factory::<K>().destroy_thread(thread)?, used, "what is told at a thread's end");
    // What it waits for ends, whatever that is.
    for work in [Work::Receive, Work::Send, Work::Call] {
        let thread = kit::start::<K>(work, place::SERVICE, PRIORITY + 1)?;
        thread.stop()?;
        assert_eq!(
            service::<K>().try_receive().err(),
            Some(Error::WouldBlock),
            "who stopped in {work:?} waits no more"
        );
        assert_eq!(thread.read_registers(register::AX)?[0] as u32, Error::Gone.status(), "what it finds");
        thread.resume()?;
        assert_eq!(SEEN.load(Ordering::SeqCst), Error::Gone as u32, "what ended {work:?}");
    }
    Ok(())
}

pub fn stopped_with_vectors<K: Machine>() -> Outcome {
    let holds = [(); 2].map(|()| kit::start::<K>(Work::HoldVectors, 0, PRIORITY));
    for round in 0..20 {
        let thread = holds[round % 2]?;
        give_way::<K>();
        thread.stop()?;
        give_way::<K>();
        thread.resume()?;
        give_way::<K>();
    }
    // A thread that found something wrong leaves zero, and the other one would have to count from there.
    assert!(SEEN.load(Ordering::SeqCst) > 20, "vector registers were not kept");
    Ok(())
}

/// Where FXSAVE has XMM0, and how far its registers are apart.
const XMM: [Word; 2] = [160, 16];

pub fn vectors_of_another<K: Machine>() -> Outcome {
    let frames = Frames::<K>::at(place::FRAMES);
    kit::map_scratch::<K>(Rights::READ | Rights::WRITE)?;
    let thread = kit::start::<K>(Work::HoldVectors, 0, PRIORITY)?;
    give_way::<K>();
    assert_eq!(thread.read_vector(frames, 0, 0).err(), Some(Error::Busy), "the state of a thread that could run");
    assert_eq!(thread.write_vector(frames, 0, 0).err(), Some(Error::Busy), "the same, written");
    thread.stop()?;
    const AT: Word = 48;
    thread.read_vector(frames, 0, AT)?;
    let word = |offset: Word| K::peek(SCRATCH + AT + offset);
    // It holds the pattern after those that it found, in the call that it makes meanwhile; but if its turn ended elsewhere.
    let holds = || Vectors::pattern(SEEN.load(Ordering::SeqCst) + 1);
    for _ in 0..100 {
        if word(XMM[0]) == holds().registers[0][0] {
            break;
        }
        thread.resume()?;
        give_way::<K>();
        thread.stop()?;
        thread.read_vector(frames, 0, AT)?;
    }
    let pattern = holds();
    SEEN.store(0, Ordering::SeqCst);
    for (number, lanes) in pattern.registers.iter().enumerate() {
        for (lane, &value) in lanes.iter().enumerate() {
            assert_eq!(word(XMM[0] + number * XMM[1] + 4 * lane), value, "lane {lane} of register {number}");
        }
    }
    assert_eq!((word(0) & 0xffff, word(vector::MXCSR)), (pattern.control, pattern.mxcsr), "control words");

    let mxcsr = |value| K::poke(SCRATCH + AT + vector::MXCSR, value);
    for bits in [1 << 16, 1 << 31] {
        mxcsr(pattern.mxcsr | bits);
        assert_eq!(thread.write_vector(frames, 0, AT).err(), Some(Error::BadArgument), "MXCSR with {bits:#x}");
    }
    mxcsr(pattern.mxcsr);
    for (page, offset) in [(0, 4096 - vector::BYTES + 1), (0, 4096), (0, Word::MAX), (Word::MAX, 0), (0xffff, 0)] {
        assert_eq!(
            thread.read_vector(frames, page, offset).err(),
            Some(Error::BadArgument),
            "page {page:#x}, {offset:#x}"
        );
        assert_eq!(
            thread.write_vector(frames, page, offset).err(),
            Some(Error::BadArgument),
            "page {page:#x}, {offset:#x}"
        );
    }
    let weak = |rights| copy::<K>(place::FRAMES, rights | Rights::GRANT).map(Frames::<K>::at);
    assert_eq!(thread.read_vector(weak(Rights::READ)?, 0, 0).err(), Some(Error::NoRight), "to frames for reading");
    assert_eq!(thread.write_vector(weak(Rights::WRITE)?, 0, 0).err(), Some(Error::NoRight), "from frames for writing");
    let other = Frames::<K>::at(place::SERVICE);
    assert_eq!(thread.read_vector(other, 0, 0).err(), Some(Error::WrongType), "to an endpoint");
    thread.read_vector(frames, 0, 4096 - vector::BYTES)?;
    assert_eq!(
        K::peek(SCRATCH + 4096 - vector::BYTES + XMM[0]),
        pattern.registers[0][0],
        "what was refused changed nothing"
    );

    // It goes on with what it had, and then with something else, which it finds.
    K::poke(SCRATCH + AT + XMM[0], !pattern.registers[0][0]);
    thread.write_vector(frames, 0, AT)?;
    thread.write_vector(frames, 0, 4096 - vector::BYTES)?;
    thread.resume()?;
    // Its turn may end before it has looked.
    let finds = |well: bool| {
        (0..100).any(|_| {
            give_way::<K>();
            (SEEN.load(Ordering::SeqCst) > 0) == well
        })
    };
    assert!(finds(true), "what was put back");
    thread.stop()?;
    thread.write_vector(frames, 0, AT)?;
    thread.resume()?;
    assert!(finds(false), "what was changed");
    kit::task::<K>().unmap(SCRATCH, 1)
}

/// A thread that faulted on the scratch page, and the message about it.
fn faulted<K: Machine>(given: u32) -> Result<(Thread<K>, Received), Error> {
    let thread = kit::start::<K>(Work::Peek, given, PRIORITY + 1)?;
    let received = service::<K>().receive()?;
    assert_eq!(received.message.words[fault::VECTOR] & 0xff, PAGE_FAULT, "vector");
    Ok((thread, received))
}

pub fn fault_registers<K: Machine>() -> Outcome {
    kit::task::<K>().set_fault_handler(place::SERVICE, 7)?;
    let (thread, received) = faulted::<K>(kit::SILENCE)?;
    let words = received.message.words;
    let [ip, sp, flags, ..] = thread.read_registers(register::IP)?;
    assert_eq!((ip, sp), (words[fault::IP], words[fault::SP]), "the pointers in message and registers");
    let flags_of = |value| {
        thread.write_registers(register::FLAGS, &[value])?;
        thread.read_registers(register::FLAGS).map(|words| words[0])
    };
    assert_eq!(flags_of(Word::MAX & u32::MAX as Word)?, 0x24_0fd7, "all flags");
    assert_eq!(flags_of(0)?, 0x202, "no flags");
    assert_eq!(flags_of(flags)?, flags, "its own flags");
    let count = if size_of::<Word>() == 4 { register::NARROW_COUNT } else { register::COUNT };
    for first in [count, count + 1, 1000, u64::from(u32::MAX)] {
        assert_eq!(thread.read_registers(first).err(), Some(Error::BadArgument), "register {first}");
        assert_eq!(thread.write_registers(first, &[1]).err(), Some(Error::BadArgument), "register {first}");
    }
    assert_eq!(thread.write_registers(count - 1, &[1, 2]).err(), Some(Error::BadArgument), "beyond the last");
    assert_eq!(thread.write_registers(register::AX, &[]).err(), Some(Error::BadArgument), "no registers");
    for ip in [0, Word::MAX & !0xfff] {
        assert_eq!(
            thread.write_registers(register::IP, &[ip, 0]).err(),
            Some(Error::BadAddress),
            "to go on at {ip:#x}"
        );
    }
    assert_eq!(thread.read_registers(register::IP)?[..2], [ip, sp], "what was refused changed nothing");
    let weak = Thread::<K>::at(copy::<K>(thread.place(), Rights::DESTROY)?);
    assert_eq!(weak.read_registers(0).err(), Some(Error::NoRight), "registers without the right");

    // It goes on as another thread would begin.
    thread.write_registers(register::SI, &[Work::Send as Word])?;
    thread.write_registers(register::BX, &[role::TRIAL_THREAD])?;
    let top = (sp | 0xfff) - 0xff;
    thread.write_registers(register::IP, &[K::entry(), top])?;
    kit::GIVEN.store(place::SERVICE, Ordering::SeqCst);
    reply::<K>(&Message::new(fault::RESUME, &[]))?;
    assert_eq!(service::<K>().receive()?.message.payload(), [], "what the thread sent that was made to");
    factory::<K>().destroy(thread.place())?;
    assert_eq!(thread.read_registers(0).err(), Some(Error::BadCapability), "registers of what is gone");

    // A step at a time, and a stop that is none for good.
    let (thread, _) = faulted::<K>(0)?;
    kit::map_scratch::<K>(Rights::READ)?;
    let [_, _, flags, _] = thread.read_registers(register::IP)?;
    thread.write_registers(register::FLAGS, &[flags | 1 << 8])?;
    reply::<K>(&Message::new(fault::RESUME, &[]))?;
    assert_eq!(service::<K>().receive()?.message.words[fault::VECTOR] & 0xff, 1, "the exception after one instruction");
    thread.write_registers(register::FLAGS, &[flags])?;
    reply::<K>(&Message::new(fault::STOP, &[]))?;
    assert_eq!(SEEN.load(Ordering::SeqCst), 0, "a thread that was stopped went on");
    thread.resume()?;
    assert_eq!(SEEN.load(Ordering::SeqCst), 1, "what the thread found in the end, and one");
    kit::task::<K>().unmap(SCRATCH, 1)
}

pub fn thread_fault_handler<K: Machine>() -> Outcome {
    let own = factory::<K>().create_endpoint()?;
    kit::task::<K>().set_fault_handler(place::SERVICE, 7)?;
    let thread = factory::<K>().create_thread(kit::task(), PRIORITY + 1)?;
    thread.set_fault_handler(own.place(), 8)?;
    assert_eq!(thread.set_fault_handler(place::TASK, 8).err(), Some(Error::WrongType), "a task as a handler");
    let deaf = copy::<K>(own.place(), Rights::RECEIVE | Rights::GRANT)?;
    assert_eq!(thread.set_fault_handler(deaf, 8).err(), Some(Error::NoRight), "an endpoint without the right to send");
    assert_eq!(thread.resume().err(), Some(Error::BadAddress), "resuming what has nowhere to go");
    // It begins where nothing is mapped, by its registers alone.
    thread.write_registers(register::IP, &[SCRATCH, SCRATCH])?;
    thread.resume()?;
    assert_eq!(thread.start(SCRATCH, 0, [0, 0]).err(), Some(Error::Occupied), "starting what was resumed");
    let received = own.receive()?;
    assert_eq!((received.badge, received.message.words[fault::ADDRESS]), (8, SCRATCH), "who is told first");
    thread.set_fault_handler(0, 0)?;
    reply::<K>(&Message::new(fault::RESUME, &[]))?;
    assert_eq!(service::<K>().receive()?.badge, 7, "who is told without a handler of its own");
    thread.set_fault_handler(own.place(), 9)?;
    reply::<K>(&Message::new(fault::RESUME, &[]))?;
    assert_eq!(own.receive()?.badge, 9, "who is told again");
    // It waits for an answer of this thread's, whose caller is none of the endpoint's any more.
    reply::<K>(&Message::new(fault::STOP, &[]))?;
    factory::<K>().destroy(own.place())?;
    thread.resume()?;
    assert_eq!(service::<K>().receive()?.badge, 7, "who is told when its own handler is gone");
    reply::<K>(&Message::new(fault::STOP, &[]))
}

pub fn narrow_registers<K: Machine>() -> Outcome {
    let arena = factory::<K>().create_arena()?;
    let (small, _) = factory::<K>().create_small(arena, 1 << 20, Isolation::Page, 0)?;
    let thread = factory::<K>().create_thread(small, 1)?;
    let wide = 1usize.checked_shl(32).unwrap_or(0);
    for number in [register::SP, register::FLAGS, register::AX, register::SI] {
        assert_eq!(thread.write_registers(number, &[wide]).err(), Some(Error::WordTooWide), "register {number}");
    }
    let error = thread.write_registers(register::IP, &[1 << 20]).err();
    assert_eq!(error, Some(Error::BadAddress), "beyond the space");
    assert_eq!(thread.write_registers(register::R8, &[1]).err(), Some(Error::BadArgument), "R8 of a 32-bit thread");
    thread.write_registers(register::AX, &[1, 2, 3, 4, 5, 6, 7])?;
    assert_eq!(thread.read_registers(register::SI)?, [5, 6, 7, 0], "ESI, EDI, EBP, and none");
    for place in [small.place(), arena.place()] {
        factory::<K>().destroy(place)?;
    }
    Ok(())
}
