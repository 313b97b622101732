//! What the model takes for the price of each thing, and what that stands on.

use lilliput_model::PROCESSORS;

use super::figures::COMMAND;
use crate::figures::{Experiment, How, Limits, NO_MACHINE, Row};

/// A row for each price. It is of no platform: nothing was run for it.
pub fn experiment() -> Experiment {
    let rows = PROCESSORS.into_iter().flat_map(|processor| {
        processor.prices().into_iter().map(|(what, price)| {
            Row::new(&format!("{NO_MACHINE}: the model's prices"), Limits::NotUsed)
                .key("processor", processor.title)
                .key("what", what)
                .key("basis", price.basis.word())
                .key("source", price.source)
                .figure("cycles", price.cycles)
        })
    });
    Experiment::new("prices", "What the model's prices stand on", &["processor", "what", "basis", "source"])
        .question("Which prices of the modelled cycles were measured, which published, and which are assumed?")
        .about(
            "Modelled cycles are counts times these prices. Measured ones were measured for this model; published ones are somebody's, who is named; assumed ones are of a size that seems right, \
             from something like it where there was something.",
            COMMAND,
        )
        .without("What was measured in ring 3 is taken for what it costs between rings.")
        .column("cycles", "cycles", How::Modelled)
        .rows(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_price_is_a_row() {
        let experiment = experiment();
        experiment.check().unwrap();
        for processor in PROCESSORS {
            let rows = experiment.rows.iter().filter(|row| row.is("processor", processor.title));
            assert_eq!(rows.count(), processor.prices().len());
        }
    }
}
