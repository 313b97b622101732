//! Experiments that a machine did by itself, by its clocks, as nobody could watch: one for each scenario, from the records of its log.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use lilliput_abi::object::counter;
use serde_json::Value;

use super::{Experiment, Figure, How, Key, Limits, Plot, Row, Shape};
use crate::boot::{Clocked, TICKS};

/// What is known of a scenario.
struct Known {
    scenario: &'static str,
    title: &'static str,
    question: &'static str,
    about: &'static str,
    /// What its cases say beside kinds of task and isolation.
    case: &'static [&'static str],
    /// What the digits of a batch's name are, and how many each has; nothing where the name is always the same.
    batch: &'static [(&'static str, usize)],
    plot: fn(&'static str) -> Plot,
}

const ENDS: [&str; 3] = ["from", "to", "isolation"];

const KNOWN: [Known; 7] = [
    Known {
        scenario: "crossover",
        title: "Where small spaces pay, by clocks",
        question: "What does a round among tasks that touch memory of their own take, by the machine's own clocks?",
        about: "A client goes round among servers, one or seven, and each task touches memory of its own before it passes a message on: so many pages, a line in each, or so many KiB of lines. A \
                figure is a whole round: a call and its answer of each server.",
        case: &["tasks"],
        batch: &[("pages", 3), ("kib", 3)],
        plot: |y| {
            let plot = Plot::new("A round, by pages that each task touches", Shape::Lines, &["pages"], &[y]);
            plot.only("kib", [0_u64]).series(&ENDS).panels(&["tasks"]).log()
        },
    },
    Known {
        scenario: "many",
        title: "Many spaces, by clocks",
        question: "What does a round among up to a thousand tasks take, by the machine's own clocks?",
        about: "A client goes round among servers, up to a thousand, each a task of its own that touches so many pages before it answers. A figure is a whole round.",
        case: &["tasks"],
        batch: &[("pages", 3), ("kib", 3)],
        plot: |y| {
            let plot = Plot::new("A round, by how many tasks take part", Shape::Lines, &["tasks"], &[y]);
            plot.series(&ENDS).panels(&["pages"]).log()
        },
    },
    Known {
        scenario: "split",
        title: "A page, by the kernel alone and by servers, by clocks",
        question: "What does splitting memory management into servers cost, by the machine's own clocks?",
        about: "A task wants a page and reads it: by the kernel alone, by one memory server, and by two. A figure is all of it, from before the request to behind the read.",
        case: &["servers"],
        batch: &[],
        plot: |y| Plot::new("Getting a page", Shape::Bars, &ENDS, &[y]).series(&["servers"]),
    },
    Known {
        scenario: "files",
        title: "Small files, by calls and by rings, by clocks",
        question: "Are ten small files read faster by calls or by rings, by the machine's own clocks?",
        about: "Ten files are opened, read and closed, by a program for calls and by one for rings, and by one of Linux's by system calls of the Linux server. A figure is all ten.",
        case: &["rings"],
        batch: &[],
        plot: |y| Plot::new("Ten small files", Shape::Bars, &ENDS, &[y]).series(&["rings"]),
    },
    Known {
        scenario: "colours",
        title: "Cache colours and bases of slots, by clocks",
        question: "What do cache colours and slots' bases save, by the machine's own clocks?",
        about: "A task that touches much memory calls one that has to answer soon, with cache colours of their own and without; and a client calls small tasks whose pages fall into the same \
                sets of a TLB, or into different ones. A figure is the calls.",
        case: &["about", "kib", "coloured", "tasks", "pages", "staggered"],
        batch: &[],
        plot: |y| {
            let plot = Plot::new("The call, by KiB that the other task touches", Shape::Bars, &["kib"], &[y]);
            plot.only("about", ["colours"]).series(&["coloured"]).panels(&ENDS)
        },
    },
    Known {
        scenario: "messages",
        title: "Messages of 64 bytes to 4 MiB, by clocks",
        question: "Which way is the fastest to bring bytes to another task, by the machine's own clocks?",
        about: "Bytes go to another task in registers, by a shared buffer, as a string, by mapping, through a ring; the other side reads each line of them. A figure is all of it.",
        case: &["way", "arenas"],
        batch: &[("bytes", 7)],
        plot: |y| {
            let plot = Plot::new("A message, by its bytes", Shape::Lines, &["bytes"], &[y]);
            plot.series(&["way"]).panels(&["from", "to", "isolation", "arenas"]).log()
        },
    },
    Known {
        scenario: "syscall-table",
        title: "A system call of Linux's, by clocks",
        question: "What does a Linux system call cost by the arena's host, and by a server in a page table of its own, by the machine's own clocks?",
        about: "A program of Linux's makes the shortest system call, getpid, a 32-bit one by int 0x80 and a 64-bit one by syscall, and the Linux server answers it: as the arena's host, or as a 64-bit \
                task of its own. A figure is all that this takes: program, kernel and server.",
        case: &["call"],
        batch: &[],
        plot: |y| Plot::new("A getpid", Shape::Bars, &ENDS, &[y]),
    },
];

/// Columns for counters, by their numbers. Walks for stores are added to those for loads.
const COUNTERS: [(&str, &str); counter::COUNT] = {
    let data = ("data_walks", "walks, by counter");
    let mut columns = [data; counter::COUNT];
    columns[counter::INSTRUCTIONS] = ("counted_instructions", "instructions, by counter");
    columns[counter::CYCLES] = ("core_cycles", "cycles, by counter");
    columns[counter::CODE_WALKS] = ("code_walks", "walks, by counter");
    columns[counter::CACHE_MISSES] = ("cache_misses", "misses, by counter");
    columns
};
/// What a key's value is called that a case says to be false, or true.
const WORDS: [(&str, [&str; 2]); 3] = [
    ("rings", ["by calls", "by rings"]),
    ("coloured", ["any colours", "colours of their own"]),
    ("staggered", ["equal bases", "staggered bases"]),
];
/// What a key is where a case does not say it.
const NOTHING: &str = "-";

/// The experiments that records of this platform are of, in the order of the scenarios.
///
/// # Errors
/// If a record is of no scenario that is known, or does not say what its scenario's do.
pub fn experiments(records: &[Clocked], platform: &str) -> Result<Vec<Experiment>> {
    if let Some(other) = records.iter().find(|record| KNOWN.iter().all(|known| known.scenario != record.scenario)) {
        bail!("a record of `@clock` is of scenario `{}`, which is none of those", other.scenario);
    }
    let mut experiments = Vec::new();
    for known in &KNOWN {
        let mut rows = BTreeMap::<Vec<Key>, Row>::new();
        for record in records.iter().filter(|record| record.scenario == known.scenario) {
            record.check()?;
            let keys = known.keys_of(record)?;
            let row = rows.remove(&keys).unwrap_or_else(|| known.row(record, platform, &keys));
            rows.insert(keys, with(row, record)?);
        }
        if !rows.is_empty() {
            experiments.push(known.empty().rows(rows.into_values()));
        }
    }
    Ok(experiments)
}

/// A row with what a record says.
fn with(mut row: Row, record: &Clocked) -> Result<Row> {
    if record.clock == TICKS {
        let range = Figure::Range { low: record.least.into(), usual: record.median.into(), high: record.p99.into() };
        return Ok(row.figure("ticks", range).figure("ticks_p90", u64::from(record.p90)));
    }
    let number = counter::NAMES.iter().position(|name| *name == record.clock);
    let (column, _) = COUNTERS[number.with_context(|| format!("there is no clock `{}`", record.clock))?];
    let before = match row.figures.remove(column) {
        Some(Figure::Exact(number)) => number,
        _ => 0.0,
    };
    Ok(row.figure(column, before + f64::from(record.median)))
}

impl Known {
    fn keys(&self) -> Vec<&'static str> {
        let batch = self.batch.iter().map(|&(name, _)| name);
        ENDS.into_iter().chain(self.case.iter().copied()).chain(batch).collect()
    }

    fn keys_of(&self, record: &Clocked) -> Result<Vec<Key>> {
        let mut keys = Vec::new();
        for key in ENDS.iter().chain(self.case) {
            keys.push(match record.case.get(*key) {
                None | Some(Value::Null) => Key::from(NOTHING),
                Some(Value::Bool(value)) => {
                    let (_, words) =
                        WORDS.iter().find(|(name, _)| name == key).with_context(|| format!("`{key}` is {value}"))?;
                    Key::from(words[usize::from(*value)])
                }
                Some(Value::String(value)) => Key::from(value.as_str()),
                Some(value) => value.as_u64().map(Key::from).with_context(|| format!("`{key}` is {value}"))?,
            });
        }
        let mut rest = record.batch.as_str();
        for &(name, digits) in self.batch {
            let (digits, after) = rest.split_at_checked(digits).with_context(|| format!("batch `{}`", record.batch))?;
            let number: u64 = digits.parse().with_context(|| format!("`{name}` of batch `{}`", record.batch))?;
            (rest, _) = (after, keys.push(number.into()));
        }
        Ok(keys)
    }

    fn row(&self, record: &Clocked, platform: &str, keys: &[Key]) -> Row {
        let isolation = record.case.get("isolation").and_then(Value::as_str);
        let row = Row::new(platform, Limits::of(isolation, record.limits_enforced));
        self.keys().into_iter().zip(keys).fold(row, |row, (name, key)| row.key(name, key.clone()))
    }

    fn empty(&self) -> Experiment {
        let name = format!("{}-clocked", self.scenario);
        let command = "cargo xtask image, and on the machine that it booted on what its serial port sent: cargo xtask report --from-log FILE";
        let experiment = Experiment::new(&name, self.title, &self.keys())
            .question(self.question)
            .about(
                &format!(
                    "{} Ticks of the time-stamp counter are the median, from the least to what 99 in 100 rounds do not exceed; of a performance counter, where there is any, medians. What measuring \
                     takes is taken off.",
                    self.about
                ),
                command,
            )
            .without("Ticks are no cycles of the core, whose frequency may be another and may change.")
            .without("Ticks under an emulator say what emulation costs, and nothing about a processor.")
            .without("Counters count whatever the processor does, speculation and interrupts included.")
            .column("ticks", "ticks of the TSC", How::Measured)
            .column("ticks_p90", "ticks of the TSC", How::Measured);
        (0..counter::COUNT)
            .filter(|&number| number != counter::STORE_WALKS)
            .map(|number| COUNTERS[number])
            .fold(experiment, |experiment, (column, unit)| experiment.column(column, unit, How::Measured))
            .plot((self.plot)("ticks"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::boot::Record;

    fn record(scenario: &str, case: &str, batch: &str, clock: &str, median: u32) -> Clocked {
        let line = format!(
            r#"@clock {{"scenario":"{scenario}","case":{{"from":"small","to":"small","isolation":"segment",{case}}},"batch":"{batch}","clock":"{clock}","rounds":64,"nothing":9,"least":1,"median":{median},"p90":300,"p99":400,"limits_enforced":false}}"#
        );
        match Record::parse(&line) {
            Some(Record::Clock(clocked)) => *clocked,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn records_of_one_batch_are_one_row() {
        let records = [
            record("crossover", r#""tasks":2"#, "016000", "ticks", 100),
            record("crossover", r#""tasks":2"#, "016000", counter::NAMES[counter::DATA_WALKS], 3),
            record("crossover", r#""tasks":2"#, "016000", counter::NAMES[counter::STORE_WALKS], 4),
            record("crossover", r#""tasks":2"#, "000512", "ticks", 200),
            record("split", r#""servers":1"#, "page", "ticks", 50),
            record("files", r#""rings":true"#, "files", "ticks", 50),
            record("files", r#""rings":"by system calls""#, "files", "ticks", 60),
            record("syscall-table", r#""call":"getpid""#, "getpid", "ticks", 70),
        ];
        let experiments = experiments(&records, "a machine").unwrap();
        assert_eq!(
            experiments.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(),
            ["crossover-clocked", "split-clocked", "files-clocked", "syscall-table-clocked"]
        );
        let ways: Vec<_> = experiments[2].rows.iter().map(|row| &row.keys["rings"]).collect();
        assert_eq!(ways, [&Key::from("by rings"), &Key::from("by system calls")]);
        experiments.iter().for_each(|experiment| experiment.check().unwrap());
        let [first, second] = experiments[0].rows.as_slice() else { panic!("{:?}", experiments[0].rows) };
        assert_eq!((&second.keys["pages"], &second.keys["kib"]), (&Key::Number(16), &Key::Number(0)));
        assert_eq!(second.figures["data_walks"], Figure::Exact(7.0));
        assert_eq!(second.figures["ticks"], Figure::Range { low: 1.0, usual: 100.0, high: 400.0 });
        assert_eq!((&first.keys["kib"], first.limits), (&Key::Number(512), Limits::Unenforced));
    }

    #[test]
    fn every_scenario_s_experiment_plots_what_it_has() {
        for known in &KNOWN {
            known.empty().check().unwrap();
        }
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for bad in [
            record("tests", r#""tasks":2"#, "000000", "ticks", 100),
            record("crossover", r#""tasks":2"#, "0000", "ticks", 100),
            record("crossover", r#""tasks":2"#, "abc000", "ticks", 100),
            record("crossover", r#""tasks":-2"#, "000000", "ticks", 100),
            record("crossover", r#""tasks":2"#, "000000", "sundial", 100),
            record("crossover", r#""tasks":true"#, "000000", "ticks", 100),
            record("crossover", r#""tasks":2"#, "000000", "ticks", 301),
        ] {
            assert!(experiments(std::slice::from_ref(&bad), "a machine").is_err(), "{bad:?}");
        }
    }
}
