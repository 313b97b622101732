//! What the guest tells of a visitor: how it ended, and whether its witnesses are whole.

use super::Record;

/// How a visitor ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// It was not run, for this reason.
    Refused(String),
    /// It said so, with this code, and this text.
    Exit(u64, String),
    /// It raised an exception: which, where, and what it had said.
    Exception(String),
    /// It was still running after so many seconds.
    Overtime(u64),
    /// It was ended early, as a witness had come to harm.
    Interrupted,
}

/// Reads `NAME MODE END ...`; the mode is `-` for who was not a small task.
pub fn end(text: &str) -> Option<Record> {
    let mut words = text.splitn(4, ' ');
    let (name, mode, word) = (words.next()?, words.next()?, words.next()?);
    let rest = words.next().unwrap_or_default().trim();
    let end = match word {
        "refused" => End::Refused(rest.to_owned()),
        "exit" => {
            let (code, said) = rest.split_once(' ').unwrap_or((rest, ""));
            End::Exit(code.parse().ok()?, said.trim().to_owned())
        }
        "exception" => End::Exception(rest.to_owned()),
        "overtime" => End::Overtime(rest.parse().ok()?),
        "interrupted" => End::Interrupted,
        _ => return None,
    };
    let mode = (mode != "-").then(|| mode.to_owned());
    Some(Record::Visit { name: name.to_owned(), mode, end })
}

/// Reads `NAME whole` or `NAME HARMED ...`.
pub fn witnesses(text: &str) -> Option<Record> {
    let (name, rest) = text.split_once(' ')?;
    let damage = match rest.split_once(' ').unwrap_or((rest, "for no reason given")) {
        ("whole", _) => None,
        ("HARMED", damage) => Some(damage.trim().to_owned()),
        _ => return None,
    };
    Some(Record::Witnesses { name: name.to_owned(), damage })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> (Option<String>, End) {
        match Record::parse(line) {
            Some(Record::Visit { name, mode, end }) if name == "a" => (mode, end),
            other => panic!("{line} gives {other:?}"),
        }
    }

    #[test]
    fn programs_end_in_five_ways() {
        let page = || Some("page".to_owned());
        assert_eq!(parsed("@program a page exit 0 "), (page(), End::Exit(0, String::new())));
        assert_eq!(parsed("@program a - exit 101 at line 3: no"), (None, End::Exit(101, "at line 3: no".into())));
        let address = "page fault at 0x1, error code 0x4, ip 0x2, sp 0x3";
        assert_eq!(parsed(&format!("@program a page exception {address}")), (page(), End::Exception(address.into())));
        assert_eq!(parsed("@program a page overtime 10"), (page(), End::Overtime(10)));
        assert_eq!(parsed("@program a page interrupted"), (page(), End::Interrupted));
        assert_eq!(parsed("@program a - refused not an ELF file"), (None, End::Refused("not an ELF file".into())));
    }

    #[test]
    fn witnesses_are_whole_or_harmed() {
        let damage = |line| match Record::parse(line) {
            Some(Record::Witnesses { damage, .. }) => damage,
            other => panic!("{line} gives {other:?}"),
        };
        assert_eq!(damage("@witnesses a whole"), None);
        assert_eq!(damage("@witnesses a HARMED it found 3"), Some("it found 3".to_owned()));
        for line in
            ["@witnesses a", "@witnesses a well", "@program a page", "@program a page exit", "@program a page x"]
        {
            assert!(matches!(Record::parse(line), Some(Record::Malformed(_))), "{line}");
        }
    }
}
