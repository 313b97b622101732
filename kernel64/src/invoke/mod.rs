//! Kernel objects: what a `call` on their capabilities does.
//!
//! A method takes its arguments from the caller's words and answers into them. It never blocks the
//! caller, so the only decision is whether the caller still runs.

mod arena;
mod create;
mod destroy;
mod device;
mod factory;
mod frames;
mod memory;
mod reclaim;
mod revoke;
mod space;
mod system;
mod task;
mod thread;

pub use create::{NewTask, new_task, new_thread};
pub use destroy::exit;
pub use factory::full;
pub use memory::map_run;
pub use revoke::{Revocations, swept};
pub use space::{local, renew, set_isolation};
pub use task::make_places;
pub use thread::start;

use lilliput_abi::tag::{MAX_WORDS, SHORT_WORDS};
use lilliput_abi::{Error, ObjectType, Rights};
use lilliput_core::budget::Share;
use lilliput_core::capability::Capability;
use lilliput_core::cpu::Decision;
use lilliput_core::slab::{self, Index};
use lilliput_core::task::Task;
use lilliput_core::thread::{PRIORITIES, Thread};

use crate::cpu::percpu::PerCpu;
use crate::dispatch;
use crate::state::Kernel;

/// What a method answers.
type Answer = Result<Words, Error>;

/// Up to four words, and what they mean.
#[derive(Clone, Copy)]
pub struct Words {
    words: [u64; 4],
    count: usize,
    end: End,
}

/// How a step of a method ended.
#[derive(Clone, Copy)]
enum End {
    /// The words are its answer.
    Done,
    /// More is to be done: the words are the arguments for the rest. Whatever may take long is cut in this way, so that
    /// interrupts have their turn in between.
    Again,
    /// It failed; the words are arguments that say how far it got.
    Failed(Error),
}

impl Words {
    fn again<const N: usize>(words: [u64; N]) -> Self {
        Self { end: End::Again, ..words.into() }
    }

    fn failed<const N: usize>(error: Error, words: [u64; N]) -> Self {
        Self { end: End::Failed(error), ..words.into() }
    }
}

impl<const N: usize> From<[u64; N]> for Words {
    fn from(from: [u64; N]) -> Self {
        let mut words = [0; 4];
        words[..N].copy_from_slice(&from);
        Self { words, count: N, end: End::Done }
    }
}

/// No words.
const DONE: Words = Words { words: [0; 4], count: 0, end: End::Done };

/// A 64-bit value in two words, as a 32-bit caller can take it.
fn split(value: u64) -> Words {
    [value & u64::from(u32::MAX), value >> 32].into()
}

/// One invocation: who calls, with what.
struct Call {
    /// The caller.
    thread: Index<Thread>,
    /// Its task.
    task: Index<Task>,
    /// The label of its message.
    label: u16,
    /// How many words it has.
    count: u32,
    /// The bits that one of the caller's words has: 64, or 32 from a small task.
    mask: u64,
    /// The first of its words. Those that it does not have are zero.
    words: [u64; SHORT_WORDS as usize],
}

impl Call {
    /// A word as a number that must fit.
    fn small<T: TryFrom<u64>>(&self, at: usize) -> Result<T, Error> {
        self.words[at].try_into().map_err(|_| Error::BadArgument)
    }

    /// The same call once more: it had to wait for something.
    fn again(&self) -> Words {
        Words::again(self.words)
    }

    /// All of its words, as [`Call::words`] are.
    fn all_words(&self, kernel: &Kernel) -> [u64; MAX_WORDS as usize] {
        let mut words = kernel.machine.threads[self.thread].registers.words.map(|word| word & self.mask);
        words[self.count as usize..].fill(0);
        words
    }

    /// So many bytes that are packed into the words from `first` on, 8 or 4 a word.
    fn bytes(&self, kernel: &Kernel, first: usize, count: u32) -> Result<impl Iterator<Item = u8> + use<>, Error> {
        let shift = if self.mask == u64::MAX { 3 } else { 2 };
        if count as usize > (self.count as usize).saturating_sub(first) << shift {
            return Err(Error::BadArgument);
        }
        let words = self.all_words(kernel);
        let byte = move |at: usize| (words[first + (at >> shift)] >> (at % (1 << shift) * 8)) as u8;
        Ok((0..count as usize).map(byte))
    }

    /// A word as a priority that the caller may give.
    ///
    /// # Errors
    /// `BadArgument` if it is none, `NoRight` above the ceiling of the caller's task.
    fn priority(&self, kernel: &Kernel, at: usize) -> Result<u8, Error> {
        let priority = self.small(at)?;
        match priority {
            _ if usize::from(priority) >= PRIORITIES => Err(Error::BadArgument),
            _ if priority > kernel.machine.tasks[self.task].ceiling => Err(Error::NoRight),
            _ => Ok(priority),
        }
    }

    /// Two words as a budget that the caller may give: zeros for the most that is.
    ///
    /// # Errors
    /// `BadArgument` if they are none, `NoRight` for more than the ceiling of the caller's task.
    fn share(&self, kernel: &Kernel, at: usize) -> Result<Share, Error> {
        let most = kernel.machine.tasks[self.task].share;
        match Share::new(self.small(at)?, self.small(at + 1)?)? {
            Share::ALL => Ok(most),
            share if most.covers(share) => Ok(share),
            _ => Err(Error::NoRight),
        }
    }

    /// A word as the place of a capability of the caller's.
    fn capability(&self, kernel: &Kernel, at: usize) -> Result<Capability, Error> {
        kernel.machine.tasks[self.task].capabilities.named(self.small(at)?)
    }
}

/// Invokes a kernel object.
pub fn invoke(kernel: &mut Kernel, this: &mut PerCpu, capability: Capability) -> Decision {
    let running = this.cpu.current;
    let thread = &kernel.machine.threads[running];
    let (tag, count) = (thread.tag(), thread.tag().words());
    let (most, mask) = if thread.kind.is_wide() { (MAX_WORDS, u64::MAX) } else { (SHORT_WORDS, u64::from(u32::MAX)) };
    let well_formed = tag.is_valid() && !thread.selector().carries() && count <= most;
    let [first, second, third, fourth, ..] = thread.registers.words;
    let named = |word, at| if count > at { word & mask } else { 0 };
    let words = [named(first, 0), named(second, 1), named(third, 2), named(fourth, 3)];
    let call = Call { thread: running, task: thread.task, label: tag.label(), count, mask, words };
    let answer = if well_formed { perform(kernel, this, capability, &call) } else { Err(Error::BadMessage) };
    // The caller is always there to hear of it: what would end it is refused.
    let thread = &mut kernel.machine.threads[running];
    match answer {
        // Nothing is cut: only methods that just tell something answer in words that may be wide.
        Ok(Words { words: [first, second, third, fourth], .. }) if (first | second | third | fourth) > mask => {
            thread.finish(Err(Error::WordTooWide));
        }
        Ok(Words { words, count, end }) => match end {
            End::Done => thread.answer_whole(words, count),
            End::Again => thread.repeat(&words[..count]),
            End::Failed(error) => {
                thread.registers.words[..count].copy_from_slice(&words[..count]);
                thread.finish(Err(error));
            }
        },
        Err(error) => thread.finish(Err(error)),
    }
    Decision::Stay
}

fn perform(kernel: &mut Kernel, this: &mut PerCpu, capability: Capability, call: &Call) -> Answer {
    use ObjectType as Type;
    match Type::from_number(slab::type_number(capability.key)).unwrap_or(Type::Null) {
        Type::Factory => {
            let factory = dispatch::object(&kernel.factories, capability, Rights::SEND)?;
            factory::invoke(kernel, this, factory, call)
        }
        Type::Task => {
            let task = dispatch::object(&kernel.machine.tasks, capability, Rights::SEND)?;
            task::invoke(kernel, this, task, call)
        }
        Type::Thread => {
            let thread = dispatch::object(&kernel.machine.threads, capability, Rights::SEND)?;
            thread::invoke(kernel, this, thread, call)
        }
        Type::Arena => {
            let arena = dispatch::object(&kernel.arenas, capability, Rights::SEND)?;
            arena::invoke(kernel, this, arena, call)
        }
        Type::Interrupt => {
            let interrupt = dispatch::object(&kernel.devices.interrupts, capability, Rights::SEND)?;
            device::invoke_interrupt(kernel, this, interrupt, call)
        }
        Type::IoPorts => {
            let ports = dispatch::object(&kernel.ports, capability, Rights::SEND)?;
            device::invoke_ports(kernel, ports, call)
        }
        Type::Devices | Type::System if !capability.rights().contains(Rights::SEND) => Err(Error::NoRight),
        Type::Devices => device::invoke_devices(kernel, capability, call),
        Type::System => system::invoke(kernel, this, call),
        Type::Endpoint | Type::Notification | Type::Frames | Type::Reply => Err(Error::WrongType),
        Type::Null => Err(Error::BadCapability),
    }
}
