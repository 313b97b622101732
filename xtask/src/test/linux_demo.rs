//! The demonstration of Linux programs, as somebody sees it.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::linux::suite;
use super::tally::Tally;
use crate::boot::Show;
use crate::linux::{Architecture, LinePrograms, demo_job, status};
use crate::machine::{Machine, serial};
use crate::prepare::Prepared;

/// Name of the suite.
pub const NAME: &str = "linux-demo";

/// What it must show: words that one line has.
const SHOWN: &[&[&str]] = &[
    &["144"],
    &["121"],
    &["is what both say"],
    &["small", "page", "/bin32/sh"],
    &["64-bit", "/bin64/sh"],
    &["small", "page", "/bin32/sleep", "100"],
    &["64-bit", "/bin64/cat"],
    &["arena 0:", "small tasks"],
    &["arena 2:", "small tasks"],
    &["2 small tasks are left"],
];

/// Boots and counts.
pub fn run(prepared: &Prepared, programs: &Result<LinePrograms>, limit: Duration, tally: &mut Tally) {
    suite(NAME, programs, tally, |programs, _| boot(prepared, programs, limit));
}

fn boot(prepared: &Prepared, programs: &LinePrograms, limit: Duration) -> Result<()> {
    let config = demo_job(programs, Architecture::I386)?.config()?;
    let report = prepared.boot(NAME, &Machine::of_tests(), &config, limit, Show::Nothing)?;
    let (status, complaint) = status(&report);
    ensure!(status == 0, "status {status}: {}", complaint.unwrap_or_default());
    let file = prepared.folder(NAME).join(serial::OUTPUT);
    let output = fs::read(&file).with_context(|| format!("can't read {}", file.display()))?;
    let output = String::from_utf8_lossy(&output);
    for words in SHOWN {
        let found = output.lines().any(|line| words.iter().all(|word| line.contains(word)));
        ensure!(found, "it does not show {}", words.join(" "));
    }
    Ok(())
}
