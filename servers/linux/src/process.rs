//! Processes and their threads.

use alloc::rc::Rc;
use alloc::vec::Vec;

use crate::arch::Arch;
use crate::files::{Node, Table};
use crate::machine::Machine;
use crate::memory::Memory;
use crate::signal::{Actions, Set};

/// How a process ended, as its parent is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It exited with this status.
    Exit(u8),
    /// A signal ended it.
    Signal(u8),
}

impl End {
    /// As `wait4` has it.
    pub const fn status(self) -> u32 {
        match self {
            Self::Exit(code) => (code as u32) << 8,
            Self::Signal(signal) => signal as u32,
        }
    }
}

/// A process: what its threads share.
pub struct Process<M: Machine> {
    /// Its number.
    pub pid: u32,
    /// That of whoever is told of its end.
    pub parent: u32,
    /// Process group and session.
    pub group: u32,
    /// The session.
    pub session: u32,
    /// What its program was built for.
    pub arch: Arch,
    /// Its memory.
    pub memory: Memory<M::Space>,
    /// What it has open.
    pub files: Table,
    /// Where relative paths begin.
    pub directory: Rc<Node>,
    /// Permissions that new files do not get.
    pub mask: u32,
    /// What it does about signals.
    pub actions: Actions,
    /// Signals that were sent to it and not taken by a thread.
    pub pending: Set,
    /// The program, and where it was when it was started.
    pub program: (Rc<Node>, Vec<u8>),
    /// Its arguments, each with a zero behind it.
    pub arguments: Vec<u8>,
    /// The name that is shown.
    pub name: [u8; 16],
    /// How it ended, if it has.
    pub end: Option<End>,
    /// Its threads, by their places.
    pub threads: Vec<usize>,
    /// When `SIGALRM` is sent, and how long after that again; 0 for never.
    pub alarm: (u64, u64),
    /// The signal that stopped it, as long as it is.
    pub stopped: Option<u8>,
    /// Whether its parent has not asked for that yet.
    pub stop_is_news: bool,
}

/// What a thread waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// Something happens at a pipe of this number.
    Pipe(u64),
    /// A child of this process ends or stops.
    Child(u32),
    /// Something happens to any file.
    AnyFile,
    /// Nothing but a deadline or a signal.
    Never,
}

impl Channel {
    /// Whether who waits for this is to look again after that.
    pub fn hears(self, event: Self) -> bool {
        self == event || self == Self::AnyFile && matches!(event, Self::Pipe(_))
    }
}

/// A system call that could not be finished.
#[derive(Clone, Copy, Debug)]
pub struct Waiting {
    /// Its number.
    pub number: usize,
    /// Its arguments.
    pub arguments: [u64; 6],
    /// What it waits for.
    pub channel: Channel,
}

/// A thread.
pub struct Thread<M: Machine> {
    /// Its number; the process's for its first.
    pub tid: u32,
    /// The place of its process.
    pub process: usize,
    /// The kernel's thread.
    pub handle: M::Thread,
    /// What it was built for; its process's, kept at hand.
    pub arch: Arch,
    /// The signals that wait.
    pub mask: Set,
    /// What to go back to after the handler that interrupts a call that changed the mask.
    pub old_mask: Option<Set>,
    /// Signals sent to it alone.
    pub pending: Set,
    /// The system call that it is in, if it is to be looked at again.
    pub waiting: Option<Waiting>,
    /// When its wait ends, from the call's first attempt on.
    pub deadline: Option<u64>,
    /// How much of the call has been done.
    pub progress: u64,
    /// Its thread-local segment: base and limit.
    pub tls: (u64, u32),
    /// The stack that signals may be handled on: address, size; size 0 for none.
    pub signal_stack: (u64, u64),
    /// Whether it runs, or could: it neither waits for the server nor is stopped.
    pub runs: bool,
}

impl<M: Machine> Process<M> {
    /// Gives it the name that is shown, of which fifteen bytes are kept.
    pub fn set_name(&mut self, name: &[u8]) {
        self.name = [0; 16];
        let length = name.len().min(15);
        self.name[..length].copy_from_slice(&name[..length]);
    }
}
