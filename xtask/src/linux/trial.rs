//! The test lines in one boot, and what came of each.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

use super::architecture::Architecture;
use super::golden::Collection;
use super::job::{Job, Work};
use super::likeness::Likeness;
use super::lines::{Line, cut};
use crate::boot::{LinuxEnd, Outcome, Record, Report, Show};
use crate::build::Config;
use crate::linux::LinePrograms;
use crate::machine::{Emulator, serial};
use crate::prepare::Prepared;

/// Seconds of the guest's clock that a line may take.
pub const LINE: u64 = 60;

/// A boot that runs lines.
pub struct Trial<'a> {
    /// Kernel, programs and folders.
    pub prepared: &'a Prepared,
    /// What they run.
    pub programs: &'a LinePrograms,
    /// Where to boot.
    pub emulator: &'a Emulator,
    /// Name of the boot.
    pub name: &'a str,
    /// The lines.
    pub collection: &'a Collection,
    /// The width of what is in `/bin`.
    pub architecture: Architecture,
}

impl Trial<'_> {
    /// What the guest is told, but for settings that do not belong to the lines.
    pub fn config(&self) -> Result<Config> {
        let tree = self.programs.tree(self.architecture)?;
        Job::new(tree, Work::Lines(self.collection.lines.clone(), LINE)).config()
    }

    /// Boots; gives what came of each line, by its name, and of the boot.
    pub fn run(
        &self,
        config: &Config,
        limit: Duration,
        show: impl Into<Show>,
    ) -> Result<(Vec<(String, Outcome)>, Report)> {
        let report = self.prepared.boot_on(self.emulator, self.name, config, self.emulator.patience(limit), show)?;
        let file = self.prepared.folder(self.name).join(serial::OUTPUT);
        let output = fs::read(&file).with_context(|| format!("can't read {}", file.display()))?;
        let lines = judge(self.collection, self.architecture, &report.records, &output)?;
        Ok((lines, report))
    }
}

/// Holds each line's end and output to what Linux made of it.
fn judge(
    collection: &Collection,
    architecture: Architecture,
    records: &[Record],
    output: &[u8],
) -> Result<Vec<(String, Outcome)>> {
    let outputs = cut(output, &collection.lines);
    let judged = collection.lines.iter().zip(outputs).map(|(line, output)| {
        let golden = collection.golden(line, architecture)?;
        let complaint = match (end(records, line), output) {
            (None, _) => Some("it was not run, or did not end".to_owned()),
            (Some(_), None) => Some("its mark is missing in the output".to_owned()),
            (Some(LinuxEnd::Refused(_, reason)), _) => Some(format!("refused: {reason}")),
            (Some(LinuxEnd::Died(reason)), _) => Some(format!("the Linux server died: {reason}")),
            (Some(LinuxEnd::Overtime(seconds)), _) => Some(format!("still running after {seconds} s")),
            (Some(end), Some(output)) => golden.complaint(end.status(), output, Likeness::of(&line.name)),
        };
        Ok((line.name.clone(), complaint.map_or(Outcome::Passed, Outcome::Failed)))
    });
    judged.collect()
}

/// How a line ended.
pub fn end<'a>(records: &'a [Record], line: &Line) -> Option<&'a LinuxEnd> {
    records.iter().find_map(|record| match record {
        Record::Linux { line: Some(name), end } if *name == line.name => Some(end),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_pass_by_status_and_output() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("golden")).unwrap();
        fs::write(folder.path().join("lines.txt"), "a|echo 1\nb|kill -9 $$\n").unwrap();
        fs::write(folder.path().join("golden/a"), "exit 0\n1\n").unwrap();
        fs::write(folder.path().join("golden/b"), "exit 137\n").unwrap();
        let collection = Collection::read(folder.path()).unwrap();
        let passed = |records: &[&str], output: &str| -> Vec<bool> {
            let records: Vec<_> = records.iter().filter_map(|line| Record::parse(line)).collect();
            let judged = judge(&collection, Architecture::I386, &records, output.as_bytes()).unwrap();
            judged.into_iter().map(|(_, outcome)| outcome == Outcome::Passed).collect()
        };
        let well = ["@line a exit 0", "@line b signal 9"];
        assert_eq!(passed(&well, "\x1ea\n1\n\x1eb\n"), [true, true]);
        assert_eq!(passed(&well, "\x1ea\n2\n\x1eb\nx"), [false, false]);
        assert_eq!(passed(&well, "\x1ea\n1\n"), [true, false]);
        assert_eq!(passed(&well[1..], "\x1ea\n1\n\x1eb\n"), [false, true]);
        assert_eq!(passed(&["@line a exit 1", "@line b exit 137"], "\x1ea\n1\n\x1eb\n"), [false, true]);
        assert_eq!(passed(&["@line a overtime 9", "@line b refused 8 x"], "\x1ea\n1\n\x1eb\n"), [false, false]);
        assert_eq!(passed(&["@line a died x", "@line b signal 9"], "\x1ea\n1\n\x1eb\n"), [false, true]);
        assert_eq!(passed(&[], ""), [false, false]);
    }
}
