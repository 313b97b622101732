//! Answers that are known before anybody asks: which process and thread somebody is, and for whom it works.
//!
//! They lie in one table by who asks, so that whoever receives the messages can answer such a call from there, without anything else that there is to do about one:
//! nothing changes by it, and nobody has to look at signals, deadlines and ends.

use alloc::boxed::Box;
use core::mem::offset_of;

use syscalls::{x86, x86_64};

use crate::arch::Arch;

/// How many threads there can be: their badges are 1 to that.
pub const THREADS: usize = 1024;
/// All calls whose answers are known have numbers below.
pub const NUMBERS: usize = 256;
/// Answers that are kept for one thread, with what it was built for.
pub const ROW: usize = 4;

/// Where in a row is what the thread was built for: 0 for i386, else amd64.
const ARCH: usize = 0;
const PID: u8 = 1;
const TID: u8 = 2;
/// User and group: everybody is root, as nobody else is here.
const ROOT: u8 = 3;

/// The table. Its layout is that of C, for those who look at it without this.
#[repr(C)]
pub struct Known {
    /// For each number of a call, by [`Arch::index`], its answer's place in a row; 0 where it is not known.
    places: [[u8; NUMBERS]; 2],
    /// By badge.
    rows: [[u32; ROW]; THREADS + 1],
}

impl Known {
    /// Offset of the places for i386.
    pub const NARROW: usize = offset_of!(Self, places);
    /// Offset of the places for amd64.
    pub const WIDE: usize = Self::NARROW + NUMBERS;
    /// Offset of the rows.
    pub const ROWS: usize = offset_of!(Self, rows);

    pub(crate) fn new() -> Box<Self> {
        let mut places = [[0; NUMBERS]; 2];
        for (narrow, wide, place) in [
            (x86::Sysno::getpid, x86_64::Sysno::getpid, PID),
            (x86::Sysno::gettid, x86_64::Sysno::gettid, TID),
            (x86::Sysno::getuid32, x86_64::Sysno::getuid, ROOT),
            (x86::Sysno::geteuid32, x86_64::Sysno::geteuid, ROOT),
            (x86::Sysno::getgid32, x86_64::Sysno::getgid, ROOT),
            (x86::Sysno::getegid32, x86_64::Sysno::getegid, ROOT),
        ] {
            places[Arch::I386.index()][narrow.id() as usize] = place;
            places[Arch::Amd64.index()][wide.id() as usize] = place;
        }
        Box::new(Self { places, rows: [[0; ROW]; THREADS + 1] })
    }

    /// There is a thread with this badge.
    pub(crate) const fn add(&mut self, badge: usize, arch: Arch, pid: u32, tid: u32) {
        let row = &mut self.rows[badge];
        row[ARCH] = arch.index() as u32;
        row[PID as usize] = pid;
        row[TID as usize] = tid;
    }

    /// The answer to a call, if it is known.
    pub(crate) fn answer(&self, badge: usize, arch: Arch, number: usize) -> Option<u32> {
        let place = *self.places[arch.index()].get(number)?;
        (place != 0).then(|| self.rows[badge][place as usize])
    }
}
