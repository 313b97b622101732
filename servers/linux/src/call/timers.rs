//! Alarms, and timers that send signals.

use linux_raw_sys::general::{SIGALRM, SIGEV_NONE, SIGEV_SIGNAL, SIGEV_THREAD, SIGEV_THREAD_ID, TIMER_ABSTIME};
use syscalls::Errno;

use super::time::SECOND;
use crate::clock::Clock;
use crate::files::event;
use crate::machine::Machine;
use crate::process::{Tells, Timer};
use crate::server::{Outcome, Result, Server};
use crate::signal::COUNT;

/// How many timers a process may have.
const MOST: usize = 64;

impl<M: Machine> Server<M> {
    pub(super) fn alarm(&mut self, &[seconds, ..]: &[u64; 6]) -> Result {
        let now = self.machine.now();
        let seconds = u64::from(seconds as u32);
        let at = if seconds == 0 { 0 } else { now + seconds * SECOND };
        self.deadline_may_be_new = true;
        let (before, _) = core::mem::replace(&mut self.process_mut().alarms[0], (at, 0));
        Ok(Outcome::Done(before.saturating_sub(now).div_ceil(SECOND)))
    }

    /// `struct itimerval`: the interval, then what is left, in seconds and microseconds.
    pub(super) fn getitimer(&mut self, &[which, place, ..]: &[u64; 6]) -> Result {
        let which = which as u32 as usize;
        let (at, again) = *self.process().alarms.get(which).ok_or(Errno::EINVAL)?;
        let clock = self.clocks_of_alarms(self.thread().process)[which];
        let width = self.thread().arch.word() as usize;
        // What is not over yet is not told as nothing.
        let left = if at == 0 { 0 } else { at.saturating_sub(clock).max(1000) };
        let mut bytes = alloc::vec::Vec::new();
        for nanoseconds in [again, left] {
            for value in [nanoseconds / SECOND, nanoseconds % SECOND / 1000] {
                bytes.extend_from_slice(&value.to_le_bytes()[..width]);
            }
        }
        self.user().write(place, &bytes).map(|()| Outcome::Done(0))
    }

    pub(super) fn setitimer(&mut self, &[which, new, old, ..]: &[u64; 6]) -> Result {
        let which_alarm = which as u32 as usize;
        if which_alarm >= self.process().alarms.len() {
            return Err(Errno::EINVAL);
        }
        let word = self.thread().arch.word();
        let mut times = [0; 4];
        if new != 0 {
            for (number, time) in times.iter_mut().enumerate() {
                *time = self.user().word(new + number as u64 * word)?;
            }
        }
        if times[1] >= 1_000_000 || times[3] >= 1_000_000 {
            return Err(Errno::EINVAL);
        }
        if old != 0 {
            self.getitimer(&[which, old, 0, 0, 0, 0])?;
        }
        let nanoseconds =
            |seconds: u64, microseconds: u64| seconds.saturating_mul(SECOND).saturating_add(microseconds * 1000);
        let (again, first) = (nanoseconds(times[0], times[1]), nanoseconds(times[2], times[3]));
        let clock = self.clocks_of_alarms(self.thread().process)[which_alarm];
        self.deadline_may_be_new = true;
        let alarm = if first == 0 { (0, 0) } else { (clock.saturating_add(first), again) };
        self.process_mut().alarms[which_alarm] = alarm;
        Ok(Outcome::Done(0))
    }

    pub(super) fn timer_create(&mut self, &[clock, event, place, ..]: &[u64; 6]) -> Result {
        let clock = Clock::new(clock)?;
        // Of others' it is not known when what they use comes to something.
        self.clock_shows(self.thread().process, clock)?;
        let clock = clock.of_caller(self.thread().tid);
        let timers = &self.process().timers;
        let number = timers.iter().position(Option::is_none).unwrap_or(timers.len());
        if number >= MOST {
            return Err(Errno::EAGAIN);
        }
        let (tells, value) = match event {
            0 => (Some((SIGALRM, None)), number as u64),
            place => self.event_at(place)?,
        };
        self.user().write(place, &(number as u32).to_le_bytes())?;
        let timer = Timer { clock, time: event::Timer::new(clock == Clock::Date), tells, value, overrun: 0 };
        let timers = &mut self.process_mut().timers;
        if number == timers.len() {
            timers.push(None);
        }
        timers[number] = Some(timer);
        Ok(Outcome::Done(0))
    }

    /// `struct sigevent`: what is sent along, the signal, how, and to which thread.
    fn event_at(&mut self, place: u64) -> Result<(Option<Tells>, u64)> {
        let word = self.thread().arch.word();
        let mut user = self.user();
        let (value, signal, kind) = (user.word(place)?, user.u32(place + word)?, user.u32(place + word + 4)?);
        let thread = match kind {
            SIGEV_NONE => return Ok((None, value)),
            SIGEV_SIGNAL | SIGEV_THREAD => None,
            SIGEV_THREAD_ID => Some(user.u32(place + word + 8)?),
            _ => return Err(Errno::EINVAL),
        };
        if !(1..=COUNT as u32).contains(&signal) {
            return Err(Errno::EINVAL);
        }
        if let Some(tid) = thread {
            let pid = self.process().pid;
            self.find_thread_of(pid.into(), tid.into()).map_err(|_| Errno::EINVAL)?;
        }
        Ok((Some((signal, thread)), value))
    }

    pub(super) fn timer_settime(&mut self, arguments: &[u64; 6]) -> Result {
        let width = self.thread().arch.word();
        self.start_timer(arguments, width)
    }

    pub(super) fn timer_settime64(&mut self, arguments: &[u64; 6]) -> Result {
        self.start_timer(arguments, 8)
    }

    fn start_timer(&mut self, &[number, flags, new, old, ..]: &[u64; 6], width: u64) -> Result {
        let clock = self.own_timer(number)?.clock;
        let (again, first) = (self.get_time(new, width)?, self.get_time(new + 2 * width, width)?);
        if old != 0 {
            self.show_timer(number, old, width)?;
        }
        let place = self.thread().process;
        let shows = self.clock_shows(place, clock)?;
        let distance = if flags as u32 & TIMER_ABSTIME == 0 { first } else { first.saturating_sub(shows) };
        // Its time is what the processor's use comes to, or since the boot.
        let now = if clock == Clock::Date { self.machine.now() } else { shows };
        if let Some(Some(timer)) = self.process_mut().timers.get_mut(number as u32 as usize) {
            timer.overrun = 0;
            if first == 0 {
                timer.time.set(0, 0);
            } else {
                timer.time.set(now.saturating_add(distance).max(1), again);
            }
        }
        self.forget_timer_signals(number as u32);
        self.deadline_may_be_new = true;
        Ok(Outcome::Done(0))
    }

    pub(super) fn timer_gettime(&mut self, &[number, place, ..]: &[u64; 6]) -> Result {
        let width = self.thread().arch.word();
        self.show_timer(number, place, width)
    }

    pub(super) fn timer_gettime64(&mut self, &[number, place, ..]: &[u64; 6]) -> Result {
        self.show_timer(number, place, 8)
    }

    fn show_timer(&mut self, number: u64, place: u64, width: u64) -> Result {
        let clock = self.own_timer(number)?.clock;
        let clock = if clock == Clock::Date { Clock::Boot } else { clock };
        let now = self.clock_shows(self.thread().process, clock)?;
        let (left, again) = self.own_timer(number)?.time.left(now);
        self.put_time(place, again, width as usize)?;
        self.put_time(place + 2 * width, left, width as usize)
    }

    pub(super) fn timer_getoverrun(&mut self, &[number, ..]: &[u64; 6]) -> Result {
        let overrun = self.own_timer(number)?.overrun;
        Ok(Outcome::Done(overrun.into()))
    }

    pub(super) fn timer_delete(&mut self, &[number, ..]: &[u64; 6]) -> Result {
        self.own_timer(number)?;
        self.process_mut().timers[number as u32 as usize] = None;
        self.forget_timer_signals(number as u32);
        Ok(Outcome::Done(0))
    }

    fn own_timer(&self, number: u64) -> Result<&Timer> {
        self.timer_of(self.thread().process, number as u32 as usize).ok_or(Errno::EINVAL)
    }

    /// What a timer sent and nobody has taken is gone.
    fn forget_timer_signals(&mut self, timer: u32) {
        let process = self.process_mut();
        process.pending.forget_timer(timer);
        for place in process.threads.clone() {
            if let Some(thread) = &mut self.threads[place] {
                thread.pending.forget_timer(timer);
            }
        }
    }
}
