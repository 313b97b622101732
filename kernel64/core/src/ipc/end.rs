//! What the others learn when somebody is gone.

use lilliput_abi::error::Error;

use super::general::go_on;
use super::release::release_caller;
use crate::cpu::Cpu;
use crate::endpoint::{Endpoint, Notification};
use crate::ipc::carry::Transfer;
use crate::machine::Machine;
use crate::slab::Index;
use crate::thread::{Obstacles, State, Thread};

/// Takes a thread out of everything it is part of: its queue, the call that it makes, the call that it owes an
/// answer to (whose caller gets `Gone`). It is stopped afterwards. If it was running, this CPU has no current thread.
pub fn detach(machine: &mut Machine, cpu: &mut Cpu, thread: Index<Thread>) {
    let Thread { caller, guest, .. } = machine.threads[thread];
    if let Some(caller) = caller.some().or(guest.some()) {
        release_caller(machine, cpu, caller, Error::Gone);
    }
    match machine.state(cpu, thread) {
        State::Stopped => {}
        State::Ready if cpu.current == thread => cpu.current = Index::NONE,
        State::Ready => cpu.ready.remove(&mut machine.threads, thread),
        state => withdraw(machine, cpu, thread, state),
    }
    let thread = &mut machine.threads[thread];
    thread.state = State::Stopped;
    thread.forsake();
    thread.obstacles.remove(Obstacles::PAGING | Obstacles::TRANSFER);
    thread.transfer = Transfer::default();
}

/// Takes a thread that waits, in this state, out of where it does. Whoever waits for a page to go on with a string of its goes on without.
pub(super) fn withdraw(machine: &mut Machine, cpu: &mut Cpu, thread: Index<Thread>, state: State) {
    machine.timers.disarm(&mut machine.threads, thread);
    let Thread { endpoint, notification, home, .. } = machine.threads[thread];
    match state {
        State::Stopped | State::Ready | State::Sleeping | State::Resting => {}
        State::Sending | State::Calling => machine.take_from(endpoint, thread),
        State::Receiving => machine.take_from(home.endpoint, thread),
        State::AwaitingReply => {
            let server = machine.server(thread);
            machine.release(thread);
            let has_string = machine.threads[thread].transfer.of.is_some();
            if has_string && machine.threads[server].obstacles.contains(Obstacles::PAGING) {
                let state = machine.state(cpu, server);
                withdraw(machine, cpu, server, state);
                go_on(&mut machine.threads[server], false);
                cpu.enqueue(machine, server);
            }
        }
        State::Waiting => {
            machine.notifications[notification].waiters.remove(&mut machine.threads, thread);
            machine.threads[thread].obstacles.remove(Obstacles::BOUNDED);
        }
    }
}

/// Ends the wait of up to `most` threads at an endpoint with `Gone`; it is the home of so many fewer. True when nobody is left.
pub fn close_endpoint(machine: &mut Machine, cpu: &mut Cpu, endpoint: Index<Endpoint>, most: u32) -> bool {
    for _ in 0..most {
        if let Some(waiting) = machine.endpoints[endpoint].queue.head.some() {
            machine.take_from(endpoint, waiting);
            release_caller(machine, cpu, waiting, Error::Gone);
        } else if let Some(resident) = machine.endpoints[endpoint].residents.some() {
            machine.leave_home(resident);
        } else {
            return true;
        }
    }
    let Endpoint { queue, residents, .. } = &machine.endpoints[endpoint];
    queue.head.is_none() && residents.is_none()
}

/// Ends the wait of up to `most` threads at a notification with `Gone`. True when nobody is left.
pub fn close_notification(machine: &mut Machine, cpu: &mut Cpu, notification: Index<Notification>, most: u32) -> bool {
    machine.unbind(machine.notifications[notification].bound);
    for _ in 0..most {
        let Machine { notifications, threads, .. } = machine;
        let Some(thread) = notifications[notification].waiters.pop_front(threads) else { return true };
        release_caller(machine, cpu, thread, Error::Gone);
    }
    machine.notifications[notification].waiters.head.is_none()
}
