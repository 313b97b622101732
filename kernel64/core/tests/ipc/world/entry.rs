//! Into the core: the fast path, and a system call by the general one.

use lilliput_abi::Error;
use lilliput_abi::foreign::VECTOR;
use lilliput_abi::operation::{CARRIES, LONG, TIMED};
use lilliput_core::cpu::Decision;
use lilliput_core::ipc::general::Sending;
use lilliput_core::ipc::{fast, general, kept, notify};
use lilliput_core::slab::Index;
use lilliput_core::thread::{Fault, Interrupted, Obstacles};

use super::{RESIDUE, World, admit, enter_foreign};
use crate::step::{Message, Step};

impl World {
    /// What the assembly of the entry does, without the capability table: an answer goes there only if it names no endpoint.
    pub(super) fn fast_path(&mut self, step: &Step) -> Option<Decision> {
        if !self.fast || self.cpu.current.is_none() || self.time.limit.is_some() {
            return None;
        }
        match *step {
            Step::Call { endpoint, badge, blocking: true, message } => {
                self.load(&message);
                let endpoint = admit(&self.machine.endpoints, self.endpoints[endpoint])?;
                fast::call(&mut self.machine, &mut self.cpu, endpoint, badge)
            }
            Step::ReplyHome(message) => {
                self.load(&message);
                fast::reply_receive(&mut self.machine, &mut self.cpu)
            }
            Step::ReturnHome(message) => {
                self.load(&message);
                fast::return_receive(&mut self.machine, &mut self.cpu)
            }
            Step::Foreign => {
                let Self { machine, cpu, .. } = self;
                let thread = &mut machine.threads[cpu.current];
                let before = (thread.obstacles, thread.interrupted, thread.frame, thread.registers);
                let raised = enter_foreign(thread);
                let taken = fast::foreign_call(machine, cpu, raised);
                if taken.is_none() {
                    let thread = &mut machine.threads[cpu.current];
                    (thread.obstacles, thread.interrupted, thread.frame, thread.registers) = before;
                }
                taken
            }
            Step::KeepHome(reply) => {
                self.load(&Message::default());
                // By a right to receive, which all capabilities here have.
                let reply = admit(&self.machine.replies, self.replies[reply])?;
                fast::keep_receive(&mut self.machine, &mut self.cpu, reply)
            }
            Step::ReplyKept { reply, message } => {
                self.load(&message);
                let reply = admit(&self.machine.replies, self.replies[reply])?;
                fast::reply_kept(&mut self.machine, &mut self.cpu, reply)
            }
            Step::Signal { notification, bits } => {
                self.load(&Message::default());
                let notification = admit(&self.machine.notifications, self.notifications[notification])?;
                fast::signal(&mut self.machine, &mut self.cpu, notification, bits)
            }
            // A foreign system call goes the general way.
            Step::Fault { raised, handler: Some(handler), badge } if raised.vector != VECTOR => {
                let endpoint = admit(&self.machine.endpoints, self.endpoints[handler])?;
                let Self { machine, cpu, .. } = self;
                let before = machine.threads[cpu.current].obstacles;
                machine.threads[cpu.current].interrupt(Interrupted {
                    ip: raised.ip,
                    sp: raised.sp,
                    flags: 0,
                    ..Interrupted::default()
                });
                let fault = Fault { vector: raised.vector, code: raised.code, address: raised.address };
                let taken = fast::raise(machine, cpu, endpoint, badge, fault);
                if taken.is_none() {
                    machine.threads[cpu.current].obstacles = before;
                }
                taken
            }
            _ => None,
        }
    }

    /// What `dispatch` does, without the capability table.
    pub(super) fn system_call(&mut self, step: &Step) -> Decision {
        self.load(&match *step {
            Step::Send { message, .. } | Step::Call { message, .. } => message,
            Step::Reply(message) | Step::ReplyReceive { message, .. } | Step::ReplyKept { message, .. } => message,
            Step::ReplyHome(message) | Step::ReturnHome(message) => message,
            _ => Message::default(),
        });
        let Self { machine, cpu, .. } = self;
        let endpoint = |name: usize| admit(&machine.endpoints, self.endpoints[name]).ok_or(Error::BadCapability);
        let notification =
            |name: usize| admit(&machine.notifications, self.notifications[name]).ok_or(Error::BadCapability);
        let reply = |name: usize| admit(&machine.replies, self.replies[name]).ok_or(Error::BadCapability);
        let result = match *step {
            Step::Call { endpoint: at, badge, blocking, .. } => {
                endpoint(at).map(|at| general::send(machine, cpu, at, badge, Sending { call: true, blocking }))
            }
            Step::Send { endpoint: at, badge, blocking, .. } => {
                endpoint(at).map(|at| general::send(machine, cpu, at, badge, Sending { call: false, blocking }))
            }
            Step::Receive { endpoint: at, blocking } => {
                endpoint(at).map(|at| general::receive(machine, cpu, at, blocking))
            }
            Step::Reply(_) => Ok(general::reply(machine, cpu, machine.threads[cpu.current].caller)),
            Step::ReplyKept { reply: at, .. } => reply(at).map(|at| kept::reply(machine, cpu, at)),
            Step::KeepHome(at) => reply(at).and_then(|at| {
                let home = machine.threads[cpu.current].home.endpoint.some().ok_or(Error::BadCapability)?;
                kept::keep(machine, cpu, at)?;
                Ok(general::receive(machine, cpu, home, true))
            }),
            Step::ReplyReceive { endpoint: at, .. } => endpoint(at).map(|at| general::reply_receive(machine, cpu, at)),
            Step::ReplyHome(_) => {
                let home = machine.threads[cpu.current].home.endpoint;
                let home = home.some().ok_or(Error::BadCapability);
                home.map(|home| general::reply_receive(machine, cpu, home))
            }
            Step::ReturnHome(_) => {
                let home = machine.threads[cpu.current].home.endpoint;
                let home = home.some().ok_or(Error::BadCapability);
                machine.threads[cpu.current].return_registers();
                home.map(|home| general::reply_receive(machine, cpu, home))
            }
            Step::Signal { notification: at, bits } => notification(at).map(|at| {
                machine.threads[cpu.current].finish(Ok(()));
                notify::signal(machine, cpu, at, bits)
            }),
            Step::Wait { notification: at, blocking } => {
                notification(at).map(|at| notify::wait(machine, cpu, at, blocking))
            }
            Step::Bind(at) => {
                let named = at.map_or(Ok(Index::NONE), notification);
                named.and_then(|at| machine.bind(cpu.current, at)).map(|()| {
                    machine.threads[cpu.current].finish(Ok(()));
                    Decision::Stay
                })
            }
            _ => {
                machine.threads[cpu.current].finish(Ok(()));
                Ok(cpu.give_way(machine))
            }
        };
        result.unwrap_or_else(|error| {
            machine.threads[cpu.current].finish(Err(error));
            Decision::Stay
        })
    }

    /// The running thread's registers at a system call. What is no part of its message is residue: the upper halves
    /// and the upper registers of a 32-bit thread too, which are what the CPU had there.
    pub(super) fn load(&mut self, message: &Message) {
        let thread = &mut self.machine.threads[self.cpu.current];
        thread.obstacles.remove(Obstacles::FULL_FRAME);
        let registers = &mut thread.registers;
        registers.words = message.words;
        if !thread.kind.is_wide() {
            for word in &mut registers.words {
                *word |= RESIDUE << 32;
            }
            registers.words[4..].fill(RESIDUE);
        }
        registers.tag = RESIDUE << 32 | u64::from(message.tag());
        let mut selector = (self.operation as u32) << 24;
        selector |= if message.long { LONG } else { 0 };
        selector |= if message.carries { CARRIES } else { 0 };
        selector |= if self.timed { TIMED } else { 0 };
        (registers.status, registers.rcx, registers.r11) = (u64::from(selector), RESIDUE, RESIDUE);
    }
}
