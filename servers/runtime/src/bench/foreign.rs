//! What a foreign thread measures: its system calls to the measured server. It makes no others, so it stamps by itself, and is one of the client's.

use core::sync::atomic::{AtomicU32, Ordering};

use lilliput_abi::object::{fact, register};
use lilliput_abi::{Error, Operation, Selector, fault};

use super::clock::Reading;
use super::{ROUNDS, operation};
use crate::machine::{Machine, Stamps};
use crate::message::{Message, Word};
use crate::object::{System, Thread};
use crate::place;

/// Stamps right before each call and right after.
pub static STAMPS: [[AtomicU32; ROUNDS]; 2] = [const { [const { AtomicU32::new(0) }; ROUNDS] }; 2];
/// How many calls it makes, before it asks for its stop and begins anew.
pub static CALLS: AtomicU32 = AtomicU32::new(0);
/// What RDPMC knows the performance counter by that is read in place of the time-stamp counter, if one is.
pub static COUNTER: AtomicU32 = AtomicU32::new(0);

/// Where such a thread begins: by the clock that it reads, the time-stamp counter or a performance counter, and by the instruction that it calls by, `int` or `syscall`.
pub type Callers = [[extern "C" fn() -> !; 2]; 2];

/// Number of the calls that are measured.
pub const CALL: Word = 0x123;
/// Number of the call that is answered by a stop.
pub const STOP: Word = 0x124;

/// Has the foreign thread make so many calls, and says what it noted. Nothing where this CPU has no such instruction.
///
/// # Errors
/// What the kernel says.
pub fn run<K: Machine>(operation: Word, reading: Reading, calls: usize, noted: [&mut [u32]; 2]) -> Result<bool, Error> {
    const SYSCALL: u64 = 1;
    let by_syscall = operation == operation::FOREIGN_SYSCALL;
    let narrow = size_of::<Word>() == 4;
    if by_syscall && narrow && System::<K>::at(place::SYSTEM).fact(fact::COMPAT_ENTRY)? != SYSCALL {
        return Ok(false);
    }
    let thread = Thread::<K>::at(place::FOREIGN);
    thread.set_foreign(true, 0)?;
    if narrow {
        // As the threads of usual programs have it.
        thread.set_tls((&raw const STAMPS).addr() as Word, 7)?;
    }
    let Reading::Stamps(Stamps { counter, counted, .. }) = reading else { return Err(Error::BadArgument) };
    let caller = K::FOREIGN_CALLERS[usize::from(counted)][usize::from(by_syscall)];
    thread.write_registers(register::IP, &[caller as *const () as Word])?;
    COUNTER.store(counter, Ordering::SeqCst);
    CALLS.store(calls as u32, Ordering::SeqCst);
    // It has the higher priority: this goes on when it has stopped.
    thread.resume()?;
    for (noted, stamps) in noted.into_iter().zip(&STAMPS) {
        noted.iter_mut().zip(stamps).for_each(|(noted, stamp)| *noted = stamp.load(Ordering::SeqCst));
    }
    Ok(true)
}

/// How a server answers a foreign call: with the registers that it had, or by a stop.
pub fn answer(message: &mut Message) -> (Selector, bool) {
    if message.payload().contains(&STOP) {
        *message = Message::new(fault::STOP, &[]);
        return (Selector::new(Operation::ReplyReceive, 0), false);
    }
    (Selector::new(Operation::ReturnReceive, 0), true)
}
