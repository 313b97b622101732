//! The two cases that pay: a call to a server that waits, and its answer.
//!
//! Each is all checks first, then a marked point of no return, then the commit. `None` means "not
//! this case": nothing was changed, and the general path decides. What is done here, the general path
//! would have done as well; the model tests run the same traces through both.

use lilliput_abi::tag::SHORT_WORDS;

use crate::cpu::{Cpu, Decision};
use crate::endpoint::Endpoint;
use crate::machine::Machine;
use crate::slab::Index;
use crate::thread::{State, Thread};

/// A call to an endpoint at which a thread waits to receive.
#[inline(always)]
pub fn call(machine: &mut Machine, cpu: &mut Cpu, endpoint: Index<Endpoint>, badge: u32) -> Option<Decision> {
    let endpoint = &mut machine.endpoints[endpoint];
    let receiver = endpoint.receivers.head.some()?;
    let sender = cpu.current;
    if !passes(&machine.threads[sender], &machine.threads[receiver]) {
        return None;
    }

    // Point of no return.
    let next = machine.threads[receiver].next;
    endpoint.receivers.head = next;
    match next.some() {
        None => endpoint.receivers.tail = Index::NONE,
        Some(next) => {
            machine.threads[next].previous = Index::NONE;
            machine.threads[receiver].next = Index::NONE;
        }
    }
    deliver(machine, sender, receiver, badge);
    let server = &mut machine.threads[receiver];
    server.state = State::Ready;
    server.caller = sender;
    let caller = &mut machine.threads[sender];
    caller.state = State::AwaitingReply;
    caller.server = receiver;
    Some(Decision::Donate(receiver))
}

/// An answer to a caller, by a server that then waits at an endpoint where nobody sends.
#[inline(always)]
pub fn reply_receive(machine: &mut Machine, cpu: &mut Cpu, endpoint: Index<Endpoint>) -> Option<Decision> {
    let server = cpu.current;
    let caller = machine.threads[server].caller.some()?;
    let queues = &machine.endpoints[endpoint];
    let waiter = &machine.threads[caller];
    if !queues.senders.head.is_none()
        || !queues.receivers.head.is_none()
        || waiter.fault.is_some()
        || cpu.ready.outranks(waiter.priority)
        || !passes(&machine.threads[server], waiter)
    {
        return None;
    }

    // Point of no return.
    deliver(machine, server, caller, 0);
    let waiter = &mut machine.threads[caller];
    waiter.state = State::Ready;
    waiter.server = Index::NONE;
    let thread = &mut machine.threads[server];
    thread.caller = Index::NONE;
    thread.state = State::Receiving;
    thread.endpoint = Index::new(endpoint.number());
    let queue = &mut machine.endpoints[endpoint].receivers;
    (queue.head, queue.tail) = (server, server);
    Some(Decision::Donate(caller))
}

/// Whether a message of at most four words can go over register by register.
#[inline(always)]
fn passes(from: &Thread, to: &Thread) -> bool {
    let words = &from.registers.words;
    let tag = from.tag();
    // Reserved flags and long messages in one comparison.
    let short = tag.0 as u16 <= SHORT_WORDS as u16;
    let fits = to.kind.is_wide() || !from.kind.is_wide() || (words[0] | words[1] | words[2] | words[3]) >> 32 == 0;
    short && fits
}

#[inline(always)]
fn deliver(machine: &mut Machine, from: Index<Thread>, to: Index<Thread>, status: u32) {
    let sender = &mut machine.threads[from];
    sender.account.messages += 1;
    let keep = if sender.kind.is_wide() { u64::MAX } else { u64::from(u32::MAX) };
    let [w0, w1, w2, w3, ..] = sender.registers.words;
    let tag = u64::from(sender.tag().0);
    let receiver = &mut machine.threads[to];
    receiver.registers.words = [w0 & keep, w1 & keep, w2 & keep, w3 & keep, 0, 0, 0, 0, 0, 0, 0];
    receiver.registers.tag = tag;
    receiver.registers.status = u64::from(status);
    receiver.registers.rcx = 0;
    receiver.registers.r11 = 0;
}
