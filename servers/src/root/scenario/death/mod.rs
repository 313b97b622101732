//! Death: tasks that are made, used and ended, in every way and of every kind, ten thousand of them; a fork bomb in a factory of its own; factories
//! that end under load. Each time all must be as it was: memory, objects of each type, PCIDs, capabilities.
//!
//! Reading order: here -> [`mortal`] (one task's life and end) -> [`crowd`] (those with a factory of their own).

mod crowd;
mod mortal;

use alloc::format;

use lilliput_abi::Isolation;
use lilliput_abi::object::kind;
use lilliput_runtime::mortal::Way;
use lilliput_runtime::object::Arena;

use super::fuzz::Balance;
use crate::FACTORY;
use crate::failure::{Failure, context};
use crate::output::say;
use crate::settings::Settings;
use crate::supervisor::Supervisor;
use mortal::Mortal;

/// Kinds of tasks, with the isolation that is asked for.
const KINDS: [(u64, Isolation); 4] = [
    (kind::SMALL, Isolation::Segment),
    (kind::SMALL, Isolation::Page),
    (kind::HOST, Isolation::Auto),
    (kind::WIDE, Isolation::Auto),
];
/// Factories that end under load.
const LOADS: u64 = 20;

/// Runs all of it; the first thing that is wrong ends it.
pub fn run(supervisor: &mut Supervisor, settings: &Settings) -> Result<(), Failure> {
    // What the first of each leaves, as tables that are wanted again, is not looked at.
    cycles(supervisor, KINDS.len() * Way::ALL.len())?;
    balanced(format!("death-{}-cycles", settings.death_cycles), || cycles(supervisor, settings.death_cycles))?;
    crowd::bomb(supervisor, kind::WIDE)?;
    for (name, kind) in [("small", kind::SMALL), ("64", kind::WIDE)] {
        balanced(format!("fork-bomb-{name}"), || crowd::bomb(supervisor, kind))?;
    }
    crowd::load(supervisor, 0)?;
    balanced(format!("{LOADS}-factories-under-load"), || {
        (1..=LOADS).try_for_each(|number| crowd::load(supervisor, number))
    })
}

/// A test that has to give back what it takes.
fn balanced(name: alloc::string::String, test: impl FnOnce() -> Result<(), Failure>) -> Result<(), Failure> {
    let before = Balance::now()?;
    test().map_err(|failure| Failure::new(format!("{name}: {failure}")))?;
    before.compare(&Balance::now()?).map_err(|finding| Failure::new(format!("{name}: {finding}")))?;
    say!("@test {name} ok");
    Ok(())
}

/// So many tasks, one after another, of all kinds and ways in turn.
fn cycles(supervisor: &mut Supervisor, count: usize) -> Result<(), Failure> {
    let arena: Arena<_> = context(FACTORY.create_arena(), "an arena for mortals")?;
    for number in 0..count {
        let (kind, isolation) = KINDS[number % KINDS.len()];
        let way = Way::ALL[number / KINDS.len() % Way::ALL.len()];
        Mortal::live(supervisor, arena, kind, isolation, way)
            .map_err(|failure| Failure::new(format!("{} {number}, {way:?}: {failure}", kind::name(kind))))?;
    }
    context(FACTORY.destroy(arena.place()), "destroying the arena of mortals")
}
