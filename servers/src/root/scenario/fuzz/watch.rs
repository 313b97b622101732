//! A round while it runs: who still lives, who said what, who waits for ever.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use core::fmt;

use lilliput_abi::fault::vector_name;
use lilliput_runtime::fuzz::code::Finale;
use lilliput_runtime::fuzz::kit;
use lilliput_runtime::{Word, parent};

use super::finding::{Outcome, must};
use super::round::{Fuzzer, Round};
use crate::failure::Failure;
use crate::supervisor::{Ending, Id, Supervisor};

/// Signs of life of the poker's after which a task that gives none is given up. In between everybody has had a turn, more than once.
const PATIENCE: u32 = 150;
/// The same for a task whose last step may lead to code that goes on for ever.
const PATIENCE_AT_THE_END: u32 = 8;

/// A task, as the watch sees it.
struct Watched {
    fuzzer: Fuzzer,
    /// When it gave a sign of life last.
    sign: u32,
    /// Its last step, if it has come that far: whether it is sure to raise an exception, and its kind.
    last_step: Option<(bool, Word)>,
    /// Whether it was given up.
    given_up: bool,
}

/// All tasks of a round.
pub struct Watch {
    poker: Id,
    /// Counts the poker's signs of life.
    clock: u32,
    tasks: BTreeMap<Id, Watched>,
}

impl Watch {
    /// Over the tasks of a round.
    pub fn new(round: &Round, poker: Id) -> Self {
        let watched = |&fuzzer: &Fuzzer| (fuzzer.id, Watched { fuzzer, sign: 0, last_step: None, given_up: false });
        Self { poker, clock: 0, tasks: round.tasks.iter().map(watched).collect() }
    }

    /// Waits until every task has ended, or was given up.
    pub fn until_all_ended(&mut self, supervisor: &mut Supervisor) -> Result<(), Failure> {
        while self.tasks.keys().any(|&id| supervisor.child(id).ending.is_none()) {
            let id = supervisor.step()?;
            if id == self.poker {
                self.clock += 1;
                self.give_up(supervisor)?;
            } else if let Some(watched) = self.tasks.get_mut(&id) {
                watched.sign = self.clock;
                if let Some(&[kit::LAST_STEP, sure, finale, _]) = supervisor.child(id).results.last() {
                    watched.last_step = Some((sure != 0, finale));
                }
            }
        }
        Ok(())
    }

    /// Ends those that have been silent for too long.
    fn give_up(&mut self, supervisor: &mut Supervisor) -> Result<(), Failure> {
        for (&id, watched) in &mut self.tasks {
            let patience = match watched.last_step {
                Some((false, _)) => PATIENCE_AT_THE_END,
                _ => PATIENCE,
            };
            if self.clock - watched.sign > patience && supervisor.child(id).ending.is_none() {
                watched.given_up = true;
                supervisor.child_mut(id).end(Ending::Destroyed)?;
            }
        }
        Ok(())
    }

    /// Whether every task ended as it may.
    pub fn judge(&self, supervisor: &Supervisor, endings: &mut Endings) -> Outcome {
        let mut outcome = Ok(());
        for (&id, watched) in &self.tasks {
            let child = supervisor.child(id);
            let ending = match child.ending.unwrap_or(Ending::Destroyed) {
                // A panic says why; whoever says nothing hit upon its exit code.
                Ending::Exit(_) if child.text.is_empty() => Ending::Exit(parent::SUCCESS),
                other => other,
            };
            endings.count(ending);
            outcome = outcome.and_then(|()| {
                must(!watched.fuzzer.steady || watched.may_end_by(ending), || {
                    format!("{}: {} {}", child.name, watched.complaint(ending), child.text)
                })
            });
        }
        outcome
    }
}

impl Watched {
    /// What may become of a steady task.
    fn may_end_by(&self, ending: Ending) -> bool {
        match (self.last_step, ending) {
            (Some(_), Ending::Fault(_)) => true,
            // It may have gone on in its own program, or wait.
            (Some((sure, _)), Ending::Destroyed | Ending::Exit(_)) => !sure,
            // It may tell its parent anything; but not that it panicked.
            (None, Ending::Exit(code)) => code != parent::PANICKED,
            (None, _) => false,
        }
    }

    fn complaint(&self, ending: Ending) -> String {
        let last = match self.last_step {
            None => String::from("before its last step"),
            Some((_, finale)) => {
                let finale = Finale::ALL.get(finale);
                format!("at its last step, {finale:?}")
            }
        };
        let how = match ending {
            Ending::Destroyed if self.given_up => String::from("it neither went on nor raised an exception"),
            Ending::Destroyed => String::from("it was destroyed"),
            other => format!("{other}"),
        };
        format!("{how} {last}")
    }
}

/// How many tasks ended how.
#[derive(Default)]
pub struct Endings {
    faults: BTreeMap<u8, u32>,
    exits: u32,
    given_up: u32,
}

impl Endings {
    fn count(&mut self, ending: Ending) {
        match ending {
            Ending::Fault(fault) => *self.faults.entry(fault.vector).or_default() += 1,
            Ending::Exit(_) => self.exits += 1,
            Ending::Destroyed => self.given_up += 1,
        }
    }
}

impl fmt::Display for Endings {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        for (&vector, count) in &self.faults {
            write!(formatter, "{count} by {}, ", vector_name(vector))?;
        }
        write!(formatter, "{} by themselves, {} given up", self.exits, self.given_up)
    }
}
