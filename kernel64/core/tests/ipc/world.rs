//! The real core, driven as the kernel drives it.

mod entry;
mod seen;

use lilliput_abi::layout::ENTRY_PAGE;
use lilliput_abi::{Operation, Rights};
use lilliput_core::capability::{Capability, CapabilityTable};
use lilliput_core::cpu::{Cpu, Decision};
use lilliput_core::endpoint::{Endpoint, Notification};
use lilliput_core::foreign::{BY_INTERRUPT, Entry as Instruction};
use lilliput_core::ipc::{end, general, kept, timed};
use lilliput_core::machine::Machine;
use lilliput_core::reply::Reply;
use lilliput_core::slab::{Index, Object, Slab};
use lilliput_core::task::{Space, Task};
use lilliput_core::thread::{Fault, Interrupted, Kind, Obstacles, Thread, UserCode, UserData};
use lilliput_core::timers::{Entry, Timers};

use crate::clock::{TURN, Time, budget_of};
use crate::step::{ENDPOINTS, Message, NOTIFICATIONS, New, REPLIES, Raised, Step, TASKS, THREADS};

/// Where a foreign thread goes on after its call.
const FOREIGN_CALL: Interrupted =
    Interrupted { ip: 0x9002, flags: 0x202, sp: 0xa000, cs: UserCode::Selector, ss: UserData::Selector };

/// What stands in registers, or parts of them, that are no business of a message's.
const RESIDUE: u64 = 0xdead_beef;

/// Places of a task's table.
const PLACES: usize = 8;

/// Threads, endpoints and notifications by the names of a trace.
pub struct World {
    pub machine: Machine,
    pub cpu: Cpu,
    /// Whether the fast path is tried first.
    pub fast: bool,
    /// How often it was the fast path that decided.
    pub fast_taken: usize,
    pub threads: [Index<Thread>; THREADS],
    pub endpoints: [Capability; ENDPOINTS],
    pub notifications: [Capability; NOTIFICATIONS],
    pub replies: [Capability; REPLIES],
    pub tasks: [Index<Task>; TASKS],
    time: Time,
    /// The operation of the next system call.
    operation: Operation,
    timed: bool,
}

fn slab<T: Object + Default>(entries: usize) -> Slab<T> {
    Slab::new((0..entries + T::FIRST as usize).map(|_| T::default()).collect::<Vec<_>>().leak())
}

fn capability<T: Object>(slab: &mut Slab<T>, object: T) -> Capability {
    let index = slab.insert(1, object).unwrap();
    Capability::new(index.number(), slab[index].header(), Rights::all())
}

fn admit<T: Object>(slab: &Slab<T>, capability: Capability) -> Option<Index<T>> {
    slab.admit(capability.number(), capability.key, Rights::SEND)
}

/// The running thread makes a foreign system call, by `int` or by the instruction for its width.
fn enter_foreign(thread: &mut Thread) -> Fault {
    if !thread.kind.is_wide() {
        thread.interrupt(FOREIGN_CALL);
        return BY_INTERRUPT;
    }
    (thread.frame.ip, thread.frame.sp) = (FOREIGN_CALL.ip, FOREIGN_CALL.sp);
    thread.foreign_call(Instruction::Syscall64, 0)
}

impl World {
    /// All objects but threads.
    pub fn new(fast: bool) -> Self {
        let mut machine = Machine {
            threads: slab(THREADS),
            tasks: slab(TASKS),
            endpoints: slab(ENDPOINTS),
            notifications: slab(NOTIFICATIONS),
            replies: slab(REPLIES),
            timers: Timers::new(vec![Entry::default(); THREADS].leak()),
            pages: crate::memory::PAGES,
        };
        machine.endpoints[Index::NONE] = Endpoint::nowhere();
        let mut number = 0;
        let tasks = [(); TASKS].map(|()| {
            number += 1;
            let space = Space { cr3: number << 12, size: 1 << 30, ..Space::default() };
            let capabilities = CapabilityTable::new(vec![Capability::NULL; PLACES].leak());
            machine.tasks.insert(1, Task { space, capabilities, ..Task::default() }).unwrap()
        });
        let mut world = Self {
            machine,
            cpu: Cpu::new(),
            fast,
            fast_taken: 0,
            threads: [Index::NONE; THREADS],
            endpoints: [Capability::NULL; ENDPOINTS],
            notifications: [Capability::NULL; NOTIFICATIONS],
            replies: [Capability::NULL; REPLIES],
            tasks,
            time: Time::default(),
            operation: Operation::Null,
            timed: false,
        };
        world.cpu.begin(world.time.now(), [TURN * Time::UNIT; 2]);
        world.renew();
        world
    }

    /// Does a step, as the kernel would: decides, and carries the decision out.
    pub fn step(&mut self, step: &Step) -> Decision {
        if let Step::Pass(time) = *step {
            (0..time).for_each(|_| self.pass());
            return Decision::Stay;
        }
        let entered = self.cpu.current;
        self.cpu.stamp = self.time.now();
        let decision = self.decide(step);
        self.leave(entered, decision);
        decision
    }

    fn leave(&mut self, entered: Index<Thread>, decision: Decision) {
        self.cpu.apply(&mut self.machine, decision);
        self.cpu.leave(&mut self.machine, entered, self.time.now());
    }

    /// A unit of time passes, at the end of which the timer interrupts, whether there is something to do or not.
    fn pass(&mut self) {
        self.time.pass();
        let now = self.time.now();
        let Self { machine, cpu, .. } = self;
        let entered = cpu.current;
        let wanted = if entered.is_none() { machine.timers.first() } else { machine.timers.first().min(cpu.until()) };
        cpu.enter(machine, now);
        let decision = cpu.rang(machine);
        let due = machine.timers.due(now).is_some();
        assert!(now >= wanted || decision == Decision::Stay && !due, "the timer is to be set to what comes first");
        let woke = timed::expire(machine, cpu, now);
        let decision = if woke && decision == Decision::Stay { cpu.reconsider(machine) } else { decision };
        self.leave(entered, if entered.is_none() { Decision::Block } else { decision });
    }

    fn decide(&mut self, step: &Step) -> Decision {
        self.operation = match *step {
            Step::Call { blocking: true, .. } => Operation::Call,
            Step::Call { .. } => Operation::CallNonBlocking,
            Step::Send { .. } => Operation::Send,
            Step::Receive { blocking: false, .. } => Operation::ReceiveNonBlocking,
            Step::Receive { .. } => Operation::Receive,
            Step::Reply(_) => Operation::Reply,
            Step::KeepHome(_) => Operation::KeepReceive,
            Step::ReplyKept { .. } => Operation::ReplyKept,
            Step::ReplyReceive { .. } | Step::ReplyHome(_) => Operation::ReplyReceive,
            Step::ReturnHome(_) => Operation::ReturnReceive,
            _ => Operation::Null,
        };
        if let Some(decision) = self.fast_path(step) {
            self.fast_taken += 1;
            return decision;
        }
        let Self { machine, cpu, .. } = self;
        cpu.enter(machine, self.time.now());
        match *step {
            Step::Start { thread, new } => self.start(thread, new),
            Step::SetPriority { thread, priority } => {
                if let Some(thread) = self.threads[thread].some() {
                    cpu.set_priority(machine, thread, priority);
                }
            }
            Step::DestroyThread(name) => self.destroy_thread(name),
            Step::MakeForeign { thread, handler, badge } => self.make_foreign(thread, handler, badge),
            Step::DestroyEndpoint(name) => {
                if let Some(endpoint) = admit(&machine.endpoints, self.endpoints[name]) {
                    while !end::close_endpoint(machine, cpu, endpoint, 1) {}
                    machine.endpoints.remove(endpoint);
                }
            }
            Step::DestroyNotification(name) => {
                if let Some(notification) = admit(&machine.notifications, self.notifications[name]) {
                    while !end::close_notification(machine, cpu, notification, 2) {}
                    machine.notifications.remove(notification);
                }
            }
            Step::DestroyReply(name) => {
                if let Some(reply) = admit(&machine.replies, self.replies[name]) {
                    kept::close(machine, cpu, reply);
                    machine.replies.remove(reply);
                }
            }
            Step::Renew => self.renew(),
            Step::SetBudget { thread: name, budget } => {
                if let Some(thread) = self.threads[name].some() {
                    cpu.set_budget(machine, thread, budget_of(budget, self.time.now() - name as u64));
                }
            }
            Step::Pass(_) => unreachable!(),
            _ if cpu.current.is_none() => {}
            Step::Limit(distance) => self.time.limit = Some(self.time.deadline(distance)),
            Step::Sleep(distance) => {
                self.time.limit = None;
                let deadline = self.time.deadline(distance);
                self.load(&Message::default());
                self.machine.threads[self.cpu.current].timer.deadline = deadline;
                return timed::sleep(&mut self.machine, &mut self.cpu, self.time.now());
            }
            Step::Fault { raised, handler, badge } => return self.fault(raised, handler, badge),
            Step::Foreign => return self.foreign_call(),
            _ => {
                let limit = self.time.limit.take();
                self.timed = limit.is_some() && step.can_wait();
                let mut decision = self.system_call(step);
                self.timed = false;
                if let Some(deadline) = limit
                    && step.can_wait()
                {
                    self.machine.threads[self.cpu.current].timer.deadline = deadline;
                    decision = timed::limit(&mut self.machine, &mut self.cpu, decision, self.time.now());
                }
                if decision != Decision::Stay {
                    return decision;
                }
            }
        }
        if self.cpu.current.is_none() { Decision::Block } else { self.cpu.reconsider(&mut self.machine) }
    }

    /// The running thread makes its system call again, if the kernel wants it to. Whether it did.
    pub fn repeat(&mut self) -> bool {
        let Self { machine, cpu, .. } = self;
        let thread = &mut machine.threads[cpu.current];
        let at = if thread.kind.is_wide() { thread.frame.ip.wrapping_sub(2) } else { u64::from(ENTRY_PAGE) };
        if cpu.current.is_none() || !thread.has_full_frame() || thread.interrupted.ip != at {
            return false;
        }
        thread.obstacles.remove(Obstacles::FULL_FRAME);
        thread.interrupted.ip = 0;
        let (selector, home) = (thread.selector(), thread.home.endpoint);
        assert_eq!(selector.index(), 0, "it goes on where it received last");
        cpu.enter(machine, 0);
        let mut decision = match selector.operation() {
            Some(Operation::Receive) => general::receive(machine, cpu, home, true),
            Some(Operation::ReceiveNonBlocking) => general::receive(machine, cpu, home, false),
            Some(Operation::ReplyReceive) => general::reply_receive(machine, cpu, home),
            Some(Operation::Reply) => general::reply(machine, cpu, machine.threads[cpu.current].caller),
            other => panic!("{other:?} is made again"),
        };
        if selector.is_timed() {
            decision = timed::limit(machine, cpu, decision, self.time.now());
        }
        if decision == Decision::Stay {
            decision = self.cpu.reconsider(&mut self.machine);
        }
        self.cpu.apply(&mut self.machine, decision);
        true
    }

    fn make_foreign(&mut self, name: usize, handler: usize, badge: u32) {
        let Self { machine, cpu, .. } = self;
        let (thread, mut handler) = (self.threads[name], self.endpoints[handler]);
        handler.badge = badge;
        if thread.is_none() || thread == cpu.current {
            return;
        }
        end::detach(machine, cpu, thread);
        machine.set_handler(thread, handler);
        machine.set_foreign(thread, true, 0x7000).unwrap();
        cpu.enqueue(machine, thread);
    }

    fn foreign_call(&mut self) -> Decision {
        let Self { machine, cpu, .. } = self;
        let raised = enter_foreign(&mut machine.threads[cpu.current]);
        let Some((handler, badge)) = machine.handler(cpu.current) else {
            end::detach(machine, cpu, cpu.current);
            return Decision::Block;
        };
        general::raise(machine, cpu, handler, badge, raised)
    }

    fn fault(&mut self, raised: Raised, handler: Option<usize>, badge: u32) -> Decision {
        let Self { machine, cpu, .. } = self;
        let thread = &mut machine.threads[cpu.current];
        thread.interrupt(Interrupted { ip: raised.ip, sp: raised.sp, flags: 0, ..Interrupted::default() });
        let fault = Fault { vector: raised.vector, code: raised.code, address: raised.address };
        if let Some(at) = handler.and_then(|name| admit(&machine.endpoints, self.endpoints[name])) {
            return general::raise(machine, cpu, at, badge, fault);
        }
        // Nobody is told: it stops.
        end::detach(machine, cpu, cpu.current);
        Decision::Block
    }

    fn start(&mut self, name: usize, New { kind, task, priority, budget }: New) {
        if !self.threads[name].is_none() {
            return;
        }
        let task = self.tasks[task];
        let arena = if kind == Kind::Wide { 0 } else { 1 };
        let budget = budget_of(budget, self.time.now() - name as u64);
        let mut thread = Thread { kind, arena, priority, task, budget, ..Thread::default() };
        thread.set_peers(thread.arena);
        let index = self.machine.threads.insert(1, thread).unwrap();
        self.machine.join(index);
        self.threads[name] = index;
        self.cpu.enqueue(&mut self.machine, index);
    }

    /// Whoever runs is not destroyed: the kernel refuses that.
    fn destroy_thread(&mut self, name: usize) {
        let index = self.threads[name];
        if index.is_none() || index == self.cpu.current {
            return;
        }
        let Self { machine, cpu, .. } = self;
        while !kept::forsake(machine, cpu, index, 1) {}
        end::detach(machine, cpu, index);
        machine.leave_home(index);
        machine.part(index);
        machine.threads.remove(index);
        self.threads[name] = Index::NONE;
    }

    fn renew(&mut self) {
        for place in &mut self.endpoints {
            if admit(&self.machine.endpoints, *place).is_none() {
                *place = capability(&mut self.machine.endpoints, Endpoint::default());
            }
        }
        for place in &mut self.notifications {
            if admit(&self.machine.notifications, *place).is_none() {
                *place = capability(&mut self.machine.notifications, Notification::default());
            }
        }
        for place in &mut self.replies {
            if admit(&self.machine.replies, *place).is_none() {
                *place = capability(&mut self.machine.replies, Reply::default());
            }
        }
    }
}
