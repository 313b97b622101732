//! What must not bring the system down: the Linux server's crash among busy programs, fork bombs, and programs that take all there is. After each, new
//! programs run as if nothing had been.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

use super::linux::suite;
use super::tally::Tally;
use crate::boot::{LinuxEnd, Outcome};
use crate::build::Config;
use crate::linux::{Architecture, Job, LINE, Line, LinePrograms, Work, cut, end};
use crate::machine::{Emulator, Machine, serial};
use crate::options::Isolation;
use crate::prepare::Prepared;

/// A boot of it.
#[derive(Debug)]
pub struct RobustBoot {
    /// Its name, under which its tests are counted.
    pub name: &'static str,
    architecture: Architecture,
}

/// One for each width of what is in `/bin`; those of the other are among the busy as well.
pub const BOOTS: [RobustBoot; 2] = [
    RobustBoot { name: "linux-robust-i386", architecture: Architecture::I386 },
    RobustBoot { name: "linux-robust-amd64", architecture: Architecture::Amd64 },
];

/// A command, and what must come of it.
struct Case {
    name: &'static str,
    command: &'static str,
    output: &'static str,
    end: End,
}

#[derive(Clone, Copy)]
enum End {
    Exit(u8),
    /// With the server, which touched what is never mapped.
    Crash,
}

const fn case(name: &'static str, command: &'static str, output: &'static str, end: End) -> Case {
    Case { name, command, output, end }
}

/// None of them is run on this machine.
const CASES: &[Case] = &[
    case("before", "echo here", "here\n", End::Exit(0)),
    case("crash", "echo last words; echo c > /proc/sysrq-trigger; echo never", "last words\n", End::Crash),
    case("after-crash", "echo one | /bin32/tr a-z A-Z | /bin64/rev; exit 7", "ENO\n", End::Exit(7)),
    case(
        "crash-among-busy",
        "echo kept > /tmp/file; mkfifo /tmp/fifo; cat /tmp/fifo & sleep 100 & cat /dev/zero > /dev/null & yes | cat > /dev/null & \
         /bin32/sh -c 'while :; do :; done' & /bin64/sh -c 'while :; do :; done' & \
         /bin32/sh -c 'while :; do /bin64/true; done' & /bin64/sh -c 'while :; do /bin32/true; done' & \
         kills > /dev/null & sleep 0.5; echo c > /proc/sysrq-trigger",
        "",
        End::Crash,
    ),
    case(
        "after-busy",
        "ls /tmp; echo; for i in 1 2 3 4 5; do /bin32/true && /bin64/echo $i; done | wc -l",
        "\n5\n",
        End::Exit(0),
    ),
    case(
        "crash-among-many",
        "bomb on > /tmp/bomb & until read line < /tmp/bomb; do :; done; echo c > /proc/sysrq-trigger",
        "",
        End::Crash,
    ),
    case("after-many", "sleep 0.1; echo fine; kill -9 $$", "fine\n", End::Exit(128 + 9)),
    case(
        "fork-bomb",
        "bomb; echo $?; echo on | cat",
        "it grew: 1, and was refused: 1\nit is over: signal 9, and nobody is left: 1\n0\non\n",
        End::Exit(0),
    ),
    case("fork-bomb-of-a-shell", "bomb() { bomb | bomb & }; sleep 1000 & bomb; sleep 1; echo on", "on\n", End::Exit(0)),
    case("malloc", "hog malloc; echo on | cat", "malloc: over\non\n", End::Exit(0)),
    case("brk", "hog brk; echo on | cat", "brk: over\non\n", End::Exit(0)),
    case("mmap", "hog mmap; echo on | cat", "mmap: over\non\n", End::Exit(0)),
    case("shared-mappings", "hog share; echo on | cat", "share: over\non\n", End::Exit(0)),
    case("areas", "hog areas; echo on | cat", "areas: over\non\n", End::Exit(0)),
    case("copies", "hog copies; echo on | cat", "forked some: 1, then refused: 1\ncopies: over\non\n", End::Exit(0)),
    case("spaces", "hog spaces; echo on | cat", "forked some: 1, then refused: 1\nspaces: over\non\n", End::Exit(0)),
    case("scatter", "hog scatter; echo on | cat", "scatter: over\non\n", End::Exit(0)),
    case(
        "grown-killed",
        "for i in 100 300 600 900; do grow hold $i 'kill -9 $PPID; sleep 0.1'; echo $?; done 2> /dev/null",
        "137\n137\n137\n137\n",
        End::Exit(0),
    ),
    case("unknown-calls", "hog calls; echo on | cat", "calls: over\non\n", End::Exit(0)),
    case(
        "files",
        "hog fill; echo kept > /tmp/x; cat /tmp/x",
        "a large file: No space left on device\nmany files: No space left on device\nfill: over\nkept\n",
        End::Exit(0),
    ),
    case(
        "the-other-is-spared",
        "hog malloc > /tmp/1 & hog mmap > /tmp/2 & wait; cat /tmp/1 /tmp/2; echo on",
        "malloc: over\nmmap: over\non\n",
        End::Exit(0),
    ),
    case("last", "echo still here | /bin32/cat | /bin64/cat", "still here\n", End::Exit(0)),
];

impl RobustBoot {
    /// Boots and counts.
    pub fn run(
        &self,
        prepared: &Prepared,
        programs: &Result<LinePrograms>,
        limit: Duration,
        verbose: bool,
        tally: &mut Tally,
    ) {
        suite(self.name, programs, tally, |programs, tally| self.boot(prepared, programs, limit, verbose, tally));
    }

    fn boot(
        &self,
        prepared: &Prepared,
        programs: &LinePrograms,
        limit: Duration,
        verbose: bool,
        tally: &mut Tally,
    ) -> Result<()> {
        let lines: Vec<_> = CASES.iter().map(Case::line).collect();
        let job = Job::new(programs.tree(self.architecture)?, Work::Lines(lines.clone(), LINE));
        let config = Config { isolation: Isolation::Page, ..job.config()? };
        let emulator = Emulator::Qemu(Machine::of_tests());
        let report = prepared.boot_on(&emulator, self.name, &config, emulator.patience(2 * limit), verbose)?;
        let file = prepared.folder(self.name).join(serial::OUTPUT);
        let output = fs::read(&file).with_context(|| format!("can't read {}", file.display()))?;
        for ((case, line), output) in CASES.iter().zip(&lines).zip(cut(&output, &lines)) {
            let complaint = case.complaint(end(&report.records, line), output);
            tally.count(self.name, case.name, &complaint.map_or(Outcome::Passed, Outcome::Failed));
        }
        report.check()
    }
}

impl Case {
    fn line(&self) -> Line {
        Line { name: self.name.to_owned(), command: self.command.to_owned() }
    }

    /// What is wrong with what came of it, if something is.
    fn complaint(&self, end: Option<&LinuxEnd>, output: Option<&[u8]>) -> Option<String> {
        let Some(end) = end else { return Some("it was not run, or did not end".to_owned()) };
        let as_wanted = match (self.end, end) {
            (End::Crash, LinuxEnd::Died(reason)) => reason.starts_with("page fault at 0x0,"),
            (End::Crash, _) | (End::Exit(_), LinuxEnd::Died(_) | LinuxEnd::Refused(..) | LinuxEnd::Overtime(_)) => {
                false
            }
            (End::Exit(status), end) => end.status() == status,
        };
        if !as_wanted {
            return Some(format!("it ended so: {end:?}"));
        }
        let output = output.map(String::from_utf8_lossy);
        (output.as_deref() != Some(self.output)).then(|| format!("it printed {output:?}, not {:?}", self.output))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_passes_by_end_and_output() {
        let (crash, exit) = (case("a", "x", "out", End::Crash), case("b", "x", "out", End::Exit(137)));
        let (died, killed) = (LinuxEnd::Died("page fault at 0x0, ip 5".into()), LinuxEnd::Signal(9));
        let passes = |case: &Case, end: Option<&LinuxEnd>, output: Option<&[u8]>| case.complaint(end, output).is_none();
        assert!(passes(&crash, Some(&died), Some(b"out")) && passes(&exit, Some(&killed), Some(b"out")));
        assert!(!passes(&crash, Some(&killed), Some(b"out")) && !passes(&exit, Some(&died), Some(b"out")));
        assert!(!passes(&crash, Some(&LinuxEnd::Died("panic".into())), Some(b"out")));
        assert!(!passes(&exit, Some(&killed), Some(b"more out")) && !passes(&exit, Some(&killed), None));
        assert!(!passes(&exit, None, Some(b"out")) && !passes(&exit, Some(&LinuxEnd::Exit(1)), Some(b"out")));
    }

    #[test]
    fn every_crash_is_followed_by_a_program_that_runs() {
        let follows = |pair: &[Case]| !matches!(pair[0].end, End::Crash) || matches!(pair[1].end, End::Exit(_));
        assert!(CASES.windows(2).all(follows) && matches!(CASES[CASES.len() - 1].end, End::Exit(_)));
        let text: String = CASES.iter().map(|case| case.line().to_string()).collect();
        assert_eq!(Line::parse_all(&text).unwrap().len(), CASES.len());
    }
}
