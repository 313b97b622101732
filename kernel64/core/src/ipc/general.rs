//! The IPC state machine, all cases.
//!
//! Every function returns what becomes of the running thread; nothing switches here. An error is
//! written into the thread that made the mistake, which may be one that waited.

use lilliput_abi::error::Error;
use lilliput_abi::fault;

use super::message::Message;
use crate::cpu::{Cpu, Decision};
use crate::endpoint::Endpoint;
use crate::machine::Machine;
use crate::slab::Index;
use crate::thread::{Fault, State, Thread};

/// How a message is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sending {
    /// Whether the sender wants an answer.
    pub call: bool,
    /// Whether it waits for a receiver.
    pub blocking: bool,
}

/// The running thread sends its message to an endpoint.
pub fn send(machine: &mut Machine, cpu: &mut Cpu, endpoint: Index<Endpoint>, badge: u32, how: Sending) -> Decision {
    let sender = cpu.current;
    let Some(receiver) = machine.first_receiver(endpoint) else {
        return wait_for_receiver(machine, cpu, endpoint, badge, how);
    };
    match transfer(machine, sender, receiver, badge) {
        Err(error) => refuse(machine, sender, error),
        Ok(()) => {
            machine.take_from(endpoint, receiver);
            machine.timers.disarm(&mut machine.threads, receiver);
            machine.threads[receiver].state = State::Ready;
            if how.call {
                await_reply(machine, sender, receiver);
                Decision::Donate(receiver)
            } else {
                machine.threads[sender].finish(Ok(()));
                cpu.wake(machine, receiver)
            }
        }
    }
}

fn wait_for_receiver(
    machine: &mut Machine,
    cpu: &Cpu,
    endpoint: Index<Endpoint>,
    badge: u32,
    how: Sending,
) -> Decision {
    let sender = &mut machine.threads[cpu.current];
    if sender.fault().is_none() && sender.sends_long() && !sender.tag().is_valid() {
        return refuse(machine, cpu.current, Error::BadMessage);
    }
    if !how.blocking {
        return refuse(machine, cpu.current, Error::WouldBlock);
    }
    sender.badge = badge;
    machine.queue_at(endpoint, cpu.current, if how.call { State::Calling } else { State::Sending });
    Decision::Block
}

/// The running thread raised an exception: a call of the kernel's on its behalf.
pub fn raise(machine: &mut Machine, cpu: &mut Cpu, handler: Index<Endpoint>, badge: u32, raised: Fault) -> Decision {
    machine.threads[cpu.current].set_fault(Some(raised));
    let decision = send(machine, cpu, handler, badge, Sending { call: true, blocking: true });
    if decision == Decision::Stay {
        // The handler can't be told: it is a 32-bit task, and an address does not fit. Nobody else can help.
        machine.threads[cpu.current].set_fault(None);
        stop(machine, cpu, cpu.current);
        return Decision::Block;
    }
    decision
}

/// The running thread receives from an endpoint.
pub fn receive(machine: &mut Machine, cpu: &mut Cpu, endpoint: Index<Endpoint>, blocking: bool) -> Decision {
    let receiver = cpu.current;
    machine.move_home(receiver, endpoint);
    if let Some(forgotten) = machine.threads[receiver].caller.some() {
        release_caller(machine, cpu, forgotten, Error::Unanswered);
    }
    match next_message(machine, cpu, endpoint, receiver) {
        Some(sender) if machine.threads[sender].state == State::Calling => {
            await_reply(machine, sender, receiver);
            Decision::Stay
        }
        Some(sender) => {
            machine.threads[sender].finish(Ok(()));
            cpu.wake(machine, sender)
        }
        None if blocking => {
            machine.queue_at(endpoint, receiver, State::Receiving);
            Decision::Block
        }
        None => refuse(machine, receiver, Error::WouldBlock),
    }
}

/// Takes the first message that the receiver can have; those that it can't are their senders' errors.
fn next_message(
    machine: &mut Machine,
    cpu: &mut Cpu,
    endpoint: Index<Endpoint>,
    receiver: Index<Thread>,
) -> Option<Index<Thread>> {
    while let Some(sender) = machine.first_sender(endpoint) {
        machine.take_from(endpoint, sender);
        let badge = machine.threads[sender].badge;
        match transfer(machine, sender, receiver, badge) {
            Ok(()) => return Some(sender),
            Err(error) => release_caller(machine, cpu, sender, error),
        }
    }
    None
}

/// The running thread answers its caller and goes on.
pub fn reply(machine: &mut Machine, cpu: &mut Cpu) -> Decision {
    match answer(machine, cpu) {
        Err(error) => refuse(machine, cpu.current, error),
        Ok(caller) => {
            machine.threads[cpu.current].finish(Ok(()));
            match caller {
                Some(caller) => cpu.wake(machine, caller),
                None => Decision::Stay,
            }
        }
    }
}

/// The running thread answers its caller and receives the next message.
///
/// If it has to wait, the caller runs at once, unless somebody outranks it: see [`Cpu::attention`].
pub fn reply_receive(machine: &mut Machine, cpu: &mut Cpu, endpoint: Index<Endpoint>) -> Decision {
    let caller = match answer(machine, cpu) {
        Err(error) => return refuse(machine, cpu.current, error),
        Ok(caller) => caller,
    };
    let decision = receive(machine, cpu, endpoint, true);
    let Some(caller) = caller else { return decision };
    let priority = machine.threads[caller].priority;
    match decision {
        Decision::Block if !(cpu.attention && cpu.ready.outranks(priority)) => Decision::Donate(caller),
        Decision::Stay => cpu.wake(machine, caller),
        Decision::Preempt(other) if priority > machine.threads[other].priority => {
            cpu.enqueue(machine, other);
            Decision::Preempt(caller)
        }
        Decision::Block | Decision::Preempt(_) | Decision::Donate(_) => {
            cpu.enqueue(machine, caller);
            decision
        }
    }
}

/// Gives the server's message to its caller, who is ready afterwards but in no queue. `None` where the
/// answer to a fault was that the thread stops.
fn answer(machine: &mut Machine, cpu: &mut Cpu) -> Result<Option<Index<Thread>>, Error> {
    let server = cpu.current;
    let caller = machine.threads[server].caller.some().ok_or(Error::NobodyToReplyTo)?;
    let runs = if machine.threads[caller].fault().is_some() {
        if machine.threads[server].sends_long() && !machine.threads[server].tag().is_valid() {
            return Err(Error::BadMessage);
        }
        machine.threads[caller].set_fault(None);
        machine.threads[server].account.delivered();
        machine.threads[server].tag().label() == fault::RESUME
    } else {
        transfer(machine, server, caller, 0)?;
        true
    };
    machine.threads[server].caller = Index::NONE;
    if runs {
        machine.timers.disarm(&mut machine.threads, caller);
        machine.threads[caller].state = State::Ready;
        return Ok(Some(caller));
    }
    stop(machine, cpu, caller);
    Ok(None)
}

/// Copies a message; all or nothing.
fn transfer(machine: &mut Machine, from: Index<Thread>, to: Index<Thread>, status: u32) -> Result<(), Error> {
    let sender = &machine.threads[from];
    let message = Message::of(sender).fit(sender.kind, machine.threads[to].kind)?;
    message.deliver(&mut machine.threads[to], status);
    machine.threads[from].account.delivered();
    Ok(())
}

fn await_reply(machine: &mut Machine, caller: Index<Thread>, server: Index<Thread>) {
    // A thread that is handed a second caller has lost the first: `receive` released it before.
    debug_assert!(machine.threads[server].caller.is_none());
    machine.threads[server].caller = caller;
    machine.threads[caller].server = server;
    machine.threads[caller].state = State::AwaitingReply;
}

/// A thread in no queue goes on no more: whoever waits for its answer waits in vain.
fn stop(machine: &mut Machine, cpu: &mut Cpu, thread: Index<Thread>) {
    machine.threads[thread].state = State::Stopped;
    if let Some(caller) = machine.threads[thread].caller.some() {
        release_caller(machine, cpu, caller, Error::Gone);
    }
}

/// Ends the wait of a thread that was taken out of its queue, or whose server forgot it, with an error.
///
/// If it is its fault's handler that is gone, it makes the instruction again, and whoever handles its faults by then is told: the next
/// handler, or the one that somebody started in place of the first. Otherwise a thread whose fault is not handled can't go on: it stops. Then
/// the one that waits for its answer is next, which may be such a thread as well.
pub(super) fn release_caller(machine: &mut Machine, cpu: &mut Cpu, caller: Index<Thread>, error: Error) {
    let (mut caller, mut error) = (caller, error);
    loop {
        if let Some(server) = machine.server(caller).some() {
            machine.threads[server].forget(caller);
        }
        let thread = &mut machine.threads[caller];
        let fault = thread.fault();
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

/// Ends the running thread's system call with an error.
fn refuse(machine: &mut Machine, thread: Index<Thread>, error: Error) -> Decision {
    machine.threads[thread].finish(Err(error));
    Decision::Stay
}
