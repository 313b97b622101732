//! Who is there all the time: two witnesses and the poker.

use alloc::format;

use lilliput_abi::{Operation, Rights};
use lilliput_runtime::fuzz::kit::{self, at, command, parameter};
use lilliput_runtime::fuzz::witness;
use lilliput_runtime::invoke::invoke;
use lilliput_runtime::object::Arena;
use lilliput_runtime::{Endpoint, Message, Word, place, role};
use lilliput_user64::Native;

use super::finding::{Outcome, must};
use crate::FACTORY;
use crate::failure::{Failure, context};
use crate::settings::Settings;
use crate::spawn::Space;
use crate::supervisor::{Id, Supervisor};

/// Tasks that every round meets, and that no round may harm.
pub struct Standing {
    arena: Arena<Native>,
    witnesses: [(Id, Endpoint<Native>); 2],
    /// The task that keeps everybody else from waiting for ever.
    pub poker: Id,
}

impl Standing {
    /// Starts them.
    pub fn new(supervisor: &mut Supervisor, settings: &Settings) -> Result<Self, Failure> {
        let arena = context(FACTORY.create_arena(), "the witness's arena")?;
        let small = Space::Small(arena, kit::SMALL_SIZE, settings.isolation, 0);
        let witnesses = [
            witness(supervisor, "32/fuzz", "the small witness", small)?,
            witness(supervisor, "64/fuzz", "the 64-bit witness", Space::Wide)?,
        ];
        let poker = supervisor.create("64/fuzz", "the poker", Space::Wide)?;
        let child = supervisor.child_mut(poker);
        child.grant(place::TASK, child.task.place(), Rights::SEND, 0)?;
        child.grant(at::FACTORY, FACTORY.place(), Rights::SEND, 0)?;
        let seed = settings.seeds.first().copied().unwrap_or_default();
        child.start(kit::PRIORITY, [role::FUZZ_POKER, seed as Word])?;
        Ok(Self { arena, witnesses, poker })
    }

    /// The endpoint of one of the witnesses.
    pub fn witness(&self, number: usize) -> Endpoint<Native> {
        self.witnesses[number % self.witnesses.len()].1
    }

    /// Whether the kernel answers, and the witnesses are whole.
    pub fn check(&self) -> Result<Outcome, Failure> {
        let null = invoke::<Native>(Operation::Null, 0, &mut Message::default());
        let mut outcome = must(null.is_ok(), || format!("the null call gives {null:?}"));
        for (_, endpoint) in self.witnesses {
            let changed = endpoint.request(witness::CHECK, &[]);
            let whole = changed.is_ok_and(|answer| answer.payload() == [0]);
            outcome = outcome.and_then(|()| must(whole, || format!("a witness finds its memory changed: {changed:?}")));
            let question = Message::new(witness::ASK, &[1, 0x8000_0000, 3, 0xffff_ffff]);
            let answer = endpoint.call(&question);
            let right = witness::is_answer(&question, &answer);
            outcome = outcome.and_then(|()| must(right, || format!("a witness answers {answer:?}")));
        }
        Ok(outcome)
    }

    /// Lets the poker end what tasks of the round made, now that they are no more.
    pub fn clean(&self, supervisor: &mut Supervisor) -> Result<Outcome, Failure> {
        supervisor.child_mut(self.poker).parameters.insert(parameter::COMMAND, command::CLEAN);
        let result = loop {
            let child = supervisor.child_mut(self.poker);
            if let Some(result) = child.results.pop() {
                break result;
            }
            if let Some(ending) = child.ending {
                return Err(Failure::new(format!("the poker ended by {ending} {}", child.text)));
            }
            supervisor.step()?;
        };
        supervisor.child_mut(self.poker).parameters.insert(parameter::COMMAND, command::POKE);
        let [_, ended, left, _] = result;
        Ok(must(left == 0, || format!("of the objects that it made {ended} could be ended, {left} could not")))
    }

    /// Ends them.
    pub fn end(self, supervisor: &mut Supervisor) -> Result<(), Failure> {
        supervisor.forget(self.poker)?;
        for (id, endpoint) in self.witnesses {
            supervisor.forget(id)?;
            context(FACTORY.destroy(endpoint.place()), "destroying a witness's endpoint")?;
        }
        context(FACTORY.destroy(self.arena.place()), "destroying the witness's arena")
    }
}

fn witness(
    supervisor: &mut Supervisor,
    program: &str,
    name: &str,
    space: Space,
) -> Result<(Id, Endpoint<Native>), Failure> {
    let endpoint = context(FACTORY.create_endpoint(), "a witness's endpoint")?;
    let id = supervisor.create(program, name, space)?;
    let child = supervisor.child_mut(id);
    child.grant(place::SERVICE, endpoint.place(), Rights::RECEIVE, 0)?;
    child.start(kit::WITNESS_PRIORITY, [role::FUZZ_WITNESS, id as Word])?;
    Ok((id, endpoint))
}
