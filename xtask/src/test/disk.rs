//! The test of the disk: an image is made, the guest finds what is on it and writes to it, and then the image is looked at.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lilliput_runtime::disk::pattern::{self, SECTORS, WORDS};

use super::tally::Tally;
use crate::boot::{Outcome, Record};
use crate::build::{Config, Scenario};
use crate::machine::{Disk, Machine};
use crate::prepare::Prepared;

/// Name of the suite.
pub const NAME: &str = "disk";

/// Boots and counts.
pub fn run(prepared: &Prepared, limit: Duration, verbose: bool, tally: &mut Tally) {
    tally.suite(NAME, |tally| {
        if let Err(error) = boot(prepared, limit, verbose, tally) {
            tally.count(NAME, "boot", &Outcome::Failed(format!("{error:#}")));
        }
    });
}

fn boot(prepared: &Prepared, limit: Duration, verbose: bool, tally: &mut Tally) -> Result<()> {
    let folder = prepared.folder(NAME);
    fs::create_dir_all(&folder).with_context(|| format!("can't make {}", folder.display()))?;
    let image = folder.join("disk.img");
    fs::write(&image, contents(false)).with_context(|| format!("can't write {}", image.display()))?;
    let machine =
        Machine { disk: Some(Disk { image: image.clone(), read_only: false, requests: None }), ..Machine::of_tests() };
    let report = prepared.boot(NAME, &machine, &Config::new([Scenario::Disk]), limit, verbose)?;
    let mut tests = 0;
    for record in &report.records {
        if let Record::Test { name, outcome } = record {
            tests += 1;
            tally.count(NAME, name, outcome);
        }
    }
    ensure!(tests > 0, "the guest reported no test");
    report.check()?;
    tally.count(NAME, "boot", &Outcome::Passed);
    let outcome = check(&image).map_or_else(|error| Outcome::Failed(format!("{error:#}")), |()| Outcome::Passed);
    tally.count(NAME, "the image holds what the guest wrote, and else what it held", &outcome);
    Ok(())
}

fn contents(after: bool) -> Vec<u8> {
    let word = |sector| (0..WORDS).flat_map(move |place| pattern::word(sector, place, after).to_le_bytes());
    (0..SECTORS).flat_map(word).collect()
}

fn check(image: &Path) -> Result<()> {
    let found = fs::read(image).with_context(|| format!("can't read {}", image.display()))?;
    let expected = contents(true);
    ensure!(found.len() == expected.len(), "it has {} bytes, and had {}", found.len(), expected.len());
    let different = found.iter().zip(&expected).position(|(found, expected)| found != expected);
    ensure!(different.is_none(), "byte {} is another", different.unwrap_or_default());
    Ok(())
}
