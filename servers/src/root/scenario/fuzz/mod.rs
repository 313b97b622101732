//! Fuzzing: rounds of tasks that ask the kernel for anything, each round from a seed of its own; see `lilliput_runtime::fuzz`.
//!
//! After a round everything must be as it was: the kernel answers, the witnesses answer right and nobody changed their
//! memory, and what was made has been given back to the last frame and object.
//!
//! Reading order: here -> [`standing`] (who is there all the time) -> [`round`] (a round's tasks) -> [`watch`] (while it runs).

mod finding;
mod round;
mod standing;
mod watch;

use alloc::format;

use crate::failure::Failure;
use crate::output::say;
use crate::settings::Settings;
use crate::supervisor::Supervisor;
pub use finding::Balance;
use finding::Outcome;
use round::Round;
use standing::Standing;
use watch::{Endings, Watch};

/// Runs the rounds that the configuration asks for; fails if one of them did.
pub fn run(supervisor: &mut Supervisor, settings: &Settings) -> Result<(), Failure> {
    supervisor.expects_failures = true;
    let standing = Standing::new(supervisor, settings)?;
    // Programs stay, once they are loaded, and not every round has a task of each.
    for program in round::PROGRAMS {
        supervisor.programs.find(program)?;
    }
    // The first round fills tables that stay: what it leaves is not looked at.
    let _ = fuzz(supervisor, settings, &standing, 0, &mut Endings::default())?;
    let mut endings = Endings::default();
    let (mut rounds, mut failed) = (0, 0);
    for &first in &settings.seeds {
        for seed in first..first.saturating_add(settings.fuzz_rounds as u64) {
            // Should the machine end in this round, this line says in which.
            say!("fuzz: seed {seed}");
            let before = Balance::now()?;
            let outcome = fuzz(supervisor, settings, &standing, seed, &mut endings)?;
            let after = Balance::now()?;
            rounds += 1;
            match outcome.and_then(|()| before.compare(&after)) {
                Ok(()) => say!("@test fuzz-seed-{seed} ok"),
                Err(finding) => {
                    failed += 1;
                    say!("@test fuzz-seed-{seed} FAILED {finding}");
                }
            }
        }
    }
    standing.end(supervisor)?;
    supervisor.expects_failures = false;
    say!("fuzz: {rounds} rounds, {failed} failed; tasks ended: {endings}");
    if failed == 0 { Ok(()) } else { Err(Failure::new(format!("{failed} rounds of fuzzing failed"))) }
}

/// One round, from the making of its tasks to the end of all that they made.
fn fuzz(
    supervisor: &mut Supervisor,
    settings: &Settings,
    standing: &Standing,
    seed: u64,
    endings: &mut Endings,
) -> Result<Outcome, Failure> {
    let round = Round::new(supervisor, settings, standing, seed)?;
    let mut watch = Watch::new(&round, standing.poker);
    watch.until_all_ended(supervisor)?;
    let mut outcome = watch.judge(supervisor, endings);
    outcome = outcome.and(standing.check()?);
    outcome = outcome.and(standing.clean(supervisor)?);
    round.end(supervisor)?;
    Ok(outcome.and(standing.check()?))
}
