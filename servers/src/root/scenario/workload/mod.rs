//! The mixed workload: tasks of all kinds exchange messages under preemption, three intruders are
//! contained, and in the end both sides of every exchange agree on what was exchanged.

mod build;
mod verify;

use alloc::format;
use alloc::vec::Vec;
use lilliput_abi::Isolation;
use lilliput_abi::object::fact;

use lilliput_runtime::object::Arena;
use lilliput_runtime::work::{FINISH, outcome};
use lilliput_runtime::{Endpoint, Machine, Message, Notification};
use lilliput_user64::Native;

use crate::failure::{Failure, context};
use crate::output::say;
use crate::report;
use crate::settings::Settings;
use crate::supervisor::{Id, Supervisor};
use crate::{FACTORY, SYSTEM};

/// A server and where it is called.
pub struct Server {
    id: Id,
    endpoint: Endpoint<Native>,
    /// Clients whose notifications it can signal.
    clients: usize,
}

/// Everything that was made for the workload.
pub struct Workload {
    arena: Arena<Native>,
    /// By kind.
    servers: [Vec<Server>; 3],
    /// Tasks that end by themselves.
    clients: Vec<Id>,
    /// The arena host, which is server and client in two threads.
    host: Id,
    /// Tasks that touch what is not theirs.
    intruders: Vec<Id>,
    notifications: Vec<Notification<Native>>,
}

/// Runs it.
pub fn run(supervisor: &mut Supervisor, settings: &Settings) -> Result<(), Failure> {
    let begin = Native::ticks();
    let mut workload = Workload::build(supervisor, settings)?;
    let isolation = supervisor.child(workload.clients[0]).isolation;
    let limits = context(SYSTEM.fact(fact::LIMITS_ENFORCED), "whether limits are enforced")? == 1;
    let unenforced = if isolation == Some(Isolation::Segment) && !limits { " UNENFORCED" } else { "" };
    let isolation = isolation.map_or("no", Isolation::name);
    say!(
        "workload: {} small tasks in {isolation}{unenforced} mode, {} 64-bit tasks, 1 arena host, {} intruders; {} rounds a client",
        settings.small,
        settings.wide,
        workload.intruders.len(),
        settings.rounds
    );
    workload.start(supervisor, settings)?;
    let built = Native::ticks();
    workload.wait_for_clients(supervisor)?;
    workload.finish_servers(supervisor)?;
    let done = Native::ticks();
    let khz = context(SYSTEM.fact(fact::TSC_KHZ), "the clock's frequency")?.max(1);
    say!("workload: tasks made in {} ms, ran for {} ms", (built - begin) / khz, (done - built) / khz);
    let verdict = verify::verify(&workload, supervisor);
    report::accounts(supervisor, khz)?;
    workload.destroy(supervisor)?;
    verdict
}

impl Workload {
    fn all(&self) -> impl Iterator<Item = Id> {
        let servers = self.servers.iter().flatten().map(|server| server.id);
        servers.chain(self.clients.iter().copied()).chain(self.intruders.iter().copied())
    }

    fn wait_for_clients(&self, supervisor: &mut Supervisor) -> Result<(), Failure> {
        supervisor.wait_for(&self.clients)?;
        supervisor.wait_for(&self.intruders)?;
        // The host's client is a thread of it: it is done when it has said what it checked.
        let checked = |supervisor: &Supervisor| {
            let host = supervisor.child(self.host);
            host.ending.is_some() || host.results.iter().any(|result| result[0] >> 8 == outcome::CHECKED)
        };
        while !checked(supervisor) {
            supervisor.step()?;
        }
        Ok(())
    }

    fn finish_servers(&self, supervisor: &mut Supervisor) -> Result<(), Failure> {
        for server in self.servers.iter().flatten() {
            if supervisor.child(server.id).ending.is_none() {
                let name = &supervisor.child(server.id).name;
                context(server.endpoint.send(&Message::new(FINISH, &[])), format_args!("telling {name} to finish"))?;
            }
        }
        let ids: Vec<Id> = self.servers.iter().flatten().map(|server| server.id).collect();
        supervisor.wait_for(&ids)
    }

    fn destroy(&mut self, supervisor: &mut Supervisor) -> Result<(), Failure> {
        let ids: Vec<Id> = self.all().collect();
        for id in ids {
            supervisor.forget(id)?;
        }
        let endpoints = self.servers.iter().flatten().map(|server| server.endpoint.place());
        let notifications = self.notifications.iter().map(|notification| notification.place());
        for place in endpoints.chain(notifications).chain([self.arena.place()]) {
            context(FACTORY.destroy(place), format!("destroying the workload's object {place}"))?;
        }
        Ok(())
    }
}
