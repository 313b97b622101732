//! Other people's programs: each in a task of its own beside witnesses, with nothing but its parent and the console.
//!
//! Reading order: here (which, in what order, what counts as well) -> [`visit`] (one of them) -> [`outcome`].

mod outcome;
mod visit;

use alloc::format;

use super::scene::{limits_enforced, mode_name};
use crate::failure::Failure;
use crate::output::say;
use crate::settings::Settings;
use crate::supervisor::Supervisor;
use visit::Visit;

/// Runs the programs that the configuration names. How they end is for whoever asked, and told in records; it fails only if a
/// witness came to harm.
pub fn run(supervisor: &mut Supervisor, settings: &Settings) -> Result<(), Failure> {
    let limits = limits_enforced()?;
    let mut harmed = 0;
    supervisor.expects_failures = true;
    for name in &settings.visitors {
        let visit = Visit { name, isolation: settings.isolation, seconds: settings.visit_seconds };
        let outcome = visit.run(supervisor)?;
        let mode = outcome.isolation.map_or("-", |isolation| mode_name(isolation, limits));
        say!("program {name}: {}", outcome.end);
        say!("@program {name} {mode} {}", outcome.end.record());
        if let Some(damage) = &outcome.damage {
            harmed += 1;
            say!("program {name}: HARM: {damage}");
            say!("@witnesses {name} HARMED {damage}");
        } else if outcome.end.has_run() {
            say!("program {name}: the witnesses are whole");
            say!("@witnesses {name} whole");
        }
    }
    supervisor.expects_failures = false;
    match (settings.visitors.is_empty(), harmed) {
        (true, _) => Err(Failure::new("the configuration names no program")),
        (_, 0) => Ok(()),
        (_, 1) => Err(Failure::new("a program did harm")),
        _ => Err(Failure::new(format!("{harmed} programs did harm"))),
    }
}
