//! A thread that waited for an answer, and will have none.

use lilliput_abi::error::Error;

use super::carry::Part;
use super::general::go_on;
use crate::cpu::Cpu;
use crate::machine::Machine;
use crate::slab::Index;
use crate::thread::{Obstacles, State, Thread};

/// A thread in no queue goes on no more: whoever waits for its answer waits in vain.
pub(super) fn stop(machine: &mut Machine, cpu: &mut Cpu, thread: Index<Thread>) {
    machine.threads[thread].state = State::Stopped;
    if let Some(caller) = machine.threads[thread].caller.some() {
        release_caller(machine, cpu, caller, Error::Gone);
    }
}

/// Ends the wait of a thread that was taken out of its queue, or whose server forgot it, with an error.
///
/// If it is its fault's handler that is gone, it makes the instruction or foreign system call again, and whoever handles its faults by then is told: the next
/// handler, or the one that somebody started in place of the first. Otherwise a thread whose fault is not handled can't go on: it stops. Then
/// the one that waits for its answer is next, which may be such a thread as well.
pub(super) fn release_caller(machine: &mut Machine, cpu: &mut Cpu, caller: Index<Thread>, error: Error) {
    let (mut caller, mut error) = (caller, error);
    loop {
        machine.release(caller);
        let thread = &mut machine.threads[caller];
        thread.end_transfer();
        if thread.obstacles.contains(Obstacles::PAGING) {
            let other = thread.caller;
            if error != Error::TimedOut {
                // Whoever handles its faults by then is asked again.
                go_on(thread, error != Error::Gone);
                cpu.enqueue(machine, caller);
                return;
            }
            thread.obstacles.remove(Obstacles::PAGING);
            thread.finish(Err(error));
            cpu.enqueue(machine, caller);
            // Who was in the middle of the string with it.
            error = match machine.threads[other].transfer.of {
                None => return,
                Some(Part::Message) => Error::Unaccepted,
                Some(Part::Answer) => Error::Unanswered,
            };
            caller = other;
            continue;
        }
        let fault = if error == Error::Gone { thread.forsake() } else { thread.fault() };
        thread.set_fault(None);
        if fault.is_none() {
            thread.finish(Err(error));
        }
        if fault.is_none_or(|fault| error == Error::Gone && fault.is_raised_again()) {
            cpu.enqueue(machine, caller);
            return;
        }
        machine.threads[caller].state = State::Stopped;
        let Some(next) = machine.threads[caller].caller.some() else { return };
        (caller, error) = (next, Error::Gone);
    }
}
