//! What the others learn when somebody is gone.

use lilliput_abi::error::Error;

use super::general::release_caller;
use crate::cpu::Cpu;
use crate::endpoint::{Endpoint, Notification};
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
    let thread = &mut machine.threads[thread];
    thread.state = State::Stopped;
    thread.server = Index::NONE;
    thread.fault = None;
}

/// Ends the wait of up to `most` threads at an endpoint with `Gone`. True when nobody is left.
pub fn close_endpoint(machine: &mut Machine, cpu: &mut Cpu, endpoint: Index<Endpoint>, most: u32) -> bool {
    for _ in 0..most {
        let Machine { endpoints, threads, .. } = machine;
        let Endpoint { senders, receivers, .. } = &mut endpoints[endpoint];
        let Some(thread) = senders.pop_front(threads).or_else(|| receivers.pop_front(threads)) else { return true };
        release_caller(machine, cpu, thread, Error::Gone);
    }
    let Endpoint { senders, receivers, .. } = &machine.endpoints[endpoint];
    senders.head.is_none() && receivers.head.is_none()
}

/// Ends the wait of up to `most` threads at a notification with `Gone`. True when nobody is left.
pub fn close_notification(machine: &mut Machine, cpu: &mut Cpu, notification: Index<Notification>, most: u32) -> bool {
    for _ in 0..most {
        let Machine { notifications, threads, .. } = machine;
        let Some(thread) = notifications[notification].waiters.pop_front(threads) else { return true };
        release_caller(machine, cpu, thread, Error::Gone);
    }
    machine.notifications[notification].waiters.head.is_none()
}
