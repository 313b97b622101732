//! How much of the server's own memory programs can fill.

use syscalls::Errno;

use super::{Result, Server};
use crate::files::Node;
use crate::machine::Machine;

/// Bytes of the server's memory that files, names and pipes get none of: what waits in sockets, which is bounded, and what processes and threads are.
const RESERVE: usize = 20 << 20;
/// At most so many are a new file, pipe or name.
pub(crate) const NAME: usize = 4 << 10;

impl<M: Machine> Server<M> {
    /// Whether so many more bytes of the server's own memory may be programs': not the last ones, which it needs to serve at all.
    ///
    /// # Errors
    /// `ENOSPC`.
    pub(crate) fn may_keep(&mut self, bytes: usize) -> Result<()> {
        if self.machine.free_memory() < RESERVE + bytes { Err(Errno::ENOSPC) } else { Ok(()) }
    }

    /// Whether a file may become so large.
    ///
    /// # Errors
    /// `ENOSPC`.
    pub(crate) fn may_grow(&mut self, node: &Node, size: u64) -> Result<()> {
        match node.growth(size) {
            0 => Ok(()),
            more => self.may_keep(more),
        }
    }
}
