//! The guest tests: every trial in every kind of task and with every kind of partner that its line names.

mod fixture;

use alloc::format;
use alloc::string::String;

use lilliput_abi::object::{fact, kind};
use lilliput_abi::{Error, Isolation};
use lilliput_runtime::parent;
use lilliput_runtime::trial::list::{Expected, TRIALS, Trial};

use crate::SYSTEM;
use crate::failure::{Failure, context};
use crate::output::say;
use crate::settings::Settings;
use crate::supervisor::{Ending, PAGE_FAULT, Supervisor};
use fixture::{Finished, Fixture};

/// Where a trial runs: kind of its task, kind of its partner.
#[derive(Clone, Copy)]
struct Variant {
    kind: u64,
    partner: Option<u64>,
}

/// What came of one.
enum Verdict {
    Passed,
    Failed(String),
    Skipped(&'static str),
}

/// Runs those that the configuration names, or all; fails if one of them did.
pub fn run(supervisor: &mut Supervisor, settings: &Settings) -> Result<(), Failure> {
    let limits = context(SYSTEM.fact(fact::LIMITS_ENFORCED), "whether limits are enforced")? == 1;
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    supervisor.expects_failures = true;
    for (number, trial) in TRIALS.iter().enumerate() {
        for variant in variants(trial) {
            let name = name(trial, variant);
            let wanted = |test: &String| *test == name || *test == trial.name;
            if !settings.tests.is_empty() && !settings.tests.iter().any(wanted) {
                continue;
            }
            match judge(supervisor, settings, number, variant, limits)? {
                Verdict::Passed => {
                    passed += 1;
                    say!("@test {name} ok");
                }
                Verdict::Failed(reason) => {
                    failed += 1;
                    say!("@test {name} FAILED {reason}");
                }
                Verdict::Skipped(reason) => {
                    skipped += 1;
                    say!("@test {name} skipped {reason}");
                }
            }
        }
    }
    supervisor.expects_failures = false;
    say!("tests: {passed} passed, {failed} failed, {skipped} skipped");
    match (failed, passed + skipped) {
        (0, 0) => Err(Failure::new("no test has a name that the configuration asks for")),
        (0, _) => Ok(()),
        (_, _) => Err(Failure::new(format!("{failed} tests failed"))),
    }
}

fn variants(trial: &Trial) -> impl Iterator<Item = Variant> {
    let alone = trial.partners.is_empty().then_some(None);
    let partners = trial.partners.iter().map(|&partner| Some(partner)).chain(alone);
    partners.flat_map(|partner| trial.kinds.iter().map(move |&kind| Variant { kind, partner }))
}

/// `word-too-wide-64-to-small`; a trial of one kind only has its bare name.
fn name(trial: &Trial, variant: Variant) -> String {
    let kind = if trial.kinds.len() > 1 { format!("-{}", kind::name(variant.kind)) } else { String::new() };
    let partner = variant.partner.map(|partner| format!("-to-{}", kind::name(partner)));
    format!("{}{kind}{}", trial.name, partner.unwrap_or_default())
}

fn judge(
    supervisor: &mut Supervisor,
    settings: &Settings,
    number: usize,
    variant: Variant,
    limits: bool,
) -> Result<Verdict, Failure> {
    let trial = &TRIALS[number];
    if trial.limits && !limits {
        return Ok(Verdict::Skipped("limits not enforced on this platform"));
    }
    let isolation = if trial.limits { Isolation::Segment } else { settings.isolation };
    let fixture = match Fixture::new(supervisor, isolation, variant.kind, variant.partner)? {
        Ok(fixture) => fixture,
        Err(Error::Unsupported) => return Ok(Verdict::Skipped("this boot refuses the isolation mode")),
        Err(error) => return Ok(Verdict::Failed(format!("no arena or task for it: {}", error.name()))),
    };
    let finished = fixture.run(supervisor, number)?;
    let as_expected = match (trial.expected, finished.ending) {
        (Expected::Success, Ending::Exit(parent::SUCCESS)) => true,
        (Expected::Fault(vectors), Ending::Fault(fault)) => vectors.contains(&fault.vector),
        (Expected::PageFault(address), Ending::Fault(fault)) => {
            fault.vector == PAGE_FAULT && fault.address as u64 == address
        }
        // Going on as if nothing had been is one of the ways; a failed assertion is none.
        (Expected::AnyEnd, Ending::Exit(parent::SUCCESS) | Ending::Fault(_)) => true,
        _ => false,
    };
    Ok(if as_expected { Verdict::Passed } else { Verdict::Failed(reason(&finished)) })
}

fn reason(finished: &Finished) -> String {
    let how = match finished.ending {
        Ending::Exit(parent::SUCCESS) => String::from("it ended as if nothing had happened"),
        // The text says more.
        Ending::Exit(parent::PANICKED) => String::new(),
        Ending::Destroyed => String::from("its partner ended first"),
        ending => format!("{ending}"),
    };
    let line = format!("{how} {} {}", finished.text, finished.partner);
    line.replace('\n', " ").trim().into()
}
