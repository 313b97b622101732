//! Experiments that a machine did by itself, by its clocks, as nobody could watch: one for each scenario, from the records of its log.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use lilliput_abi::object::counter;
use serde_json::Value;

mod known;

use self::known::{ENDS, KNOWN, Known, WORDS};
use super::{Experiment, Figure, How, Key, Limits, Row};
use crate::boot::{Clocked, TICKS};

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
            let rows: Vec<_> = rows.into_values().collect();
            let compared = rows.iter().map(|row| if known.compares { over_segment(row, &rows) } else { row.clone() });
            experiments.push(known.empty().rows(compared));
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

/// A row with what it takes more than small tasks in `segment` mode at the same point: the median less the median; at least, the least less what nine in ten of those do not exceed; at
/// most, the other way round.
fn over_segment(row: &Row, rows: &[Row]) -> Row {
    let is_segment = |row: &Row| ENDS.iter().zip(["small", "small", "segment"]).all(|(key, value)| row.is(key, value));
    let same_point =
        |other: &&Row| row.keys.iter().all(|(key, value)| ENDS.contains(&&**key) || other.keys[key] == *value);
    let ends = |row: &Row| Some((*row.figures.get("ticks")?, row.figures.get("ticks_p90")?.usual()));
    let segment = rows.iter().filter(|other| is_segment(other)).find(same_point).filter(|_| !is_segment(row));
    let both = segment.and_then(ends).zip(ends(row)).filter(|((segment, _), _)| segment.usual() > 0.0);
    let Some(((segment, segment_p90), (own, own_p90))) = both else { return row.clone() };
    let over = |of: f64| Figure::Range {
        low: (own.low() - segment_p90) * of,
        usual: (own.usual() - segment.usual()) * of,
        high: (own_p90 - segment.low()) * of,
    };
    let row = row.clone().figure("over_segment", over(1.0));
    row.figure("over_segment_percent", over(100.0 / segment.usual()))
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
        let mut experiment = Experiment::new(&name, self.title, &self.keys())
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
        if self.compares {
            experiment = experiment
                .without("What a round takes more than in segment mode is a difference of medians; its range is of nine in ten rounds of both.")
                .column("over_segment", "ticks of the TSC", How::Measured)
                .column("over_segment_percent", "% of a round in segment mode", How::Measured);
        }
        let columns = COUNTERS.iter().enumerate().filter(|&(number, _)| number != counter::STORE_WALKS);
        let counted = |experiment: Experiment, (_, &(column, unit))| experiment.column(column, unit, How::Measured);
        (self.plots)().into_iter().fold(columns.fold(experiment, counted), Experiment::plot)
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
