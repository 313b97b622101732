//! Lines from the guest that are meant for xtask. They begin with `@`.
//!
//! - `@row {JSON}`: a row of the switch-cost table
//! - `@cost {JSON}`: what an operation costs beside so many others
//! - `@clock {JSON}`: what a batch of an experiment took by a clock
//! - `@test NAME ok`, `@test NAME FAILED reason`, `@test NAME skipped reason`
//! - `@attack NAME MODE contained`, `@attack NAME MODE ESCAPED reason`, `... unexpected reason`, `... skipped reason`
//! - `@program NAME MODE END ...` with `exit CODE`, `exception ...`, `overtime SECONDS`, `interrupted` or `refused REASON` for END
//! - `@witnesses NAME whole`, `@witnesses NAME HARMED ...`: what became of those beside that program
//! - `@linux END`, and for one command of many `@line NAME END`, with `exit STATUS`, `signal NUMBER`, `refused ERRNO REASON`,
//!   `overtime SECONDS` or `died REASON` for END: how a Linux program ended, by itself or with its server
//! - `@budget NAME MEASURED LIMIT`: a count, of instructions unless it says otherwise, that must not exceed its limit
//!
//! Where small tasks are not confined, every line ends with a mark that says so: see [`unmarked`].

use lilliput_abi::boot::UNENFORCED;

mod clock;
mod linux;
mod visit;

pub use self::clock::{Clocked, TICKS};
pub use self::linux::LinuxEnd;
pub use self::visit::End;
use crate::report::{Cost, Row};

/// A record.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// A row of the table.
    Row(Box<Row>),
    /// What something costs beside so many others.
    Cost(Cost),
    /// What a batch took by a clock.
    Clock(Box<Clocked>),
    /// What came of a test.
    Test {
        /// Its name.
        name: String,
        /// What came of it.
        outcome: Outcome,
    },
    /// What came of an attack.
    Attack {
        /// Its name.
        name: String,
        /// The isolation mode of small tasks.
        mode: String,
        /// What came of it; the reason of a failure begins with `ESCAPED` or `unexpected`.
        outcome: Outcome,
    },
    /// How a visitor ended.
    Visit {
        /// Its name.
        name: String,
        /// Its isolation mode, if it was a small task.
        mode: Option<String>,
        /// How it ended.
        end: End,
    },
    /// What became of the witnesses beside a visitor.
    Witnesses {
        /// The visitor's name.
        name: String,
        /// What is wrong with them, or with the kernel.
        damage: Option<String>,
    },
    /// How a Linux program ended.
    Linux {
        /// The name of the command line, where many are run.
        line: Option<String>,
        /// How it ended.
        end: LinuxEnd,
    },
    /// Something that begins like a record but is none, and why.
    Malformed(String),
}

/// What came of a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It passed.
    Passed,
    /// It failed, for this reason.
    Failed(String),
    /// It was not run, for this reason.
    Skipped(String),
}

/// A line of the guest's without the mark that it has where `segment` mode is used though nothing enforces limits.
pub fn unmarked(line: &str) -> &str {
    line.strip_suffix(UNENFORCED).map_or(line, |line| line.strip_suffix(' ').unwrap_or(line))
}

impl Record {
    /// Reads a line; `None` if it is for people.
    pub fn parse(line: &str) -> Option<Self> {
        let line = unmarked(line);
        let (kind, rest) = line.strip_prefix('@')?.split_once(' ')?;
        let record = match kind {
            "row" => serde_json::from_str(rest).map(Self::Row).map_err(|error| error.to_string()),
            "cost" => serde_json::from_str(rest).map(Self::Cost).map_err(|error| error.to_string()),
            "clock" => serde_json::from_str(rest).map(Self::Clock).map_err(|error| error.to_string()),
            "test" => test(rest).ok_or_else(|| "it names no outcome".to_owned()),
            "attack" => attack(rest).ok_or_else(|| "it names no outcome".to_owned()),
            "program" => visit::end(rest).ok_or_else(|| "it names no end".to_owned()),
            "witnesses" => visit::witnesses(rest).ok_or_else(|| "it does not say how they are".to_owned()),
            "linux" => {
                linux::end(rest).map(|end| Self::Linux { line: None, end }).ok_or_else(|| "it names no end".to_owned())
            }
            "line" => linux::line(rest).ok_or_else(|| "it names no end".to_owned()),
            "budget" => budget(rest).ok_or_else(|| "it is not a name and two numbers".to_owned()),
            _ => Err("its kind is unknown".to_owned()),
        };
        Some(record.unwrap_or_else(|reason| Self::Malformed(format!("the record `{line}` is malformed: {reason}"))))
    }

    /// What is wrong, if it is.
    pub fn complaint(&self) -> Option<String> {
        match self {
            Self::Malformed(complaint) => Some(complaint.clone()),
            Self::Test { name, outcome: Outcome::Failed(reason) } => Some(format!("{name} failed: {reason}")),
            Self::Attack { name, mode, outcome: Outcome::Failed(reason) } => Some(format!("{name} ({mode}): {reason}")),
            _ => None,
        }
    }
}

fn attack(text: &str) -> Option<Record> {
    let mut words = text.splitn(4, ' ');
    let (name, mode, word) = (words.next()?, words.next()?, words.next()?);
    let reason = words.next().unwrap_or("no reason given").trim();
    let outcome = match word {
        "contained" => Outcome::Passed,
        "ESCAPED" | "unexpected" => Outcome::Failed(format!("{word}: {reason}")),
        "skipped" => Outcome::Skipped(reason.to_owned()),
        _ => return None,
    };
    Some(Record::Attack { name: name.to_owned(), mode: mode.to_owned(), outcome })
}

fn test(text: &str) -> Option<Record> {
    let (name, outcome) = text.split_once(' ')?;
    let (word, reason) = outcome.split_once(' ').unwrap_or((outcome, ""));
    let reason = if reason.is_empty() { "no reason given" } else { reason.trim() }.to_owned();
    let outcome = match word {
        "ok" => Outcome::Passed,
        "FAILED" => Outcome::Failed(reason),
        "skipped" => Outcome::Skipped(reason),
        _ => return None,
    };
    Some(Record::Test { name: name.to_owned(), outcome })
}

fn budget(text: &str) -> Option<Record> {
    let (rest, limit) = text.trim().rsplit_once(' ')?;
    let (name, measured) = rest.rsplit_once(' ')?;
    let (measured, limit): (u64, u64) = (measured.parse().ok()?, limit.parse().ok()?);
    let outcome = match measured <= limit {
        true => Outcome::Passed,
        false => Outcome::Failed(format!("{measured}, the budget is {limit}")),
    };
    Some(Record::Test { name: format!("budget {name}"), outcome })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(line: &str) -> Outcome {
        match Record::parse(line) {
            Some(Record::Test { outcome, .. }) => outcome,
            other => panic!("{line} gives {other:?}"),
        }
    }

    #[test]
    fn tests_have_three_outcomes() {
        assert_eq!(outcome("@test ipc-call ok"), Outcome::Passed);
        assert_eq!(outcome("@test a FAILED got 3, not 4"), Outcome::Failed("got 3, not 4".into()));
        assert_eq!(outcome("@test a skipped limits not enforced"), Outcome::Skipped("limits not enforced".into()));
        assert_eq!(outcome("@test a FAILED"), Outcome::Failed("no reason given".into()));
    }

    #[test]
    fn budgets_are_tests() {
        assert_eq!(outcome("@budget small -> host 210 236"), Outcome::Passed);
        assert_eq!(outcome("@budget call 236 236"), Outcome::Passed);
        assert!(matches!(outcome("@budget call 237 236"), Outcome::Failed(_)));
    }

    #[test]
    fn attacks_have_a_mode() {
        let attack = |line: &str| match Record::parse(line) {
            Some(Record::Attack { name, mode, outcome }) => (name, mode, outcome),
            other => panic!("{line} gives {other:?}"),
        };
        let (name, mode) = ("hlt-small".to_owned(), "segment".to_owned());
        assert_eq!(attack("@attack hlt-small segment contained"), (name, mode, Outcome::Passed));
        let escaped = attack("@attack read-by-ds page ESCAPED 0x5ec20000 was read");
        assert_eq!(escaped.2, Outcome::Failed("ESCAPED: 0x5ec20000 was read".into()));
        assert_eq!(attack("@attack a page skipped no limits").2, Outcome::Skipped("no limits".into()));
        assert!(matches!(Record::parse("@attack a page"), Some(Record::Malformed(_))));
        assert!(matches!(Record::parse("@attack a page ok"), Some(Record::Malformed(_))));
    }

    #[test]
    fn rows_may_lack_what_was_not_measured() {
        let line = r#"@row {"name":"call","from":"small","to":"64","words":4,"isolation":null,"ticks":12,
                       "limits_enforced":false}"#;
        let Some(Record::Row(row)) = Record::parse(line) else { panic!("not a row") };
        assert_eq!((row.words, row.isolation, row.limits_enforced), (4, None, Some(false)));
        assert!(row.instructions.is_none() && row.ticks.is_some());
    }

    #[test]
    fn a_mark_is_no_part_of_a_record() {
        assert_eq!(outcome("@test a FAILED got 3 UNENFORCED"), Outcome::Failed("got 3".into()));
        assert_eq!(outcome("@test a ok UNENFORCED"), Outcome::Passed);
        assert_eq!(unmarked("fuzz: seed 7 UNENFORCED"), "fuzz: seed 7");
        assert_eq!((unmarked(" UNENFORCED"), unmarked("fuzz: seed 7")), ("", "fuzz: seed 7"));
    }

    #[test]
    fn bad_records_are_complaints_and_text_is_text() {
        for line in ["@row {", "@test a", "@test a perhaps", "@budget a 1", "@budget a b c", "@other x"] {
            assert!(matches!(Record::parse(line), Some(Record::Malformed(_))), "{line}");
        }
        assert_eq!(Record::parse("boot: 12 ms"), None);
        assert_eq!(Record::parse("user@host"), None);
    }
}
