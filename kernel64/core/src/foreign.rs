//! Foreign threads: whose system calls are not the kernel's but their handler's.
//!
//! A foreign system call is an exception of a kind: a call that the kernel makes on behalf of the thread, whose registers hold still until
//! it is answered. So all that is true of a fault's handler (who it is, how it dies, what it may read and set) is true here.
//! The thread has no places and no home: so there is nothing that the fast path could take for a call of the kernel's.

use lilliput_abi::foreign::{ANSWER, INTERRUPT_LABEL, SYSCALL_LABEL, SYSENTER_LABEL, VECTOR, WORDS};
use lilliput_abi::tag::MAX_WORDS;
use lilliput_abi::{Error, Operation, Selector, Tag};

use crate::ipc::message::Message;
use crate::machine::Machine;
use crate::registers::FLAGS;
use crate::slab::Index;
use crate::thread::{Fault, Frame, Interrupted, Kind, NullCall, Registers, State, Thread, Ways};

/// The instruction by which a thread entered the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Entry {
    /// SYSCALL from compatibility mode.
    Syscall32 = 0,
    /// SYSCALL from 64-bit code.
    Syscall64 = 1,
    /// SYSENTER, which only 32-bit code should execute.
    Sysenter = 2,
}

impl Entry {
    /// The entry that the assembly means by a number.
    pub const fn from_number(number: u32) -> Self {
        match number {
            0 => Self::Syscall32,
            1 => Self::Syscall64,
            _ => Self::Sysenter,
        }
    }

    /// Whether it is one of 64-bit code.
    pub const fn is_wide(self) -> bool {
        matches!(self, Self::Syscall64)
    }
}

/// What a foreign system call by `int` is to the handler. Where the thread goes on is stored already.
pub const BY_INTERRUPT: Fault = call(INTERRUPT_LABEL);

const fn call(label: u16) -> Fault {
    Fault { vector: VECTOR, code: label as u32, address: 0 }
}

impl Fault {
    /// Whether it is no exception but a foreign system call.
    pub const fn is_foreign_call(&self) -> bool {
        self.vector == VECTOR
    }
}

impl Thread {
    /// Whether its system calls are its handler's.
    pub const fn is_foreign(&self) -> bool {
        matches!(self.ways, Ways::Foreign)
    }

    /// It made a foreign system call, by this instruction, with this in ECX. Stores where it goes on, with the flags that a system call of the
    /// kernel's leaves; says what the handler is told.
    pub fn foreign_call(&mut self, entry: Entry, cx: u32) -> Fault {
        let Frame { ip, sp, .. } = self.frame;
        let (ip, sp) = match entry {
            Entry::Syscall32 => (u64::from(cx), sp),
            Entry::Syscall64 => (ip, sp),
            Entry::Sysenter => (ip, u64::from(self.registers.words[3] as u32)),
        };
        self.registers.rcx = if entry.is_wide() { ip } else { u64::from(cx) };
        self.registers.r11 = if entry.is_wide() { FLAGS } else { 0 };
        self.interrupt(Interrupted { ip, sp, flags: FLAGS, ..Interrupted::default() });
        call(if entry == Entry::Sysenter { SYSENTER_LABEL } else { SYSCALL_LABEL })
    }

    /// Whether a 64-bit one goes on as SYSRETQ goes on: with what SYSCALL left in RCX and R11, and with the flags of a system call of the kernel's.
    pub fn goes_on_behind_syscall(&self) -> bool {
        let Registers { rcx, r11, .. } = self.registers;
        (rcx, r11, self.interrupted.flags) == (self.interrupted.ip, FLAGS, FLAGS)
    }

    /// The message about the foreign system call that it made.
    pub fn foreign_message(&self, raised: Fault) -> Message {
        let registers = &self.registers;
        let [bx, si, di, bp, r8, r9, r10, ..] = registers.words;
        let arguments = if self.kind.is_wide() {
            [registers.status, si, di, registers.tag, r8, r9, r10]
        } else {
            [bx, si, di, bp, registers.status, registers.rcx, registers.tag].map(|value| u64::from(value as u32))
        };
        let mut words = [0; MAX_WORDS as usize];
        words[..arguments.len()].copy_from_slice(&arguments);
        // All of it fits a 64-bit receiver, and a small one can't have that many words.
        Message { tag: Tag::new(raised.code as u16, WORDS), long: true, from: Kind::Wide, carries: None, words }
    }

    /// Its answer is one that sets registers: what it asks for is [`Operation::ReplyReceive`] with that, at the same place and by the same deadline.
    pub fn return_registers(&mut self) {
        let own = self.selector();
        let answer = Selector::new(Operation::ReplyReceive, own.index()).long();
        self.registers.status = u64::from(if own.is_timed() { answer.timed() } else { answer }.0);
        self.registers.tag = u64::from(Tag::new(ANSWER, WORDS).0);
    }

    /// Sets the registers that its message told of.
    pub fn set_arguments(&mut self, words: &[u64]) {
        let registers = &mut self.registers;
        let mut arguments = [0; WORDS as usize];
        arguments.copy_from_slice(&words[..WORDS as usize]);
        if self.kind.is_wide() {
            let [ax, si, di, dx, r8, r9, r10] = arguments;
            (registers.status, registers.tag) = (ax, dx);
            [registers.words[1], registers.words[2]] = [si, di];
            registers.words[4..7].copy_from_slice(&[r8, r9, r10]);
        } else {
            let [bx, si, di, bp, ax, cx, dx] = arguments.map(|value| u64::from(value as u32));
            registers.words[..4].copy_from_slice(&[bx, si, di, bp]);
            (registers.status, registers.rcx, registers.tag) = (ax, cx, dx);
        }
    }
}

impl Machine {
    /// Makes a stopped thread foreign, or one of the kernel's again. `after_sysenter`: where a small one goes on after SYSENTER, be it the
    /// kernel's or not.
    ///
    /// # Errors
    /// `Busy` where it is not stopped.
    pub fn set_foreign(&mut self, index: Index<Thread>, foreign: bool, after_sysenter: u64) -> Result<(), Error> {
        if self.threads[index].state != State::Stopped {
            return Err(Error::Busy);
        }
        self.leave_home(index);
        let thread = &mut self.threads[index];
        // Where it goes on must not change with where its system calls return.
        thread.leave_system_call();
        (thread.ways, thread.null_call, thread.places) = if foreign {
            (Ways::Foreign, NullCall::FOREIGN, 0)
        } else {
            (Ways::own(thread.kind), NullCall::default(), self.tasks[thread.task].capabilities.places())
        };
        thread.set_fault(None);
        thread.set_gate(true);
        if thread.kind == Kind::Small {
            thread.frame.ip = after_sysenter;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
