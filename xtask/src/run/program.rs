//! `cargo xtask run --program`: somebody's program beside witnesses.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Args;

use crate::boot::Show;
use crate::options::{ConfigOptions, MachineOptions, Timeout};
use crate::platform::{Platform, mark, settings};
use crate::prepare::Prepared;
use crate::progress::Step;
use crate::setup::Needs;
use crate::visit::{self, Program, Verdict};

/// A program of the user's.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Your own program")]
pub struct ProgramOptions {
    /// Run this, a static ELF program of 32 or 64 bits; kernel64/abi/README.md says how to make one.
    #[arg(long, value_name = "FILE")]
    pub program: Option<PathBuf>,
    /// Where to run it.
    #[arg(long, value_enum, default_value = "qemu", requires = "program")]
    platform: Platform,
    /// Seconds that it may run, by the guest's clock.
    #[arg(long, value_name = "SECONDS", default_value_t = 10, requires = "program",
          value_parser = clap::value_parser!(u64).range(1..=100_000))]
    limit: u64,
    /// Show all that the guest prints.
    #[arg(long, short, requires = "program")]
    verbose: bool,
}

/// Runs a program, says what came of it, and has the status say so too.
pub fn run(
    file: &Path,
    options: &ProgramOptions,
    machine: &MachineOptions,
    config: &ConfigOptions,
    timeout: Timeout,
) -> Result<ExitCode> {
    let program = Program::read(file)?;
    let judged = match program.judge() {
        Ok(visitor) => visitor,
        Err(refusal) => return Ok(tell(&Verdict::refused(&program.name, refusal), "")),
    };
    let emulator = options.platform.emulator(machine)?;
    let settings = settings(visit::config(std::slice::from_ref(&program), options.limit), config, &emulator)?;
    let mark = mark(&settings, &emulator);
    let prepared = Prepared::new(Needs { bochs: emulator.is_bochs(), ..Needs::EMULATOR })?;
    println!("{}: {judged}{mark}", program.name);
    println!(
        "--- boot `program`: {}; isolation `{}`, at most {} s for the program{mark}",
        emulator.description(),
        settings.isolation.word(),
        options.limit
    );
    let show = if options.verbose { Show::Everything } else { Show::Quoted };
    let started = Instant::now();
    let limit = emulator.patience(timeout.duration() + Duration::from_secs(options.limit));
    let step = Step::start_in_lines(format!("running {}", program.name));
    let report = prepared.boot_on(&emulator, "program", &settings, limit, show)?;
    step.finish_silently();
    // The guest has found out for itself.
    let mark = if report.mark().is_empty() { mark.as_str() } else { report.mark() };
    println!("--- boot `program` ended after {:.1} s{mark}", started.elapsed().as_secs_f64());
    Ok(tell(&Verdict::of(&program.name, &report), mark))
}

fn tell(verdict: &Verdict, mark: &str) -> ExitCode {
    verdict.lines().iter().for_each(|line| println!("{line}{mark}"));
    ExitCode::from(verdict.status() as u8)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        program: ProgramOptions,
    }

    fn line(words: &str) -> Result<Line, clap::Error> {
        Line::try_parse_from(["run"].into_iter().chain(words.split_whitespace()))
    }

    #[test]
    fn its_options_need_a_program() {
        assert!(line("").unwrap().program.program.is_none());
        let given = line("--program a --platform bochs-intel --limit 3").unwrap().program;
        assert_eq!((given.platform, given.limit), (Platform::BochsIntel, 3));
        assert_eq!(line("--program a").unwrap().program.platform, Platform::Qemu);
        for words in
            ["--limit 3", "--platform qemu", "--verbose", "--program a --limit 0", "--program a --platform tcg"]
        {
            assert!(line(words).is_err(), "{words}");
        }
    }
}
