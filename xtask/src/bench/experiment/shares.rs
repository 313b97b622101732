//! What accounting and capabilities add to the IPC path: instructions of the fast path as it was built, by what they are for.

use anyhow::{Context, Result, ensure};
use lilliput_model::Class;
use lilliput_model::processor::{Cycles, Processor, by_name};

use super::Outcome;
use crate::build::feature;
use crate::counts::Check;
use crate::figures::{Experiment, How, Limits, NO_MACHINE, Plot, Row, Shape};
use crate::ipc_path::{self, Walk};
use crate::prepare::Prepared;
use crate::report::text_table;

/// What instructions are for, in words, and how many there may be.
const PARTS: [(Part, &str, usize); 5] = [
    (Part::Bound, "bound check, which tells a call as well", 2),
    (Part::LookUp, "look-up of the capability", 4),
    (Part::Key, "type, generation and right, compared at once", 3),
    (Part::Badge, "badge", 1),
    (Part::Accounting, "accounting", 7),
];
/// The capability and the comparison of its key: in this stage of the path.
const CAPABILITY: &str = "capability";
/// That the place is in the table.
const PLACE: &str = "place";
/// What names the table's end.
const PLACES: &str = "places";
/// Processors whose prices are shown.
const SHOWN: [&str; 2] = ["zen3", "skylake"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Bound,
    LookUp,
    Key,
    Badge,
    Accounting,
}

/// How much of a way is for a part.
struct Share {
    path: String,
    part: Part,
    instructions: usize,
    /// RDTSC among these.
    readings: usize,
    of: usize,
}

/// Does it: reads two kernels, of which one charges no time.
pub fn run(prepared: &Prepared) -> Result<Outcome> {
    let without = prepared.with_feature(feature::WITHOUT_ACCOUNTING)?;
    let with = ipc_path::walks(&prepared.build.kernel)?;
    let without = ipc_path::walks(&without.build.kernel)?;
    ensure!(with.len() == without.len(), "the two kernels have other paths");
    let mut shares = Vec::new();
    for ((route, walk), (_, bare)) in with.iter().zip(&without) {
        shares.extend(of(&route.title(), walk, bare)?);
    }
    let table = text(&shares)?;
    let rows = shares.iter().map(row).collect::<Result<Vec<_>>>()?;
    Ok(Outcome { experiment: empty().rows(rows), table, checks: checks(&shares) })
}

/// The shares of a path; `bare` is the same one without accounting.
fn of(path: &str, walk: &Walk, bare: &Walk) -> Result<Vec<Share>> {
    let mut counts = [0; PARTS.len()];
    let mut compares = false;
    for step in &walk.steps {
        compares |= step.stage == CAPABILITY && step.text.contains("key");
        let part = match step.stage.as_str() {
            CAPABILITY if compares => Part::Key,
            CAPABILITY => Part::LookUp,
            _ if step.text.contains("badge") => Part::Badge,
            _ => continue,
        };
        counts[part as usize] += 1;
    }
    if counts[Part::LookUp as usize] > 0 {
        // The comparison with the table's end before that, and its jump.
        let bound = walk.steps.windows(2).rev().find(|pair| pair[0].stage == PLACE && pair[0].text.contains(PLACES));
        let bound = bound.filter(|pair| pair[1].taken == Some(false));
        counts[Part::Bound as usize] =
            bound.with_context(|| format!("{path} looks a capability up in no table"))?.len();
    }
    let added = walk.instructions().checked_sub(bare.instructions());
    counts[Part::Accounting as usize] = added.with_context(|| format!("{path} is longer without accounting"))?;
    let readings = |walk: &Walk| walk.steps.iter().filter(|step| step.text.starts_with("rdtsc")).count();
    let shares = PARTS.into_iter().map(|(part, ..)| Share {
        path: path.to_owned(),
        part,
        instructions: counts[part as usize],
        readings: if part == Part::Accounting { readings(walk).saturating_sub(readings(bare)) } else { 0 },
        of: walk.instructions(),
    });
    Ok(shares.filter(|share| share.instructions > 0).collect())
}

impl Share {
    fn title(&self) -> &'static str {
        PARTS[self.part as usize].1
    }

    fn cycles(&self, processor: &Processor) -> Cycles {
        let costs = &processor.costs;
        let plain = costs.instruction.cycles.times((self.instructions - self.readings) as f64);
        plain.plus((costs.special)(Class::ReadTime).cycles.times(self.readings as f64))
    }
}

fn processors() -> Result<[&'static Processor; 2]> {
    let [first, second] = SHOWN.map(by_name);
    first.zip(second).map(<[_; 2]>::from).context("a processor that is not modelled")
}

fn row(share: &Share) -> Result<Row> {
    let row = Row::new(&format!("{NO_MACHINE}: the kernel's code"), Limits::NotUsed)
        .key("path", share.path.clone())
        .key("part", share.title())
        .figure("instructions", share.instructions as u64)
        .figure("of", share.of as u64)
        .figure("percent", 100.0 * share.instructions as f64 / share.of as f64);
    Ok(processors()?.into_iter().fold(row, |row, processor| row.figure(processor.title, share.cycles(processor))))
}

fn empty() -> Experiment {
    let bars = Plot::new(
        "Instructions that capabilities and accounting add to each path",
        Shape::Bars,
        &["path"],
        &["instructions"],
    );
    let experiment = Experiment::new("shares", "What accounting and capabilities add", &["path", "part"])
        .question("What do accounting and capabilities add to the IPC path?")
        .about(
            "The fast path is read from the kernel as it was built, along each way through it. Accounting is what a way has more than in a kernel that is built without (feature `without-accounting`). \
             Of capabilities each instruction is counted that looks one up, compares its key (type, generation and right in one comparison), or hands over its badge; and the comparison \
             with the table's end, which tells a call from other operations as well. An answer needs none of these: it goes to the caller that the thread has.",
            "cargo xtask bench experiment shares --json FILE",
        )
        .without("No kernel without capabilities was made: one with names for all threads would have another look-up in their place, and its check.")
        .without("Cycles are these instructions times prices: no misses. A capability is one more line of data that a call touches; accounts lie in lines that are touched anyway.")
        .column("instructions", "instructions", How::Counted)
        .column("of", "instructions", How::Counted)
        .column("percent", "% of the way", How::Counted);
    let titles = SHOWN.into_iter().filter_map(by_name).map(|processor| processor.title);
    titles
        .fold(experiment, |experiment, title| experiment.column(title, "cycles", How::Modelled))
        .plot(bars.series(&["part"]))
}

/// A line for each path, a column for each part.
fn text(shares: &[Share]) -> Result<String> {
    let processor = processors()?[0];
    let mut heading = vec!["path".to_owned(), "instructions".to_owned()];
    heading.extend(PARTS.map(|(_, title, _)| title.to_owned()));
    heading.push(format!("all of these: {}, usual cycles", processor.title));
    let lines = shares.chunk_by(|one, other| one.path == other.path).map(|path| {
        let mut cells = vec![path[0].path.clone(), path[0].of.to_string()];
        for (part, ..) in PARTS {
            let share = path.iter().find(|share| share.part == part);
            cells.push(share.map_or("-".to_owned(), |share| share.instructions.to_string()));
        }
        let cycles: f64 = path.iter().map(|share| share.cycles(processor).usual).sum();
        cells.push(format!("{cycles:.0}"));
        cells
    });
    Ok(text_table([heading].into_iter().chain(lines).collect()))
}

/// No part may grow.
fn checks(shares: &[Share]) -> Vec<Check> {
    let check = |share: &Share| {
        let (_, _, limit) = PARTS[share.part as usize];
        // A page fault and a foreign call are charged by other macros.
        let limit = if share.part == Part::Accounting { limit + 1 } else { limit };
        ensure!(share.instructions <= limit, "{} instructions, the limit is {limit}", share.instructions);
        Ok(())
    };
    shares.iter().map(|share| (format!("{}: {}", share.path, share.title()), check(share))).collect()
}
