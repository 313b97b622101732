//! Descriptors that are sent by sockets of this machine: `SCM_RIGHTS`.

use alloc::rc::Rc;
use alloc::vec::Vec;

use syscalls::Errno;

use crate::files::Open;
use crate::files::socket::{Address, Socket};
use crate::machine::Machine;
use crate::server::{Result, Server};

/// What control data are about, and their kinds: descriptors, and who sends, whom nobody asks here.
const SOCKET: u32 = 1;
const RIGHTS: u32 = 1;
const CREDENTIALS: u32 = 2;
/// The most bytes of control data, and descriptors in them.
const LONGEST: u64 = 4096;
const MOST: usize = 253;
/// Flags of a message: control data had no room; descriptors close when another program is executed.
const TRUNCATED: u32 = 8;
pub(super) const CLOSES: u32 = 0x4000_0000;

impl<M: Machine> Server<M> {
    /// The descriptions that control data name: at this address, so many bytes.
    pub(super) fn named_in(&mut self, socket: &Socket, (place, length): (u64, u64)) -> Result<Vec<Rc<Open>>> {
        let mut named = Vec::new();
        // Between machines nothing of that kind is sent.
        if place == 0 || length == 0 || matches!(*socket.local.borrow(), Address::Internet(..)) {
            return Ok(named);
        }
        if length > LONGEST {
            return Err(Errno::ENOBUFS);
        }
        let word = self.thread().arch.word();
        let header = word + 8;
        let mut at = 0;
        while length - at >= header {
            let (size, level, kind) = {
                let mut user = self.user();
                (user.word(place + at)?, user.u32(place + at + word)?, user.u32(place + at + word + 4)?)
            };
            if size < header || size > length - at {
                return Err(Errno::EINVAL);
            }
            match (level, kind) {
                (SOCKET, RIGHTS) => {
                    for number in 0..(size - header) / 4 {
                        let descriptor = self.user().u32(place + at + header + 4 * number)?;
                        named.push(self.file(descriptor.into())?);
                    }
                }
                (SOCKET, CREDENTIALS) => {}
                _ => return Err(Errno::EINVAL),
            }
            at = (at + size.next_multiple_of(word)).min(length);
        }
        if named.len() > MOST { Err(Errno::EINVAL) } else { Ok(named) }
    }

    /// Refuses what would never end: a socket that waits in what only it, or another that waits there, could be read by.
    pub(super) fn may_pass(named: &[Rc<Open>], to: u64) -> Result<()> {
        let found = named.iter().any(|open| Socket::leads_to(open, to));
        if found { Err(Errno::ETOOMANYREFS) } else { Ok(()) }
    }

    /// Gives the caller what came with a message, as far as there is room for its numbers: how many bytes of control data that took, and flags.
    pub(super) fn take_over(
        &mut self,
        came: Vec<Rc<Open>>,
        (place, room): (u64, u64),
        flags: u32,
    ) -> Result<(u64, u32)> {
        if came.is_empty() {
            return Ok((0, 0));
        }
        let word = self.thread().arch.word();
        let header = word + 8;
        let fits = if place == 0 { 0 } else { room.saturating_sub(header) / 4 } as usize;
        let mut left = came.into_iter();
        let mut numbers = Vec::new();
        for open in left.by_ref().take(fits) {
            match self.process_mut().files.add(open.clone(), flags & CLOSES != 0, 0) {
                Ok(number) => numbers.extend((number as u32).to_le_bytes()),
                Err(_) => {
                    self.close(open);
                    break;
                }
            }
        }
        let mut told = 0;
        for open in left {
            told = TRUNCATED;
            self.close(open);
        }
        if numbers.is_empty() {
            return Ok((0, TRUNCATED));
        }
        let size = header + numbers.len() as u64;
        let mut bytes = size.to_le_bytes()[..word as usize].to_vec();
        for value in [SOCKET, RIGHTS] {
            bytes.extend(value.to_le_bytes());
        }
        bytes.extend(numbers);
        bytes.resize(bytes.len().next_multiple_of(word as usize).min(room as usize), 0);
        self.user().write(place, &bytes)?;
        Ok((bytes.len() as u64, told))
    }
}
