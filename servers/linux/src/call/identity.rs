//! Calls that say what all processes hear.

use syscalls::Errno;

use crate::machine::Machine;
use crate::process::Process;
use crate::server::{Outcome, Result, Server};

impl<M: Machine> Server<M> {
    /// Done already: there is nothing to do about it here.
    pub(super) fn done(&mut self, _: &[u64; 6]) -> Result {
        Ok(Outcome::Done(0))
    }

    /// The user's number: everybody is root, as nobody else is here.
    pub(super) fn zero(&mut self, _: &[u64; 6]) -> Result {
        Ok(Outcome::Done(0))
    }

    /// A call whose callers do without it.
    pub(super) fn not_here(&mut self, _: &[u64; 6]) -> Result {
        Err(Errno::ENOSYS)
    }

    /// No file has attributes of that kind.
    pub(super) fn no_attributes(&mut self, _: &[u64; 6]) -> Result {
        Err(Errno::EOPNOTSUPP)
    }

    pub(super) fn getppid(&mut self, _: &[u64; 6]) -> Result {
        Ok(Outcome::Done(self.shown_parent(self.process()).into()))
    }

    /// The number that is told as a process's parent's: nobody's are shown as the first one's, which adopts them on Linux.
    pub(crate) const fn shown_parent(&self, process: &Process) -> u32 {
        if process.parent == 0 && process.pid != self.first { self.first } else { process.parent }
    }

    pub(super) fn getgroups(&mut self, _: &[u64; 6]) -> Result {
        Ok(Outcome::Done(0))
    }

    pub(super) fn getpgrp(&mut self, _: &[u64; 6]) -> Result {
        Ok(Outcome::Done(self.process().group.into()))
    }

    pub(super) fn getpgid(&mut self, &[pid, ..]: &[u64; 6]) -> Result {
        self.named(pid).map(|process| Outcome::Done(process.group.into()))
    }

    pub(super) fn getsid(&mut self, &[pid, ..]: &[u64; 6]) -> Result {
        self.named(pid).map(|process| Outcome::Done(process.session.into()))
    }

    pub(super) fn setsid(&mut self, _: &[u64; 6]) -> Result {
        let process = self.process_mut();
        if process.group == process.pid {
            return Err(Errno::EPERM);
        }
        (process.group, process.session) = (process.pid, process.pid);
        Ok(Outcome::Done(process.pid.into()))
    }

    pub(super) fn setpgid(&mut self, &[pid, group, ..]: &[u64; 6]) -> Result {
        let me = self.process().pid;
        let process = self.named(pid)?;
        let group = if group as u32 == 0 { process.pid } else { group as u32 };
        if process.pid != me && process.parent != me {
            return Err(Errno::ESRCH);
        }
        let pid = process.pid;
        if let Some(process) = self.find(pid).and_then(|place| self.processes[place].as_mut()) {
            process.group = group;
        }
        Ok(Outcome::Done(0))
    }

    /// A process by its number, the caller for 0.
    fn named(&self, pid: u64) -> Result<&crate::process::Process> {
        match pid as u32 {
            0 => Ok(self.process()),
            pid => self.find(pid).and_then(|place| self.processes[place].as_ref()).ok_or(Errno::ESRCH),
        }
    }
}
