//! Other people's programs: from a file to what came of it. `cargo xtask run --program` and the tests have this in common.

mod verdict;

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result};
use lilliput_loader::visitor::{self, MOST_FILE, Refusal, Visitor};

pub use self::verdict::{Status, Verdict};
use crate::build::{Config, Scenario};

/// The longest name that a program is called by.
const NAME_BYTES: usize = 64;

/// A program that nobody vouches for.
#[derive(Clone, Debug)]
pub struct Program {
    /// What it is called in the boot archive and in reports.
    pub name: String,
    contents: Vec<u8>,
}

impl Program {
    /// One of these contents.
    pub fn new(name: &str, contents: Vec<u8>) -> Self {
        let allowed = |character: char| character.is_ascii_alphanumeric() || "-_.".contains(character);
        let mut name: String = name.chars().map(|character| if allowed(character) { character } else { '_' }).collect();
        name.truncate(NAME_BYTES);
        Self { name, contents }
    }

    /// Reads a file, as far as it can be a program.
    pub fn read(file: &Path) -> Result<Self> {
        let mut contents = Vec::new();
        // It may be a device that never ends.
        let read = File::open(file).and_then(|open| open.take(MOST_FILE as u64 + 1).read_to_end(&mut contents));
        read.with_context(|| format!("can't read {}", file.display()))?;
        let name = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy();
        Ok(Self::new(&name, contents))
    }

    /// What the guest will say of it as well.
    pub fn judge(&self) -> Result<Visitor, Refusal> {
        Visitor::new(&self.contents)
    }
}

/// A configuration for a boot that runs these, one after the other, each for so many seconds of the guest's clock at most.
pub fn config(programs: &[Program], seconds: u64) -> Config {
    let names: Vec<_> = programs.iter().map(|program| program.name.as_str()).collect();
    Config {
        extra: vec![("visitors".to_owned(), names.join(",")), ("visit_seconds".to_owned(), seconds.to_string())],
        files: programs
            .iter()
            .map(|program| (format!("{}{}", visitor::FOLDER, program.name), program.contents.clone()))
            .collect(),
        ..Config::new([Scenario::Program])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_words_of_the_configuration() {
        assert_eq!(Program::new("hello-2.elf", Vec::new()).name, "hello-2.elf");
        assert_eq!(Program::new("a b,c#é\n", Vec::new()).name, "a_b_c___");
        assert_eq!(Program::new(&"x".repeat(300), Vec::new()).name.len(), NAME_BYTES);
        let config = config(&[Program::new("a", vec![1]), Program::new("b", vec![2])], 7).to_string();
        assert!(config.contains("scenario = program\n") && config.contains("visitors = a,b\nvisit_seconds = 7\n"));
    }

    #[test]
    fn files_are_read_as_far_as_they_may_be_large() {
        let endless = Program::read(Path::new("/dev/zero")).unwrap();
        assert!(matches!(endless.judge(), Err(Refusal::FileTooLarge(_))));
        let error = Program::read(Path::new("/nonexistent/program")).unwrap_err();
        assert!(format!("{error:#}").starts_with("can't read /nonexistent/program: No such file"), "{error:#}");
        assert!(Program::read(Path::new("/")).is_err());
        let this = Program::read(Path::new(env!("CARGO_MANIFEST_PATH"))).unwrap();
        assert_eq!(this.judge().unwrap_err().to_string(), "not an ELF file");
    }
}
