//! Waiting for children: for their ends, and for their stops and starts.

use linux_raw_sys::general::{
    P_ALL, P_PGID, P_PID, SIGCHLD, SIGCONT, WCONTINUED, WEXITED, WNOHANG, WNOWAIT, WSTOPPED, WUNTRACED,
};
use syscalls::Errno;

use crate::machine::{Machine, Times};
use crate::process::{Channel, End};
use crate::server::{EXITED, KILLED, Outcome, Result, STOPPED, Server, WENT_ON};

/// What `wait4` tells of a process that goes on.
const CONTINUED: u32 = 0xffff;

/// Which children somebody waits for.
#[derive(Clone, Copy)]
enum Wanted {
    Any,
    Process(u32),
    Group(u32),
}

/// What happened to a child.
#[derive(Clone, Copy)]
enum News {
    Ended(End),
    Stopped(u8),
    WentOn,
}

/// A child with news: its place in the table, and its number.
struct Child {
    place: usize,
    pid: u32,
    news: News,
}

impl<M: Machine> Server<M> {
    pub(super) fn waitpid(&mut self, &[pid, place, options, ..]: &[u64; 6]) -> Result {
        self.wait4(&[pid, place, options, 0, 0, 0])
    }

    pub(super) fn wait4(&mut self, &[pid, place, options, usage, ..]: &[u64; 6]) -> Result {
        let wanted = match pid as i32 {
            -1 => Wanted::Any,
            0 => Wanted::Group(self.process().group),
            pid @ 1.. => Wanted::Process(pid as u32),
            group => Wanted::Group(group.unsigned_abs()),
        };
        let found = match self.child(wanted, options as u32 | WEXITED)? {
            Ok(Some(child)) => child,
            Ok(None) => return Ok(Outcome::Done(0)),
            Err(wait) => return Ok(wait),
        };
        let status = match found.news {
            News::Ended(end) => end.status(),
            News::Stopped(signal) => u32::from(signal) << 8 | 0x7f,
            News::WentOn => CONTINUED,
        };
        if place != 0 {
            self.user().write(place, &status.to_le_bytes())?;
        }
        if usage != 0 {
            let times = self.times_of(found.place) + self.times_of_children(found.place);
            self.put_usage(usage, times)?;
        }
        self.take(&found);
        Ok(Outcome::Done(found.pid.into()))
    }

    pub(super) fn waitid(&mut self, &[kind, id, place, options, usage, _]: &[u64; 6]) -> Result {
        const ALL: u32 = WEXITED | WSTOPPED | WCONTINUED;
        let (id, options) = (id as u32, options as u32);
        if options & !(ALL | WNOHANG | WNOWAIT) != 0 || options & ALL == 0 {
            return Err(Errno::EINVAL);
        }
        let wanted = match kind as u32 {
            P_ALL => Wanted::Any,
            P_PID if id as i32 > 0 => Wanted::Process(id),
            P_PGID if id as i32 > 0 => Wanted::Group(id),
            P_PGID if id == 0 => Wanted::Group(self.process().group),
            _ => return Err(Errno::EINVAL),
        };
        let found = match self.child(wanted, options)? {
            Ok(found) => found,
            Err(wait) => return Ok(wait),
        };
        // The fields of `siginfo_t` that are told; all are 0 where there is nothing to tell.
        let (signal, code, pid, status) = match &found {
            None => (0, 0, 0, 0),
            Some(Child { pid, news, .. }) => {
                let (code, status) = match *news {
                    News::Ended(End::Exit(status)) => (EXITED, status.into()),
                    News::Ended(End::Signal(signal)) => (KILLED, signal.into()),
                    News::Stopped(signal) => (STOPPED, signal.into()),
                    News::WentOn => (WENT_ON, SIGCONT),
                };
                (SIGCHLD, code, *pid, status)
            }
        };
        if place != 0 {
            let first = [signal, 0, code as u32].map(u32::to_le_bytes).concat();
            let second = [pid, 0, status].map(u32::to_le_bytes).concat();
            // Behind the first three is what has the size of a pointer.
            let behind = place + (first.len() as u64).next_multiple_of(self.thread().arch.word());
            self.user().write(place, &first)?;
            self.user().write(behind, &second)?;
        }
        if usage != 0 {
            let times = found
                .as_ref()
                .map_or(Times::default(), |child| self.times_of(child.place) + self.times_of_children(child.place));
            self.put_usage(usage, times)?;
        }
        if let Some(found) = found.filter(|_| options & WNOWAIT == 0) {
            self.take(&found);
        }
        Ok(Outcome::Done(0))
    }

    /// The first child of those wanted that has news of a kind that is waited for. `None` where nobody waits for some, or how to wait.
    fn child(&self, wanted: Wanted, options: u32) -> Result<core::result::Result<Option<Child>, Outcome>> {
        let my_pid = self.process().pid;
        let is_wanted = |pid: u32, group: u32| match wanted {
            Wanted::Any => true,
            Wanted::Process(wanted) => pid == wanted,
            Wanted::Group(wanted) => group == wanted,
        };
        let mut any = false;
        for (place, process) in self.processes.iter().enumerate() {
            let Some(process) = process else { continue };
            if process.parent != my_pid || !is_wanted(process.pid, process.group) {
                continue;
            }
            any = true;
            let ended = process.end.filter(|_| options & WEXITED != 0).map(News::Ended);
            let went_on = || (process.start_is_news && options & WCONTINUED != 0).then_some(News::WentOn);
            let stopped = || process.stopped.filter(|_| process.stop_is_news && options & WUNTRACED != 0);
            let stopped = || stopped().map(News::Stopped);
            if let Some(news) = ended.or_else(went_on).or_else(stopped) {
                return Ok(Ok(Some(Child { place, pid: process.pid, news })));
            }
        }
        match () {
            () if !any => Err(Errno::ECHILD),
            () if options & WNOHANG != 0 => Ok(Ok(None)),
            () => Ok(Err(Outcome::Wait(Channel::Child(my_pid)))),
        }
    }

    /// What was told of a child is not told again.
    fn take(&mut self, &Child { place, news, .. }: &Child) {
        let Some(process) = &mut self.processes[place] else { return };
        match news {
            News::Ended(_) => {
                let used = process.ended + process.children;
                let process = self.process_mut();
                process.children = process.children + used;
                self.bury(place);
            }
            News::Stopped(_) => process.stop_is_news = false,
            News::WentOn => process.start_is_news = false,
        }
    }
}
