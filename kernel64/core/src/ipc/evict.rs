//! A task loses what its threads wait by: they wait no more.

use lilliput_abi::Rights;
use lilliput_abi::error::Error;

use super::end::withdraw;
use super::release::release_caller;
use crate::capability::Capability;
use crate::cpu::Cpu;
use crate::endpoint::{Endpoint, Notification};
use crate::machine::Machine;
use crate::slab::Index;
use crate::task::Task;
use crate::thread::{State, Thread};

/// Threads of a task that are looked at in a step.
const SEEN: u32 = 512;
/// What the end of a thread's wait takes, in threads that are only looked at.
const ENDED: u32 = 32;

/// A task lost a capability to receive from an endpoint, or to wait for a notification: its threads don't, unless they come by another one. Goes
/// through them in steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Eviction {
    /// A task may end meanwhile, and so may the object.
    task: Capability,
    of: Capability,
    /// The thread that is next.
    next: Index<Thread>,
}

impl Eviction {
    /// Of a task that lost this capability. Signals of a notification are not received with its threads' messages from here on.
    pub fn new(machine: &mut Machine, task: Index<Task>, of: Capability) -> Self {
        if let Some(notification) = machine.notifications.admit(of.number(), of.key, Rights::empty()) {
            let bound = machine.notifications[notification].bound;
            if machine.threads[bound].task == task {
                machine.unbind(bound);
            }
        }
        let Task { header, threads, .. } = &machine.tasks[task];
        Self { task: Capability::new(task.number(), header, Rights::empty()), of, next: *threads }
    }

    /// Goes through some of the threads. True when it has gone through all.
    pub fn step(&mut self, machine: &mut Machine, cpu: &mut Cpu) -> bool {
        let Some(task) = machine.tasks.admit(self.task.number(), self.task.key, Rights::empty()) else { return true };
        let endpoint = machine.endpoints.admit(self.of.number(), self.of.key, Rights::empty());
        let notification = machine.notifications.admit(self.of.number(), self.of.key, Rights::empty());
        if endpoint.is_none() && notification.is_none() {
            return true;
        }
        let mut left = SEEN;
        while let Some(thread) = self.next.some() {
            if left == 0 {
                return false;
            }
            let number = thread.number();
            if machine.threads.among(number..number + 1).next().is_none_or(|it| machine.threads[it].task != task) {
                // It ended since the last step.
                self.next = machine.tasks[task].threads;
                left -= 1;
                continue;
            }
            self.next = machine.threads[thread].sibling;
            let ended = endpoint.is_some_and(|endpoint| leaves(machine, cpu, thread, endpoint))
                || notification.is_some_and(|notification| waits_no_more(machine, cpu, thread, notification));
            left = left.saturating_sub(if ended { ENDED } else { 1 });
        }
        true
    }
}

/// A thread receives from an endpoint no more, if that is its home. Whether it was.
fn leaves(machine: &mut Machine, cpu: &mut Cpu, thread: Index<Thread>, endpoint: Index<Endpoint>) -> bool {
    if machine.threads[thread].home.endpoint != endpoint {
        return false;
    }
    if machine.state(cpu, thread) == State::Receiving {
        machine.take_from(endpoint, thread);
        release_caller(machine, cpu, thread, Error::Gone);
    }
    machine.leave_home(thread);
    true
}

/// A thread waits for a notification no more. Whether it did.
fn waits_no_more(
    machine: &mut Machine,
    cpu: &mut Cpu,
    thread: Index<Thread>,
    notification: Index<Notification>,
) -> bool {
    let waits = machine.state(cpu, thread) == State::Waiting && machine.threads[thread].notification == notification;
    if waits {
        withdraw(machine, cpu, thread, State::Waiting);
        release_caller(machine, cpu, thread, Error::Gone);
    }
    waits
}

/// Ends a thread's wait to send to an endpoint by a capability with this badge, or with any if that is 0, if that is what it does.
pub fn evict_sender(
    machine: &mut Machine,
    cpu: &mut Cpu,
    thread: Index<Thread>,
    endpoint: Index<Endpoint>,
    badge: u32,
) {
    let Thread { endpoint: at, badge: by, .. } = machine.threads[thread];
    let sends = || matches!(machine.state(cpu, thread), State::Sending | State::Calling);
    if at == endpoint && (badge == 0 || badge == by) && sends() {
        machine.take_from(endpoint, thread);
        release_caller(machine, cpu, thread, Error::Gone);
    }
}
