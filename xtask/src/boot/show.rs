//! Which of the guest's lines a person sees while they come.

use lilliput_loader::visitor::{QUOTE, UNENFORCED};

/// Which lines, and how.
#[derive(Clone, Copy, Debug)]
pub struct Show {
    lines: Lines,
    unenforced: bool,
}

#[derive(Clone, Copy, Debug)]
enum Lines {
    None,
    Quoted,
    All,
}

impl Show {
    /// None.
    pub const NOTHING: Self = Self { lines: Lines::None, unenforced: false };
    /// All but records.
    pub const EVERYTHING: Self = Self { lines: Lines::All, unenforced: false };
    /// What visitors print.
    pub const QUOTED: Self = Self { lines: Lines::Quoted, unenforced: false };

    /// The same with the word in each line that nothing enforces limits.
    pub const fn unenforced(self) -> Self {
        Self { unenforced: true, ..self }
    }

    /// Passes a line on that is to be seen.
    pub(super) fn line(self, line: &str) {
        if let Some(text) = self.text(line) {
            println!("{text}");
        }
    }

    fn text(self, line: &str) -> Option<String> {
        let shown = match self.lines {
            Lines::None => false,
            Lines::Quoted => quoted(line).is_some(),
            Lines::All => true,
        };
        let missing = self.unenforced && !line.starts_with(UNENFORCED);
        shown.then(|| format!("{}{line}", if missing { UNENFORCED } else { "" }))
    }
}

impl From<bool> for Show {
    fn from(everything: bool) -> Self {
        if everything { Self::EVERYTHING } else { Self::NOTHING }
    }
}

/// What a visitor printed, if this is such a line.
pub fn quoted(line: &str) -> Option<&str> {
    line.strip_prefix(UNENFORCED).unwrap_or(line).strip_prefix(QUOTE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_lines_are_known_by_their_mark() {
        assert_eq!(quoted("| hello"), Some("hello"));
        assert_eq!(quoted("UNENFORCED | @test a ok"), Some("@test a ok"));
        assert_eq!(quoted("| UNENFORCED | x"), Some("UNENFORCED | x"));
        assert_eq!(quoted("[  0.001] | hello"), None);
    }

    #[test]
    fn what_is_not_enforced_says_so_in_each_line() {
        let all = Show::EVERYTHING.unenforced();
        assert_eq!(all.text("[  0.001] boot").as_deref(), Some("UNENFORCED [  0.001] boot"));
        assert_eq!(all.text("UNENFORCED | x").as_deref(), Some("UNENFORCED | x"));
        assert_eq!(Show::QUOTED.text("boot"), None);
        assert_eq!(Show::QUOTED.text("| x").as_deref(), Some("| x"));
        assert_eq!(Show::NOTHING.text("| x"), None);
    }
}
