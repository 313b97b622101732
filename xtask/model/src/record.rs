//! What comes of a batch, as the plugin writes it: a line of JSON for each.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::count::Counts;
use crate::memory::Misses;
use crate::processor::Breakdown;

/// One way of an operation that was done again and again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// What the guest says that is measured: the case.
    pub case: Value,
    /// The batch of that case, in the guest's words.
    pub batch: String,
    /// Which way of the operation, from 0 on.
    pub way: usize,
    /// How often it was done after warming up.
    pub rounds: u64,
    /// How many of these took as many instructions as the median, and are what follows: the others were interrupted.
    pub alike: u64,
    /// What one of them walked page tables for on a processor whose TLB nothing was flushed from: a page that was new, or did not fit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub walk: Option<String>,
    /// The counts of the last one.
    pub counts: Counts,
    /// What processors would make of it.
    pub modelled: Vec<Modelled>,
}

/// What a processor would make of it. All of this is modelled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Modelled {
    /// Its name.
    pub processor: String,
    /// Whether it tags TLB entries.
    pub tagged: bool,
    /// Misses of all operations that are alike, together.
    pub misses: Misses,
    /// Cycles of one.
    pub cycles: Breakdown,
}

impl Record {
    /// What a processor would make of it, with tags or without.
    pub fn on(&self, processor: &str, tagged: bool) -> Option<&Modelled> {
        self.modelled.iter().find(|modelled| modelled.processor == processor && modelled.tagged == tagged)
    }

    /// Walks of page tables for one operation.
    pub fn walks(&self, modelled: &Modelled) -> f64 {
        (modelled.misses.code_walks + modelled.misses.data_walks) as f64 / self.alike.max(1) as f64
    }
}
