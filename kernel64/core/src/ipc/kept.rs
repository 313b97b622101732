//! Callers that are put aside and answered later, in whatever order: see [`Reply`].

use lilliput_abi::Operation;
use lilliput_abi::error::Error;

use super::carry::Part;
use super::general::{self, await_reply};
use super::release::release_caller;
use crate::cpu::{Cpu, Decision};
use crate::machine::Machine;
use crate::reply::Reply;
use crate::slab::Index;
use crate::thread::Thread;

/// The running thread puts its caller aside: it owes it no answer any more, the reply object does.
///
/// # Errors
/// `NobodyToReplyTo` where it has none, or not the whole message of it yet; `Busy` where the object has one. Then nothing was done.
pub fn keep(machine: &mut Machine, cpu: &Cpu, reply: Index<Reply>) -> Result<(), Error> {
    let server = cpu.current;
    let caller = machine.threads[server].caller;
    if caller.is_none() || machine.threads[caller].transfer.of == Some(Part::Message) {
        return Err(Error::NobodyToReplyTo);
    }
    if !machine.replies[reply].caller.is_none() {
        return Err(Error::Busy);
    }
    // An answer that was begun, and interrupted for good.
    machine.threads[caller].end_transfer();
    machine.release(caller);
    machine.put_aside(caller, reply, machine.threads[server].task);
    Ok(())
}

/// The running thread answers the caller that is kept in a reply object, and goes on.
///
/// An answer that carries something may take several steps, in which the caller must be the thread's own: it becomes that first.
pub fn reply(machine: &mut Machine, cpu: &mut Cpu, reply: Index<Reply>) -> Decision {
    let server = cpu.current;
    let caller = machine.replies[reply].caller;
    let selector = machine.threads[server].selector();
    if !caller.is_none() && selector.carries() {
        if !machine.threads[server].caller.is_none() {
            return general::refuse(machine, server, Error::Busy);
        }
        machine.release(caller);
        await_reply(machine, caller, server);
        machine.threads[server].registers.status = u64::from(selector.of(Operation::Reply).0);
    }
    general::reply(machine, cpu, caller)
}

/// A thread ends. If it is the last of its task, up to `most` of the callers that the task keeps get `Gone`. True when nothing of it is left to do.
pub fn forsake(machine: &mut Machine, cpu: &mut Cpu, thread: Index<Thread>, most: u32) -> bool {
    let task = machine.threads[thread].task;
    if machine.tasks[task].thread_count > 1 {
        return true;
    }
    for _ in 0..most {
        let Some(reply) = machine.tasks[task].kept.some() else { break };
        release_caller(machine, cpu, machine.replies[reply].caller, Error::Gone);
    }
    machine.tasks[task].kept.is_none()
}

/// Ends the wait of the caller that is kept in a reply object, if there is one, with `Gone`.
pub fn close(machine: &mut Machine, cpu: &mut Cpu, reply: Index<Reply>) {
    if let Some(caller) = machine.replies[reply].caller.some() {
        release_caller(machine, cpu, caller, Error::Gone);
    }
}
