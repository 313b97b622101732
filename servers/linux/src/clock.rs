//! Clocks, by their numbers.

use linux_raw_sys::general::{
    CLOCK_BOOTTIME, CLOCK_BOOTTIME_ALARM, CLOCK_MONOTONIC, CLOCK_MONOTONIC_COARSE, CLOCK_MONOTONIC_RAW,
    CLOCK_PROCESS_CPUTIME_ID, CLOCK_REALTIME, CLOCK_REALTIME_ALARM, CLOCK_REALTIME_COARSE, CLOCK_TAI,
    CLOCK_THREAD_CPUTIME_ID,
};
use syscalls::Errno;

/// What a clock counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// The time since 1970.
    Date,
    /// The time since the boot.
    Boot,
    /// What somebody has used of the processor.
    Used(Use),
}

/// Whose use of the processor a clock counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Use {
    /// Whether it is a thread's alone.
    pub of_thread: bool,
    /// The number of that, or of the process; 0 for whoever asks.
    pub number: u32,
    /// Whether what the kernel did for it does not count.
    pub only_user: bool,
}

impl Clock {
    /// The same, said so that it does not matter who asks: a thread of this number that says itself.
    pub const fn of_caller(self, tid: u32) -> Self {
        match self {
            Self::Used(Use { of_thread: true, number: 0, only_user }) => {
                Self::Used(Use { of_thread: true, number: tid, only_user })
            }
            other => other,
        }
    }

    /// That of a number: a fixed one, or one that is made of a process's (`include/linux/posix-timers.h`).
    ///
    /// # Errors
    /// `EINVAL` for one of none.
    pub const fn new(number: u64) -> Result<Self, Errno> {
        let number = number as i32;
        let own = Use { of_thread: false, number: 0, only_user: false };
        match number as u32 {
            CLOCK_REALTIME | CLOCK_REALTIME_COARSE | CLOCK_REALTIME_ALARM | CLOCK_TAI => Ok(Self::Date),
            CLOCK_MONOTONIC | CLOCK_MONOTONIC_RAW | CLOCK_MONOTONIC_COARSE | CLOCK_BOOTTIME | CLOCK_BOOTTIME_ALARM => {
                Ok(Self::Boot)
            }
            CLOCK_PROCESS_CPUTIME_ID => Ok(Self::Used(own)),
            CLOCK_THREAD_CPUTIME_ID => Ok(Self::Used(Use { of_thread: true, ..own })),
            // 3 would be a device.
            _ if number < 0 && number & 3 != 3 => Ok(Self::Used(Use {
                of_thread: number & 4 != 0,
                number: !(number >> 3) as u32,
                only_user: number & 3 == 1,
            })),
            _ => Err(Errno::EINVAL),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_have_fixed_numbers_or_those_of_processes() {
        let used = |of_thread, number, only_user| Ok(Clock::Used(Use { of_thread, number, only_user }));
        assert_eq!([0, 5, 11].map(Clock::new), [Ok(Clock::Date); 3]);
        assert_eq!([1, 4, 6, 7].map(Clock::new), [Ok(Clock::Boot); 4]);
        assert_eq!([2, 3].map(Clock::new), [used(false, 0, false), used(true, 0, false)]);
        let made = |pid: i32, kind: i32| (!pid << 3 | kind) as u32 as u64;
        assert_eq!(
            [made(7, 2), made(7, 6), made(0, 1)].map(Clock::new),
            [used(false, 7, false), used(true, 7, false), used(false, 0, true)]
        );
        assert_eq!([10, 12, made(7, 3), made(7, 7)].map(Clock::new), [Err(Errno::EINVAL); 4]);
    }
}
