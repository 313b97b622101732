//! What the plugin counts of a boot: each path's instructions, lines and pages, and what processors by name would make of them.

mod check;
pub mod crossover;
mod library;
mod record;
pub mod table;

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};
use lilliput_model::Record;

pub use self::check::{Check, checks};
pub use self::library::Library;
pub use self::record::{Path, name};
use crate::boot::{Report, Show};
use crate::build::{Config, Scenario};
use crate::figures::Limits;
use crate::machine::{Machine, Plugin};
use crate::prepare::Prepared;
use crate::report::Row;

/// What the plugin wrote in a boot in this folder.
pub fn records(folder: &std::path::Path) -> Result<Vec<Record>> {
    let output = Plugin::output(folder);
    let text = fs::read_to_string(&output).with_context(|| format!("can't read {}", output.display()))?;
    let records: Result<_, _> = text.lines().map(serde_json::from_str).collect();
    records.context("the plugin's output is not understood")
}

/// What came of a boot.
pub struct Counted {
    /// The guest's report.
    pub report: Report,
    /// What the plugin made of it, in the guest's order.
    pub records: Vec<Record>,
    /// The emulator and its processor model.
    pub platform: String,
}

impl Counted {
    /// Boots with the plugin, under a time-stamp counter that counts instructions.
    pub fn new(
        prepared: &Prepared,
        library: &Library,
        boot: &str,
        scenario: Scenario,
        limits: (Duration, impl Into<Show>),
    ) -> Result<Self> {
        let config = Config { allow_unenforced: true, ..Config::new([scenario]) };
        Self::of(prepared, library, boot, config, limits)
    }

    /// The same with a configuration.
    pub fn of(
        prepared: &Prepared,
        library: &Library,
        boot: &str,
        config: Config,
        (limit, show): (Duration, impl Into<Show>),
    ) -> Result<Self> {
        let machine =
            Machine { plugin: Some(library.plugin(prepared)?), ..Machine::of_tests().counting_instructions() };
        let mut config = Config { instructions: true, ..config };
        config.extra.push(("counts".to_owned(), "yes".to_owned()));
        let report = prepared.boot(boot, &machine, &config, limit, show)?;
        report.check().with_context(|| format!("boot `{boot}`"))?;
        let records = records(&prepared.folder(boot))?;
        Ok(Self { report, records, platform: machine.platform()? })
    }

    /// Whether segment limits confined small tasks of this isolation mode.
    pub fn limits(&self, isolation: Option<&str>) -> Limits {
        Limits::of(isolation, self.report.mark().is_empty())
    }

    /// The row that the guest measured of the same path by the time-stamp counter.
    pub fn row(&self, record: &Record) -> Option<&Row> {
        let path = Path::of(record)?;
        self.report.rows().find(|row| path.is(row))
    }
}
