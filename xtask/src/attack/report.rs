//! The table attack by platform and mode, as text and as JSON.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use lilliput_abi::boot::UNENFORCED;
use lilliput_abi::object::kind;
use lilliput_attack::table;
use serde::Serialize;

use super::Platform;
use crate::boot::Outcome;

/// What came of one attack on one platform in one mode.
pub struct Row {
    /// The attack's full name.
    pub name: String,
    /// Where.
    pub platform: Platform,
    /// The isolation mode of small tasks.
    pub mode: String,
    /// What came of it.
    pub outcome: Outcome,
}

/// All of them.
#[derive(Default)]
pub struct Attacks {
    /// In the order in which they came.
    pub rows: Vec<Row>,
    /// What is wrong beside them.
    pub complaints: Vec<String>,
}

#[derive(Serialize)]
struct Record<'a> {
    attack: &'a str,
    task: Option<&'static str>,
    tries: Option<&'static str>,
    manual: Option<&'static str>,
    platform: &'static str,
    isolation: &'a str,
    outcome: &'a str,
    reason: Option<&'a str>,
}

/// The word of an outcome, and its reason.
fn parts(outcome: &Outcome) -> (&str, Option<&str>) {
    match outcome {
        Outcome::Passed => ("contained", None),
        Outcome::Skipped(reason) => ("skipped", Some(reason)),
        Outcome::Failed(text) => {
            let (word, reason) = text.split_once(": ").unwrap_or((text, "no reason given"));
            (word, Some(reason))
        }
    }
}

impl Attacks {
    /// What is wrong, one line each.
    pub fn complaints(&self) -> Vec<String> {
        let failed = self.rows.iter().filter_map(|row| match &row.outcome {
            Outcome::Failed(reason) => {
                Some(format!("{} on {} ({}): {reason}", row.name, row.platform.word(), row.mode))
            }
            _ => None,
        });
        self.complaints.iter().cloned().chain(failed).collect()
    }

    /// Columns of the table, in the order in which they came.
    fn columns(&self) -> Vec<(Platform, &str)> {
        let mut columns = Vec::new();
        for row in &self.rows {
            let column = (row.platform, row.mode.as_str());
            if !columns.contains(&column) {
                columns.push(column);
            }
        }
        columns
    }

    fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for row in &self.rows {
            if !names.contains(&row.name.as_str()) {
                names.push(&row.name);
            }
        }
        names
    }

    /// The table for people, with what each reason for leaving something out means, and the sums.
    pub fn text(&self) -> String {
        let (columns, names) = (self.columns(), self.names());
        let width = names.iter().map(|name| name.len()).max().unwrap_or(0);
        let heads: Vec<_> = columns.iter().map(|(platform, mode)| format!("{} {mode}", platform.word())).collect();
        let line = |first: &str, cells: &[String]| {
            let cells: String = cells
                .iter()
                .zip(&heads)
                .map(|(cell, head)| format!("  {cell:<width$}", width = head.len().max(10)))
                .collect();
            format!("{first:<width$}{cells}").trim_end().to_owned() + "\n"
        };
        let mut text = line("attack", &heads);
        let mut reasons: Vec<&str> = Vec::new();
        for name in &names {
            let cells: Vec<_> = columns.iter().map(|&column| self.cell(name, column, &mut reasons)).collect();
            text.push_str(&line(name, &cells));
        }
        for (number, reason) in reasons.iter().enumerate() {
            text.push_str(&format!("[{}] {reason}\n", number + 1));
        }
        let count = |word| self.rows.iter().filter(|row| parts(&row.outcome).0 == word).count();
        let (contained, escaped, unexpected, skipped) =
            (count("contained"), count("ESCAPED"), count("unexpected"), count("skipped"));
        let mark = if self.rows.iter().any(|row| row.mode.contains(UNENFORCED)) { " UNENFORCED" } else { "" };
        text + &format!(
            "{} attacks: {contained} contained, {escaped} ESCAPED, {unexpected} ended otherwise than expected, {skipped} skipped{mark}\n",
            names.len()
        )
    }

    fn cell<'a>(&'a self, name: &str, (platform, mode): (Platform, &str), reasons: &mut Vec<&'a str>) -> String {
        let row = self.rows.iter().find(|row| row.name == *name && row.platform == platform && row.mode == mode);
        let Some(row) = row else { return "-".to_owned() };
        match parts(&row.outcome) {
            (word, Some(reason)) => {
                let number = reasons.iter().position(|known| *known == reason).unwrap_or_else(|| {
                    reasons.push(reason);
                    reasons.len() - 1
                });
                format!("{word} [{}]", number + 1)
            }
            (word, None) => word.to_owned(),
        }
    }

    /// The same as JSON: a list of records, one a cell.
    pub fn json(&self) -> Result<String> {
        let known: Vec<_> = table::all()
            .flat_map(|attack| attack.kinds.iter().map(move |&kind| (attack.named(kind).to_string(), attack, kind)))
            .collect();
        let record = |row: &'_ Row| {
            let (outcome, reason) = parts(&row.outcome);
            let known = known.iter().find(|(name, _, _)| *name == row.name);
            // The row outlives the record, whose strings are its.
            serde_json::to_value(Record {
                attack: &row.name,
                task: known.map(|&(_, _, task)| kind::name(task)),
                tries: known.map(|(_, attack, _)| attack.tries),
                manual: known.map(|(_, attack, _)| attack.manual),
                platform: row.platform.word(),
                isolation: &row.mode,
                outcome,
                reason,
            })
        };
        let records = self.rows.iter().map(record).collect::<serde_json::Result<Vec<_>>>()?;
        Ok(serde_json::to_string_pretty(&records)? + "\n")
    }

    /// Writes it to a file.
    pub fn write_json(&self, file: &Path) -> Result<()> {
        fs::write(file, self.json()?).with_context(|| format!("can't write {}", file.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attacks() -> Attacks {
        let row =
            |name: &str, platform, mode: &str, outcome| Row { name: name.into(), platform, mode: mode.into(), outcome };
        let skipped = Outcome::Skipped("limits not enforced".into());
        Attacks {
            rows: vec![
                row("heavens-gate", Platform::Tcg, "segment", skipped.clone()),
                row("hlt-64", Platform::Tcg, "segment", skipped),
                row("heavens-gate", Platform::BochsAmd, "segment", Outcome::Passed),
                row("hlt-64", Platform::BochsAmd, "segment", Outcome::Failed("ESCAPED: it went on".into())),
            ],
            complaints: Vec::new(),
        }
    }

    #[test]
    fn a_cell_for_each_platform_and_mode() {
        let text = attacks().text();
        let lines: Vec<_> = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(lines[0], "attack tcg segment bochs-amd segment");
        assert_eq!(lines[1], "heavens-gate skipped [1] contained");
        assert_eq!(lines[2], "hlt-64 skipped [1] ESCAPED [2]");
        assert_eq!(lines[5], "2 attacks: 1 contained, 1 ESCAPED, 0 ended otherwise than expected, 2 skipped");
        let row = |mode: &str| Row {
            name: "hlt-64".into(),
            platform: Platform::Tcg,
            mode: mode.into(),
            outcome: Outcome::Passed,
        };
        let marked = Attacks { rows: vec![row("segment-UNENFORCED"), row("page")], ..Attacks::default() };
        assert!(marked.text().ends_with("0 skipped UNENFORCED\n"));
    }

    #[test]
    fn what_escaped_is_complained_of() {
        assert_eq!(attacks().complaints(), ["hlt-64 on bochs-amd (segment): ESCAPED: it went on"]);
    }

    #[test]
    fn json_says_what_was_tried() {
        let json: serde_json::Value = serde_json::from_str(&attacks().json().unwrap()).unwrap();
        assert_eq!(json[3]["outcome"], "ESCAPED");
        assert_eq!(json[3]["reason"], "it went on");
        assert_eq!(json[3]["task"], "64");
        assert_eq!(json[2]["reason"], serde_json::Value::Null);
        assert!(json[2]["manual"].as_str().is_some_and(|manual| manual.contains("APM")));
    }
}
