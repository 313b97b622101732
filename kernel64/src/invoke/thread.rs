//! Methods of a thread.

use lilliput_abi::object::{ThreadMethod, account};
use lilliput_abi::{Error, Tag};
use lilliput_core::slab::Index;
use lilliput_core::thread::{Registers, State, Thread};

use super::{Answer, Call, DONE, split};
use crate::cpu::percpu::PerCpu;
use crate::state::Kernel;

pub(super) fn invoke(kernel: &mut Kernel, this: &mut PerCpu, thread: Index<Thread>, call: &Call) -> Answer {
    match ThreadMethod::from_label(call.label).ok_or(Error::BadOperation)? {
        ThreadMethod::Start => {
            let [ip, sp, word0, word1, ..] = call.words;
            start(kernel, this, thread, [ip, sp, word0, word1]).map(|()| DONE)
        }
        ThreadMethod::SetPriority => {
            let priority = call.priority(kernel, 0)?;
            this.cpu.set_priority(&mut kernel.machine, thread, priority);
            Ok(DONE)
        }
        ThreadMethod::Account => read_account(kernel, thread, call.words[0]),
    }
}

/// Starts a thread that never ran.
///
/// # Errors
/// `Occupied` where it has started before; `BadAddress` outside of its task's addresses; `WordTooWide` for a word that
/// a 32-bit thread can't have.
pub fn start(
    kernel: &mut Kernel,
    this: &mut PerCpu,
    thread: Index<Thread>,
    [ip, sp, word0, word1]: [u64; 4],
) -> Result<(), Error> {
    let machine = &mut kernel.machine;
    let new = &mut machine.threads[thread];
    if new.state != State::Stopped || new.frame.ip != 0 || new.account.switches != 0 {
        return Err(Error::Occupied);
    }
    let task = &machine.tasks[new.task];
    if ip == 0 || ip >= task.space.size || sp > task.space.size {
        return Err(Error::BadAddress);
    }
    if !new.kind.is_wide() && (word0 | word1) >> 32 != 0 {
        return Err(Error::WordTooWide);
    }
    new.registers = Registers { tag: u64::from(Tag::new(0, 2).0), ..Registers::default() };
    new.registers.words[..2].copy_from_slice(&[word0, word1]);
    new.frame.ip = ip;
    new.frame.sp = sp;
    this.cpu.enqueue(machine, thread);
    Ok(())
}

fn read_account(kernel: &Kernel, thread: Index<Thread>, number: u64) -> Answer {
    let used = &kernel.machine.threads[thread].account;
    Ok(split(match number {
        account::USER => used.user,
        account::KERNEL => used.kernel,
        account::SWITCHES => used.switches,
        account::MESSAGES => used.messages,
        account::FAULTS => used.faults,
        _ => return Err(Error::BadArgument),
    }))
}
