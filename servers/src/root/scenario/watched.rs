//! Tasks that the counting plugin of `cargo xtask bench experiment` watches: what scenarios with them have in common. Where nobody watches, and the boot configuration
//! asks for `clocks`, they measure themselves (see [`lilliput_runtime::bench::rounds`]), and a record tells each batch.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use lilliput_abi::object::kind::{self, HOST, SMALL, WIDE};
use lilliput_abi::object::{counter, fact};
use lilliput_abi::{Error, Isolation, Rights};
use lilliput_runtime::bench::clock::Clock;
use lilliput_runtime::bench::rounds::{TOLD_RESULTS, Told};
use lilliput_runtime::bench::{Spread, bulk, parameter};
use lilliput_runtime::mark::{self, Mark};
use lilliput_runtime::object::Arena;
use lilliput_runtime::{Endpoint, Word, parent, place};
use lilliput_user64::Native;

use crate::failure::{Failure, context};
use crate::output::say;
use crate::spawn::Space;
use crate::supervisor::{Ending, Id, Supervisor};
use crate::{FACTORY, SYSTEM};

/// Servers wait when the client runs.
pub const SERVER_PRIORITY: u8 = 30;
/// The client's.
pub const CLIENT_PRIORITY: u8 = 28;

/// The usual cases: kinds of client and server, and how small ones are confined.
pub const CASES: [(u64, u64, Isolation); 6] = [
    (SMALL, SMALL, Isolation::Segment),
    (SMALL, SMALL, Isolation::Page),
    (SMALL, SMALL, Isolation::PageUntagged),
    (SMALL, HOST, Isolation::Segment),
    (SMALL, WIDE, Isolation::Segment),
    (WIDE, WIDE, Isolation::Page),
];

/// The tasks of a case, and what was made for it.
pub struct Stage {
    arena: Arena<Native>,
    mode: Isolation,
    /// Bytes of a small task.
    size: u32,
    members: Vec<Id>,
    objects: Vec<u32>,
}

impl Stage {
    /// An empty one, whose small tasks are confined so. None where this boot refuses that mode.
    pub fn new(mode: Isolation) -> Result<Option<Self>, Failure> {
        Self::sized(mode, bulk::SMALL_SIZE)
    }

    /// The same with small tasks of so many bytes.
    pub fn sized(mode: Isolation, size: u32) -> Result<Option<Self>, Failure> {
        let arena = context(FACTORY.create_arena(), "an arena")?;
        match FACTORY.create_small(arena, size, mode, 0) {
            Ok((task, _)) => context(FACTORY.destroy(task.place()), "destroying a task")?,
            Err(Error::Unsupported) => {
                return context(FACTORY.destroy(arena.place()), "destroying an arena").map(|()| None);
            }
            Err(error) => return Err(Failure::new(format!("a small task: {}", error.name()))),
        }
        Ok(Some(Self { arena, mode, size, members: Vec::new(), objects: Vec::new() }))
    }

    /// Whether this boot lets small tasks have that mode.
    pub fn allows(mode: Isolation) -> Result<bool, Failure> {
        match Self::new(mode)? {
            Some(stage) => context(FACTORY.destroy(stage.arena.place()), "destroying an arena").map(|()| true),
            None => Ok(false),
        }
    }

    /// Another task, with the program that measures.
    pub fn task(&mut self, supervisor: &mut Supervisor, kind: u64, name: &str) -> Result<Id, Failure> {
        self.task_for(supervisor, kind, name, 0)
    }

    /// The same, with so many places for capabilities at least.
    pub fn task_for(
        &mut self,
        supervisor: &mut Supervisor,
        kind: u64,
        name: &str,
        places: Word,
    ) -> Result<Id, Failure> {
        let (program, space) = match kind {
            SMALL => ("32/bench", Space::Small(self.arena, self.size, self.mode, 0)),
            HOST => ("host", Space::Host(self.arena)),
            _ => ("64/bench", Space::Wide),
        };
        let id = supervisor.create_for(name, space, places)?;
        supervisor.load(id, program)?;
        if supervisor.clocks {
            supervisor.child_mut(id).parameters.insert(parameter::CLOCKS, 1);
            supervisor.child(id).grant(place::SYSTEM, SYSTEM.place(), Rights::SEND, 0)?;
        }
        self.members.push(id);
        Ok(id)
    }

    /// What has to be destroyed at the end.
    pub fn keep(&mut self, place: u32) {
        self.objects.push(place);
    }

    /// Lets the server receive, at its place `at_server`, what the client calls at its place `at_client`.
    pub fn connect(
        &mut self,
        supervisor: &Supervisor,
        (client, at_client): (Id, u32),
        (server, at_server): (Id, u32),
    ) -> Result<(), Failure> {
        let endpoint: Endpoint<Native> = context(FACTORY.create_endpoint(), "an endpoint")?;
        self.keep(endpoint.place());
        supervisor.child(server).grant(at_server, endpoint.place(), Rights::RECEIVE, 0)?;
        supervisor.child(client).grant(at_client, endpoint.place(), Rights::SEND, 1)
    }

    /// With all of another stage, whose arena is another one.
    pub fn joined_by(mut self, other: Self) -> Self {
        self.members.extend(other.members);
        self.objects.extend(other.objects);
        self.objects.push(other.arena.place());
        self
    }

    /// Goes on until one of the tasks has ended; then destroys all. An error if one ended otherwise than well.
    pub fn run(self, supervisor: &mut Supervisor, title: &str) -> Result<(), Failure> {
        while self.members.iter().all(|&member| supervisor.child(member).ending.is_none()) {
            supervisor.step()?;
        }
        let mut failure = None;
        for &member in &self.members {
            let child = supervisor.child(member);
            if let Some(ending) = child.ending.filter(|&ending| ending != Ending::Exit(parent::SUCCESS)) {
                failure = Some(Failure::new(format!("{title}: {}: {ending} {}", child.name, child.text)));
            }
        }
        for &member in &self.members {
            tell(supervisor, member, title)?;
        }
        self.members.into_iter().try_for_each(|member| supervisor.forget(member))?;
        for place in self.objects.into_iter().chain([self.arena.place()]) {
            context(FACTORY.destroy(place), "destroying what was there for a case")?;
        }
        failure.map_or(Ok(()), Err)
    }
}

/// Prints what a task has measured of a case, a record for each batch and clock.
fn tell(supervisor: &Supervisor, member: Id, case: &str) -> Result<(), Failure> {
    let (results, _) = supervisor.child(member).results.as_chunks::<TOLD_RESULTS>();
    results.iter().filter_map(Told::from_results).try_for_each(|told| say_told(&supervisor.scenario, case, &told))
}

/// Prints the record of a batch.
pub fn say_told(scenario: &str, case: &str, told: &Told) -> Result<(), Failure> {
    let enforced = context(SYSTEM.fact(fact::LIMITS_ENFORCED), "whether limits are enforced")? == 1;
    let clock = match told.clock {
        Clock::Counter(number) => counter::NAMES[usize::from(number)],
        _ => "ticks",
    };
    let Spread { least, median, p90, p99 } = told.spread;
    say!(
        "@clock {{\"scenario\":\"{scenario}\",\"case\":{case},\"batch\":\"{}\",\"clock\":\"{clock}\",\"rounds\":{},\"nothing\":{},\"least\":{least},\
         \"median\":{median},\"p90\":{p90},\"p99\":{p99},\"limits_enforced\":{enforced}}}",
        told.name(),
        told.rounds,
        told.nothing,
    );
    Ok(())
}

/// Tells the plugin what is measured: kinds of client and server, the mode, and what else there is, in JSON. The text, for messages.
pub fn say_case(from: u64, to: u64, mode: Isolation, more: &str) -> String {
    let isolation = if from == SMALL || to == SMALL { format!("\"{}\"", mode.name()) } else { String::from("null") };
    let (from, to) = (kind::name(from), kind::name(to));
    let text = format!(r#"{{"from":"{from}","to":"{to}","isolation":{isolation},{more}}}"#);
    mark::say::<Native>(&text, Mark::Case);
    text
}
