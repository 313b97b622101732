//! The figures of all sides, as a table for each width and as records.

use std::fmt::Write;

use anyhow::Result;
use serde::Serialize;

use super::figures::{Cost, Figure};
use super::side::{Place, Side, SideFigures};
use crate::linux::Architecture;
use crate::report::{ABSENT, text_table};

/// All that was measured.
pub struct Measured {
    /// The sides.
    pub sides: Vec<SideFigures>,
    /// The emulator.
    pub platform: String,
    /// The version of Debian's kernel, if it was measured.
    pub kernel: Option<String>,
}

/// A figure as the file has it.
#[derive(Serialize)]
struct Record<'a> {
    name: &'a str,
    architecture: &'static str,
    system: &'static str,
    isolation: Option<&'static str>,
    further: bool,
    large: bool,
    instructions: Option<u64>,
    least: Option<u64>,
    rounds: Option<u64>,
    error: Option<u32>,
    ratio: Option<f64>,
    platform: &'a str,
    kernel: Option<&'a str>,
    mark: Option<&'static str>,
}

impl Measured {
    fn of(&self, architecture: Architecture) -> impl Iterator<Item = &SideFigures> {
        self.sides.iter().filter(move |side| side.side.architecture == architecture)
    }

    /// Names of all operations that there are for programs of an architecture, each once.
    fn names(&self, architecture: Architecture) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for figure in self.of(architecture).flat_map(|side| &side.figures) {
            if !names.contains(&&*figure.name) {
                names.push(&figure.name);
            }
        }
        names
    }

    /// How many times what the same program takes on Linux.
    fn ratio(&self, side: Side, figure: &Figure) -> Option<f64> {
        let linux = self.sides.iter().find(|other| other.side == Side::linux(side.architecture))?;
        let (own, native) = (figure.cost.ok()?, find(linux, &figure.name)?.cost.ok()?);
        (native.median > 0).then(|| own.median as f64 / native.median as f64)
    }

    /// What should have been measured and was not, neither well nor as something that the system does not have.
    pub fn gaps(&self) -> Vec<String> {
        let mut gaps = Vec::new();
        for side in &self.sides {
            let missing = self.names(side.side.architecture).into_iter().filter(|name| find(side, name).is_none());
            gaps.extend(
                missing.map(|name| format!("{name} ({}, {})", side.side.architecture.word(), heading(side.side))),
            );
        }
        gaps
    }

    /// The tables for people.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let linux = self.kernel.as_deref().map(|version| format!("Debian's Linux {version}, mitigations=off"));
        let _ = writeln!(text, "What Linux's system calls cost");
        let _ =
            writeln!(text, "  platform:      {}, TCG, where the time-stamp counter counts instructions", self.platform);
        let _ = writeln!(text, "  Linux:         {}", linux.as_deref().unwrap_or("not measured"));
        let _ = writeln!(
            text,
            "  instructions:  the program's, the kernel's and the server's together; the median of all rounds"
        );
        let _ = writeln!(text, "  ratio:         to the same binary on Linux");
        if self.sides.iter().any(|side| side.side.mark().is_some()) {
            let _ = writeln!(text, "  UNENFORCED:    this platform checks no segment limits: cost, not confinement");
        }
        for architecture in Architecture::ALL {
            let sides: Vec<_> = self.of(architecture).collect();
            if !sides.is_empty() {
                let _ = write!(text, "\n{} programs\n\n{}", architecture.word(), self.table(architecture, &sides));
            }
        }
        text
    }

    fn table(&self, architecture: Architecture, sides: &[&SideFigures]) -> String {
        let with_ratio = |side: Side| !side.is_linux && self.kernel.is_some();
        let mut lines = vec![vec!["operation".to_owned()]];
        for side in sides.iter().map(|side| side.side) {
            lines[0].push(heading(side));
            lines[0].extend(with_ratio(side).then(|| "ratio".to_owned()));
        }
        for name in self.names(architecture) {
            let mut line = vec![name.to_owned()];
            for side in sides {
                let figure = find(side, name);
                line.push(match figure.map(|figure| figure.cost) {
                    Some(Ok(Cost { median, .. })) => median.to_string(),
                    Some(Err(_)) => ABSENT.to_owned(),
                    None => "not measured".to_owned(),
                });
                if with_ratio(side.side) {
                    let ratio = figure.and_then(|figure| self.ratio(side.side, figure));
                    line.push(ratio.map_or("-".to_owned(), |ratio| format!("{ratio:.3}")));
                }
            }
            lines.push(line);
        }
        text_table(lines)
    }

    /// The records.
    pub fn json(&self) -> Result<String> {
        let records = self.sides.iter().flat_map(|SideFigures { side, figures }| {
            figures.iter().map(|figure| {
                let cost = figure.cost.ok();
                Record {
                    name: &figure.name,
                    architecture: side.architecture.word(),
                    system: if side.is_linux { "linux" } else { "lilliput" },
                    isolation: side.isolation.map(|isolation| isolation.word()),
                    further: side.place == Place::Further,
                    large: side.place == Place::Alone,
                    instructions: cost.map(|cost| cost.median),
                    least: cost.map(|cost| cost.least),
                    rounds: cost.map(|cost| cost.rounds),
                    error: figure.cost.err(),
                    ratio: self.ratio(*side, figure),
                    platform: &self.platform,
                    kernel: self.kernel.as_deref(),
                    mark: side.mark(),
                }
            })
        });
        Ok(serde_json::to_string_pretty(&records.collect::<Vec<_>>())? + "\n")
    }
}

fn find<'a>(side: &'a SideFigures, name: &str) -> Option<&'a Figure> {
    side.figures.iter().find(|figure| figure.name == name)
}

fn heading(side: Side) -> String {
    let name = match side.isolation {
        Some(_) => side.mode(),
        None if side.is_linux => "Linux".to_owned(),
        None => "Lilliput".to_owned(),
    };
    side.mark().map_or(name.clone(), |mark| format!("{name} {mark}"))
}

#[cfg(test)]
mod tests {
    use super::super::figures::tests::figure;
    use super::super::side::LILLIPUT;
    use super::*;

    fn measured() -> Measured {
        let absent = Figure { name: "pipe".into(), cost: Err(38) };
        let sides = vec![
            SideFigures {
                side: Side::linux(Architecture::I386),
                figures: vec![figure("getpid", 360), figure("pipe", 11_000)],
            },
            SideFigures { side: LILLIPUT[0], figures: vec![figure("getpid", 90), absent] },
            SideFigures { side: LILLIPUT[1], figures: vec![figure("getpid", 720)] },
            // What programs of one architecture can't do is no gap in the table of the others.
            SideFigures { side: Side::linux(Architecture::Amd64), figures: vec![figure("getpid", 300)] },
        ];
        Measured { sides, platform: "QEMU".into(), kernel: Some("6.1".into()) }
    }

    #[test]
    fn a_table_shows_ratios_and_what_there_is_not() {
        let text = measured().text();
        let lines: Vec<_> = text.lines().skip_while(|line| !line.starts_with("operation")).collect();
        assert_eq!(lines[0], "operation  Linux  segment UNENFORCED  ratio  page          ratio");
        assert_eq!(lines[2], "getpid       360                  90  0.250  720           2.000");
        assert_eq!(lines[3], "pipe       11000       not available      -  not measured      -");
        assert_eq!(measured().gaps(), ["pipe (i386, page)"]);
    }

    #[test]
    fn records_have_their_origin() {
        let json = measured().json().unwrap();
        let records: Vec<serde_json::Value> = serde_json::from_str(&json).unwrap();
        assert_eq!(records.len(), 6);
        assert_eq!(records[2]["ratio"], 0.25);
        assert_eq!((&records[2]["mark"], &records[2]["isolation"]), (&"UNENFORCED".into(), &"segment".into()));
        assert_eq!((&records[3]["instructions"], &records[3]["error"]), (&serde_json::Value::Null, &38.into()));
        assert_eq!((&records[0]["system"], &records[4]["mark"]), (&"linux".into(), &serde_json::Value::Null));
    }
}
