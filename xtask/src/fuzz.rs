//! `cargo xtask fuzz`: the kernel asked for anything, in boot after boot.

use std::fmt::Write;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Result, bail};
use clap::Args;

use crate::boot::{Outcome, Record, Report, unmarked};
use crate::build::{Config, Scenario};
use crate::machine::Machine;
use crate::machine::accelerator::Accelerator;
use crate::options::{ConfigOptions, MachineOptions, Timeout};
use crate::prepare::Prepared;
use crate::progress::Step;
use crate::setup::Needs;

/// Lets programs ask the kernel for anything, at random, and looks whether it bears it.
///
/// Each round has a seed of its own, from which follows what its tasks do: system calls that make sense and such that do
/// not, and in the end machine code that enters the kernel in odd ways. After a round the kernel must answer,
/// witnesses must be whole, and frames and objects in use must be what they were. A boot has many rounds; boots follow one another
/// until the time is up, on processor models of several makes.
///
/// If something is found, the last line says in which seed, and how to have the same again: under TCG the boot counts
/// instructions for its clock, so that it goes the same way each time.
#[derive(Debug, Args)]
pub struct Arguments {
    /// First seed [default: from the clock].
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// How long to go on; the boot that runs then is the last.
    #[arg(long, value_name = "M", default_value_t = 2.0, value_parser = minutes)]
    minutes: f64,
    /// One boot of so many rounds, however long that takes.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), conflicts_with = "minutes")]
    rounds: Option<u64>,
    /// The random test of IPC instead: threads of all kinds exchange messages, are interrupted at every instruction in turn, ended and
    /// replaced, and judge all that arrives.
    #[arg(long)]
    exchange: bool,
    /// Let time run free: twice as fast, and different each time.
    #[arg(long)]
    free: bool,
    #[command(flatten)]
    machine: MachineOptions,
    #[command(flatten)]
    config: ConfigOptions,
    #[command(flatten)]
    timeout: Timeout,
}

/// Rounds of a boot.
const ROUNDS: u64 = 100;
/// The same of the random test of IPC.
const EXCHANGES: u64 = 10;
/// The shortest turn there, in counts of the time-stamp counter: each is longer than the one before by one.
const SHORTEST_TURN: u64 = 40;
/// Processor models that boots have in turn, where none is asked for: how 32-bit programs enter differs, and what protects the kernel.
const MODELS: [&str; 4] = ["max", "Skylake-Client", "EPYC", "qemu64"];

/// Runs the subcommand.
pub fn main(arguments: Arguments) -> Result<()> {
    let prepared = Prepared::new(Needs::EMULATOR)?;
    let machine = arguments.machine.machine();
    let counted = machine.accelerator == Accelerator::Tcg && !arguments.free;
    let machine = if counted { machine.counting_instructions() } else { machine };
    let first = arguments.seed.unwrap_or_else(seed_of_the_clock);
    let end = Instant::now() + Duration::from_secs_f64(60.0 * arguments.minutes);
    let step = Step::start("fuzzing");
    let (mut next, mut boots, mut mark) = (first, 0, "");
    while boots == 0 || arguments.rounds.is_none() && Instant::now() < end {
        let model = MODELS[boots % MODELS.len()];
        let chosen = arguments.machine.cpu.is_some() || machine.accelerator != Accelerator::Tcg;
        let machine = if chosen { machine.clone() } else { Machine { cpu: model.to_owned(), ..machine.clone() } };
        let rounds = arguments.rounds.unwrap_or(if arguments.exchange { EXCHANGES } else { ROUNDS });
        step.note(&format!("at seed {next}, {} seeds done", next - first));
        let boot = Boot { arguments: &arguments, machine, first: next, rounds };
        mark = boot.run(&prepared)?;
        next += rounds;
        boots += 1;
    }
    step.finish("nothing found");
    println!("{} seeds from {first} on, in {boots} boots: nothing found{mark}", next - first);
    Ok(())
}

/// One boot.
struct Boot<'a> {
    arguments: &'a Arguments,
    machine: Machine,
    first: u64,
    rounds: u64,
}

impl Boot<'_> {
    /// What lines about it end with.
    fn run(&self, prepared: &Prepared) -> Result<&'static str> {
        let exchange = self.arguments.exchange;
        let config = Config::new([if exchange { Scenario::Exchange } else { Scenario::Fuzz }]);
        let mut config = self.arguments.config.apply(config, self.machine.accelerator)?;
        let setting = |key: &str, value: u64| (key.to_owned(), value.to_string());
        if exchange {
            config.extra.push(setting("shortest_turn", SHORTEST_TURN));
            config.allow_unenforced = true;
        }
        config.extra.extend([setting("seed", self.first), setting("fuzz_rounds", self.rounds)]);
        let report = prepared.boot("fuzz", &self.machine, &config, self.arguments.timeout.duration(), false)?;
        let Some((seed, what)) = finding(&report) else { return Ok(report.mark()) };
        let reached = report.last_lines.iter().map(String::as_str);
        reached.for_each(|line| println!("    | {line}"));
        match seed {
            Some(seed) => bail!("seed {seed}: {what}; to have it again: {}", self.again(seed)),
            None => bail!("before the first seed: {what}"),
        }
    }

    /// The command that does the same up to this seed.
    fn again(&self, seed: u64) -> String {
        let Self { arguments, machine, first, .. } = self;
        let mut command =
            format!("cargo xtask fuzz --seed {first} --rounds {} --cpu {}", seed - first + 1, machine.cpu);
        let options = [
            ("--check-invariants", arguments.config.check_invariants),
            ("--exchange", arguments.exchange),
            ("--free", arguments.free),
            ("--allow-unenforced", arguments.config.allow_unenforced),
        ];
        options.iter().filter(|option| option.1).for_each(|option| push(&mut command, option.0, ""));
        push(&mut command, "--isolation", arguments.config.isolation.word());
        arguments.config.extra.iter().for_each(|(key, value)| push(&mut command, "--set", &format!("{key}={value}")));
        command
    }
}

fn push(command: &mut String, option: &str, value: &str) {
    let separator = if value.is_empty() { "" } else { " " };
    // Writing to a string does not fail.
    let _ = write!(command, " {option}{separator}{value}");
}

/// What a boot found, and in which seed.
fn finding(report: &Report) -> Option<(Option<u64>, String)> {
    let failed = report.records.iter().find_map(|record| match record {
        Record::Test { name, outcome: Outcome::Failed(reason) } => Some((seed_in(name), reason.clone())),
        _ => None,
    });
    let at_work = || report.last_lines.iter().rev().find_map(|line| seed_at_work(unmarked(line)));
    let tests = report.records.iter().filter(|record| matches!(record, Record::Test { .. })).count();
    let ended = || match report.check() {
        Err(complaint) => Some((at_work(), format!("{complaint:#}"))),
        Ok(()) if tests == 0 => Some((None, "the guest reported nothing".to_owned())),
        Ok(()) => None,
    };
    failed.or_else(ended)
}

/// The seed in a line that says that it begins.
fn seed_at_work(line: &str) -> Option<u64> {
    ["fuzz: seed ", "exchange: seed "].iter().find_map(|words| line.strip_prefix(words))?.parse().ok()
}

/// The seed in `fuzz-seed-17`.
fn seed_in(name: &str) -> Option<u64> {
    name.rsplit_once('-')?.1.parse().ok()
}

fn seed_of_the_clock() -> u64 {
    // Far enough apart that two runs have no seed in common.
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| since.as_secs() * 1000)
}

fn minutes(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(minutes) if (0.0..=1e6).contains(&minutes) => Ok(minutes),
        _ => Err("minutes are a number, such as 30 or 0.5".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use lilliput_abi::boot::exit;

    use super::*;
    use crate::boot::Ending;

    fn found(lines: &[&str], ending: Ending) -> Option<(Option<u64>, String)> {
        let records = lines.iter().filter_map(|line| Record::parse(line)).collect();
        let last_lines: VecDeque<String> =
            lines.iter().filter(|line| !line.starts_with('@')).map(|line| (*line).to_owned()).collect();
        finding(&Report { records, ending, last_lines, quoted: Vec::new() })
    }

    #[test]
    fn a_round_that_failed_is_found() {
        let lines = ["fuzz: seed 7", "@test fuzz-seed-7 ok", "fuzz: seed 8", "@test fuzz-seed-8 FAILED it took"];
        assert_eq!(found(&lines, Ending::Exit(exit::FAILURE)), Some((Some(8), "it took".to_owned())));
        assert_eq!(found(&lines[..2], Ending::Success), None);
    }

    #[test]
    fn a_panic_is_in_the_round_that_ran() {
        let lines = ["fuzz: seed 7", "@test fuzz-seed-7 ok", "fuzz: seed 8", "KERNEL PANIC: x"];
        let (seed, what) = found(&lines, Ending::Exit(exit::PANIC)).unwrap();
        let lines = ["exchange: seed 3 UNENFORCED", "KERNEL PANIC: x"];
        assert_eq!(found(&lines, Ending::Exit(exit::PANIC)).unwrap().0, Some(3));
        assert!(seed == Some(8) && what.contains("KERNEL PANIC: x"), "{what}");
    }

    #[test]
    fn silence_is_no_success() {
        assert_eq!(found(&[], Ending::Success).unwrap().0, None);
    }
}
