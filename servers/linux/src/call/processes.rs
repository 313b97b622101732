//! Becoming another program, ending, waiting for one another, limits.

use linux_raw_sys::general::{RLIM_NLIMITS, RLIMIT_NOFILE, RLIMIT_STACK, WCONTINUED, WNOHANG, WUNTRACED};
use syscalls::Errno;

use crate::machine::Machine;
use crate::process::{Channel, End};
use crate::server::{Outcome, Result, Server};

/// What is told of a process that goes on.
const CONTINUED: u32 = 0xffff;

impl<M: Machine> Server<M> {
    pub(super) fn execve(&mut self, &[path, arguments, environment, ..]: &[u64; 6]) -> Result {
        let mut user = self.user();
        let path = user.string(path)?;
        let (arguments, environment) = (user.strings(arguments)?, user.strings(environment)?);
        if path.is_empty() {
            return Err(Errno::ENOENT);
        }
        self.execute(&path, arguments, &environment)
    }

    pub(super) fn exit_group(&mut self, &[code, ..]: &[u64; 6]) -> Result {
        let place = self.thread().process;
        self.end_process(place, End::Exit(code as u8));
        Ok(Outcome::Ended)
    }

    pub(super) fn waitpid(&mut self, &[pid, place, options, ..]: &[u64; 6]) -> Result {
        self.wait4(&[pid, place, options, 0, 0, 0])
    }

    pub(super) fn wait4(&mut self, &[pid, place, options, usage, ..]: &[u64; 6]) -> Result {
        let (wanted, options) = (pid as i32, options as u32);
        let me = self.process();
        let (my_pid, my_group) = (me.pid, me.group);
        let is_wanted = |pid: u32, group: u32| match wanted {
            -1 => true,
            0 => group == my_group,
            1.. => pid == wanted as u32,
            _ => group == wanted.unsigned_abs(),
        };
        let mut any = false;
        let mut found = None;
        for (number, process) in self.processes.iter_mut().enumerate() {
            let Some(process) = process else { continue };
            if process.parent != my_pid || !is_wanted(process.pid, process.group) {
                continue;
            }
            any = true;
            if let Some(end) = process.end {
                found = Some((number, process.pid, end.status(), true));
                break;
            }
            if process.start_is_news && options & WCONTINUED != 0 {
                process.start_is_news = false;
                found = Some((number, process.pid, CONTINUED, false));
                break;
            }
            if let Some(signal) = process.stopped.filter(|_| process.stop_is_news && options & WUNTRACED != 0) {
                process.stop_is_news = false;
                found = Some((number, process.pid, u32::from(signal) << 8 | 0x7f, false));
                break;
            }
        }
        let Some((number, pid, status, ended)) = found else {
            return match () {
                () if !any => Err(Errno::ECHILD),
                () if options & WNOHANG != 0 => Ok(Outcome::Done(0)),
                () => Ok(Outcome::Wait(Channel::Child(my_pid))),
            };
        };
        if place != 0 {
            self.user().write(place, &status.to_le_bytes())?;
        }
        if usage != 0 {
            self.put_usage(usage)?;
        }
        if ended {
            self.bury(number);
        }
        Ok(Outcome::Done(pid.into()))
    }

    /// What a resource is limited to: the stack, descriptors; the rest is not.
    fn limit_of(resource: u32) -> Option<u64> {
        match resource {
            RLIMIT_STACK => Some(8 << 20),
            RLIMIT_NOFILE => Some(1024),
            0..RLIM_NLIMITS => Some(u64::MAX),
            _ => None,
        }
    }

    pub(super) fn getrlimit(&mut self, &[resource, place, ..]: &[u64; 6]) -> Result {
        let limit = Self::limit_of(resource as u32).ok_or(Errno::EINVAL)?;
        let width = self.thread().arch.word() as usize;
        let limit = if width == 4 { limit.min(u32::MAX.into()) } else { limit }.to_le_bytes();
        self.user().write(place, &[&limit[..width], &limit[..width]].concat()).map(|()| Outcome::Done(0))
    }

    pub(super) fn prlimit64(&mut self, &[_, resource, _, place, ..]: &[u64; 6]) -> Result {
        let limit = Self::limit_of(resource as u32).ok_or(Errno::EINVAL)?.to_le_bytes();
        if place != 0 {
            self.user().write(place, &[limit, limit].concat())?;
        }
        Ok(Outcome::Done(0))
    }

    pub(super) fn getpriority(&mut self, _: &[u64; 6]) -> Result {
        // Niceness 0, as the kernel itself has it.
        Ok(Outcome::Done(20))
    }

    pub(super) fn prctl(&mut self, &[code, argument, ..]: &[u64; 6]) -> Result {
        const SET_NAME: u64 = 15;
        const GET_NAME: u64 = 16;
        match code {
            SET_NAME => {
                let name = self.user().string(argument)?;
                self.process_mut().set_name(&name);
                Ok(Outcome::Done(0))
            }
            GET_NAME => {
                let name = self.process().name;
                self.user().write(argument, &name).map(|()| Outcome::Done(0))
            }
            _ => Err(Errno::EINVAL),
        }
    }
}
