//! Foreign threads: their system calls are messages to a partner, in whose answers they find the results.

use core::sync::atomic::{AtomicUsize, Ordering};

use lilliput_abi::object::{fact, register};
use lilliput_abi::{Error, Rights, Tag, fault, foreign};

use super::Outcome;
use super::kit::{self, BADGE, PRIORITY, SCRATCH, SMALL_SIZE, factory, partner};
use super::partner::{ECHO, KEEP, LAST_FAULT, RELEASE};
use crate::invoke::Invoke;
use crate::machine::Machine;
use crate::message::{Message, Word};
use crate::object::{Parcel, Received, System, Thread, reply};
use crate::place;

/// What a foreign system call asks the partner for, in the low half of EBX of a 32-bit thread, RAX of a 64-bit one, which is its word 0. Above
/// that stands which word is its result.
mod number {
    use crate::message::Word;

    /// To answer with [`super::digest`].
    pub const DIGEST: Word = 0x100;
    /// To let it go on with its registers as they are.
    pub const RESUME: Word = 0x101;
    /// To stop it.
    pub const STOP: Word = 0x102;
    /// To receive again without an answer.
    pub const FORGET: Word = 0x103;
    /// To end without an answer.
    pub const DIE: Word = 0x104;
    /// To wait for the trial's notification, then to answer with [`LATE`].
    pub const WAIT: Word = 0x105;
    /// [`DIGEST`], answered by the operation that is for such answers.
    pub const RETURN: Word = 0x106;
    /// To be put aside, and answered with [`LATE`] when the partner is told to.
    pub const KEEP: Word = 0x107;
    /// See [`WAIT`].
    pub const LATE: Word = 0x1ee7;
    /// Where it says which word is its result.
    pub const RESULT_SHIFT: u32 = 16;
}

/// See [`number`].
pub const STOP: Word = number::STOP;

/// What a foreign thread executes to enter the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// `int 0x80`
    Interrupt,
    /// `syscall`
    Syscall,
    /// `sysenter`
    Sysenter,
    /// `int 0x40`, which is not for foreign threads.
    Own,
    /// `int 0x80`, between loading SI from the first word of its storage, and a vector register from SI, and DI from what both are then.
    Storage,
    /// `syscall` of 64-bit code in its place. Before it storage is found by FS, after it by GS.
    StorageSyscall,
}

const COUNT: usize = register::COUNT as usize;
/// By their numbers in the interface: what a foreign thread loads before its call, and stores after it. It then asks for its stop; when it is
/// resumed it begins again.
pub static REGISTERS: [AtomicUsize; COUNT] = [const { AtomicUsize::new(0) }; COUNT];

const IP: usize = register::IP as usize;
const SP: usize = register::SP as usize;
const FLAGS: usize = register::FLAGS as usize;
const AX: usize = register::AX as usize;
const CX: usize = 5;
const SI: usize = register::SI as usize;
const DI: usize = 8;
const BP: usize = 9;
const R8: usize = register::R8 as usize;
const R11: usize = 13;
const NARROW: bool = size_of::<Word>() == 4;
/// How many registers this width has.
const OWN: usize = if NARROW { register::NARROW_COUNT as usize } else { COUNT };
/// The one that is word 0.
const ASKS: usize = if NARROW { register::BX as usize } else { AX };
/// Which word is the result.
const RESULT: Word = if NARROW { foreign::EAX } else { foreign::RAX };
/// Those of the message, in its order.
const ARGUMENTS: [usize; foreign::WORDS as usize] =
    if NARROW { [4, 7, 8, 9, 3, 5, 6] } else { [3, 7, 8, 6, 10, 11, 12] };

/// CF, PF and SF; IF and bit 1 are always set.
const SOME_FLAGS: Word = 0x287;
/// What a system call by SYSCALL or SYSENTER leaves.
const PLAIN_FLAGS: Word = 0x202;
/// ZF.
const OTHER_FLAGS: Word = 0x242;
const SINGLE_STEP: Word = 0x100;

const DEBUG: Word = 1;
const BREAKPOINT: Word = 3;
const PROTECTION: Word = 13;
const PAGE_FAULT: Word = 14;

/// What a partner answers to a foreign system call; `Err` where it is to end.
pub fn answer<K: Invoke>(received: &Received) -> Result<Option<Message>, Error> {
    let Received { badge, message, .. } = received;
    let [asked, ..] = message.words;
    let result = |value| {
        let mut message = Message { tag: Tag::new(foreign::ANSWER, foreign::WORDS), ..*message };
        message.words.iter_mut().skip(asked >> number::RESULT_SHIFT).take(1).for_each(|word| *word = value);
        Some(message)
    };
    Ok(match asked as u16 as Word {
        number::DIGEST | number::RETURN => result(digest(*badge, message.tag, message.payload())),
        number::KEEP => result(number::LATE),
        number::RESUME => Some(Message::new(fault::RESUME, &[])),
        number::FORGET => None,
        number::DIE => return Err(Error::Gone),
        number::WAIT => {
            kit::notification::<K>().wait()?;
            result(number::LATE)
        }
        _ => Some(Message::new(fault::STOP, &[])),
    })
}

/// Whether a foreign system call is to be answered by [`Endpoint::return_receive`](crate::object::Endpoint::return_receive).
pub fn wants_return(message: &Message) -> bool {
    message.words[0] as u16 as Word == number::RETURN
}

/// Whether the thread is to be put aside.
pub fn wants_keeping(message: &Message) -> bool {
    message.words[0] as u16 as Word == number::KEEP
}

/// What a partner answers to an exception: it is a single step, or the end.
pub fn answer_fault(message: &Message) -> Message {
    let steps = matches!(message.words[fault::VECTOR] & 0xff, DEBUG | BREAKPOINT);
    Message::new(if steps { fault::RESUME } else { fault::STOP }, &[])
}

/// A number that tells what arrived: each word in its place, label and badge.
fn digest(badge: u32, tag: Tag, words: &[Word]) -> Word {
    let sum = words.iter().enumerate().fold(0_u32, |sum, (at, &word)| {
        let folded = word as u32 ^ (word as u64 >> 32) as u32;
        sum.wrapping_add(folded.wrapping_mul(2 * at as u32 + 1))
    });
    (sum ^ badge ^ tag.0) as Word
}

/// The ways that this CPU has.
fn ways<K: Machine>() -> Result<&'static [Way], Error> {
    Ok(match System::<K>::at(place::SYSTEM).fact(fact::COMPAT_ENTRY)? {
        _ if !NARROW => &[Way::Interrupt, Way::Syscall],
        0 => &[Way::Interrupt],
        1 => &[Way::Interrupt, Way::Syscall],
        _ => &[Way::Interrupt, Way::Sysenter],
    })
}

/// A foreign thread that waits to be resumed.
fn thread<K: Machine>(way: Way) -> Result<Thread<K>, Error> {
    let thread = factory::<K>().create_thread(kit::task(), PRIORITY + 1)?;
    thread.set_fault_handler(place::SERVER, 0)?;
    let [start, after] = K::foreign(way);
    thread.set_foreign(true, after)?;
    thread.write_registers(register::IP, &[start])?;
    Ok(thread)
}

const fn asks(what: Word) -> Word {
    what | RESULT << number::RESULT_SHIFT
}

/// Has it make a call, with values in its registers that only they have. Comes back when it waits, or has stopped after its call.
fn ask<K: Machine>(thread: Thread<K>, what: Word, flags: Word) -> Result<[Word; COUNT], Error> {
    for (number, register) in REGISTERS.iter().enumerate() {
        register.store((number * 0x0102_0304).wrapping_mul(Word::MAX / 0xffff), Ordering::SeqCst);
    }
    REGISTERS[FLAGS].store(flags, Ordering::SeqCst);
    REGISTERS[ASKS].store(asks(what), Ordering::SeqCst);
    let before = registers();
    thread.resume()?;
    Ok(before)
}

fn registers() -> [Word; COUNT] {
    core::array::from_fn(|number| REGISTERS[number].load(Ordering::SeqCst))
}

/// What must be in the registers after a call, but for its result: where they lie is the routine's own matter.
fn expected(way: Way, mut registers: [Word; COUNT], found: &[Word; COUNT]) -> [Word; COUNT] {
    (registers[IP], registers[SP]) = (found[IP], found[SP]);
    let by_interrupt = matches!(way, Way::Interrupt | Way::Storage);
    if !by_interrupt {
        registers[FLAGS] = PLAIN_FLAGS;
    }
    if by_interrupt && !NARROW {
        registers[R8..=R11].fill(0);
    }
    match way {
        // The address that it returned to.
        Way::Syscall | Way::StorageSyscall => registers[CX] = found[CX],
        // Its stack pointer.
        Way::Sysenter => registers[BP] = found[SP],
        _ => {}
    }
    if matches!(way, Way::Syscall | Way::StorageSyscall) && !NARROW {
        registers[R11] = PLAIN_FLAGS;
    }
    registers
}

fn label(way: Way) -> u16 {
    match way {
        Way::Interrupt | Way::Own | Way::Storage => foreign::INTERRUPT_LABEL,
        Way::Syscall | Way::StorageSyscall => foreign::SYSCALL_LABEL,
        Way::Sysenter => foreign::SYSENTER_LABEL,
    }
}

/// What the partner heard of an exception last: vector and error code, instruction pointer.
fn last_fault<K: Machine>() -> Result<[Word; 2], Error> {
    let answer = partner::<K>().request(LAST_FAULT, &[])?;
    Ok([answer.words[0], answer.words[1]])
}

/// Every argument goes over, every register comes back as it was, single-stepped or not.
pub fn calls<K: Machine>() -> Outcome {
    for &way in ways::<K>()? {
        let thread = thread::<K>(way)?;
        for what in [number::DIGEST, number::RETURN, number::RESUME] {
            for flags in [SOME_FLAGS, SOME_FLAGS | SINGLE_STEP] {
                let before = ask(thread, what, flags)?;
                let found = registers();
                let mut expected = expected(way, before, &found);
                if what != number::RESUME {
                    let words = ARGUMENTS.map(|number| expected[number]);
                    expected[AX] = digest(BADGE, Tag::new(label(way), foreign::WORDS), &words);
                }
                assert_eq!(found[..OWN], expected[..OWN], "{way:x?} {what:#x} with flags {flags:#x}");
            }
        }
        factory::<K>().destroy(thread.place())?;
    }
    Ok(())
}

/// Threads with storage of their own, which is theirs when the answer has come, whoever answered whom before; so are vector registers.
pub fn storage<K: Machine>() -> Outcome {
    kit::map_scratch::<K>(Rights::READ | Rights::WRITE)?;
    let ways: &[Way] = if NARROW { &[Way::Storage] } else { &[Way::Storage, Way::StorageSyscall] };
    ways.iter().try_for_each(|&way| storage_by::<K>(way))
}

fn storage_by<K: Machine>(way: Way) -> Outcome {
    let own = |number: Word| (SCRATCH + 0x100 * number, 0x5107_a6e0 + number as u32);
    let mut threads = [(0, thread::<K>(way)?), (1, thread::<K>(way)?)];
    for (number, thread) in threads {
        let (address, content) = own(number);
        K::poke(address, content);
        K::poke(address + 4, 0);
        thread.set_tls(address, if NARROW { 7 } else { address })?;
    }
    for what in [number::DIGEST, number::RETURN, number::RETURN, number::DIGEST, number::RESUME, number::RETURN] {
        for (number, thread) in threads {
            let before = ask(thread, what, SOME_FLAGS)?;
            let found = registers();
            let mut expected = expected(way, before, &found);
            expected[SI] = own(number).1 as Word;
            if what != number::RESUME {
                let words = ARGUMENTS.map(|number| expected[number]);
                expected[AX] = digest(BADGE, Tag::new(label(way), foreign::WORDS), &words);
            }
            expected[DI] = expected[SI];
            assert_eq!(found[..OWN], expected[..OWN], "{way:?} of thread {number}, {what:#x}");
        }
        threads.reverse();
    }
    threads.iter().try_for_each(|(_, thread)| factory::<K>().destroy(thread.place()))
}

/// What others may do to a thread whose call is not answered.
pub fn control<K: Machine>() -> Outcome {
    let signal = || kit::notification::<K>().signal();
    for &way in ways::<K>()? {
        let thread = thread::<K>(way)?;
        let before = ask(thread, number::WAIT, SOME_FLAGS)?;
        assert_eq!(thread.read_registers(ASKS as u64)?[0], asks(number::WAIT), "a register of a thread in its call");
        assert_eq!(thread.set_foreign(false, 0).err(), Some(Error::Busy), "in its call");
        assert_eq!(reply::<K>(&Message::new(fault::RESUME, &[])).err(), Some(Error::NobodyToReplyTo), "to another's");
        // The answer has the last word on what it names, and on no other register.
        thread.write_registers(register::SI, &[0x1234])?;
        thread.write_registers(register::FLAGS, &[OTHER_FLAGS])?;
        signal()?;
        let found = registers();
        let si = register::SI as usize;
        assert_eq!((found[AX], found[si]), (number::LATE, before[si]), "{way:?}: registers of the answer");
        assert_eq!(found[FLAGS], OTHER_FLAGS, "{way:?}: flags that were set meanwhile");
        // Stopped in its call it makes that again, and the answer to the first goes nowhere.
        ask(thread, number::WAIT, SOME_FLAGS)?;
        let [behind, ..] = thread.read_registers(register::IP)?;
        thread.stop()?;
        let [at, ..] = thread.read_registers(register::IP)?;
        assert_eq!(at + 2, behind, "{way:?}: where it is made again");
        signal()?;
        if way != Way::Sysenter {
            thread.resume()?;
            signal()?;
            assert_eq!(registers()[AX], number::LATE, "{way:?}: the result of the second");
        }
        factory::<K>().destroy(thread.place())?;
        // Destroyed in its call.
        let thread = self::thread::<K>(way)?;
        ask(thread, number::WAIT, SOME_FLAGS)?;
        factory::<K>().destroy(thread.place())?;
        signal()?;
        assert_eq!(partner::<K>().request(ECHO, &[5])?.payload(), [5], "{way:?}: the partner goes on");
    }
    Ok(())
}

/// A call that is not answered stops its thread, behind it, with its registers; the end of the handler does not.
pub fn unanswered<K: Machine>() -> Outcome {
    let thread = thread::<K>(Way::Interrupt)?;
    ask(thread, number::FORGET, SOME_FLAGS)?;
    assert_eq!(partner::<K>().request(ECHO, &[5])?.payload(), [5], "the partner goes on");
    assert_eq!(thread.read_registers(ASKS as u64)?[0], asks(number::FORGET), "a register of the thread that stopped");
    thread.write_registers(register::AX, &[0x77])?;
    thread.resume()?;
    assert_eq!(registers()[AX], 0x77, "a result that was set while it was stopped");
    let before = ask(thread, number::DIE, SOME_FLAGS)?;
    assert_eq!(thread.resume().err(), Some(Error::Busy), "it waits for another handler");
    let [.., ax] = thread.read_registers(register::IP)?;
    assert_eq!(ax, before[AX], "with the registers of its call");
    factory::<K>().destroy(thread.place())
}

/// A thread whose call is put aside: its registers are there, it can be stopped, and its answer comes when it is given.
pub fn kept<K: Machine>() -> Outcome {
    let own = factory::<K>().create_reply()?;
    let parcel = Parcel::new(KEEP, &[]).capability(own.place(), Rights::SEND | Rights::RECEIVE);
    assert_eq!(partner::<K>().call_with(&parcel)?.message.payload(), [1], "a reply object that arrived");
    let release = || partner::<K>().request(RELEASE, &[]).map(|answer| answer.payload()[0]);
    for &way in ways::<K>()? {
        let thread = thread::<K>(way)?;
        let before = ask(thread, number::KEEP, SOME_FLAGS)?;
        assert_eq!(partner::<K>().request(ECHO, &[5])?.payload(), [5], "{way:?}: the partner goes on");
        assert_eq!(thread.read_registers(ASKS as u64)?[0], asks(number::KEEP), "{way:?}: what it asks");
        assert_eq!(registers()[AX], before[AX], "{way:?}: it waits");
        assert_eq!(release()?, 0, "{way:?}: an answer");
        let found = registers();
        let mut expected = expected(way, before, &found);
        expected[AX] = number::LATE;
        assert_eq!(found[..OWN], expected[..OWN], "{way:x?}");
        // Stopped in its call, which it makes again, and is put aside once more.
        ask(thread, number::KEEP, SOME_FLAGS)?;
        thread.stop()?;
        assert_eq!(release()?, Error::NobodyToReplyTo as Word, "{way:?}: to a thread that was stopped");
        if way != Way::Sysenter {
            thread.resume()?;
            assert_eq!(release()?, 0, "{way:?}: to the call that it made again");
            assert_eq!(registers()[AX], number::LATE, "{way:?}: its result");
            ask(thread, number::KEEP, SOME_FLAGS)?;
        }
        factory::<K>().destroy(thread.place())?;
        assert_eq!(release()?, Error::NobodyToReplyTo as Word, "{way:?}: to a thread that is gone");
    }
    factory::<K>().destroy(own.place())
}

/// A 32-bit handler can't have so many words.
pub fn narrow_handler<K: Machine>() -> Outcome {
    let thread = thread::<K>(Way::Interrupt)?;
    ask(thread, number::DIGEST, SOME_FLAGS)?;
    assert_eq!(thread.read_registers(ASKS as u64)?[0], asks(number::DIGEST), "a register of the thread that stopped");
    assert_eq!(partner::<K>().request(ECHO, &[5])?.payload(), [5], "the partner heard nothing");
    factory::<K>().destroy(thread.place())
}

/// What is no system call of a foreign thread's, and what can't be made one.
pub fn refusals<K: Machine>() -> Outcome {
    let thread = thread::<K>(Way::Own)?;
    ask(thread, number::DIGEST, SOME_FLAGS)?;
    let [what, at] = last_fault::<K>()?;
    assert_eq!(what, PROTECTION | 0x202 << 8, "`int 0x40` of a foreign thread");
    assert_eq!(thread.read_registers(register::IP)?[0], at, "where it raised it");
    assert_eq!(thread.set_foreign(true, Word::MAX).err(), Some(Error::BadAddress), "to go on beyond its addresses");
    let weak = Thread::<K>::at(kit::copy::<K>(thread.place(), Rights::DESTROY)?);
    assert_eq!(weak.set_foreign(false, 0).err(), Some(Error::NoRight), "without the right");
    // One of the kernel's again: the one is a system call then, and goes by without a stop; the other is an exception.
    thread.set_foreign(false, 0)?;
    ask(thread, number::DIGEST, SOME_FLAGS)?;
    let [what, _] = last_fault::<K>()?;
    assert_eq!(what, PROTECTION | 0x402 << 8, "`int 0x80` of a thread that is foreign no longer");
    factory::<K>().destroy(thread.place())
}

/// A call in the last two bytes of a space: it is answered, and what comes then is an exception of the thread's.
pub fn at_end_of_space<K: Machine>() -> Outcome {
    let (page, last) = (SMALL_SIZE as Word - 0x1000, 0x1000 - 4);
    kit::map_scratch::<K>(Rights::READ | Rights::WRITE)?;
    K::poke(SCRATCH + last, u32::from_le_bytes([0x90, 0x90, 0xcd, foreign::VECTOR]));
    kit::task::<K>().unmap(SCRATCH, 1)?;
    kit::task::<K>().map(kit::frames(), page, 0, 1, Rights::READ | Rights::EXECUTE)?;
    let thread = thread::<K>(Way::Interrupt)?;
    thread.write_registers(register::IP, &[page + last])?;
    thread.write_registers(register::BX, &[number::RESUME])?;
    thread.resume()?;
    let [what, at] = last_fault::<K>()?;
    assert!(matches!(what & 0xff, PROTECTION | PAGE_FAULT), "exception {what:#x}");
    assert_eq!(at, SMALL_SIZE as Word, "where it was raised");
    assert_eq!(thread.read_registers(register::BX)?[0], number::RESUME, "its registers");
    factory::<K>().destroy(thread.place())
}
