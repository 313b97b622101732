//! `cargo xtask bench --accounting`: what accounting adds to each path.

use std::path::Path;

use anyhow::{Result, ensure};

use super::Boots;
use crate::build::feature;
use crate::figures::{Experiment, Figures, How};
use crate::report::Row;

/// Counts instructions by both kernels, and prints the table.
pub fn run(boots: &Boots, json: Option<&Path>) -> Result<()> {
    let with = boots.counted("counted", boots.prepared)?;
    let without = boots.counted("unaccounted", &boots.prepared.with_feature(feature::WITHOUT_ACCOUNTING)?)?;
    let [with, without] = [&with, &without].map(|report| report.rows().cloned().collect::<Vec<_>>());
    let experiment = compare(&with, &without, &boots.machine.counting_instructions().platform()?);
    ensure!(!experiment.rows.is_empty(), "nothing was measured by both kernels");
    println!("\n{}\n\n{}", experiment.about, experiment.text());
    json.map_or(Ok(()), |file| Figures::from(experiment).write(file))
}

/// The rows that both have.
fn compare(with: &[Row], without: &[Row], platform: &str) -> Experiment {
    let instructions = |row: &Row| row.instructions.as_ref().and_then(serde_json::Number::as_u64);
    let compared = with.iter().filter_map(|row| {
        let other = without.iter().find(|other| other.same_as(row))?;
        let (with, without) = (instructions(row)?, instructions(other)?);
        let figures = row.experiment_row(platform).figure("with", with).figure("without", without);
        Some(figures.figure("accounting", with as f64 - without as f64))
    });
    Experiment::new("accounting", "What accounting adds to each path", &Row::KEYS)
        .question("What does accounting add to each path?")
        .about(
            "Kernel instructions, one way, by the kernel as it is and by one without accounting in its fast path",
            "cargo xtask bench --accounting --json FILE",
        )
        .column("with", "instructions", How::Counted)
        .column("without", "instructions", How::Counted)
        .column("accounting", "instructions", How::Counted)
        .rows(compared)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::row;

    #[test]
    fn rows_of_both_kernels_are_compared() {
        let with = [
            Row { instructions: Some(42.into()), ..row("call", 4, Some("page")) },
            Row { instructions: Some(17.into()), ..row("null call", 0, None) },
        ];
        let without = [Row { instructions: Some(35.into()), ..row("call", 4, Some("page")) }];
        let compared = compare(&with, &without, "QEMU");
        compared.check().unwrap();
        let figures: Vec<_> = compared.rows.iter().map(|row| serde_json::to_string(&row.figures).unwrap()).collect();
        assert_eq!(figures, [r#"{"accounting":7,"with":42,"without":35}"#]);
    }
}
