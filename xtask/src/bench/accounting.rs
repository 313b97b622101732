//! `cargo xtask bench --accounting`: what accounting adds to each path.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::Serialize;

use super::Boots;
use crate::build::feature;
use crate::report::{Row, text_table};

/// A path with and without.
#[derive(Debug, PartialEq, Serialize)]
struct Comparison<'a> {
    name: &'a str,
    from: &'a str,
    to: &'a str,
    words: u32,
    isolation: Option<&'a str>,
    /// Of the kernel as it is.
    instructions: u64,
    /// Of one whose fast path charges no time and counts nothing.
    without_accounting: u64,
}

/// Counts instructions by both kernels, and prints the table.
pub fn run(boots: &Boots, json: Option<&Path>) -> Result<()> {
    let with = boots.counted("counted", boots.prepared)?;
    let without = boots.counted("unaccounted", &boots.prepared.with_feature(feature::WITHOUT_ACCOUNTING)?)?;
    let [with, without] = [&with, &without].map(|report| report.rows().cloned().collect::<Vec<_>>());
    let compared = compare(&with, &without);
    ensure!(!compared.is_empty(), "nothing was measured by both kernels");
    println!("\nKernel instructions, one way, with accounting and without it in the fast path\n\n{}", text(&compared));
    if let Some(file) = json {
        let records = serde_json::to_string_pretty(&compared)? + "\n";
        fs::write(file, records).with_context(|| format!("can't write {}", file.display()))?;
    }
    Ok(())
}

/// The rows that both have.
fn compare<'a>(with: &'a [Row], without: &[Row]) -> Vec<Comparison<'a>> {
    let instructions = |row: &Row| row.instructions.as_ref().and_then(serde_json::Number::as_u64);
    let compared = with.iter().filter_map(|row| {
        let other = without.iter().find(|other| other.same_as(row))?;
        Some(Comparison {
            name: &row.name,
            from: &row.from,
            to: &row.to,
            words: row.words,
            isolation: row.isolation.as_deref(),
            instructions: instructions(row)?,
            without_accounting: instructions(other)?,
        })
    });
    compared.collect()
}

fn text(compared: &[Comparison]) -> String {
    let heading = ["operation", "from -> to", "words", "isolation", "with", "without", "accounting"];
    let lines = compared.iter().map(|row| {
        let difference = row.instructions as i64 - row.without_accounting as i64;
        vec![
            row.name.to_owned(),
            format!("{} -> {}", row.from, row.to),
            row.words.to_string(),
            row.isolation.unwrap_or("-").to_owned(),
            row.instructions.to_string(),
            row.without_accounting.to_string(),
            difference.to_string(),
        ]
    });
    text_table([heading.map(str::to_owned).to_vec()].into_iter().chain(lines).collect())
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
        let compared = compare(&with, &without);
        assert_eq!(compared.len(), 1);
        assert_eq!((compared[0].instructions, compared[0].without_accounting), (42, 35));
        assert!(text(&compared).lines().last().unwrap().ends_with(" 7"));
    }
}
