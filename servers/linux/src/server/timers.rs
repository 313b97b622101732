//! What processes are sent when a time has come: their alarms, and the timers that they made.
//!
//! Alarms and timers by what was used of the processor are looked at when that can have come at the earliest, and again when it has not.

use alloc::rc::Rc;

use linux_raw_sys::general::{RLIMIT_CPU, SIGALRM, SIGKILL, SIGPROF, SIGVTALRM, SIGXCPU};

use super::{BY_KERNEL, Server};
use crate::clock::Clock;
use crate::limits::NONE;
use crate::machine::Machine;
use crate::process::Timer;
use crate::signal::Occasion;

/// `si_code` of what a timer sends.
const BY_TIMER: i32 = -2;
/// Nanoseconds of a second.
const SECOND: u64 = 1_000_000_000;
/// How long at least it takes until what is used is looked at again.
const LEAST: u64 = 1_000_000;
/// What each alarm sends.
const SIGNALS: [u32; 3] = [SIGALRM, SIGVTALRM, SIGPROF];

impl<M: Machine> Server<M> {
    /// What the clocks of a process's alarms show.
    pub(crate) fn clocks_of_alarms(&mut self, place: usize) -> [u64; 3] {
        let times = self.times_of(place);
        [self.machine.now(), times.user, times.sum()]
    }

    /// When the first alarm or timer of a process is to be looked at.
    pub(super) fn first_alarm(&mut self, place: usize) -> Option<u64> {
        let process = self.processes[place].as_ref().filter(|process| process.end.is_none())?;
        let [(alarm, _), used @ ..] = process.alarms;
        let limit = process.limits.get(RLIMIT_CPU);
        let uses = used.iter().any(|&(at, _)| at != 0) || limit != NONE;
        if process.timers.is_empty() && !uses {
            return Some(alarm).filter(|&at| at != 0);
        }
        let mut first = Some(alarm).filter(|&at| at != 0).unwrap_or(u64::MAX);
        let [now, clocks @ ..] = self.clocks_of_alarms(place);
        let limit = (limit != NONE).then(|| (limit.saturating_mul(SECOND).max(1), 0));
        for ((at, _), clock) in used.into_iter().zip(clocks).chain(limit.map(|limit| (limit, clocks[1]))) {
            if at != 0 {
                first = first.min(now.saturating_add(at.saturating_sub(clock).max(LEAST)));
            }
        }
        for number in 0..self.timers_of(place) {
            // Where nobody is told there is nothing to be done.
            let told = self.timer_of(place, number).filter(|timer| timer.tells.is_some());
            let Some((due, clock)) = told.and_then(|timer| Some((timer.time.due()?, timer.clock))) else { continue };
            if self.has_sent(place, number as u32) {
                continue;
            }
            let at = match clock {
                Clock::Used(_) => {
                    let shows = self.clock_shows(place, clock).unwrap_or(0);
                    now.saturating_add(due.saturating_sub(shows).max(LEAST))
                }
                _ => due,
            };
            first = first.min(at);
        }
        Some(first).filter(|&at| at != u64::MAX)
    }

    /// Sends a process what its alarms and timers say that have ended.
    pub(super) fn ring(&mut self, place: usize) {
        let Some(process) = self.processes[place].as_ref().filter(|process| process.end.is_none()) else { return };
        let limits = process.limits.both(RLIMIT_CPU.into()).unwrap_or((NONE, NONE));
        let has_alarms = process.alarms.iter().any(|&(at, _)| at != 0);
        if limits != (NONE, NONE) {
            self.limit_use(place, limits);
        }
        if has_alarms {
            let clocks = self.clocks_of_alarms(place);
            for ((number, clock), signal) in clocks.into_iter().enumerate().zip(SIGNALS) {
                let Some(process) = &mut self.processes[place] else { return };
                let (at, again) = process.alarms[number];
                if at != 0 && at <= clock {
                    process.alarms[number].0 = if again == 0 { 0 } else { clock + again };
                    self.send(place, Occasion::new(signal, BY_KERNEL, 0));
                }
            }
        }
        for number in 0..self.timers_of(place) {
            let Some(clock) = self.timer_of(place, number).map(|timer| timer.clock) else { continue };
            // Dates were times since the boot when it was set.
            let clock = if clock == Clock::Date { Clock::Boot } else { clock };
            let Ok(now) = self.clock_shows(place, clock) else { continue };
            let Some(timer) = self.timer_of(place, number) else { continue };
            let (tells, value) = (timer.tells, timer.value);
            if let Some((signal, thread)) = tells
                && timer.time.has_ended(now)
                && !self.has_sent(place, number as u32)
            {
                let timer = Some(number as u32);
                let occasion = Occasion { more: value, timer, ..Occasion::new(signal, BY_TIMER, number as u64) };
                self.send_by_timer(place, thread, occasion);
            }
        }
    }

    /// Tells a process that has used more of the processor than it may, and again after each further second; ends it where it must not go on.
    fn limit_use(&mut self, place: usize, (soft, hard): (u64, u64)) {
        let seconds = self.times_of(place).sum() / SECOND;
        if seconds >= hard {
            self.send(place, Occasion::new(SIGKILL, BY_KERNEL, 0));
        } else if seconds >= soft {
            if let Some(process) = &mut self.processes[place] {
                // As Linux does: what it may is more by a second from now on.
                let _ = Rc::make_mut(&mut process.limits).set(RLIMIT_CPU.into(), ((seconds + 1).min(hard), hard));
            }
            self.send(place, Occasion::new(SIGXCPU, BY_KERNEL, 0));
        }
    }

    fn send_by_timer(&mut self, place: usize, thread: Option<u32>, occasion: Occasion) {
        match thread {
            None => self.send(place, occasion),
            Some(tid) => {
                let is_it =
                    |thread: &Option<crate::process::Thread<M>>| thread.as_ref().is_some_and(|it| it.tid == tid);
                if let Some(thread) = self.threads.iter().position(is_it) {
                    self.send_to(thread, occasion);
                }
            }
        }
        let timer = occasion.timer.unwrap_or(0);
        if !self.has_sent(place, timer) {
            // Nobody takes it: its time goes on all the same, unless somebody just did.
            self.take_timer(place, timer, occasion);
        }
    }

    /// What a timer sent is taken: how often it ended beside is told with it, and it goes on.
    pub(super) fn take_timer(&mut self, place: usize, number: u32, occasion: Occasion) -> Occasion {
        self.deadline_may_be_new = true;
        let Some(clock) = self.timer_of(place, number as usize).map(|timer| timer.clock) else { return occasion };
        let clock = if clock == Clock::Date { Clock::Boot } else { clock };
        let now = self.clock_shows(place, clock).unwrap_or(0);
        let process = self.processes[place].as_mut();
        let Some(timer) = process.and_then(|process| process.timers.get_mut(number as usize)?.as_mut()) else {
            return occasion;
        };
        let count = timer.time.take(now);
        timer.time.tell(now);
        if count > 0 {
            timer.overrun = (count - 1).min(i32::MAX as u64) as u32;
        }
        Occasion { value: u64::from(number) | u64::from(timer.overrun) << 32, ..occasion }
    }

    /// Whether what a timer sent has not been taken yet.
    fn has_sent(&self, place: usize, timer: u32) -> bool {
        let Some(process) = &self.processes[place] else { return false };
        let mut threads = process.threads.iter().filter_map(|&thread| self.threads[thread].as_ref());
        process.pending.has_timer(timer) || threads.any(|thread| thread.pending.has_timer(timer))
    }

    fn timers_of(&self, place: usize) -> usize {
        self.processes[place].as_ref().map_or(0, |process| process.timers.len())
    }

    /// A timer by its number.
    pub(crate) fn timer_of(&self, place: usize, number: usize) -> Option<&Timer> {
        self.processes[place].as_ref()?.timers.get(number)?.as_ref()
    }
}
