//! The attack suite: every attack in a task of its own, beside witnesses; see `tests/attack`.
//!
//! Reading order: here -> [`attacker`] (what an attack gets) -> [`super::scene`] (the witnesses) -> [`verdict`].

mod attacker;
mod verdict;

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use lilliput_abi::Isolation;
use lilliput_attack::table::{self, Expected};

use super::scene::{limits_enforced, mode_name};
use crate::failure::Failure;
use crate::output::say;
use crate::settings::Settings;
use crate::supervisor::Supervisor;
use attacker::Stage;
use verdict::Verdict;

/// How many attacks came to what.
#[derive(Default)]
struct Tally {
    contained: usize,
    escaped: usize,
    unexpected: usize,
    skipped: usize,
}

impl Tally {
    /// Counts an attack, prints its line and its record.
    fn count(&mut self, name: &str, mode: &str, verdict: &Verdict) {
        *match verdict {
            Verdict::Contained(_) => &mut self.contained,
            Verdict::Escaped(_) => &mut self.escaped,
            Verdict::Unexpected(_) => &mut self.unexpected,
            Verdict::Skipped(_) => &mut self.skipped,
        } += 1;
        say!("  {name:<40} {mode:<13} {verdict}");
        say!("@attack {name} {mode} {}", verdict.record());
    }
}

/// Runs the attacks that the configuration names, or all, in the isolation modes that it names; fails if one of them
/// was not contained.
pub fn run(supervisor: &mut Supervisor, settings: &Settings) -> Result<(), Failure> {
    let limits = limits_enforced()?;
    let mut tally = Tally::default();
    supervisor.expects_failures = true;
    // What a selector gives does not depend on the isolation mode: all 65,536 are tried in the first one only.
    let mut thorough = settings.all_selectors;
    for &isolation in modes(settings.isolation) {
        let mode = mode_name(isolation, limits);
        if isolation == Isolation::Segment && !limits && settings.isolation == Isolation::Auto {
            let mode = isolation.name();
            for (_, _, name) in wanted(settings) {
                tally.count(&name, mode, &Verdict::Skipped("limits not enforced on this platform"));
            }
            continue;
        }
        say!("attacks in `{mode}` mode:");
        let mut stage = Stage::new(supervisor, isolation, thorough)?;
        for (number, kind, name) in wanted(settings) {
            let verdict = judge(supervisor, &stage, settings, number, kind)?;
            tally.count(&name, mode, &verdict);
            // Witnesses that were harmed testify no more.
            if !verdict.is_well() {
                stage.end(supervisor)?;
                stage = Stage::new(supervisor, isolation, thorough)?;
            }
        }
        stage.end(supervisor)?;
        thorough = false;
    }
    supervisor.expects_failures = false;
    let Tally { contained, escaped, unexpected, skipped } = tally;
    say!(
        "attacks: {contained} contained, {escaped} ESCAPED, {unexpected} ended otherwise than expected, {skipped} skipped"
    );
    match (escaped + unexpected, contained + skipped) {
        (0, 0) => Err(Failure::new("no attack has a name that the configuration asks for")),
        (0, _) => Ok(()),
        (bad, _) => Err(Failure::new(format!("{bad} attacks were not contained as they must be"))),
    }
}

/// Where nothing else is asked for, small tasks are attacked from in both modes that confine them.
fn modes(asked: Isolation) -> &'static [Isolation] {
    match asked {
        Isolation::Auto => &[Isolation::Segment, Isolation::Page],
        Isolation::Segment => &[Isolation::Segment],
        Isolation::Page => &[Isolation::Page],
        Isolation::PageUntagged => &[Isolation::PageUntagged],
    }
}

/// Number, kind of task and full name of each attack that is to be run.
fn wanted(settings: &Settings) -> Vec<(usize, u64, String)> {
    let mut all = Vec::new();
    for (number, attack) in table::all().enumerate() {
        for &kind in attack.kinds {
            let name = attack.named(kind).to_string();
            let asked = |filter: &String| *filter == name || *filter == attack.name;
            if settings.attacks.is_empty() || settings.attacks.iter().any(asked) {
                all.push((number, kind, name));
            }
        }
    }
    all
}

/// Runs all variants of an attack, until one was not contained.
fn judge(
    supervisor: &mut Supervisor,
    stage: &Stage,
    settings: &Settings,
    number: usize,
    kind: u64,
) -> Result<Verdict, Failure> {
    let attack = table::numbered(number).ok_or_else(|| Failure::new("the table of attacks changed"))?;
    let limits = limits_enforced()?;
    if let Some(reason) = attack.not_unenforced.filter(|_| !limits) {
        return Ok(Verdict::Skipped(reason));
    }
    let mut last = Verdict::Skipped("it has no variant");
    let seeds =
        settings.code_seeds.clone().filter(|_| attack.expected == Expected::Any).unwrap_or(0..attack.variants.into());
    for variant in seeds {
        let ended = stage.run(supervisor, number, kind, variant)?;
        last = Verdict::new(attack.expected, limits, &ended);
        if !last.is_well() {
            return Ok(if attack.variants > 1 { last.of_variant(variant) } else { last });
        }
    }
    Ok(last)
}
