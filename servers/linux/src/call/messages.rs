//! Sending and receiving by sockets.

use alloc::rc::Rc;
use alloc::vec::Vec;

use linux_raw_sys::general::SIGPIPE;
use linux_raw_sys::net::{MSG_DONTWAIT, MSG_NOSIGNAL, MSG_PEEK, MSG_TRUNC};
use syscalls::Errno;

use super::patience::{RECEIVING, SENDING};
use crate::files::socket::{Address, Datagram, Socket, Style};
use crate::files::{Open, Passed, Pipe};
use crate::machine::Machine;
use crate::process::Channel;
use crate::server::{Outcome, Result, Server};

/// The longest datagram.
const LONGEST: usize = 64 << 10;
/// The most pieces of one message.
const MOST_PIECES: u64 = 1024;

/// Pieces of memory that hold a message: address and length.
type Pieces = Vec<(u64, usize)>;

/// `struct msghdr`, as far as it is used here.
struct Header {
    name: (u64, u64),
    pieces: (u64, u64),
    control: (u64, u64),
}

/// After the first message nothing is waited for.
const MSG_WAITFORONE: u32 = 0x1_0000;

impl<M: Machine> Server<M> {
    pub(super) fn sendto(&mut self, &[number, address, length, flags, to, to_length]: &[u64; 6]) -> Result {
        let (open, socket) = self.socket_at(number)?;
        let flags = flags as u32;
        let outcome = if socket.style == Style::Stream {
            self.send_stream(&open, &socket, address, length.min(0x7fff_f000) as usize, flags)
        } else {
            let to = if to == 0 { None } else { Some((to, to_length)) };
            self.send_datagram(&open, &socket, &[(address, length as usize)], flags, (to, Vec::new()))
        };
        self.patiently(&socket, SENDING, outcome)
    }

    pub(super) fn recvfrom(&mut self, &[number, address, length, flags, from, from_length]: &[u64; 6]) -> Result {
        let (open, socket) = self.socket_at(number)?;
        let flags = flags as u32;
        if from == 0 && flags == 0 {
            return self.read_by(&open, address, length);
        }
        if socket.style == Style::Stream {
            let outcome = self.receive_plainly(&open, &socket, address, length.min(0x7fff_f000) as usize, flags);
            return self.patiently(&socket, RECEIVING, outcome);
        }
        let outcome = self.receive_datagram(&open, &socket, &[(address, length as usize)], flags)?;
        let Ok((outcome, Datagram { sender, passed, .. })) = outcome else {
            return self.patiently(&socket, RECEIVING, Ok(Outcome::Wait(Channel::Pipe(socket.number))));
        };
        passed.into_iter().for_each(|open| self.close(open));
        if from != 0 {
            self.put_address(&sender, from, from_length)?;
        }
        Ok(Outcome::Done(outcome))
    }

    /// What is read and written by `read` and `write`.
    pub(super) fn read_socket(&mut self, open: &Open, socket: &Rc<Socket>, address: u64, length: usize) -> Result {
        let outcome = match socket.style {
            Style::Stream => self.receive_plainly(open, socket, address, length, 0),
            Style::Datagram => match self.receive_datagram(open, socket, &[(address, length)], 0)? {
                Ok((count, Datagram { passed, .. })) => {
                    passed.into_iter().for_each(|open| self.close(open));
                    Ok(Outcome::Done(count))
                }
                Err(channel) => Ok(Outcome::Wait(channel)),
            },
        };
        self.patiently(socket, RECEIVING, outcome)
    }

    pub(super) fn write_socket(&mut self, open: &Open, socket: &Rc<Socket>, address: u64, length: usize) -> Result {
        let outcome = match socket.style {
            Style::Stream => self.send_stream(open, socket, address, length, 0),
            Style::Datagram => self.send_datagram(open, socket, &[(address, length)], 0, (None, Vec::new())),
        };
        self.patiently(socket, SENDING, outcome)
    }

    fn send_stream(&mut self, open: &Open, socket: &Socket, address: u64, length: usize, flags: u32) -> Result {
        let [_, output] = socket.pipes().ok_or(Errno::ENOTCONN)?;
        let Some(output) = output.filter(|pipe| pipe.has_readers() || flags & MSG_NOSIGNAL == 0) else {
            if flags & MSG_NOSIGNAL == 0 {
                self.raise(SIGPIPE);
            }
            return Err(Errno::EPIPE);
        };
        let never_waits = open.never_waits() || flags & MSG_DONTWAIT != 0;
        self.write_pipe(never_waits, &output, address, length)
    }

    /// Receives bytes and nothing else: what was sent along with them goes.
    fn receive_plainly(&mut self, open: &Open, socket: &Socket, address: u64, length: usize, flags: u32) -> Result {
        let [input, _] = socket.pipes().ok_or(Errno::ENOTCONN)?;
        let outcome = self.receive_from(open, input.as_ref(), address, length, flags);
        if let Some(input) = input.filter(|input| !input.passed.borrow().is_empty()) {
            input.take_passed().into_iter().for_each(|open| self.close(open));
        }
        outcome
    }

    /// What was sent along with bytes that have been received.
    fn passed_to(&self, socket: &Socket) -> Vec<Rc<Open>> {
        socket.pipes().and_then(|[input, _]| input).map_or_else(Vec::new, |pipe| pipe.take_passed())
    }

    fn receive_stream(&mut self, open: &Open, socket: &Socket, address: u64, length: usize, flags: u32) -> Result {
        let [input, _] = socket.pipes().ok_or(Errno::ENOTCONN)?;
        self.receive_from(open, input.as_ref(), address, length, flags)
    }

    fn receive_from(
        &mut self,
        open: &Open,
        input: Option<&Rc<Pipe>>,
        address: u64,
        length: usize,
        flags: u32,
    ) -> Result {
        let Some(input) = input else { return Ok(Outcome::Done(0)) };
        let never_waits = open.never_waits() || flags & MSG_DONTWAIT != 0;
        let length = input.until_passed(length);
        if flags & MSG_PEEK == 0 || input.bytes.borrow().is_empty() {
            return self.read_pipe(never_waits, input, address, length);
        }
        let bytes: Vec<u8> = input.bytes.borrow().iter().take(length).copied().collect();
        self.user().write(address, &bytes).map(|()| Outcome::Done(bytes.len() as u64))
    }

    fn send_datagram(
        &mut self,
        open: &Open,
        socket: &Rc<Socket>,
        pieces: &[(u64, usize)],
        flags: u32,
        (to, passed): (Option<(u64, u64)>, Vec<Rc<Open>>),
    ) -> Result {
        let mut length = 0;
        for &(_, piece) in pieces {
            length = usize::checked_add(length, piece).filter(|&length| length <= LONGEST).ok_or(Errno::EMSGSIZE)?;
        }
        let pair = socket.partner.borrow().upgrade();
        let receiver = match (to, pair) {
            (Some((place, length)), _) => {
                let domain = socket.local.borrow().none();
                let address = self.get_address(place, length, &domain)?;
                self.partner(&address, Style::Datagram)
            }
            (None, Some(pair)) => Ok(pair),
            (None, None) => {
                let address = socket.remote.borrow().clone().ok_or(Errno::EDESTADDRREQ)?;
                self.partner(&address, Style::Datagram)
            }
        };
        self.name_somehow(socket)?;
        let receiver = match receiver {
            Ok(receiver) => receiver,
            // By the internet's way nobody needs to be there to be sent to.
            Err(Errno::ECONNREFUSED) if matches!(*socket.local.borrow(), Address::Internet(..)) => {
                return Ok(Outcome::Done(length as u64));
            }
            Err(error) => return Err(error),
        };
        if let &[(address, length)] = pieces
            && passed.is_empty()
            && receiver.datagrams.borrow().is_empty()
            && self.hand_over(receiver.number, address, length, true)?
        {
            return Ok(Outcome::Done(length as u64));
        }
        if !receiver.has_room(length) {
            let waits = !open.never_waits() && flags & MSG_DONTWAIT == 0;
            return if waits { Ok(Outcome::Wait(Channel::Pipe(receiver.number))) } else { Err(Errno::EAGAIN) };
        }
        Self::may_pass(&passed, receiver.number)?;
        let sender = socket.local.borrow().clone();
        let mut bytes = Vec::new();
        for &(address, length) in pieces {
            bytes.extend(self.user().bytes(address, length)?);
        }
        receiver.datagrams.borrow_mut().push_back(Datagram { sender, bytes, passed });
        receiver.came();
        self.happened(Channel::Pipe(receiver.number));
        Ok(Outcome::Done(length as u64))
    }

    /// Takes a datagram: how many bytes of it, and the rest that is known of it; or what there is to wait for.
    fn receive_datagram(
        &mut self,
        open: &Open,
        socket: &Rc<Socket>,
        pieces: &[(u64, usize)],
        flags: u32,
    ) -> Result<core::result::Result<(u64, Datagram), Channel>> {
        let peeks = flags & MSG_PEEK != 0;
        let first =
            if peeks { socket.datagrams.borrow().front().cloned() } else { socket.datagrams.borrow_mut().pop_front() };
        let Some(datagram) = first else {
            let waits = !open.never_waits() && flags & MSG_DONTWAIT == 0;
            return if waits { Ok(Err(Channel::Pipe(socket.number))) } else { Err(Errno::EAGAIN) };
        };
        let mut rest = datagram.bytes.as_slice();
        for &(address, length) in pieces {
            let (piece, after) = rest.split_at(rest.len().min(length));
            if let Err(error) = self.user().write(address, piece) {
                // It is still there to be read.
                if !peeks {
                    socket.datagrams.borrow_mut().push_front(datagram);
                }
                return Err(error);
            }
            rest = after;
        }
        if !peeks {
            self.happened(Channel::Pipe(socket.number));
        }
        let whole = datagram.bytes.len();
        let count = if flags & MSG_TRUNC != 0 { whole } else { whole - rest.len() };
        Ok(Ok((count as u64, datagram)))
    }

    fn header(&mut self, place: u64) -> Result<Header> {
        let word = self.thread().arch.word();
        let mut words = [0; 6];
        for (number, value) in words.iter_mut().enumerate() {
            *value = self.user().word(place + number as u64 * word)?;
        }
        let [name, name_length, pieces, count, control, control_length] = words;
        if count > MOST_PIECES {
            return Err(Errno::EMSGSIZE);
        }
        let name_length = u64::from(name_length as u32);
        Ok(Header { name: (name, name_length), pieces: (pieces, count), control: (control, control_length) })
    }

    fn pieces_at(&mut self, (place, count): (u64, u64)) -> Result<Pieces> {
        let word = self.thread().arch.word();
        let mut pieces = Pieces::new();
        for number in 0..count {
            let at = place + number * 2 * word;
            let (address, length) = (self.user().word(at)?, self.user().word(at + word)?);
            pieces.push((address, length.min(0x7fff_f000) as usize));
        }
        Ok(pieces)
    }

    pub(super) fn sendmmsg(&mut self, &[number, place, count, flags, ..]: &[u64; 6]) -> Result {
        self.several((place, count), |server, place, is_first| {
            // What cannot go without waiting is left to another call.
            let flags = flags | if is_first { 0 } else { MSG_DONTWAIT.into() };
            server.sendmsg(&[number, place, flags, 0, 0, 0])
        })
    }

    pub(super) fn recvmmsg(&mut self, arguments: &[u64; 6]) -> Result {
        let width = self.thread().arch.word();
        self.receive_several(arguments, width)
    }

    pub(super) fn recvmmsg64(&mut self, arguments: &[u64; 6]) -> Result {
        self.receive_several(arguments, 8)
    }

    fn receive_several(&mut self, &[number, place, count, flags, time, _]: &[u64; 6], width: u64) -> Result {
        let limit = if time == 0 { None } else { Some(self.get_time(time, width)?) };
        let outcome = self.several((place, count), |server, place, is_first| {
            // What has arrived is enough: after the first nothing is waited for, whether that is said or not.
            let flags = flags & !u64::from(MSG_WAITFORONE) | if is_first { 0 } else { MSG_DONTWAIT.into() };
            server.recvmsg(&[number, place, flags, 0, 0, 0])
        });
        match (outcome, limit) {
            (Ok(Outcome::Wait(channel)), Some(limit)) => {
                let now = self.machine.now();
                let end = *self.thread_mut().deadline.get_or_insert(now.saturating_add(limit));
                if end <= now { Ok(Outcome::Done(0)) } else { Ok(Outcome::Wait(channel)) }
            }
            (outcome, _) => outcome,
        }
    }

    /// Does something with each of several `struct mmsghdr`: a header, and a number where it is said how many bytes came of it. How many were done, unless it
    /// was none.
    fn several(&mut self, (place, count): (u64, u64), mut each: impl FnMut(&mut Self, u64, bool) -> Result) -> Result {
        let word = self.thread().arch.word();
        let size = 8 * word;
        for done in 0..(count as u32 as u64).min(1024) {
            let at = place.wrapping_add(done * size);
            match each(self, at, done == 0) {
                Ok(Outcome::Done(bytes)) => {
                    self.user().write(at + size - word, &(bytes as u32).to_le_bytes())?;
                    self.thread_mut().progress = 0;
                }
                other if done == 0 => return other,
                _ => return Ok(Outcome::Done(done)),
            }
        }
        Ok(Outcome::Done((count as u32).min(1024).into()))
    }

    pub(super) fn sendmsg(&mut self, &[number, place, flags, ..]: &[u64; 6]) -> Result {
        let (open, socket) = self.socket_at(number)?;
        let Header { name, pieces, control } = self.header(place)?;
        let passed = self.named_in(&socket, control)?;
        let flags = flags as u32;
        if socket.style == Style::Stream {
            let pipe = socket.pipes().and_then(|[_, output]| output);
            // They go with the first byte, unless that has gone before.
            let place = pipe.filter(|_| !passed.is_empty() && self.thread().progress == 0);
            if let Some(pipe) = &place {
                Self::may_pass(&passed, pipe.number)?;
                let start = pipe.places().0;
                pipe.passed.borrow_mut().push_back(Passed { bytes: start..u64::MAX, open: passed });
            }
            let outcome = self.each_piece(&[number, pieces.0, pieces.1, 0, 0, 0], |server, open, address, length| {
                server.send_stream(open, &socket, address, length, flags)
            });
            if let Some(pipe) = place {
                let is_gone = matches!(outcome, Ok(Outcome::Done(1..))) || self.thread().progress > 0;
                let end = pipe.places().0;
                let mut all = pipe.passed.borrow_mut();
                match all.back_mut() {
                    Some(passed) if is_gone => passed.bytes.end = end,
                    _ => drop(all.pop_back()),
                }
            }
            return self.patiently(&socket, SENDING, outcome);
        }
        let pieces = self.pieces_at(pieces)?;
        let to = (name.0 != 0).then_some(name);
        let outcome = self.send_datagram(&open, &socket, &pieces, flags, (to, passed));
        self.patiently(&socket, SENDING, outcome)
    }

    pub(super) fn recvmsg(&mut self, &[number, place, flags, ..]: &[u64; 6]) -> Result {
        let (open, socket) = self.socket_at(number)?;
        let Header { name, pieces, control } = self.header(place)?;
        let (flags, word) = (flags as u32, self.thread().arch.word());
        let mut passed = Vec::new();
        let outcome = if socket.style == Style::Stream {
            // What has arrived is enough: after the first piece nothing is waited for.
            let mut first = true;
            let mut moved = 0;
            let mut outcome = Ok(Outcome::Done(0));
            for (address, length) in self.pieces_at(pieces)?.into_iter().filter(|&(_, length)| length > 0) {
                let flags = if first { flags } else { flags | MSG_DONTWAIT };
                match self.receive_stream(&open, &socket, address, length, flags) {
                    Ok(Outcome::Done(count)) => {
                        moved += count;
                        outcome = Ok(Outcome::Done(moved));
                        if count < length as u64 || flags & MSG_PEEK != 0 {
                            break;
                        }
                    }
                    other if first => {
                        outcome = other;
                        break;
                    }
                    _ => break,
                }
                first = false;
            }
            if matches!(outcome, Ok(Outcome::Done(_))) {
                passed = self.passed_to(&socket);
            }
            self.patiently(&socket, RECEIVING, outcome)?
        } else {
            let pieces = self.pieces_at(pieces)?;
            match self.receive_datagram(&open, &socket, &pieces, flags)? {
                Err(channel) => self.patiently(&socket, RECEIVING, Ok(Outcome::Wait(channel)))?,
                Ok((count, datagram)) => {
                    let sender = datagram.sender;
                    passed = datagram.passed;
                    if name.0 != 0 {
                        // The room for it is where its length goes.
                        self.put_address(&sender, name.0, place + word)?;
                    }
                    Outcome::Done(count)
                }
            }
        };
        if matches!(outcome, Outcome::Done(_)) {
            let width = word as usize;
            let (length, told) = self.take_over(passed, control, flags)?;
            if control.0 != 0 {
                self.user().write(place + 5 * word, &length.to_le_bytes()[..width])?;
            }
            self.user().write(place + 6 * word, &told.to_le_bytes())?;
        }
        Ok(outcome)
    }
}
