//! The trials, as a 32-bit task: see `lilliput_runtime::trial`.
#![no_std]
#![no_main]

mod entry;
mod faults;
mod registers;
mod segments;
mod storage;

use lilliput_abi::Error;
use lilliput_user32::runtime::trial::list::TRIALS;
use lilliput_user32::runtime::trial::{self, Outcome, partner};
use lilliput_user32::runtime::{Word, role, tenant};
use lilliput_user32::{Native, entry};

entry!(start);

fn start(role: Word, parameter: Word) -> Word {
    let outcome = match role {
        role::TRIAL => run(TRIALS[parameter].name),
        role::TRIAL_PARTNER => partner::run::<Native>(|_| 0),
        role::TRIAL_THREAD => {
            trial::thread::<Native>(parameter);
            Err(Error::Gone)
        }
        role::TENANT => tenant::run::<Native>(parameter),
        _ => panic!("trials have no role {role}"),
    };
    outcome.unwrap_or_else(|error| panic!("the kernel said {}", error.name()));
    0
}

/// Runs the trial of this name, which is one of this width or one for both.
fn run(name: &str) -> Outcome {
    let own = entry::find(name)
        .or_else(|| registers::find(name))
        .or_else(|| faults::find(name))
        .or_else(|| segments::find(name))
        .or_else(|| storage::find(name));
    match own {
        Some(trial) => trial(),
        None => trial::run::<Native>(name).unwrap_or_else(|| panic!("there is no trial of this name")),
    }
}
