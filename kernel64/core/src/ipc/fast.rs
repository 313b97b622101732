//! The two cases that pay, as the kernel's assembly does them: a call to a server that waits alone, and its answer.
//!
//! Each is all checks first, then a marked point of no return, then the commit. `None` means "not
//! this case": nothing was changed, and the general path decides. What is done here, the general path
//! would have done as well; the model tests run the same traces through both. Nothing in the kernel calls this: it says in safe code
//! what `entry/fast.rs` does, down to the states that it does not store.

use crate::cpu::{Cpu, Decision};
use crate::endpoint::Endpoint;
use crate::machine::Machine;
use crate::slab::Index;
use crate::thread::{Kind, Obstacles, Thread};

/// A call to an endpoint at which a thread waits to receive, alone.
#[inline(always)]
pub fn call(machine: &mut Machine, cpu: &mut Cpu, endpoint: Index<Endpoint>, badge: u32) -> Option<Decision> {
    let receiver = machine.endpoints[endpoint].queue.head;
    let sender = cpu.current;
    let (from, to) = (&machine.threads[sender], &machine.threads[receiver]);
    if receiver.is_none() || cpu.attention || !passes(from, to) {
        return None;
    }

    // Point of no return.
    machine.endpoints[endpoint].queue.head = Index::NONE;
    deliver(machine, sender, receiver, badge);
    machine.threads[receiver].caller = sender;
    machine.threads[sender].server = receiver;
    Some(Decision::Donate(receiver))
}

/// An answer to a caller, by a server that then waits at its home, where nobody is.
#[inline(always)]
pub fn reply_receive(machine: &mut Machine, cpu: &mut Cpu) -> Option<Decision> {
    let server = cpu.current;
    let Thread { caller, home, .. } = machine.threads[server];
    let (from, to) = (&machine.threads[server], &machine.threads[caller]);
    if caller.is_none()
        || home.endpoint.is_none()
        || !machine.endpoints[home.endpoint].queue.head.is_none()
        || cpu.attention
        || !passes(from, to)
    {
        return None;
    }

    // Point of no return.
    deliver(machine, server, caller, 0);
    machine.endpoints[home.endpoint].queue.head = server;
    machine.threads[server].caller = Index::NONE;
    Some(Decision::Donate(caller))
}

/// Whether the message can go over register by register, to a thread without obstacles.
#[inline(always)]
fn passes(from: &Thread, to: &Thread) -> bool {
    let words = &from.registers.words;
    let fits = (words[0] | words[1] | words[2] | words[3]) >> 32 == 0;
    !from.sends_long()
        && to.obstacles == Obstacles::empty()
        && match (from.kind, to.kind) {
            (Kind::Wide, Kind::Small) => fits,
            // Of another arena, or from host to host: there is no such path.
            (Kind::Small, Kind::Host) => to.class() == from.host_peer,
            (Kind::Host, Kind::Host) => false,
            _ => true,
        }
}

#[inline(always)]
fn deliver(machine: &mut Machine, from: Index<Thread>, to: Index<Thread>, status: u32) {
    let sender = &mut machine.threads[from];
    sender.account.delivered();
    let [w0, w1, w2, w3, ..] = sender.registers.words;
    let tag = u64::from(sender.tag().0);
    let either_is_small = sender.kind == Kind::Small || machine.threads[to].kind == Kind::Small;
    let keep = if either_is_small { u64::from(u32::MAX) } else { u64::MAX };
    let receiver = &mut machine.threads[to];
    receiver.registers.words = [w0 & keep, w1 & keep, w2 & keep, w3 & keep, 0, 0, 0, 0, 0, 0, 0];
    receiver.registers.tag = tag;
    receiver.registers.status = u64::from(status);
    receiver.registers.rcx = 0;
    receiver.registers.r11 = 0;
}
