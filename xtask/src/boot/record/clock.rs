//! What a batch of an experiment took by a clock, as the guest says it (`servers/src/root/scenario/watched.rs`).

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use serde::Deserialize;
use serde_json::Value;

/// The time-stamp counter's name; others are performance counters, by their names in `lilliput_abi::object::counter`.
pub const TICKS: &str = "ticks";

/// A batch by one clock.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clocked {
    /// The scenario that it is of.
    pub scenario: String,
    /// What was measured: kinds of task, isolation, and what the scenario says.
    pub case: BTreeMap<String, Value>,
    /// The batch's name.
    pub batch: String,
    /// The clock's name.
    pub clock: String,
    /// Rounds, of which a quarter warmed up.
    pub rounds: u64,
    /// What was taken off each for measuring it.
    pub nothing: u32,
    /// What a round took at least.
    pub least: u32,
    /// The median.
    pub median: u32,
    /// What nine in ten do not exceed.
    pub p90: u32,
    /// What 99 in 100 do not exceed.
    pub p99: u32,
    /// Whether the platform enforces segment limits.
    pub limits_enforced: bool,
}

impl Clocked {
    /// Whether the numbers can be what they say.
    ///
    /// # Errors
    /// What is wrong.
    pub fn check(&self) -> Result<()> {
        ensure!(self.rounds > 0, "no round");
        let sorted = [self.least, self.median, self.p90, self.p99].is_sorted();
        ensure!(sorted, "{} at least, a median of {}, then {} and {}", self.least, self.median, self.p90, self.p99);
        Ok(())
    }
}
