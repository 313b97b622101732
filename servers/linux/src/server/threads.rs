//! Threads: how they begin and end.

use lilliput_abi::object::register::{AX, SP};
use syscalls::Errno;

use super::{Outcome, Result, Server};
use crate::arch::{Arch, Registers};
use crate::known::THREADS;
use crate::machine::{Machine, Vector};
use crate::memory::Memory;
use crate::process::{End, Thread};
use crate::program::vdso;
use crate::signal::{Pending, Set};

/// How many threads one process can have.
const MOST_OF_ONE: usize = 256;

/// What a thread has from the one that made it, or from who asked for it.
#[derive(Clone, Copy, Default)]
pub(crate) struct Inherited {
    pub(crate) mask: Set,
    pub(crate) tls: (u64, u32),
    pub(crate) signal_stack: (u64, u64),
    pub(crate) clear_tid: u64,
    /// Unless it begins afresh.
    pub(crate) vector: Option<Vector>,
}

/// What `clone` asks for.
#[derive(Clone, Copy, Default)]
pub(crate) struct Birth {
    /// Another stack pointer, if it is not 0.
    pub(crate) stack: u64,
    /// Another thread-local segment.
    pub(crate) tls: Option<(u64, u32)>,
    /// Where the number is written in the child's memory, if it is not 0.
    pub(crate) set_tid: u64,
    /// Where a zero is written at the end.
    pub(crate) clear_tid: u64,
    /// Whether a process shares its parent's memory.
    pub(crate) shares: bool,
    /// Whether its parent waits until it does not need that any more.
    pub(crate) is_awaited: bool,
}

impl<M: Machine> Server<M> {
    /// What a child of the thread whose call is served begins with.
    pub(super) fn inheritance(&mut self, birth: &Birth) -> Result<(Registers, Inherited)> {
        let thread = self.thread();
        let (handle, arch) = (thread.handle, thread.arch);
        // Who shares memory has a stack of its own, or its parent waits.
        let own_stack = birth.shares && !birth.is_awaited;
        let inherited = Inherited {
            mask: thread.mask,
            tls: birth.tls.unwrap_or(thread.tls),
            signal_stack: if own_stack { (0, 0) } else { thread.signal_stack },
            clear_tid: birth.clear_tid,
            vector: Some(self.machine.vector(handle)?),
        };
        let mut registers = self.machine.registers(handle, arch)?;
        registers.set(AX, 0);
        if birth.stack != 0 {
            registers.set(SP, birth.stack);
        }
        Ok((registers, inherited))
    }

    /// One more thread of the process whose call is served; its number.
    pub(crate) fn spawn(&mut self, birth: &Birth) -> Result<u32> {
        let (registers, inherited) = self.inheritance(birth)?;
        let tid = self.new_pid();
        if birth.set_tid != 0 {
            // A bad address is the program's own affair.
            let _ = self.user().write(birth.set_tid, &tid.to_le_bytes());
        }
        let place = self.thread().process;
        self.add_thread(place, &registers, tid, inherited)?;
        Ok(tid)
    }

    /// A new thread of a process, which runs.
    pub(super) fn add_thread(
        &mut self,
        place: usize,
        registers: &Registers,
        tid: u32,
        inherited: Inherited,
    ) -> Result<usize> {
        let process = self.processes[place].as_mut().ok_or(Errno::ESRCH)?;
        let memory = process.memory.ok_or(Errno::ESRCH)?;
        let number = self.threads.iter().position(Option::is_none).unwrap_or(self.threads.len());
        if number >= THREADS || process.threads.len() >= MOST_OF_ONE {
            return Err(Errno::EAGAIN);
        }
        let Memory { space, calls, .. } = *self.memories.get(memory);
        // Where there is no page for it, nobody is told of SYSENTER: one that makes it all the same goes on where it likes the least.
        let has_page = calls != 0 && process.arch == Arch::I386;
        let after = if has_page { calls + vdso::landing(self.way) } else { lilliput_abi::layout::USER_START };
        let handle = self.machine.create_thread(space, number as u32 + 1, after)?;
        let thread = Thread {
            tid,
            pid: process.pid,
            name: None,
            process: place,
            handle,
            arch: process.arch,
            memory,
            mask: inherited.mask,
            old_mask: None,
            pending: Pending::default(),
            waiting: None,
            deadline: None,
            progress: 0,
            reads: None,
            opening: None,
            remainder: None,
            tls: inherited.tls,
            queued: None,
            clear_tid: inherited.clear_tid,
            locks: 0,
            signal_stack: inherited.signal_stack,
            runs: true,
            is_kept: false,
        };
        let mut ready = self.machine.set_registers(handle, process.arch, registers);
        if ready.is_ok() && inherited.tls != (0, 0) {
            ready = self.machine.set_tls(handle, process.arch, inherited.tls.0, inherited.tls.1);
        }
        if ready.is_ok()
            && let Some(vector) = &inherited.vector
        {
            ready = self.machine.set_vector(handle, vector);
        }
        if let Err(error) = ready {
            self.machine.destroy_thread(handle);
            return Err(error);
        }
        process.threads.push(number);
        self.known.add(number + 1, process.arch, process.pid, tid);
        if number == self.threads.len() {
            self.threads.push(None);
        }
        self.threads[number] = Some(thread);
        self.machine.resume(handle);
        Ok(number)
    }

    /// The thread whose call is served ends, and its process with the last one.
    pub(crate) fn exit_one(&mut self, code: u8) -> Outcome {
        let (me, place, tid) = (self.me, self.thread().process, self.thread().tid);
        let process = self.process_mut();
        if process.threads.len() == 1 {
            let code = process.first_exit.unwrap_or(code);
            self.end_process(place, End::Exit(code));
            return Outcome::Ended;
        }
        if tid == process.pid {
            process.first_exit = Some(code);
        }
        process.threads.retain(|&thread| thread != me);
        self.leave_memory(me, true);
        self.remove_thread(me);
        self.pass_on_signals(place);
        Outcome::Ended
    }

    /// Ends a thread.
    pub(super) fn remove_thread(&mut self, place: usize) {
        self.leave_wait(place);
        if let Some(thread) = self.threads[place].take() {
            let times = self.machine.destroy_thread(thread.handle);
            self.keep_times(thread.process, times);
        }
    }
}
