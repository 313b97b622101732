//! A system call and its answer; faults; deadlines.

mod accounts;
mod answer;
mod begin;
mod close;
mod death;
mod deliver;
mod disk;
pub(crate) mod futex;
mod later;
mod life;
mod notes;
mod proc;
mod room;
mod terminal;
pub(crate) mod threads;
mod time;
mod timers;
mod waiters;

use alloc::boxed::Box;
use alloc::rc::{Rc, Weak};
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};

use lilliput_abi::foreign;
use syscalls::Errno;

use crate::arch::Arch;
use crate::call::Calls;
use crate::files::disk::Disk;
use crate::files::socket::Names;
use crate::files::tty::Tty;
use crate::files::{self, Kind, Node};
use crate::known::Known;
use crate::machine::{Machine, Times};
use crate::memory::{Access, Memories, Place, Pool, User};
use crate::process::{Channel, End, Process, Thread, Waiting};
use crate::signal::{Occasion, Set};
use crate::way::Way;

pub use self::begin::Start;
pub(crate) use self::deliver::{EXITED, KILLED, STOPPED, WENT_ON};
pub(crate) use self::room::NAME;
pub(crate) use self::terminal::SIGNALLED;
use self::waiters::Waiters;

/// What came of a system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is done, with this result.
    Done(u64),
    /// It is to be tried again when something happens there.
    Wait(Channel),
    /// The thread's registers were set: it goes on with those.
    Registers,
    /// The thread is no more.
    Ended,
}

/// What a system call returns: its outcome, or an error's number.
pub type Result<T = Outcome> = core::result::Result<T, Errno>;

/// How many numbers of calls that there are not are told of.
const MOST_UNKNOWN: usize = 32;
/// `si_code` of an access behind the end of a file.
const NO_SUCH_PLACE: i32 = 2;
/// `si_code` of an access that an area does not allow.
const NO_RIGHT: i32 = 2;
/// `si_code` of what the kernel itself sends.
pub(crate) const BY_KERNEL: i32 = 0x80;

/// How the thread that called is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It goes on with this result.
    Result(u64),
    /// It goes on with its registers as they are.
    Resume,
    /// It is to be put aside; the server lets it go on when it is time.
    Keep,
    /// It is no more.
    Nobody,
}

/// The words of a message about a system call, as wide as a server's are that serves both widths.
pub type Words = [usize; foreign::WORDS as usize];

const _: () = assert!(size_of::<usize>() == size_of::<u64>());

/// The Linux server.
pub struct Server<M: Machine> {
    /// What it runs on.
    pub machine: M,
    pub(crate) pool: Pool,
    pub(crate) memories: Memories<M::Space>,
    pub(crate) processes: Vec<Option<Process>>,
    pub(crate) threads: Vec<Option<Thread<M>>>,
    /// The thread whose call is served.
    pub(crate) me: usize,
    /// The thread whose message the machine told last, until [`Self::own_answer`] is returned to that.
    caller: Option<usize>,
    own_answer: Answer,
    pub(crate) root: Rc<Node>,
    /// How many sockets there are.
    pub(crate) sockets: Rc<Cell<usize>>,
    /// Those that are found by names of no file.
    pub(crate) names: Names,
    pub(crate) next_node: u64,
    pub(crate) next_pid: u32,
    /// The turn of the last thread that waited at a word.
    pub(crate) next_turn: u64,
    /// What has happened, for those that wait for it.
    events: Vec<Channel>,
    /// What follows from it for others.
    later: Vec<later::Later>,
    pub(crate) waiters: Waiters,
    /// Descriptors that tell of what happens to files, and the number of the last move that was told of.
    pub(crate) watchers: Vec<Weak<Node>>,
    /// Whether anybody ever locked a file.
    pub(crate) has_locks: bool,
    cookie: u32,
    /// Timers that descriptors stand for.
    pub(crate) timers: Vec<Weak<Node>>,
    pub(crate) date: u64,
    /// What all threads have used that are no more, and for how long nobody used anything, as far as that was told.
    pub(crate) ended: Times,
    pub(crate) idle: u64,
    /// Whether the console is a terminal.
    pub(crate) has_terminal: bool,
    pub(crate) terminal: Rc<Tty>,
    /// The directory of the terminals that programs have made.
    pub(crate) pairs: Rc<Node>,
    pub(crate) features: u32,
    /// The disk, if there is one.
    pub(crate) disk: Option<Disk>,
    /// How 32-bit programs make system calls.
    pub(crate) way: Way,
    /// The pages of functions that programs find, by [`Arch::index`]: that by which 32-bit ones make system calls, if that is not by `int 0x80`, and that by which
    /// 64-bit ones ask for the time.
    pub(crate) calls_pages: [Option<Rc<Node>>; 2],
    pub(crate) random: u64,
    calls: Calls<M>,
    pub(crate) known: Box<Known>,
    /// Numbers of system calls that there are not, which were called.
    pub(crate) unknown: Vec<(Arch, usize)>,
    /// The first process, and how it ended.
    pub(crate) first: u32,
    first_end: Option<End>,
    /// When the first wait ends by time, and whether that is to be looked for again.
    deadline: Option<u64>,
    pub(crate) deadline_may_be_new: bool,
    /// When its time had come for something last.
    ticked: u64,
}

impl<M: Machine> Server<M> {
    /// The number of a node that is made now.
    pub(crate) const fn new_node(&mut self) -> u64 {
        self.next_node += 1;
        self.next_node
    }

    /// How the first process of [`Server::run`] ended, once it has.
    pub const fn ended(&mut self) -> Option<End> {
        self.first_end.take()
    }

    /// What can be answered without asking the server.
    pub const fn known(&self) -> &Known {
        &self.known
    }

    /// The server is asked for a system call, by `int 0x80` or by a 64-bit program's `syscall`: the words are those of the kernel's message. The result takes the
    /// place of the call's number.
    #[inline(always)]
    pub fn call(&mut self, badge: u32, words: &mut Words) -> Answer {
        let me = (badge as usize).wrapping_sub(1);
        let Some(Some(thread)) = self.threads.get_mut(me) else { return Answer::Nobody };
        let arch = thread.arch;
        let answer = self.call_by(me, words);
        if let Answer::Result(value) = answer {
            words[arch.number_place()] = arch.narrow(value) as usize;
        }
        answer
    }

    #[inline(always)]
    fn call_by(&mut self, me: usize, words: &Words) -> Answer {
        let Some(thread) = &mut self.threads[me] else { return Answer::Nobody };
        thread.runs = false;
        self.me = me;
        let arch = thread.arch;
        let (number, arguments) = arch.call(words);
        let number = number as u32 as usize;
        let outcome = match self.calls.get(arch, number) {
            Some(call) => call(self, &arguments),
            None => self.call_other(number),
        };
        let nothing_else = self.events.is_empty() && self.later.is_empty() && !self.has_signals(me);
        match outcome {
            // The usual ways out: nothing happened that others wait for, and no signal.
            Ok(Outcome::Done(value)) if nothing_else => {
                // It may have ended itself, by what it did to its process.
                let Some(Some(thread)) = self.threads.get_mut(me) else { return Answer::Nobody };
                thread.runs = true;
                Answer::Result(value)
            }
            Ok(Outcome::Wait(channel)) if nothing_else => {
                let Some(Some(thread)) = self.threads.get_mut(me) else { return Answer::Nobody };
                thread.is_kept = true;
                self.begin_wait(me, Waiting { number, arguments, channel });
                Answer::Keep
            }
            outcome => {
                let answer = self.conclude(me, number, &arguments, outcome);
                self.settle(me, answer)
            }
        }
    }

    /// A call whose answer is known, and that was not answered from there, or none.
    fn call_other(&mut self, number: usize) -> Result {
        let arch = self.thread().arch;
        if let Some(answer) = self.known.answer(self.me + 1, arch, number) {
            return Ok(Outcome::Done(answer.into()));
        }
        let is_new = !self.unknown.contains(&(arch, number)) && self.unknown.len() < MOST_UNKNOWN;
        if is_new {
            self.unknown.push((arch, number));
            let name = crate::call::name(arch, number);
            self.machine.log(format_args!("linux: no system call {name} ({number}) of {arch:?} programs"));
        }
        Err(Errno::ENOSYS)
    }

    /// What is left to do about a thread after its call: waiting, signals.
    fn conclude(&mut self, me: usize, number: usize, arguments: &[u64; 6], outcome: Result) -> Answer {
        self.catch_up();
        let result = match outcome {
            Ok(Outcome::Done(value)) => Some(value),
            Err(error) => Some(-i64::from(error.into_raw()) as u64),
            Ok(Outcome::Registers) => None,
            Ok(Outcome::Ended) => return Answer::Nobody,
            Ok(Outcome::Wait(channel)) => {
                if !self.ends_wait(me, channel) {
                    self.begin_wait(me, Waiting { number, arguments: *arguments, channel });
                    return Answer::Keep;
                }
                return self.interrupt(me, number, channel);
            }
        };
        self.leave_wait(me);
        self.end_call(me, result)
    }

    /// A thread's call, which waits no more, is over; whatever its signals do comes first.
    fn end_call(&mut self, me: usize, result: Option<u64>) -> Answer {
        if let Some(thread) = &mut self.threads[me] {
            thread.end_call();
        }
        if self.has_signals(me) { self.deliver(me, result) } else { self.go_on(me, result) }
    }

    /// A thread raised an exception: its vector, its error code, and the address of a page fault.
    pub fn fault(&mut self, badge: u32, vector: u8, code: u64, address: u64) -> Answer {
        use linux_raw_sys::general::{SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGTRAP};
        const PAGE_FAULT: u8 = 14;
        let me = (badge as usize).wrapping_sub(1);
        let Some(Some(thread)) = self.threads.get_mut(me) else { return Answer::Nobody };
        thread.runs = false;
        self.me = me;
        let signal = match vector {
            0 | 16 | 19 => SIGFPE,
            1 | 3 => SIGTRAP,
            6 => SIGILL,
            17 => SIGBUS,
            _ => SIGSEGV,
        };
        if vector == PAGE_FAULT {
            let access = match code {
                _ if code & 2 != 0 => Access::Write,
                _ if code & 16 != 0 => Access::Execute,
                _ => Access::Read,
            };
            if access == Access::Execute && self.call_at(address).is_some() {
                let answer = self.go_on(me, None);
                return self.settle(me, answer);
            }
            match self.bring_at_any_price(me, address, access) {
                Ok(()) => {
                    let answer = self.go_on(me, None);
                    return self.settle(me, answer);
                }
                Err(Errno::ESRCH) => return self.settle(me, Answer::Nobody),
                Err(Errno::ENXIO) => {
                    self.force(me, Occasion::new(SIGBUS, NO_SUCH_PLACE, address));
                    let answer = self.deliver(me, None);
                    return self.settle(me, answer);
                }
                Err(_) => {}
            }
        }
        // Something is there that it has no right to, or nothing is.
        let is_there = vector == PAGE_FAULT && self.user().memory.area(address).is_some();
        self.force(me, Occasion::new(signal, if is_there { NO_RIGHT } else { 1 }, address));
        let answer = self.deliver(me, None);
        self.settle(me, answer)
    }

    /// The thread whose call is served.
    pub(crate) fn thread(&self) -> &Thread<M> {
        self.threads[self.me].as_ref().expect("the thread that is served is there")
    }

    /// The same, to be changed.
    pub(crate) fn thread_mut(&mut self) -> &mut Thread<M> {
        self.threads[self.me].as_mut().expect("the thread that is served is there")
    }

    /// The process whose call is served.
    pub(crate) fn process(&self) -> &Process {
        self.processes[self.thread().process].as_ref().expect("a thread's process is there")
    }

    /// The same, to be changed.
    pub(crate) fn process_mut(&mut self) -> &mut Process {
        let place = self.thread().process;
        self.processes[place].as_mut().expect("a thread's process is there")
    }

    /// The memory of the process whose call is served.
    pub(crate) fn user(&mut self) -> User<'_, M> {
        let Thread { memory, arch, .. } = *self.thread();
        self.user_of(memory, arch)
    }

    /// A memory, for whoever has words of this width.
    pub(crate) fn user_of(&mut self, memory: Place, arch: Arch) -> User<'_, M> {
        User { arch, memory: self.memories.get_mut(memory), pool: &mut self.pool, machine: &mut self.machine }
    }

    /// Copies bytes of the process whose call is served to an address of another thread's; whether that could be written.
    ///
    /// # Errors
    /// `EFAULT` where they cannot be read.
    pub(crate) fn copy_to(&mut self, thread: usize, to: u64, from: u64, length: usize) -> Result<bool> {
        let Some(other) = self.threads[thread].as_ref().map(|thread| thread.memory) else { return Ok(false) };
        let me = self.thread().memory;
        self.memories.copy((me, from), (other, to), length, &mut self.pool, &mut self.machine)
    }

    /// Nanoseconds since 1970.
    pub(crate) fn wall_clock(&mut self) -> u64 {
        self.date * 1_000_000_000 + self.machine.now()
    }

    /// The next random number: Marsaglia's xorshift. Nothing here keeps secrets from anybody.
    pub(crate) const fn random(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }

    /// A file with nothing in it, in no directory.
    pub(crate) fn empty_file(&mut self, mode: u32) -> Rc<Node> {
        let now = self.wall_clock();
        Node::new(self.new_node(), Kind::File(RefCell::new(files::Data::Own(Vec::new()))), mode, now)
    }

    /// A file with these bytes, in no directory.
    pub(crate) fn fixed_file(&mut self, bytes: &'static [u8]) -> Rc<Node> {
        Node::new(self.new_node(), Kind::File(RefCell::new(files::Data::Fixed(bytes))), 0o444, 0)
    }

    /// Whether a thread has signals that it does not hold back.
    fn has_signals(&self, place: usize) -> bool {
        self.pending(place).is_some()
    }

    /// The first signal of a thread that it does not hold back.
    fn pending(&self, place: usize) -> Option<u32> {
        let thread = self.threads[place].as_ref()?;
        self.pending_set(place).first_without(thread.mask)
    }

    /// The signals of a thread and of its process.
    fn pending_set(&self, place: usize) -> Set {
        let Some(thread) = &self.threads[place] else { return Set::default() };
        let of_process = self.processes[thread.process].as_ref().map_or(0, |process| process.pending.set().0);
        Set(thread.pending.set().0 | of_process)
    }
}
