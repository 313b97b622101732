//! The answer of each experiment to its own question, made of its figures: of the rows that are in it, whatever they are.

use super::{AGAINST, Sentence, clocked, host, linux, switches};
use crate::figures::{BESIDE, Experiment, Row, bytes, shown};

/// What an experiment's figures say to its question. Nothing of one that is not known here, or that lacks the rows.
pub fn answers(experiment: &Experiment) -> Vec<Sentence> {
    match experiment.name.as_str() {
        "crossover" | "many" => {
            let against = AGAINST.iter().filter_map(|against| against.sentence(experiment));
            against.chain(host(experiment)).collect()
        }
        "switches" => switches(experiment).into_iter().chain(ring(experiment)).collect(),
        "linux" => linux(experiment),
        "syscall-table" => system_call(experiment),
        "over-split" | "small-files" => beside_first(experiment),
        "blocking-read" => reads(experiment),
        "colours" => colours(experiment),
        "messages" => messages(experiment),
        "shares" => shares(experiment),
        "accounting" => {
            span_of(experiment, "accounting", "Accounting adds", "instructions a way").into_iter().collect()
        }
        "paths-modelled" => parts(experiment).into_iter().collect(),
        "prices" => prices(experiment).into_iter().collect(),
        BESIDE => held(experiment),
        "crossover-clocked" | "many-clocked" => clocked::against_each(experiment),
        "split-clocked" => clocked::beside(experiment, &[("servers", "0")]),
        "syscall-table-clocked" => clocked::beside(experiment, &[("to", "host")]),
        "files-clocked" => clocked::beside(experiment, &[("rings", "by calls")]),
        "colours-clocked" => clocked::beside(experiment, &[("coloured", "any colours"), ("staggered", "equal bases")]),
        "messages-clocked" => clocked::messages(experiment),
        _ => Vec::new(),
    }
}

pub(super) fn usual(row: &Row, column: &str) -> Option<f64> {
    row.figures.get(column).map(|figure| figure.usual())
}

/// Rows with these values, in their order.
fn with<'a>(experiment: &'a Experiment, values: &'a [(&str, &str)]) -> impl Iterator<Item = &'a Row> + Clone {
    experiment.rows.iter().filter(move |row| values.iter().all(|&(key, value)| row.is(key, value)))
}

/// Values of a key, each once, in the order of rows.
pub(super) fn values_of<'a>(rows: impl Iterator<Item = &'a Row>, key: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for value in rows.filter_map(|row| row.keys.get(key)).map(ToString::to_string) {
        if !all.contains(&value) {
            all.push(value);
        }
    }
    all
}

/// From the least to the most of a column.
pub(super) fn ends(figures: impl Iterator<Item = f64> + Clone) -> Option<(f64, f64)> {
    Some((figures.clone().reduce(f64::min)?, figures.reduce(f64::max)?))
}

pub(super) fn from_to((least, most): (f64, f64)) -> String {
    if least == most { shown(least) } else { format!("{} to {}", shown(least), shown(most)) }
}

pub(super) fn rows(count: usize) -> String {
    if count == 1 { "1 row".to_owned() } else { format!("{count} rows") }
}

fn span_of(experiment: &Experiment, column: &str, about: &str, unit: &str) -> Option<Sentence> {
    let figures = experiment.rows.iter().filter_map(|row| usual(row, column));
    let (least, most) = ends(figures.clone())?;
    let text = format!("{} {unit}, over {}.", from_to((least, most)), rows(figures.count()));
    Some(Sentence::plain(about, text))
}

/// Ten requests, by calls and by a ring.
fn ring(switches: &Experiment) -> Option<Sentence> {
    let by_ring = switches.rows.iter().filter(|row| row.is("operation", "10 by a ring"));
    let ratios = by_ring.filter_map(|row| {
        let alike = |other: &&Row| {
            let same = |key: &str| other.keys.get(key) == row.keys.get(key);
            other.platform == row.platform && ["from", "to", "words", "isolation"].iter().all(|key| same(key))
        };
        let calls = switches.rows.iter().filter(|row| row.is("operation", "10 by calls")).find(alike)?;
        Some(usual(row, "instructions")? / usual(calls, "instructions")?)
    });
    let ratios: Vec<_> = ratios.collect();
    let fewer = ratios.iter().filter(|&&ratio| ratio < 1.0).count();
    let text = format!(
        "of {} a ring takes fewer instructions in {fewer}; {} times as many as ten calls.",
        rows(ratios.len()),
        from_to(ends(ratios.iter().copied())?)
    );
    Some(Sentence::plain("Ten requests by a ring with one wake-up, counted", text))
}

/// Each server, beside what was published.
fn system_call(table: &Experiment) -> Vec<Sentence> {
    let of = |row: &Row| {
        let cycles = row.figures.get("cycles")?;
        let published = row.figures.get("published_cycles").map_or(String::new(), |published| {
            let off = (cycles.usual() / published.usual() - 1.0) * 100.0;
            format!(
                "; {} were published, which is {} % {} here",
                published,
                shown(off.abs().round()),
                if off < 0.0 { "fewer" } else { "more" }
            )
        });
        let walks = usual(row, "walks")?;
        let mode = row.keys.get("isolation").filter(|&mode| *mode != "-".into()).map(|mode| format!(", {mode}"));
        let about = format!("{}{}", row.keys.get("server")?, mode.unwrap_or_default());
        let text = format!(
            "{cycles} cycles, {} walks, {} instructions{published}.",
            shown(walks),
            shown(usual(row, "instructions")?)
        );
        Some(Sentence::plain(&about, text))
    };
    with(table, &[("processor", "AMD Duron 800")]).filter_map(of).collect()
}

/// What each way costs beside the first of them: servers beside the kernel alone, rings beside calls.
fn beside_first(experiment: &Experiment) -> Vec<Sentence> {
    let ways = values_of(experiment.rows.iter(), "by");
    let Some((first, others)) = ways.split_first() else { return Vec::new() };
    let of = |way: &String| {
        let rows = experiment.rows.iter().filter(|row| row.is("by", way.as_str()));
        let more = |column: &'static str| {
            let rows = rows.clone();
            let ratios = rows.filter_map(move |row| {
                let alike = |other: &&Row| {
                    let same = |key: &str| other.keys.get(key) == row.keys.get(key);
                    other.is("by", first.as_str())
                        && other.platform == row.platform
                        && ["between", "tlb", "processor"].iter().all(|key| same(key))
                };
                Some(usual(row, column)? / usual(experiment.rows.iter().find(alike)?, column)?)
            });
            ends(ratios.collect::<Vec<_>>().into_iter()).map(from_to)
        };
        let text = format!(
            "{} times the instructions of {first}, and by usual prices {} times the cycles.",
            more("instructions")?,
            more("cycles")?
        );
        Some(Sentence::plain(&format!("By {way}"), text))
    };
    others.iter().filter_map(of).collect()
}

/// What kinds of reads cost here, of what they cost on Linux.
fn reads(experiment: &Experiment) -> Vec<Sentence> {
    let of = |kind: &String| {
        let ratios = experiment.rows.iter().filter(|row| row.is("read", kind.as_str()));
        let ratios = ratios.filter_map(|row| usual(row, "ratio")).collect::<Vec<_>>();
        let (span, rows) = (from_to(ends(ratios.iter().copied())?), rows(ratios.len()));
        let text = format!("{span} of Linux's instructions, over {rows}.");
        Some(Sentence::plain(kind, text))
    };
    values_of(experiment.rows.iter(), "read").iter().filter_map(of).collect()
}

/// What apart is worth where there is most beside, by processor.
fn colours(experiment: &Experiment) -> Vec<Sentence> {
    let of = |about: &str| {
        let values = [("about", about), ("between", "small to small, segment")];
        let of_about: Vec<_> = with(experiment, &values).collect();
        let last = values_of(of_about.iter().copied(), "beside").pop()?;
        let rows = || of_about.iter().copied().filter(|row| row.is("beside", last.as_str()));
        let saved: Vec<_> = values_of(rows(), "processor")
            .into_iter()
            .filter_map(|processor| {
                let cycles = |apart: &str| {
                    let mut rows =
                        rows().filter(|row| row.is("processor", processor.as_str()) && row.is("apart", apart));
                    usual(rows.next()?, "cycles")
                };
                let percent = (1.0 - cycles("yes")? / cycles("no")?) * 100.0;
                Some(format!("{} % on {processor}", shown(percent.round())))
            })
            .collect();
        (!saved.is_empty()).then(|| {
            Sentence::plain(
                &format!("{about}, with {last} beside: of the usual cycles saved"),
                format!("{}.", saved.join(", ")),
            )
        })
    };
    ["colours", "bases"].into_iter().filter_map(of).collect()
}

/// Which way is cheapest for each size, by usual cycles on one processor.
fn messages(experiment: &Experiment) -> Vec<Sentence> {
    const PROCESSOR: &str = "AMD Zen 3";
    let of = |between: &String| {
        let rows: Vec<_> =
            with(experiment, &[("processor", PROCESSOR)]).filter(|row| row.is("between", between.as_str())).collect();
        let runs = cheapest(&rows, "by", "cycles")?;
        Some(Sentence::plain(&format!("Cheapest by usual prices on {PROCESSOR}, {between}"), format!("{runs}.")))
    };
    values_of(experiment.rows.iter(), "between").iter().filter_map(of).collect()
}

/// For which sizes each way has the least of a column.
pub(super) fn cheapest(rows: &[&Row], way: &str, column: &str) -> Option<String> {
    let mut runs: Vec<(String, String, String)> = Vec::new();
    for size in values_of(rows.iter().copied(), "bytes") {
        let of_size = rows.iter().filter(|row| row.keys.get("bytes").is_some_and(|key| key.to_string() == size));
        let best = of_size.filter_map(|row| Some((usual(row, column)?, row.keys.get(way)?.to_string())));
        let (_, by) = best.reduce(|best, next| if next.0 < best.0 { next } else { best })?;
        let size = size.parse().map_or(size, bytes);
        match runs.last_mut() {
            Some((last, _, to)) if *last == by => *to = size,
            _ => runs.push((by, size.clone(), size)),
        }
    }
    let runs: Vec<_> = runs
        .into_iter()
        .map(|(by, from, to)| if from == to { format!("{by} for {from}") } else { format!("{by} from {from} to {to}") })
        .collect();
    (!runs.is_empty()).then(|| runs.join(", "))
}

/// What each part adds, over all paths.
fn shares(experiment: &Experiment) -> Vec<Sentence> {
    let of = |part: &String| {
        let rows = || experiment.rows.iter().filter(|row| row.is("part", part.as_str()));
        let instructions = ends(rows().filter_map(|row| usual(row, "instructions")).collect::<Vec<_>>().into_iter())?;
        let percent = ends(rows().filter_map(|row| usual(row, "percent")).collect::<Vec<_>>().into_iter())?;
        let text = format!(
            "{} instructions, {} % of the way.",
            from_to(instructions),
            from_to((percent.0.round(), percent.1.round()))
        );
        Some(Sentence::plain(part, text))
    };
    values_of(experiment.rows.iter(), "part").iter().filter_map(of).collect()
}

/// What the most of a call's modelled cycles goes to, on each processor.
fn parts(experiment: &Experiment) -> Option<Sentence> {
    let rows = with(experiment, &[("operation", "call"), ("from", "small"), ("to", "small"), ("isolation", "segment")]);
    let of = rows.filter(|row| row.is("words", 4_u64)).filter_map(|row| {
        let of_part = |name: &&str| Some((usual(row, name)?, (*name).to_owned()));
        let all = ["plain instructions", "special instructions", "second TLB", "walks", "caches"];
        let (most, name) =
            all.iter().filter_map(of_part).reduce(|best, next| if next.0 > best.0 { next } else { best })?;
        let percent = most / usual(row, "cycles")? * 100.0;
        Some(format!("{} % are {name} on {}", shown(percent.round()), row.keys.get("processor")?))
    });
    let of: Vec<_> = of.collect();
    (!of.is_empty()).then(|| {
        Sentence::plain("Of a call of four words between small tasks in segment mode", format!("{}.", of.join("; ")))
    })
}

/// Whether what was modelled for each processor holds what each platform counted.
fn held(experiment: &Experiment) -> Vec<Sentence> {
    let platforms = experiment.platforms();
    let of = |platform: &&str, processor: &String| {
        let here = |row: &&Row| row.platform == *platform && row.is("processor", processor.as_str());
        let pairs = experiment.rows.iter().filter(here);
        let pairs = pairs.filter_map(|row| Some((usual(row, "core_cycles")?, row.figures.get("cycles")?)));
        let pairs: Vec<_> = pairs.filter(|&(counted, _)| counted > 0.0).collect();
        let within = pairs.iter().filter(|(counted, cycles)| (cycles.low()..=cycles.high()).contains(counted)).count();
        let ratios = ends(pairs.iter().map(|(counted, cycles)| cycles.usual() / counted))?;
        let text = format!(
            "of {} the modelled range holds what was counted in {within}; usual cycles are {} times as many.",
            rows(pairs.len()),
            from_to(ratios)
        );
        Some(Sentence::plain(&format!("{platform}, as {processor}"), text))
    };
    let processors = values_of(experiment.rows.iter(), "processor");
    platforms.iter().flat_map(|platform| processors.iter().filter_map(move |name| of(platform, name))).collect()
}

/// How many prices stand on what.
fn prices(experiment: &Experiment) -> Option<Sentence> {
    let bases = values_of(experiment.rows.iter(), "basis");
    let count = |basis: &String| experiment.rows.iter().filter(|row| row.is("basis", basis.as_str())).count();
    let counts: Vec<_> = bases.iter().map(|basis| format!("{} are {basis}", count(basis))).collect();
    (!counts.is_empty()).then(|| Sentence::plain("Of all prices", format!("{}.", counts.join(", "))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::{How, Limits};

    fn told(experiment: &Experiment) -> Vec<String> {
        answers(experiment).into_iter().map(|Sentence { about, text, .. }| format!("{about}: {text}")).collect()
    }

    fn message(by: &str, bytes: u64, cycles: u64) -> Row {
        let row = Row::new("QEMU", Limits::NotUsed).key("by", by).key("between", "64 to 64");
        row.key("bytes", bytes).key("processor", "AMD Zen 3").figure("cycles", cycles)
    }

    #[test]
    fn reads_are_told_by_their_kind() {
        let row = |read: &str, bytes: u64| Row::new("QEMU", Limits::NotUsed).key("read", read).key("bytes", bytes);
        let experiment = Experiment::new("blocking-read", "", &["read", "bytes"]).rows([
            row("direct", 1).figure("ratio", 0.5),
            row("direct", 2).figure("ratio", 0.75),
            row("direct", 3),
            row("kept", 1).figure("ratio", 0.25),
        ]);
        let expected = [
            "direct: 0.5 to 0.75 of Linux's instructions, over 2 rows.",
            "kept: 0.25 of Linux's instructions, over 1 row.",
        ];
        assert_eq!(told(&experiment), expected);
    }

    #[test]
    fn the_cheapest_way_is_the_one_of_the_figures() {
        let of = |string: u64| {
            let rows = [
                message("string", 64, string),
                message("mapping", 64, 100),
                message("string", 4096, 300),
                message("mapping", 4096, 200),
            ];
            let empty = Experiment::new("messages", "", &["by", "between", "bytes", "processor"]);
            told(&empty.column("cycles", "cycles", How::Modelled).rows(rows))
        };
        assert!(of(50)[0].ends_with("64 to 64: string for 64 B, mapping for 4 KiB."), "{:?}", of(50));
        assert!(of(150)[0].ends_with("mapping from 64 B to 4 KiB."), "{:?}", of(150));
    }

    #[test]
    fn servers_are_compared_with_the_kernel_alone() {
        let row = |by: &str, count: u64| {
            let row = Row::new("QEMU", Limits::NotUsed).key("by", by).key("between", "a to b").key("tlb", "tagged");
            row.key("processor", "Zen").figure("instructions", count).figure("cycles", count * 2)
        };
        let empty = Experiment::new("over-split", "", &["by", "between", "tlb", "processor"]);
        let said = told(&empty.rows([row("the kernel", 100), row("a server", 150)]));
        assert_eq!(
            said,
            ["By a server: 1.5 times the instructions of the kernel, and by usual prices 1.5 times the cycles."]
        );
    }

    #[test]
    fn a_model_is_held_against_what_was_counted() {
        let row = |words: u64, counted: u64| {
            let row = Row::new("made up", Limits::NotUsed).key("words", words).key("processor", "Zen");
            let cycles = crate::figures::Figure::Range { low: 100.0, usual: 200.0, high: 300.0 };
            row.figure("core_cycles", counted).figure("cycles", cycles)
        };
        let experiment = Experiment::new(BESIDE, "", &["words", "processor"]);
        let expected = "made up, as Zen: of 3 rows the modelled range holds what was counted in 2; usual cycles are 0.5 to 2 times as many.";
        assert_eq!(told(&experiment.rows([row(0, 100), row(1, 200), row(4, 400)])), [expected]);
    }

    #[test]
    fn what_is_not_there_is_not_answered() {
        for name in [
            "crossover",
            "many",
            "switches",
            "linux",
            "syscall-table",
            "over-split",
            "colours",
            "messages",
            "shares",
            "accounting",
            "paths-modelled",
            "prices",
            BESIDE,
            "new",
        ] {
            assert!(answers(&Experiment::new(name, "", &[])).is_empty(), "{name}");
        }
    }
}
