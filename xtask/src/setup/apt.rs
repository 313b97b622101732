//! Packages of Debian's archive, downloaded and unpacked, never installed.
//!
//! apt runs with folders of its own below the target directory: nothing of the system's package lists or
//! settings changes, and the system's keys check the download.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::apt_sources::{Source, system_archive};
use crate::process;

/// How long one package may take to unpack.
const UNPACKING: Duration = Duration::from_secs(600);

/// apt with settings of its own.
pub struct Apt {
    folder: PathBuf,
    foreign: &'static [&'static str],
}

impl Apt {
    /// For one suite of the archive that this machine gets its packages from, with all of apt's files in this folder.
    pub fn new(folder: &Path, suite: &str) -> Result<Self> {
        let source =
            system_archive(Path::new("/etc")).context("no Debian archive is among this machine's apt sources")?;
        Self::prepare(folder, &source, suite)
    }

    /// With packages of these architectures as well, and of amd64, whatever this system runs.
    pub fn with(self, foreign: &'static [&'static str]) -> Self {
        Self { foreign, ..self }
    }

    fn prepare(folder: &Path, source: &Source, suite: &str) -> Result<Self> {
        for part in ["lists/partial", "cache/archives/partial"] {
            let part = folder.join(part);
            fs::create_dir_all(&part).with_context(|| format!("can't make {}", part.display()))?;
        }
        let keys = source.keys.as_ref().map(|keys| format!("[signed-by={keys}] ")).unwrap_or_default();
        let line = format!("deb {keys}{} {suite} main\n", source.uri);
        fs::write(folder.join("sources.list"), line).context("can't write apt's list of sources")?;
        Ok(Self { folder: folder.to_path_buf(), foreign: &[] })
    }

    /// One of apt's programs, with these settings.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(process::find_program(program).unwrap_or_else(|| program.into()));
        let folders = [
            ("Dir::Etc::SourceList", "sources.list"),
            ("Dir::State", ""),
            ("Dir::State::Lists", "lists"),
            ("Dir::Cache", "cache"),
        ];
        for (key, value) in folders {
            command.arg("-o").arg(format!("{key}={}", self.folder.join(value).display()));
        }
        let settings = [
            "Dir::Etc::SourceParts=/dev/null",
            "Dir::State::status=/dev/null",
            "Acquire::Languages=none",
            "Acquire::Retries=2",
            "Acquire::http::Timeout=20",
            // A failed update is a warning otherwise, and the cause is lost.
            "APT::Update::Error-Mode=any",
            // apt's own user can't write to a folder of ours.
            "APT::Sandbox::User=root",
        ];
        for setting in settings {
            command.args(["-o", setting]);
        }
        if !self.foreign.is_empty() {
            command.arg("-o").arg(format!("APT::Architectures=amd64,{}", self.foreign.join(",")));
        }
        command
    }

    /// Reads the package lists.
    pub fn update(&self, limit: Duration) -> Result<()> {
        process::output_within(self.command("apt-get").arg("update"), limit, |_| ()).map(drop)
    }

    /// Downloads packages, named as apt-get takes them, and gives the folder that holds them and nothing else. While it lasts `tick`
    /// gets how many bytes are there.
    pub fn download(&self, packages: &[&str], limit: Duration, tick: impl Fn(u64)) -> Result<PathBuf> {
        let folder = self.folder.join("download");
        recreate(&folder)?;
        let mut command = self.command("apt-get");
        command.arg("download").args(packages).current_dir(&folder);
        process::output_within(&mut command, limit, |_| tick(size_of_files(&folder)))?;
        Ok(folder)
    }
}

/// Unpacks all packages in a folder.
pub fn unpack(download: &Path, into: &Path) -> Result<()> {
    let files = fs::read_dir(download).with_context(|| format!("can't read {}", download.display()))?;
    let files = files.flatten().map(|entry| entry.path());
    let packages: Vec<_> = files.filter(|file| file.extension().is_some_and(|extension| extension == "deb")).collect();
    ensure!(!packages.is_empty(), "apt-get downloaded nothing");
    for package in packages {
        process::output_within(Command::new("dpkg").arg("-x").arg(&package).arg(into), UNPACKING, |_| ())?;
    }
    Ok(())
}

fn recreate(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("can't remove {}", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("can't make {}", folder.display()))
}

fn size_of_files(folder: &Path) -> u64 {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    files.filter_map(|file| file.metadata().ok()).filter(fs::Metadata::is_file).map(|data| data.len()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_one_source() {
        let folder = tempfile::tempdir().unwrap();
        let source = Source { uri: "http://m/debian".into(), keys: Some("/k.gpg".into()) };
        Apt::prepare(folder.path(), &source, "bookworm").unwrap();
        let text = fs::read_to_string(folder.path().join("sources.list")).unwrap();
        assert_eq!(text, "deb [signed-by=/k.gpg] http://m/debian bookworm main\n");
    }

    #[test]
    fn nothing_downloaded_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        assert!(unpack(folder.path(), &folder.path().join("unpacked")).is_err());
    }
}
