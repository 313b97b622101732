//! How a task is made: a space, the program in it, capabilities, threads.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use lilliput_abi::layout::HOST_START;
use lilliput_abi::object::kind;
use lilliput_abi::{Error, Isolation, Rights};
use lilliput_runtime::object::{Account, Arena};
use lilliput_runtime::{Endpoint, Frames, Task, Thread, Word, place};
use lilliput_user64::Native;

use crate::failure::{Failure, context};
use crate::memory::PAGE;
use crate::quote::Quote;
use crate::supervisor::{Ending, FAULT_BADGE, Id, PRINT_BADGE, Supervisor};
use crate::{FACTORY, SELF};

/// Pages of a small task's stack.
const STACK_PAGES: usize = 8;
/// The same for a 64-bit task.
const WIDE_STACK_PAGES: usize = 16;
/// Where the first stack of a 64-bit task ends.
const WIDE_STACKS: Word = 0x80_0000;

/// The space a task is to have.
#[derive(Clone, Copy)]
pub enum Space {
    /// In a slot of an arena: arena, size in bytes, isolation, trust domain.
    Small(Arena<Native>, u32, Isolation, u32),
    /// The host of an arena.
    Host(Arena<Native>),
    /// A page table of its own.
    Wide,
}

/// A task that the root task started.
pub struct Child {
    /// Its number and badge.
    pub id: Id,
    /// Its name in reports.
    pub name: String,
    /// One of [`kind`].
    pub kind: u64,
    /// The isolation in force, for a small task.
    pub isolation: Option<Isolation>,
    /// The task.
    pub task: Task<Native>,
    /// Its threads; none once it has ended.
    pub threads: Vec<Thread<Native>>,
    /// What it may ask for.
    pub parameters: BTreeMap<Word, Word>,
    /// What it handed over.
    pub results: Vec<[Word; 4]>,
    /// What it said about its failure.
    pub text: String,
    /// How it ended, if it has.
    pub ending: Option<Ending>,
    /// What its threads had used when it ended.
    pub account_at_end: Account,
    /// What it prints, if it does so through the root task.
    pub quote: Option<Quote>,
    frames: Vec<Frames<Native>>,
    entry: Word,
    /// Where the next stack ends.
    next_stack: Word,
}

impl Supervisor {
    /// Makes a task that runs `program`, with no thread yet.
    pub fn create(&mut self, program: &str, name: &str, space: Space) -> Result<Id, Failure> {
        let id = self.create_empty(name, space)?;
        self.load(id, program)?;
        Ok(id)
    }

    /// Maps `program` into a task that was made empty.
    pub fn load(&mut self, id: Id, program: &str) -> Result<(), Failure> {
        let program = self.programs.find(program)?;
        let child = self.children.get_mut(&id).expect("whoever names it has just made it");
        if program.narrow != (child.kind == kind::SMALL) {
            return Err(Failure::new(format!("program {} has not the width of task {}", program.name, child.name)));
        }
        child.entry = program.entry;
        program.map_into(child.task, &mut child.frames)
    }

    /// Makes a task with no thread, in which nothing is mapped.
    pub fn create_empty(&mut self, name: &str, space: Space) -> Result<Id, Failure> {
        self.create_for(name, space, 0)
    }

    /// The same, whose table has so many places at least: only while nothing is in it can it become larger.
    pub fn create_for(&mut self, name: &str, space: Space, places: Word) -> Result<Id, Failure> {
        let id = self.new_id();
        let (task, kind, isolation) = context(space.create(), format_args!("creating task {name}"))?;
        context(task.places(places), format_args!("places for the capabilities of {name}"))?;
        let child = Child {
            id,
            name: name.to_string(),
            kind,
            isolation,
            task,
            threads: Vec::new(),
            parameters: BTreeMap::new(),
            results: Vec::new(),
            text: String::new(),
            ending: None,
            account_at_end: Account::default(),
            quote: None,
            frames: Vec::new(),
            entry: 0,
            next_stack: space.stacks(),
        };
        context(task.set_fault_handler(self.endpoint.place(), FAULT_BADGE | id), "setting a fault handler")?;
        child.grant(place::PARENT, self.endpoint.place(), Rights::SEND, id)?;
        if let Some(console) = self.console {
            child.grant(place::CONSOLE, console.place(), Rights::SEND, id)?;
        }
        self.adopt(child);
        Ok(id)
    }
}

impl Child {
    /// Gives the task a copy of the root task's capability `from`, at `place`.
    pub fn grant(&self, place: u32, from: u32, rights: Rights, badge: u32) -> Result<(), Failure> {
        context(self.task.grant(from, rights, badge, place), format_args!("granting {} place {place}", self.name))
            .map(drop)
    }

    /// Lets it print through the root task from now on, not by way of the console server.
    pub fn print_through(&mut self, endpoint: Endpoint<Native>, quote: Quote) -> Result<(), Failure> {
        context(self.task.delete(place::CONSOLE), format_args!("taking the console from {}", self.name))?;
        self.grant(place::CONSOLE, endpoint.place(), Rights::SEND, PRINT_BADGE | self.id)?;
        self.quote = Some(quote);
        Ok(())
    }

    /// Lets the first stack end there.
    pub fn end_stack_at(&mut self, end: Word) {
        self.next_stack = end;
    }

    /// Lets the first stack end so many bytes lower.
    pub fn leave_free_at_top(&mut self, bytes: Word) {
        self.next_stack -= bytes;
    }

    /// Starts a thread with a stack of its own at the program's entry.
    pub fn start(&mut self, priority: u8, words: [Word; 2]) -> Result<(), Failure> {
        let sp = self.add_stack()?;
        let thread = context(FACTORY.create_thread(self.task, priority), format_args!("a thread of {}", self.name))?;
        self.threads.push(thread);
        context(thread.start(self.entry, sp, words), format_args!("starting {}", self.name))
    }

    /// Maps one more stack and returns where it ends. An unmapped page lies below it.
    fn add_stack(&mut self) -> Result<Word, Failure> {
        let pages = if self.kind == kind::SMALL { STACK_PAGES } else { WIDE_STACK_PAGES };
        let end = self.next_stack;
        let start = end - pages * PAGE;
        let frames = context(FACTORY.create_frames(pages), format_args!("a stack for {}", self.name))?;
        self.frames.push(frames);
        context(
            self.task.map(frames, start, 0, pages as u16, Rights::READ | Rights::WRITE),
            format_args!("mapping a stack of {}", self.name),
        )?;
        self.next_stack = start - PAGE;
        Ok(end)
    }

    /// Ends the task, if it has not ended, and gives back what it had. What it said and used stays.
    pub fn end(&mut self, ending: Ending) -> Result<(), Failure> {
        if self.ending.is_some() {
            return Ok(());
        }
        self.ending = Some(ending);
        if let Some(quote) = &mut self.quote {
            quote.finish();
        }
        self.account_at_end = self.account().unwrap_or_default();
        let threads = self.threads.drain(..).map(Thread::place);
        context(destroy(self.task.place()), format_args!("destroying task {}", self.name))?;
        for place in threads {
            // The threads went with their task; their names go now.
            context(SELF.delete(place), format_args!("deleting a thread of {}", self.name))?;
        }
        for frames in self.frames.drain(..) {
            context(destroy(frames.place()), format_args!("destroying frames of {}", self.name))?;
        }
        Ok(())
    }
}

/// Destroys the object at a place of the root task's, unless somebody who was given the right to has done so: then its name goes.
pub fn destroy(place: u32) -> Result<(), Error> {
    match FACTORY.destroy(place) {
        Err(Error::BadCapability) => SELF.delete(place),
        outcome => outcome,
    }
}

impl Space {
    fn create(self) -> Result<(Task<Native>, u64, Option<Isolation>), Error> {
        match self {
            Self::Small(arena, size, isolation, domain) => {
                let (task, in_force) = FACTORY.create_small(arena, size, isolation, domain)?;
                Ok((task, kind::SMALL, Some(in_force)))
            }
            Self::Host(arena) => Ok((FACTORY.create_host(arena)?, kind::HOST, None)),
            Self::Wide => Ok((FACTORY.create_wide()?, kind::WIDE, None)),
        }
    }

    /// Where the first stack ends: at the top of a small space, above the program elsewhere.
    fn stacks(self) -> Word {
        match self {
            Self::Small(_, size, _, _) => size as Word,
            Self::Host(_) => HOST_START as Word + WIDE_STACKS,
            Self::Wide => WIDE_STACKS,
        }
    }
}
