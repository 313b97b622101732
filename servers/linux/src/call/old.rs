//! System calls of 32-bit programs that newer ones have taken the place of, and that small C libraries still make; and old ones of both widths.

use alloc::vec::Vec;

use linux_raw_sys::general::AT_SYMLINK_NOFOLLOW;
use syscalls::Errno;

use super::descriptors::HERE;
use crate::files::{Node, Status, status};
use crate::machine::Machine;
use crate::server::{Outcome, Result, Server};
use crate::signal::Action;

/// Nanoseconds of a second, and of a microsecond.
const SECOND: u64 = 1_000_000_000;
const MICROSECOND: u64 = 1000;

impl<M: Machine> Server<M> {
    /// `struct old_sigaction`: handler, mask, flags, restorer.
    pub(super) fn sigaction(&mut self, &[signal, new, old, ..]: &[u64; 6]) -> Result {
        let action = match new {
            0 => None,
            place => {
                let mut words = [0; 4];
                for (number, word) in words.iter_mut().enumerate() {
                    *word = self.user().u32(place + 4 * number as u64)?;
                }
                let [handler, mask, flags, restorer] = words;
                Some(Action { handler: handler.into(), flags, restorer: restorer.into(), mask: mask.into() })
            }
        };
        let before = self.change_action(signal as u32, action)?;
        if old != 0 {
            let words = [before.handler as u32, before.mask as u32, before.flags, before.restorer as u32];
            self.user().write(old, &words.map(u32::to_le_bytes).concat())?;
        }
        Ok(Outcome::Done(0))
    }

    /// The oldest of all: a handler that is called once.
    pub(super) fn signal(&mut self, &[signal, handler, ..]: &[u64; 6]) -> Result {
        const ONCE: u32 = 0xc000_0000;
        let action = Action { handler, flags: ONCE, restorer: 0, mask: 0 };
        self.change_action(signal as u32, Some(action)).map(|before| Outcome::Done(before.handler))
    }

    /// The mask comes in a register, after two that mean nothing.
    pub(super) fn sigsuspend(&mut self, &[_, _, mask, ..]: &[u64; 6]) -> Result {
        self.suspend(mask as u32 as u64)
    }

    pub(super) fn sigpending(&mut self, &[place, ..]: &[u64; 6]) -> Result {
        let pending = self.pending_and_held() as u32;
        self.user().write(place, &pending.to_le_bytes()).map(|()| Outcome::Done(0))
    }

    pub(super) fn sgetmask(&mut self, _: &[u64; 6]) -> Result {
        Ok(Outcome::Done(self.thread().mask.0 & 0xffff_ffff))
    }

    pub(super) fn ssetmask(&mut self, &[mask, ..]: &[u64; 6]) -> Result {
        let before = self.thread().mask.0;
        self.thread_mut().mask = crate::signal::Set::mask(mask as u32 as u64);
        Ok(Outcome::Done(before & 0xffff_ffff))
    }

    /// The five arguments are in memory.
    pub(super) fn old_select(&mut self, &[place, ..]: &[u64; 6]) -> Result {
        let mut words = [0; 6];
        for (number, word) in words[..5].iter_mut().enumerate() {
            *word = self.user().u32(place + 4 * number as u64)?.into();
        }
        self.select(&words)
    }

    /// `struct stat` of i386, whose numbers have 32 bits.
    fn put_old_status(&mut self, node: &Node, place: u64) -> Result {
        let Status { device, inode, mode, links, owner: (user, group), special, size, blocks, times } = status(node);
        let size = u32::try_from(size).ok().filter(|&size| size as i32 >= 0).ok_or(Errno::EOVERFLOW)?;
        let halves = |low: u32, high: u32| low & 0xffff | high << 16;
        let mut words = alloc::vec![device as u32, inode as u32, halves(mode, links), halves(user, group)];
        words.extend([special as u32, size, 4096, blocks as u32]);
        for time in [times[0], times[1], times[1]] {
            words.extend([(time / SECOND) as u32, (time % SECOND) as u32]);
        }
        words.extend([0; 2]);
        let bytes: Vec<u8> = words.into_iter().flat_map(u32::to_le_bytes).collect();
        self.user().write(place, &bytes).map(|()| Outcome::Done(0))
    }

    pub(super) fn stat_narrow(&mut self, &[path, place, ..]: &[u64; 6]) -> Result {
        let node = self.node_at(HERE, path, 0)?;
        self.put_old_status(&node, place)
    }

    pub(super) fn lstat_narrow(&mut self, &[path, place, ..]: &[u64; 6]) -> Result {
        let node = self.node_at(HERE, path, AT_SYMLINK_NOFOLLOW)?;
        self.put_old_status(&node, place)
    }

    pub(super) fn fstat_narrow(&mut self, &[number, place, ..]: &[u64; 6]) -> Result {
        let open = self.file(number)?;
        self.put_old_status(&open.node, place)
    }

    /// Users and groups of 16 bits, whose highest number leaves them as they are.
    fn long_owner(&[file, user, group, ..]: &[u64; 6]) -> [u64; 6] {
        let long = |short: u64| if short & 0xffff == 0xffff { u32::MAX.into() } else { short & 0xffff };
        [file, long(user), long(group), 0, 0, 0]
    }

    pub(super) fn chown16(&mut self, arguments: &[u64; 6]) -> Result {
        self.chown(&Self::long_owner(arguments))
    }

    pub(super) fn lchown16(&mut self, arguments: &[u64; 6]) -> Result {
        self.lchown(&Self::long_owner(arguments))
    }

    pub(super) fn fchown16(&mut self, arguments: &[u64; 6]) -> Result {
        self.fchown(&Self::long_owner(arguments))
    }

    /// Two times in seconds.
    pub(super) fn utime(&mut self, &[path, times, ..]: &[u64; 6]) -> Result {
        let node = self.node_at(HERE, path, 0)?;
        let now = self.wall_clock();
        let word = self.thread().arch.word();
        for (number, cell) in [&node.accessed, &node.changed].into_iter().enumerate() {
            cell.set(match times {
                0 => now,
                _ => self.user().word(times + number as u64 * word)?.saturating_mul(SECOND),
            });
        }
        Ok(Outcome::Done(0))
    }

    pub(super) fn utimes(&mut self, &[path, times, ..]: &[u64; 6]) -> Result {
        self.futimesat(&[HERE, path, times, 0, 0, 0])
    }

    /// Two times in seconds and microseconds.
    pub(super) fn futimesat(&mut self, &[directory, path, times, ..]: &[u64; 6]) -> Result {
        let node = match path {
            0 => self.file(directory)?.node.clone(),
            _ => self.node_at(directory, path, 0)?,
        };
        let now = self.wall_clock();
        let word = self.thread().arch.word();
        for (number, cell) in [&node.accessed, &node.changed].into_iter().enumerate() {
            if times == 0 {
                cell.set(now);
                continue;
            }
            let at = times + number as u64 * 2 * word;
            let (seconds, rest) = (self.user().word(at)?, self.user().word(at + word)?);
            if rest >= SECOND / MICROSECOND {
                return Err(Errno::EINVAL);
            }
            cell.set(seconds.saturating_mul(SECOND).saturating_add(rest * MICROSECOND));
        }
        Ok(Outcome::Done(0))
    }

    /// Three numbers of 32 bits: everybody is root.
    pub(super) fn getresuid(&mut self, &[one, two, three, ..]: &[u64; 6]) -> Result {
        for place in [one, two, three] {
            self.user().write(place, &[0; 4])?;
        }
        Ok(Outcome::Done(0))
    }
}
