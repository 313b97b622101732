//! Notifications: bits that are signalled without waiting, and waited for.

use lilliput_abi::error::Error;

use crate::cpu::{Cpu, Decision};
use crate::endpoint::Notification;
use crate::machine::Machine;
use crate::slab::Index;
use crate::thread::{Obstacles, State};

/// Sets bits; the first who waits takes them all. The running thread's status is its caller's to set.
pub fn signal(machine: &mut Machine, cpu: &mut Cpu, notification: Index<Notification>, bits: u32) -> Decision {
    let object = &mut machine.notifications[notification];
    object.bits |= bits;
    if object.bits == 0 {
        return Decision::Stay;
    }
    let Some(waiter) = object.waiters.pop_front(&mut machine.threads) else {
        return Decision::Stay;
    };
    let taken = core::mem::take(&mut object.bits);
    machine.threads[waiter].answer(&[u64::from(taken)]);
    cpu.wake(machine, waiter)
}

/// The running thread takes all bits, or waits until there are some.
pub fn wait(machine: &mut Machine, cpu: &mut Cpu, notification: Index<Notification>, blocking: bool) -> Decision {
    let object = &mut machine.notifications[notification];
    let thread = &mut machine.threads[cpu.current];
    if object.bits != 0 {
        thread.answer(&[u64::from(core::mem::take(&mut object.bits))]);
        return Decision::Stay;
    }
    if !blocking {
        thread.finish(Err(Error::WouldBlock));
        return Decision::Stay;
    }
    thread.state = State::Waiting;
    thread.obstacles.set(Obstacles::BOUNDED, thread.budget.is_bounded());
    thread.notification = notification;
    object.waiters.push_back(&mut machine.threads, cpu.current);
    Decision::Block
}
