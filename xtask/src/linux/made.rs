//! Programs in C that the lines run beside Debian's: made here for both widths, with glibc, as anybody would make a static program.
//!
//! A first line `// gcc OPTIONS` gives options more.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::architecture::Architecture;
use crate::process;
use crate::setup::NarrowLibc;
use crate::workspace::Workspace;

/// Where the sources are.
const SOURCES: &str = "tests/linux/programs";

/// What the first line of a source begins with that has options.
const OPTIONS: &str = "// gcc ";

/// A program of both widths.
pub struct Made {
    /// Its name.
    pub name: String,
    contents: [Vec<u8>; 2],
}

impl Made {
    /// Compiles all of them.
    pub fn all(workspace: &Workspace) -> Result<Vec<Self>> {
        let folder = workspace.root.join(SOURCES);
        let libc = NarrowLibc::require(workspace).context("a C library for 32-bit programs can't be had")?;
        let entries = fs::read_dir(&folder).with_context(|| format!("can't read {}", folder.display()))?;
        let mut sources: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
        sources.sort();
        sources.iter().map(|source| Self::new(source, &libc)).collect()
    }

    fn new(source: &Path, libc: &NarrowLibc) -> Result<Self> {
        let name = source.file_stem().and_then(|name| name.to_str()).context("a source has no name")?.to_owned();
        let make = |architecture| compile(source, architecture, libc);
        let contents = [make(Architecture::I386)?, make(Architecture::Amd64)?];
        Ok(Self { name, contents })
    }

    /// The program of a width.
    pub fn contents(&self, architecture: Architecture) -> &[u8] {
        &self.contents[architecture as usize]
    }
}

fn compile(source: &Path, architecture: Architecture, libc: &NarrowLibc) -> Result<Vec<u8>> {
    let program = tempfile::NamedTempFile::new()?.into_temp_path();
    let mut gcc = Command::new(process::find_program("gcc").context("there is no gcc")?);
    gcc.args(["-O2", "-Wall", "-Wextra", "-Werror", "-static", "-pthread", "-s"]);
    match architecture {
        Architecture::I386 => libc.tell(&mut gcc),
        Architecture::Amd64 => drop(gcc.arg("-m64")),
    }
    let text = fs::read_to_string(source).with_context(|| format!("can't read {}", source.display()))?;
    let options = text.lines().next().and_then(|line| line.strip_prefix(OPTIONS)).unwrap_or_default();
    gcc.args(options.split_whitespace()).arg("-o").arg(&program).arg(source);
    process::output(&mut gcc)?;
    fs::read(&program).with_context(|| format!("can't read what gcc made of {}", source.display()))
}
