//! What was counted of each path, and what processors would make of it, as experiments.

use lilliput_model::record::Modelled;
use lilliput_model::{Class, PROCESSORS, Processor, Record};

use crate::counts::{Counted, Path, table};
use crate::figures::{Experiment, How, Plot, Row, Shape};
use crate::report;

/// What does it again.
pub const COMMAND: &str = "cargo xtask bench --counts --json FILE";

/// Exact counts, modelled cycles by what they go to, and the prices of these.
pub fn experiments(counted: &Counted) -> Vec<Experiment> {
    let rows =
        |of: fn(&Counted, &Record) -> Vec<Row>| counted.records.iter().flat_map(move |record| of(counted, record));
    vec![
        exact().rows(rows(|counted, record| exact_row(counted, record).into_iter().collect())),
        modelled().rows(rows(modelled_rows)),
        super::prices::experiment(),
    ]
}

fn exact() -> Experiment {
    let counts = ["kernel", "user"].map(|side| format!("{side} instructions"));
    let counts =
        counts.iter().map(String::as_str).chain(COUNTS.map(|(name, _)| name)).chain(Class::ALL.map(Class::word));
    let experiment = Experiment::new("paths", "What each path executes and touches", &report::Row::KEYS).about(
        "One way of each path, from the marks around the call, by a plugin of the emulator's that sees every instruction and access: exact, and the same each time.",
        COMMAND,
    );
    let experiment = experiment.question("What does each path execute and touch?");
    counts.fold(experiment, |experiment, name| experiment.column(name, "each", How::Counted))
}

type Count = fn(&Record) -> u64;

/// Counts of a path beside its instructions.
const COUNTS: [(&str, Count); 8] = [
    ("loads", |record| record.counts.kernel.loads + record.counts.user.loads),
    ("stores", |record| record.counts.kernel.stores + record.counts.user.stores),
    ("pages", |record| record.counts.pages),
    ("kernel code lines", |record| record.counts.kernel.code_lines),
    ("user code lines", |record| record.counts.user.code_lines),
    ("kernel data lines", |record| record.counts.kernel.data_lines),
    ("user data lines", |record| record.counts.user.data_lines),
    ("descriptor stores", |record| record.counts.descriptor_stores),
];

fn exact_row(counted: &Counted, record: &Record) -> Option<Row> {
    let (user, kernel) = (&record.counts.user, &record.counts.kernel);
    let row = row(counted, record)?;
    let row = row.figure("kernel instructions", kernel.instructions).figure("user instructions", user.instructions);
    let row = COUNTS.into_iter().fold(row, |row, (name, count)| row.figure(name, count(record)));
    Some(Class::ALL.into_iter().fold(row, |row, class| row.figure(class.word(), record.counts.class(class))))
}

/// What modelled cycles go to.
const PARTS: [&str; 5] = ["plain instructions", "special instructions", "second TLB", "walks", "caches"];

fn modelled() -> Experiment {
    let mut keys = report::Row::KEYS.to_vec();
    keys.extend(["processor", "entries"]);
    let experiment = Experiment::new("paths-modelled", "What each path would cost on processors by name", &keys)
        .about(
            "One way of each path, by what its modelled cycles go to, and the misses of an operation. A way ends with the receiver's first instruction: that one's page is looked up, \
             what the receiver touches later is not in the row.",
            COMMAND,
        )
        .question("What would the cycles of each path go to, on processors by name?")
        .modelled_by_the_plugin()
        .column("cycles", "cycles", How::Modelled);
    let experiment =
        PARTS.into_iter().fold(experiment, |experiment, part| experiment.column(part, "cycles", How::Modelled));
    let misses = ["pages from the second TLB", "page walks", "lines from the second cache", "lines from beyond"];
    let experiment =
        misses.into_iter().fold(experiment, |experiment, name| experiment.column(name, "each", How::Modelled));
    let plot = Plot::new(
        "What modelled cycles of a call go to",
        Shape::Bars,
        &["operation", "from", "to", "isolation", "entries"],
        &PARTS,
    );
    experiment.plot(plot.only("operation", ["call"]).only("words", [4_u64]).panels(&["processor"]))
}

fn modelled_rows(counted: &Counted, record: &Record) -> Vec<Row> {
    let rows = PROCESSORS.into_iter().flat_map(|processor| {
        let usual = table::tagged(record, processor.tags);
        // Without tags as well where no small task's mode says what there is.
        let untagged = usual && record.case["isolation"].is_null();
        let entries = [Some(usual), untagged.then_some(false)];
        entries.into_iter().flatten().filter_map(|tagged| modelled_row(counted, record, processor, tagged))
    });
    rows.collect()
}

fn modelled_row(counted: &Counted, record: &Record, processor: &Processor, tagged: bool) -> Option<Row> {
    let Modelled { misses, cycles, .. } = record.on(processor.name, tagged)?;
    let each = |count: u64| count as f64 / record.alike.max(1) as f64;
    let parts = [cycles.instructions, cycles.special, cycles.second_tlb, cycles.walks, cycles.caches];
    let row = row(counted, record)?.key("processor", processor.title);
    let row = row.key("entries", if tagged { "tagged" } else { "untagged" }).figure("cycles", cycles.total());
    let row = PARTS.into_iter().zip(parts).fold(row, |row, (name, part)| row.figure(name, part));
    let row = row.figure("pages from the second TLB", each(misses.code_tlb + misses.data_tlb));
    let row = row.figure("page walks", each(misses.code_walks + misses.data_walks));
    let row = row.figure("lines from the second cache", each(misses.code_lines + misses.data_lines));
    Some(row.figure("lines from beyond", each(misses.beyond)))
}

fn row(counted: &Counted, record: &Record) -> Option<Row> {
    let Path { name, from, to, words, isolation } = Path::of(record)?;
    let row =
        Row::new(&counted.platform, counted.limits(isolation)).key("operation", name).key("from", from).key("to", to);
    Some(row.key("words", words).key("isolation", isolation.unwrap_or("-")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_declared_once() {
        for experiment in [exact(), modelled()] {
            experiment.check().unwrap();
            let mut names: Vec<_> = experiment.columns.iter().map(|column| &column.name).collect();
            names.sort();
            assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
        }
    }
}
