//! What cache colours, and bases that differ modulo the sets of a TLB, are worth to who has to answer soon.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lilliput_model::{PROCESSORS, Processor, Record};

use super::{Outcome, confinement, flag, number, watched, word};
use crate::build::{Config, Scenario};
use crate::counts::{Check, Counted, table};
use crate::figures::{Experiment, How, Plot, Row, Shape};
use crate::prepare::Prepared;
use crate::report::text_table;

/// Does it.
pub fn run(prepared: &Prepared, limit: Duration) -> Result<Outcome> {
    let counted = watched(prepared, "colours", Config::new([Scenario::Colours]), limit)?;
    let cases = counted.records.iter().map(Case::of).collect::<Result<Vec<_>>>()?;
    let mut rows = Vec::new();
    for case in &cases {
        for processor in PROCESSORS {
            rows.push(case.row(&counted, processor)?);
        }
    }
    let table = text(&cases)?;
    Ok(Outcome { experiment: empty().rows(rows), table, checks: checks(&cases) })
}

/// A record, and what it is about.
struct Case<'a> {
    record: &'a Record,
    /// Whether it is about colours of caches, or about bases.
    about: &'a str,
    /// What there is much of: KiB that the other task touches, or tasks and pages.
    beside: String,
    /// Whether what is to help is there.
    helped: bool,
}

impl<'a> Case<'a> {
    fn of(record: &'a Record) -> Result<Self> {
        let about = word(record, "about")?;
        let (beside, helped) = match about {
            "colours" => (format!("{} KiB", number(record, "kib")?), flag(record, "coloured")?),
            _ => {
                let (tasks, pages) = (number(record, "tasks")?, number(record, "pages")?);
                (format!("{tasks} tasks, {pages} pages each"), flag(record, "staggered")?)
            }
        };
        Ok(Self { record, about, beside, helped })
    }

    /// Tags where there are some: what is compared here is not what they are about.
    fn on(&self, processor: &Processor) -> Result<&'a lilliput_model::record::Modelled> {
        self.record.on(processor.name, processor.tags).context("a processor without figures")
    }

    /// Lines of one operation that had to come from beyond the second level of cache.
    fn beyond(&self, processor: &Processor) -> Result<f64> {
        Ok(self.on(processor)?.misses.beyond as f64 / self.record.alike.max(1) as f64)
    }

    fn row(&self, counted: &Counted, processor: &Processor) -> Result<Row> {
        let modelled = self.on(processor)?;
        let misses = &modelled.misses;
        let each = |count: u64| count as f64 / self.record.alike.max(1) as f64;
        let counts = &self.record.counts;
        Ok(Row::new(&counted.platform, counted.limits(self.record.case["isolation"].as_str()))
            .key("about", self.about)
            .key("between", confinement(self.record))
            .key("beside", self.beside.clone())
            .key("apart", if self.helped { "yes" } else { "no" })
            .key("processor", processor.title)
            .figure("instructions", counts.user.instructions + counts.kernel.instructions)
            .figure("second_cache", each(misses.code_lines + misses.data_lines))
            .figure("beyond", each(misses.beyond))
            .figure("second_tlb", each(misses.code_tlb + misses.data_tlb))
            .figure("walks", self.record.walks(modelled))
            .figure("cycles", modelled.cycles.total()))
    }
}

fn empty() -> Experiment {
    let bars = |title, about| {
        let plot = Plot::new(title, Shape::Bars, &["beside"], &["cycles"]).series(&["apart"]).panels(&["processor"]);
        plot.only("about", [about]).only("between", ["small to small, segment"])
    };
    Experiment::new("colours", "Colours of caches and of bases", &["about", "between", "beside", "apart", "processor"])
        .question("What are cache colours worth to a task that has to answer soon, and bases that differ to small tasks that share a TLB?")
        .about(
            "Colours: a task touches so many KiB of lines, and then calls one that touches 32 KiB of its own and answers; without colours, and where the second has a quarter of all colours to itself and the first the others. \
             Bases: a client goes round among small tasks of one page-table root, each of which touches pages, a line in each; at addresses whose pages fall into the same sets of a TLB, as they would if all slots began at a \
             multiple of 512 KiB, and where their bases differ, as they do. Counted and modelled are the calls alone.",
            "cargo xtask bench experiment colours --json FILE",
        )
        .modelled_by_the_plugin()
        .without("Programs, stacks and the kernel have frames of any colour.")
        .column("instructions", "instructions", How::Counted)
        .column("second_cache", "lines", How::Modelled)
        .column("beyond", "lines", How::Modelled)
        .column("second_tlb", "pages", How::Modelled)
        .column("walks", "walks", How::Modelled)
        .column("cycles", "cycles", How::Modelled)
        .plot(bars("Cycles of a call after the other task touched so much, with colours of its own and without", "colours"))
        .plot(bars("Cycles of a round among small tasks, with bases that differ and without", "bases"))
}

/// Cycles without and with, and what they go to: lines from beyond, or walks.
fn text(cases: &[Case]) -> Result<String> {
    let mut heading = ["about", "between", "beside", "apart"].map(str::to_owned).to_vec();
    heading.extend(PROCESSORS.map(|processor| format!("{}: cycles; beyond, walks", processor.title)));
    let mut lines = vec![heading];
    for case in cases {
        let apart = if case.helped { "yes" } else { "no" };
        let mut cells = vec![case.about.to_owned(), confinement(case.record), case.beside.clone(), apart.to_owned()];
        for processor in PROCESSORS {
            let modelled = case.on(processor)?;
            let (beyond, walks) = (case.beyond(processor)?, case.record.walks(modelled));
            cells.push(format!("{}; {beyond:.0}, {walks:.0}", table::cycles(modelled.cycles.total())));
        }
        lines.push(cells);
    }
    Ok(text_table(lines))
}

/// What helps must not harm, and must help where there is much beside: on the processors whose caches or TLBs have sets for it.
fn checks(cases: &[Case]) -> Vec<Check> {
    let pairs = cases.chunk_by(|one, other| {
        (one.about, &one.beside, confinement(one.record)) == (other.about, &other.beside, confinement(other.record))
    });
    let check = |pair: &[Case]| {
        let [without, with] = pair else { anyhow::bail!("{} cases of two", pair.len()) };
        ensure!(!without.helped && with.helped, "not without and with");
        let most = with.about == "colours" && with.beside == "2048 KiB";
        for processor in PROCESSORS {
            let (less, more) = (with.beyond(processor)?, without.beyond(processor)?);
            // A second level whose ways are a page has one colour.
            let colours = processor.name != "duron";
            if most && colours {
                ensure!(2.0 * less < more, "{less} lines of {more} from beyond on {}, with colours", processor.title);
            }
            let (less, more) = (with.record.walks(with.on(processor)?), without.record.walks(without.on(processor)?));
            if with.about == "bases" {
                ensure!(less <= more, "{less} walks on {}, and {more} with equal bases", processor.title);
            }
        }
        Ok(())
    };
    let name = |pair: &[Case]| {
        pair.first().map(|case| format!("{}, {}, {}", case.about, confinement(case.record), case.beside))
    };
    pairs.filter_map(|pair| Some((name(pair)?, check(pair)))).collect()
}
