//! When the timer of a CPU is to interrupt next: at the end of a tick while somebody runs, and at the first deadline.

/// A time that never comes.
pub const NEVER: u64 = u64::MAX;

/// The timer of one CPU. It interrupts once each time it is set. All times are counts of the time-stamp counter.
#[derive(Clone, Copy, Debug)]
pub struct Alarm {
    /// How long the next tick is.
    period: u64,
    /// Between these: each tick is longer than the one before by one, and after the longest comes the shortest.
    shortest: u64,
    longest: u64,
    /// When the next tick is over; [`NEVER`] where it begins with the next exit to a thread.
    tick: u64,
    /// What the timer is set to.
    set: u64,
    /// Whether nobody runs: then time is not cut into ticks.
    idle: bool,
}

impl Alarm {
    /// A timer that is not set; ticks of this length.
    pub const fn new(period: u64) -> Self {
        Self::stepping(period, period)
    }

    /// The same with ticks from `shortest` to `longest`, so that in time every instruction of a thread's is interrupted.
    pub const fn stepping(shortest: u64, longest: u64) -> Self {
        Self { period: shortest, shortest, longest, tick: NEVER, set: NEVER, idle: true }
    }

    /// The timer interrupted. Whether a tick is over: slices are counted in them.
    pub const fn rang(&mut self, now: u64) -> bool {
        self.set = NEVER;
        let over = now >= self.tick;
        if over {
            self.tick = NEVER;
            self.period = if self.period < self.longest { self.period + 1 } else { self.shortest };
        }
        over
    }

    /// Who goes on at `now` is known, if anybody does, and the first deadline. The time that the timer has to be set to, if it has to be.
    ///
    /// A tick begins when its thread goes on, not when the timer interrupted: however long the kernel takes between the two, a thread
    /// gets to execute instructions before it is interrupted anew.
    ///
    /// While somebody runs a timer that interrupts too early is left alone: it is set anew then.
    pub fn choose(&mut self, now: u64, idle: bool, deadline: u64) -> Option<u64> {
        self.idle = idle;
        if idle {
            self.tick = NEVER;
        } else if self.tick == NEVER {
            self.tick = now.saturating_add(self.period);
        }
        let wanted = if idle { deadline } else { deadline.min(self.tick) };
        if wanted == self.set || !idle && wanted > self.set {
            return None;
        }
        self.set = wanted;
        Some(wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_go_on_while_somebody_runs() {
        let mut alarm = Alarm::new(100);
        assert_eq!(alarm.choose(1000, false, NEVER), Some(1100));
        assert_eq!(alarm.choose(1050, false, NEVER), None, "it is set");
        assert!(alarm.rang(1101));
        assert_eq!(alarm.choose(1102, false, NEVER), Some(1202));
        assert!(!alarm.rang(1200), "it interrupted too early");
        assert_eq!(alarm.choose(1200, false, NEVER), Some(1202));
    }

    #[test]
    fn a_kernel_that_takes_longer_than_a_tick_lets_threads_go_on() {
        let mut alarm = Alarm::new(100);
        let mut now = 1000;
        for _ in 0..10 {
            let set = alarm.choose(now, false, NEVER).unwrap();
            assert_eq!(set, now + 100, "a whole tick for the thread");
            assert!(alarm.rang(set));
            now = set + 250;
        }
    }

    #[test]
    fn stepping_ticks_grow_by_one_and_begin_anew() {
        let mut alarm = Alarm::stepping(10, 12);
        let lengths = [10, 11, 12, 10, 11].map(|_| {
            let set = alarm.choose(1000, false, NEVER).unwrap();
            assert!(alarm.rang(set));
            set - 1000
        });
        assert_eq!(lengths, [10, 11, 12, 10, 11]);
    }

    #[test]
    fn a_deadline_within_a_tick_is_no_tick() {
        let mut alarm = Alarm::new(100);
        assert_eq!(alarm.choose(1000, false, NEVER), Some(1100));
        assert_eq!(alarm.choose(1010, false, 1030), Some(1030));
        assert!(!alarm.rang(1031));
        assert_eq!(alarm.choose(1032, false, 5000), Some(1100));
        assert!(alarm.rang(1100));
    }

    #[test]
    fn nothing_interrupts_while_nobody_runs_but_the_first_deadline() {
        let mut alarm = Alarm::new(100);
        assert_eq!(alarm.choose(1000, false, NEVER), Some(1100));
        assert_eq!(alarm.choose(1010, true, NEVER), Some(NEVER), "it is stopped");
        assert_eq!(alarm.choose(1020, true, NEVER), None);
        assert_eq!(alarm.choose(1020, true, 9000), Some(9000));
        assert!(!alarm.rang(9000));
        assert_eq!(alarm.choose(9001, false, NEVER), Some(9101), "who runs has a whole tick");
    }

    #[test]
    fn a_deadline_called_off_costs_nothing_while_somebody_runs() {
        let mut alarm = Alarm::new(100);
        assert_eq!(alarm.choose(1000, false, 1050), Some(1050));
        assert_eq!(alarm.choose(1010, false, NEVER), None);
        assert!(!alarm.rang(1050));
        assert_eq!(alarm.choose(1050, false, NEVER), Some(1100));
    }
}
