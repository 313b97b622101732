//! How much of the server's own memory programs can fill, and what becomes of them when there is no frame left.

use alloc::string::String;

use linux_raw_sys::general::SIGKILL;
use syscalls::Errno;

use super::{Result, Server};
use crate::files::Node;
use crate::machine::Machine;
use crate::memory::{Access, LAST_RESERVE, Place, User};
use crate::process::End;

/// Bytes of the server's memory that files, names and pipes get none of: what waits in sockets, which is bounded, and what processes and threads are.
const RESERVE: usize = 20 << 20;
/// How many areas the memory of a process may have, as on Linux.
const MOST_AREAS: usize = 65_530;
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

    /// Whether the process whose call is served may have another area, or two for one that is cut.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub(crate) fn may_add_area(&mut self) -> Result<()> {
        let memory = self.thread().memory;
        let many = self.memories.get(memory).area_count() >= MOST_AREAS;
        if many || self.machine.free_memory() < LAST_RESERVE { Err(Errno::ENOMEM) } else { Ok(()) }
    }

    /// Whether there is room for a copy of a memory's books.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub(crate) fn may_copy(&mut self, memory: Place) -> Result<()> {
        let more = self.memories.get(memory).books();
        if self.machine.free_memory() < LAST_RESERVE + more { Err(Errno::ENOMEM) } else { Ok(()) }
    }

    /// Brings a page for a thread that touched it. Where there is none left whoever has the most is ended, as often as that takes.
    ///
    /// # Errors
    /// `EFAULT` where it has no right, `ESRCH` if its process was ended.
    pub(super) fn bring_at_any_price(&mut self, me: usize, address: u64, access: Access) -> Result<()> {
        loop {
            let User { memory, pool, machine, .. } = self.user();
            match memory.fault(address, access, pool, machine) {
                Err(Errno::ENOMEM) => {
                    self.end_largest();
                    self.catch_up();
                }
                other => return other,
            }
            if self.threads[me].is_none() {
                return Err(Errno::ESRCH);
            }
        }
    }

    /// Ends the process that has the most pages, and those that have the same memory; the youngest of equals.
    fn end_largest(&mut self) {
        let of = |place: usize| {
            let memory = self.processes[place].as_ref()?.memory?;
            Some((self.memories.get(memory).resident(), place, memory))
        };
        let Some((pages, _, memory)) = (0..self.processes.len()).filter_map(of).max() else { return };
        for place in 0..self.processes.len() {
            let Some(process) = self.processes[place].as_ref().filter(|process| process.memory == Some(memory)) else {
                continue;
            };
            let (pid, name) = (process.pid, process.name);
            let name = String::from_utf8_lossy(&name);
            let name = name.trim_end_matches('\0');
            self.machine
                .log(format_args!("linux: out of memory: process {pid} ({name}), which has {pages} pages, is ended"));
            self.end_process(place, End::Signal(SIGKILL as u8));
        }
    }
}
