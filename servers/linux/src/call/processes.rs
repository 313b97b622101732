//! Becoming another program, ending, limits.

use alloc::format;
use alloc::rc::Rc;

use linux_raw_sys::general::{AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_NOFOLLOW, RLIMIT_NOFILE};
use syscalls::Errno;

use crate::limits::NONE;
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

    pub(super) fn execveat(&mut self, &[directory, path, arguments, environment, flags, _]: &[u64; 6]) -> Result {
        let mut user = self.user();
        let path = user.string(path)?;
        let (arguments, environment) = (user.strings(arguments)?, user.strings(environment)?);
        let flags = flags as u32;
        if flags & !(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) != 0 {
            return Err(Errno::EINVAL);
        }
        if path.starts_with(b"/") || directory as u32 == AT_FDCWD as u32 && !path.is_empty() {
            return self.execute(&path, arguments, &environment);
        }
        if path.is_empty() && flags & AT_EMPTY_PATH == 0 {
            return Err(Errno::ENOENT);
        }
        // By what is open, as a script's interpreter would find it as well.
        self.file(directory)?;
        let (number, slash) = (directory as u32, if path.is_empty() { "" } else { "/" });
        let path = [format!("/proc/self/fd/{number}{slash}").as_bytes(), &path].concat();
        self.execute(&path, arguments, &environment)
    }

    pub(super) fn exit_group(&mut self, &[code, ..]: &[u64; 6]) -> Result {
        let place = self.thread().process;
        self.end_process(place, End::Exit(code as u8));
        Ok(Outcome::Ended)
    }

    pub(super) fn getrlimit(&mut self, &[resource, place, ..]: &[u64; 6]) -> Result {
        let (soft, hard) = self.process().limits.both(resource)?;
        let width = self.thread().arch.word() as usize;
        let bytes = |limit: u64| if width == 4 { limit.min(u32::MAX.into()) } else { limit }.to_le_bytes();
        self.user().write(place, &[&bytes(soft)[..width], &bytes(hard)[..width]].concat()).map(|()| Outcome::Done(0))
    }

    pub(super) fn setrlimit(&mut self, &[resource, place, ..]: &[u64; 6]) -> Result {
        let word = self.thread().arch.word();
        let mut user = self.user();
        let (soft, hard) = (user.word(place)?, user.word(place + word)?);
        let wide = |limit: u64| if word == 4 && limit == u32::MAX.into() { NONE } else { limit };
        self.limit(self.thread().process, resource, (wide(soft), wide(hard)))
    }

    pub(super) fn prlimit64(&mut self, &[pid, resource, new, old, ..]: &[u64; 6]) -> Result {
        let place = match pid as u32 {
            0 => self.thread().process,
            pid => self.find(pid).ok_or(Errno::ESRCH)?,
        };
        let limits = self.processes[place].as_ref().ok_or(Errno::ESRCH)?.limits.both(resource)?;
        let mut user = self.user();
        let change = if new == 0 { None } else { Some((user.u64(new)?, user.u64(new + 8)?)) };
        if let Some(limits) = change {
            self.limit(place, resource, limits)?;
        }
        if old != 0 {
            self.user().write(old, &[limits.0.to_le_bytes(), limits.1.to_le_bytes()].concat())?;
        }
        Ok(Outcome::Done(0))
    }

    fn limit(&mut self, place: usize, resource: u64, limits: (u64, u64)) -> Result {
        let process = self.processes[place].as_mut().ok_or(Errno::ESRCH)?;
        Rc::make_mut(&mut process.limits).set(resource, limits)?;
        process.files.limit(process.limits.get(RLIMIT_NOFILE));
        // That of the processor's time may be the next thing to come.
        self.deadline_may_be_new = true;
        Ok(Outcome::Done(0))
    }
}
