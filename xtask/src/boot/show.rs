//! Which of the guest's lines a person sees while they come.

use lilliput_loader::visitor::QUOTE;

use super::unmarked;

/// Which lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Show {
    /// None.
    Nothing,
    /// What visitors print.
    Quoted,
    /// All but records.
    Everything,
    /// The same, to standard error, where standard output belongs to somebody else.
    Aside,
}

impl Show {
    /// Passes a line on that is to be seen.
    pub(super) fn line(self, line: &str) {
        match self {
            Self::Aside => eprintln!("{line}"),
            _ if self.shows(line) => println!("{line}"),
            _ => {}
        }
    }

    fn shows(self, line: &str) -> bool {
        match self {
            Self::Nothing => false,
            Self::Quoted => quoted(line).is_some(),
            Self::Everything | Self::Aside => true,
        }
    }
}

impl From<bool> for Show {
    fn from(everything: bool) -> Self {
        if everything { Self::Everything } else { Self::Nothing }
    }
}

/// What a visitor printed, if this is such a line.
pub fn quoted(line: &str) -> Option<&str> {
    unmarked(line).strip_prefix(QUOTE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_lines_are_known_by_their_mark() {
        assert_eq!(quoted("| hello"), Some("hello"));
        assert_eq!(quoted("| "), Some(""));
        assert_eq!(quoted("| @test a ok UNENFORCED"), Some("@test a ok"));
        assert_eq!(quoted("[  0.001] | hello"), None);
        assert!(Show::Quoted.shows("| x") && !Show::Quoted.shows("x"));
        assert!(Show::Everything.shows("x") && !Show::Nothing.shows("| x"));
    }
}
