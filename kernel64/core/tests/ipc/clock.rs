//! The time of a trace, in units that are many ticks each.

use lilliput_core::budget::{Budget, Share};
use lilliput_core::clock::Clock;

/// A turn, in units of time.
pub const TURN: u64 = 10;

/// A budget in units of time: so many in each period of so many.
pub type Units = Option<(u32, u32)>;

/// A microsecond of this clock is a tick, and a unit is far more than a budget must be at least. So that the order is certain in which budgets are
/// renewed, periods begin some ticks before a unit does, each thread's so many of its own.
pub fn budget_of(units: Units, now: u64) -> Budget {
    let clock = Clock { start: 0, kilohertz: 1000 };
    let share = units.map_or(Ok(Share::ALL), |(time, period)| {
        let [time, period] = [time, period].map(|units| units * Time::UNIT as u32);
        Share::new(time, period)
    });
    Budget::new(share.unwrap(), clock, now)
}

/// The time, and the deadlines that have been named: no two are the same, so that their order is certain.
#[derive(Clone, Copy, Debug, Default)]
pub struct Time {
    now: u64,
    named: u64,
    /// Of the next system call, if it is a timed one.
    pub limit: Option<u64>,
}

impl Time {
    /// Ticks of the counter in the unit of a trace.
    pub const UNIT: u64 = 1 << 16;

    /// The same in units.
    pub fn units(&self) -> u64 {
        self.now
    }

    /// What the counter stands at.
    pub fn now(&self) -> u64 {
        self.now * Self::UNIT + Self::UNIT - 1
    }

    /// A unit of time passes.
    pub fn pass(&mut self) {
        self.now += 1;
    }

    /// The deadline that is so far away: if that is not at all, it has passed.
    pub fn deadline(&mut self, distance: u64) -> u64 {
        self.named += 1;
        (self.now + distance) * Self::UNIT + self.named
    }
}
