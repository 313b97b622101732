//! What the guest tells of a Linux program: how it ended.

use super::Record;

/// How a Linux program ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinuxEnd {
    /// With this status.
    Exit(u8),
    /// By the signal of this number.
    Signal(u8),
    /// It was not run: Linux's number of the error, and the reason in words.
    Refused(u32, String),
    /// It was still running after so many seconds, and was ended.
    Overtime(u64),
    /// The server died, and the program with it: what the server died by.
    Died(String),
}

/// Numbers of signals end here.
const SIGNALS: u8 = 64;

/// Reads `exit STATUS`, `signal NUMBER`, `refused ERRNO REASON`, `overtime SECONDS` or `died REASON`.
pub fn end(text: &str) -> Option<LinuxEnd> {
    let (word, rest) = text.split_once(' ')?;
    let end = match word {
        "exit" => LinuxEnd::Exit(rest.trim().parse().ok()?),
        "signal" => LinuxEnd::Signal(rest.trim().parse().ok().filter(|number| (1..=SIGNALS).contains(number))?),
        "refused" => {
            let (number, reason) = rest.split_once(' ').unwrap_or((rest, ""));
            let reason = if reason.is_empty() { "for no reason given" } else { reason.trim() };
            LinuxEnd::Refused(number.parse().ok()?, reason.to_owned())
        }
        "overtime" => LinuxEnd::Overtime(rest.trim().parse().ok()?),
        "died" => LinuxEnd::Died(rest.trim().to_owned()),
        _ => return None,
    };
    Some(end)
}

/// Reads `NAME END`.
pub fn line(text: &str) -> Option<Record> {
    let (name, rest) = text.split_once(' ')?;
    Some(Record::Linux { line: Some(name.to_owned()), end: end(rest)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> LinuxEnd {
        match Record::parse(line) {
            Some(Record::Linux { line: None, end }) => end,
            other => panic!("{line} gives {other:?}"),
        }
    }

    #[test]
    fn programs_end_in_five_ways() {
        assert_eq!(parsed("@linux exit 0"), LinuxEnd::Exit(0));
        assert_eq!(parsed("@linux exit 255 UNENFORCED"), LinuxEnd::Exit(255));
        assert_eq!(parsed("@linux signal 9"), LinuxEnd::Signal(9));
        assert_eq!(parsed("@linux refused 2 no such file"), LinuxEnd::Refused(2, "no such file".into()));
        assert_eq!(parsed("@linux refused 8"), LinuxEnd::Refused(8, "for no reason given".into()));
        assert_eq!(parsed("@linux overtime 30"), LinuxEnd::Overtime(30));
        assert_eq!(parsed("@linux died page fault at 0x0"), LinuxEnd::Died("page fault at 0x0".into()));
    }

    #[test]
    fn lines_have_names() {
        let expected = Record::Linux { line: Some("t1-true".into()), end: LinuxEnd::Exit(0) };
        assert_eq!(Record::parse("@line t1-true exit 0"), Some(expected));
    }

    #[test]
    fn other_ends_are_malformed() {
        let lines =
            ["@linux", "@linux exit", "@linux exit 256", "@linux exit -1", "@linux signal 0", "@linux signal 65"];
        for line in lines.iter().chain(&[
            "@linux exit x",
            "@linux refused",
            "@linux refused x",
            "@linux ok 1",
            "@linux died",
            "@line a",
        ]) {
            assert!(!matches!(Record::parse(line), Some(Record::Linux { .. })), "{line}");
        }
        assert!(matches!(Record::parse("@linux exit 256"), Some(Record::Malformed(_))));
    }
}
