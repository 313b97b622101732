//! Reading and writing.

use alloc::rc::Rc;

use linux_raw_sys::general::{RLIMIT_FSIZE, SIGPIPE, SIGTTOU, SIGXFSZ};
use syscalls::Errno;

use crate::files::proc::Entry;
use crate::files::{Device, Kind, Node, Open, Pipe, WHOLE};
use crate::machine::{Machine, Stream};
use crate::memory::{self, Access};
use crate::process::Channel;
use crate::server::{Outcome, Result, Server};

/// The most bytes that one call moves.
pub(super) const MOST: u64 = 0x7fff_f000;
/// The most pieces of one call.
const MOST_PIECES: u64 = 1024;

impl<M: Machine> Server<M> {
    pub(super) fn read(&mut self, &[number, address, length, ..]: &[u64; 6]) -> Result {
        let open = self.file(number)?;
        self.read_by(&open, address, length)
    }

    /// Reads, and does nothing else: who waits in it can be given bytes as soon as there are some.
    pub(super) fn read_by(&mut self, open: &Rc<Open>, address: u64, length: u64) -> Result {
        let length = length.min(MOST) as usize;
        let outcome = self.read_from(open, address, length, None);
        if let Ok(Outcome::Wait(_)) = outcome {
            self.thread_mut().reads = Some((address, length));
        }
        outcome
    }

    pub(super) fn write(&mut self, &[number, address, length, ..]: &[u64; 6]) -> Result {
        let open = self.file(number)?;
        self.write_to(&open, address, length.min(MOST) as usize, None)
    }

    pub(super) fn pread(&mut self, &[number, address, length, low, high, _]: &[u64; 6]) -> Result {
        let (open, offset) = (self.file(number)?, self.offset(low, high)?);
        if matches!(open.node.kind, Kind::Pipe(_) | Kind::Socket(_)) {
            return Err(Errno::ESPIPE);
        }
        self.read_from(&open, address, length.min(MOST) as usize, Some(offset))
    }

    pub(super) fn pwrite(&mut self, &[number, address, length, low, high, _]: &[u64; 6]) -> Result {
        let (open, offset) = (self.file(number)?, self.offset(low, high)?);
        if matches!(open.node.kind, Kind::Pipe(_) | Kind::Socket(_)) {
            return Err(Errno::ESPIPE);
        }
        self.write_to(&open, address, length.min(MOST) as usize, Some(offset))
    }

    /// An offset that takes two words of a 32-bit program's.
    pub(super) fn offset(&self, low: u64, high: u64) -> Result<u64> {
        let offset = match self.thread().arch {
            crate::Arch::I386 => low & 0xffff_ffff | high << 32,
            crate::Arch::Amd64 => low,
        };
        if offset as i64 >= 0 { Ok(offset) } else { Err(Errno::EINVAL) }
    }

    pub(super) fn readv(&mut self, arguments: &[u64; 6]) -> Result {
        self.each_piece(arguments, |server, open, address, length| server.read_from(open, address, length, None))
    }

    pub(super) fn writev(&mut self, arguments: &[u64; 6]) -> Result {
        self.each_piece(arguments, |server, open, address, length| server.write_to(open, address, length, None))
    }

    pub(super) fn each_piece(
        &mut self,
        &[number, pieces, count, ..]: &[u64; 6],
        each: impl Fn(&mut Self, &Rc<Open>, u64, usize) -> Result,
    ) -> Result {
        let open = self.file(number)?;
        let word = self.thread().arch.word();
        if count > MOST_PIECES {
            return Err(Errno::EINVAL);
        }
        // What was done before the call had to wait.
        let before = self.thread().progress;
        let (mut done, mut passed) = (0, 0);
        for piece in 0..count {
            let at = pieces + piece * 2 * word;
            let mut user = self.user();
            let (mut address, mut length) = (user.word(at)?, user.word(at + word)?.min(MOST));
            let skip = (before - passed.min(before)).min(length);
            passed += skip;
            address += skip;
            length -= skip;
            if length == 0 {
                continue;
            }
            self.thread_mut().progress = 0;
            match each(self, &open, address, length as usize) {
                Ok(Outcome::Done(moved)) => {
                    done += moved;
                    if moved < length {
                        break;
                    }
                }
                Ok(Outcome::Wait(channel)) => {
                    let moved = before + done + self.thread().progress;
                    if moved > 0 && !open.can_write() {
                        return Ok(Outcome::Done(moved));
                    }
                    self.thread_mut().progress = moved;
                    return Ok(Outcome::Wait(channel));
                }
                Err(error) if before + done == 0 => return Err(error),
                _ => break,
            }
        }
        Ok(Outcome::Done(before + done))
    }

    fn read_from(&mut self, open: &Rc<Open>, address: u64, length: usize, at: Option<u64>) -> Result {
        if !open.can_read() {
            return Err(Errno::EBADF);
        }
        match &open.node.kind {
            Kind::Directory { .. } => Err(Errno::EISDIR),
            Kind::Link(_) => Err(Errno::EINVAL),
            &Kind::Proc(entry) => self.read_text(open, entry, address, length, at),
            Kind::Socket(socket) => self.read_socket(open, &socket.clone(), address, length),
            Kind::SocketName(_) => Err(Errno::ENXIO),
            Kind::Terminal(tty) => self.read_terminal(tty, open.never_waits(), address, length),
            Kind::OtherEnd(tty) => self.read_printed(open, tty, address, length),
            Kind::Event(event) => self.read_event(open, event, address, length),
            Kind::Pipe(pipe) => self.read_pipe(open.never_waits(), &pipe.clone(), address, length),
            Kind::Device(Device::Console) if self.has_terminal => {
                self.read_terminal(&self.terminal.clone(), open.never_waits(), address, length)
            }
            Kind::Device(Device::Disk) => self.read_disk(open, address, length, at),
            Kind::Device(device) => self.read_device(*device, address, length),
            Kind::File(_) => {
                let mut offset = at.unwrap_or(open.offset.get());
                let node = open.node.clone();
                let left = node.size().saturating_sub(offset);
                let length = left.min(length as u64) as usize;
                let start = offset;
                memory::gather(&node, offset..offset + length as u64, &mut self.pool);
                self.user().pieces(address, length, Access::Write, |piece| {
                    offset += node.copy_out(offset, piece) as u64;
                })?;
                if at.is_none() {
                    open.offset.set(offset);
                }
                self.note_moved(open, offset - start, false);
                Ok(Outcome::Done(offset - start))
            }
        }
    }

    /// Reads a text of `/proc`, as it is when its beginning is read.
    fn read_text(&mut self, open: &Open, entry: Entry, address: u64, length: usize, at: Option<u64>) -> Result {
        let offset = at.unwrap_or(open.offset.get());
        if offset == 0 || open.text.borrow().is_empty() {
            let text = self.text(entry)?;
            *open.text.borrow_mut() = text;
        }
        let text = open.text.borrow();
        let rest = usize::try_from(offset).ok().and_then(|offset| text.get(offset..)).unwrap_or_default();
        let rest = &rest[..rest.len().min(length)];
        self.user().write(address, rest)?;
        if at.is_none() {
            open.offset.set(offset + rest.len() as u64);
        }
        Ok(Outcome::Done(rest.len() as u64))
    }

    fn read_device(&mut self, device: Device, address: u64, length: usize) -> Result {
        match device {
            Device::Null | Device::Error | Device::Console | Device::Own | Device::Pairs | Device::Disk => {
                Ok(Outcome::Done(0))
            }
            Device::Zero | Device::Full => {
                self.user().pieces(address, length, Access::Write, |piece| piece.fill(0))?;
                Ok(Outcome::Done(length as u64))
            }
            Device::Random => self.fill_with_random(address, length),
        }
    }

    pub(super) fn fill_with_random(&mut self, address: u64, length: usize) -> Result {
        let mut seed = self.random();
        self.user().pieces(address, length, Access::Write, |piece| {
            for byte in piece {
                seed ^= seed << 13;
                seed ^= seed >> 7;
                seed ^= seed << 17;
                *byte = (seed >> 24) as u8;
            }
        })?;
        Ok(Outcome::Done(length as u64))
    }

    pub(super) fn read_pipe(&mut self, never_waits: bool, pipe: &Rc<Pipe>, address: u64, length: usize) -> Result {
        let count = pipe.bytes.borrow().len().min(length);
        if count == 0 {
            return match () {
                () if length == 0 || !pipe.has_writers() => Ok(Outcome::Done(0)),
                () if never_waits => Err(Errno::EAGAIN),
                () => Ok(Outcome::Wait(Channel::Pipe(pipe.number))),
            };
        }
        let mut bytes = pipe.bytes.borrow_mut();
        let mut copied = 0;
        let read = self.user().pieces(address, count, Access::Write, |piece| {
            let (first, second) = bytes.as_slices();
            let (first, second) =
                (first.get(copied..).unwrap_or_default(), &second[copied.saturating_sub(first.len())..]);
            let from_first = first.len().min(piece.len());
            piece[..from_first].copy_from_slice(&first[..from_first]);
            let rest = piece.len() - from_first;
            piece[from_first..].copy_from_slice(&second[..rest]);
            copied += piece.len();
        });
        read?;
        bytes.drain(..count);
        drop(bytes);
        pipe.went(count);
        self.happened(Channel::Pipe(pipe.number));
        Ok(Outcome::Done(count as u64))
    }

    fn write_to(&mut self, open: &Rc<Open>, address: u64, length: usize, at: Option<u64>) -> Result {
        if !open.can_write() {
            return Err(Errno::EBADF);
        }
        match &open.node.kind {
            Kind::Directory { .. } => Err(Errno::EISDIR),
            Kind::Proc(entry) if entry.is_command() => {
                if let Some(&letter) = self.user().bytes(address, length.min(1))?.first() {
                    self.command(letter);
                }
                Ok(Outcome::Done(length as u64))
            }
            Kind::Link(_) | Kind::Proc(_) | Kind::SocketName(_) => Err(Errno::EINVAL),
            Kind::Socket(socket) => self.write_socket(open, &socket.clone(), address, length),
            Kind::Terminal(tty) => self.print_to(open, tty, address, length),
            Kind::OtherEnd(tty) => self.type_at(tty, address, length),
            Kind::Event(event) => self.write_event(open, event, address, length),
            Kind::Pipe(pipe) => self.write_pipe(open.never_waits(), &pipe.clone(), address, length),
            Kind::Device(device) => self.write_device(*device, address, length),
            Kind::File(_) => {
                let offset = match at {
                    Some(at) => at,
                    None if open.appends() => open.node.size(),
                    None => open.offset.get(),
                };
                let length = self.within_limit(offset, length)?;
                self.write_file(&open.node.clone(), offset, address, length)?;
                if at.is_none() {
                    open.offset.set(offset + length as u64);
                }
                open.node.changed.set(self.wall_clock());
                self.note_moved(open, length as u64, true);
                Ok(Outcome::Done(length as u64))
            }
        }
    }

    /// How many of so many bytes may be written there, as the process is limited.
    ///
    /// # Errors
    /// `EFBIG`, with a signal, where none may.
    pub(super) fn within_limit(&mut self, offset: u64, length: usize) -> Result<usize> {
        let room = self.process().limits.get(RLIMIT_FSIZE).saturating_sub(offset);
        if room == 0 && length > 0 {
            self.raise(SIGXFSZ);
            return Err(Errno::EFBIG);
        }
        Ok(room.min(length as u64) as usize)
    }

    fn write_file(&mut self, node: &Rc<Node>, offset: u64, address: u64, length: usize) -> Result<()> {
        // What cannot be read must not make the file larger.
        self.user().pieces(address, length, Access::Read, |_| {})?;
        self.may_grow(node, offset.saturating_add(length as u64))?;
        let mut done = 0;
        let mut user = self.user();
        node.write(offset, length, |bytes| {
            user.pieces(address, length, Access::Read, |piece| {
                bytes[done..done + piece.len()].copy_from_slice(piece);
                done += piece.len();
            })
        })??;
        memory::spread(node, offset..offset + length as u64, &mut self.pool);
        Ok(())
    }

    pub(super) fn print(&mut self, stream: Stream, bytes: &[u8]) {
        if stream == Stream::Output && self.has_terminal {
            let printed = self.terminal.line.borrow().printed(bytes);
            self.machine.print(stream, &printed);
        } else {
            self.machine.print(stream, bytes);
        }
    }

    fn write_device(&mut self, device: Device, address: u64, length: usize) -> Result {
        let stream = match device {
            Device::Null | Device::Zero | Device::Random => return Ok(Outcome::Done(length as u64)),
            Device::Full => return Err(Errno::ENOSPC),
            // It is not opened for that.
            Device::Disk => return Err(Errno::EPERM),
            Device::Console | Device::Own | Device::Pairs => Stream::Output,
            Device::Error => Stream::Error,
        };
        if stream == Stream::Output
            && self.has_terminal
            && self.terminal.line.borrow().stops_output()
            && let Some(outcome) = self.ask_for_terminal(&self.terminal.clone(), SIGTTOU)?
        {
            return Ok(outcome);
        }
        // Page by page, as there is no more memory than that for it anywhere.
        let bytes = self.user().bytes(address, length.min(64 << 10))?;
        self.print(stream, &bytes);
        Ok(Outcome::Done(bytes.len() as u64))
    }

    pub(super) fn write_pipe(&mut self, never_waits: bool, pipe: &Rc<Pipe>, address: u64, length: usize) -> Result {
        let before = self.thread().progress as usize;
        let rest = length - before.min(length);
        if !pipe.has_readers() {
            if before > 0 {
                return Ok(Outcome::Done(before as u64));
            }
            self.raise(SIGPIPE);
            return Err(Errno::EPIPE);
        }
        let is_empty = pipe.bytes.borrow().is_empty() && pipe.passed.borrow().is_empty();
        if before == 0 && is_empty && self.hand_over(pipe.number, address, rest, false)? {
            return Ok(Outcome::Done(rest as u64));
        }
        let room = pipe.room();
        let count = rest.min(room);
        if count == 0 && rest > 0 || rest <= WHOLE && count < rest && before == 0 {
            return if never_waits { Err(Errno::EAGAIN) } else { Ok(Outcome::Wait(Channel::Pipe(pipe.number))) };
        }
        let mut bytes = pipe.bytes.borrow_mut();
        if bytes.capacity() < bytes.len() + count {
            self.may_keep(2 * (bytes.len() + count)).map_err(|_| Errno::ENOMEM)?;
        }
        self.user().pieces(address + before as u64, count, Access::Read, |piece| bytes.extend(piece.iter()))?;
        drop(bytes);
        pipe.came(count);
        self.happened(Channel::Pipe(pipe.number));
        let done = (before + count) as u64;
        if count == rest || never_waits {
            return Ok(Outcome::Done(done));
        }
        self.thread_mut().progress = done;
        Ok(Outcome::Wait(Channel::Pipe(pipe.number)))
    }

    /// Gives up to a page of bytes to the first reader that waits for some at a pipe or socket of this number, where nothing else waits to be read: nobody else sees them. It has room for
    /// all of them, or the rest `may_be_lost`. Whether there was one.
    pub(super) fn hand_over(&mut self, number: u64, address: u64, length: usize, may_be_lost: bool) -> Result<bool> {
        if length == 0 || length > WHOLE {
            return Ok(false);
        }
        let Some((reader, (to, room))) = self.first_reader(Channel::Pipe(number)) else { return Ok(false) };
        let count = if may_be_lost { length.min(room) } else { length };
        if count > room || !self.copy_to(reader, to, address, count)? {
            return Ok(false);
        }
        self.finish(reader, count as u64);
        Ok(true)
    }
}
