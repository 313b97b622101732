//! Files by parts: reading and writing several pieces at a place, room ahead, copies, and files that have no name.

use linux_raw_sys::general::O_RDWR;
use syscalls::Errno;

use crate::arch::Arch;
use crate::files::{Kind, Node, Open};
use crate::machine::Machine;
use crate::memory;
use crate::server::{NAME, Outcome, Result, Server};

/// The most bytes that one call copies.
const MOST_COPIED: u64 = 1 << 20;

impl<M: Machine> Server<M> {
    /// Copies bytes of a file, as those have it who map it; how many there were.
    pub(super) fn copy_file_out(&mut self, file: &Node, offset: u64, to: &mut [u8]) -> usize {
        memory::gather(file, offset..offset + to.len() as u64, &mut self.pool);
        file.copy_out(offset, to)
    }

    /// Writes bytes to a file, which those see who map it.
    pub(super) fn put_into_file(&mut self, file: &Node, offset: u64, bytes: &[u8]) -> Result<()> {
        self.may_grow(file, offset.saturating_add(bytes.len() as u64))?;
        file.write(offset, bytes.len(), |to| to.copy_from_slice(bytes))?;
        memory::spread(file, offset..offset + bytes.len() as u64, &mut self.pool);
        file.changed.set(self.wall_clock());
        Ok(())
    }

    pub(super) fn preadv(&mut self, arguments: &[u64; 6]) -> Result {
        self.pieces_at_place(arguments, Self::readv)
    }

    pub(super) fn pwritev(&mut self, arguments: &[u64; 6]) -> Result {
        self.pieces_at_place(arguments, Self::writev)
    }

    /// Does it at a place in a file, as long as that goes; where the description stands does not change.
    fn pieces_at_place(&mut self, arguments: &[u64; 6], each: fn(&mut Self, &[u64; 6]) -> Result) -> Result {
        let [number, pieces, count, low, high, _] = *arguments;
        let open = self.file(number)?;
        if !matches!(open.node.kind, Kind::File(_) | Kind::Proc(_) | Kind::Device(_)) {
            return Err(Errno::ESPIPE);
        }
        // All ones of both halves: where the description stands.
        let stands = low as u32 == u32::MAX && (high as u32 == u32::MAX || self.thread().arch == Arch::Amd64);
        if stands {
            return each(self, &[number, pieces, count, 0, 0, 0]);
        }
        let at = self.offset(low, high)?;
        let before = open.offset.replace(at);
        let outcome = each(self, &[number, pieces, count, 0, 0, 0]);
        open.offset.set(before);
        outcome
    }

    /// Makes a file so large, if it is not.
    pub(super) fn fallocate(&mut self, arguments: &[u64; 6]) -> Result {
        const KEEP_SIZE: u32 = 1;
        let [number, mode, ..] = *arguments;
        let (offset, length) = match self.thread().arch {
            Arch::I386 => (self.offset(arguments[2], arguments[3])?, self.offset(arguments[4], arguments[5])?),
            Arch::Amd64 => (self.offset(arguments[2], 0)?, self.offset(arguments[3], 0)?),
        };
        let open = self.file(number)?;
        let end = offset.checked_add(length).filter(|_| length > 0).ok_or(Errno::EINVAL)?;
        match (&open.node.kind, mode as u32) {
            _ if !open.can_write() => Err(Errno::EBADF),
            (Kind::Pipe(_) | Kind::Socket(_), _) => Err(Errno::ESPIPE),
            (Kind::File(_), 0) if end > open.node.size() => self.set_size(&open.node, end),
            (Kind::File(_), 0 | KEEP_SIZE) => Ok(Outcome::Done(0)),
            (Kind::File(_), _) => Err(Errno::EOPNOTSUPP),
            _ => Err(Errno::ENODEV),
        }
    }

    pub(super) fn copy_file_range(&mut self, &[from, from_at, to, to_at, length, flags]: &[u64; 6]) -> Result {
        let (from, to) = (self.file(from)?, self.file(to)?);
        if !from.can_read() || !to.can_write() || to.appends() {
            return Err(Errno::EBADF);
        }
        let is_file = |open: &Open| matches!(open.node.kind, Kind::File(_));
        if flags as u32 != 0 || !is_file(&from) || !is_file(&to) {
            return Err(Errno::EINVAL);
        }
        let mut place = |open: &Open, at: u64| if at == 0 { Ok(open.offset.get()) } else { self.user().u64(at) };
        let (start, target) = (place(&from, from_at)?, place(&to, to_at)?);
        let left = from.node.size().saturating_sub(start);
        let count = length.min(left).min(MOST_COPIED);
        if alloc::rc::Rc::ptr_eq(&from.node, &to.node) && start.abs_diff(target) < count {
            return Err(Errno::EINVAL);
        }
        self.may_keep(count as usize)?;
        let mut bytes = alloc::vec![0; count as usize];
        self.copy_file_out(&from.node, start, &mut bytes);
        self.put_into_file(&to.node, target, &bytes)?;
        for (open, at, end) in [(&from, from_at, start + count), (&to, to_at, target + count)] {
            match at {
                0 => open.offset.set(end),
                at => self.user().write(at, &end.to_le_bytes())?,
            }
        }
        Ok(Outcome::Done(count))
    }

    /// A file in no directory.
    pub(super) fn memfd_create(&mut self, &[name, flags, ..]: &[u64; 6]) -> Result {
        const CLOSES: u64 = 1;
        /// Seals, which nobody sets here, and whether it may be executed.
        const OTHERS: u64 = 2 | 8 | 16;
        if self.user().string(name)?.len() > 249 || flags & !(CLOSES | OTHERS) != 0 {
            return Err(Errno::EINVAL);
        }
        self.may_keep(NAME).map_err(|_| Errno::ENOMEM)?;
        let node = self.empty_file(0o777);
        self.process_mut().files.add(Open::new(node, O_RDWR), flags & CLOSES != 0, 0).map(Outcome::Done)
    }

    pub(super) fn close_range(&mut self, &[first, last, flags, ..]: &[u64; 6]) -> Result {
        const CLOSES_LATER: u64 = 4;
        let (first, last) = (first as u32, last as u32);
        if first > last || flags & !CLOSES_LATER != 0 {
            return Err(Errno::EINVAL);
        }
        let numbers = self.process().files.numbers().map(|number| number as u32);
        let numbers: alloc::vec::Vec<_> = numbers.filter(|number| (first..=last).contains(number)).collect();
        for number in numbers {
            if flags == 0 {
                self.close_descriptor(&[number.into(), 0, 0, 0, 0, 0])?;
            } else {
                self.process_mut().files.get_mut(number.into())?.closes = true;
            }
        }
        Ok(Outcome::Done(0))
    }
}
