//! Moving bytes from one description to another: `sendfile`, `splice`, `tee`, `vmsplice`. They are copied, by way of the server.

use alloc::rc::Rc;
use alloc::vec::Vec;

use linux_raw_sys::general::SIGPIPE;
use syscalls::Errno;

use crate::files::socket::Style;
use crate::files::{Device, Kind, Open, Pipe};
use crate::machine::{Machine, Stream};
use crate::process::Channel;
use crate::server::{Outcome, Result, Server};

/// The most bytes that one call moves.
const MOST: u64 = 64 << 10;
/// Flags of `splice` and its relatives: pages may move, it never waits, more follows, they are a present. Only the second means something.
const NEVER_WAITS: u32 = 2;
const FLAGS: u32 = 0xf;

/// How much there is to be moved now, or what is to be waited for.
type Now<T> = core::result::Result<T, Channel>;

/// Where bytes are moved from and to.
struct Move {
    from: Rc<Open>,
    to: Rc<Open>,
    /// Where in each, if that is said; else where it stands.
    places: [Option<u64>; 2],
    count: u64,
    never_waits: bool,
    /// Whether they go from where they are.
    takes: bool,
}

impl<M: Machine> Server<M> {
    pub(super) fn sendfile(&mut self, &[to, from, offset, count, ..]: &[u64; 6]) -> Result {
        let word = self.thread().arch.word() as usize;
        self.send_file(to, from, offset, count, word)
    }

    pub(super) fn sendfile64(&mut self, &[to, from, offset, count, ..]: &[u64; 6]) -> Result {
        self.send_file(to, from, offset, count, 8)
    }

    fn send_file(&mut self, to: u64, from: u64, offset: u64, count: u64, width: usize) -> Result {
        let (to, from) = (self.file(to)?, self.file(from)?);
        if !from.can_read() || !to.can_write() {
            return Err(Errno::EBADF);
        }
        if !matches!(from.node.kind, Kind::File(_)) || to.appends() {
            // Who asks reads and writes instead.
            return Err(Errno::EINVAL);
        }
        let mut named = [0; 8];
        if offset != 0 {
            self.user().read(offset, &mut named[..width])?;
        }
        let place = (offset != 0).then_some(u64::from_le_bytes(named));
        let never_waits = to.never_waits();
        let outcome = self.move_bytes(&Move { from, to, places: [place, None], count, never_waits, takes: true })?;
        if let (Some(place), Outcome::Done(moved)) = (place, outcome) {
            self.user().write(offset, &(place + moved).to_le_bytes()[..width])?;
        }
        Ok(outcome)
    }

    pub(super) fn splice(&mut self, &[from, from_at, to, to_at, count, flags]: &[u64; 6]) -> Result {
        let (from, to, flags) = (self.file(from)?, self.file(to)?, flags as u32);
        if flags & !FLAGS != 0 {
            return Err(Errno::EINVAL);
        }
        if !from.can_read() || !to.can_write() {
            return Err(Errno::EBADF);
        }
        let pipes = [&from, &to].map(|open| matches!(open.node.kind, Kind::Pipe(_)));
        if pipes == [false, false] || from_is(&from, &to) || to.appends() {
            return Err(Errno::EINVAL);
        }
        let mut places = [None; 2];
        for ((place, at), is_pipe) in places.iter_mut().zip([from_at, to_at]).zip(pipes) {
            if at != 0 {
                if is_pipe {
                    return Err(Errno::ESPIPE);
                }
                *place = Some(self.user().u64(at)?);
            }
        }
        let waits_not = |open: &Open| matches!(open.node.kind, Kind::Pipe(_)) && open.never_waits();
        let never_waits = flags & NEVER_WAITS != 0 || waits_not(&from) || waits_not(&to);
        let outcome = self.move_bytes(&Move { from, to, places, count, never_waits, takes: true })?;
        if let Outcome::Done(moved) = outcome {
            for (place, at) in places.into_iter().zip([from_at, to_at]) {
                if let Some(place) = place {
                    self.user().write(at, &(place + moved).to_le_bytes())?;
                }
            }
        }
        Ok(outcome)
    }

    pub(super) fn tee(&mut self, &[from, to, count, flags, ..]: &[u64; 6]) -> Result {
        let (from, to, flags) = (self.file(from)?, self.file(to)?, flags as u32);
        if flags & !FLAGS != 0 {
            return Err(Errno::EINVAL);
        }
        if !from.can_read() || !to.can_write() {
            return Err(Errno::EBADF);
        }
        let are_pipes = [&from, &to].iter().all(|open| matches!(open.node.kind, Kind::Pipe(_)));
        if !are_pipes || from_is(&from, &to) {
            return Err(Errno::EINVAL);
        }
        let never_waits = flags & NEVER_WAITS != 0 || from.never_waits() || to.never_waits();
        self.move_bytes(&Move { from, to, places: [None; 2], count, never_waits, takes: false })
    }

    /// Memory to a pipe, or a pipe to memory.
    pub(super) fn vmsplice(&mut self, arguments: &[u64; 6]) -> Result {
        let open = self.file(arguments[0])?;
        if !matches!(open.node.kind, Kind::Pipe(_)) {
            return Err(Errno::EBADF);
        }
        if arguments[3] as u32 & !FLAGS != 0 {
            return Err(Errno::EINVAL);
        }
        if open.can_write() { self.writev(arguments) } else { self.readv(arguments) }
    }

    fn move_bytes(&mut self, way: &Move) -> Result {
        let Move { from, to, places, never_waits, takes, .. } = way;
        let count = way.count.min(MOST) as usize;
        if count == 0 {
            return Ok(Outcome::Done(0));
        }
        let wait = |channel| if *never_waits { Err(Errno::EAGAIN) } else { Ok(Outcome::Wait(channel)) };
        let bytes = match self.bytes_of(from, places[0], count)? {
            Ok(bytes) if bytes.is_empty() => return Ok(Outcome::Done(0)),
            Ok(bytes) => bytes,
            Err(channel) => return wait(channel),
        };
        let room = match self.room_in(to)? {
            Ok(room) => room.min(bytes.len()),
            Err(channel) => return wait(channel),
        };
        let moved = self.put_bytes(to, places[1], &bytes[..room])?;
        if *takes {
            self.take_bytes(from, places[0], moved);
        }
        Ok(Outcome::Done(moved as u64))
    }

    /// The pipe that a description reads, or writes, if it does.
    ///
    /// # Errors
    /// `EINVAL` for what is moved in other ways than by bytes; `ENOTCONN`.
    fn pipe_of(open: &Open, writes: bool) -> Result<Option<Rc<Pipe>>> {
        match &open.node.kind {
            Kind::Pipe(pipe) => Ok(Some(pipe.clone())),
            Kind::Socket(socket) if socket.style == Style::Stream => {
                let [input, output] = socket.pipes().ok_or(Errno::ENOTCONN)?;
                Ok(if writes { output } else { input })
            }
            _ => Err(Errno::EINVAL),
        }
    }

    /// What can be read next, at most so many bytes; none at the end.
    fn bytes_of(&mut self, open: &Open, at: Option<u64>, most: usize) -> Result<Now<Vec<u8>>> {
        self.may_keep(most).map_err(|_| Errno::ENOMEM)?;
        if let Kind::File(_) = open.node.kind {
            let offset = at.unwrap_or(open.offset.get());
            let mut bytes = alloc::vec![0; most.min(open.node.size().saturating_sub(offset) as usize)];
            self.copy_file_out(&open.node, offset, &mut bytes);
            return Ok(Ok(bytes));
        }
        let Some(pipe) = Self::pipe_of(open, false)? else { return Ok(Ok(Vec::new())) };
        let bytes: Vec<u8> = pipe.bytes.borrow().iter().take(pipe.until_passed(most)).copied().collect();
        Ok(if bytes.is_empty() && pipe.has_writers() { Err(Channel::Pipe(pipe.number)) } else { Ok(bytes) })
    }

    /// How many bytes can be written.
    fn room_in(&mut self, open: &Open) -> Result<Now<usize>> {
        match open.node.kind {
            Kind::File(_) => return Ok(Ok(usize::MAX)),
            Kind::Device(Device::Null | Device::Zero | Device::Console | Device::Error) => return Ok(Ok(usize::MAX)),
            _ => {}
        }
        let Some(pipe) = Self::pipe_of(open, true)?.filter(|pipe| pipe.has_readers()) else {
            self.raise(SIGPIPE);
            return Err(Errno::EPIPE);
        };
        Ok(if pipe.room() == 0 { Err(Channel::Pipe(pipe.number)) } else { Ok(pipe.room()) })
    }

    /// Writes bytes for which there is room; how many were.
    fn put_bytes(&mut self, open: &Open, at: Option<u64>, bytes: &[u8]) -> Result<usize> {
        match &open.node.kind {
            Kind::Device(Device::Console) => self.print(Stream::Output, bytes),
            Kind::Device(Device::Error) => self.print(Stream::Error, bytes),
            Kind::Device(_) => {}
            Kind::File(_) => {
                let place = at.unwrap_or(open.offset.get());
                let count = self.within_limit(place, bytes.len())?;
                self.put_into_file(&open.node, place, &bytes[..count])?;
                if at.is_none() {
                    open.offset.set(place + count as u64);
                }
                self.note_moved(open, count as u64, true);
                return Ok(count);
            }
            _ => {
                if let Some(pipe) = Self::pipe_of(open, true)? {
                    pipe.bytes.borrow_mut().extend(bytes);
                    pipe.came(bytes.len());
                    self.happened(Channel::Pipe(pipe.number));
                }
            }
        }
        Ok(bytes.len())
    }

    /// What was moved is read.
    fn take_bytes(&mut self, open: &Open, at: Option<u64>, count: usize) {
        if let Kind::File(_) = open.node.kind {
            if at.is_none() {
                open.offset.set(open.offset.get() + count as u64);
            }
            self.note_moved(open, count as u64, false);
        } else if let Ok(Some(pipe)) = Self::pipe_of(open, false) {
            pipe.bytes.borrow_mut().drain(..count);
            pipe.went(count);
            pipe.take_passed().into_iter().for_each(|open| self.close(open));
            self.happened(Channel::Pipe(pipe.number));
        }
    }
}

/// Whether both are ends of the same pipe.
fn from_is(one: &Open, other: &Open) -> bool {
    matches!(one.node.kind, Kind::Pipe(_)) && Rc::ptr_eq(&one.node, &other.node)
}
