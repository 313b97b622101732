//! What sockets are told and asked about themselves.

use linux_raw_sys::net::{
    AF_INET, AF_UNIX, IPPROTO_TCP, IPPROTO_UDP, SO_ACCEPTCONN, SO_DOMAIN, SO_PEERCRED, SO_PROTOCOL, SO_RCVBUF,
    SO_SNDBUF, SO_TYPE, SOCK_DGRAM, SOCK_STREAM, SOL_SOCKET,
};
use syscalls::Errno;

use super::patience::bounded;
use crate::files::socket::{Address, State, Style};
use crate::machine::Machine;
use crate::server::{Outcome, Result, Server};

/// What protocols' own options are about, beside those of all sockets: IP and TCP.
const LEVELS: [u32; 2] = [0, 6];

impl<M: Machine> Server<M> {
    pub(super) fn setsockopt(&mut self, &[number, level, option, place, length, _]: &[u64; 6]) -> Result {
        let (_, socket) = self.socket_at(number)?;
        self.user().bytes(place, length.min(64) as usize)?;
        match level as u32 {
            SOL_SOCKET if let Some(bound) = bounded(option as u32) => self.set_patience(&socket, bound, place, length),
            // Nothing that is lost, slow or far away is there to be treated otherwise.
            SOL_SOCKET => Ok(Outcome::Done(0)),
            level if LEVELS.contains(&level) => Ok(Outcome::Done(0)),
            _ => Err(Errno::ENOPROTOOPT),
        }
    }

    pub(super) fn getsockopt(&mut self, &[number, level, option, place, length, _]: &[u64; 6]) -> Result {
        let (_, socket) = self.socket_at(number)?;
        if level as u32 == SOL_SOCKET
            && let Some(bound) = bounded(option as u32)
        {
            return self.put_patience(&socket, bound, place, length);
        }
        if (level as u32, option as u32) == (SOL_SOCKET, SO_PEERCRED) {
            // Process, user, group.
            let peer = [socket.peer.get(), 0, 0].map(u32::to_le_bytes).concat();
            let room = (self.user().u32(length)? as usize).min(peer.len());
            self.user().write(place, &peer[..room])?;
            return self.user().write(length, &(room as u32).to_le_bytes()).map(|()| Outcome::Done(0));
        }
        let value = match (level as u32, option as u32) {
            (SOL_SOCKET, SO_TYPE) => match socket.style {
                Style::Stream => SOCK_STREAM,
                Style::Datagram => SOCK_DGRAM,
            },
            (SOL_SOCKET, SO_DOMAIN) => match &*socket.local.borrow() {
                Address::Unix(_) => AF_UNIX,
                Address::Internet(..) => AF_INET,
            },
            (SOL_SOCKET, SO_PROTOCOL) => match (&*socket.local.borrow(), socket.style) {
                (Address::Unix(_), _) => 0,
                (_, Style::Stream) => IPPROTO_TCP as u32,
                (_, Style::Datagram) => IPPROTO_UDP as u32,
            },
            (SOL_SOCKET, SO_SNDBUF | SO_RCVBUF) => 64 << 10,
            (SOL_SOCKET, SO_ACCEPTCONN) => matches!(&*socket.state.borrow(), State::Listens(..)).into(),
            (level, _) if level == SOL_SOCKET || LEVELS.contains(&level) => 0_u32,
            _ => return Err(Errno::ENOPROTOOPT),
        };
        let room = self.user().u32(length)?.min(4);
        self.user().write(place, &value.to_le_bytes()[..room as usize])?;
        self.user().write(length, &room.to_le_bytes()).map(|()| Outcome::Done(0))
    }
}
