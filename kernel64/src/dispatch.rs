//! What a system call does: the operation, on the capability.
//!
//! The entry code has stored the caller's registers in its block. What is decided here is carried out
//! once, in [`leave_to`].

use lilliput_abi::{Error, ObjectType, Operation, Rights, Selector};
use lilliput_core::capability::Capability;
use lilliput_core::cpu::{Cpu, Decision};
use lilliput_core::endpoint::{Endpoint, Notification};
use lilliput_core::foreign::Entry;
use lilliput_core::ipc::general::Sending;
use lilliput_core::ipc::{carry, general, kept, notify, timed};
use lilliput_core::machine::Machine;
use lilliput_core::slab::{self, Header, Index, Key, Object, Slab};
use lilliput_core::thread::Thread;

use crate::cpu::percpu::{self, PerCpu};
use crate::state::{self, Kernel};
use crate::{fault, invariants, invoke, switch, timer, vector};

/// A system call of the running thread. `entry` says which instruction it came by ([`Entry`]): one that only 64-bit
/// code can execute, or one that only 32-bit code should; `cx` is what that had in ECX.
///
/// Returns the block of the thread to leave to, or 0.
pub extern "C" fn system_call(entry: u32, cx: u32) -> u64 {
    let now = timestamp();
    // SAFETY: an entry into the kernel: GS is the kernel's, interrupts are off, nobody holds a reference.
    let (kernel, this) = unsafe { (state::get(), percpu::this()) };
    enter(kernel, this, now);
    let entry = Entry::from_number(entry);
    perform(kernel, this, entry, cx)
}

/// What every entry to the general path begins with: notes what the fast path left to be told from links.
#[inline(always)]
pub fn enter(kernel: &mut Kernel, this: &mut PerCpu, now: u64) {
    switch::note_loaded(this, &kernel.machine);
    this.cpu.enter(&mut kernel.machine, now);
    if kernel.facts.check_invariants {
        invariants::check(kernel, this);
    }
}

/// Does what the running thread's registers ask for, or tells the handler of a foreign one.
#[inline(never)]
pub fn perform(kernel: &mut Kernel, this: &mut PerCpu, entry: Entry, cx: u32) -> u64 {
    let entered = this.cpu.current;
    let thread = &mut kernel.machine.threads[entered];
    let decision = if thread.kind.is_wide() != entry.is_wide() {
        fault::wrong_mode(kernel, this)
    } else if thread.is_foreign() {
        let call = thread.foreign_call(entry, cx);
        fault::raise(kernel, this, call)
    } else {
        operate(kernel, this)
    };
    leave_to(kernel, this, entered, decision)
}

/// Carries a decision out and says whom to leave to: the switch.
#[inline(never)]
pub fn leave_to(kernel: &mut Kernel, this: &mut PerCpu, entered: Index<Thread>, decision: Decision) -> u64 {
    this.cpu.apply(&mut kernel.machine, decision);
    vector::before_switch(this);
    let next = this.cpu.current;
    let block = if next.is_none() {
        fault::check_deadlock(kernel, this);
        0
    } else {
        if next != entered {
            // Whom the fast path goes on to later finds the gate open: it does so only while nothing speaks against it.
            kernel.machine.threads[entered].set_gate(true);
        }
        if kernel.machine.threads[next].outdated {
            invoke::renew(&mut kernel.machine, next);
        }
        switch::to(this, &mut kernel.machine.threads[next]);
        let thread = &mut kernel.machine.threads[next];
        // What is loaded for a foreign thread alone may stay while its host runs: no other way of it is open.
        let alone = this.cpu.has_local && !thread.is_foreign();
        thread.set_gate(!this.cpu.attention && !this.cpu.vector_enabled && !alone);
        switch::welcome_guest(this, &mut kernel.machine);
        if kernel.facts.check_invariants {
            invariants::check(kernel, this);
        }
        &raw mut kernel.machine.threads[next] as u64
    };
    this.cpu.leave(&mut kernel.machine, entered, timestamp());
    timer::set(kernel, this);
    block
}

#[inline(always)]
fn operate(kernel: &mut Kernel, this: &mut PerCpu) -> Decision {
    let machine = &kernel.machine;
    let thread = &machine.threads[this.cpu.current];
    let (selector, task) = (Selector(thread.registers.status as u32), thread.task);
    let capability = machine.tasks[task].capabilities.get(selector.index());
    let decision = match selector.operation() {
        // No capability gets behind a sweep.
        Some(_) if carry::may_carry(thread, selector) && invoke::swept(kernel, this) => {
            kernel.machine.threads[this.cpu.current].again();
            Decision::Stay
        }
        Some(operation) => {
            let decision = match operation {
                Operation::Call if !capability.is(ObjectType::Endpoint) => invoke::invoke(kernel, this, capability),
                _ => slow(kernel, this, operation, selector.index(), capability),
            };
            if selector.is_timed() {
                let now = this.cpu.stamp;
                timed::limit(&mut kernel.machine, &mut this.cpu, decision, now)
            } else {
                decision
            }
        }
        None => refuse(&mut kernel.machine, &this.cpu, Error::BadOperation),
    };
    match decision {
        Decision::Stay => this.cpu.reconsider(&mut kernel.machine),
        decision => decision,
    }
}

/// All that is no method of an object of the kernel's.
#[inline(never)]
fn slow(kernel: &mut Kernel, this: &mut PerCpu, operation: Operation, index: u32, capability: Capability) -> Decision {
    let Kernel { machine, facts, .. } = kernel;
    let cpu = &mut this.cpu;
    let endpoint = |machine: &Machine, rights| object::<Endpoint>(&machine.endpoints, capability, rights);
    let notification = |machine: &Machine, rights| object::<Notification>(&machine.notifications, capability, rights);
    let result = match operation {
        Operation::Call | Operation::Send | Operation::SendNonBlocking | Operation::CallNonBlocking => {
            let how = Sending {
                call: matches!(operation, Operation::Call | Operation::CallNonBlocking),
                blocking: matches!(operation, Operation::Call | Operation::Send),
            };
            endpoint(machine, Rights::SEND).map(|at| general::send(machine, cpu, at, capability.badge, how))
        }
        Operation::Reply => Ok(general::reply(machine, cpu, machine.threads[cpu.current].caller)),
        Operation::ReplyKept => {
            object(&machine.replies, capability, Rights::SEND).map(|at| kept::reply(machine, cpu, at))
        }
        Operation::Receive
        | Operation::ReceiveNonBlocking
        | Operation::ReplyReceive
        | Operation::ReturnReceive
        | Operation::KeepReceive => {
            if operation == Operation::ReturnReceive {
                machine.threads[cpu.current].return_registers();
            }
            let keeps = operation == Operation::KeepReceive;
            let named = if index == 0 || keeps { home(machine, cpu) } else { endpoint(machine, Rights::RECEIVE) };
            named.and_then(|at| {
                if keeps {
                    let reply = object(&machine.replies, capability, Rights::RECEIVE)?;
                    kept::keep(machine, cpu, reply)?;
                }
                Ok(match operation {
                    Operation::ReplyReceive | Operation::ReturnReceive => general::reply_receive(machine, cpu, at),
                    _ => general::receive(machine, cpu, at, operation != Operation::ReceiveNonBlocking),
                })
            })
        }
        Operation::Accept => carry::accept(machine, cpu.current).map(|()| {
            machine.threads[cpu.current].finish(Ok(()));
            Decision::Stay
        }),
        Operation::Bind => {
            let named = if index == 0 { Ok(Index::NONE) } else { notification(machine, Rights::RECEIVE) };
            named.and_then(|at| machine.bind(cpu.current, at)).map(|()| {
                machine.threads[cpu.current].finish(Ok(()));
                Decision::Stay
            })
        }
        Operation::Signal => notification(machine, Rights::SEND).map(|at| {
            machine.threads[cpu.current].finish(Ok(()));
            notify::signal(machine, cpu, at, capability.badge)
        }),
        Operation::Wait | Operation::Poll => notification(machine, Rights::RECEIVE)
            .map(|at| notify::wait(machine, cpu, at, operation == Operation::Wait)),
        Operation::Exit => match invoke::exit(kernel, this) {
            Ok(decision) => return decision,
            Err(error) => return refuse(&mut kernel.machine, &this.cpu, error),
        },
        Operation::Yield => {
            machine.threads[cpu.current].finish(Ok(()));
            Ok(cpu.give_way(machine))
        }
        Operation::Null => {
            machine.threads[cpu.current].finish(Ok(()));
            Ok(Decision::Stay)
        }
        Operation::Time => {
            timer::tell(facts.clock, machine, cpu);
            Ok(Decision::Stay)
        }
        Operation::SetDeadline => timer::set_deadline(facts.clock, machine, cpu).map(|()| Decision::Stay),
        Operation::Sleep => timer::set_deadline(facts.clock, machine, cpu).map(|()| {
            let now = cpu.stamp;
            timed::sleep(machine, cpu, now)
        }),
    };
    match result {
        Ok(decision) => decision,
        Err(error) => refuse(machine, cpu, error),
    }
}

/// Where the running thread received last.
fn home(machine: &Machine, cpu: &Cpu) -> Result<Index<Endpoint>, Error> {
    machine.threads[cpu.current].home.endpoint.some().ok_or(Error::BadCapability)
}

/// The object that a capability names, or why not.
///
/// # Errors
/// `BadCapability` for none and for a stale one, `WrongType`, `NoRight`.
#[inline(never)]
pub fn object<T: Object>(slab: &Slab<T>, capability: Capability, rights: Rights) -> Result<Index<T>, Error> {
    let number = capability.number();
    admitted(slab.header(number), T::TYPE, capability.key, rights).map(|()| Index::new(number))
}

/// Whether the key of a capability names the object of its number, as one of a type, with these rights.
#[inline(never)]
fn admitted(header: Option<&Header>, object_type: ObjectType, key: Key, rights: Rights) -> Result<(), Error> {
    let named = |rights| header.is_some_and(|header| header.admits(key, rights));
    match slab::type_number(key) {
        number if number == ObjectType::Null as u8 => Err(Error::BadCapability),
        number if number != object_type as u8 => Err(Error::WrongType),
        _ if named(rights) => Ok(()),
        _ if named(Rights::empty()) => Err(Error::NoRight),
        _ => Err(Error::BadCapability),
    }
}

fn refuse(machine: &mut Machine, cpu: &Cpu, error: Error) -> Decision {
    machine.threads[cpu.current].finish(Err(error));
    Decision::Stay
}

/// The time-stamp counter. Not ordered against its neighbours: the error does not add up, since each reading
/// ends one interval and begins the next.
#[inline(always)]
pub fn timestamp() -> u64 {
    // SAFETY: every x86-64 CPU has it.
    unsafe { core::arch::x86_64::_rdtsc() }
}
