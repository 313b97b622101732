//! How long calls of a socket wait: `SO_RCVTIMEO` and `SO_SNDTIMEO`.

use syscalls::Errno;

use crate::files::socket::Socket;
use crate::machine::Machine;
use crate::server::{Outcome, Result, Server};

/// Receiving and accepting, and sending and connecting, by their places in [`Socket::patience`].
pub(super) const RECEIVING: usize = 0;
pub(super) const SENDING: usize = 1;
const SECOND: u64 = 1_000_000_000;

/// What an option bounds, and whether its numbers have 64 bits in programs of both widths.
pub(super) const fn bounded(option: u32) -> Option<(usize, bool)> {
    match option {
        20 => Some((RECEIVING, false)),
        21 => Some((SENDING, false)),
        66 => Some((RECEIVING, true)),
        67 => Some((SENDING, true)),
        _ => None,
    }
}

impl<M: Machine> Server<M> {
    /// What comes of a call that may wait no longer than its socket says: bytes that were moved before, or `EAGAIN`.
    pub(super) fn patiently(&mut self, socket: &Socket, what: usize, outcome: Result) -> Result {
        let patience = socket.patience[what].get();
        let Ok(Outcome::Wait(_)) = outcome else { return outcome };
        if patience == 0 {
            return outcome;
        }
        let now = self.machine.now();
        let thread = self.thread_mut();
        let end = *thread.deadline.get_or_insert(now.saturating_add(patience));
        match thread.progress {
            _ if now < end => outcome,
            0 => Err(Errno::EAGAIN),
            moved => Ok(Outcome::Done(moved)),
        }
    }

    /// Reads a `struct timeval`.
    pub(super) fn set_patience(
        &mut self,
        socket: &Socket,
        (what, wide): (usize, bool),
        place: u64,
        length: u64,
    ) -> Result {
        let word = if wide { 8 } else { self.thread().arch.word() };
        if (length as u32 as u64) < 2 * word {
            return Err(Errno::EINVAL);
        }
        let mut user = self.user();
        let mut number = |place| {
            if word == 8 {
                user.u64(place).map(|value| value as i64)
            } else {
                user.u32(place).map(|value| (value as i32).into())
            }
        };
        let (seconds, microseconds) = (number(place)?, number(place + word)?);
        if !(0..1_000_000).contains(&microseconds) {
            return Err(Errno::EDOM);
        }
        socket.patience[what].set(match seconds {
            // Who has none gives up at once.
            ..0 => 1,
            _ => (seconds as u64).saturating_mul(SECOND).saturating_add(microseconds as u64 * 1000),
        });
        Ok(Outcome::Done(0))
    }

    /// Writes it, as much as there is room for.
    pub(super) fn put_patience(
        &mut self,
        socket: &Socket,
        (what, wide): (usize, bool),
        place: u64,
        length: u64,
    ) -> Result {
        let word = if wide { 8 } else { self.thread().arch.word() as usize };
        let patience = socket.patience[what].get();
        let numbers = [patience / SECOND, patience % SECOND / 1000];
        let bytes: alloc::vec::Vec<u8> =
            numbers.iter().flat_map(|number| number.to_le_bytes().into_iter().take(word)).collect();
        let room = (self.user().u32(length)? as usize).min(bytes.len());
        self.user().write(place, &bytes[..room])?;
        self.user().write(length, &(room as u32).to_le_bytes()).map(|()| Outcome::Done(0))
    }
}
