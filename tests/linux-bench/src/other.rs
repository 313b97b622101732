//! The other process: it counts, as long as it is let.

use core::sync::atomic::AtomicU32;
use core::sync::atomic::Ordering::Relaxed;

use crate::call::{self, Error, number};
use crate::rounds::now;

/// Instructions of one round of its loop.
const INSTRUCTIONS: u32 = 2;
/// Readable and writable; shared, anonymous.
const PROTECTION: usize = 3;
const SHARED_ANONYMOUS: usize = 0x21;
const PAGE: usize = 4096;
const SIGKILL: usize = 9;
/// Two times to sleep, in nanoseconds.
const SLEEPS: [usize; 2] = [10_000_000, 80_000_000];
/// Linux's number of `nanosleep`.
#[cfg(target_arch = "x86")]
const SLEEP: usize = 162;
#[cfg(target_arch = "x86_64")]
const SLEEP: usize = 35;
/// Linux's number of `kill`.
#[cfg(target_arch = "x86")]
const KILL: usize = 37;
#[cfg(target_arch = "x86_64")]
const KILL: usize = 62;

/// A process that counts.
pub struct Other {
    pid: usize,
    count: &'static AtomicU32,
}

impl Other {
    /// Starts it.
    pub fn start() -> Result<Self, Error> {
        let page = call::call(number::MMAP, [0, PAGE, PROTECTION, SHARED_ANONYMOUS, usize::MAX, 0])?;
        // SAFETY: it was mapped just now, is never unmapped, and is of words that may change at any time.
        let count = unsafe { &*(page as *const AtomicU32) };
        let Some(pid) = call::fork()? else { count_on(count) };
        // It has begun once it has counted.
        while count.load(Relaxed) == 0 {
            core::hint::spin_loop();
        }
        Ok(Self { pid, count })
    }

    /// Instructions that it has executed, modulo 2^32.
    #[inline(always)]
    pub fn instructions(&self) -> u32 {
        self.count.load(Relaxed).wrapping_mul(INSTRUCTIONS)
    }

    /// What the system itself takes while the other counts and nobody else does anything, its clock's ticks: instructions, and of how many.
    pub fn ticking(&self) -> Result<(u64, u64), Error> {
        let mut taken = [0; 2];
        let mut passed = [0; 2];
        for ((taken, passed), nanoseconds) in taken.iter_mut().zip(&mut passed).zip(SLEEPS) {
            let (began, others) = (now(), self.instructions());
            let time = [0, nanoseconds];
            call::call(SLEEP, [time.as_ptr() as usize, 0])?;
            *passed = now() - began;
            *taken = passed.saturating_sub(self.instructions().wrapping_sub(others).into());
        }
        // What falling asleep and waking takes is in both.
        let of = passed[1].saturating_sub(passed[0]).max(1);
        Ok((taken[1].saturating_sub(taken[0]), of))
    }

    /// Ends it.
    pub fn end(self) {
        let _ = call::call(KILL, [self.pid, SIGKILL]);
        let _ = call::wait(self.pid);
    }
}

fn count_on(count: &AtomicU32) -> ! {
    // SAFETY: it counts in a word that is there for that.
    unsafe {
        #[cfg(target_arch = "x86")]
        core::arch::asm!("2: inc dword ptr [{word:e}]", "jmp 2b", word = in(reg) count.as_ptr(), options(noreturn));
        #[cfg(target_arch = "x86_64")]
        core::arch::asm!("2: inc dword ptr [{word}]", "jmp 2b", word = in(reg) count.as_ptr(), options(noreturn));
    }
}
