//! What a Linux program's end becomes as the exit status of this one: what a shell would make of it.

use anyhow::{Context, Result, anyhow, bail};

use crate::boot::{Ending, LinuxEnd, Record, Report};

/// The program was not ended by itself in its time.
const OVERTIME: u8 = 124;
/// The system failed, whatever the program did.
const FAILED: u8 = 125;
/// The file can't be run.
const REFUSED: u8 = 126;
/// There is no such file.
const ABSENT: u8 = 127;
/// A signal's number is added to this.
const SIGNAL: u8 = 128;
/// Linux's number for a file that is not there.
const NO_ENTRY: u32 = 2;

impl LinuxEnd {
    /// The status.
    pub fn status(&self) -> u8 {
        match *self {
            Self::Exit(status) => status,
            Self::Signal(number) => SIGNAL + number,
            Self::Refused(NO_ENTRY, _) => ABSENT,
            Self::Refused(..) => REFUSED,
            Self::Overtime(_) => OVERTIME,
            Self::Died(_) => FAILED,
        }
    }
}

/// The status after a boot, and a line about it where the program can't have said what happened.
pub fn of(report: &Report) -> (u8, Option<String>) {
    match end(report) {
        Ok(end) => {
            let line = match end {
                LinuxEnd::Refused(NO_ENTRY, reason) => Some(format!(
                    "{reason}: the program, or the interpreter that it names; what is dynamically linked needs its own in the tree"
                )),
                LinuxEnd::Refused(_, reason) => Some(reason.clone()),
                LinuxEnd::Overtime(seconds) => Some(format!("still running after {seconds} s")),
                LinuxEnd::Signal(number) => Some(format!("ended by signal {number}")),
                LinuxEnd::Died(reason) => Some(format!("the Linux server died, and the program with it: {reason}")),
                LinuxEnd::Exit(_) => None,
            };
            (end.status(), line)
        }
        Err(error) => {
            let late = matches!(report.ending, Ending::TimedOut { .. });
            let text = format!("{error:#}");
            let hint = if text.contains("NoMemory") { "; --memory gives the machine more" } else { "" };
            (if late { OVERTIME } else { FAILED }, Some(text + hint))
        }
    }
}

/// How the one program ended; the last, where its server died and somebody at a terminal got another.
fn end(report: &Report) -> Result<&LinuxEnd> {
    report.check()?;
    if let Some(complaint) = report.complaints().next() {
        bail!("{complaint}");
    }
    let end = report.records.iter().rev().find_map(|record| match record {
        Record::Linux { line: None, end } => Some(end),
        _ => None,
    });
    end.ok_or_else(|| anyhow!("{}", report.cause())).context("the guest does not say how the program ended")
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::time::Duration;

    use super::*;

    fn status(lines: &[&str], ending: Ending) -> (u8, bool) {
        let records = lines.iter().filter_map(|line| Record::parse(line)).collect();
        let last_lines = VecDeque::from(["[  1.0] there is no scenario".to_owned()]);
        let (status, line) = of(&Report { records, ending, last_lines, quoted: Vec::new() });
        (status, line.is_some())
    }

    #[test]
    fn statuses_are_a_shells() {
        assert_eq!(status(&["@linux exit 3"], Ending::Success), (3, false));
        assert_eq!(status(&["@linux signal 15"], Ending::Success), (143, true));
        assert_eq!(status(&["@linux refused 2 x"], Ending::Success), (127, true));
        assert_eq!(status(&["@linux refused 8 x"], Ending::Success), (126, true));
        assert_eq!(status(&["@linux overtime 8"], Ending::Success), (124, true));
        assert_eq!(status(&["@linux died page fault at 0x0"], Ending::Success), (125, true));
        assert_eq!(status(&["@linux died page fault at 0x0", "@linux exit 4"], Ending::Success), (4, false));
    }

    #[test]
    fn a_system_that_fails_is_no_success() {
        assert_eq!(status(&["@linux exit 0"], Ending::Reset), (125, true));
        assert_eq!(status(&[], Ending::Success), (125, true));
        assert_eq!(status(&["@line a exit 0"], Ending::Success), (125, true));
        assert_eq!(status(&["@linux exit 0", "@linux what"], Ending::Success), (125, true));
        let late = Ending::TimedOut { limit: Duration::from_secs(1), stood: String::new(), answered: true };
        assert_eq!(status(&[], late), (124, true));
    }

    #[test]
    fn the_guests_last_line_is_the_cause() {
        let last_lines = VecDeque::from(["there is no scenario linux".to_owned()]);
        let ending = Ending::Exit(lilliput_abi::boot::exit::FAILURE);
        let (_, line) = of(&Report { records: Vec::new(), ending, last_lines, quoted: Vec::new() });
        assert!(line.unwrap().contains("no scenario linux"));
    }

    #[test]
    fn who_has_too_little_memory_is_told_where_there_is_more() {
        let last_lines = VecDeque::from(["root: a factory: NoMemory".to_owned()]);
        let ending = Ending::Exit(lilliput_abi::boot::exit::FAILURE);
        let (_, line) = of(&Report { records: Vec::new(), ending, last_lines, quoted: Vec::new() });
        assert!(line.unwrap().contains("--memory"));
    }
}
