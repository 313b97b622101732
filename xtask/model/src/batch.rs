//! A batch of alike operations, and what comes of it.

use serde_json::Value;

use crate::count::Counts;
use crate::memory::Misses;
use crate::processor::Processor;
use crate::record::{Modelled, Record};

/// What lies between two marks.
#[derive(Clone, Debug)]
pub struct Window {
    /// What was counted.
    pub counts: Counts,
    /// What each memory missed.
    pub misses: Vec<Misses>,
    /// What was walked for last, tags or not.
    pub walk: Option<String>,
}

/// Windows of a batch, one after the other.
#[derive(Debug)]
pub struct Batch {
    case: Value,
    name: String,
    /// How many ways an operation has: each is a window.
    ways: usize,
    windows: Vec<Window>,
}

impl Batch {
    /// An empty one. The case says how many ways an operation has, as a list `ways`.
    pub fn new(case: &Value, name: String) -> Self {
        let ways = case["ways"].as_array().map_or(1, Vec::len).max(1);
        Self { case: case.clone(), name, ways, windows: Vec::new() }
    }

    /// Another window.
    pub fn push(&mut self, window: Window) {
        self.windows.push(window);
    }

    /// A record for each way.
    pub fn records(&self, memories: &[(&Processor, bool)]) -> Vec<Record> {
        (0..self.ways).filter_map(|way| self.record(way, memories)).collect()
    }

    fn record(&self, way: usize, memories: &[(&Processor, bool)]) -> Option<Record> {
        let all: Vec<_> = self.windows.iter().skip(way).step_by(self.ways).collect();
        // A quarter warms up.
        let warm = &all[all.len() / 4..];
        let length = |window: &Window| (window.counts.user.instructions, window.counts.kernel.instructions);
        let mut lengths: Vec<_> = warm.iter().map(|window| length(window)).collect();
        lengths.sort_unstable();
        let median = *lengths.get(lengths.len() / 2)?;
        let alike: Vec<_> = warm.iter().filter(|window| length(window) == median).collect();
        let counts = alike.last()?.counts.clone();
        let modelled = memories.iter().enumerate().map(|(number, &(processor, tagged))| {
            let mut misses = Misses::default();
            alike.iter().for_each(|window| misses += window.misses[number]);
            let cycles = processor.modelled(&counts, &misses, alike.len() as u64);
            Modelled { processor: processor.name.to_owned(), tagged, misses, cycles }
        });
        Some(Record {
            case: self.case.clone(),
            batch: self.name.clone(),
            way,
            rounds: warm.len() as u64,
            alike: alike.len() as u64,
            modelled: modelled.collect(),
            walk: alike.iter().rev().find_map(|window| window.walk.clone()),
            counts,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::processor::by_name;

    fn window(instructions: u64, data_walks: u64) -> Window {
        let mut counts = Counts::default();
        counts.kernel.instructions = instructions;
        Window { counts, misses: vec![Misses { data_walks, ..Misses::default() }], walk: None }
    }

    #[test]
    fn the_usual_ones_count_once_warm() {
        let case = serde_json::json!({ "ways": ["call", "reply"] });
        let mut batch = Batch::new(&case, "4".to_owned());
        // Two rounds of eight warm up, and one is interrupted.
        for (there, walks) in [(99, 9), (40, 9), (40, 1), (40, 1), (900, 9), (40, 1), (40, 2), (40, 0)] {
            batch.push(window(there, walks));
            batch.push(window(30, 0));
        }
        let records = batch.records(&[(by_name("zen3").unwrap(), true)]);
        let [call, reply] = records.as_slice() else { panic!("two ways") };
        assert_eq!((call.rounds, call.alike, call.counts.kernel.instructions), (6, 5, 40));
        assert_eq!(call.modelled[0].misses.data_walks, 5);
        assert_eq!(call.walks(&call.modelled[0]), 1.0);
        assert_eq!((reply.way, reply.alike, reply.counts.kernel.instructions), (1, 6, 30));
        assert!(Batch::new(&case, String::new()).records(&[]).is_empty());
    }
}
