//! `cargo xtask bench --scale`: what creation, use and death cost beside how many others.

use std::path::Path;

use anyhow::{Result, bail, ensure};

use super::Boots;
use crate::boot::{Record, Report};
use crate::build::Scenario;
use crate::figures::{Experiment, Figures, How, Limits, Row};
use crate::report::{Cost, text_table};

/// Measures, and prints a table for each kind of others.
pub fn run(boots: &Boots, json: Option<&Path>) -> Result<()> {
    let report = boots.counting("scale", boots.prepared, Scenario::Scale, &[("unenforced", "allow")])?;
    let costs = costs(&report);
    ensure!(!costs.is_empty(), "nothing was measured");
    println!("\nInstructions around the call, the user's included, beside so many others{}\n", report.mark());
    println!("{}", text(&costs));
    if let Some(file) = json {
        let platform = boots.machine.counting_instructions().platform()?;
        Figures::from(experiment(&costs, &platform, Limits::of(Some("segment"), report.mark().is_empty())))
            .write(file)?;
    }
    let complaints: Vec<_> = report.complaints().collect();
    if complaints.is_empty() { Ok(()) } else { bail!("{}", complaints.join("; ")) }
}

fn costs(report: &Report) -> Vec<&Cost> {
    let costs = report.records.iter().filter_map(|record| match record {
        Record::Cost(cost) => Some(cost),
        _ => None,
    });
    costs.collect()
}

fn experiment(costs: &[&Cost], platform: &str, limits: Limits) -> Experiment {
    let rows = costs.iter().map(|cost| {
        let row = Row::new(platform, limits).key("beside", cost.beside.as_str()).key("others", cost.count);
        row.key("operation", cost.name.as_str()).figure("value", cost.value)
    });
    Experiment::new("scale", "What creation, use and death cost beside many others", &["beside", "others", "operation"])
        .about(
            "Each operation beside so many others: instructions around the call, the user's included, the least of five tries, unless the operation names another unit.",
            "cargo xtask bench --scale --json FILE",
        )
        .column("value", "instructions, unless the operation says otherwise", How::Counted)
        .rows(rows)
}

/// A table for each kind of others: a line for each operation, a column for each number of others, in the order in which they came.
fn text(costs: &[&Cost]) -> String {
    let tables = distinct(costs.iter().map(|cost| cost.beside.as_str())).into_iter().map(|beside| {
        let costs: Vec<_> = costs.iter().filter(|cost| cost.beside == beside).collect();
        let counts = distinct(costs.iter().map(|cost| cost.count));
        let heading = [format!("beside {beside}")].into_iter().chain(counts.iter().map(u64::to_string)).collect();
        let lines = distinct(costs.iter().map(|cost| cost.name.as_str())).into_iter().map(|name| {
            let cell = |count| costs.iter().find(|cost| cost.name == name && cost.count == count);
            let cells = counts.iter().map(|&count| cell(count).map_or("-".to_owned(), |cost| cost.value.to_string()));
            [name.to_owned()].into_iter().chain(cells).collect()
        });
        text_table([heading].into_iter().chain(lines).collect())
    });
    tables.collect::<Vec<_>>().join("\n")
}

fn distinct<T: PartialEq>(all: impl Iterator<Item = T>) -> Vec<T> {
    all.fold(Vec::new(), |mut found, item| {
        if !found.contains(&item) {
            found.push(item);
        }
        found
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_others_has_a_table() {
        let cost =
            |beside: &str, count, name: &str, value| Cost { beside: beside.into(), count, name: name.into(), value };
        let all = [cost("tasks", 1, "create", 80), cost("tasks", 4000, "create", 81), cost("threads", 1, "destroy", 5)];
        let text = text(&all.iter().collect::<Vec<_>>());
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], "beside tasks   1  4000");
        assert_eq!(lines[2], "create        80    81");
        assert!(text.contains("beside threads"));
        experiment(&all.iter().collect::<Vec<_>>(), "QEMU", Limits::NotUsed).check().unwrap();
    }
}
