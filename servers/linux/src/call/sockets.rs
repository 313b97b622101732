//! Sockets: making, naming and connecting them.

use alloc::rc::Rc;
use alloc::vec::Vec;

use linux_raw_sys::general::{IN_CREATE, O_CLOEXEC, O_NONBLOCK, O_RDWR};
use linux_raw_sys::net::{AF_INET, AF_UNIX, SHUT_RD, SHUT_RDWR, SHUT_WR, SOCK_DGRAM, SOCK_SEQPACKET, SOCK_STREAM};
use syscalls::Errno;

use super::descriptors::HERE;
use super::patience::{RECEIVING, SENDING};
use crate::files::socket::{Address, Socket, State, Style};
use crate::files::{Kind, Node, Open};
use crate::machine::Machine;
use crate::process::Channel;
use crate::server::{NAME, Outcome, Result, Server};

/// How many sockets there can be: what waits in all of them is bounded by that.
const MOST: usize = 256;
/// Connections that wait to be accepted, at most.
const MOST_WAITING: u64 = 64;
/// Ports that are given to who asks for any.
const PORTS: core::ops::Range<u16> = 32_768..60_999;
/// The longest path of a socket.
const LONGEST_NAME: usize = 108;

impl<M: Machine> Server<M> {
    pub(super) fn socketcall(&mut self, &[call, place, ..]: &[u64; 6]) -> Result {
        const COUNTS: [usize; 19] = [0, 3, 3, 3, 2, 3, 3, 3, 4, 4, 4, 6, 6, 2, 5, 5, 3, 3, 4];
        let count = *usize::try_from(call).ok().and_then(|call| COUNTS.get(call)).ok_or(Errno::EINVAL)?;
        let mut words = [0; 6];
        for (number, word) in words[..count].iter_mut().enumerate() {
            *word = self.user().u32(place + 4 * number as u64)?.into();
        }
        match call {
            1 => self.socket(&words),
            2 => self.bind(&words),
            3 => self.connect(&words),
            4 => self.listen(&words),
            5 => self.accept(&words),
            6 => self.getsockname(&words),
            7 => self.getpeername(&words),
            8 => self.socketpair(&words),
            9 | 11 => {
                let to = if call == 9 { [0; 2] } else { [words[4], words[5]] };
                self.sendto(&[words[0], words[1], words[2], words[3], to[0], to[1]])
            }
            10 | 12 => {
                let from = if call == 10 { [0; 2] } else { [words[4], words[5]] };
                self.recvfrom(&[words[0], words[1], words[2], words[3], from[0], from[1]])
            }
            13 => self.shutdown(&words),
            14 => self.setsockopt(&words),
            15 => self.getsockopt(&words),
            16 => self.sendmsg(&words),
            17 => self.recvmsg(&words),
            18 => self.accept4(&words),
            _ => Err(Errno::EINVAL),
        }
    }

    /// The socket that a descriptor stands for.
    pub(super) fn socket_at(&self, number: u64) -> Result<(Rc<Open>, Rc<Socket>)> {
        let open = self.file(number)?;
        let Kind::Socket(socket) = &open.node.kind else { return Err(Errno::ENOTSOCK) };
        let socket = socket.clone();
        Ok((open, socket))
    }

    fn new_socket(&mut self, domain: u64, style: u64, protocol: u64) -> Result<Rc<Socket>> {
        if !matches!(domain as u32, AF_UNIX | AF_INET) {
            return Err(Errno::EAFNOSUPPORT);
        }
        let style = match style as u32 & 0xf {
            SOCK_STREAM => Style::Stream,
            SOCK_DGRAM => Style::Datagram,
            SOCK_SEQPACKET => return Err(Errno::ESOCKTNOSUPPORT),
            _ => return Err(Errno::EINVAL),
        };
        let address = match domain as u32 {
            AF_UNIX => Address::Unix(Vec::new()),
            AF_INET => Address::Internet(0, 0),
            _ => return Err(Errno::EAFNOSUPPORT),
        };
        let known = match (&address, style) {
            (Address::Unix(_), _) => protocol <= 1,
            (_, Style::Stream) => matches!(protocol, 0 | 6),
            (_, Style::Datagram) => matches!(protocol, 0 | 17),
        };
        if !known {
            return Err(Errno::EPROTONOSUPPORT);
        }
        if self.sockets.get() >= MOST {
            return Err(Errno::ENFILE);
        }
        Ok(Socket::new(self.new_node(), style, address, &self.sockets))
    }

    /// A descriptor for a socket; `flags` as in its type.
    fn open_socket(&mut self, socket: Rc<Socket>, flags: u64) -> Result<u64> {
        let flags = flags as u32;
        let now = self.wall_clock();
        let node = Node::new(socket.number, Kind::Socket(socket), 0o777, now);
        let open = Open::new(node, O_RDWR | flags & O_NONBLOCK);
        self.process_mut().files.add(open, flags & O_CLOEXEC != 0, 0)
    }

    pub(super) fn socket(&mut self, &[domain, style, protocol, ..]: &[u64; 6]) -> Result {
        let socket = self.new_socket(domain, style, protocol)?;
        self.open_socket(socket, style).map(Outcome::Done)
    }

    pub(super) fn socketpair(&mut self, &[domain, style, protocol, place, ..]: &[u64; 6]) -> Result {
        if domain as u32 != AF_UNIX {
            return Err(Errno::EOPNOTSUPP);
        }
        let pair = [self.new_socket(domain, style, protocol)?, self.new_socket(domain, style, protocol)?];
        let me = self.process().pid;
        let [one, other] = &pair;
        match one.style {
            Style::Stream => one.join(other, [self.new_node(), self.new_node()]),
            Style::Datagram => {
                *one.partner.borrow_mut() = Rc::downgrade(other);
                *other.partner.borrow_mut() = Rc::downgrade(one);
            }
        }
        for socket in &pair {
            *socket.remote.borrow_mut() = Some(Address::Unix(Vec::new()));
            socket.peer.set(me);
        }
        let [one, other] = pair;
        let one = self.open_socket(one, style)?;
        let other = match self.open_socket(other, style) {
            Ok(other) => other,
            Err(error) => {
                let _ = self.process_mut().files.remove(one);
                return Err(error);
            }
        };
        let numbers = [(one as u32).to_le_bytes(), (other as u32).to_le_bytes()].concat();
        let written = self.user().write(place, &numbers);
        if written.is_err() {
            let files = &mut self.process_mut().files;
            let _ = (files.remove(one), files.remove(other));
        }
        written.map(|()| Outcome::Done(0))
    }

    /// Reads an address: `struct sockaddr_un` or `sockaddr_in`.
    pub(super) fn get_address(&mut self, place: u64, length: u64, domain: &Address) -> Result<Address> {
        let length = length as u32 as usize;
        if !(2..=128).contains(&length) {
            return Err(Errno::EINVAL);
        }
        let bytes = self.user().bytes(place, length)?;
        let family = u32::from(u16::from_le_bytes([bytes[0], bytes[1]]));
        match domain {
            Address::Unix(_) if family == AF_UNIX => {
                let name = &bytes[2..];
                let end = match name.first() {
                    // A name that is none of a path ends where its length says.
                    Some(0) | None => name.len(),
                    Some(_) => name.iter().position(|&byte| byte == 0).unwrap_or(name.len()),
                };
                if end > LONGEST_NAME { Err(Errno::EINVAL) } else { Ok(Address::Unix(name[..end].to_vec())) }
            }
            Address::Internet(..) if family == AF_INET && length >= 8 => {
                let port = u16::from_be_bytes([bytes[2], bytes[3]]);
                Ok(Address::Internet(u32::from_be_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]), port))
            }
            Address::Internet(..) if family == AF_INET => Err(Errno::EINVAL),
            _ => Err(Errno::EAFNOSUPPORT),
        }
    }

    /// Writes an address, as much as there is room for, and how long it is.
    pub(super) fn put_address(&mut self, address: &Address, place: u64, length: u64) -> Result<()> {
        if place == 0 {
            return Ok(());
        }
        let mut bytes = Vec::new();
        match address {
            Address::Unix(name) => {
                bytes.extend_from_slice(&(AF_UNIX as u16).to_le_bytes());
                bytes.extend_from_slice(name);
                if name.first().is_some_and(|&byte| byte != 0) {
                    bytes.push(0);
                }
            }
            Address::Internet(address, port) => {
                bytes.extend_from_slice(&(AF_INET as u16).to_le_bytes());
                bytes.extend_from_slice(&port.to_be_bytes());
                bytes.extend_from_slice(&address.to_be_bytes());
                bytes.resize(16, 0);
            }
        }
        let room = self.user().u32(length)? as usize;
        self.user().write(place, &bytes[..bytes.len().min(room)])?;
        self.user().write(length, &(bytes.len() as u32).to_le_bytes())
    }

    pub(super) fn bind(&mut self, &[number, place, length, ..]: &[u64; 6]) -> Result {
        let (_, socket) = self.socket_at(number)?;
        let domain = socket.local.borrow().none();
        let address = self.get_address(place, length, &domain)?;
        if socket.is_bound.get() {
            return Err(Errno::EINVAL);
        }
        self.name(&socket, address).map(|()| Outcome::Done(0))
    }

    /// Gives a socket an address.
    fn name(&mut self, socket: &Rc<Socket>, address: Address) -> Result<()> {
        let address = match address {
            Address::Internet(host, _) if host != 0 && host >> 24 != 127 => return Err(Errno::EADDRNOTAVAIL),
            Address::Internet(host, 0) => self.free_port(host, socket.style)?,
            Address::Unix(name) if name.is_empty() => {
                let name = alloc::format!("\0{:05x}", socket.number);
                Address::Unix(name.into_bytes())
            }
            address => address,
        };
        match &address {
            Address::Unix(path) if path[0] != 0 => {
                let found = self.walk(path, true)?;
                if found.node.is_some() {
                    return Err(Errno::EADDRINUSE);
                }
                self.may_keep(NAME)?;
                let now = self.wall_clock();
                let mode = 0o777 & !self.process().mask;
                let node = Node::new(self.new_node(), Kind::SocketName(Rc::downgrade(socket)), mode, now);
                found.directory.add(&found.name, node.clone())?;
                self.note_entry(&found.directory, &found.name, &node, IN_CREATE);
            }
            _ if self.names.find(&address, socket.style).is_some() => return Err(Errno::EADDRINUSE),
            _ => self.names.add(address.clone(), socket),
        }
        *socket.local.borrow_mut() = address;
        socket.is_bound.set(true);
        Ok(())
    }

    fn free_port(&self, host: u32, style: Style) -> Result<Address> {
        let is_free = |address: &Address| self.names.find(address, style).is_none();
        PORTS.map(|port| Address::Internet(host, port)).find(is_free).ok_or(Errno::EADDRINUSE)
    }

    /// The socket that an address of the caller's means.
    pub(super) fn partner(&mut self, address: &Address, style: Style) -> Result<Rc<Socket>> {
        let found = match address {
            Address::Unix(path) if path.first().is_some_and(|&byte| byte != 0) => {
                let node = self.walk(path, true)?.existing()?;
                let Kind::SocketName(socket) = &node.kind else { return Err(Errno::ECONNREFUSED) };
                let socket = socket.upgrade().ok_or(Errno::ECONNREFUSED)?;
                return if socket.style == style { Ok(socket) } else { Err(Errno::EPROTOTYPE) };
            }
            // There is no other machine.
            Address::Internet(host, _) if *host != 0 && host >> 24 != 127 => return Err(Errno::ENETUNREACH),
            _ => self.names.find(address, style),
        };
        found.ok_or(Errno::ECONNREFUSED)
    }

    /// Who sends or connects has an address of its own where that has numbers.
    pub(super) fn name_somehow(&mut self, socket: &Rc<Socket>) -> Result<()> {
        let local = socket.local.borrow().clone();
        match local {
            Address::Internet(..) if !socket.is_bound.get() => {
                self.name(socket, Address::Internet(Address::LOCALHOST, 0))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn listen(&mut self, &[number, most, ..]: &[u64; 6]) -> Result {
        let (_, socket) = self.socket_at(number)?;
        if socket.style != Style::Stream {
            return Err(Errno::EOPNOTSUPP);
        }
        self.name_somehow(&socket)?;
        socket.peer.set(self.process().pid);
        let most = u64::from(most as u32).clamp(1, MOST_WAITING) as usize;
        match &mut *socket.state.borrow_mut() {
            _ if !socket.is_bound.get() => return Err(Errno::EINVAL),
            State::Connected(..) => return Err(Errno::EINVAL),
            State::Listens(_, old) => *old = most,
            state @ State::Idle => *state = State::Listens(Default::default(), most),
        }
        Ok(Outcome::Done(0))
    }

    pub(super) fn connect(&mut self, &[number, place, length, ..]: &[u64; 6]) -> Result {
        let (open, socket) = self.socket_at(number)?;
        let domain = socket.local.borrow().none();
        let address = self.get_address(place, length, &domain)?;
        if socket.style == Style::Datagram {
            if !matches!(address, Address::Internet(..)) {
                self.partner(&address, Style::Datagram)?;
            }
            self.name_somehow(&socket)?;
            *socket.remote.borrow_mut() = Some(address);
            return Ok(Outcome::Done(0));
        }
        match &*socket.state.borrow() {
            State::Idle => {}
            State::Listens(..) => return Err(Errno::EINVAL),
            State::Connected(..) => return Err(Errno::EISCONN),
        }
        let listener = self.partner(&address, Style::Stream)?;
        let is_full = match &*listener.state.borrow() {
            State::Listens(waiting, most) => waiting.len() >= *most,
            _ => return Err(Errno::ECONNREFUSED),
        };
        if is_full {
            let waits = Ok(Outcome::Wait(Channel::Pipe(listener.number)));
            return if open.never_waits() { Err(Errno::EAGAIN) } else { self.patiently(&socket, SENDING, waits) };
        }
        if self.sockets.get() >= MOST {
            return Err(Errno::ENFILE);
        }
        self.name_somehow(&socket)?;
        let local = match (&address, &*listener.local.borrow()) {
            (Address::Internet(host, port), _) => {
                Address::Internet(if *host == 0 { Address::LOCALHOST } else { *host }, *port)
            }
            (_, local) => local.clone(),
        };
        let other = Socket::new(self.new_node(), Style::Stream, local.clone(), &self.sockets);
        other.is_bound.set(true);
        other.peer.set(self.process().pid);
        socket.peer.set(listener.peer.get());
        *other.remote.borrow_mut() = Some(socket.local.borrow().clone());
        *socket.remote.borrow_mut() = Some(local);
        socket.join(&other, [self.new_node(), self.new_node()]);
        if let State::Listens(waiting, _) = &mut *listener.state.borrow_mut() {
            waiting.push_back(other);
        }
        listener.came();
        self.happened(Channel::Pipe(listener.number));
        Ok(Outcome::Done(0))
    }

    pub(super) fn accept(&mut self, &[number, place, length, ..]: &[u64; 6]) -> Result {
        self.accept4(&[number, place, length, 0, 0, 0])
    }

    pub(super) fn accept4(&mut self, &[number, place, length, flags, ..]: &[u64; 6]) -> Result {
        let (open, socket) = self.socket_at(number)?;
        let other = match &mut *socket.state.borrow_mut() {
            State::Listens(waiting, _) => waiting.pop_front(),
            _ => return Err(Errno::EINVAL),
        };
        let Some(other) = other else {
            let waits = Ok(Outcome::Wait(Channel::Pipe(socket.number)));
            return if open.never_waits() { Err(Errno::EAGAIN) } else { self.patiently(&socket, RECEIVING, waits) };
        };
        self.happened(Channel::Pipe(socket.number));
        let remote = other.remote.borrow().clone();
        let number = self.open_socket(other, flags)?;
        if let Some(remote) = remote
            && let Err(error) = self.put_address(&remote, place, length)
        {
            let _ = self.close_descriptor(&[number, 0, 0, 0, 0, 0]);
            return Err(error);
        }
        Ok(Outcome::Done(number))
    }

    pub(super) fn getsockname(&mut self, &[number, place, length, ..]: &[u64; 6]) -> Result {
        let (_, socket) = self.socket_at(number)?;
        let local = socket.local.borrow().clone();
        self.put_address(&local, place, length).map(|()| Outcome::Done(0))
    }

    pub(super) fn getpeername(&mut self, &[number, place, length, ..]: &[u64; 6]) -> Result {
        let (_, socket) = self.socket_at(number)?;
        let remote = socket.remote.borrow().clone().ok_or(Errno::ENOTCONN)?;
        self.put_address(&remote, place, length).map(|()| Outcome::Done(0))
    }

    pub(super) fn shutdown(&mut self, &[number, how, ..]: &[u64; 6]) -> Result {
        let (_, socket) = self.socket_at(number)?;
        let how = how as u32;
        if how > SHUT_RDWR {
            return Err(Errno::EINVAL);
        }
        let pipes = socket.pipes().ok_or(Errno::ENOTCONN)?;
        if let State::Connected(input, output) = &mut *socket.state.borrow_mut() {
            if how != SHUT_WR {
                *input = None;
            }
            if how != SHUT_RD {
                *output = None;
            }
        }
        pipes.iter().flatten().for_each(|pipe| self.happened(Channel::Pipe(pipe.number)));
        Ok(Outcome::Done(0))
    }

    /// Where a path leads that is not read from the caller's memory.
    fn walk(&self, path: &[u8], follow: bool) -> Result<crate::files::Found> {
        let from = if path.first() == Some(&b'/') { self.root.clone() } else { self.start(HERE)? };
        crate::files::Walk { root: &self.root, from: &from, follow, view: self }.find(path)
    }
}
