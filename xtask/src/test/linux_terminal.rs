//! A shell of Linux's at the terminal: what is typed, and what must come of it.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::linux::suite;
use super::tally::Tally;
use crate::boot::{LinuxEnd, Record, Step};
use crate::linux::{Architecture, LinePrograms, terminal_job};
use crate::machine::Machine;
use crate::prepare::Prepared;

/// Name of the suite.
pub const NAME: &str = "linux-terminal";

/// The status that the shell ends with.
const STATUS: u8 = 5;

/// What is typed. Each step's line is what the one before led to; none stands in what was typed before, which is shown as well.
const STEPS: &[Step] = &[
    Step {
        name: "it greets",
        after: "built-in commands",
        send: "ehco\x7f\x7f\x7fcho both | /bin64/tr a-z A-Z | /bin32/rev\r",
    },
    // It tells how often it was let go on: what is typed before it has the terminal is somebody else's.
    Step {
        name: "both widths are in one pipe",
        after: "HTOB",
        send: "sh -c 'trap \"n=\\$((n+1)); echo go\"\"es on \\$n\" CONT; echo st''arted; while :; do sleep 1; done'\r",
    },
    Step { name: "something runs long", after: "started", send: "\x1a" },
    Step { name: "^Z stops it", after: "Stopped", send: "bg; sleep 3; jobs\r" },
    Step { name: "it goes on in the background", after: "goes on 1", send: "" },
    Step { name: "and is known to", after: "Running", send: "fg\r" },
    Step { name: "it comes to the foreground", after: "goes on 2", send: "\x03echo status $?\r" },
    Step {
        name: "^C ends it",
        after: "status 130",
        send: "/bin64/awk '/64-bit/ { print \"wi\" \"de task\"; exit }' /proc/lilliput\r",
    },
    Step { name: "tasks are told by their kinds", after: "wide task", send: "ps\r" },
    Step { name: "so they are by ps", after: "THR KIND", send: "stty size\r" },
    Step {
        name: "the terminal has its size",
        after: "24 80",
        send: "/bin32/tty | tr a-z A-Z; /bin64/tty | tr /a-z .A-Z\r",
    },
    Step { name: "the terminal has its name", after: "/DEV/CONSOLE", send: "" },
    Step {
        name: "for programs of 64 bits as well",
        after: ".DEV.CONSOLE",
        send: "sh -c 'echo re''ady; cat; echo the e''nd'\r",
    },
    Step { name: "a program reads lines", after: "ready", send: "dropped\x15kept\r\x04" },
    Step { name: "input ends", after: "the end", send: "sleep 1000 & echo c >/proc/sysrq-trigger\r" },
    Step { name: "a crash of the server is told", after: "This is another one", send: "" },
    Step { name: "another shell greets", after: "built-in commands", send: "pidof sleep || echo no''thing is left\r" },
    Step { name: "what ran is gone", after: "nothing is left", send: "exit 5\r" },
];

/// Boots and counts.
pub fn run(prepared: &Prepared, programs: &Result<LinePrograms>, limit: Duration, tally: &mut Tally) {
    suite(NAME, programs, tally, |programs, tally| boot(prepared, programs, limit, tally));
}

fn boot(prepared: &Prepared, programs: &LinePrograms, limit: Duration, tally: &mut Tally) -> Result<()> {
    let config = terminal_job(programs, Architecture::I386, (24, 80))?.config()?;
    let report = prepared.boot_terminal_typing(NAME, &Machine::of_tests(), &config, limit, STEPS)?;
    for record in &report.records {
        if let Record::Test { name, outcome } = record {
            tally.count(NAME, name, outcome);
        }
    }
    report.check()?;
    let ended = |record: &Record| matches!(record, Record::Linux { end: LinuxEnd::Exit(STATUS), .. });
    ensure!(report.records.iter().any(ended), "the shell did not end with status {STATUS}");
    Ok(())
}
