//! What is measured where: the program of a width, on a system, in an isolation mode.

use std::fmt;
use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lilliput_abi::boot::UNENFORCED;

use super::figures::{self, Figure};
use crate::boot::Show;
use crate::build::Config;
use crate::linux::{Architecture, Job, Kind, Node, Tree, Work, mebibyte, status};
use crate::machine::{Machine, serial};
use crate::options::Isolation;
use crate::prepare::Prepared;
use crate::setup::LinuxPrograms;

/// Name of the program.
const PROGRAM: &str = "linux-bench";
/// The bits of a mode that say that a file is a device of characters.
const CHARACTERS: u32 = 0o020_000;
/// Devices that a kernel of Linux's does not make: name, and the numbers of each.
const DEVICES: [(&str, u32, u32); 3] = [("console", 5, 1), ("null", 1, 3), ("zero", 1, 5)];

/// How much is measured.
pub enum Scope {
    /// System calls.
    Calls,
    /// And whole programs, of these.
    All(LinuxPrograms),
}

impl Scope {
    /// As the program is told.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Calls => "calls",
            Self::All(_) => "all",
        }
    }

    /// The file system: the program of each width, and what it takes.
    pub fn tree(&self, prepared: &Prepared) -> Result<Tree> {
        let mut tree = Tree::default();
        for architecture in Architecture::ALL {
            let program = prepared.build.program(&format!("{}/{PROGRAM}", architecture.word()))?;
            tree.put(&path(architecture), Node::program(program))?;
            if let Self::All(programs) = self {
                let busybox = programs.read(architecture.word(), "busybox")?;
                tree.put(&format!("{}/busybox", architecture.folder()), Node::program(busybox))?;
            }
        }
        if let Self::All(_) = self {
            tree.put("data/mebibyte", Node::file(mebibyte()))?;
        }
        for (name, major, minor) in DEVICES {
            tree.put(&format!("dev/{name}"), Node::new(Kind::Special(CHARACTERS, major, minor), 0o666))?;
        }
        Ok(tree)
    }
}

/// Where the program of a width is.
pub fn path(architecture: Architecture) -> String {
    format!("/{}/{PROGRAM}", architecture.folder())
}

/// A program on a system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Side {
    /// Its width.
    pub architecture: Architecture,
    /// Whether it runs on Debian's kernel.
    pub is_linux: bool,
    /// How it is confined, if it is a small task.
    pub isolation: Option<Isolation>,
    /// Where it is, if it is a small task when it begins.
    pub place: Place,
}

/// Where a 32-bit program is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In its server's arena.
    Usual,
    /// In another one, since so many others run beside it.
    Further,
    /// In no slot: it has taken so much address space that it is a large task.
    Alone,
}

impl Place {
    /// What the program is told to do first.
    fn words(self) -> &'static [&'static str] {
        match self {
            Self::Usual => &[],
            Self::Further => &["crowded"],
            Self::Alone => &["grown"],
        }
    }

    /// What goes behind its mode, and what says it in words.
    const fn names(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Usual => None,
            Self::Further => Some(("further", "in a further arena")),
            Self::Alone => Some(("large", "as a large task")),
        }
    }
}

/// All of this system.
pub const LILLIPUT: [Side; 6] =
    [Side::SEGMENT, Side::PAGE, Side::small(Isolation::PageUntagged), Side::FURTHER, Side::LARGE, Side::WIDE];

impl Side {
    /// 32-bit programs in `segment` mode.
    pub const SEGMENT: Self = Self::small(Isolation::Segment);
    /// In `page` mode.
    pub const PAGE: Self = Self::small(Isolation::Page);
    /// In `page` mode, in another arena than the server's own.
    pub const FURTHER: Self = Self { place: Place::Further, ..Self::PAGE };
    /// As large tasks.
    pub const LARGE: Self = Self { place: Place::Alone, ..Self::PAGE };
    /// 64-bit programs.
    pub const WIDE: Self =
        Self { architecture: Architecture::Amd64, is_linux: false, isolation: None, place: Place::Usual };
}

/// A side with what was measured there.
pub struct SideFigures {
    /// The side.
    pub side: Side,
    /// The figures.
    pub figures: Vec<Figure>,
}

impl fmt::Display for Side {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Lilliput, {}", self.architecture.word())?;
        if let Some(isolation) = self.isolation {
            write!(formatter, " in `{}` mode", isolation.word())?;
        }
        if let Some((_, name)) = self.place.names() {
            write!(formatter, ", {name}")?;
        }
        self.mark().map_or(Ok(()), |mark| write!(formatter, ", {mark}"))
    }
}

impl Side {
    const fn small(isolation: Isolation) -> Self {
        Self { architecture: Architecture::I386, is_linux: false, isolation: Some(isolation), place: Place::Usual }
    }

    /// Of Debian's kernel.
    pub const fn linux(architecture: Architecture) -> Self {
        Self { architecture, is_linux: true, isolation: None, place: Place::Usual }
    }

    /// A word for programs that are not confined: QEMU enforces no limits of segments.
    pub fn mark(&self) -> Option<&'static str> {
        (self.isolation == Some(Isolation::Segment)).then_some(UNENFORCED)
    }

    /// The isolation mode, or `-`; with a word for one that is not where programs usually are.
    pub fn mode(&self) -> String {
        let mode = self.isolation.map_or("-", Isolation::word);
        self.place.names().map_or_else(|| mode.to_owned(), |(name, _)| format!("{mode}-{name}"))
    }

    /// The name of its boot.
    pub fn boot_name(&self) -> String {
        match self.isolation {
            Some(_) => format!("bench-linux-{}-{}", self.architecture.word(), self.mode()),
            None => format!("bench-linux-{}", self.architecture.word()),
        }
    }

    /// Boots, and lets the program measure. Not for Debian's kernel.
    pub fn measure(&self, prepared: &Prepared, boot: &str, scope: &Scope, limit: Duration) -> Result<Vec<Figure>> {
        let first = self.place.words().iter().map(|&word| word.to_owned());
        let program = [path(self.architecture)].into_iter().chain(first).chain([scope.word().to_owned()]).collect();
        let job = Job::new(scope.tree(prepared)?, Work::Program(program));
        let isolation = self.isolation.unwrap_or_default();
        let config = Config { isolation, allow_unenforced: self.mark().is_some(), ..job.config()? };
        let machine = Machine::of_tests().counting_instructions();
        let report = prepared.boot(boot, &machine, &config, limit, Show::Nothing)?;
        let (status, complaint) = status(&report);
        let complaint = complaint.unwrap_or_else(|| format!("it exited with status {status}"));
        ensure!(status == 0, "{self}: {complaint}");
        let file = prepared.folder(boot).join(serial::OUTPUT);
        let output = fs::read(&file).with_context(|| format!("can't read {}", file.display()))?;
        let mut programs = figures::read(&String::from_utf8_lossy(&output))?;
        match programs.pop() {
            Some((architecture, figures)) if architecture == self.architecture => Ok(figures),
            _ => anyhow::bail!("{self}: it measured nothing"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_confined_says_so() {
        let marked: Vec<_> = LILLIPUT.iter().filter(|side| side.mark().is_some()).map(Side::to_string).collect();
        assert_eq!(marked, ["Lilliput, i386 in `segment` mode, UNENFORCED"]);
        for (place, side) in LILLIPUT.iter().enumerate() {
            assert!(LILLIPUT[..place].iter().all(|other| other.boot_name() != side.boot_name()));
        }
    }
}
