//! What came of a program, and the exit status that says so.

use std::fmt;

use crate::boot::{End, Ending, Record, Report};

/// Exit statuses. 1 is any error of xtask's own, 2 one in the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Status {
    /// It ended by itself with code 0, and the witnesses are whole.
    Well = 0,
    /// It ended by itself with another code.
    Code = 3,
    /// It ended by an exception.
    Exception = 4,
    /// It did not end within the time limit.
    Overtime = 5,
    /// It was not run: the file is no program that can be.
    Refused = 6,
    /// A witness came to harm.
    Harm = 7,
    /// The system failed, whatever the program did.
    System = 8,
}

/// What came of a program.
#[derive(Clone, Debug)]
pub struct Verdict {
    name: String,
    /// How it ended, if the guest says so.
    pub end: Option<End>,
    mode: Option<String>,
    /// What the guest says of the witnesses: what is wrong with them.
    witnesses: Option<Option<String>>,
    /// What is wrong with the boot.
    failure: Option<String>,
}

impl Verdict {
    /// That on a program that is not even booted with.
    pub fn refused(name: &str, reason: impl fmt::Display) -> Self {
        let end = Some(End::Refused(reason.to_string()));
        Self { name: name.to_owned(), end, mode: None, witnesses: None, failure: None }
    }

    /// From what the guest tells of this program.
    pub fn of(name: &str, report: &Report) -> Self {
        let ends = report.records.iter().find_map(|record| match record {
            Record::Visit { name: whose, mode, end } if whose == name => Some((mode.clone(), end.clone())),
            _ => None,
        });
        let (mode, end) = ends.map_or((None, None), |(mode, end)| (mode, Some(end)));
        let witnesses = report.records.iter().find_map(|record| match record {
            Record::Witnesses { name: whose, damage } if whose == name => Some(damage.clone()),
            _ => None,
        });
        // The guest ends with failure where it tells of harm.
        let harm = Ending::Exit(lilliput_abi::boot::exit::FAILURE);
        let told = report.ending == harm && report.records.iter().any(is_harm);
        let complete = match &end {
            Some(End::Refused(_)) => true,
            Some(_) => witnesses.is_some(),
            None => false,
        };
        let failure = match report.check() {
            Err(error) if !told => Some(format!("{error:#}")),
            _ if !complete => {
                let last = report.last_lines.back().map_or("nothing", |line| line.trim());
                Some(format!(
                    "the guest ended ({:?}) and does not say what came of it; it said last: {last}",
                    report.ending
                ))
            }
            _ => None,
        };
        Self { name: name.to_owned(), end, mode, witnesses, failure }
    }

    /// The exit status.
    pub fn status(&self) -> Status {
        match (&self.witnesses, &self.failure, &self.end) {
            (Some(Some(_)), _, _) => Status::Harm,
            (_, Some(_), _) | (_, _, None) => Status::System,
            (_, _, Some(End::Refused(_))) => Status::Refused,
            (_, _, Some(End::Exception(_))) => Status::Exception,
            (_, _, Some(End::Overtime(_))) => Status::Overtime,
            (Some(None), _, Some(End::Exit(0, _))) => Status::Well,
            (_, _, Some(End::Exit(..))) => Status::Code,
            // It is interrupted where a witness came to harm only, which is told.
            (_, _, Some(End::Interrupted)) => Status::System,
        }
    }

    /// What to say of it, line by line.
    pub fn lines(&self) -> Vec<String> {
        let Self { name, .. } = self;
        let mut lines = Vec::new();
        if let Some(end) = &self.end {
            let task = match (&self.mode, end) {
                (Some(mode), _) => format!(", a small task in `{mode}` mode"),
                (None, End::Refused(_)) => String::new(),
                (None, _) => ", a 64-bit task".to_owned(),
            };
            lines.push(format!("{name}{task}: {}", Sentence(end)));
        }
        match &self.witnesses {
            Some(None) => lines.push(format!("{name}: the witnesses are whole")),
            Some(Some(damage)) => lines.push(format!("{name}: HARM: {damage}")),
            None => {}
        }
        if let Some(failure) = &self.failure {
            lines.push(format!("{name}: THE SYSTEM FAILED: {failure}"));
        }
        lines
    }
}

fn is_harm(record: &Record) -> bool {
    matches!(record, Record::Witnesses { damage: Some(_), .. })
}

/// How a program ended, for people.
struct Sentence<'a>(&'a End);

impl fmt::Display for Sentence<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            End::Refused(reason) => write!(formatter, "refused: {reason}"),
            End::Exit(code, said) if said.is_empty() => write!(formatter, "ended with code {code}"),
            End::Exit(code, said) => write!(formatter, "ended with code {code}; it said: {said}"),
            End::Exception(what) => write!(formatter, "ended by an exception: {what}"),
            End::Overtime(seconds) => write!(formatter, "did not end within {seconds} s"),
            End::Interrupted => formatter.write_str("ended early, since a witness came to harm"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use lilliput_abi::boot::exit;

    use super::*;

    fn verdict(lines: &[&str], ending: Ending) -> Verdict {
        let records = lines.iter().filter_map(|line| Record::parse(line)).collect();
        Verdict::of("a", &Report { records, ending, last_lines: VecDeque::new(), quoted: Vec::new() })
    }

    fn status(end: &str, witnesses: &str) -> Status {
        let lines = [format!("@program a page {end}"), format!("@witnesses a {witnesses}")];
        verdict(&[&lines[0], &lines[1]], Ending::Success).status()
    }

    #[test]
    fn statuses_follow() {
        assert_eq!(status("exit 0", "whole"), Status::Well);
        assert_eq!(status("exit 1", "whole"), Status::Code);
        assert_eq!(status("exit 18446744073709551615 no", "whole"), Status::Code);
        assert_eq!(status("exception page fault", "whole"), Status::Exception);
        assert_eq!(status("overtime 10", "whole"), Status::Overtime);
        assert_eq!(verdict(&["@program a - refused x"], Ending::Success).status(), Status::Refused);
        assert_eq!(Verdict::refused("a", "x").status(), Status::Refused);
    }

    #[test]
    fn statuses_are_those_documented() {
        let readme = include_str!("../../../kernel64/abi/README.md");
        let rows = [
            (Status::Well, "it ended by itself with code 0"),
            (Status::Code, "it ended by itself with another code"),
            (Status::Exception, "it raised an exception"),
            (Status::Overtime, "it did not end within the limit"),
            (Status::Refused, "it was refused"),
            (Status::Harm, "a witness came to harm"),
            (Status::System, "the system failed"),
        ];
        for (status, what) in rows {
            assert!(readme.contains(&format!("\n| {} | {what}", status as u8)), "{what}");
        }
    }

    #[test]
    fn harm_counts_most() {
        let harm = "@witnesses a HARMED x";
        for end in ["exit 0", "exception page fault", "overtime 10", "interrupted"] {
            let lines = [&*format!("@program a page {end}"), harm];
            assert_eq!(verdict(&lines, Ending::Exit(exit::FAILURE)).status(), Status::Harm);
            assert_eq!(verdict(&lines, Ending::Exit(exit::PANIC)).status(), Status::Harm);
        }
    }

    #[test]
    fn a_system_that_fails_is_no_success() {
        let well = ["@program a page exit 0", "@witnesses a whole"];
        for ending in [Ending::Exit(exit::PANIC), Ending::Exit(exit::FAILURE), Ending::Reset] {
            assert_eq!(verdict(&well, ending).status(), Status::System);
        }
        // Nor is one that does not say what it must, or says it of somebody else.
        assert_eq!(verdict(&well[..1], Ending::Success).status(), Status::System);
        assert_eq!(verdict(&well[1..], Ending::Success).status(), Status::System);
        let others = ["@program b page exit 0", "@witnesses b whole"];
        assert_eq!(verdict(&others, Ending::Success).status(), Status::System);
    }

    #[test]
    fn it_is_told_in_sentences() {
        assert_eq!(Verdict::refused("a", "x").lines(), ["a: refused: x"]);
        let told = verdict(&["@program a - exit 0", "@witnesses a whole"], Ending::Success);
        assert_eq!(told.lines(), ["a, a 64-bit task: ended with code 0", "a: the witnesses are whole"]);
        let told = verdict(&["@program a page exit 101 at x: no", "@witnesses a HARMED it found 3"], Ending::Reset);
        let lines = told.lines();
        assert_eq!(lines[0], "a, a small task in `page` mode: ended with code 101; it said: at x: no");
        assert_eq!(lines[1], "a: HARM: it found 3");
        assert!(lines[2].starts_with("a: THE SYSTEM FAILED: the machine reset"), "{lines:?}");
    }
}
