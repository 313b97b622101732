//! What the boot configuration can ask for.

mod attack;
mod bench;
mod colours;
mod crossover;
mod death;
mod disk;
mod exchange;
mod files;
mod fuzz;
mod growth;
mod keeper;
mod linux;
mod messages;
mod pager;
mod program;
mod scale;
mod scene;
mod shell;
mod split;
mod tests;
mod watched;
mod workload;

use alloc::format;

use crate::failure::Failure;
use crate::settings::Settings;
use crate::supervisor::Supervisor;

/// Runs the scenarios one after another; the first failure ends it.
pub fn run_all(supervisor: &mut Supervisor, settings: &Settings) -> Result<(), Failure> {
    supervisor.clocks = settings.clocks;
    for scenario in &settings.scenarios {
        supervisor.scenario.clone_from(scenario);
        match scenario.as_str() {
            "attack" => attack::run(supervisor, settings)?,
            "bench" => bench::run(supervisor, settings)?,
            "colours" => colours::run(supervisor)?,
            "crossover" => crossover::run(supervisor, &crossover::FEW)?,
            "many" => crossover::run(supervisor, &crossover::MANY)?,
            "death" => death::run(supervisor, settings)?,
            "disk" => disk::run(supervisor, settings)?,
            "exchange" => exchange::run(supervisor, settings)?,
            "fuzz" => fuzz::run(supervisor, settings)?,
            "linux" => linux::run(supervisor, settings)?,
            "messages" => messages::run(supervisor, settings)?,
            "program" => program::run(supervisor, settings)?,
            "scale" => scale::run(supervisor, settings)?,
            "shell" => shell::run(supervisor, settings)?,
            "split" => split::run(supervisor)?,
            "system-calls" => linux::clocked::run(supervisor, settings)?,
            "files" => files::run(supervisor)?,
            "growth" => growth::run(supervisor, settings)?,
            "keeper" => keeper::run(supervisor)?,
            "pager" => pager::run(supervisor)?,
            "tests" => tests::run(supervisor, settings)?,
            "workload" => workload::run(supervisor, settings)?,
            _ => return Err(Failure::new(format!("there is no scenario {scenario}"))),
        }
    }
    Ok(())
}
