//! What happened in all, as the threads tell, and what should have.

use alloc::format;
use alloc::string::String;
use core::fmt;

use lilliput_abi::object::kind;
use lilliput_runtime::Word;
use lilliput_runtime::exchange::{KINDS, report};

use super::change::{CHANGES, NAMES};

/// Counts.
#[derive(Default)]
pub struct Totals {
    /// Answers that were right, by the client's kind and the server's.
    answers: [[Word; KINDS]; KINDS],
    /// Messages taken, by the sender's kind and the server's.
    taken: [[Word; KINDS]; KINDS],
    /// By the report, but for those.
    others: [[Word; 3]; report::COUNT],
    /// How often each change was made.
    pub changes: [Word; CHANGES],
}

/// Names of what [`Totals::others`] has, by the report.
const OTHERS: [(Word, [&str; 3]); 3] = [
    (report::ENDS, ["deadlines that ran out", "partners gone", "calls left unanswered"]),
    (report::OTHERS, ["capabilities gone", "partners busy", "page faults"]),
    (report::SIGNALS, ["signals", "waits without one", ""]),
];

impl Totals {
    /// Adds what a thread of that kind handed over.
    pub fn add(&mut self, own: u64, result: &[Word; 4]) {
        let own = own as usize;
        for (index, &count) in result[1..].iter().enumerate() {
            match result[0] {
                report::ANSWERS => self.answers[own][index] += count,
                report::TAKEN => self.taken[index][own] += count,
                other if other < report::COUNT => self.others[other][index] += count,
                _ => {}
            }
        }
    }

    /// Something that should have happened and did not.
    pub fn missing(&self) -> Option<String> {
        for client in 0..KINDS {
            for server in 0..KINDS {
                if self.answers[client][server] == 0 || self.taken[client][server] == 0 {
                    return Some(format!(
                        "exchange from {} to {}",
                        kind::name(client as u64),
                        kind::name(server as u64)
                    ));
                }
            }
        }
        let others = self.named().find(|(count, _)| *count == 0).map(|(_, name)| name);
        let changes = NAMES.iter().zip(&self.changes).find(|(_, count)| **count == 0).map(|(name, _)| *name);
        others.or(changes).map(String::from)
    }

    fn named(&self) -> impl Iterator<Item = (Word, &'static str)> + '_ {
        let named =
            OTHERS.iter().flat_map(|(report, names)| self.others[*report].into_iter().zip(names.iter().copied()));
        named.filter(|(_, name)| !name.is_empty())
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        let answers: Word = self.answers.iter().flatten().sum();
        let taken: Word = self.taken.iter().flatten().sum();
        write!(formatter, "{answers} answers, {taken} messages taken")?;
        self.named().try_for_each(|(count, name)| write!(formatter, ", {count} {name}"))?;
        NAMES.iter().zip(&self.changes).try_for_each(|(name, count)| write!(formatter, ", {count} {name}"))
    }
}
