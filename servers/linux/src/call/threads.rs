//! Threads: beginning, ending, signals to one of them; and `clone`, by which processes begin as well.

use linux_raw_sys::general::{
    CLONE_CHILD_CLEARTID, CLONE_CHILD_SETTID, CLONE_FILES, CLONE_FS, CLONE_PARENT_SETTID, CLONE_SETTLS, CLONE_SIGHAND,
    CLONE_SYSVSEM, CLONE_THREAD, CLONE_VFORK, CLONE_VM, CSIGNAL,
};
use syscalls::Errno;

use crate::arch::Arch;
use crate::machine::Machine;
use crate::process::Channel;
use crate::server::threads::Birth;
use crate::server::{Outcome, Result, Server};
use crate::signal::{COUNT, Occasion};

/// What all threads of a process share.
const SHARED: u32 = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD;
/// What there is beside that: old and ignored flags (`DETACHED`), semaphores that nobody has, tracing that nobody does (`UNTRACED`).
const OTHERS: u32 = CLONE_SYSVSEM
    | CLONE_SETTLS
    | CLONE_PARENT_SETTID
    | CLONE_CHILD_CLEARTID
    | CLONE_CHILD_SETTID
    | 0x0040_0000
    | 0x0080_0000;
/// `si_code` of a signal to a thread.
pub(super) const TO_THREAD: i32 = -6;

impl<M: Machine> Server<M> {
    pub(super) fn fork_plainly(&mut self, _: &[u64; 6]) -> Result {
        self.fork(&Birth::default()).map(|pid| Outcome::Done(pid.into()))
    }

    pub(super) fn vfork(&mut self, _: &[u64; 6]) -> Result {
        self.fork_and_wait(&Birth::default())
    }

    pub(super) fn clone_any(&mut self, arguments: &[u64; 6]) -> Result {
        let [flags, stack, parent_tid, ..] = *arguments;
        // The last two are in another order in the two architectures.
        let (tls, child_tid) = match self.thread().arch {
            Arch::I386 => (arguments[3], arguments[4]),
            Arch::Amd64 => (arguments[4], arguments[3]),
        };
        let flags = flags as u32 & !CSIGNAL;
        let is_thread = flags & CLONE_THREAD != 0;
        // A thread shares everything, a process memory at most. Namespaces there are none.
        let allowed = if is_thread { SHARED } else { CLONE_VM | CLONE_VFORK };
        if flags & !(allowed | OTHERS) != 0 || is_thread && flags & SHARED != SHARED {
            return Err(Errno::EINVAL);
        }
        let tls = match flags & CLONE_SETTLS {
            0 => None,
            _ => Some(self.tls_of(tls)?),
        };
        let with = |flag: u32, address: u64| if flags & flag != 0 { address } else { 0 };
        let birth = Birth {
            stack,
            tls,
            set_tid: with(CLONE_CHILD_SETTID, child_tid),
            clear_tid: with(CLONE_CHILD_CLEARTID, child_tid),
            shares: flags & CLONE_VM != 0,
            is_awaited: false,
        };
        if flags & CLONE_VFORK != 0 {
            return self.fork_and_wait(&birth);
        }
        let number = if is_thread { self.spawn(&birth)? } else { self.fork(&birth)? };
        if flags & CLONE_PARENT_SETTID != 0 {
            // The child is there already, and a bad address is the program's own affair.
            let _ = self.user().write(parent_tid, &number.to_le_bytes());
        }
        Ok(Outcome::Done(number.into()))
    }

    /// A child with this process's memory, which is waited for until it ends or executes a program.
    fn fork_and_wait(&mut self, birth: &Birth) -> Result {
        let pid = match self.thread().progress {
            0 => {
                let pid = self.fork(&Birth { shares: true, is_awaited: true, ..*birth })?;
                self.thread_mut().progress = pid.into();
                pid
            }
            pid => pid as u32,
        };
        let child = self.find(pid).and_then(|place| self.processes[place].as_ref());
        if child.is_some_and(|child| child.is_awaited) {
            return Ok(Outcome::Wait(Channel::Memory(pid)));
        }
        Ok(Outcome::Done(pid.into()))
    }

    /// The segment that `clone` names: an address, of a `struct user_desc` in a 32-bit program.
    fn tls_of(&mut self, address: u64) -> Result<(u64, u32)> {
        match self.thread().arch {
            Arch::Amd64 if address >= crate::program::limit(Arch::Amd64) => Err(Errno::EPERM),
            Arch::Amd64 => Ok((address, 0)),
            Arch::I386 => self.descriptor(address).map(|descriptor| (descriptor.base, descriptor.limit)),
        }
    }

    pub(super) fn exit_thread(&mut self, &[code, ..]: &[u64; 6]) -> Result {
        Ok(self.exit_one(code as u8))
    }

    pub(super) fn set_tid_address(&mut self, &[place, ..]: &[u64; 6]) -> Result {
        let thread = self.thread_mut();
        thread.clear_tid = place;
        Ok(Outcome::Done(thread.tid.into()))
    }

    /// `struct robust_list_head` has three words.
    pub(super) fn set_robust_list(&mut self, &[head, length, ..]: &[u64; 6]) -> Result {
        let thread = self.thread_mut();
        if length != 3 * thread.arch.word() {
            return Err(Errno::EINVAL);
        }
        thread.locks = head;
        Ok(Outcome::Done(0))
    }

    pub(super) fn get_robust_list(&mut self, &[tid, head, length, ..]: &[u64; 6]) -> Result {
        let place = if tid as u32 == 0 { self.me } else { self.find_thread(tid)? };
        let locks = self.threads[place].as_ref().map_or(0, |thread| thread.locks);
        let (word, width) = (self.thread().arch.word(), self.thread().arch.word() as usize);
        self.user().write(head, &locks.to_le_bytes()[..width])?;
        self.user().write(length, &(3 * word).to_le_bytes()[..width]).map(|()| Outcome::Done(0))
    }

    fn find_thread(&self, tid: u64) -> Result<usize> {
        let is_it = |thread: &Option<_>| {
            thread.as_ref().is_some_and(|thread: &crate::process::Thread<M>| thread.tid == tid as u32)
        };
        self.threads.iter().position(is_it).ok_or(Errno::ESRCH)
    }

    pub(super) fn tkill(&mut self, &[tid, signal, ..]: &[u64; 6]) -> Result {
        let place = self.find_thread(tid)?;
        self.send_to_thread(place, signal as u32)
    }

    pub(super) fn tgkill(&mut self, &[pid, tid, signal, ..]: &[u64; 6]) -> Result {
        let place = self.find_thread_of(pid, tid)?;
        self.send_to_thread(place, signal as u32)
    }

    /// A thread of this process.
    pub(super) fn find_thread_of(&self, pid: u64, tid: u64) -> Result<usize> {
        let place = self.find_thread(tid)?;
        let is_its = self.threads[place].as_ref().is_some_and(|thread| thread.pid == pid as u32);
        if is_its { Ok(place) } else { Err(Errno::ESRCH) }
    }

    fn send_to_thread(&mut self, place: usize, signal: u32) -> Result {
        if signal > COUNT as u32 {
            return Err(Errno::EINVAL);
        }
        if signal != 0 {
            let value = self.process().pid.into();
            self.send_to(place, Occasion::new(signal, TO_THREAD, value));
        }
        Ok(Outcome::Done(0))
    }
}
