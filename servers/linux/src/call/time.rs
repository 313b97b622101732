//! Clocks and sleep.

use linux_raw_sys::general::TIMER_ABSTIME;
use syscalls::Errno;

use crate::clock::Clock;
use crate::machine::{Machine, Times};
use crate::process::Channel;
use crate::server::{Outcome, Result, Server};

/// Nanoseconds of a second.
pub(super) const SECOND: u64 = 1_000_000_000;

impl<M: Machine> Server<M> {
    /// What a clock shows, by its number.
    fn clock(&mut self, clock: u64) -> Result<u64> {
        let clock = Clock::new(clock)?;
        self.clock_shows(self.thread().process, clock)
    }

    /// Seconds and nanoseconds, of this width each.
    pub(super) fn put_time(&mut self, place: u64, time: u64, width: usize) -> Result {
        let (seconds, rest) = ((time / SECOND).to_le_bytes(), (time % SECOND).to_le_bytes());
        self.user().write(place, &[&seconds[..width], &rest[..width]].concat()).map(|()| Outcome::Done(0))
    }

    /// A duration or a time.
    pub(super) fn get_time(&mut self, place: u64, width: u64) -> Result<u64> {
        let mut user = self.user();
        let (seconds, rest) = match width {
            4 => (user.u32(place)?.into(), user.u32(place + 4)?),
            _ => (user.u64(place)?, user.u32(place + 8)?),
        };
        if u64::from(rest) >= SECOND || seconds as i64 <= -1 {
            return Err(Errno::EINVAL);
        }
        Ok(seconds.saturating_mul(SECOND).saturating_add(rest.into()))
    }

    pub(super) fn time(&mut self, &[place, ..]: &[u64; 6]) -> Result {
        let seconds = self.wall_clock() / SECOND;
        let width = self.thread().arch.word() as usize;
        if place != 0 {
            self.user().write(place, &seconds.to_le_bytes()[..width])?;
        }
        Ok(Outcome::Done(seconds))
    }

    pub(super) fn gettimeofday(&mut self, &[place, zone, ..]: &[u64; 6]) -> Result {
        let now = self.wall_clock();
        let width = self.thread().arch.word() as usize;
        let (seconds, rest) = ((now / SECOND).to_le_bytes(), (now % SECOND / 1000).to_le_bytes());
        if place != 0 {
            self.user().write(place, &[&seconds[..width], &rest[..width]].concat())?;
        }
        if zone != 0 {
            self.user().write(zone, &[0; 8])?;
        }
        Ok(Outcome::Done(0))
    }

    pub(super) fn clock_gettime(&mut self, &[clock, place, ..]: &[u64; 6]) -> Result {
        let (now, width) = (self.clock(clock)?, self.thread().arch.word());
        self.put_time(place, now, width as usize)
    }

    pub(super) fn clock_gettime64(&mut self, &[clock, place, ..]: &[u64; 6]) -> Result {
        let now = self.clock(clock)?;
        self.put_time(place, now, 8)
    }

    pub(super) fn clock_getres(&mut self, arguments: &[u64; 6]) -> Result {
        let width = self.thread().arch.word() as usize;
        self.tell_resolution(arguments, width)
    }

    pub(super) fn clock_getres64(&mut self, arguments: &[u64; 6]) -> Result {
        self.tell_resolution(arguments, 8)
    }

    fn tell_resolution(&mut self, &[clock, place, ..]: &[u64; 6], width: usize) -> Result {
        self.clock(clock)?;
        if place == 0 { Ok(Outcome::Done(0)) } else { self.put_time(place, 1, width) }
    }

    pub(super) fn nanosleep(&mut self, &[place, remainder, ..]: &[u64; 6]) -> Result {
        let width = self.thread().arch.word();
        self.thread_mut().remainder = None;
        let time = self.get_time(place, width)?;
        let now = self.machine.now();
        self.thread_mut().remainder = (remainder != 0).then_some((remainder, width as usize));
        self.sleep_until(now.saturating_add(time))
    }

    pub(super) fn clock_nanosleep(&mut self, arguments: &[u64; 6]) -> Result {
        let width = self.thread().arch.word();
        self.sleep_by_clock(arguments, width)
    }

    pub(super) fn clock_nanosleep64(&mut self, arguments: &[u64; 6]) -> Result {
        self.sleep_by_clock(arguments, 8)
    }

    fn sleep_by_clock(&mut self, &[clock, flags, place, remainder, ..]: &[u64; 6], width: u64) -> Result {
        self.thread_mut().remainder = None;
        let time = self.get_time(place, width)?;
        if matches!(Clock::new(clock)?, Clock::Used(_)) {
            // Nobody is told how much somebody else uses while it sleeps.
            return Err(Errno::EOPNOTSUPP);
        }
        let (now, by_clock) = (self.machine.now(), self.clock(clock)?);
        let distance = if flags as u32 & TIMER_ABSTIME == 0 { time } else { time.saturating_sub(by_clock) };
        let is_told = remainder != 0 && flags as u32 & TIMER_ABSTIME == 0;
        self.thread_mut().remainder = is_told.then_some((remainder, width as usize));
        self.sleep_until(now.saturating_add(distance))
    }

    /// Waits until then, which the first attempt of the call decided.
    pub(super) fn sleep_until(&mut self, deadline: u64) -> Result {
        let now = self.machine.now();
        let deadline = *self.thread_mut().deadline.get_or_insert(deadline);
        if deadline <= now {
            self.thread_mut().remainder = None;
            return Ok(Outcome::Done(0));
        }
        Ok(Outcome::Wait(Channel::Never))
    }

    /// A signal ends a thread's sleep: it is told how much is left of it.
    #[cold]
    pub(crate) fn tell_remainder(&mut self, place: usize) {
        let Some(thread) = &mut self.threads[place] else { return };
        let (Some((at, width)), Some(deadline)) = (thread.remainder.take(), thread.deadline) else { return };
        let (memory, arch) = (thread.memory, thread.arch);
        let left = deadline.saturating_sub(self.machine.now());
        let (seconds, rest) = ((left / SECOND).to_le_bytes(), (left % SECOND).to_le_bytes());
        // A bad address is the program's own affair.
        let _ = self.user_of(memory, arch).write(at, &[&seconds[..width], &rest[..width]].concat());
    }

    /// `struct tms`: the process's times, then those of its children that it has waited for; and the time since the boot.
    pub(super) fn times(&mut self, &[place, ..]: &[u64; 6]) -> Result {
        const TICK: u64 = SECOND / 100;
        let (me, width) = (self.thread().process, self.thread().arch.word() as usize);
        if place != 0 {
            let (own, children) = (self.times_of(me), self.times_of_children(me));
            let times = [own.user, own.kernel, children.user, children.kernel];
            let bytes: alloc::vec::Vec<_> =
                times.iter().flat_map(|time| (time / TICK).to_le_bytes().into_iter().take(width)).collect();
            self.user().write(place, &bytes)?;
        }
        Ok(Outcome::Done(self.machine.now() / TICK))
    }

    pub(super) fn getrusage(&mut self, &[who, place, ..]: &[u64; 6]) -> Result {
        let process = self.thread().process;
        let times = match who as i32 {
            0 => self.times_of(process),
            -1 => self.times_of_children(process),
            1 => self.times_of_thread(self.me),
            _ => return Err(Errno::EINVAL),
        };
        self.put_usage(place, times).map(|()| Outcome::Done(0))
    }

    /// `struct rusage`: times in seconds and microseconds, then fourteen counts, which nobody keeps.
    pub(super) fn put_usage(&mut self, place: u64, times: Times) -> Result<()> {
        let width = self.thread().arch.word() as usize;
        let mut bytes = alloc::vec::Vec::new();
        for value in [times.user, times.kernel].into_iter().flat_map(|time| [time / SECOND, time % SECOND / 1000]) {
            bytes.extend_from_slice(&value.to_le_bytes()[..width]);
        }
        bytes.resize((4 + 14) * width, 0);
        self.user().write(place, &bytes)
    }
}
