//! Time since the kernel's first instruction, by the time-stamp counter.

use core::arch::x86_64::_rdtsc;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use lilliput_core::clock::Clock;

use super::pit;
use super::tsc_leaf;

static START: AtomicU64 = AtomicU64::new(0);
static KILOHERTZ: AtomicU64 = AtomicU64::new(0);

/// Where the counter's frequency is known from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Measured against the PIT.
    Measured,
    /// CPUID says so, and a measurement agrees or was not possible.
    Cpuid,
}

impl Source {
    /// In the boot log.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Measured => "measured",
            Self::Cpuid => "by CPUID",
        }
    }
}

/// Reads the counter.
#[inline]
pub fn ticks() -> u64 {
    // SAFETY: every CPU of 64-bit mode has RDTSC, and the kernel runs where CR4.TSD can't forbid it.
    unsafe { _rdtsc() }
}

/// Takes now as the start of time.
#[unsafe(link_section = ".boot.text")]
pub fn start() {
    START.store(ticks(), Relaxed);
}

/// Ticks since [`start`].
pub fn ticks_since_start() -> u64 {
    ticks().wrapping_sub(START.load(Relaxed))
}

/// The counter's frequency in kHz; zero until [`calibrate`] found it.
#[inline]
pub fn kilohertz() -> u64 {
    KILOHERTZ.load(Relaxed)
}

/// The counter as a clock, once [`calibrate`] found its frequency.
pub fn get() -> Clock {
    Clock { start: START.load(Relaxed), kilohertz: kilohertz() }
}

/// Milliseconds since [`start`]; zero while the frequency is not known.
pub fn milliseconds() -> u64 {
    match kilohertz() {
        0 => 0,
        rate => ticks_since_start() / rate,
    }
}

/// Finds the counter's frequency, or says that there is nothing to find it by.
///
/// What CPUID says is exact where it is true, but emulators pass a real CPU's words on while their own
/// counter runs at another rate: it is believed if a measurement is within a hundredth, or not possible.
#[unsafe(link_section = ".boot.text")]
pub fn calibrate() -> Option<Source> {
    let measured = pit::tsc_kilohertz();
    let (kilohertz, source) = match (measured, tsc_leaf::kilohertz()) {
        (Some(measured), Some(said)) if measured.abs_diff(said) <= said / 100 => (said, Source::Cpuid),
        (Some(measured), _) => (measured, Source::Measured),
        (None, Some(said)) => (said, Source::Cpuid),
        (None, None) => return None,
    };
    KILOHERTZ.store(kilohertz, Relaxed);
    Some(source)
}

/// Spins for a number of ticks.
pub fn spin(wanted: u64) {
    let begin = ticks();
    while ticks().wrapping_sub(begin) < wanted {
        core::hint::spin_loop();
    }
}
