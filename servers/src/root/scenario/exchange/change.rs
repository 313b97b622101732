//! What befalls who plays.

use lilliput_abi::object::kind;
use lilliput_abi::{Error, Isolation};
use lilliput_runtime::exchange::{self, KINDS};
use lilliput_runtime::time::{Deadline, sleep};
use lilliput_user64::Native;

use super::stage::{SERVERS, Stage};
use super::totals::Totals;
use crate::failure::{Failure, context};
use crate::supervisor::{Id, Supervisor};
use crate::{FACTORY, SELF};

/// How many kinds of changes there are.
pub const CHANGES: usize = 7;
/// Their names, in the order of [`Stage::change`].
pub const NAMES: [&str; CHANGES] = [
    "clients replaced",
    "servers replaced",
    "endpoints replaced",
    "capabilities revoked",
    "priorities changed",
    "isolation modes changed",
    "threads stopped for a while",
];

impl Stage {
    /// Makes one change.
    pub fn change(&mut self, supervisor: &mut Supervisor, totals: &mut Totals) -> Result<(), Failure> {
        let change = self.random.below(CHANGES as u32) as usize;
        totals.changes[change] += 1;
        match change {
            0 => self.replace_client(supervisor),
            1 => self.replace_server(supervisor, false),
            2 => self.replace_server(supervisor, true),
            3 => self.revoke(supervisor),
            4 => self.change_priority(supervisor),
            5 => self.change_isolation(supervisor),
            _ => self.stop_for_a_while(supervisor),
        }
    }

    /// Leaves everybody alone for a short while, deaf as well.
    fn pause(&mut self) {
        let pause = u64::from(self.random.below(self.longest)) * 1000 / 4;
        // Nobody stops the root task.
        let _ = sleep::<Native>(Deadline::FromNow(pause));
    }

    fn some_kind(&mut self) -> usize {
        self.random.below(KINDS as u32) as usize
    }

    fn some_task(&mut self) -> Id {
        let clients = self.clients.len();
        match self.random.below((clients + KINDS) as u32) as usize {
            client if client < clients => self.clients[client],
            server => self.servers[server - clients].id,
        }
    }

    fn replace_client(&mut self, supervisor: &mut Supervisor) -> Result<(), Failure> {
        let number = self.random.below(self.clients.len() as u32) as usize;
        supervisor.forget(self.clients[number])?;
        self.clients[number] = self.start_client(supervisor, number)?;
        Ok(())
    }

    /// Ends a server and starts another, which has another endpoint or the one before. Clients' capabilities to the one before stay a while.
    fn replace_server(&mut self, supervisor: &mut Supervisor, with_endpoint: bool) -> Result<(), Failure> {
        let kind = self.some_kind();
        supervisor.forget(self.servers[kind].id)?;
        if !with_endpoint {
            return self.start_server(supervisor, kind as u64);
        }
        let server = &mut self.servers[kind];
        context(FACTORY.destroy(server.endpoint.place()), "destroying a server's endpoint")?;
        server.endpoint = context(FACTORY.create_endpoint(), "a server's endpoint")?;
        server.epoch += 1;
        self.start_server(supervisor, kind as u64)?;
        self.pause();
        let place = SERVERS[kind];
        for (id, number) in self.all_clients() {
            // A host that was started just now has it already.
            if kind != kind::HOST as usize || supervisor.child(id).kind != kind::HOST {
                let _ = supervisor.child(id).task.delete(place);
                self.connect_to(supervisor, id, number, kind)?;
            }
        }
        Ok(())
    }

    /// Takes a client's capability to a server, whatever it is doing by it, and gives it another.
    fn revoke(&mut self, supervisor: &mut Supervisor) -> Result<(), Failure> {
        let (kind, clients) = (self.some_kind(), self.all_clients());
        let (id, number) = clients[self.random.below(clients.len() as u32) as usize];
        let server = &self.servers[kind];
        let badge = exchange::badge(server.epoch, supervisor.child(id).kind, number);
        context(SELF.revoke(server.endpoint.place(), badge), "revoking a client's capability")?;
        self.connect_to(supervisor, id, number, kind)
    }

    fn change_priority(&mut self, supervisor: &mut Supervisor) -> Result<(), Failure> {
        let (id, priority) = (self.some_task(), self.priority());
        let thread = supervisor.child(id).threads[0];
        context(thread.set_priority(priority), "changing a priority")
    }

    fn change_isolation(&mut self, supervisor: &mut Supervisor) -> Result<(), Failure> {
        let mode = Isolation::MODES[self.random.below(3) as usize];
        let id = self.some_task();
        let child = supervisor.child(id);
        if child.kind == kind::SMALL {
            context(child.task.set_isolation(mode), "changing an isolation mode")?;
        }
        Ok(())
    }

    fn stop_for_a_while(&mut self, supervisor: &mut Supervisor) -> Result<(), Failure> {
        let id = self.some_task();
        let thread = supervisor.child(id).threads[0];
        context(thread.stop(), "stopping a thread")?;
        self.pause();
        match thread.resume() {
            // An exception may have come in between.
            Ok(()) | Err(Error::Busy) => Ok(()),
            Err(error) => context(Err(error), "resuming a thread"),
        }
    }
}
