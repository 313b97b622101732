//! Processes and their threads.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::ops::Range;

use crate::arch::Arch;
use crate::clock::Clock;
use crate::files::event;
use crate::files::{Node, Open, Table};
use crate::limits::Limits;
use crate::machine::{Machine, Times};
use crate::memory::Place;
use crate::server::Words;
use crate::server::futex::Queued;
use crate::signal::{Actions, Pending, Set};
use crate::traits::Traits;

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
pub struct Process {
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
    /// The place of its memory, until it ends.
    pub memory: Option<Place>,
    /// Whether the thread that made it waits until it does not need its maker's memory any more.
    pub is_awaited: bool,
    /// What it has open.
    pub files: Table,
    /// Where relative paths begin.
    pub directory: Rc<Node>,
    /// Permissions that new files do not get.
    pub mask: u32,
    /// What it does about signals.
    pub actions: Rc<Actions>,
    /// Signals that were sent to it and not taken by a thread.
    pub pending: Pending,
    /// The program, and where it was when it was started.
    pub program: (Rc<Node>, Vec<u8>),
    /// Its arguments, each with a zero behind it.
    pub arguments: Vec<u8>,
    /// The name that is shown.
    pub name: [u8; 16],
    /// What it has told of itself.
    pub traits: Traits,
    /// Where its environment was when its program began.
    pub environment: Range<u64>,
    /// When it began, in nanoseconds since the boot.
    pub started: u64,
    /// How it ended, if it has.
    pub end: Option<End>,
    /// Its threads, by their places.
    pub threads: Vec<usize>,
    /// With which status its first thread ended, if that left others behind.
    pub first_exit: Option<u8>,
    /// When `SIGALRM`, `SIGVTALRM` and `SIGPROF` are sent, and how long after that again; 0 for never. The first is by the clock, the others by what the
    /// process has used of the processor, as a program and in all.
    pub alarms: [(u64, u64); 3],
    /// Its timers, by their numbers.
    pub timers: Vec<Option<Timer>>,
    /// What it is limited to.
    pub limits: Rc<Limits>,
    /// What those of its threads have used that are no more.
    pub ended: Times,
    /// What those of its children have used, with their own, that it has waited for.
    pub children: Times,
    /// The signal that stopped it, as long as it is.
    pub stopped: Option<u8>,
    /// Whether its parent has not asked for that yet.
    pub stop_is_news: bool,
    /// Whether it has gone on since, and its parent has not asked for that yet.
    pub start_is_news: bool,
}

/// What a timer sends, and to which thread if not to the process.
pub type Tells = (u32, Option<u32>);

/// A timer that a process made (`timer_create`).
pub struct Timer {
    /// The clock that it goes by.
    pub clock: Clock,
    /// When it ends: since the boot, or by what was used.
    pub time: event::Timer,
    /// What is sent; nothing where nobody is told.
    pub tells: Option<Tells>,
    /// What is sent along.
    pub value: u64,
    /// How often it had ended beside when its signal was taken last.
    pub overrun: u32,
}

/// What a thread waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// Something happens at a pipe of this number.
    Pipe(u64),
    /// A child of this process ends or stops.
    Child(u32),
    /// This process does not need the memory any more that it shares with whoever made it.
    Memory(u32),
    /// This buffer of the disk's has been read.
    Disk(usize),
    /// Somebody wakes those that wait at an address.
    Futex,
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

    /// Whether a call that waits for this is made again after a handler that says so. One that waits for a time, or for one of several
    /// things, is not.
    pub const fn is_restarted(self) -> bool {
        matches!(self, Self::Pipe(_) | Self::Child(_) | Self::Futex)
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

impl Waiting {
    /// The registers that its thread goes on with, if this is the result.
    pub const fn answer(&self, arch: Arch, result: u64) -> Words {
        arch.words(arch.narrow(result), &self.arguments)
    }
}

/// A thread.
pub struct Thread<M: Machine> {
    /// Its number; the process's for its first.
    pub tid: u32,
    /// The number of its process, kept at hand.
    pub pid: u32,
    /// The name that is shown, if it is another than its process's.
    pub name: Option<Box<[u8; 16]>>,
    /// The place of its process.
    pub process: usize,
    /// The kernel's thread.
    pub handle: M::Thread,
    /// What it was built for; its process's, kept at hand.
    pub arch: Arch,
    /// The place of its process's memory.
    pub memory: Place,
    /// The signals that wait.
    pub mask: Set,
    /// What to go back to after the handler that interrupts a call that changed the mask.
    pub old_mask: Option<Set>,
    /// Signals sent to it alone.
    pub pending: Pending,
    /// The system call that it is in, if it is to be looked at again.
    pub waiting: Option<Waiting>,
    /// When its wait ends, from the call's first attempt on.
    pub deadline: Option<u64>,
    /// How much of the call has been done.
    pub progress: u64,
    /// What it opens, a pipe with a name, and how often that had been opened for the other end.
    pub opening: Option<(Rc<Open>, u64)>,
    /// Where bytes go, and how many, if the call that waits does nothing but read.
    pub reads: Option<(u64, usize)>,
    /// Where it is told for how much longer it would have slept, and how wide seconds are there, if its call sleeps for a time.
    pub remainder: Option<(u64, usize)>,
    /// Its thread-local segment: base and limit.
    pub tls: (u64, u32),
    /// Where it waits to be woken.
    pub queued: Option<Queued>,
    /// Where a zero is written when it ends, and somebody woken; 0 for nowhere.
    pub clear_tid: u64,
    /// Its list of locks that others are to hear of if it ends and holds them; 0 for none.
    pub locks: u64,
    /// The stack that signals may be handled on: address, size; size 0 for none.
    pub signal_stack: (u64, u64),
    /// Whether it runs, or could: it neither waits for the server nor is stopped.
    pub runs: bool,
    /// Whether the server has put it aside in its call, or its fault.
    pub is_kept: bool,
}

impl<M: Machine> Thread<M> {
    /// Its call is over.
    pub fn end_call(&mut self) {
        self.opening = None;
        (self.deadline, self.progress, self.queued, self.reads) = (None, 0, None, None);
    }
}

impl Process {
    /// Gives it the name that is shown, of which fifteen bytes are kept.
    pub fn set_name(&mut self, name: &[u8]) {
        self.name = short_name(name);
    }
}

/// A name as it is kept.
pub fn short_name(name: &[u8]) -> [u8; 16] {
    let mut short = [0; 16];
    let length = name.len().min(15);
    short[..length].copy_from_slice(&name[..length]);
    short
}
