//! `flock`, and locks of parts of files by `fcntl`.

use alloc::rc::Rc;
use core::ops::Range;

use linux_raw_sys::general::{F_GETLK, F_RDLCK, F_SETLKW, F_UNLCK, F_WRLCK, SEEK_CUR, SEEK_END, SEEK_SET};
use syscalls::Errno;

use crate::arch::Arch;
use crate::files::locks::{Lock, Owner};
use crate::files::{Node, Open};
use crate::machine::Machine;
use crate::process::Channel;
use crate::server::{NAME, Outcome, Result, Server};

/// All of a file.
const WHOLE: Range<u64> = 0..u64::MAX;
/// The commands for offsets of 64 bits in 32-bit programs, and for locks of descriptions: those that ask, set, and wait.
const WIDE: [u32; 3] = [12, 13, 14];
const OF_DESCRIPTION: [u32; 3] = [36, 37, 38];

/// What a command does.
#[derive(Clone, Copy)]
struct Command {
    asks: bool,
    waits: bool,
    of_description: bool,
    /// Whether offsets have 64 bits.
    wide: bool,
}

impl Command {
    /// That of a number, if it is about locks.
    fn new(number: u32, arch: Arch) -> Option<Self> {
        let place = |list: [u32; 3]| list.into_iter().position(|other| other == number);
        let narrow = (F_GETLK..=F_SETLKW).contains(&number).then(|| (number - F_GETLK) as usize);
        let (place, of_description) = match (narrow.or_else(|| place(WIDE)), place(OF_DESCRIPTION)) {
            (Some(place), _) => (place, false),
            (None, Some(place)) => (place, true),
            (None, None) => return None,
        };
        let wide = arch == Arch::Amd64 || narrow.is_none();
        Some(Self { asks: place == 0, waits: place == 2, of_description, wide })
    }
}

/// The owner of locks that are a description's.
fn description(open: &Rc<Open>) -> Owner {
    Owner::Description(Rc::as_ptr(open).addr())
}

impl<M: Machine> Server<M> {
    /// Does what a command of `fcntl` says that is about locks. `None` for any other.
    pub(super) fn lock_part(&mut self, open: &Rc<Open>, command: u32, place: u64) -> Option<Result> {
        let command = Command::new(command, self.thread().arch)?;
        Some(self.lock_by(open, command, place))
    }

    fn lock_by(&mut self, open: &Rc<Open>, command: Command, place: u64) -> Result {
        // Kind and whence; start and length behind them; the process.
        let width = if command.wide { 8 } else { 4 };
        let (start_at, pid_at) = if self.thread().arch == Arch::Amd64 { (8, 24) } else { (4, 4 + 2 * width) };
        let mut user = self.user();
        let first = user.u32(place)?;
        let mut number = |at: u64| {
            if width == 8 {
                user.u64(at).map(|value| value as i64)
            } else {
                user.u32(at).map(|value| i64::from(value as i32))
            }
        };
        let (start, length) = (number(place + start_at)?, number(place + start_at + width)?);
        let (kind, whence) = (first & 0xffff, first >> 16);
        let range = part(open, whence, start, length)?;
        let owner = if command.of_description { description(open) } else { Owner::Process(self.process().pid) };
        if !matches!(kind, F_RDLCK | F_WRLCK | F_UNLCK) {
            return Err(Errno::EINVAL);
        }
        let wanted = Lock { owner, alone: kind == F_WRLCK, range };
        if command.asks {
            let found = open.node.locks.borrow().parts.conflict(&wanted).cloned();
            let Some(Lock { owner, alone, range }) = found else {
                return self.user().write(place, &(F_UNLCK as u16).to_le_bytes()).map(|()| Outcome::Done(0));
            };
            let pid = match owner {
                Owner::Process(pid) => pid,
                Owner::Description(_) => u32::MAX,
            };
            let kind = if alone { F_WRLCK } else { F_RDLCK };
            let length = if range.end == u64::MAX { 0 } else { range.end - range.start };
            let mut user = self.user();
            user.write(place, &(kind | SEEK_SET << 16).to_le_bytes())?;
            user.write(place + start_at, &range.start.to_le_bytes()[..width as usize])?;
            user.write(place + start_at + width, &length.to_le_bytes()[..width as usize])?;
            return user.write(place + pid_at, &pid.to_le_bytes()).map(|()| Outcome::Done(0));
        }
        if kind == F_UNLCK {
            let had = open.node.locks.borrow_mut().parts.remove(owner, &wanted.range);
            return self.unlocked(&open.node, had);
        }
        if kind == F_RDLCK && !open.can_read() || kind == F_WRLCK && !open.can_write() {
            return Err(Errno::EBADF);
        }
        let is_free = open.node.locks.borrow().parts.conflict(&wanted).is_none();
        if is_free {
            self.may_keep(NAME).map_err(|_| Errno::ENOLCK)?;
            open.node.locks.borrow_mut().parts.add(wanted)?;
            self.has_locks = true;
            // Of what it had alone others may have some now.
            return self.unlocked(&open.node, kind == F_RDLCK);
        }
        if command.waits { Ok(Outcome::Wait(Channel::Pipe(open.node.number))) } else { Err(Errno::EAGAIN) }
    }

    pub(super) fn flock(&mut self, &[number, operation, ..]: &[u64; 6]) -> Result {
        const SHARED: u32 = 1;
        const ALONE: u32 = 2;
        const NEVER_WAITS: u32 = 4;
        const FREE: u32 = 8;
        let open = self.file(number)?;
        let (owner, operation) = (description(&open), operation as u32);
        let alone = match operation & !NEVER_WAITS {
            SHARED => false,
            ALONE => true,
            FREE => {
                let had = open.node.locks.borrow_mut().whole.remove(owner, &WHOLE);
                return self.unlocked(&open.node, had);
            }
            _ => return Err(Errno::EINVAL),
        };
        let wanted = Lock { owner, alone, range: WHOLE };
        let is_free = open.node.locks.borrow().whole.conflict(&wanted).is_none();
        if is_free {
            self.may_keep(NAME).map_err(|_| Errno::ENOLCK)?;
            open.node.locks.borrow_mut().whole.add(wanted)?;
            self.has_locks = true;
            return self.unlocked(&open.node, !alone);
        }
        // What it had is gone before it has the other.
        let had = open.node.locks.borrow_mut().whole.remove(owner, &WHOLE);
        self.unlocked(&open.node, had)?;
        match operation & NEVER_WAITS {
            0 => Ok(Outcome::Wait(Channel::Pipe(open.node.number))),
            _ => Err(Errno::EAGAIN),
        }
    }

    /// Those that wait for a lock of a file look again, if something changed.
    fn unlocked(&mut self, node: &Node, changed: bool) -> Result {
        if changed {
            self.happened(Channel::Pipe(node.number));
        }
        Ok(Outcome::Done(0))
    }

    /// A process closes a file: it has no locks of its parts any more, by whichever descriptor it made them; and the description none, if nobody else has that.
    pub(crate) fn leave_locks(&mut self, pid: u32, open: &Rc<Open>) {
        if !self.has_locks {
            return;
        }
        let had = {
            let mut locks = open.node.locks.borrow_mut();
            let mut had = locks.parts.remove(Owner::Process(pid), &WHOLE);
            if Rc::strong_count(open) == 1 {
                had |= locks.parts.remove(description(open), &WHOLE);
                had |= locks.whole.remove(description(open), &WHOLE);
            }
            had
        };
        if had {
            self.happened(Channel::Pipe(open.node.number));
        }
    }
}

/// The bytes that a lock is about: from there on, to the end for ever if the length is 0, or so many before.
fn part(open: &Open, whence: u32, start: i64, length: i64) -> Result<Range<u64>> {
    let base = match whence {
        SEEK_SET => 0,
        SEEK_CUR => open.offset.get() as i64,
        SEEK_END => open.node.size() as i64,
        _ => return Err(Errno::EINVAL),
    };
    let start = base.checked_add(start).ok_or(Errno::EOVERFLOW)?;
    let end = start.checked_add(length).ok_or(Errno::EOVERFLOW)?;
    let (start, end) = if length < 0 { (end, start) } else { (start, end) };
    let start = u64::try_from(start).map_err(|_| Errno::EINVAL)?;
    Ok(start..if length == 0 { u64::MAX } else { end as u64 })
}
