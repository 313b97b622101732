//! The shell's commands.

use core::fmt;

use crate::demo;
use crate::message::Word;

/// What a line asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// An empty line.
    Nothing,
    /// What can be done.
    Help,
    /// All tasks.
    Tasks,
    /// Page frames.
    Memory,
    /// Facts.
    Machine,
    /// What stands in a sector of the disk.
    Sector(u64),
    /// A demonstration, by its number.
    Run {
        /// Which.
        demo: Word,
        /// In a 64-bit task.
        wide: bool,
    },
    /// The end.
    Exit,
}

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Complaint<'a> {
    /// There is no such command.
    Unknown(&'a str),
    /// There is no such demonstration.
    NoDemo(&'a str),
    /// It says no number of a sector.
    NoNumber,
    /// It says no name.
    NoName,
    /// A word that means nothing there.
    TooMuch(&'a str),
}

impl fmt::Display for Complaint<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Unknown(word) => write!(formatter, "there is no command {word}; try help"),
            Self::NoDemo(name) => write!(formatter, "there is no demonstration {name}; help names them"),
            Self::NoNumber => formatter.write_str("which sector? say its number"),
            Self::NoName => formatter.write_str("run what? help names the demonstrations"),
            Self::TooMuch(word) => write!(formatter, "{word} means nothing here"),
        }
    }
}

/// Reads a line.
///
/// # Errors
/// What is wrong with it.
pub fn parse(line: &str) -> Result<Command, Complaint<'_>> {
    let mut words = line.split_whitespace();
    let Some(first) = words.next() else { return Ok(Command::Nothing) };
    let command = match first {
        "help" | "?" => Command::Help,
        "tasks" | "ps" => Command::Tasks,
        "memory" | "free" => Command::Memory,
        "machine" => Command::Machine,
        "exit" | "quit" => Command::Exit,
        "sector" => {
            let number = words.next().and_then(|word| word.parse().ok());
            Command::Sector(number.ok_or(Complaint::NoNumber)?)
        }
        "run" => {
            let name = words.next().ok_or(Complaint::NoName)?;
            let demo = demo::find(name).ok_or(Complaint::NoDemo(name))?;
            let wide = words.clone().next() == Some("64");
            words.by_ref().take(usize::from(wide)).for_each(drop);
            Command::Run { demo, wide }
        }
        _ => return Err(Complaint::Unknown(first)),
    };
    words.next().map_or(Ok(command), |word| Err(Complaint::TooMuch(word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read() {
        assert_eq!(parse("  "), Ok(Command::Nothing));
        assert_eq!(parse("help"), Ok(Command::Help));
        assert_eq!(parse(" run  hello "), Ok(Command::Run { demo: 0, wide: false }));
        assert_eq!(parse("sector 12"), Ok(Command::Sector(12)));
        assert_eq!(parse("run spin 64"), Ok(Command::Run { demo: 2, wide: true }));
    }

    #[test]
    fn nonsense_is_named() {
        assert_eq!(parse("hepl"), Err(Complaint::Unknown("hepl")));
        assert_eq!(parse("sector"), Err(Complaint::NoNumber));
        assert_eq!(parse("sector x"), Err(Complaint::NoNumber));
        assert_eq!(parse("run"), Err(Complaint::NoName));
        assert_eq!(parse("run away"), Err(Complaint::NoDemo("away")));
        assert_eq!(parse("exit now"), Err(Complaint::TooMuch("now")));
        assert_eq!(parse("run hello 32"), Err(Complaint::TooMuch("32")));
        assert_eq!(parse("run hello 64 64"), Err(Complaint::TooMuch("64")));
    }
}
