//! What comes of tasks that touch memory between messages: cycles of a call by how much is touched, in each kind of confinement.

use anyhow::{Context, Result, ensure};
use lilliput_model::processor::Cycles;
use lilliput_model::{Class, PROCESSORS, Processor, Record};

use super::check::Check;

/// How tasks are kept apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confinement {
    /// Small tasks by segments.
    Segment,
    /// A small client by segments, whose arena's host is the server.
    Host,
    /// Small tasks by page tables of their own, tagged.
    Page,
    /// The same, untagged.
    PageUntagged,
    /// 64-bit tasks, tagged.
    Wide,
    /// The same, untagged.
    WideUntagged,
}

impl Confinement {
    /// All of them, in the order of tables.
    pub const ALL: [Self; 6] =
        [Self::Segment, Self::Host, Self::Page, Self::PageUntagged, Self::Wide, Self::WideUntagged];

    /// What tables call it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Segment => "segment",
            Self::Host => "small+host",
            Self::Page => "page",
            Self::PageUntagged => "page-untagged",
            Self::Wide => "64",
            Self::WideUntagged => "64 untagged",
        }
    }

    /// Whether it takes a processor with tags; that in its mode entries are tagged where there are.
    const fn tagged(self) -> bool {
        !matches!(self, Self::PageUntagged | Self::WideUntagged)
    }

    /// The isolation mode of its small tasks, where there are some.
    pub const fn isolation(self) -> Option<&'static str> {
        match self {
            Self::Segment | Self::Host => Some("segment"),
            Self::Page => Some("page"),
            Self::PageUntagged => Some("page-untagged"),
            Self::Wide | Self::WideUntagged => None,
        }
    }

    const fn needs_tags(self) -> bool {
        matches!(self, Self::Page | Self::Wide)
    }

    fn is_of(self, record: &Record) -> bool {
        let text = |key: &str| record.case[key].as_str();
        let to = match self {
            Self::Segment | Self::Page | Self::PageUntagged => "small",
            Self::Host => "host",
            Self::Wide | Self::WideUntagged => "64",
        };
        (text("to"), text("isolation")) == (Some(to), self.isolation())
    }
}

/// A cell: modelled but for instructions and writes.
#[derive(Clone, Copy, Debug)]
pub struct Cell<'a> {
    /// How many tasks take part.
    pub tasks: u64,
    /// Pages that each touches between messages, a line in each.
    pub pages: u32,
    /// KiB that each touches between messages.
    pub kib: u32,
    /// How they are kept apart.
    pub confinement: Confinement,
    /// Cycles of a call and its answer with what both sides touch before.
    pub cycles: Cycles,
    /// Walks of page tables, of the same.
    pub walks: f64,
    /// Instructions, of the same; counted.
    pub instructions: f64,
    /// Writes of CR3, of the same; counted.
    pub cr3_writes: f64,
    record: &'a Record,
}

/// A row: what a processor makes of a point of the grid.
pub struct Line<'a> {
    /// The processor.
    pub processor: &'static Processor,
    /// Its cells, those that there are.
    pub cells: Vec<Cell<'a>>,
}

/// All rows, processors and numbers of tasks one after the other.
pub fn lines(records: &[Record]) -> Result<Vec<Line<'_>>> {
    let mut points: Vec<(u64, u32, u32)> = Vec::new();
    for record in records {
        let point = point(record)?;
        if !points.contains(&point) {
            points.push(point);
        }
    }
    ensure!(!points.is_empty(), "the plugin saw nothing");
    points.sort_by_key(|&(tasks, ..)| tasks);
    let mut lines = Vec::new();
    for processor in PROCESSORS {
        for &at in &points {
            let of_point: Vec<_> =
                records.iter().filter(|record| point(record).is_ok_and(|other| other == at)).collect();
            let cells = Confinement::ALL.into_iter().filter_map(|confinement| {
                let record = of_point.iter().find(|record| confinement.is_of(record))?;
                cell(processor, confinement, at, record)
            });
            lines.push(Line { processor, cells: cells.collect() });
        }
    }
    Ok(lines)
}

/// Tasks, pages and KiB.
fn point(record: &Record) -> Result<(u64, u32, u32)> {
    let tasks = record.case["tasks"].as_u64().context("a case without its number of tasks")?;
    let number = |range: std::ops::Range<usize>| record.batch.get(range)?.parse().ok();
    let (pages, kib) = (number(0..3), number(3..6));
    Ok((tasks, pages.context("a batch without its pages")?, kib.context("a batch without its lines")?))
}

fn cell<'a>(
    processor: &'static Processor,
    confinement: Confinement,
    (tasks, pages, kib): (u64, u32, u32),
    record: &'a Record,
) -> Option<Cell<'a>> {
    if confinement.needs_tags() && !processor.tags {
        return None;
    }
    let modelled = record.on(processor.name, confinement.tagged() && processor.tags)?;
    let call = 1.0 / (tasks - 1) as f64;
    let counts = &record.counts;
    Some(Cell {
        tasks,
        pages,
        kib,
        confinement,
        cycles: modelled.cycles.total().times(call),
        walks: record.walks(modelled) * call,
        instructions: (counts.user.instructions + counts.kernel.instructions) as f64 * call,
        cr3_writes: counts.class(Class::Cr3Write) as f64 * call,
        record,
    })
}

impl Cell<'_> {
    /// An error if there are walks where all fits. It says what for.
    fn has_no_walks(&self, fits: bool) -> Result<()> {
        let (walks, last) = (self.walks, self.record.walk.as_deref().unwrap_or("what a flush took"));
        ensure!(!fits || walks == 0.0, "{walks} walks in `{}`, one of them for {last}", self.confinement.word());
        Ok(())
    }
}

impl Line<'_> {
    /// Its cell of this confinement.
    pub fn cell(&self, confinement: Confinement) -> Option<&Cell<'_>> {
        self.cells.iter().find(|cell| cell.confinement == confinement)
    }

    /// By how many cycles a call costs more in one than in the other.
    pub fn difference(&self, one: Confinement, other: Confinement) -> Option<Cycles> {
        let (one, other) = (self.cell(one)?, self.cell(other)?);
        let part = |cell: &Cell| {
            let tagged = cell.confinement.tagged() && self.processor.tags;
            Some((cell.record.counts.clone(), cell.record.on(self.processor.name, tagged)?.misses, cell.record.alike))
        };
        let ((counts, misses, rounds), (less, less_misses, less_rounds)) = (part(one)?, part(other)?);
        let difference = self.processor.difference((&counts, &misses, rounds), (&less, &less_misses, less_rounds));
        Some(difference.times(1.0 / (one.tasks - 1) as f64))
    }
}

/// What has to be true whatever it costs, for a person to read: each with what came of it.
pub fn checks(lines: &[Line]) -> Vec<Check> {
    lines.iter().map(|line| (line.title(), line.check())).collect()
}

/// Pages that each of two tasks can touch so that every TLB here holds both tasks' at its second level, with what they have besides.
const FITS: u32 = 64;

impl Line<'_> {
    fn title(&self) -> String {
        let at = self.cells.first().map(|cell| format!("{} tasks, {} pages, {} KiB", cell.tasks, cell.pages, cell.kib));
        format!("{}, {}", self.processor.name, at.unwrap_or_default())
    }

    fn check(&self) -> Result<()> {
        let cell = |confinement: Confinement| {
            self.cell(confinement).with_context(|| format!("nothing was counted in `{}`", confinement.word()))
        };
        let (segment, untagged) = (cell(Confinement::Segment)?, cell(Confinement::PageUntagged)?);
        let small = segment.tasks == 2 && segment.pages <= FITS && segment.kib == 0;
        let mut rootless = vec![segment];
        if segment.tasks == 2 {
            rootless.push(cell(Confinement::Host)?);
        }
        for cell in rootless {
            ensure!(cell.cr3_writes == 0.0, "{} writes of CR3 in `{}`", cell.cr3_writes, cell.confinement.word());
            cell.has_no_walks(small)?;
        }
        for confinement in [Confinement::PageUntagged, Confinement::WideUntagged] {
            let cell = cell(confinement)?;
            ensure!(cell.cr3_writes == 2.0, "{} writes of CR3 in `{}`", cell.cr3_writes, confinement.word());
            let own = 2.0 * f64::from(cell.pages);
            ensure!(cell.walks >= own, "{} walks in `{}` for {own} pages touched", cell.walks, confinement.word());
        }
        for confinement in [Confinement::Page, Confinement::Wide].into_iter().filter(|_| self.processor.tags) {
            let cell = cell(confinement)?;
            cell.has_no_walks(small)?;
        }
        // What this project is about, where nothing but the switch differs: both run the same 32-bit code.
        let less = self.difference(Confinement::Segment, Confinement::PageUntagged);
        let less = less.with_context(|| format!("{} can't be compared", untagged.confinement.word()))?;
        ensure!(less.usual < 0.0, "`segment` costs {} cycles more than `page-untagged`", less.usual);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counts::record::tests::record;
    use lilliput_model::memory::Misses;
    use lilliput_model::record::Modelled;

    fn touched(to: &str, isolation: Option<&str>, batch: &str, walks: u64) -> Record {
        let mut record = record(0, batch);
        record.case = serde_json::json!({"tasks": 2, "from": "small", "to": to, "isolation": isolation});
        record.alike = 10;
        for processor in PROCESSORS {
            for tagged in [false, true] {
                let misses = Misses { data_walks: if tagged { 0 } else { walks }, ..Misses::default() };
                let cycles = processor.modelled(&record.counts, &misses, 10);
                record.modelled.push(Modelled { processor: processor.name.to_owned(), tagged, misses, cycles });
            }
        }
        record
    }

    #[test]
    fn modes_are_compared_at_the_same_point() {
        let records = [
            touched("small", Some("segment"), "016000", 0),
            touched("small", Some("page-untagged"), "016000", 320),
            touched("64", None, "016000", 320),
            touched("small", Some("segment"), "000008", 0),
        ];
        let lines = lines(&records).unwrap();
        assert_eq!(lines.len(), 2 * PROCESSORS.len());
        let zen3 = lines.iter().find(|line| line.processor.name == "zen3").unwrap();
        assert_eq!((zen3.cells[0].pages, zen3.cells[0].kib), (16, 0));
        assert_eq!(zen3.cell(Confinement::PageUntagged).unwrap().walks, 32.0);
        assert_eq!(zen3.cell(Confinement::Wide).unwrap().walks, 0.0);
        let less = zen3.difference(Confinement::Segment, Confinement::PageUntagged).unwrap();
        assert_eq!(less.usual, -32.0 * zen3.processor.costs.walk.cycles.usual);
        assert!(zen3.difference(Confinement::Segment, Confinement::Page).is_none());
        let duron = lines.iter().find(|line| line.processor.name == "duron").unwrap();
        assert!(duron.cell(Confinement::Wide).is_none() && duron.cell(Confinement::WideUntagged).is_some());
    }
}
