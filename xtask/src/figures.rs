//! Figures of any experiment, in one scheme: what `bench` writes with `--json`, and what `report` reads, merges, compares and shows.
//!
//! A file is `{"experiments": [...]}`. An [`Experiment`] names its keys and the columns of its figures with their unit, says what was done, how to do it
//! again and what the figures leave out, and declares the plots that it wants. A [`Row`] has values for the keys, figures for the columns, the
//! platform, and whether segment limits were enforced. Nothing here knows any experiment: one that is new is shown without new code.

mod beside;
mod clocked;
mod compare;
mod experiment;
mod log;
mod merge;
mod read;
mod records;
mod row;
mod table;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

pub use self::beside::NAME as BESIDE;
pub use self::compare::{Change, changes};
pub use self::experiment::{Column, Experiment, How, Plot, Scale, Shape};
pub use self::row::{Figure, Key, Limits, NO_MACHINE, Row, bytes, shown};

/// All that a file has.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Figures {
    /// The experiments, in the order in which they are shown.
    pub experiments: Vec<Experiment>,
}

impl Figures {
    /// The experiment of this name.
    pub fn find(&self, name: &str) -> Option<&Experiment> {
        self.experiments.iter().find(|experiment| experiment.name == name)
    }

    /// The file's text.
    pub fn json(&self) -> Result<String> {
        self.check()?;
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    /// Writes the file.
    pub fn write(&self, file: &Path) -> Result<()> {
        fs::write(file, self.json()?).with_context(|| format!("can't write {}", file.display()))
    }

    /// An error where a row has what its experiment does not declare, or lacks a key.
    pub fn check(&self) -> Result<()> {
        self.experiments.iter().try_for_each(Experiment::check)
    }
}

impl From<Experiment> for Figures {
    fn from(experiment: Experiment) -> Self {
        Self { experiments: vec![experiment] }
    }
}
