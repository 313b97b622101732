//! When two outputs of a command line count as the same: to the last byte, but for what no two runs on Linux have in common either.

/// How alike they have to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Likeness {
    /// The same bytes.
    Same,
    /// The same lines: file systems have orders of their own, and so have programs that run at the same time.
    AnyOrder,
    /// Letters where letters are, and digits where digits: the time of a run.
    Pattern,
    /// The same listing by `ls -l`, but for `dev` and `proc`, where only kind, permissions and name count.
    Listing,
}

/// The lines that are compared otherwise than byte by byte.
pub const LOOSE: [(&str, Likeness); 5] = [
    ("t1-date", Likeness::Pattern),
    ("t1-ls", Likeness::Listing),
    ("t1-find", Likeness::AnyOrder),
    ("t3-findexec", Likeness::AnyOrder),
    ("t2-bgwait", Likeness::AnyOrder),
];

impl Likeness {
    /// What is asked of a line's output.
    pub fn of(line: &str) -> Self {
        LOOSE.iter().find(|(name, _)| *name == line).map_or(Self::Same, |(_, likeness)| *likeness)
    }

    /// Whether these are alike.
    pub fn holds(self, one: &[u8], other: &[u8]) -> bool {
        match self {
            Self::Same => one == other,
            Self::AnyOrder => sorted(one) == sorted(other),
            Self::Pattern => pattern(one) == pattern(other),
            Self::Listing => listing(one) == listing(other),
        }
    }
}

fn sorted(output: &[u8]) -> Vec<&[u8]> {
    let mut lines: Vec<_> = output.split_inclusive(|&byte| byte == b'\n').collect();
    lines.sort_unstable();
    lines
}

fn pattern(output: &[u8]) -> Vec<u8> {
    let class = |place: usize| match output[place] {
        b'0'..=b'9' => b'0',
        // A day of one digit has a space before it.
        b' ' if place > 0 && output[place - 1] == b' ' => b'0',
        byte if byte.is_ascii_alphabetic() => b'a',
        byte => byte,
    };
    (0..output.len()).map(class).collect()
}

fn listing(output: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(output);
    let line = |line: &str| {
        let words: Vec<_> = line.split_ascii_whitespace().collect();
        match words.as_slice() {
            [mode, .., name @ ("dev" | "proc")] => format!("{mode} {name}"),
            _ => line.to_owned(),
        }
    };
    text.split('\n').map(line).collect()
}

/// An output as it can stand in a line: escaped, and no longer than tells what it is.
pub fn as_text(output: &[u8]) -> String {
    const LONGEST: usize = 400;
    let shown = &output[..output.len().min(LONGEST)];
    let rest = output.len() - shown.len();
    let more = if rest > 0 { format!(" and {rest} bytes more") } else { String::new() };
    format!("`{}`{more}", shown.escape_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_alike_and_other_things_are_not() {
        let holds = |one: &str, other: &str| Likeness::Pattern.holds(one.as_bytes(), other.as_bytes());
        assert!(holds("Thu Nov 26 04:31:23 UTC 2026\n", "Sun Jan  3 17:00:01 UTC 2027\n"));
        assert!(!holds("Thu Nov 26 04:31:23 UTC 2026\n", "Thu Nov 26 04:31:23 UTC 2026"));
        assert!(!holds("Thu Nov 26 04:31:23 UTC 2026\n", "date: no clock\n"));
    }

    #[test]
    fn lines_may_come_in_any_order_but_all_of_them() {
        let holds = |one: &str, other: &str| Likeness::AnyOrder.holds(one.as_bytes(), other.as_bytes());
        assert!(holds("a\nb\n", "b\na\n") && holds("", ""));
        assert!(!holds("a\nb\n", "a\n") && !holds("a\na\n", "a\n") && !holds("a\nb\n", "ab\n"));
    }

    #[test]
    fn a_listing_may_have_other_devices() {
        let holds = |one: &str, other: &str| Likeness::Listing.holds(one.as_bytes(), other.as_bytes());
        let line = "drwxr-xr-x    2 root     root            80 Jan  1  1970 ";
        let (dev, data) = (format!("total 0\n{line}dev\n"), format!("{line}data\n"));
        assert!(holds(&dev, &dev.replace("80", "120")));
        assert!(!holds(&dev, &dev.replace("drwx", "-rwx")) && !holds(&data, &data.replace("80", "120")));
    }

    #[test]
    fn outputs_are_shown_in_one_line() {
        assert_eq!(as_text(b"a\n\x00\xff"), "`a\\n\\x00\\xff`");
        assert!(as_text(&[b'x'; 500]).ends_with("x` and 100 bytes more"));
    }
}
