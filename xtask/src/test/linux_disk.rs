//! Linux programs that read a disk: what they read, who goes on meanwhile, and what they are told when the disk's server dies.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

use super::linux::suite;
use super::tally::Tally;
use crate::boot::{LinuxEnd, Outcome, Report};
use crate::build::Config;
use crate::linux::{Architecture, HAS_DISK, Job, LINE, Line, LinePrograms, Work, cut, end};
use crate::machine::{Disk, Machine, serial};
use crate::options::Isolation;
use crate::prepare::Prepared;

/// A boot of it.
#[derive(Debug)]
pub struct DiskBoot {
    /// Its name, under which its tests are counted.
    pub name: &'static str,
    architecture: Architecture,
}

/// One for each width.
pub const BOOTS: [DiskBoot; 2] = [
    DiskBoot { name: "linux-disk-i386", architecture: Architecture::I386 },
    DiskBoot { name: "linux-disk-amd64", architecture: Architecture::Amd64 },
];

/// Bytes of the disk: more than the server keeps in memory, and no whole number of buffers.
const BYTES: usize = 3 * (1 << 20) + 5 * 512;
/// Requests that it does a second: who reads waits.
const REQUESTS: u32 = 500;
/// The read at which the disk's server fails, where it is to.
const LAST: u32 = 3;

/// A command, what it must print, and the status it must exit with.
struct Case(&'static str, &'static str, &'static str, u8);

/// With a disk that works.
const WORKING: &[Case] = &[
    Case("whole", "cmp /dev/vda /image && echo same; wc -c < /dev/vda", "same\n3148288\n", 0),
    Case(
        "piece",
        "dd if=/dev/vda bs=1000 skip=70 count=90 2> /dev/null | cmp -n 90000 - /piece && echo same",
        "same\n",
        0,
    ),
    Case(
        "at-once",
        "for i in 0 1 2 3 4 5 6 7; do (dd if=/dev/vda bs=65536 skip=$((5 * i)) count=5 2> /dev/null > /tmp/$i) & done; wait; \
         cat /tmp/0 /tmp/1 /tmp/2 /tmp/3 /tmp/4 /tmp/5 /tmp/6 /tmp/7 | cmp -n 2621440 - /image && echo same",
        "same\n",
        0,
    ),
    Case(
        "others-go-on",
        "cat /dev/vda > /dev/null & n=0; while kill -0 $! 2> /dev/null; do n=$((n + 1)); done; test $n -gt 100 && echo many",
        "many\n",
        0,
    ),
    Case(
        "killed",
        "cat /dev/vda > /dev/null & kill -9 $!; wait $!; echo $?; head -c 5 /dev/vda | cmp -n 5 - /image && echo same",
        "137\nsame\n",
        0,
    ),
    Case(
        "not-written",
        "echo x > /dev/vda; echo $?; dd if=/dev/zero of=/dev/vda count=1 2> /dev/null; echo $?",
        "1\n1\n",
        0,
    ),
    Case("left-behind", "cat /dev/vda > /dev/null & exit 3", "", 3),
    Case("last", "cmp /dev/vda /image && echo same", "same\n", 0),
];

/// With one whose server dies at a read.
const DYING: &[Case] = &[
    Case("error", "cat /dev/vda > /dev/null; echo $?; cat /dev/vda > /dev/null; echo $?", "1\n1\n", 0),
    Case("after-it", "head -c 100 /dev/vda | cmp -n 100 - /image && echo same; echo on | cat", "same\non\n", 0),
    Case("no-more", "dd if=/dev/vda bs=65536 skip=20 count=1 > /dev/null 2> /dev/null; echo $?", "1\n", 0),
];

impl DiskBoot {
    /// Boots and counts.
    pub fn run(
        &self,
        prepared: &Prepared,
        programs: &Result<LinePrograms>,
        limit: Duration,
        verbose: bool,
        tally: &mut Tally,
    ) {
        suite(self.name, programs, tally, |programs, tally| {
            self.boot(prepared, programs, (WORKING, None), (limit, verbose), tally)?.check()?;
            self.boot(prepared, programs, (DYING, Some(LAST)), (limit, verbose), tally)?.check()
        });
    }

    fn boot(
        &self,
        prepared: &Prepared,
        programs: &LinePrograms,
        (cases, last): (&[Case], Option<u32>),
        (limit, verbose): (Duration, bool),
        tally: &mut Tally,
    ) -> Result<Report> {
        let folder = prepared.folder(self.name);
        fs::create_dir_all(&folder).with_context(|| format!("can't make {}", folder.display()))?;
        let image = folder.join("disk.img");
        let contents = contents();
        fs::write(&image, &contents).with_context(|| format!("can't write {}", image.display()))?;
        let mut tree = programs.tree(self.architecture)?;
        tree.put("piece", crate::linux::Node::file(contents[70_000..160_000].to_vec()))?;
        tree.put("image", crate::linux::Node::file(contents))?;
        let lines: Vec<_> = cases.iter().map(Case::line).collect();
        let job = Job::new(tree, Work::Lines(lines.clone(), LINE));
        let mut config = Config { isolation: Isolation::Page, ..job.config()? };
        config.extra.push((HAS_DISK.0.to_owned(), HAS_DISK.1.to_owned()));
        if let Some(last) = last {
            config.extra.push(("disk_last".to_owned(), last.to_string()));
        }
        let disk = Disk { image, read_only: true, requests: Some(REQUESTS) };
        let machine = Machine { disk: Some(disk), ..Machine::of_tests() };
        let report = prepared.boot(self.name, &machine, &config, limit, verbose)?;
        let file = prepared.folder(self.name).join(serial::OUTPUT);
        let output = fs::read(&file).with_context(|| format!("can't read {}", file.display()))?;
        for ((case, line), output) in cases.iter().zip(&lines).zip(cut(&output, &lines)) {
            let outcome = case.outcome(end(&report.records, line), output);
            tally.count(self.name, case.0, &outcome);
        }
        Ok(report)
    }
}

/// Bytes of which no two sectors have the same.
fn contents() -> Vec<u8> {
    (0..BYTES as u32 / 4).flat_map(|word| word.wrapping_mul(0x9e37_79b9).to_le_bytes()).collect()
}

impl Case {
    fn line(&self) -> Line {
        Line { name: self.0.to_owned(), command: self.1.to_owned() }
    }

    fn outcome(&self, end: Option<&LinuxEnd>, output: Option<&[u8]>) -> Outcome {
        let &Self(_, _, expected, status) = self;
        let output = output.map(String::from_utf8_lossy);
        match end {
            Some(&LinuxEnd::Exit(found)) if found == status && output.as_deref() == Some(expected) => Outcome::Passed,
            end => Outcome::Failed(format!("it ended so: {end:?}, and printed {output:?}, not {expected:?}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_passes_by_end_and_output() {
        let case = Case("a", "x", "out", 3);
        let passes =
            |end: Option<&LinuxEnd>, output: Option<&[u8]>| matches!(case.outcome(end, output), Outcome::Passed);
        assert!(passes(Some(&LinuxEnd::Exit(3)), Some(b"out")));
        assert!(!passes(Some(&LinuxEnd::Exit(0)), Some(b"out")) && !passes(Some(&LinuxEnd::Exit(3)), Some(b"")));
        assert!(!passes(Some(&LinuxEnd::Signal(3)), Some(b"out")) && !passes(None, Some(b"out")));
    }

    #[test]
    fn no_two_sectors_are_the_same() {
        let contents = contents();
        let sectors: std::collections::BTreeSet<_> = contents.chunks(512).collect();
        assert_eq!((contents.len(), sectors.len()), (BYTES, BYTES / 512));
    }
}
