//! Reading the disk. A call that needs what is not in memory waits, and others go on; then it looks again.

use alloc::rc::Rc;

use linux_raw_sys::general::O_DIRECT;
use syscalls::Errno;

use crate::files::Open;
use crate::files::disk::{Found, Reader, SECTOR};
use crate::machine::Machine;
use crate::memory::{Access, User};
use crate::process::Channel;
use crate::server::{Outcome, Result, Server};

/// `BLKGETSIZE`: how many sectors, as a word of the program's.
const SECTORS: u32 = 0x1260;
/// `BLKSSZGET`: bytes of a sector, as 32 bits.
const SECTOR_BYTES: u32 = 0x1268;
/// `BLKGETSIZE64` of 32-bit and of 64-bit programs: how many bytes, as 64 bits.
const BYTES: [u32; 2] = [0x8004_1272, 0x8008_1272];

impl<M: Machine> Server<M> {
    /// Reads from a place of the disk, or from where the description is.
    pub(super) fn read_disk(&mut self, open: &Rc<Open>, address: u64, length: usize, at: Option<u64>) -> Result {
        let crate::process::Thread { tid, arch, memory, progress: before, .. } = *self.thread();
        let Some(disk) = &mut self.disk else { return Err(Errno::ENXIO) };
        let direct = open.flags.get() & O_DIRECT != 0;
        let start = at.unwrap_or(open.offset.get());
        if direct && !(start | length as u64 | address).is_multiple_of(SECTOR) {
            return Err(Errno::EINVAL);
        }
        let end = start.saturating_add(length as u64).min(disk.bytes());
        let mut user =
            User { arch, memory: self.memories.get_mut(memory), pool: &mut self.pool, machine: &mut self.machine };
        let mut here = start + before;
        let result = loop {
            if here >= end {
                break Ok(());
            }
            match disk.find(here..end, Reader { thread: tid, direct }) {
                Found::Here(place) => {
                    let mut bytes = disk.at(place);
                    let count = bytes.len();
                    let copied = user.pieces(address + (here - start), count, Access::Write, |piece| {
                        let (first, rest) = bytes.split_at(piece.len());
                        piece.copy_from_slice(first);
                        bytes = rest;
                    });
                    here += (count - bytes.len()) as u64;
                    if copied.is_err() {
                        break copied;
                    }
                }
                Found::Awaited(buffer) => {
                    self.thread_mut().progress = here - start;
                    return Ok(Outcome::Wait(Channel::Disk(buffer)));
                }
                Found::Missing(buffer, sector, count) => {
                    if user.machine.read_disk(buffer, sector, count).is_err() {
                        disk.done(buffer, false);
                        continue;
                    }
                    self.thread_mut().progress = here - start;
                    return Ok(Outcome::Wait(Channel::Disk(buffer)));
                }
                Found::Failed => break Err(Errno::EIO),
            }
        };
        // What was read before something failed is read.
        if here <= start {
            result?;
        }
        let done = here.saturating_sub(start);
        if at.is_none() {
            open.offset.set(start + done);
        }
        Ok(Outcome::Done(done))
    }

    pub(super) fn ioctl_of_disk(&mut self, request: u32, argument: u64) -> Result {
        let bytes = self.disk.as_ref().ok_or(Errno::ENXIO)?.bytes();
        let word = self.thread().arch.word() as usize;
        let (number, width) = match request {
            SECTORS => (bytes / SECTOR, word),
            SECTOR_BYTES => (SECTOR, 4),
            _ if BYTES.contains(&request) => (bytes, 8),
            _ => return Err(Errno::ENOTTY),
        };
        self.user().write(argument, &number.to_le_bytes()[..width]).map(|()| Outcome::Done(0))
    }
}
