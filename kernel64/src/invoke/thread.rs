//! Methods of a thread.

use lilliput_abi::object::{ThreadMethod, account, vector};
use lilliput_abi::{Error, Rights, Tag};
use lilliput_compat32::entry_page::RETURN_ADDRESS;
use lilliput_core::budget::Budget;
use lilliput_core::frames::Frame;
use lilliput_core::ipc::end;
use lilliput_core::local::{Local, Storage};
use lilliput_core::slab::Index;
use lilliput_core::thread::{Kind, Registers, State, Thread, VectorState};

use super::space::local;
use super::task::fault_handler;
use super::{Answer, Call, DONE, split};
use crate::cpu::percpu::PerCpu;
use crate::dispatch::object;
use crate::memory;
use crate::state::Kernel;
use crate::vector::put_away;

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
        ThreadMethod::SetBudget => {
            let share = call.share(kernel, 0)?;
            let budget = Budget::new(share, kernel.facts.clock, this.cpu.stamp);
            this.cpu.set_budget(&mut kernel.machine, thread, budget);
            Ok(DONE)
        }
        ThreadMethod::Account => {
            this.cpu.charge(&mut kernel.machine, this.cpu.stamp);
            read_account(kernel, thread, call.words[0])
        }
        ThreadMethod::SetFaultHandler => {
            let Some(handler) = fault_handler(kernel, this, call)? else { return Ok(call.again()) };
            kernel.machine.set_handler(thread, handler);
            Ok(DONE)
        }
        ThreadMethod::ReadRegisters => read_registers(&mut kernel.machine.threads[thread], call.words[0]),
        ThreadMethod::WriteRegisters => write_registers(kernel, thread, call),
        ThreadMethod::SetTls => set_tls(kernel, thread, call.words[0], call.words[1]),
        ThreadMethod::Stop => stop(kernel, this, thread),
        ThreadMethod::Resume => resume(kernel, this, thread),
        ThreadMethod::ReadVector => carry_vector(kernel, this, thread, call, Rights::WRITE),
        ThreadMethod::WriteVector => carry_vector(kernel, this, thread, call, Rights::READ),
        ThreadMethod::SetForeign => set_foreign(kernel, thread, call),
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
    if new.state != State::Stopped || new.interrupted.ip != 0 {
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
    (new.interrupted.ip, new.interrupted.sp) = (ip, sp);
    this.cpu.enqueue(machine, thread);
    Ok(())
}

fn read_account(kernel: &Kernel, thread: Index<Thread>, number: u64) -> Answer {
    let Thread { account: used, charged, turns, .. } = &kernel.machine.threads[thread];
    Ok(split(match number {
        account::USER => used.user,
        account::KERNEL => used.kernel,
        account::SWITCHES => used.switches(),
        account::MESSAGES => used.messages(),
        account::FAULTS => used.faults,
        account::CHARGED => *charged,
        account::TURNS => u64::from(*turns),
        _ => return Err(Error::BadArgument),
    }))
}

fn read_registers(thread: &mut Thread, first: u64) -> Answer {
    if !thread.holds_still() {
        return Err(Error::Busy);
    }
    thread.register(first).ok_or(Error::BadArgument)?;
    Ok([0, 1, 2, 3].map(|more| thread.register(first + more).unwrap_or(0)).into())
}

fn write_registers(kernel: &mut Kernel, thread: Index<Thread>, call: &Call) -> Answer {
    let words = call.all_words(kernel);
    let machine = &mut kernel.machine;
    let end = machine.tasks[machine.threads[thread].task].space.size;
    let thread = &mut machine.threads[thread];
    if !thread.holds_still() {
        return Err(Error::Busy);
    }
    let values = words.get(1..call.count as usize).unwrap_or_default();
    thread.set_registers(call.words[0], values, end).map(|()| DONE)
}

/// Copies its x87 and SSE state to a page of frames that may be written, or sets it to what is in one that may be read.
///
/// # Errors
/// `Busy`; those of the capability; `BadArgument` for a page that the frames have not, or a device's, for an offset that is not
/// [`vector::BYTES`] before its end, and for bits of MXCSR that this CPU has not.
fn carry_vector(kernel: &mut Kernel, this: &mut PerCpu, thread: Index<Thread>, call: &Call, right: Rights) -> Answer {
    if !kernel.machine.threads[thread].holds_still() {
        return Err(Error::Busy);
    }
    let set = object(&kernel.frame_sets, call.capability(kernel, 0)?, right)?;
    let set = &kernel.frame_sets[set].set;
    let (page, offset): (u32, usize) = (call.small(1)?, call.small(2)?);
    let frame = set.frame(&kernel.frames.borrow(), page).filter(|_| !set.is_device()).ok_or(Error::BadArgument)?;
    if offset > Frame::SIZE as usize - vector::BYTES {
        return Err(Error::BadArgument);
    }
    put_away(kernel, this, thread);
    let state = &mut kernel.machine.threads[thread].vector;
    if right == Rights::WRITE {
        // SAFETY: within the page, which belongs to a frames object and is no device's.
        unsafe { memory::write(frame, offset, &state.0) };
        return Ok(DONE);
    }
    // SAFETY: as above.
    let new = VectorState(unsafe { memory::read(frame, offset) });
    if !new.is_loadable(kernel.facts.mxcsr_mask) {
        return Err(Error::BadArgument);
    }
    *state = new;
    Ok(DONE)
}

/// # Errors
/// `WrongType` for a host's thread, which has the segments of its guests; `Busy`; for a 64-bit one `BadAddress`; for a 32-bit one that where its
/// address is outside of its task's, `WordTooWide`, and `BadArgument` for a limit that no descriptor has.
fn set_tls(kernel: &mut Kernel, thread: Index<Thread>, first: u64, second: u64) -> Answer {
    let machine = &mut kernel.machine;
    let space = &machine.tasks[machine.threads[thread].task].space;
    let thread = &mut machine.threads[thread];
    if !thread.holds_still() {
        return Err(Error::Busy);
    }
    let local = match thread.kind {
        Kind::Host => return Err(Error::WrongType),
        Kind::Wide => Local::wide([first, second])?,
        Kind::Small if first >= space.size => return Err(Error::BadAddress),
        Kind::Small => local(space, Storage::new(first, second)?, false),
    };
    thread.set_local(space, local);
    Ok(DONE)
}

/// Stops a thread. What it waited for ends with `Gone`, which it learns when it is resumed; if that was the answer to a
/// fault, the instruction is made again then.
fn stop(kernel: &mut Kernel, this: &mut PerCpu, thread: Index<Thread>) -> Answer {
    if thread == this.cpu.current {
        return Err(Error::Busy);
    }
    let (state, fault) = (kernel.machine.state(&this.cpu, thread), kernel.machine.threads[thread].fault());
    end::detach(&mut kernel.machine, &mut this.cpu, thread);
    if fault.is_none() && !matches!(state, State::Stopped | State::Ready | State::Resting) {
        kernel.machine.threads[thread].finish(Err(Error::Gone));
    }
    Ok(DONE)
}

/// # Errors
/// `BadArgument`, `BadAddress` for an address outside of its task's, `Busy` where it is not stopped.
fn set_foreign(kernel: &mut Kernel, thread: Index<Thread>, call: &Call) -> Answer {
    let [foreign @ 0..=1, address, ..] = call.words else { return Err(Error::BadArgument) };
    let machine = &mut kernel.machine;
    let after_sysenter = if foreign == 1 { address } else { u64::from(RETURN_ADDRESS) };
    if after_sysenter >= machine.tasks[machine.threads[thread].task].space.size {
        return Err(Error::BadAddress);
    }
    machine.set_foreign(thread, foreign == 1, after_sysenter).map(|()| DONE)
}

fn resume(kernel: &mut Kernel, this: &mut PerCpu, thread: Index<Thread>) -> Answer {
    if kernel.machine.state(&this.cpu, thread) != State::Stopped {
        return Err(Error::Busy);
    }
    if kernel.machine.threads[thread].goes_on_at().0 == 0 {
        return Err(Error::BadAddress);
    }
    this.cpu.enqueue(&mut kernel.machine, thread);
    Ok(DONE)
}
