//! What the timer of a CPU is set to: the first time at which there is something to do.

/// A time that never comes.
pub const NEVER: u64 = u64::MAX;

/// The timer of one CPU. It interrupts once each time it is set. All times are counts of the time-stamp counter.
#[derive(Clone, Copy, Debug)]
pub struct Alarm {
    /// What the timer is set to.
    set: u64,
}

impl Default for Alarm {
    fn default() -> Self {
        Self::new()
    }
}

impl Alarm {
    /// Where it is what the timer is set to, for the assembly of the fast path.
    pub const SET_OFFSET: usize = core::mem::offset_of!(Self, set);

    /// A timer that is not set.
    pub const fn new() -> Self {
        Self { set: NEVER }
    }

    /// The timer interrupted.
    pub const fn rang(&mut self) {
        self.set = NEVER;
    }

    /// The time that the timer has to be set to, if it has to be, where this is the next that counts.
    ///
    /// While somebody runs a timer that interrupts too early is left alone: it is set anew then. So it is not set
    /// at each switch, though each begins a turn.
    pub fn choose(&mut self, idle: bool, wanted: u64) -> Option<u64> {
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
    fn it_is_set_once_for_each_time() {
        let mut alarm = Alarm::new();
        assert_eq!(alarm.choose(false, 1100), Some(1100));
        assert_eq!(alarm.choose(false, 1100), None, "it is set");
        alarm.rang();
        assert_eq!(alarm.choose(false, 1100), Some(1100), "it interrupted too early");
    }

    #[test]
    fn what_comes_before_moves_it_and_what_was_called_off_does_not() {
        let mut alarm = Alarm::new();
        assert_eq!(alarm.choose(false, 1100), Some(1100));
        assert_eq!(alarm.choose(false, 1030), Some(1030));
        assert_eq!(alarm.choose(false, 1100), None);
        assert_eq!(alarm.choose(false, 1130), None, "each switch begins a turn");
        alarm.rang();
        assert_eq!(alarm.choose(false, 1130), Some(1130));
    }

    #[test]
    fn nothing_interrupts_in_vain_while_nobody_runs() {
        let mut alarm = Alarm::new();
        assert_eq!(alarm.choose(false, 1100), Some(1100));
        assert_eq!(alarm.choose(true, NEVER), Some(NEVER), "it is stopped");
        assert_eq!(alarm.choose(true, NEVER), None);
        assert_eq!(alarm.choose(true, 9000), Some(9000));
    }
}
