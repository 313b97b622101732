//! Budgets of time: how much of each period may be used on a thread's time.
//!
//! Nothing happens at the end of a period. What is due since the last look is added when a thread's time is looked at next, so a
//! period costs nothing to a thread that does not use its time up.

use lilliput_abi::Error;
use lilliput_abi::object::budget::{LEAST_MICROSECONDS, LEAST_PERIOD_MICROSECONDS};

use crate::alarm::NEVER;
use crate::clock::Clock;

/// So many microseconds of each period of so many; both zero for all of the time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    time: u32,
    period: u32,
}

impl Share {
    /// All of the time.
    pub const ALL: Self = Self { time: 0, period: 0 };

    /// A share of the time, in microseconds.
    ///
    /// # Errors
    /// `BadArgument` for more than there is, and for less than what the timer can be set to without end.
    pub fn new(time: u32, period: u32) -> Result<Self, Error> {
        let share = Self { time, period };
        let fits = time >= LEAST_MICROSECONDS && period >= LEAST_PERIOD_MICROSECONDS && time <= period;
        if share == Self::ALL || fits { Ok(share) } else { Err(Error::BadArgument) }
    }

    /// Whether this is no less than another share: neither at once nor in the long run.
    pub fn covers(self, other: Self) -> bool {
        let product = |time: u32, period: u32| u64::from(time) * u64::from(period);
        self == Self::ALL
            || other != Self::ALL
                && other.time <= self.time
                && product(other.time, self.period) <= product(self.time, other.period)
    }
}

/// What a thread may use. In ticks of the time-stamp counter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Budget {
    /// Of each period; not zero, where it is bounded.
    time: u64,
    /// How long a period is; 0 where the budget is not bounded.
    period: u64,
    /// What is left in this period. Negative where more was used than there was: a server went on that worked for the thread.
    left: i64,
    /// When the period is over.
    over: u64,
}

impl Budget {
    /// Where the length of a period is, for the assembly of the fast path: 0 where the budget has no end.
    pub const PERIOD_OFFSET: usize = core::mem::offset_of!(Self, period);

    /// A budget whose first period begins at `now`.
    pub fn new(share: Share, clock: Clock, now: u64) -> Self {
        // 2^32 microseconds are less than 2^56 ticks of any counter.
        let ticks = |microseconds: u32| u64::from(microseconds) * clock.kilohertz / 1000;
        let (time, period) = (ticks(share.time), ticks(share.period));
        Self { time, period, left: time as i64, over: now.saturating_add(period) }
    }

    /// Whether it has an end.
    pub const fn is_bounded(&self) -> bool {
        self.period != 0
    }

    /// Whether nothing is left, as far as it was charged.
    pub const fn is_used_up(&self) -> bool {
        self.is_bounded() && self.left <= 0
    }

    /// So much was used without a break until `now`. Periods that are over by then add to it; what was left of them is lost.
    pub fn charge(&mut self, used: u64, now: u64) {
        if !self.is_bounded() {
            return;
        }
        let Some(since) = now.checked_sub(self.over) else {
            self.left = self.left.saturating_sub_unsigned(used);
            return;
        };
        let (used_since, most) = (used.min(since), self.time as i64);
        self.left = self.left.saturating_sub_unsigned(used - used_since).saturating_add(most).min(most);
        // No more than have passed since the boot, hence no overflow: a period is no shorter than what it gives.
        let further = since / self.period;
        self.left =
            self.left.saturating_sub_unsigned(used_since).saturating_add_unsigned(further * self.time).min(most);
        self.over = self.over.saturating_add((further + 1) * self.period);
    }

    /// Nobody uses it at `now`: it is renewed if that is due.
    pub fn renew(&mut self, now: u64) {
        if self.is_used_up() {
            self.charge(0, now);
        }
    }

    /// When it will be used up, if it is used from `now` on without a break.
    pub const fn end(&self, now: u64) -> u64 {
        match self.left {
            _ if !self.is_bounded() => NEVER,
            ..=0 => now,
            left => now.saturating_add(left as u64),
        }
    }

    /// When something will be left again: after so many periods as pay for what was used too much.
    pub const fn renewal(&self) -> u64 {
        let owed = if self.left < 0 { self.left.unsigned_abs() } else { 0 };
        self.over.saturating_add((owed / self.time).saturating_mul(self.period))
    }

    /// Another share of the time from `now` on, until when nothing is to be charged any more. What was used of the old one stays used: else to
    /// change it would be to begin anew; and what is due of the old one is added, as at every look.
    pub fn change(&mut self, new: Self, now: u64) {
        self.charge(0, now);
        let left = if self.is_bounded() { self.left.min(new.left) } else { new.left };
        *self = Self { left, ..new };
    }
}

#[cfg(test)]
mod tests;
