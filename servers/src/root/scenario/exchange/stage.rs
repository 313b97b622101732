//! Who plays: a server of each kind, clients of all kinds, two pagers and a waiter.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use lilliput_abi::object::kind;
use lilliput_abi::{Isolation, Rights};
use lilliput_runtime::exchange::{self, KINDS, parameter};
use lilliput_runtime::object::Arena;
use lilliput_runtime::random::Random;
use lilliput_runtime::time::{Deadline, now};
use lilliput_runtime::{Endpoint, Frames, Notification, Word, place, role};
use lilliput_user64::Native;

use super::totals::Totals;
use crate::FACTORY;
use crate::failure::{Failure, context};
use crate::spawn::Space;
use crate::supervisor::{Id, Supervisor};

/// Priorities of clients and servers, the lowest and how many.
pub const PRIORITY: u8 = 16;
pub const PRIORITIES: u32 = 4;
/// The waiter's and pagers', above them.
const HIGHER: u8 = 30;

/// The size of small tasks: what pages are brought to lies in it.
const SMALL_SIZE: u32 = 4 << 20;
/// The kinds of the clients that have a task of their own.
const CLIENTS: [u64; 6] = [kind::SMALL, kind::SMALL, kind::SMALL, kind::SMALL, kind::WIDE, kind::WIDE];
/// The number of the client that is a thread of the host.
const HOST_CLIENT: usize = CLIENTS.len();

/// Where a client has its capabilities to servers, by their kind.
pub const SERVERS: [u32; KINDS] = [place::SMALL_SERVER, place::HOST_SERVER, place::WIDE_SERVER];

/// A server, which may be replaced, and where it is called, which may be too.
pub struct Server {
    pub id: Id,
    pub endpoint: Endpoint<Native>,
    pub epoch: u32,
}

/// Where page faults are told, and the task that is told.
struct Pager {
    endpoint: Endpoint<Native>,
    id: Id,
}

/// Everybody.
pub struct Stage {
    pub random: Random,
    /// For how many microseconds at most everybody goes on between two changes.
    pub longest: u32,
    /// The host's own, and one that shares the host.
    arenas: [Arena<Native>; 2],
    /// By kind. The host's task is the host's server, and client and pager in further threads.
    pub servers: Vec<Server>,
    pub clients: Vec<Id>,
    /// In the host, and in a 64-bit task.
    pagers: Vec<Pager>,
    waiter: Id,
    notification: Notification<Native>,
    /// The page that pagers bring.
    frames: Frames<Native>,
    /// How many clients there were: gives each of the same number other numbers of messages.
    incarnations: usize,
}

impl Stage {
    /// Starts everybody.
    pub fn new(supervisor: &mut Supervisor, seed: u64, longest: u32) -> Result<Self, Failure> {
        let endpoint = || context(FACTORY.create_endpoint(), "an endpoint of the exchange");
        let pager = || endpoint().map(|endpoint| Pager { endpoint, id: 0 });
        let server = || endpoint().map(|endpoint| Server { id: 0, endpoint, epoch: 0 });
        let arena = context(FACTORY.create_arena(), "the exchange's arena")?;
        let beside = context(FACTORY.create_arena_beside(arena), "an arena that shares its host")?;
        let mut stage = Self {
            random: Random::new(seed),
            longest,
            arenas: [arena, beside],
            servers: (0..KINDS).map(|_| server()).collect::<Result<_, _>>()?,
            clients: Vec::new(),
            pagers: [pager()?, pager()?].into(),
            waiter: 0,
            notification: context(FACTORY.create_notification(), "the exchange's notification")?,
            frames: context(FACTORY.create_frames(1), "the exchange's page")?,
            incarnations: 0,
        };
        stage.pagers[1].id = stage.create(supervisor, kind::WIDE, String::from("pager"))?;
        stage.start_pager(supervisor, 1)?;
        for kind in [kind::SMALL, kind::HOST, kind::WIDE] {
            stage.start_server(supervisor, kind)?;
        }
        for number in 0..CLIENTS.len() {
            let id = stage.start_client(supervisor, number)?;
            stage.clients.push(id);
        }
        stage.start_waiter(supervisor)?;
        Ok(stage)
    }

    /// Lets everybody go on for a random time. What is wrong, if anything is.
    pub fn go_on(&mut self, supervisor: &mut Supervisor, totals: &mut Totals) -> Result<Option<String>, Failure> {
        let deadline = now::<Native>().nanoseconds + u64::from(self.random.below(self.longest)) * 1000;
        while let Some(id) = supervisor.step_until(Deadline::SinceBoot(deadline))? {
            let child = supervisor.child_mut(id);
            if let Some(ending) = child.ending {
                return Ok(Some(format!("{}: {ending} {}", child.name, child.text)));
            }
            for result in core::mem::take(&mut child.results) {
                totals.add(child.kind, &result);
            }
        }
        Ok(None)
    }

    /// Ends everybody, and all that was made.
    pub fn end(self, supervisor: &mut Supervisor) -> Result<(), Failure> {
        let tasks = self.clients.into_iter().chain(self.servers.iter().map(|server| server.id));
        for id in tasks.chain([self.waiter, self.pagers[1].id]) {
            supervisor.forget(id)?;
        }
        let endpoints = self.servers.iter().map(|server| server.endpoint.place());
        let endpoints = endpoints.chain(self.pagers.iter().map(|pager| pager.endpoint.place()));
        let [arena, beside] = self.arenas.map(|arena| arena.place());
        for place in endpoints.chain([self.notification.place(), self.frames.place(), beside, arena]) {
            context(FACTORY.destroy(place), format_args!("destroying the exchange's object {place}"))?;
        }
        Ok(())
    }

    fn create(&mut self, supervisor: &mut Supervisor, kind: u64, name: String) -> Result<Id, Failure> {
        let mode = Isolation::MODES[self.random.below(3) as usize];
        match kind {
            kind::SMALL => {
                let arena = self.arenas[self.random.below(2) as usize];
                supervisor.create("32/worker", &name, Space::Small(arena, SMALL_SIZE, mode, 0))
            }
            kind::HOST => supervisor.create("host", &name, Space::Host(self.arenas[0])),
            _ => supervisor.create("64/worker", &name, Space::Wide),
        }
    }

    /// Starts a server of a kind, in a task of its own, instead of the one that was there.
    pub fn start_server(&mut self, supervisor: &mut Supervisor, kind: u64) -> Result<(), Failure> {
        let id = self.create(supervisor, kind, format!("{} server", kind::name(kind)))?;
        let seed = self.random.next() as u32 as Word;
        let priority = self.priority();
        let server = &mut self.servers[kind as usize];
        server.id = id;
        let child = supervisor.child_mut(id);
        child.grant(place::SERVICE, server.endpoint.place(), Rights::RECEIVE, 0)?;
        child.parameters.extend([
            (parameter::SEED, seed),
            (parameter::KIND, kind as Word),
            (parameter::EPOCH, server.epoch as Word & 0xff),
        ]);
        child.start(priority, [role::EXCHANGE_SERVER, 0])?;
        if kind == kind::HOST {
            self.pagers[0].id = id;
            self.start_pager(supervisor, 0)?;
            self.connect(supervisor, id, HOST_CLIENT)?;
            let priority = self.priority();
            supervisor.child_mut(id).start(priority, [role::EXCHANGE_FAULTLESS, 0])?;
        }
        Ok(())
    }

    /// Starts the client of a number, in a task of its own.
    pub fn start_client(&mut self, supervisor: &mut Supervisor, number: usize) -> Result<Id, Failure> {
        let kind = CLIENTS[number];
        let id = self.create(supervisor, kind, format!("{} client {number}", kind::name(kind)))?;
        self.connect(supervisor, id, number)?;
        let seed = self.random.next() as u32 as Word;
        supervisor.child_mut(id).parameters.extend([(parameter::SEED, seed), (parameter::KIND, kind as Word)]);
        // Who is told of a small task's faults: its host, or the 64-bit pager.
        let pager = if kind == kind::SMALL { self.random.below(2) as usize } else { 1 };
        let task = supervisor.child(id).task;
        context(
            task.set_fault_handler(self.pagers[pager].endpoint.place(), number as u32),
            "a client's fault handler",
        )?;
        for pager in &self.pagers {
            know_client(supervisor, pager.id, number, task.place())?;
        }
        let priority = self.priority();
        supervisor.child_mut(id).start(priority, [role::EXCHANGE_CLIENT, 0])?;
        Ok(id)
    }

    /// Gives a client what it calls and signals by, and its number.
    fn connect(&mut self, supervisor: &mut Supervisor, id: Id, number: usize) -> Result<(), Failure> {
        self.incarnations += 1;
        for kind in 0..KINDS {
            self.connect_to(supervisor, id, number, kind)?;
        }
        let child = supervisor.child_mut(id);
        child.grant(place::NOTIFICATION, self.notification.place(), Rights::SEND, 1 << number)?;
        child.parameters.extend([(parameter::NUMBER, number), (parameter::FIRST, self.incarnations << 18)]);
        Ok(())
    }

    /// Gives the client of a number the right to call the server of a kind.
    pub fn connect_to(&self, supervisor: &Supervisor, id: Id, number: usize, kind: usize) -> Result<(), Failure> {
        let server = &self.servers[kind];
        let child = supervisor.child(id);
        let badge = exchange::badge(server.epoch, child.kind, number);
        child.grant(SERVERS[kind], server.endpoint.place(), Rights::SEND, badge)
    }

    /// All clients with their numbers, the host's as well.
    pub fn all_clients(&self) -> Vec<(Id, usize)> {
        let own = self.clients.iter().copied().zip(0..);
        own.chain([(self.servers[kind::HOST as usize].id, HOST_CLIENT)]).collect()
    }

    fn start_pager(&mut self, supervisor: &mut Supervisor, number: usize) -> Result<(), Failure> {
        let Pager { endpoint, id } = self.pagers[number];
        let child = supervisor.child(id);
        child.grant(place::PAGER, endpoint.place(), Rights::RECEIVE, 0)?;
        child.grant(place::FRAMES, self.frames.place(), Rights::SEND | Rights::READ, 0)?;
        for (number, &client) in self.clients.iter().enumerate() {
            know_client(supervisor, id, number, supervisor.child(client).task.place())?;
        }
        supervisor.child_mut(id).start(HIGHER, [role::EXCHANGE_PAGER, 0])
    }

    fn start_waiter(&mut self, supervisor: &mut Supervisor) -> Result<(), Failure> {
        let kind = if self.random.below(2) == 0 { kind::SMALL } else { kind::WIDE };
        self.waiter = self.create(supervisor, kind, String::from("waiter"))?;
        let child = supervisor.child_mut(self.waiter);
        child.grant(place::NOTIFICATION, self.notification.place(), Rights::RECEIVE, 0)?;
        child.parameters.insert(parameter::BITS, (2 << HOST_CLIENT) - 1);
        child.start(HIGHER, [role::EXCHANGE_WAITER, 0])
    }

    /// A random priority of those of clients and servers.
    pub fn priority(&mut self) -> u8 {
        PRIORITY + self.random.below(PRIORITIES) as u8
    }
}

/// Lets a pager map into the client of a number, instead of the one that had the number before.
fn know_client(supervisor: &Supervisor, pager: Id, number: usize, task: u32) -> Result<(), Failure> {
    let (pager, place) = (supervisor.child(pager), place::FIRST_CLIENT + number as u32);
    // There is none at first.
    let _ = pager.task.delete(place);
    pager.grant(place, task, Rights::SEND, 0)
}
