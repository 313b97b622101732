//! Who talks to whom.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use lilliput_abi::Rights;
use lilliput_abi::object::kind;
use lilliput_runtime::work::{self, parameter};
use lilliput_runtime::{Word, place, role};

use super::{Server, Workload};
use crate::FACTORY;
use crate::failure::{Failure, context};
use crate::settings::Settings;
use crate::spawn::Space;
use crate::supervisor::{Id, Supervisor};

/// One in so many tasks of a kind is a server.
const TASKS_PER_SERVER: usize = 5;
/// Servers run before clients, so that a message that is sent is taken at once.
const SERVER_PRIORITY: u8 = 24;
/// Clients have one of several priorities, from this one on.
const CLIENT_PRIORITY: u8 = 16;
const CLIENT_PRIORITIES: usize = 4;
/// The smallest space of a small task, and by how much the others are larger.
const SMALL_SIZE: u32 = 512 << 10;
const SMALL_STEP: u32 = 0x9_1000;
const SMALL_SIZES: u32 = 7;
/// Rounds of computing between two exchanges; one in several clients computes for more than a time slice.
const COMPUTE: Word = 20_000;
const LONG_COMPUTE: Word = 600_000;
const CLIENTS_PER_LONG: usize = 16;

impl Workload {
    /// Makes all tasks; none runs yet but the servers.
    pub fn build(supervisor: &mut Supervisor, settings: &Settings) -> Result<Self, Failure> {
        let arena = context(FACTORY.create_arena(), "the workload's arena")?;
        let host = supervisor.create("host", "host", Space::Host(arena))?;
        let mut workload = Self {
            arena,
            servers: [Vec::new(), Vec::new(), Vec::new()],
            clients: Vec::new(),
            host,
            intruders: Vec::new(),
            notifications: Vec::new(),
        };
        workload.add_server(supervisor, kind::HOST, host)?;
        for (kind, count) in [(kind::SMALL, settings.small), (kind::WIDE, settings.wide)] {
            for number in 0..count.div_ceil(TASKS_PER_SERVER) {
                let name = format!("{} server {number}", kind::name(kind));
                let id = workload.create(supervisor, settings, kind, "worker", name)?;
                workload.add_server(supervisor, kind, id)?;
            }
        }
        for (kind, count) in [(kind::SMALL, settings.small), (kind::WIDE, settings.wide)] {
            for number in count.div_ceil(TASKS_PER_SERVER)..count {
                let name = format!("{} client {number}", kind::name(kind));
                let id = workload.create(supervisor, settings, kind, "worker", name)?;
                workload.clients.push(id);
            }
        }
        for (kind, number) in [(kind::SMALL, 0), (kind::SMALL, 1), (kind::WIDE, 0)] {
            let name = format!("{} intruder {number}", kind::name(kind));
            let id = workload.create(supervisor, settings, kind, "intruder", name)?;
            workload.intruders.push(id);
        }
        Ok(workload)
    }

    /// Connects the clients with their servers and lets everybody run.
    pub fn start(&mut self, supervisor: &mut Supervisor, settings: &Settings) -> Result<(), Failure> {
        for server in self.servers.iter().flatten() {
            supervisor.child_mut(server.id).start(SERVER_PRIORITY, [role::WORK_SERVER, 0])?;
        }
        let clients: Vec<Id> = self.clients.iter().copied().chain([self.host]).collect();
        for (number, &id) in clients.iter().enumerate() {
            self.connect(supervisor, settings, number, id)?;
        }
        for (number, &id) in clients.iter().enumerate() {
            let priority = CLIENT_PRIORITY + (number % CLIENT_PRIORITIES) as u8;
            let role = if id == self.host { role::WORK_CLIENT_THREAD } else { role::WORK_CLIENT };
            supervisor.child_mut(id).start(priority, [role, 0])?;
        }
        for (number, &id) in self.intruders.iter().enumerate() {
            supervisor.child_mut(id).start(CLIENT_PRIORITY, [role::INTRUDER, number])?;
        }
        Ok(())
    }

    fn create(
        &self,
        supervisor: &mut Supervisor,
        settings: &Settings,
        kind: u64,
        program: &str,
        name: String,
    ) -> Result<Id, Failure> {
        if kind == kind::WIDE {
            return supervisor.create(&format!("64/{program}"), &name, Space::Wide);
        }
        let tasks = self.clients.len() + self.servers[kind as usize].len();
        let size = SMALL_SIZE + SMALL_STEP * (tasks as u32 % SMALL_SIZES);
        let space = Space::Small(self.arena, size, settings.isolation, 0);
        supervisor.create(&format!("32/{program}"), &name, space)
    }

    fn add_server(&mut self, supervisor: &mut Supervisor, kind: u64, id: Id) -> Result<(), Failure> {
        let endpoint = context(FACTORY.create_endpoint(), "a server's endpoint")?;
        supervisor.child(id).grant(place::SERVICE, endpoint.place(), Rights::RECEIVE, 0)?;
        self.servers[kind as usize].push(Server { id, endpoint, clients: 0 });
        Ok(())
    }

    /// Gives a client one server of each kind, and a notification that one of them can signal.
    fn connect(
        &mut self,
        supervisor: &mut Supervisor,
        settings: &Settings,
        number: usize,
        id: Id,
    ) -> Result<(), Failure> {
        let kind = supervisor.child(id).kind;
        let badge = work::badge(kind, id);
        let places = [place::SMALL_SERVER, place::HOST_SERVER, place::WIDE_SERVER];
        for (servers, place) in self.servers.iter().zip(places) {
            let server = &servers[number % servers.len()];
            supervisor.child(id).grant(place, server.endpoint.place(), Rights::SEND, badge)?;
        }
        let notification = context(FACTORY.create_notification(), "a client's notification")?;
        self.notifications.push(notification);
        supervisor.child(id).grant(place::NOTIFICATION, notification.place(), Rights::RECEIVE, 0)?;
        let partner = number % work::KINDS;
        let servers = &mut self.servers[partner];
        let which = number % servers.len();
        let server = &mut servers[which];
        let at_server = place::FIRST_CLIENT + server.clients as u32;
        server.clients += 1;
        let bits = 1 << (number % 31);
        supervisor.child(server.id).grant(at_server, notification.place(), Rights::SEND, bits)?;
        if kind == kind::SMALL {
            self.register(supervisor, id, badge)?;
        }
        let compute = if number.is_multiple_of(CLIENTS_PER_LONG) { LONG_COMPUTE } else { COMPUTE };
        supervisor.child_mut(id).parameters.extend([
            (parameter::SEED, number + 1),
            (parameter::ROUNDS, settings.rounds),
            (parameter::COMPUTE, compute),
            (parameter::KIND, kind as Word),
            (parameter::PARTNER, partner),
            (parameter::PLACE, at_server as Word),
            (parameter::BITS, bits as Word),
        ]);
        Ok(())
    }

    /// Tells the host where a small client lies, so that it can read its memory in place.
    fn register(&self, supervisor: &Supervisor, id: Id, badge: u32) -> Result<(), Failure> {
        let info = context(supervisor.child(id).task.info(), "the place of a small task")?;
        let host = &self.servers[kind::HOST as usize][0];
        let words = [badge as Word, info.base, info.size];
        context(host.endpoint.request(work::REGISTER, &words), "registering a small task with the host").map(drop)
    }
}
