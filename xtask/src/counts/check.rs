//! What has to be true of the counts, whatever they are.

use anyhow::{Result, ensure};
use lilliput_model::{Class, Record};

use super::{Counted, Path, name};

/// One thing that was checked: its name, and what came of it.
pub type Check = (String, Result<()>);

/// How many of a batch's operations may have been interrupted.
const INTERRUPTED: u64 = 3;

/// Walks that a way may take on a Zen 3 without tags, its receiver's first instruction included: what it takes today. The first is the page of a
/// small task's entry page, the others those of its stack and of where it goes on.
const WALKS: [(&str, &str, &str, &str, f64); 5] = [
    ("call", "small", "small", "page-untagged", 3.0),
    ("reply", "small", "small", "page-untagged", 3.0),
    ("call", "64", "64", "-", 1.0),
    ("reply", "64", "64", "-", 1.0),
    ("call", "small", "host", "page-untagged", 0.0),
];

/// All checks of a boot of the scenario `bench`.
pub fn checks(counted: &Counted) -> Vec<Check> {
    let measured = counted.report.rows().filter(|row| row.instructions.is_some()).count();
    let mut checks = Vec::new();
    let mut compared = 0;
    for record in &counted.records {
        let (Some(path), Some(row)) = (Path::of(record), counted.row(record)) else { continue };
        compared += 1;
        checks.push((name(&path), check(record, &path, row)));
    }
    let all = move || {
        ensure!(compared > 0 && compared == measured, "of {measured} rows {compared} were counted by the plugin too");
        Ok(())
    };
    checks.push(("every row is counted".to_owned(), all()));
    checks
}

fn check(record: &Record, path: &Path, row: &crate::report::Row) -> Result<()> {
    ensure!(record.alike + INTERRUPTED >= record.rounds, "only {} of {} are alike", record.alike, record.rounds);
    let by_counter = |number: &Option<serde_json::Number>| number.as_ref().and_then(serde_json::Number::as_u64);
    let counts = &record.counts;
    let (kernel, user) = (by_counter(&row.instructions), by_counter(&row.user_instructions));
    ensure!(
        kernel == Some(counts.kernel.instructions),
        "{} instructions of the kernel's, by the time-stamp counter {kernel:?}",
        counts.kernel.instructions
    );
    // The access that faults is not executed, and the counter does not count it; but it was begun.
    let begun = u64::from(path.name == "page fault");
    ensure!(
        user == Some(counts.user.instructions - begun),
        "{} of the user's, by the time-stamp counter {user:?}",
        counts.user.instructions
    );
    for (name, from, to, isolation, limit) in WALKS {
        if (path.name, path.from, path.to, path.isolation.unwrap_or("-")) == (name, from, to, isolation) {
            let walks = record.on("zen3", false).map(|modelled| record.walks(modelled));
            ensure!(walks.is_some_and(|walks| walks <= limit), "{walks:?} walks, the limit is {limit}");
        }
    }
    if path.keeps_root() {
        ensure!(counts.class(Class::Cr3Write) == 0, "it writes CR3");
        for modelled in &record.modelled {
            let walks = record.walks(modelled);
            ensure!(walks == 0.0, "{walks} walks a time on {}", modelled.processor);
        }
    }
    Ok(())
}

impl Path<'_> {
    /// Whether both sides use one root: small tasks of an arena in `segment` mode, and its host with them; and whether nobody maps in between.
    fn keeps_root(&self) -> bool {
        let hosted = matches!((self.from, self.to), ("small", "host") | ("host", "small"));
        let small = (self.from, self.to) == ("small", "small");
        let switches = matches!(self.name, "call" | "reply") || self.name.starts_with("foreign");
        switches && self.isolation == Some("segment") && (small || hosted)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Number;

    use super::*;
    use crate::counts::record::tests::record;
    use crate::report::{Row, tests::row};

    #[test]
    fn the_two_counts_have_to_agree() {
        let mut record = record(0, "04");
        (record.counts.kernel.instructions, record.counts.user.instructions) = (45, 4);
        let measured = |kernel: u64| {
            let (instructions, user) = (Some(Number::from(kernel)), Some(Number::from(4)));
            Row { instructions, user_instructions: user, ..row("call", 4, Some("segment")) }
        };
        let path = Path::of(&record).unwrap();
        assert!(check(&record, &path, &measured(45)).is_ok());
        assert!(check(&record, &path, &measured(46)).is_err());
        let mut writes = record.clone();
        writes.counts.classes[Class::Cr3Write as usize] = 1;
        assert!(check(&writes, &path, &measured(45)).is_err(), "small tasks and their host have one root");
        let interrupted = Record { alike: 2, ..record.clone() };
        assert!(check(&interrupted, &path, &measured(45)).is_err());
    }
}
