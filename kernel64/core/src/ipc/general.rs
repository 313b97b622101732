//! The IPC state machine, all cases.
//!
//! Every function returns what becomes of the running thread; nothing switches here. An error is
//! written into the thread that made the mistake, which may be one that waited.

use lilliput_abi::error::Error;
use lilliput_abi::{Operation, Selector, fault, foreign};

use super::carry::{self, Lack, Part, Progress};
use super::message::Message;
use super::notify;
use super::release::{release_caller, stop};
use crate::cpu::{Cpu, Decision};
use crate::endpoint::Endpoint;
use crate::machine::Machine;
use crate::slab::Index;
use crate::thread::{Fault, Obstacles, State, Thread};

/// Senders whose messages a receiver can't have that are told so before interrupts have their turn.
const REFUSED: u32 = 16;
/// How deep threads can be in handling traps of one another.
const TRAPS: usize = 16;

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
    match transfer(machine, [sender, receiver, sender], badge) {
        Err(error) => refuse(machine, sender, error),
        Ok(Progress::Part | Progress::Lacks(_)) => {
            // The receiver goes on with it: it receives anew, from this caller.
            machine.take_from(endpoint, receiver);
            let timed = machine.threads[receiver].obstacles.contains(Obstacles::TIMED);
            machine.timers.disarm(&mut machine.threads, receiver);
            receive_again(&mut machine.threads[receiver], Operation::Receive, timed);
            machine.threads[receiver].again();
            machine.threads[receiver].state = State::Ready;
            machine.threads[sender].badge = badge;
            bind(machine, sender, receiver);
            Decision::Donate(receiver)
        }
        Ok(Progress::Whole) => {
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
    if Message::of(sender).is_malformed() {
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
    if !raised.is_raised_again() && is_deep_in_traps(machine, cpu.current) {
        stop(machine, cpu, cpu.current);
        return Decision::Block;
    }
    let registers = machine.threads[cpu.current].registers;
    machine.threads[cpu.current].set_fault(Some(raised));
    if raised.is_foreign_call() {
        machine.settle(cpu.current, handler);
    }
    let decision = send(machine, cpu, handler, badge, Sending { call: true, blocking: true });
    if decision == Decision::Stay {
        // The handler can't be told: it is a 32-bit task, and what it would hear does not fit. Nobody else can help.
        machine.threads[cpu.current].registers = registers;
        machine.threads[cpu.current].set_fault(None);
        stop(machine, cpu, cpu.current);
        return Decision::Block;
    }
    decision
}

/// Whether a thread handles a trap of one that handles a trap, and so on, [`TRAPS`] times. They all stop together where the last one can't be
/// answered, since none can go back: see [`release_caller`].
fn is_deep_in_traps(machine: &Machine, thread: Index<Thread>) -> bool {
    let trapped = |at: Index<Thread>| {
        let caller = machine.threads[at].caller;
        machine.threads[caller].fault().is_some_and(|fault| !fault.is_raised_again()).then_some(caller)
    };
    (0..TRAPS).try_fold(thread, |at, _| trapped(at)).is_some()
}

/// The running thread receives from an endpoint.
pub fn receive(machine: &mut Machine, cpu: &mut Cpu, endpoint: Index<Endpoint>, blocking: bool) -> Decision {
    let receiver = cpu.current;
    machine.move_home(receiver, endpoint);
    let mut under_way = machine.threads[receiver].caller.some();
    if let Some(forgotten) = under_way.filter(|&caller| machine.threads[caller].transfer.of != Some(Part::Message)) {
        release_caller(machine, cpu, forgotten, Error::Unanswered);
        under_way = None;
    }
    if under_way.is_none() && notify::receive_bound(machine, receiver) {
        return Decision::Stay;
    }
    for _ in 0..REFUSED {
        let Some(sender) = under_way.take().or_else(|| take_sender(machine, endpoint)) else {
            if !blocking {
                return refuse(machine, receiver, Error::WouldBlock);
            }
            machine.queue_at(endpoint, receiver, State::Receiving);
            return Decision::Block;
        };
        let badge = machine.threads[sender].badge;
        match transfer(machine, [sender, receiver, sender], badge) {
            Ok(Progress::Whole) => return received(machine, cpu, sender),
            // Others that receive here don't come between.
            Ok(unfinished) => {
                bind(machine, sender, receiver);
                let thread = &mut machine.threads[receiver];
                let operation = if blocking { Operation::Receive } else { Operation::ReceiveNonBlocking };
                receive_again(thread, operation, thread.selector().is_timed());
                match unfinished {
                    Progress::Lacks(lack) => match ask_for(machine, cpu, lack) {
                        Some(decision) => return decision,
                        None if lack.of == sender => release_caller(machine, cpu, sender, Error::BadAddress),
                        None => {
                            release_caller(machine, cpu, sender, Error::Unaccepted);
                            return refuse(machine, receiver, Error::BadAddress);
                        }
                    },
                    _ => {
                        thread.again();
                        return Decision::Stay;
                    }
                }
            }
            // A message that the receiver can't have is its sender's error.
            Err(error) => release_caller(machine, cpu, sender, error),
        }
    }
    // Interrupts have their turn before the others that it can't have.
    let thread = &mut machine.threads[receiver];
    let operation = if blocking { Operation::Receive } else { Operation::ReceiveNonBlocking };
    receive_again(thread, operation, thread.selector().is_timed());
    thread.again();
    Decision::Stay
}

/// The first of the threads that wait to send, out of the queue.
fn take_sender(machine: &mut Machine, endpoint: Index<Endpoint>) -> Option<Index<Thread>> {
    let sender = machine.first_sender(endpoint)?;
    machine.take_from(endpoint, sender);
    Some(sender)
}

/// The running thread has the message of this one, which waits for an answer now, or goes on.
fn received(machine: &mut Machine, cpu: &mut Cpu, sender: Index<Thread>) -> Decision {
    let thread = &machine.threads[sender];
    let calls = match thread.state {
        State::AwaitingReply => wants_answer(thread),
        state => state == State::Calling,
    };
    machine.threads[cpu.current].forget(sender);
    if calls {
        await_reply(machine, sender, cpu.current);
        return Decision::Stay;
    }
    machine.threads[sender].finish(Ok(()));
    cpu.wake(machine, sender)
}

/// Whether the message that a thread sends by a system call of its own is a call.
fn wants_answer(thread: &Thread) -> bool {
    matches!(thread.selector().operation(), Some(Operation::Call | Operation::CallNonBlocking))
}

/// A thread is in the middle of sending its message to another, as if it had called it.
fn bind(machine: &mut Machine, sender: Index<Thread>, receiver: Index<Thread>) {
    machine.threads[receiver].forget(sender);
    await_reply(machine, sender, receiver);
    machine.threads[sender].begin_transfer(Part::Message);
}

/// When a thread makes its system call again, that is to receive where it does.
fn receive_again(thread: &mut Thread, operation: Operation, timed: bool) {
    let receive = Selector::new(operation, 0);
    thread.registers.status = u64::from(if timed { receive.timed() } else { receive }.0);
}

/// The running thread, in the middle of a string, tells the handler of who lacks a page. `None` where nobody gives it.
fn ask_for(machine: &mut Machine, cpu: &mut Cpu, lack: Lack) -> Option<Decision> {
    let thread = &mut machine.threads[cpu.current];
    if core::mem::take(&mut thread.transfer.refused) {
        return None;
    }
    let (endpoint, badge) = machine.handler(lack.of)?;
    let thread = &mut machine.threads[cpu.current];
    let registers = thread.registers;
    thread.raised = lack.fault;
    thread.obstacles.insert(Obstacles::PAGING);
    let decision = send(machine, cpu, endpoint, badge, Sending { call: true, blocking: true });
    if decision == Decision::Stay {
        // It can't be told.
        let thread = &mut machine.threads[cpu.current];
        thread.obstacles.remove(Obstacles::PAGING);
        thread.registers = registers;
        return None;
    }
    Some(decision)
}

/// A thread that lacked a page makes its system call again. If the page is still not there, it is not to be had.
pub(super) fn go_on(thread: &mut Thread, refused: bool) {
    thread.obstacles.remove(Obstacles::PAGING);
    thread.transfer.refused = refused;
    thread.again();
}

/// The running thread answers a caller of its, or one that is kept, and goes on.
pub fn reply(machine: &mut Machine, cpu: &mut Cpu, caller: Index<Thread>) -> Decision {
    match answer(machine, cpu, caller) {
        Err(error) => refuse(machine, cpu.current, error),
        Ok(Answer::Unfinished(decision)) => decision,
        Ok(answer) => {
            machine.threads[cpu.current].finish(Ok(()));
            match answer {
                Answer::To(caller) => cpu.wake(machine, caller),
                _ => Decision::Stay,
            }
        }
    }
}

/// The running thread answers its caller and receives the next message.
///
/// If it has to wait, the caller runs at once, unless [its time is over](Cpu::holds_back).
pub fn reply_receive(machine: &mut Machine, cpu: &mut Cpu, endpoint: Index<Endpoint>) -> Decision {
    let caller = machine.threads[cpu.current].caller;
    let caller = match answer(machine, cpu, caller) {
        Err(error) => return refuse(machine, cpu.current, error),
        Ok(Answer::Unfinished(decision)) => return decision,
        Ok(Answer::To(caller)) => Some(caller),
        Ok(Answer::Stops) => None,
    };
    let decision = receive(machine, cpu, endpoint, true);
    let Some(caller) = caller else { return decision };
    let priority = machine.threads[caller].priority;
    match decision {
        Decision::Block if !cpu.holds_back(machine, caller) => Decision::Donate(caller),
        Decision::Stay => cpu.wake(machine, caller),
        Decision::Preempt(other) if priority > machine.threads[other].priority => {
            cpu.enqueue(machine, other);
            cpu.wake(machine, caller)
        }
        Decision::Block | Decision::Preempt(_) | Decision::Donate(_) => {
            cpu.enqueue(machine, caller);
            decision
        }
    }
}

/// What came of an answer.
enum Answer {
    /// This caller has it; it is ready but in no queue.
    To(Index<Thread>),
    /// It was to a fault, and the thread stops.
    Stops,
    /// Its string is under way.
    Unfinished(Decision),
}

/// Gives the running thread's message to a caller, if there is one.
fn answer(machine: &mut Machine, cpu: &mut Cpu, caller: Index<Thread>) -> Result<Answer, Error> {
    let server = cpu.current;
    let caller = caller.some().ok_or(Error::NobodyToReplyTo)?;
    let runs = if machine.threads[caller].tells_fault() {
        let message = Message::of(&machine.threads[server]);
        if message.is_malformed() || message.carries.is_some() {
            return Err(Error::BadMessage);
        }
        let resumes = message.tag.label() == fault::RESUME;
        let raised = machine.threads[caller].fault();
        let sets = raised.is_some_and(|raised| raised.is_foreign_call()) && message.tag.label() == foreign::ANSWER;
        if sets && !(message.long && message.tag.words() == foreign::WORDS) {
            return Err(Error::BadMessage);
        }
        machine.threads[server].account.delivered();
        let thread = &mut machine.threads[caller];
        if raised.is_some() {
            thread.set_fault(None);
            if sets {
                thread.set_arguments(&message.words);
            }
            resumes || sets
        } else {
            go_on(thread, !resumes);
            true
        }
    } else {
        match transfer(machine, [server, caller, caller], 0)? {
            Progress::Whole => {}
            Progress::Part => {
                machine.threads[caller].begin_transfer(Part::Answer);
                machine.threads[server].again();
                return Ok(Answer::Unfinished(Decision::Stay));
            }
            Progress::Lacks(lack) => {
                machine.threads[caller].begin_transfer(Part::Answer);
                let Some(decision) = ask_for(machine, cpu, lack) else {
                    // Another answer may be given.
                    machine.threads[caller].end_transfer();
                    return Err(if lack.of == server { Error::BadAddress } else { Error::Unaccepted });
                };
                return Ok(Answer::Unfinished(decision));
            }
        }
        true
    };
    if machine.threads[caller].kept.is_none() {
        machine.threads[server].caller = Index::NONE;
    } else {
        machine.release(caller);
    }
    if runs {
        machine.timers.disarm(&mut machine.threads, caller);
        machine.threads[caller].state = State::Ready;
        return Ok(Answer::To(caller));
    }
    stop(machine, cpu, caller);
    Ok(Answer::Stops)
}

/// Copies a message from one thread to another, all or nothing; a string of it a step at a time. `bound` is the one of the two that waits.
fn transfer(machine: &mut Machine, [from, to, bound]: [Index<Thread>; 3], status: u32) -> Result<Progress, Error> {
    let sender = &machine.threads[from];
    let message = Message::of(sender).fit(machine.threads[to].kind);
    let result = message.and_then(|mut message| {
        if message.carries.is_some() {
            match carry::carry(machine, [from, to, bound], &mut message)? {
                Progress::Whole => {}
                unfinished => return Ok(unfinished),
            }
        }
        message.deliver(&mut machine.threads[to], status);
        machine.threads[from].account.delivered();
        Ok(Progress::Whole)
    });
    if matches!(result, Ok(Progress::Whole) | Err(_)) {
        machine.threads[bound].end_transfer();
        // A page that was refused came all the same.
        machine.threads[from].transfer.refused = false;
        machine.threads[to].transfer.refused = false;
    }
    result
}

pub(super) fn await_reply(machine: &mut Machine, caller: Index<Thread>, server: Index<Thread>) {
    // A thread that is handed a second caller has lost the first: `receive` released it before.
    debug_assert!(machine.threads[server].caller.is_none());
    machine.threads[server].caller = caller;
    machine.threads[caller].server = server;
    machine.threads[caller].state = State::AwaitingReply;
}

/// Ends the running thread's system call with an error.
pub(super) fn refuse(machine: &mut Machine, thread: Index<Thread>, error: Error) -> Decision {
    machine.threads[thread].finish(Err(error));
    Decision::Stay
}

#[cfg(test)]
mod tests;
