//! Threads: the block that the kernel's entry and exit code and the IPC path work on.
//!
//! The first part of the block is laid out for the assembly: registers in the order in which they are pushed, then, at the
//! start of a cache line, the two descriptors that the GDT holds while the thread runs, and the frame that a far return
//! pops. A thread needs no stack in the kernel.

mod account;
mod passes;
mod saved;
mod space;

use lilliput_abi::error::Error;
use lilliput_abi::tag::{SHORT_WORDS, Tag};
use lilliput_abi::{ObjectType, Selector};

use crate::budget::Budget;
use crate::capability::Capability;
use crate::endpoint::{Endpoint, Notification};
use crate::foreign;
use crate::ipc::carry::{Accept, Part, Transfer};
use crate::local::Local;
use crate::reply::Reply;
use crate::slab::{Header, Index, Object};
use crate::task::Task;
use crate::timers::Timer;

pub use account::Account;
pub use passes::{Gate, Kind, LOCAL_ROOT, NO_CLASS, NullCall, Obstacles, Ways, class};
pub use saved::{Frame, Interrupted, Registers, UserCode, UserData, VectorState};

/// How many priorities there are; 63 is the highest.
pub const PRIORITIES: usize = 64;

/// What a thread does.
///
/// The fast path does not store it: whom it lets run, and whom it leaves waiting, follows from links alone. So what stands in a thread's
/// block may be stale; [`Machine::state`](crate::machine::Machine::state) tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum State {
    /// Created and not yet started, or stopped for good.
    #[default]
    Stopped = 0,
    /// Runs, or is in the ready queue.
    Ready = 1,
    /// Queued at an endpoint with a message for whoever receives next.
    Sending = 2,
    /// The same, and wants an answer.
    Calling = 3,
    /// Queued at its home for a message.
    Receiving = 4,
    /// Its message was taken; it waits for the answer.
    AwaitingReply = 5,
    /// Queued at a notification.
    Waiting = 6,
    /// Waits for its deadline, in no queue.
    Sleeping = 7,
    /// Could run, but its budget is used up: until that is renewed it is in no queue.
    Resting = 8,
}

/// The endpoint that a thread receives from: the last that it named. [`Operation::ReplyReceive`](lilliput_abi::Operation::ReplyReceive) goes
/// there without a look at a capability, whose loss undoes the residence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Home {
    /// Which.
    pub endpoint: Index<Endpoint>,
    /// Its neighbour among the residents of that endpoint.
    pub next: Index<Thread>,
    /// Its neighbour among the residents of that endpoint.
    pub previous: Index<Thread>,
}

/// An exception that a thread raised and whose handler has not answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Fault {
    /// The exception's vector.
    pub vector: u8,
    /// The error code; zero for exceptions without one.
    pub code: u32,
    /// For a page fault the address as the task sees it.
    pub address: u64,
}

impl Fault {
    /// Whether it comes again where the thread goes on: it is none of the traps, which are raised behind their instruction (AMD64 APM
    /// vol. 2, 8.2: #DB, #BP, #OF).
    ///
    /// A foreign system call does: see [`Thread::forsake`].
    pub const fn is_raised_again(&self) -> bool {
        !matches!(self.vector, 1 | 3 | 4)
    }
}

/// A thread.
#[derive(Default)]
#[repr(C, align(64))]
pub struct Thread {
    /// General registers while it does not run.
    pub registers: Registers,
    /// Its task.
    pub task: Index<Task>,
    /// How many places the task's capability table has.
    pub places: u32,
    /// What the GDT's user data slot holds while it runs.
    pub data_descriptor: u64,
    /// What the GDT's user code slot holds while it runs.
    pub code_descriptor: u64,
    /// Where it goes on after a system call.
    pub frame: Frame,
    /// The selector that the fast path takes for a null call; of a foreign thread one that never comes to be compared.
    pub null_call: NullCall,
    /// By whose rules it makes system calls.
    pub ways: Ways,
    /// The arena whose host serves it, or whose host it is part of; 0 for none. It may be in another one that shares that host.
    pub arena: u8,
    /// What the fast path grants.
    pub gate: Gate,
    /// The arena whose root it runs in; 0 if its task has a root of its own; [`LOCAL_ROOT`] if it has segments of its own. With the three bytes after it, one word that the fast path
    /// compares: [`class`].
    pub root: u8,
    /// Width and place of its space.
    pub kind: Kind,
    /// What keeps the fast path from it.
    pub obstacles: Obstacles,
    /// The CPU that it belongs to.
    pub cpu: u8,
    /// Class of those to whom the fast path has its shortest way: for a small thread the small ones on the same root, for a 64-bit one
    /// its like. See [`Thread::set_peers`].
    pub peers: u32,
    /// Class of the host that serves its arena.
    pub host_peer: u32,
    /// The thread that waits for this one's answer.
    pub caller: Index<Thread>,
    /// Instead of [`Thread::caller`], for a host: a small thread that it serves and that waits for its answer, whose root and segments are what the CPU
    /// has loaded, and whom nobody who is ready outranks.
    pub guest: Index<Thread>,
    /// The thread whose answer this one waits for, if that has it as its caller or guest; else it means nothing.
    pub server: Index<Thread>,
    /// Its neighbour in the one queue that it is in.
    pub next: Index<Thread>,
    /// Its neighbour in the one queue that it is in.
    pub previous: Index<Thread>,
    /// Address of its task's first capability. Only the assembly of the fast path reads through it.
    pub capabilities: u64,
    /// CR3 while it runs, with the bit that keeps the TLB where the root is tagged.
    pub cr3: u64,
    /// What it has used.
    pub account: Account,
    /// Where its foreign system calls go on the fast path: its home, or none while its gate is closed.
    pub foreign: Index<Endpoint>,
    /// The badge of the capability that it sends by, while it is queued as a sender.
    pub badge: u32,
    /// Who is told of its faults before its task's handler: an endpoint, with the badge to tell by. Null for nobody.
    pub fault_handler: Capability,
    /// Where it goes on if [`Obstacles::FULL_FRAME`].
    pub interrupted: Interrupted,
    /// What it does, where that does not follow from links.
    pub state: State,
    /// 0 to 63, 63 the highest.
    pub priority: u8,
    /// Whether its turn was over while a server of a higher priority worked for it: it goes behind its equals when it is back.
    pub late: bool,
    /// Whether its task's space changed since it ran: see [`Thread::outdate`]. Next to the one before it, with which the fast path looks at it.
    pub outdated: bool,
    /// For a small thread the linear address of its address zero.
    pub base: u32,
    /// What is left of its turn, in ticks of the time-stamp counter; 0 for all of it.
    pub turn: u64,
    /// What it may use of each period.
    pub budget: Budget,
    /// What was used on its time, by itself and by those that worked for it, in ticks of the time-stamp counter.
    pub charged: u64,
    /// Where it receives.
    pub home: Home,
    /// Where it is queued to send.
    pub endpoint: Index<Endpoint>,
    /// Where it is queued.
    pub notification: Index<Notification>,
    /// The reply object that it waits for the answer of, in place of a server's.
    pub kept: Index<Reply>,
    /// The next thread of its task: see [`Machine::join`](crate::machine::Machine::join).
    pub sibling: Index<Thread>,
    /// The one before it.
    pub sibling_before: Index<Thread>,
    /// Low half of the address of its task's fault handler, in the last 2 GiB. Only the assembly of the fast path reads through it.
    pub task_handler: u32,
    /// The exception that its message is about, if [`Obstacles::FAULT`]: see [`Thread::fault`]. Also that of [`Obstacles::PAGING`]. Of a foreign thread a
    /// foreign system call while it is nothing else, which need not be stored by the fast path then.
    pub raised: Fault,
    /// Whose signals it has where it receives messages: see [`Machine::bind`](crate::machine::Machine::bind).
    pub bound: Index<Notification>,
    /// Where it receives, for the fast path, to which it has no home while a signal waits for it: [`Machine::note_home`](crate::machine::Machine::note_home).
    pub fast_home: Index<Endpoint>,
    /// When its wait ends, if it is a timed one.
    pub timer: Timer,
    /// Where what messages to it carry arrives.
    pub accept: Accept,
    /// How far a string has come.
    pub transfer: Transfer,
    /// What the CPU has loaded for it alone while it runs.
    pub local: Local,
    /// Table bookkeeping.
    pub header: Header,
    /// How often what it has for itself was turned: see [`Thread::turn`].
    pub turns: u32,
    /// Vector state while another thread's is loaded.
    pub vector: VectorState,
}

/// Low half of the address of the table of threads, in the last 2 GiB.
pub const THREADS: u32 = 0xf000_0000;

const _: () = {
    use core::mem::offset_of;
    assert!(offset_of!(Thread, registers) == 0);
    // Two lines have all that the fast path touches.
    assert!(offset_of!(Thread, data_descriptor) == 2 * 64);
    assert!(offset_of!(Thread, code_descriptor) == 2 * 64 + 8 && offset_of!(Thread, frame) == 2 * 64 + 16);
    assert!(offset_of!(Thread, account) + offset_of!(Account, exchanges) + 8 <= 4 * 64);
    assert!(offset_of!(Thread, root) % 4 == 0 && offset_of!(Thread, kind) == offset_of!(Thread, root) + 1);
    assert!(offset_of!(Thread, obstacles) == offset_of!(Thread, root) + 2);
    assert!(offset_of!(Thread, cpu) == offset_of!(Thread, root) + 3);
    assert!(size_of::<Interrupted>() == 5 * 8);
    assert!(offset_of!(Thread, outdated) == offset_of!(Thread, late) + 1);
    assert!(offset_of!(Thread, vector) % 16 == 0);
    assert!(size_of::<Thread>() <= 17 * 64);
};

impl Object for Thread {
    const TYPE: ObjectType = ObjectType::Thread;
    const BASE: u32 = THREADS;
    // What no thread is: see `Endpoint::nowhere`.
    const FIRST: u32 = 2;
    fn header(&self) -> &Header {
        &self.header
    }
    fn header_mut(&mut self) -> &mut Header {
        &mut self.header
    }
}

impl Thread {
    /// Where the word is that [`Thread::class`] returns, for the assembly of the fast path.
    pub const CLASS_OFFSET: usize = core::mem::offset_of!(Self, root);

    /// Kind, root and obstacles.
    pub const fn class(&self) -> u32 {
        u32::from_le_bytes([self.root, self.kind as u8, self.obstacles.bits(), self.cpu])
    }

    /// Lets the fast path take what this thread asks for, or not.
    pub fn set_gate(&mut self, open: bool) {
        let Self { fast_home: home, places, .. } = *self;
        // A host's would leave what is loaded for its guest.
        let has_way = open && self.is_foreign() && self.kind != Kind::Host;
        self.foreign = if has_way { self.home.endpoint } else { Index::NONE };
        self.gate = match (open && self.local.is_none(), self.ways) {
            // A foreign thread's calls take a way of their own, which leaves what is its own loaded.
            (false, _) | (true, Ways::Foreign) => Gate::default(),
            // So do a host's.
            (true, Ways::OwnHost) => Gate { places: 0, home },
            (true, Ways::Own32 | Ways::Own64) => Gate { places, home },
        };
    }

    /// The exception that its message is about, if it is one.
    pub fn fault(&self) -> Option<Fault> {
        self.obstacles.contains(Obstacles::FAULT).then_some(self.raised)
    }

    /// From now on its message is about this exception, or about none.
    pub fn set_fault(&mut self, fault: Option<Fault>) {
        self.obstacles.set(Obstacles::FAULT, fault.is_some());
        self.raised = fault.unwrap_or(if self.is_foreign() { foreign::BY_INTERRUPT } else { Fault::default() });
    }

    /// Its message about an exception is answered by nobody. A foreign system call is made again where the thread goes on.
    pub fn forsake(&mut self) -> Option<Fault> {
        let fault = self.fault();
        if fault.is_some_and(|fault| fault.is_foreign_call()) {
            self.step_back();
        }
        self.set_fault(None);
        fault
    }

    /// It owes no answer to a thread any more.
    pub fn forget(&mut self, caller: Index<Thread>) {
        if self.caller == caller {
            self.caller = Index::NONE;
        }
        if self.guest == caller {
            self.guest = Index::NONE;
        }
    }

    /// Whether it was interrupted, or raised an exception: all registers must be restored.
    pub const fn has_full_frame(&self) -> bool {
        self.obstacles.contains(Obstacles::FULL_FRAME)
    }

    /// It goes on where it was interrupted, or raised an exception.
    pub fn interrupt(&mut self, at: Interrupted) {
        self.interrupted = at;
        self.obstacles.insert(Obstacles::FULL_FRAME);
    }

    /// Instruction and stack pointer, where it goes on.
    pub const fn goes_on_at(&self) -> (u64, u64) {
        if self.has_full_frame() { (self.interrupted.ip, self.interrupted.sp) } else { (self.frame.ip, self.frame.sp) }
    }

    /// Whether the message that it sends has more than the words that every pair of tasks can exchange.
    pub const fn sends_long(&self) -> bool {
        self.selector().is_long()
    }

    /// The tag that it sends.
    pub const fn tag(&self) -> Tag {
        Tag(self.registers.tag as u32)
    }

    /// Whether its message is the kernel's: about an exception, or about a page that a string lacks.
    pub const fn tells_fault(&self) -> bool {
        self.obstacles.intersects(Obstacles::FAULT.union(Obstacles::PAGING))
    }

    /// What its system call passes, as wide as its registers are.
    pub const fn word(&self, at: usize) -> u64 {
        let word = self.registers.words[at];
        if self.kind.is_wide() { word } else { word as u32 as u64 }
    }

    /// The selector of its system call.
    pub const fn selector(&self) -> Selector {
        Selector(self.registers.status as u32)
    }

    /// It waits in the middle of a string.
    pub fn begin_transfer(&mut self, of: Part) {
        self.obstacles.insert(Obstacles::TRANSFER);
        self.transfer.of = Some(of);
    }

    /// It does not any more.
    pub fn end_transfer(&mut self) {
        self.obstacles.remove(Obstacles::TRANSFER);
        self.transfer = Transfer { refused: self.transfer.refused, ..Transfer::default() };
    }

    /// Ends its system call with nothing but a status.
    #[inline(never)]
    pub fn finish(&mut self, result: Result<(), Error>) {
        self.registers.status = match result {
            Ok(()) => 0,
            Err(error) => error.status() as u64,
        };
        self.registers.rcx = 0;
        self.registers.r11 = 0;
    }

    /// Ends its system call with words.
    pub fn answer(&mut self, words: &[u64]) {
        self.registers.words[..words.len()].copy_from_slice(words);
        self.registers.tag = Tag::new(0, words.len() as u32).0 as u64;
        self.finish(Ok(()));
    }

    /// Ends its system call with so many of these words, which are zero from there on, and nothing in the others that can arrive.
    pub fn answer_whole(&mut self, words: [u64; SHORT_WORDS as usize], count: usize) {
        let registers = &mut self.registers;
        registers.words[..words.len()].copy_from_slice(&words);
        registers.words[words.len()..].fill(0);
        registers.tag = u64::from(Tag::new(0, count as u32).0);
        self.finish(Ok(()));
    }
}

#[cfg(test)]
mod tests;
