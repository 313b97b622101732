//! The answer in a few sentences, whose words are chosen by the figures: none of it is known before.

mod clocked;
mod each;
mod verdict;

pub use self::each::answers;
use self::verdict::{Basis, Verdict};
use crate::figures::{BESIDE, Experiment, Figure, Figures, Limits, NO_MACHINE, Row, shown};

/// What the page is about.
pub const QUESTION: &str = "Are small spaces worth it?";

/// What is said of one thing.
#[derive(Debug)]
pub struct Sentence {
    /// What it is about.
    pub about: String,
    /// The verdict in a word or two, where there is one.
    pub word: Option<&'static str>,
    /// What that comes of.
    pub text: String,
}

impl Sentence {
    fn plain(about: &str, text: String) -> Self {
        Self { about: about.to_owned(), word: None, text }
    }
}

/// Experiments in the order in which they stand on the page, what was measured behind what was modelled of the same; all others come after these.
const ORDER: [&str; 19] = [
    "crossover",
    "crossover-clocked",
    "many",
    "many-clocked",
    "switches",
    "paths-modelled",
    BESIDE,
    "syscall-table",
    "syscall-table-clocked",
    "linux",
    "over-split",
    "split-clocked",
    "small-files",
    "files-clocked",
    "colours",
    "colours-clocked",
    "messages",
    "messages-clocked",
    "blocking-read",
];

/// Where an experiment of this name stands.
pub fn place(name: &str) -> usize {
    ORDER.iter().position(|known| *known == name).unwrap_or(ORDER.len())
}

/// The answer in short: a line for each real machine that measured it by its clocks, and one for what was modelled.
pub fn in_short(figures: &Figures) -> Vec<String> {
    let clocked = figures.find("crossover-clocked");
    let measured = clocked.into_iter().flat_map(|clocked| {
        let real = clocked.platforms().into_iter().filter(|platform| !is_emulated(platform));
        real.map(|platform| (format!("Measured on {platform}"), clocked::against(clocked, platform)))
    });
    let modelled = figures.find("crossover").map(|crossover| ("Modelled".to_owned(), against(crossover)));
    measured.chain(modelled).filter_map(|(source, said)| short(&source, &said)).collect()
}

/// Sentences by their words alone.
fn short(source: &str, said: &[Sentence]) -> Option<String> {
    let mut by_word: Vec<(&str, Vec<String>)> = Vec::new();
    for (word, about) in said.iter().filter_map(|said| Some((said.word?, said.about.replacen('A', "a", 1)))) {
        match by_word.iter_mut().find(|(other, _)| *other == word) {
            Some((_, all)) => all.push(about),
            None => by_word.push((word, vec![about])),
        }
    }
    let parts: Vec<_> = by_word.iter().map(|(word, all)| format!("{word}, {}", all.join(", and "))).collect();
    (!parts.is_empty()).then(|| format!("{source}: {}.", parts.join("; ")))
}

/// The sentences: those for which there are figures.
pub fn sentences(figures: &Figures) -> Vec<Sentence> {
    let find = |name: &str| figures.find(name);
    let mut sentences = Vec::new();
    sentences.extend(find("crossover-clocked").into_iter().flat_map(clocked::against_each));
    if let Some(crossover) = find("crossover") {
        sentences.extend(against(crossover));
        sentences.extend(host(crossover));
    }
    sentences.extend(find("switches").into_iter().flat_map(switches));
    sentences.extend(find("linux").into_iter().flat_map(linux));
    sentences.extend(where_from(figures));
    sentences
}

/// Another confinement, which small tasks by segments are compared with.
struct Against {
    confinement: &'static str,
    name: &'static str,
}

const AGAINST: [Against; 4] = [
    Against {
        confinement: "page-untagged",
        name: "small tasks in page tables, with a TLB that is flushed at each switch",
    },
    Against { confinement: "page", name: "small tasks in page tables, with a tagged TLB" },
    Against { confinement: "64 untagged", name: "64-bit tasks, with a TLB that is flushed at each switch" },
    Against { confinement: "64", name: "64-bit tasks, with a tagged TLB" },
];

impl Against {
    fn sentence(&self, crossover: &Experiment) -> Option<Sentence> {
        let rows = || crossover.rows.iter().filter(|row| row.is("confinement", self.confinement));
        let verdict = Verdict::of(rows().filter_map(|row| row.figures.get("over_segment").copied()))?;
        let percent = span(rows().filter_map(|row| row.figures.get("over_segment_percent").copied()));
        let percent = percent
            .map_or(String::new(), |percent| format!(" A call and its answer costs {percent} there (usual prices)."));
        let modelled = processors(rows());
        let text = format!(
            "of {} points modelled on {modelled}, segments are {}.{percent}",
            verdict.points,
            verdict.words(Basis::Prices)
        );
        Some(Sentence { about: format!("Against {}", self.name), word: Some(verdict.word(Basis::Prices)), text })
    }
}

/// How segments do against each other confinement.
fn against(crossover: &Experiment) -> Vec<Sentence> {
    AGAINST.iter().filter_map(|against| against.sentence(crossover)).collect()
}

/// How a small task and its arena's host do against all others.
fn host(crossover: &Experiment) -> Option<Sentence> {
    let rows = || crossover.rows.iter().filter(|row| row.figures.contains_key("over_host"));
    let verdict = Verdict::of(rows().filter_map(|row| row.figures.get("over_host").copied()))?;
    let text = format!(
        "of {} comparisons on {}, they are {}.",
        verdict.points,
        processors(rows()),
        verdict.words(Basis::Prices)
    );
    let about = "A small task and its arena's host, against all others here".to_owned();
    Some(Sentence { about, word: Some(verdict.word(Basis::Prices)), text })
}

/// Whether it is of an emulator or a virtual machine: what it measures says what that costs.
fn is_emulated(platform: &str) -> bool {
    ["QEMU", "Bochs", "EMULATED"].iter().any(|word| platform.contains(word))
}

fn processors<'a>(rows: impl Iterator<Item = &'a Row>) -> String {
    let names: std::collections::BTreeSet<_> = rows.filter_map(|row| row.keys.get("processor")).collect();
    if names.len() == 1 { "one processor".to_owned() } else { format!("{} processors", names.len()) }
}

/// From the least to the most, as what something costs more or less.
fn span(percents: impl Iterator<Item = Figure> + Clone) -> Option<String> {
    let usual = || percents.clone().map(Figure::usual);
    let (least, most) = (usual().reduce(f64::min)?.round(), usual().reduce(f64::max)?.round());
    let number = |percent: f64| shown(percent.abs());
    Some(match (least >= 0.0, most > 0.0) {
        (true, true) if least == most => format!("{} % more", number(least)),
        (true, true) => format!("{} to {} % more", number(least), number(most)),
        (true, false) => "as much".to_owned(),
        (false, true) => format!("between {} % less and {} % more", number(least), number(most)),
        (false, false) => format!("{} to {} % less", number(most), number(least)),
    })
}

/// What was counted of a call between small tasks, by platform.
fn switches(switches: &Experiment) -> Option<Sentence> {
    let call = |mode: &str, platform: Option<&str>| {
        let ends = |row: &&Row| {
            row.is("operation", "call") && row.is("from", "small") && row.is("to", "small") && row.is("words", 4_u64)
        };
        let here = |row: &&Row| platform.is_none_or(|platform| row.platform == platform);
        switches
            .rows
            .iter()
            .find(|row| ends(row) && here(row) && row.is("isolation", mode) && row.figures.contains_key("instructions"))
    };
    let segment = call("segment", None)?;
    let page = call("page", Some(&segment.platform))?;
    let figure = |row: &Row, column: &str| row.figures.get(column).map(|figure| figure.usual());
    let (own, other) = (figure(segment, "instructions")?, figure(page, "instructions")?);
    let than = match own - other {
        0.0 => "as many as".to_owned(),
        more if more > 0.0 => format!("{} more than", shown(more)),
        less => format!("{} fewer than", shown(-less)),
    };
    let writes = figure(segment, "cr3_writes").zip(figure(page, "cr3_writes"));
    let writes = writes
        .map_or(String::new(), |(own, other)| format!(", and {} against {} writes of CR3", shown(own), shown(other)));
    let text = format!("{} instructions of the kernel's in segment mode, {than} in page mode{writes}.", shown(own));
    let mark =
        if segment.limits == Limits::Unenforced { format!(" ({})", Limits::Unenforced.word()) } else { String::new() };
    Some(Sentence::plain(&format!("A call of four words between small tasks, counted{mark}"), text))
}

/// How Linux's programs do, for each width.
fn linux(linux: &Experiment) -> Vec<Sentence> {
    let of = |(architecture, isolation): (&str, &str)| {
        let rows = linux.rows.iter().filter(|row| {
            row.is("system", "lilliput") && row.is("architecture", architecture) && row.is("isolation", isolation)
        });
        let ratios: Vec<_> = rows.filter_map(|row| Some(row.figures.get("ratio")?.usual())).collect();
        let (least, most) = (ratios.iter().copied().reduce(f64::min)?, ratios.iter().copied().reduce(f64::max)?);
        let fewer = ratios.iter().filter(|&&ratio| ratio < 1.0).count();
        let mode = if isolation == "-" { String::new() } else { format!(" in {isolation} mode") };
        let text = format!(
            "of {} operations {fewer} take fewer instructions than on Linux; they take {} to {} times as many.",
            ratios.len(),
            shown(least),
            shown(most)
        );
        Some(Sentence::plain(&format!("{architecture} programs of Linux{mode}, counted"), text))
    };
    [("i386", "segment"), ("i386", "page"), ("amd64", "-")].into_iter().filter_map(of).collect()
}

/// What it all was measured on.
fn where_from(figures: &Figures) -> Option<Sentence> {
    let machines = figures.platforms().into_iter().filter(|platform| !platform.starts_with(NO_MACHINE));
    let (emulated, real): (Vec<_>, Vec<_>) = machines.partition(|platform| is_emulated(platform));
    match (emulated.is_empty(), real.is_empty()) {
        (true, true) => None,
        (_, true) => {
            let text = "no figure here; counts are an emulator's, and cycles are modelled.".to_owned();
            Some(Sentence::plain("Measured on a real processor", text))
        }
        (_, false) => Some(Sentence::plain("Measured on real processors as well", format!("{}.", real.join("; ")))),
    }
}

#[cfg(test)]
mod tests {
    use lilliput_model::processor::Cycles;

    use super::*;
    use crate::figures::How;

    /// A crossover map in which another confinement costs so much more than segments at each of two points.
    fn crossover(confinement: &str, over: [(f64, f64, f64); 2]) -> Figures {
        let rows = over.into_iter().zip([0_u64, 16]).map(|((low, usual, high), pages)| {
            let row = Row::new("QEMU", Limits::NotUsed)
                .key("processor", "Zen 3")
                .key("pages", pages)
                .key("confinement", confinement);
            let over = Cycles { low, usual, high };
            row.figure("over_segment", over).figure("over_segment_percent", over.times(0.5)).figure("over_host", over)
        });
        let experiment = Experiment::new("crossover", "", &["processor", "pages", "confinement"]);
        ["over_segment", "over_segment_percent", "over_host"]
            .into_iter()
            .fold(experiment, |experiment, name| experiment.column(name, "", How::Modelled))
            .rows(rows)
            .into()
    }

    fn told(figures: &Figures) -> Vec<String> {
        let told = sentences(figures).into_iter();
        told.map(|Sentence { about, word, text }| {
            format!("{about}: {}{text}", word.map_or(String::new(), |word| format!("{word}: ")))
        })
        .collect()
    }

    fn said(over: [(f64, f64, f64); 2]) -> String {
        told(&crossover("page", over))[0].clone()
    }

    #[test]
    fn other_figures_make_another_answer() {
        let win = said([(10.0, 20.0, 30.0), (5.0, 40.0, 90.0)]);
        assert!(
            win.contains("tagged TLB: yes: ") && win.contains("ahead at each") && win.contains("10 to 20 % more"),
            "{win}"
        );
        let lose = said([(-30.0, -20.0, -10.0), (-90.0, -40.0, -5.0)]);
        assert!(
            lose.contains("tagged TLB: no: ") && lose.contains("behind at each") && lose.contains("10 to 20 % less"),
            "{lose}"
        );
        let open = said([(-10.0, 20.0, 30.0), (-5.0, 40.0, 90.0)]);
        assert!(open.contains("tagged TLB: not shown"), "{open}");
        let both = said([(10.0, 20.0, 30.0), (-90.0, -40.0, -5.0)]);
        assert!(both.contains("tagged TLB: it depends") && both.contains("between 20 % less and 10 % more"), "{both}");
    }

    #[test]
    fn in_short_names_stand_by_their_words() {
        let said = |about: &str, word| Sentence { about: about.to_owned(), word, text: String::new() };
        let all = [said("Against A", Some("yes")), said("Against B", Some("no")), said("Against C", Some("yes"))];
        assert_eq!(short("Modelled", &all).unwrap(), "Modelled: yes, against A, and against C; no, against B.");
        assert_eq!(short("Modelled", &[said("QEMU", None)]), None);
        let both = in_short(&crossover("page", [(10.0, 20.0, 30.0), (-90.0, -40.0, -5.0)]));
        assert_eq!(both, ["Modelled: it depends, against small tasks in page tables, with a tagged TLB."]);
    }

    #[test]
    fn what_was_not_measured_is_not_answered() {
        assert!(told(&Figures::default()).is_empty());
        let all = told(&crossover("64", [(1.0, 2.0, 3.0); 2]));
        assert_eq!(all.len(), 3, "{all:?}");
        assert!(all[0].contains("64-bit") && all[1].contains("arena's host") && all[2].contains("no figure"));
    }

    #[test]
    fn counts_turn_the_words_as_well() {
        let of = |segment: u64, page: u64| {
            let row = |mode: &str, count: u64| {
                let row = Row::new("Ryzen", Limits::of(Some(mode), true)).key("operation", "call").key("from", "small");
                row.key("to", "small").key("words", 4_u64).key("isolation", mode).figure("instructions", count)
            };
            let experiment = Experiment::new("switches", "", &["operation", "from", "to", "words", "isolation"]);
            let experiment = experiment.column("instructions", "instructions", How::Counted);
            told(&experiment.rows([row("segment", segment), row("page", page)]).into())
        };
        assert!(of(42, 57)[0].contains("counted: 42 ") && of(42, 57)[0].contains("15 fewer than"));
        assert!(of(60, 57)[0].contains("3 more than") && of(57, 57)[0].contains("as many as"));
        assert_eq!(of(42, 57)[1], "Measured on real processors as well: Ryzen.");
    }
}
