//! Notifications: bits that are signalled without waiting, and waited for; or had where a thread receives messages.

use lilliput_abi::Tag;
use lilliput_abi::error::{CARRIED, Error};
use lilliput_abi::tag::carried;

use crate::cpu::{Cpu, Decision};
use crate::endpoint::Notification;
use crate::machine::Machine;
use crate::slab::Index;
use crate::thread::{Obstacles, State, Thread};

/// Sets bits. The first who waits takes them all; else the thread that they are bound to, if it receives. The running thread's status is its caller's
/// to set.
pub fn signal(machine: &mut Machine, cpu: &mut Cpu, notification: Index<Notification>, bits: u32) -> Decision {
    let object = &mut machine.notifications[notification];
    object.bits |= bits;
    if object.bits == 0 {
        return Decision::Stay;
    }
    if let Some(waiter) = object.waiters.pop_front(&mut machine.threads) {
        let taken = core::mem::take(&mut object.bits);
        machine.threads[waiter].answer(&[u64::from(taken)]);
        return cpu.wake(machine, waiter);
    }
    let Some(bound) = object.bound.some() else { return Decision::Stay };
    if machine.state(cpu, bound) != State::Receiving {
        machine.note_home(bound);
        return Decision::Stay;
    }
    machine.take_from(machine.threads[bound].home.endpoint, bound);
    machine.timers.disarm(&mut machine.threads, bound);
    receive_bound(machine, bound);
    cpu.wake(machine, bound)
}

/// A thread that receives takes the bits of the notification that it is bound to, if any is set, in place of a message. Whether it did.
pub(super) fn receive_bound(machine: &mut Machine, receiver: Index<Thread>) -> bool {
    let bits = take(machine, machine.threads[receiver].bound);
    if bits == 0 {
        return false;
    }
    let thread = &mut machine.threads[receiver];
    thread.answer(&[u64::from(bits)]);
    thread.registers.tag = u64::from(Tag::new(0, 1).with_flags(carried::SIGNALS).0);
    thread.registers.status = u64::from(CARRIED);
    true
}

/// All bits; none is set afterwards.
fn take(machine: &mut Machine, notification: Index<Notification>) -> u32 {
    let object = &mut machine.notifications[notification];
    let bits = core::mem::take(&mut object.bits);
    if let Some(bound) = object.bound.some() {
        machine.note_home(bound);
    }
    bits
}

/// The running thread takes all bits, or waits until there are some.
pub fn wait(machine: &mut Machine, cpu: &mut Cpu, notification: Index<Notification>, blocking: bool) -> Decision {
    let bits = take(machine, notification);
    let object = &mut machine.notifications[notification];
    let thread = &mut machine.threads[cpu.current];
    if bits != 0 {
        thread.answer(&[u64::from(bits)]);
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
