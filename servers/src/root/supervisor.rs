//! The tasks that the root task started, and the loop in which it hears from them.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use lilliput_abi::{Error, fault};
use lilliput_runtime::console::WRITE;
use lilliput_runtime::object::{Account, Received, reply};
use lilliput_runtime::time::Deadline;
use lilliput_runtime::{Endpoint, Message, Word, parent, text};
use lilliput_user64::Native;

use crate::FACTORY;
use crate::console::Keyboard;
use crate::failure::{Failure, context};
use crate::output::say;
use crate::program::Programs;
use crate::spawn::Child;

/// The bit of a badge that only the kernel sends by: the message is about a fault.
pub const FAULT_BADGE: u32 = 1 << 28;

/// The bit of a badge by which a task prints through the root task: see [`crate::quote`].
pub const PRINT_BADGE: u32 = 1 << 29;

/// The exception whose address says something.
pub const PAGE_FAULT: u8 = 14;

/// A number of a child, which is also its badge. From 1 on, never used twice.
pub type Id = u32;

/// How a task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It said so.
    Exit(Word),
    /// It raised an exception.
    Fault(Fault),
    /// The root task ended it.
    Destroyed,
}

/// An exception of a task, as its handler was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The exception's vector.
    pub vector: u8,
    /// Its error code.
    pub code: u32,
    /// For a page fault the address, as the task sees it.
    pub address: Word,
    /// The instruction, as the task sees it.
    pub ip: Word,
    /// The stack pointer, as the task sees it.
    pub sp: Word,
}

/// The most text and the most results that are kept of a task: it must not be able to fill the root task's memory.
const MOST_TEXT: usize = 2048;
const MOST_RESULTS: usize = 256;

/// The tasks, and where they are heard.
pub struct Supervisor {
    /// Where parents' calls and faults arrive.
    pub endpoint: Endpoint<Native>,
    /// The console's endpoint, once there is one.
    pub console: Option<Endpoint<Native>>,
    /// Where what is typed is read, and what ^C signals, if somebody types.
    pub keyboard: Option<Keyboard>,
    /// The programs that came with the machine.
    pub programs: Programs,
    /// Whether tasks that fail do so as they should, so that it need not be said.
    pub expects_failures: bool,
    /// Whether experiments are measured by clocks, as nobody watches.
    pub clocks: bool,
    /// The scenario that runs.
    pub scenario: String,
    pub(crate) children: BTreeMap<Id, Child>,
    last_id: Id,
}

impl Supervisor {
    /// No task yet.
    pub fn new(programs: Programs) -> Result<Self, Failure> {
        let endpoint = context(FACTORY.create_endpoint(), "the root task's endpoint")?;
        Ok(Self {
            endpoint,
            console: None,
            keyboard: None,
            programs,
            expects_failures: false,
            clocks: false,
            scenario: String::new(),
            children: BTreeMap::new(),
            last_id: 0,
        })
    }

    /// The number of the next child.
    pub fn new_id(&mut self) -> Id {
        self.last_id += 1;
        self.last_id
    }

    /// Takes a child in.
    pub fn adopt(&mut self, child: Child) {
        self.children.insert(child.id, child);
    }

    /// A child. Numbers come from [`crate::spawn`], and children are never forgotten before [`Supervisor::forget`].
    pub fn child(&self, id: Id) -> &Child {
        &self.children[&id]
    }

    /// The same, to change it.
    pub fn child_mut(&mut self, id: Id) -> &mut Child {
        self.children.get_mut(&id).expect("a child that was not forgotten")
    }

    /// All children that are not forgotten.
    pub fn children(&self) -> impl Iterator<Item = &Child> {
        self.children.values()
    }

    /// Ends what is left of a child and forgets it.
    pub fn forget(&mut self, id: Id) -> Result<(), Failure> {
        if let Some(mut child) = self.children.remove(&id) {
            child.end(Ending::Destroyed)?;
        }
        Ok(())
    }

    /// Waits for one message, does what it asks for, and says whose it was. A task that fails is told of in the log.
    pub fn step(&mut self) -> Result<Id, Failure> {
        self.step_or(|_, _, _| Ok(None))
    }

    /// The same, but whatever `serve` has an answer for: it gets the task's number and the message.
    pub fn step_or(
        &mut self,
        serve: impl FnOnce(&mut Self, Id, &Message) -> Result<Option<Message>, Failure>,
    ) -> Result<Id, Failure> {
        let received = context(self.endpoint.receive(), "waiting for tasks")?;
        self.take(&received, serve)
    }

    /// The same, if somebody says something before the deadline.
    pub fn step_until(&mut self, deadline: Deadline) -> Result<Option<Id>, Failure> {
        match self.endpoint.receive_until(deadline) {
            Ok(received) => self.take(&received, |_, _, _| Ok(None)).map(Some),
            Err(Error::TimedOut) => Ok(None),
            Err(error) => context(Err(error), "waiting for tasks"),
        }
    }

    fn take(
        &mut self,
        received: &Received,
        serve: impl FnOnce(&mut Self, Id, &Message) -> Result<Option<Message>, Failure>,
    ) -> Result<Id, Failure> {
        let id = received.badge & !(FAULT_BADGE | PRINT_BADGE);
        if received.badge == id
            && let Some(answer) = serve(self, id, &received.message)?
        {
            answer_caller(&answer);
            return Ok(id);
        }
        let Some(child) = self.children.get_mut(&id) else {
            return Err(Failure::new(format!("a message from a task that is not there, number {id}")));
        };
        if received.badge & FAULT_BADGE != 0 {
            child.end(Ending::Fault(Fault::of(&received.message)))?;
        } else if received.badge & PRINT_BADGE != 0 {
            child.print(&received.message);
            answer_caller(&Message::default());
        } else if let Some(answer) = child.hear(received)? {
            answer_caller(&answer);
        }
        match child.ending {
            Some(Ending::Exit(parent::SUCCESS)) | None => {}
            Some(_) if self.expects_failures => {}
            Some(ending) => {
                let separator = if child.text.is_empty() { "" } else { ": " };
                say!("task {} ended by {ending}{separator}{}", child.name, child.text);
            }
        }
        Ok(id)
    }

    /// Waits until all of these have ended.
    pub fn wait_for(&mut self, ids: &[Id]) -> Result<(), Failure> {
        while ids.iter().any(|&id| self.child(id).ending.is_none()) {
            self.step()?;
        }
        Ok(())
    }
}

/// Answers a task, which is told if it can't take the answer. One that does not wait for it is no reason to stop.
fn answer_caller(answer: &Message) {
    if reply::<Native>(answer) == Err(Error::WordTooWide) {
        let _ = reply::<Native>(&Message::new(parent::TOO_WIDE, &[]));
    }
}

impl Child {
    /// Takes in what a task tells, and returns the answer; a task that ended gets none.
    fn hear(&mut self, received: &Received) -> Result<Option<Message>, Failure> {
        let message = &received.message;
        let mut answer = Message::new(0, &[]);
        match message.label() {
            parent::EXIT => {
                self.end(Ending::Exit(message.payload().first().copied().unwrap_or(parent::SUCCESS)))?;
                return Ok(None);
            }
            parent::RESULT if self.results.len() < MOST_RESULTS => {
                self.results.push([message.words[0], message.words[1], message.words[2], message.words[3]]);
            }
            parent::TEXT if self.text.len() < MOST_TEXT => {
                let bytes: Vec<u8> = text::bytes(message.payload()).collect();
                self.text.push_str(&printable(&bytes));
            }
            parent::PARAMETER => {
                let value = self.parameters.get(&message.words[0]).copied().unwrap_or(0);
                answer = Message::new(0, &[value]);
            }
            _ => {}
        }
        Ok(Some(answer))
    }

    /// Prints what a task writes that prints through the root task.
    fn print(&mut self, message: &Message) {
        if let Some(quote) = self.quote.as_mut().filter(|_| message.label() == WRITE) {
            quote.print(message.payload());
        }
    }

    /// What its threads have used, until now or until its end.
    pub fn account(&self) -> Result<Account, Failure> {
        let mut sum = self.account_at_end;
        for thread in &self.threads {
            sum += context(thread.account(), format_args!("the account of {}", self.name))?;
        }
        Ok(sum)
    }
}

/// Bytes of a task's as text for a line of the root task's: what a task says must not begin lines of its own there.
pub fn printable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.chars().map(|character| if character.is_control() && character != '\t' { ' ' } else { character }).collect()
}

impl fmt::Display for Ending {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Exit(parent::PANICKED) => formatter.write_str("panic"),
            Self::Exit(code) => write!(formatter, "exit with code {code}"),
            Self::Destroyed => formatter.write_str("destroyed"),
            Self::Fault(fault) => {
                write!(formatter, "{}", fault::vector_name(fault.vector))?;
                if fault.vector == PAGE_FAULT {
                    write!(formatter, " at {:#x}", fault.address)?;
                }
                write!(formatter, ", error code {:#x}, ip {:#x}, sp {:#x}", fault.code, fault.ip, fault.sp)
            }
        }
    }
}

impl Fault {
    fn of(message: &Message) -> Self {
        let vector = message.words[fault::VECTOR];
        Self {
            vector: vector as u8,
            code: (vector >> 8) as u32,
            address: message.words[fault::ADDRESS],
            ip: message.words[fault::IP],
            sp: message.words[fault::SP],
        }
    }
}
