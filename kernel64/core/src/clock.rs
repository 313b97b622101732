//! Nanoseconds since the boot, and the ticks of the time-stamp counter that they are.

/// Nanoseconds in a millisecond.
const MILLISECOND: u64 = 1_000_000;

/// The time-stamp counter as a clock.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// What it counted at the boot.
    pub start: u64,
    /// Its frequency, in kHz; not zero.
    pub kilohertz: u64,
}

impl Clock {
    /// Whole nanoseconds since the boot when the counter stands at `ticks`.
    pub const fn nanoseconds(&self, ticks: u64) -> u64 {
        let since = ticks.wrapping_sub(self.start);
        let (whole, rest) = (since / self.kilohertz, since % self.kilohertz);
        // A rest is less than the frequency, which is below 18 THz: nothing overflows in the second product.
        whole.saturating_mul(MILLISECOND).saturating_add(rest * MILLISECOND / self.kilohertz)
    }

    /// The first count of the counter that is not before so many nanoseconds since the boot; the last there is, for never.
    pub const fn ticks(&self, nanoseconds: u64) -> u64 {
        let (whole, rest) = (nanoseconds / MILLISECOND, nanoseconds % MILLISECOND);
        let Some(whole) = whole.checked_mul(self.kilohertz) else { return u64::MAX };
        whole.saturating_add((rest * self.kilohertz).div_ceil(MILLISECOND)).saturating_add(self.start)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Who waits for a time finds that it has come, and waited no tick longer than needed.
        #[test]
        fn the_first_tick_of_a_time_is_not_before_it(
            start in 0..1_u64 << 50, kilohertz in 1_000..10_000_000_u64, nanoseconds in 0..1_u64 << 55,
        ) {
            let clock = Clock { start, kilohertz };
            let ticks = clock.ticks(nanoseconds);
            prop_assert!(clock.nanoseconds(ticks) >= nanoseconds);
            prop_assert!(ticks == start || clock.nanoseconds(ticks - 1) < nanoseconds);
        }

        #[test]
        fn no_time_is_too_far(start: u64, kilohertz in 1..10_000_000_u64, nanoseconds: u64) {
            let clock = Clock { start, kilohertz };
            prop_assert!(clock.ticks(nanoseconds) >= start);
        }
    }

    #[test]
    fn never_never_comes() {
        let clock = Clock { start: 5, kilohertz: 1_000_001 };
        assert_eq!(clock.ticks(u64::MAX), u64::MAX);
        assert_eq!((clock.nanoseconds(5), clock.ticks(0)), (0, 5));
    }
}
