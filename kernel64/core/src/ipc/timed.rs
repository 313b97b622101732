//! Waits that end by a deadline.
//!
//! A thread whose wait may end so has an obstacle, [`TIMED`](crate::thread::Obstacles::TIMED): whoever ends the wait in another way comes by
//! the general path, which calls the deadline off.

use lilliput_abi::error::Error;

use super::end::withdraw;
use super::release::release_caller;
use crate::cpu::{Cpu, Decision};
use crate::machine::Machine;
use crate::slab::Index;
use crate::thread::{State, Thread};

/// How many waits are ended before interrupts have their turn.
const AT_ONCE: usize = 32;

/// The running thread's operation, which was to be a timed one, decided this. If it waits now, it does so until its deadline; if that has
/// passed, no longer.
pub fn limit(machine: &mut Machine, cpu: &mut Cpu, decision: Decision, now: u64) -> Decision {
    let thread = cpu.current;
    let state = machine.threads[thread].state;
    if matches!(state, State::Ready | State::Stopped) {
        return decision;
    }
    if machine.threads[thread].timer.deadline > now {
        machine.timers.arm(&mut machine.threads, thread);
        return decision;
    }
    give_up(machine, cpu, thread, state);
    if let Decision::Donate(next) = decision {
        cpu.enqueue(machine, next);
    }
    Decision::Block
}

/// The running thread waits for its deadline, and for nothing else.
pub fn sleep(machine: &mut Machine, cpu: &mut Cpu, now: u64) -> Decision {
    machine.threads[cpu.current].state = State::Sleeping;
    limit(machine, cpu, Decision::Block, now)
}

/// Ends waits whose deadline has come, and rests. They are ready afterwards; whether one of them runs is to be decided.
///
/// If there are many some are left: they are due still. Returns whether there were any.
pub fn expire(machine: &mut Machine, cpu: &mut Cpu, now: u64) -> bool {
    for ended in 0..AT_ONCE {
        let Some(thread) = machine.timers.due(now) else { return ended != 0 };
        let state = machine.state(cpu, thread);
        if state == State::Resting {
            cpu.enqueue(machine, thread);
            continue;
        }
        give_up(machine, cpu, thread, state);
    }
    true
}

/// Ends the wait of a thread, in this state, by its deadline.
fn give_up(machine: &mut Machine, cpu: &mut Cpu, thread: Index<Thread>, state: State) {
    withdraw(machine, cpu, thread, state);
    release_caller(machine, cpu, thread, Error::TimedOut);
    if state == State::Sleeping {
        machine.threads[thread].finish(Ok(()));
    }
}
