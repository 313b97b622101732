//! What the machine and its kernel are.

use linux_raw_sys::general::{GRND_INSECURE, GRND_NONBLOCK, GRND_RANDOM};
use syscalls::Errno;

use crate::arch::Arch;
use crate::machine::Machine;
use crate::memory::PAGE;
use crate::server::{Outcome, Result, Server};

/// Bytes of each field of `struct utsname`.
const FIELD: usize = 65;

impl<M: Machine> Server<M> {
    pub(super) fn uname(&mut self, &[place, ..]: &[u64; 6]) -> Result {
        let machine = match self.thread().arch {
            Arch::I386 => "i686",
            Arch::Amd64 => "x86_64",
        };
        let mut bytes = [0; 6 * FIELD];
        // The release says which calls a program may expect.
        let fields = ["Linux", "lilliput", "6.1.0-lilliput", "#1 Lilliput", machine, "(none)"];
        for (field, text) in bytes.chunks_mut(FIELD).zip(fields) {
            field[..text.len()].copy_from_slice(text.as_bytes());
        }
        self.user().write(place, &bytes).map(|()| Outcome::Done(0))
    }

    /// `struct sysinfo`: `include/uapi/linux/sysinfo.h`.
    pub(super) fn sysinfo(&mut self, &[place, ..]: &[u64; 6]) -> Result {
        let width = self.thread().arch.word() as usize;
        let (frames, free) = self.pool.counts();
        let uptime = self.machine.now() / 1_000_000_000;
        let processes = self.processes.iter().flatten().count();
        let mut bytes = alloc::vec::Vec::new();
        let mut put = |value: u64, width: usize| bytes.extend_from_slice(&value.to_le_bytes()[..width]);
        put(uptime, width);
        (0..3).for_each(|_| put(0, width));
        for value in [frames as u64 * PAGE, free as u64 * PAGE, 0, 0, 0, 0] {
            put(value, width);
        }
        put(processes as u64, 2);
        put(0, if width == 8 { 6 } else { 2 });
        (0..2).for_each(|_| put(0, width));
        put(1, 4);
        bytes.resize(if width == 8 { 112 } else { 64 }, 0);
        self.user().write(place, &bytes).map(|()| Outcome::Done(0))
    }

    pub(super) fn getrandom(&mut self, &[place, length, flags, ..]: &[u64; 6]) -> Result {
        if flags as u32 & !(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE) != 0 {
            return Err(Errno::EINVAL);
        }
        self.fill_with_random(place, length.min(1 << 20) as usize)
    }

    /// There is one processor.
    pub(super) fn sched_getaffinity(&mut self, &[_, length, place, ..]: &[u64; 6]) -> Result {
        // Whole words of the program's.
        let word = self.thread().arch.word();
        if length < word || !length.is_multiple_of(word) {
            return Err(Errno::EINVAL);
        }
        let length = length.min(8);
        self.user().write(place, &1_u64.to_le_bytes()[..length as usize]).map(|()| Outcome::Done(length))
    }

    pub(super) fn getcpu(&mut self, &[cpu, node, ..]: &[u64; 6]) -> Result {
        for place in [cpu, node].into_iter().filter(|&place| place != 0) {
            self.user().write(place, &[0; 4])?;
        }
        Ok(Outcome::Done(0))
    }
}
