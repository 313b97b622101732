//! What performance counters counted beside what was modelled: whether the model is right is seen here, where somebody has a processor.

use super::{Experiment, Figure, Figures, How, Row};
use crate::report;

/// The name of the experiment that is made of two others.
pub const NAME: &str = "counted-beside-modelled";

impl Figures {
    /// Ways of which a processor's performance counters counted the cycles, each beside the same way as it was modelled on every processor by name. Nothing where
    /// there are no such counts, or nothing was modelled.
    pub fn beside(&self) -> Option<Experiment> {
        let (switches, modelled) = (self.find("switches")?, self.find("paths-modelled")?);
        let counted = switches.rows.iter().filter(|row| row.figures.contains_key("core_cycles"));
        let rows: Vec<_> = counted
            .flat_map(|row| modelled.rows.iter().filter(|other| is_same_way(row, other)).map(|other| both(row, other)))
            .collect();
        (!rows.is_empty()).then(|| experiment().rows(rows))
    }
}

fn experiment() -> Experiment {
    let mut keys = report::Row::KEYS.to_vec();
    keys.extend(["processor", "entries"]);
    Experiment::new(NAME, "What was counted by a processor, beside what was modelled", &keys)
        .question("Do modelled cycles and walks come true on a processor?")
        .about(
            "Each way that a processor's performance counters counted, beside the same way modelled on each processor by name: of the processor that it was is one at most of these.",
            "cargo xtask report --from-log FILE FIGURES.json, with a log of a machine with performance counters and figures of bench --counts",
        )
        .without("The kernel enters and leaves as the maker of the emulated processor has it; where the other's maker has it another way, a way is not the same.")
        .column("core_cycles", "cycles, by counter", How::Measured)
        .column("cycles", "cycles", How::Modelled)
        .column("walks", "walks, by counter", How::Measured)
        .column("page walks", "each", How::Modelled)
}

fn is_same_way(row: &Row, other: &Row) -> bool {
    report::Row::KEYS.iter().all(|&key| row.keys.get(key) == other.keys.get(key))
}

fn both(counted: &Row, modelled: &Row) -> Row {
    let walks = |column: &str| counted.figures.get(column).map(|figure| figure.usual());
    let walks = walks("data_walks").zip(walks("code_walks")).map(|(data, code)| Figure::Exact(data + code));
    let mut row = Row { figures: Default::default(), ..counted.clone() };
    for key in ["processor", "entries"] {
        row.keys.extend(modelled.keys.get(key).map(|value| (key.to_owned(), value.clone())));
    }
    row.figure_if("core_cycles", counted.figures.get("core_cycles").copied())
        .figure_if("walks", walks)
        .figure_if("cycles", modelled.figures.get("cycles").copied())
        .figure_if("page walks", modelled.figures.get("page walks").copied())
}

#[cfg(test)]
mod tests {
    use super::super::{Limits, records};
    use super::*;

    /// Figures of a machine that there is not.
    fn figures(operation: &str, cycles: Option<u64>) -> Figures {
        let row = |platform: &str, operation: &str| {
            let row = Row::new(platform, Limits::Enforced).key("operation", operation).key("from", "small");
            row.key("to", "small").key("words", 4_u64).key("isolation", "segment")
        };
        let counted = row("made up for a test", operation)
            .figure_if("core_cycles", cycles.map(|cycles| cycles as f64))
            .figure("data_walks", 2)
            .figure("code_walks", 1);
        let mut keys = report::Row::KEYS.to_vec();
        keys.extend(["processor", "entries"]);
        let modelled = Experiment::new("paths-modelled", "", &keys).column("cycles", "cycles", How::Modelled);
        let on = |processor: &str| {
            let cycles = Figure::Range { low: 200.0, usual: 300.0, high: 500.0 };
            let row = row("QEMU", "call").key("processor", processor).key("entries", "tagged");
            row.figure("cycles", cycles).figure("page walks", 3)
        };
        let modelled = modelled.column("page walks", "each", How::Modelled).rows(["A", "B"].map(on));
        Figures { experiments: vec![records::switches().rows([counted]), modelled] }
    }

    #[test]
    fn what_was_counted_stands_beside_each_model() {
        let beside = figures("call", Some(250)).beside().unwrap();
        beside.check().unwrap();
        let row = &beside.rows[1];
        assert_eq!((beside.rows.len(), row.platform.as_str()), (2, "made up for a test"));
        assert!(row.is("processor", "B") && row.is("entries", "tagged") && row.is("isolation", "segment"));
        assert_eq!((row.figures["core_cycles"], row.figures["walks"]), (Figure::Exact(250.0), Figure::Exact(3.0)));
        assert_eq!((row.figures["cycles"].usual(), row.figures["page walks"]), (300.0, Figure::Exact(3.0)));
    }

    #[test]
    fn without_counts_or_the_same_way_there_is_nothing_beside() {
        assert!(figures("call", None).beside().is_none());
        assert!(figures("reply", Some(250)).beside().is_none());
        assert!(Figures::default().beside().is_none());
    }
}
