//! The cases that pay, as the kernel's assembly does them: a call to a server that waits alone, and its answer; a page fault, which is a
//! call as well, and its answer; a signal that wakes a thread of a higher priority; a foreign thread's system call, by a small one to the host of its arena, by a 64-bit one
//! to any host or another 64-bit thread, and the answer; such a thread that its host puts aside, and its answer.
//!
//! Each is all checks first, then a marked point of no return, then the commit. `None` means "not
//! this case": nothing was changed, and the general path decides. What is done here, the general path
//! would have done as well; the model tests run the same traces through both. Nothing in the kernel calls this: it says in safe code
//! what `entry/fast.rs` does, down to the states that it does not store.

use lilliput_abi::tag::{LONG_WORDS, SHORT_WORDS};
use lilliput_abi::{Tag, fault, foreign};

use super::message::Message;
use crate::cpu::{Cpu, Decision};
use crate::endpoint::{Endpoint, Notification};
use crate::machine::Machine;
use crate::reply::Reply;
use crate::slab::Index;
use crate::thread::{Fault, Kind, Obstacles, State, Thread};

/// A call to an endpoint at which a thread waits to receive, alone.
#[inline(always)]
pub fn call(machine: &mut Machine, cpu: &mut Cpu, endpoint: Index<Endpoint>, badge: u32) -> Option<Decision> {
    let receiver = machine.endpoints[endpoint].queue.head;
    let sender = cpu.current;
    let (from, to) = (&machine.threads[sender], &machine.threads[receiver]);
    if receiver.is_none() || cpu.attention || from.selector().carries() || !passes(from, to) {
        return None;
    }

    // Point of no return.
    deliver(machine, sender, receiver, badge);
    Some(hand_over(machine, endpoint, sender, receiver))
}

/// A page fault of the running thread, of which a handler that waits alone is told.
pub fn raise(
    machine: &mut Machine,
    cpu: &mut Cpu,
    endpoint: Index<Endpoint>,
    badge: u32,
    raised: Fault,
) -> Option<Decision> {
    let receiver = machine.endpoints[endpoint].queue.head;
    let sender = cpu.current;
    let (from, to) = (&machine.threads[sender], &machine.threads[receiver]);
    let has_path = match from.kind {
        Kind::Small => to.class() == from.host_peer || to.kind == Kind::Wide,
        Kind::Wide => to.kind == Kind::Wide || to.kind == Kind::Host && from.is_foreign(),
        Kind::Host => false,
    };
    if receiver.is_none() || cpu.attention || !has_path || !to.obstacles.is_empty() {
        return None;
    }

    // Point of no return.
    let (kind, thread) = (machine.threads[receiver].kind, &mut machine.threads[sender]);
    thread.set_fault(Some(raised));
    thread.account.delivered();
    // Every 64-bit thread can have it.
    let message = Message::of(thread).fit(kind).unwrap_or_else(|_| unreachable!());
    message.deliver(&mut machine.threads[receiver], badge);
    Some(hand_over(machine, endpoint, sender, receiver))
}

/// A system call of the running thread, which is foreign, of which somebody is told who handles its faults and waits alone: the host of its arena; of a 64-bit
/// one any host, or a 64-bit thread, if nothing is loaded for it alone. Where the thread goes on is stored already.
pub fn foreign_call(machine: &mut Machine, cpu: &mut Cpu, raised: Fault) -> Option<Decision> {
    let sender = cpu.current;
    let from = &machine.threads[sender];
    let (endpoint, badge) = (from.home.endpoint, from.fault_handler.badge);
    let receiver = machine.endpoints[endpoint].queue.head;
    if endpoint.is_none() || receiver.is_none() || cpu.attention || !from.is_foreign() {
        return None;
    }
    let to = &machine.threads[receiver];
    let has_path = match (from.kind, to.kind) {
        (Kind::Small, _) => to.class() == from.host_peer,
        (Kind::Wide, Kind::Host) => true,
        (Kind::Wide, Kind::Wide) => from.local.is_none() && to.local.is_none(),
        _ => false,
    };
    if !has_path || !to.obstacles.is_empty() {
        return None;
    }

    // Point of no return.
    let thread = &mut machine.threads[sender];
    let message = thread.foreign_message(raised);
    thread.set_fault(Some(raised));
    thread.account.delivered();
    message.deliver(&mut machine.threads[receiver], badge);
    Some(hand_over(machine, endpoint, sender, receiver))
}

/// The answer to a foreign system call, by a server that then waits at its home, where nobody is: the thread goes on with the registers that the message
/// told of, as they are now.
pub fn return_receive(machine: &mut Machine, cpu: &mut Cpu) -> Option<Decision> {
    let server = cpu.current;
    let Thread { caller, fast_home: home, kind, arena, .. } = machine.threads[server];
    let to = &machine.threads[caller];
    if caller.is_none() || home.is_none() || !machine.endpoints[home].queue.head.is_none() || cpu.attention {
        return None;
    }
    let is_call = to.obstacles == FAULTED && to.raised.is_foreign_call();
    let has_path = match (kind, to.kind) {
        (Kind::Host, Kind::Small) => to.arena == arena,
        (Kind::Host, Kind::Wide) => to.goes_on_behind_syscall(),
        (Kind::Wide, Kind::Wide) => to.local.is_none() && to.goes_on_behind_syscall(),
        _ => false,
    };
    if !has_path || !is_call {
        return None;
    }

    // Point of no return.
    let words = machine.threads[server].registers.words;
    machine.threads[server].account.delivered();
    machine.threads[server].return_registers();
    machine.threads[caller].set_fault(None);
    machine.threads[caller].set_arguments(&words);
    machine.endpoints[home].queue.head = server;
    machine.threads[server].caller = Index::NONE;
    Some(Decision::Donate(caller))
}

/// A host puts its guest, which waits for the answer to a fault or a foreign system call, into a reply object that is free, and waits at its home, where nobody is. Who
/// is ready first runs: no host, nobody's server, and no time is to be counted for either.
pub fn keep_receive(machine: &mut Machine, cpu: &mut Cpu, reply: Index<Reply>) -> Option<Decision> {
    let server = cpu.current;
    let Thread { caller, fast_home: home, kind, task, .. } = machine.threads[server];
    let next = cpu.ready.first()?;
    let (from, to) = (&machine.threads[caller], &machine.threads[next]);
    let has_end = to.budget.is_bounded() || machine.threads[cpu.paying].budget.is_bounded();
    if kind != Kind::Host
        || caller.is_none()
        || from.obstacles != FAULTED
        || home.is_none()
        || !machine.endpoints[home].queue.head.is_none()
        || !machine.replies[reply].caller.is_none()
        || cpu.attention
        || to.kind == Kind::Host
        || !to.caller.is_none()
        || to.late
        || to.outdated
        || has_end
    {
        return None;
    }

    // Point of no return.
    machine.release(caller);
    machine.put_aside(caller, reply, task);
    machine.endpoints[home].queue.head = server;
    Some(Decision::Block)
}

/// A host that serves a guest answers the foreign system call of a thread that its task keeps, and goes on: the thread, of which no time is to be counted,
/// outranks neither.
pub fn reply_kept(machine: &mut Machine, cpu: &mut Cpu, reply: Index<Reply>) -> Option<Decision> {
    let server = cpu.current;
    let Reply { caller, keeper, .. } = machine.replies[reply];
    let (from, to) = (&machine.threads[server], &machine.threads[caller]);
    let guest = &machine.threads[from.caller];
    let selector = from.selector();
    if from.kind != Kind::Host
        || from.caller.is_none()
        || caller.is_none()
        || keeper != from.task
        || !selector.is_long()
        || selector.carries()
        || from.tag() != Tag::new(foreign::ANSWER, foreign::WORDS)
        || cpu.attention
        || to.obstacles != FAULTED
        || !to.raised.is_foreign_call()
        || to.budget.is_bounded()
        || to.priority > from.priority.min(guest.priority)
        || guest.late
        || !guest.caller.is_none()
    {
        return None;
    }

    // Point of no return.
    let words = from.registers.words;
    machine.threads[server].account.delivered();
    machine.threads[server].finish(Ok(()));
    machine.release(caller);
    let thread = &mut machine.threads[caller];
    thread.set_fault(None);
    thread.set_arguments(&words);
    thread.state = State::Ready;
    cpu.ready.push_back(&mut machine.threads, caller);
    Some(Decision::Stay)
}

/// The receiver, alone, runs, and the sender waits for its answer.
fn hand_over(
    machine: &mut Machine,
    endpoint: Index<Endpoint>,
    sender: Index<Thread>,
    receiver: Index<Thread>,
) -> Decision {
    machine.endpoints[endpoint].queue.head = Index::NONE;
    machine.threads[receiver].caller = sender;
    machine.threads[sender].server = receiver;
    Decision::Donate(receiver)
}

/// A signal that wakes a thread of a higher priority, which waits alone.
pub fn signal(machine: &mut Machine, cpu: &mut Cpu, notification: Index<Notification>, bits: u32) -> Option<Decision> {
    let waiter = machine.notifications[notification].waiters.head;
    let (from, to) = (&machine.threads[cpu.current], &machine.threads[waiter]);
    if bits == 0
        || cpu.attention
        || waiter.is_none()
        || from.peers != to.class()
        || !to.next.is_none()
        || !to.caller.is_none()
        || to.priority <= from.priority
        || cpu.ready.outranks(to.priority)
        || cpu.ready.has_equal(to.priority)
        || cpu.ready.has_equal(from.priority)
        || !cpu.preempted.is_none()
    {
        return None;
    }

    // Point of no return.
    machine.notifications[notification].waiters.head = Index::NONE;
    machine.threads[cpu.current].finish(Ok(()));
    machine.threads[cpu.current].state = State::Ready;
    machine.threads[waiter].state = State::Ready;
    machine.threads[waiter].answer(&[u64::from(bits)]);
    Some(Decision::Preempt(waiter))
}

/// An answer to a caller, by a server that then waits at its home, where nobody is.
#[inline(always)]
pub fn reply_receive(machine: &mut Machine, cpu: &mut Cpu) -> Option<Decision> {
    let server = cpu.current;
    let Thread { caller, fast_home: home, .. } = machine.threads[server];
    let (from, to) = (&machine.threads[server], &machine.threads[caller]);
    if caller.is_none()
        || home.is_none()
        || !machine.endpoints[home].queue.head.is_none()
        || cpu.attention
        || from.selector().carries()
    {
        return None;
    }
    if from.kind.is_wide() && to.kind != Kind::Host && to.obstacles == FAULTED && is_resumption(from) {
        // Point of no return.
        machine.threads[server].account.delivered();
        machine.threads[caller].set_fault(None);
    } else if passes(from, to) {
        // Point of no return.
        deliver(machine, server, caller, 0);
    } else {
        return None;
    }
    machine.endpoints[home].queue.head = server;
    machine.threads[server].caller = Index::NONE;
    Some(Decision::Donate(caller))
}

/// A thread that waits for the answer to its fault.
pub const FAULTED: Obstacles = Obstacles::FULL_FRAME.union(Obstacles::FAULT);

fn is_resumption(from: &Thread) -> bool {
    !from.sends_long() && from.tag().label() == fault::RESUME
}

/// Whether the message can go over register by register, to a thread without obstacles.
#[inline(always)]
fn passes(from: &Thread, to: &Thread) -> bool {
    let words = &from.registers.words;
    let fits = (words[0] | words[1] | words[2] | words[3]) >> 32 == 0;
    let (long, tag) = (from.sends_long(), from.tag());
    let short_enough =
        !long || from.peers == to.class() && from.kind == Kind::Wide && tag.flags() == 0 && tag.words() <= LONG_WORDS;
    short_enough
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
    let [w0, w1, w2, w3, rest @ ..] = sender.registers.words;
    let long = sender.sends_long() && sender.tag().words() > SHORT_WORDS;
    let tag = u64::from(sender.tag().0);
    let either_is_small = sender.kind == Kind::Small || machine.threads[to].kind == Kind::Small;
    let keep = if either_is_small { u64::from(u32::MAX) } else { u64::MAX };
    let receiver = &mut machine.threads[to];
    receiver.registers.words = [w0 & keep, w1 & keep, w2 & keep, w3 & keep, 0, 0, 0, 0, 0, 0, 0];
    if long {
        receiver.registers.words[4..LONG_WORDS as usize].copy_from_slice(&rest[..LONG_WORDS as usize - 4]);
    }
    receiver.registers.tag = tag;
    receiver.registers.status = u64::from(status);
    receiver.registers.rcx = 0;
    receiver.registers.r11 = 0;
}
