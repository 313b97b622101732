//! `cargo xtask attack`: the attack suite on the platforms that can show what comes of it.

mod platform;
mod report;

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Result, bail};
use clap::Args;
use lilliput_attack::table;

use self::platform::Choice;
pub use self::platform::Platform;
use self::report::{Attacks, Row};
use crate::boot::{Ending, Outcome, Record};
use crate::build::{Config, Scenario};
use crate::options::{Isolation, Timeout};
use crate::prepare::Prepared;

/// Attacks the confinement of tasks, and shows what came of it.
///
/// Every attack is a small program, most of it assembly, in a task of its own beside witnesses: small tasks in the
/// neighbouring slots, the arena's host and a 64-bit task, which hold secrets in memory and registers and watch over
/// them. The table says for each attack, platform and isolation mode whether it was contained.
///
/// TCG checks no segment limits, so there attacks run in `page` mode. Bochs checks all that a processor checks, with
/// models of two makes, in `segment` and in `page` mode. The exit status is 0 if nothing escaped and every attack
/// ended as it must.
///
/// With `--json` the same is written as a list of records, one a cell of the table, with these keys: `attack`,
/// its name; `task`, the kind of the attacker (`small` or `64`); `tries`, what it tries; `manual`, the section of the
/// processor's manual; `platform`; `isolation`, the mode of small tasks; `outcome` (`contained`, `ESCAPED`,
/// `unexpected`, `skipped`); `reason`, or null.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Where to attack.
    #[arg(long, value_enum, default_value = "all")]
    platform: Choice,
    /// Run only these, separated by commas: names as `--list` shows them.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    only: Vec<String>,
    /// Isolation mode of small tasks; `auto` is `segment` where limits are enforced, and `page`.
    #[arg(long, value_enum, default_value = "auto")]
    isolation: Isolation,
    /// Let `segment` be attacked where nothing enforces limits: there attacks must escape.
    #[arg(long)]
    allow_unenforced: bool,
    /// Have the kernel check the rules of confinement at every entry and exit. Slow.
    #[arg(long)]
    check_invariants: bool,
    /// So many seeds for attacks by random code, instead of a few.
    #[arg(long, value_name = "N")]
    seeds: Option<u32>,
    /// The first of them.
    #[arg(long, value_name = "N", default_value_t = 0, requires = "seeds")]
    first_seed: u32,
    /// List the attacks and what they try, and run none.
    #[arg(long)]
    list: bool,
    /// Write what came of it to this file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Show what the guest prints.
    #[arg(long, short)]
    verbose: bool,
    #[command(flatten)]
    timeout: Timeout,
}

/// Runs the subcommand.
pub fn main(arguments: Arguments) -> Result<()> {
    if arguments.list {
        list();
        return Ok(());
    }
    check_names(&arguments.only)?;
    let (platforms, lacking) = within_reach(arguments.platform)?;
    let prepared = Prepared::new(platform::needs(&platforms))?;
    let config = config(&arguments);
    let mut attacks = Attacks::default();
    for platform in platforms {
        let emulator = platform.emulator();
        println!("--- attacking on {}", emulator.description());
        let started = Instant::now();
        let name = format!("attack-{}", platform.word());
        let limit = emulator.patience(arguments.timeout.duration());
        let report = prepared.boot_on(&emulator, &name, &config, limit, arguments.verbose)?;
        let before = attacks.rows.len();
        attacks.rows.extend(report.records.iter().filter_map(|record| match record {
            Record::Attack { name, mode, outcome } => {
                Some(Row { name: name.clone(), platform, mode: mode.clone(), outcome: outcome.clone() })
            }
            _ => None,
        }));
        let (records, seconds) = (attacks.rows.len() - before, started.elapsed().as_secs_f64());
        println!("--- {records} records after {seconds:.1} s{}", report.mark());
        // What failed is in the records; anything else is the boot's own failure.
        let failed = attacks.rows[before..].iter().any(|row| matches!(row.outcome, Outcome::Failed(_)));
        let told = failed && report.ending == Ending::Exit(lilliput_abi::boot::exit::FAILURE);
        if let Some(error) = report.check().err().filter(|_| !told) {
            attacks.complaints.push(format!("{}: {error:#}", platform.word()));
        }
    }
    if let Some(file) = &arguments.json {
        attacks.write_json(file)?;
    }
    println!("\n{}", attacks.text());
    lacking.iter().for_each(|line| println!("{line}"));
    match attacks.complaints().as_slice() {
        [] if attacks.rows.is_empty() => bail!("no attack was run"),
        [] => Ok(()),
        [only] => bail!("{only}"),
        [first, others @ ..] => {
            others.iter().for_each(|complaint| println!("{complaint}"));
            bail!("{first} (and {} more, above)", others.len())
        }
    }
}

/// The platforms that this machine has, and lines about those that it lacks.
fn within_reach(choice: Choice) -> Result<(Vec<Platform>, Vec<String>)> {
    let (mut platforms, mut lines) = (Vec::new(), Vec::new());
    for platform in choice.platforms() {
        match platform.lacking() {
            None => platforms.push(platform),
            Some(reason) => lines.push(format!("{} skipped: {reason}", platform.word())),
        }
    }
    match lines.as_slice() {
        [line] if platforms.is_empty() => bail!("{line}"),
        _ => Ok((platforms, lines)),
    }
}

fn config(arguments: &Arguments) -> Config {
    let mut config = Config::new([Scenario::Attack]);
    config.isolation = arguments.isolation;
    config.allow_unenforced = arguments.allow_unenforced;
    config.check_invariants = arguments.check_invariants;
    if !arguments.only.is_empty() {
        config.extra.push(("attacks".to_owned(), arguments.only.join(",")));
    }
    if let Some(seeds) = arguments.seeds {
        config.extra.push(("code_seeds".to_owned(), seeds.to_string()));
        config.extra.push(("first_code_seed".to_owned(), arguments.first_seed.to_string()));
    }
    config
}

fn list() {
    for attack in table::all() {
        for &kind in attack.kinds {
            println!("{:<40} {} ({})", attack.named(kind).to_string(), attack.tries, attack.manual);
        }
    }
}

/// A name that is none would leave its attack out without a word.
fn check_names(names: &[String]) -> Result<()> {
    for name in names {
        let known = |attack: &'static table::Attack| {
            attack.name == name || attack.kinds.iter().any(|&kind| attack.named(kind).to_string() == *name)
        };
        if !table::all().any(known) {
            bail!("there is no attack `{name}`; `--list` names them");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        assert!(check_names(&["hlt".into(), "hlt-64".into(), "heavens-gate".into()]).is_ok());
        assert!(check_names(&["hlt".into(), "heavens-gate-64".into()]).is_err());
    }
}
