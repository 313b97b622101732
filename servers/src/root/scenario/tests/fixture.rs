//! The tasks and capabilities of a trial.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use lilliput_abi::object::kind;
use lilliput_abi::{Error, Isolation, Rights};
use lilliput_runtime::object::Arena;
use lilliput_runtime::trial::kit;
use lilliput_runtime::{Endpoint, Notification, Word, parent, place, role};
use lilliput_user64::Native;

use crate::failure::{Failure, context};
use crate::spawn::Space;
use crate::supervisor::{Ending, Id, Supervisor};
use crate::{DEVICES, FACTORY, SYSTEM};

/// What stays free at the top of a small trial's space.
const FREE_TOP: Word = 16 * 4096;

/// Everything that was made for one trial.
pub struct Fixture {
    arena: Arena<Native>,
    trial: Id,
    partner: Option<Id>,
    objects: Vec<u32>,
}

/// How it ended.
pub struct Finished {
    /// The trial's task.
    pub ending: Ending,
    /// What it said about its failure.
    pub text: String,
    /// What is to be said about the partner, if it failed.
    pub partner: String,
}

impl Fixture {
    /// Makes the tasks. The inner error is the kernel's, where it refuses the isolation mode.
    pub fn new(
        supervisor: &mut Supervisor,
        isolation: Isolation,
        kind: u64,
        partner: Option<u64>,
    ) -> Result<Result<Self, Error>, Failure> {
        let arena = context(FACTORY.create_arena(), "a trial's arena")?;
        if let Err(error) = try_isolation(arena, isolation) {
            context(FACTORY.destroy(arena.place()), "destroying a trial's arena")?;
            return Ok(Err(error));
        }
        let create = |supervisor: &mut Supervisor, kind, name| {
            let (program, space) = match kind {
                kind::SMALL => ("32/trials", Space::Small(arena, kit::SMALL_SIZE, isolation, 0)),
                kind::HOST => ("host", Space::Host(arena)),
                _ => ("64/trials", Space::Wide),
            };
            supervisor.create(program, name, space)
        };
        let trial = create(supervisor, kind, "trial")?;
        let partner = match partner {
            Some(kind) => Some(create(supervisor, kind, "partner")?),
            None => None,
        };
        let mut fixture = Self { arena, trial, partner, objects: Vec::new() };
        fixture.furnish(supervisor)?;
        Ok(Ok(fixture))
    }

    /// Hands out what [`kit`] promises.
    fn furnish(&mut self, supervisor: &mut Supervisor) -> Result<(), Failure> {
        let own: Endpoint<Native> = context(FACTORY.create_endpoint(), "a trial's endpoint")?;
        let served: Endpoint<Native> = context(FACTORY.create_endpoint(), "a partner's endpoint")?;
        let notification: Notification<Native> = context(FACTORY.create_notification(), "a trial's notification")?;
        let frames = context(FACTORY.create_frames(kit::FRAMES_PAGES), "a trial's frames")?;
        let silence: Endpoint<Native> = context(FACTORY.create_endpoint(), "an endpoint to wait at")?;
        self.objects.extend([silence.place(), own.place(), served.place(), notification.place(), frames.place()]);
        let child = supervisor.child_mut(self.trial);
        child.grant(place::SERVICE, own.place(), Rights::all(), 0)?;
        child.grant(kit::SILENCE, silence.place(), Rights::RECEIVE, 0)?;
        child.grant(place::SERVER, served.place(), Rights::SEND | Rights::GRANT, kit::BADGE)?;
        child.grant(place::NOTIFICATION, notification.place(), Rights::all(), kit::BITS)?;
        child.grant(place::SYSTEM, SYSTEM.place(), Rights::SEND, 0)?;
        child.grant(place::TASK, child.task.place(), Rights::all(), 0)?;
        child.grant(place::FRAMES, frames.place(), Rights::all(), 0)?;
        child.grant(kit::FACTORY, FACTORY.place(), Rights::SEND, 0)?;
        child.grant(kit::DEVICES, DEVICES.place(), Rights::all(), 0)?;
        child.grant(kit::arena::<Native>().place(), self.arena.place(), Rights::SEND, 0)?;
        child.leave_free_at_top(FREE_TOP);
        child.parameters.insert(kit::WIDE_PARAMETER, kit::WIDE_VALUE as Word);
        if let Some(partner) = self.partner {
            let kind = supervisor.child(partner).kind;
            supervisor.child_mut(self.trial).parameters.insert(kit::PARTNER_KIND, kind as Word);
            let client = supervisor.child(self.trial).task;
            let child = supervisor.child(partner);
            child.grant(kit::CLIENT, client.place(), Rights::SEND, 0)?;
            child.grant(place::TASK, child.task.place(), Rights::SEND, 0)?;
            child.grant(place::SERVICE, served.place(), Rights::RECEIVE, 0)?;
            child.grant(place::NOTIFICATION, notification.place(), Rights::all(), kit::BITS)?;
        }
        Ok(())
    }

    /// Runs a trial to its end, and gives everything back.
    pub fn run(self, supervisor: &mut Supervisor, number: usize) -> Result<Finished, Failure> {
        if let Some(partner) = self.partner {
            supervisor.child_mut(partner).start(kit::PARTNER_PRIORITY, [role::TRIAL_PARTNER, 0])?;
        }
        supervisor.child_mut(self.trial).start(kit::PRIORITY, [role::TRIAL, number])?;
        let mut partner = String::new();
        while supervisor.child(self.trial).ending.is_none() {
            let id = supervisor.step()?;
            let child = supervisor.child(id);
            let failure = child.ending.filter(|&ending| ending != Ending::Exit(parent::SUCCESS));
            if let Some(ending) = failure.filter(|_| Some(id) == self.partner) {
                partner = format!("(the partner: {ending} {})", child.text);
                // The trial may wait for it in vain.
                break;
            }
        }
        let child = supervisor.child(self.trial);
        let finished =
            Finished { ending: child.ending.unwrap_or(Ending::Destroyed), text: child.text.clone(), partner };
        supervisor.forget(self.trial)?;
        if let Some(partner) = self.partner {
            supervisor.forget(partner)?;
        }
        for place in self.objects {
            context(FACTORY.destroy(place), "destroying what a trial had")?;
        }
        match FACTORY.destroy(self.arena.place()) {
            // A trial that failed left tasks of its own there.
            Err(Error::Busy) if finished.ending != Ending::Exit(parent::SUCCESS) => {}
            outcome => context(outcome, "destroying a trial's arena")?,
        }
        Ok(finished)
    }
}

/// Whether the arena takes small tasks of this isolation.
fn try_isolation(arena: Arena<Native>, isolation: Isolation) -> Result<(), Error> {
    let (task, _) = FACTORY.create_small(arena, kit::SMALL_SIZE, isolation, 0)?;
    FACTORY.destroy(task.place())
}
