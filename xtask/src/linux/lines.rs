//! Command lines that are run one after the other, and what each of them printed.

use std::fmt;

use anyhow::{Context, Result, ensure};

/// What the guest writes to both streams before each line, with its name and the end of a line behind it.
const MARK: u8 = 0x1e;

/// A command for `/bin/sh -c`, and a name for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The name.
    pub name: String,
    /// The command.
    pub command: String,
}

impl fmt::Display for Line {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "{}|{}", self.name, self.command)
    }
}

impl Line {
    /// Reads lines of `NAME|COMMAND`; empty ones, and those that begin with `#`, are none.
    pub fn parse_all(text: &str) -> Result<Vec<Self>> {
        let mut lines: Vec<Self> = Vec::new();
        for line in text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
            let (name, command) = line.split_once('|').with_context(|| format!("`{line}` is not NAME|COMMAND"))?;
            let word = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
            ensure!(!name.is_empty() && name.bytes().all(word), "`{name}` can't be a name");
            ensure!(!command.trim().is_empty(), "{name} has no command");
            ensure!(lines.iter().all(|other| other.name != name), "two lines have the name {name}");
            lines.push(Self { name: name.to_owned(), command: command.to_owned() });
        }
        Ok(lines)
    }
}

/// Cuts a stream at the marks of these lines, in their order; for each what it wrote, or nothing where its mark did not come.
///
/// A line can write a mark of its own, but not move those of others: a mark counts only behind the one of the line before.
pub fn cut<'a>(stream: &'a [u8], lines: &[Line]) -> Vec<Option<&'a [u8]>> {
    let mut begins = Vec::new();
    let mut from = 0;
    for line in lines {
        let mark = [&[MARK], line.name.as_bytes(), b"\n"].concat();
        let place = stream[from..].windows(mark.len()).position(|window| window == mark).map(|place| from + place);
        from = place.map_or(from, |place| place + mark.len());
        begins.push(place.map(|place| (place, place + mark.len())));
    }
    let end = |number: usize| begins[number + 1..].iter().flatten().next().map_or(stream.len(), |(mark, _)| *mark);
    begins.iter().enumerate().map(|(number, begin)| begin.map(|(_, begin)| &stream[begin..end(number)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(names: &[&str]) -> Vec<Line> {
        names.iter().map(|name| Line { name: (*name).to_owned(), command: "true".to_owned() }).collect()
    }

    #[test]
    fn commands_may_have_pipes() {
        let text = "# pipes\na|yes | head -n 3\n\nb|true\n";
        let lines = Line::parse_all(text).unwrap();
        assert_eq!(lines[0], Line { name: "a".into(), command: "yes | head -n 3".into() });
        assert_eq!(lines.iter().map(Line::to_string).collect::<String>(), "a|yes | head -n 3\nb|true\n");
        for text in ["a", "|true", "a b|true", "a|", "a|true\na|false"] {
            assert!(Line::parse_all(text).is_err(), "{text}");
        }
    }

    #[test]
    fn streams_are_cut_at_marks() {
        let cut = |stream: &'static str, names: &[&str]| -> Vec<Option<&str>> {
            let pieces = cut(stream.as_bytes(), &lines(names)).into_iter();
            pieces.map(|piece| piece.map(|piece| std::str::from_utf8(piece).unwrap())).collect()
        };
        let stream = "\x1ea\none\ntwo\n\x1eb\n\x1ec\nno end";
        assert_eq!(cut(stream, &["a", "b", "c"]), [Some("one\ntwo\n"), Some(""), Some("no end")]);
        // One that is missing leaves the others as they are.
        assert_eq!(cut(stream, &["a", "x", "c"]), [Some("one\ntwo\n\x1eb\n"), None, Some("no end")]);
        assert_eq!(cut("", &["a"]), [None]);
        // A forged mark takes nothing from the line before it.
        assert_eq!(cut("\x1ea\n\x1ea\nx\x1eb\ny", &["a", "b"]), [Some("\x1ea\nx"), Some("y")]);
    }
}
