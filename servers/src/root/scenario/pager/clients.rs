//! A pager, and tasks that live by it.

use alloc::format;

use lilliput_abi::boot::{ARCHIVE_ADDRESS, capability};
use lilliput_abi::layout::{USER_END, USER_START};
use lilliput_abi::object::kind;
use lilliput_abi::{Isolation, Rights};
use lilliput_loader::elf::Plan;
use lilliput_runtime::object::Arena;
use lilliput_runtime::pager::client::{PAGES, READ_ONLY_PAGES};
use lilliput_runtime::pager::request::{self, Pager};
use lilliput_runtime::trial::kit::SCRATCH;
use lilliput_runtime::{Endpoint, Frames, Word, place};
use lilliput_user64::Native;

use crate::FACTORY;
use crate::failure::{Failure, context};
use crate::memory::PAGE;
use crate::spawn::{Space, destroy};
use crate::supervisor::{Ending, Id, Supervisor};

/// The pager answers before anybody else runs.
const PAGER_PRIORITY: u8 = 50;
const PRIORITY: u8 = 20;
/// Frames of the pool.
const POOL_PAGES: usize = 1024;
const STACK_PAGES: usize = 16;
const SMALL_SIZE: u32 = 4 << 20;
const WIDE_STACK: Word = 0x80_0000;

/// Where a client runs.
#[derive(Clone, Copy)]
pub enum Place {
    /// In a slot.
    Small(Isolation),
    /// In a page table of its own.
    Wide,
}

/// A pager with a pool, an arena for small clients, and its clients.
pub struct Scene {
    pub pager: Pager<Native>,
    pager_task: Id,
    arena: Arena<Native>,
    pool: Frames<Native>,
}

/// A task and its number at the pager.
#[derive(Clone, Copy)]
pub struct Client {
    pub id: Id,
    pub number: usize,
}

impl Scene {
    /// Starts a pager.
    pub fn new(supervisor: &mut Supervisor) -> Result<Self, Failure> {
        let endpoint: Endpoint<Native> = context(FACTORY.create_endpoint(), "the pager's endpoint")?;
        let pool = context(FACTORY.create_frames(POOL_PAGES), "the pager's pool")?;
        let arena = context(FACTORY.create_arena(), "an arena for the pager's clients")?;
        let pager_task = supervisor.create("pager", "pager", Space::Wide)?;
        let archive_pages = supervisor.programs.archive_pages;
        let child = supervisor.child_mut(pager_task);
        child.grant(place::SERVICE, endpoint.place(), Rights::RECEIVE, 0)?;
        child.grant(place::TASK, child.task.place(), Rights::SEND, 0)?;
        child.grant(place::FRAMES, pool.place(), Rights::all(), 0)?;
        child.grant(request::own::ARCHIVE, capability::ARCHIVE, Rights::READ, 0)?;
        child.start(PAGER_PRIORITY, [POOL_PAGES, archive_pages])?;
        Ok(Self { pager: Pager(endpoint), pager_task, arena, pool })
    }

    /// A client that is to run a program of the archive, none of which is there yet. `fork_of` has its pages, if it is given.
    pub fn client(
        &self,
        supervisor: &mut Supervisor,
        (number, program): (usize, &str),
        place: Place,
        quota: usize,
        fork_of: Option<Client>,
    ) -> Result<Client, Failure> {
        let space = match place {
            Place::Small(isolation) => Space::Small(self.arena, SMALL_SIZE, isolation, 0),
            Place::Wide => Space::Wide,
        };
        let id = supervisor.create_empty(&format!("client {number}"), space)?;
        let task = supervisor.child(id).task.place();
        supervisor.child(self.pager_task).grant(request::task_place(number), task, Rights::SEND, 0)?;
        let client = Client { id, number };
        let asked = match fork_of {
            Some(original) => self.pager.ask(request::FORK, &[original.number, number]).map(drop),
            None => self.pager.ask(request::ATTACH, &[number, quota]).map(drop),
        };
        context(asked, "a new client of the pager's")?;
        if fork_of.is_none() {
            self.furnish(supervisor, client, program)?;
        }
        Ok(client)
    }

    /// Tells the pager what a client's addresses hold.
    fn furnish(&self, supervisor: &Supervisor, client: Client, program: &str) -> Result<(), Failure> {
        let file = supervisor.programs.file(program)?;
        let offset = file.as_ptr() as usize - ARCHIVE_ADDRESS as usize;
        context(
            self.pager.ask(request::LOAD, &[client.number, offset, file.len()]),
            format_args!("{program} at the pager"),
        )?;
        let stack = stack(supervisor, client);
        let scratch = SCRATCH + PAGES * PAGE;
        for (start, end, rights) in [
            (stack - STACK_PAGES * PAGE, stack, Rights::READ | Rights::WRITE),
            (SCRATCH, scratch, Rights::READ | Rights::WRITE),
            (scratch, scratch + READ_ONLY_PAGES * PAGE, Rights::READ),
        ] {
            context(self.pager.zero(client.number, start, end, rights), "empty pages at the pager")?;
        }
        Ok(())
    }

    /// Starts a client's only thread, whose faults the pager is told of first.
    pub fn start(
        &self,
        supervisor: &mut Supervisor,
        client: Client,
        program: &str,
        words: [Word; 2],
    ) -> Result<(), Failure> {
        let plan = Plan::new(supervisor.programs.file(program)?, USER_START..USER_END);
        let entry = plan.map_err(|error| Failure::new(format!("program {program}: {error}")))?.entry as Word;
        let stack = stack(supervisor, client);
        let child = supervisor.child_mut(client.id);
        let thread = context(FACTORY.create_thread(child.task, PRIORITY), "a client's thread")?;
        child.threads.push(thread);
        let handler = thread.set_fault_handler(self.pager.0.place(), client.number as u32);
        context(handler, "a client's pager")?;
        let place = request::thread_place(client.number);
        supervisor.child(self.pager_task).grant(place, thread.place(), Rights::SEND, 0)?;
        context(thread.start(entry, stack, words), "starting a client")
    }

    /// Lets a client go, which may have ended; says how many pages it had.
    pub fn release(&self, supervisor: &mut Supervisor, client: Client) -> Result<Word, Failure> {
        supervisor.forget(client.id)?;
        let had = context(self.pager.ask(request::DETACH, &[client.number]), "the end of a client")?.words[0];
        let pager = supervisor.child(self.pager_task).task;
        for place in [request::task_place(client.number), request::thread_place(client.number)] {
            // It has no thread if it was never started.
            let _ = pager.delete(place);
        }
        Ok(had)
    }

    /// Frames of the pool that nobody has.
    pub fn free(&self) -> Result<Word, Failure> {
        context(self.pager.ask(request::POOL, &[]), "the pager's pool").map(|answer| answer.words[1])
    }

    /// Ends the pager as if it had died, and its endpoint: whoever waits there waits in vain.
    pub fn kill_pager(&self, supervisor: &mut Supervisor) -> Result<(), Failure> {
        supervisor.child_mut(self.pager_task).end(Ending::Destroyed)?;
        context(destroy(self.pager.0.place()), "destroying the pager's endpoint")
    }

    /// Ends what is left.
    pub fn end(self, supervisor: &mut Supervisor, pager_lives: bool) -> Result<(), Failure> {
        if pager_lives {
            self.kill_pager(supervisor)?;
        }
        supervisor.forget(self.pager_task)?;
        for place in [self.arena.place(), self.pool.place()] {
            context(destroy(place), "destroying what a pager had")?;
        }
        Ok(())
    }
}

fn stack(supervisor: &Supervisor, client: Client) -> Word {
    if supervisor.child(client.id).kind == kind::SMALL { SMALL_SIZE as Word } else { WIDE_STACK }
}

impl Place {
    /// The program of this name of the right width.
    pub fn program(self, name: &str) -> alloc::string::String {
        let width = if matches!(self, Self::Small(_)) { 32 } else { 64 };
        format!("{width}/{name}")
    }
}
