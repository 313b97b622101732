//! Growth under load: many small tasks in two arenas, which check their memory while they are made larger and smaller,
//! moved, made large, brought back, given other isolation modes, ended and made anew, in an order that a seed names.
//!
//! Between two changes the tasks run, and are preempted anywhere. In the end everything is given back.

mod costs;
mod tenants;

use alloc::format;

use lilliput_runtime::random::Random;

use super::fuzz::Balance;
use crate::FACTORY;
use crate::failure::{Failure, context};
use crate::output::say;
use crate::settings::Settings;
use crate::supervisor::Supervisor;
use tenants::Tenants;

/// Changes between two messages of tenants.
const CHANGES: u32 = 2;

/// Runs the rounds that the configuration asks for; the first thing that is wrong ends it.
pub fn run(supervisor: &mut Supervisor, settings: &Settings) -> Result<(), Failure> {
    if settings.instructions {
        return costs::measure();
    }
    supervisor.expects_failures = true;
    // The first one loads the program, and is not looked at.
    round(supervisor, settings, 0, 1)?;
    for &seed in &settings.seeds {
        let before = Balance::now()?;
        let outcome = round(supervisor, settings, seed, settings.growth_steps)?;
        let after = Balance::now()?;
        before.compare(&after).map_err(|finding| Failure::new(format!("{finding}")))?;
        say!("@test growth-seed-{seed} ok");
        say!("growth: seed {seed}: {outcome}");
    }
    supervisor.expects_failures = false;
    Ok(())
}

fn round(
    supervisor: &mut Supervisor,
    settings: &Settings,
    seed: u64,
    steps: usize,
) -> Result<tenants::Counts, Failure> {
    let arenas = [
        context(FACTORY.create_arena(), "the first arena of tenants")?,
        context(FACTORY.create_arena(), "the second arena of tenants")?,
    ];
    let mut tenants = Tenants::new(arenas, Random::new(seed));
    for _ in 0..settings.growth_tasks {
        tenants.add(supervisor)?;
    }
    for _ in 0..steps {
        let id = supervisor.step()?;
        tenants.heard(supervisor, id)?;
        for _ in 0..CHANGES {
            tenants.change(supervisor)?;
        }
    }
    let counts = tenants.end(supervisor)?;
    for arena in arenas {
        context(FACTORY.destroy(arena.place()), "destroying an arena of tenants")?;
    }
    Ok(counts)
}
