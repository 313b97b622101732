//! What the others learn when somebody is gone.

use lilliput_abi::error::Error;

use super::general::release_caller;
use crate::cpu::Cpu;
use crate::endpoint::{Endpoint, Notification, Queue};
use crate::machine::Machine;
use crate::slab::Index;
use crate::thread::{State, Thread};

/// Takes a thread out of everything it is part of: its queue, the call that it makes, the call that it owes an
/// answer to (whose caller gets `Gone`). It is stopped afterwards. If it was running, this CPU has no current thread.
pub fn detach(machine: &mut Machine, cpu: &mut Cpu, thread: Index<Thread>) {
    if let Some(caller) = machine.threads[thread].caller.some() {
        release_caller(machine, cpu, caller, Error::Gone);
    }
    let Thread { state, endpoint, notification, server, .. } = machine.threads[thread];
    match state {
        State::Stopped => {}
        State::Ready if cpu.current == thread => cpu.current = Index::NONE,
        State::Ready => cpu.ready.remove(&mut machine.threads, thread),
        State::Sending | State::Calling => {
            machine.endpoints[endpoint].senders.remove(&mut machine.threads, thread);
        }
        State::Receiving => machine.endpoints[endpoint].receivers.remove(&mut machine.threads, thread),
        State::AwaitingReply => machine.threads[server].caller = Index::NONE,
        State::Waiting => machine.notifications[notification].waiters.remove(&mut machine.threads, thread),
    }
    if cpu.vector_owner == thread {
        cpu.vector_owner = Index::NONE;
    }
    let thread = &mut machine.threads[thread];
    thread.state = State::Stopped;
    thread.server = Index::NONE;
    thread.fault = None;
}

/// Ends the wait of everybody at an endpoint with `Gone`.
pub fn close_endpoint(machine: &mut Machine, cpu: &mut Cpu, endpoint: Index<Endpoint>) {
    let Endpoint { senders, receivers, .. } = machine.endpoints[endpoint];
    machine.endpoints[endpoint].senders = Queue::default();
    machine.endpoints[endpoint].receivers = Queue::default();
    release_all(machine, cpu, senders);
    release_all(machine, cpu, receivers);
}

/// Ends the wait of everybody at a notification with `Gone`.
pub fn close_notification(machine: &mut Machine, cpu: &mut Cpu, notification: Index<Notification>) {
    let waiters = core::mem::take(&mut machine.notifications[notification].waiters);
    release_all(machine, cpu, waiters);
}

fn release_all(machine: &mut Machine, cpu: &mut Cpu, mut queue: Queue) {
    while let Some(thread) = queue.pop_front(&mut machine.threads) {
        release_caller(machine, cpu, thread, Error::Gone);
    }
}
