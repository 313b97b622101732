//! The witnesses, as the root task sees them.

use alloc::format;
use alloc::string::String;

use lilliput_abi::{Error, Rights};
use lilliput_attack::kit::{self, role};
use lilliput_attack::witness::{CHECK, ROUNDS_FOR_ALL};
use lilliput_runtime::{Endpoint, Message, Word, place};
use lilliput_user64::Native;

use crate::FACTORY;
use crate::failure::{Failure, context};
use crate::spawn::Space;
use crate::supervisor::{Id, Supervisor};

/// A witness.
pub struct Witness {
    /// Its name.
    pub name: &'static str,
    /// Its task.
    pub id: Id,
    /// Where it answers.
    pub endpoint: Endpoint<Native>,
    /// The address of its secret, in its own space.
    pub secret: u64,
    /// The linear address of its space.
    pub base: u64,
}

impl Witness {
    /// Makes a witness that answers. It patrols from [`Witness::patrol`] on.
    pub fn new(
        supervisor: &mut Supervisor,
        name: &'static str,
        program: &str,
        space: Space,
        seed: Word,
    ) -> Result<Self, Failure> {
        let endpoint = context(FACTORY.create_endpoint(), "a witness' endpoint")?;
        let id = supervisor.create(program, name, space)?;
        let child = supervisor.child_mut(id);
        child.grant(place::SERVICE, endpoint.place(), Rights::RECEIVE, 0)?;
        child.start(kit::SERVER_PRIORITY, [role::SERVE, seed])?;
        while supervisor.child(id).results.is_empty() {
            supervisor.step()?;
            if supervisor.child(id).ending.is_some() {
                return Err(Failure::new(format!("{name} ended: {}", supervisor.child(id).text)));
            }
        }
        let child = supervisor.child(id);
        let [low, high, ..] = child.results[0];
        let secret = Message::new(0, &[low, high]).pair(0);
        let base = context(child.task.info(), "where a witness lies")?.base as u64;
        Ok(Self { name, id, endpoint, secret, base })
    }

    /// Lets it patrol; with a sign of life after so many ticks, if that is not 0.
    pub fn patrol(&self, supervisor: &mut Supervisor, interval: Word) -> Result<(), Failure> {
        supervisor.child_mut(self.id).start(kit::PRIORITY, [role::PATROL, interval])
    }

    /// The linear address of its secret.
    pub const fn linear_secret(&self) -> u64 {
        self.base + self.secret
    }

    /// What is wrong with it, if something is.
    pub fn damage(&self, supervisor: &Supervisor) -> Option<String> {
        if let Some(ending) = supervisor.child(self.id).ending {
            return Some(format!("{} ended by {ending} {}", self.name, supervisor.child(self.id).text));
        }
        match self.endpoint.request(CHECK, &[]) {
            Ok(answer) if answer.words[0] == 0 => None,
            Ok(answer) => {
                Some(format!("{} found its memory or its registers changed, {} times", self.name, answer.words[0]))
            }
            Err(error) => Some(format!("{} does not answer: {}", self.name, error.name())),
        }
    }

    /// How many rounds its patrol has made, modulo 2^32.
    pub fn rounds(&self) -> Result<u32, Error> {
        self.endpoint.request(CHECK, &[]).map(|answer| answer.words[1] as u32)
    }

    /// Whether all of its memory was looked at since it had made so many rounds. True where it does not answer.
    pub fn has_looked_since(&self, before: u32) -> bool {
        // The round under way then may have been past the place in question.
        self.rounds().map_or(true, |now| now.wrapping_sub(before) > ROUNDS_FOR_ALL)
    }

    /// Ends it.
    pub fn end(self, supervisor: &mut Supervisor) -> Result<(), Failure> {
        supervisor.forget(self.id)?;
        context(FACTORY.destroy(self.endpoint.place()), "destroying a witness' endpoint")
    }
}
