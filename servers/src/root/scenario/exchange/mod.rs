//! The random test of IPC: see `lilliput_runtime::exchange`. The root task is who ends threads and starts others in their place, takes capabilities
//! away, and changes priorities and isolation, between short stretches of everybody's going on.
//!
//! Reading order: here -> [`stage`] (who plays) -> [`change`] (what befalls them) -> [`totals`] (what must have happened).

mod change;
mod stage;
mod totals;

use alloc::format;
use alloc::string::String;

use crate::failure::Failure;
use crate::output::say;
use crate::scenario::fuzz::Balance;
use crate::settings::Settings;
use crate::supervisor::Supervisor;
use stage::Stage;
use totals::Totals;

/// Runs the seeds that the configuration asks for; fails if one of them did, or if something never happened.
pub fn run(supervisor: &mut Supervisor, settings: &Settings) -> Result<(), Failure> {
    supervisor.expects_failures = true;
    let mut totals = Totals::default();
    let (mut failed, mut before) = (0, None);
    for &first in &settings.seeds {
        for seed in first..first.saturating_add(settings.fuzz_rounds as u64) {
            // Should the machine end in this one, this line says in which.
            say!("exchange: seed {seed}");
            let found = play(supervisor, settings, seed, &mut totals)?;
            let after = Balance::now()?;
            // The first seed loads programs, and fills tables that stay.
            let outcome = found.map_or(Ok(()), Err).and_then(|()| match before.replace(after) {
                Some(before) => before.compare(&after).map_err(|finding| format!("{finding}")),
                None => Ok(()),
            });
            match outcome {
                Ok(()) => say!("@test exchange-seed-{seed} ok"),
                Err(finding) => {
                    failed += 1;
                    say!("@test exchange-seed-{seed} FAILED {finding}");
                }
            }
        }
    }
    supervisor.expects_failures = false;
    say!("exchange: {totals}");
    if settings.exchange_coverage {
        match totals.missing() {
            None => say!("@test exchange-coverage ok"),
            Some(what) => {
                failed += 1;
                say!("@test exchange-coverage FAILED no {what}");
            }
        }
    }
    if failed == 0 { Ok(()) } else { Err(Failure::new(format!("{failed} tests of the random exchange failed"))) }
}

/// One seed. What is wrong, if anything is.
fn play(
    supervisor: &mut Supervisor,
    settings: &Settings,
    seed: u64,
    totals: &mut Totals,
) -> Result<Option<String>, Failure> {
    let mut stage = Stage::new(supervisor, seed, settings.exchange_pause as u32)?;
    let mut found = None;
    for _ in 0..settings.exchange_actions {
        found = stage.go_on(supervisor, totals)?;
        if found.is_some() {
            break;
        }
        stage.change(supervisor, totals)?;
    }
    stage.end(supervisor)?;
    Ok(found)
}
