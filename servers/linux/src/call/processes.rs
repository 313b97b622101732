//! Becoming another program, ending, limits.

use linux_raw_sys::general::{RLIM_NLIMITS, RLIMIT_NOFILE, RLIMIT_STACK};
use syscalls::Errno;

use crate::machine::Machine;
use crate::process::End;
use crate::server::{Outcome, Result, Server};

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
