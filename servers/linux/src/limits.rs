//! What processes are limited to.
//!
//! Files' sizes, descriptors, queued signals, the processor's time, addresses and data are kept to; the others are noted and told. Root, whom all programs run as, may raise them.

use linux_raw_sys::general::{
    RLIM_NLIMITS, RLIMIT_CORE, RLIMIT_MEMLOCK, RLIMIT_MSGQUEUE, RLIMIT_NICE, RLIMIT_NOFILE, RLIMIT_RTPRIO,
    RLIMIT_SIGPENDING, RLIMIT_STACK,
};
use syscalls::Errno;

use crate::files;

/// No limit.
pub const NONE: u64 = u64::MAX;
/// How many signals wait for a process that wait as often as they were sent, where nothing else is said.
const QUEUED: u64 = 256;

/// By resource: what is kept to, and up to where a program may raise that.
#[derive(Clone, Debug)]
pub struct Limits([(u64, u64); RLIM_NLIMITS as usize]);

impl Default for Limits {
    fn default() -> Self {
        let mut limits = [(NONE, NONE); RLIM_NLIMITS as usize];
        for (resource, limit) in [
            (RLIMIT_STACK, (8 << 20, NONE)),
            (RLIMIT_CORE, (0, NONE)),
            (RLIMIT_NOFILE, (files::MOST as u64, files::MOST as u64)),
            (RLIMIT_MEMLOCK, (8 << 20, 8 << 20)),
            (RLIMIT_SIGPENDING, (QUEUED, QUEUED)),
            (RLIMIT_MSGQUEUE, (819_200, 819_200)),
            (RLIMIT_NICE, (0, 0)),
            (RLIMIT_RTPRIO, (0, 0)),
        ] {
            limits[resource as usize] = limit;
        }
        Self(limits)
    }
}

impl Limits {
    /// What is kept to of a resource that there is.
    pub const fn get(&self, resource: u32) -> u64 {
        self.0[resource as usize].0
    }

    /// Both limits of a resource.
    ///
    /// # Errors
    /// `EINVAL` where there is no such one.
    pub fn both(&self, resource: u64) -> Result<(u64, u64), Errno> {
        self.0.get(resource as u32 as usize).copied().ok_or(Errno::EINVAL)
    }

    /// Sets both.
    ///
    /// # Errors
    /// `EINVAL` for no resource, or where the first is above the second; `EPERM` for more descriptors or signals than there can be.
    pub fn set(&mut self, resource: u64, limit: (u64, u64)) -> Result<(), Errno> {
        let place = self.0.get_mut(resource as u32 as usize).ok_or(Errno::EINVAL)?;
        let most = match resource as u32 {
            RLIMIT_NOFILE => files::MOST as u64,
            RLIMIT_SIGPENDING => QUEUED,
            _ => NONE,
        };
        match limit {
            (soft, hard) if soft > hard => Err(Errno::EINVAL),
            (_, hard) if hard > most => Err(Errno::EPERM),
            limit => {
                *place = limit;
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_no_higher_than_its_own_and_than_what_can_be() {
        let mut limits = Limits::default();
        let (files, stack) = (u64::from(RLIMIT_NOFILE), u64::from(RLIMIT_STACK));
        assert_eq!((limits.both(stack), limits.both(16)), (Ok((8 << 20, NONE)), Err(Errno::EINVAL)));
        assert_eq!(limits.set(stack, (2, 1)), Err(Errno::EINVAL));
        assert_eq!(limits.set(files, (1, 1025)), Err(Errno::EPERM));
        assert_eq!(limits.set(files, (10, 20)), Ok(()));
        assert_eq!((limits.get(RLIMIT_NOFILE), limits.set(files, (1024, 1024))), (10, Ok(())));
        assert_eq!(limits.set(16, (0, 0)), Err(Errno::EINVAL));
    }
}
