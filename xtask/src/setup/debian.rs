//! The standard library's sources as Debian packages them.
//!
//! apt runs with folders of its own below the target directory: nothing of the system's package lists or
//! settings changes, nothing is installed, and the system's keys check the download.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::apt_sources::{Source, system_archive};
use crate::process;
use crate::progress::Step;

/// The suite that carries new compilers for the stable release, several versions at a time.
const SUITE: &str = "trixie-backports";
const PACKAGE: &str = "rust-src";
/// How long the lists and the package, of some 45 MB, may take.
const LIMIT: Duration = Duration::from_secs(600);

/// Downloads and unpacks the sources of a release; gives the folder `library`.
pub fn fetch_rust_src(folder: &Path, release: &str, step: &Step) -> Result<PathBuf> {
    let source = system_archive(Path::new("/etc")).context("no Debian archive is among this machine's apt sources")?;
    let apt = Apt::prepare(folder, &source)?;
    step.note("reading the package list");
    process::output_within(apt.command("apt-get").arg("update"), LIMIT, |_| ())?;
    let versions = process::output(apt.command("apt-cache").args(["madison", PACKAGE]))?;
    let version = choose(&versions, release)
        .with_context(|| format!("{SUITE} has no {PACKAGE} of version {release} any more"))?;
    let package = format!("{PACKAGE}={version}");
    let about = process::output(apt.command("apt-cache").args(["show", &package]))?;
    let size = about.lines().find_map(|line| line.strip_prefix("Size: ")?.parse().ok()).unwrap_or(0);
    let download = apt.folder.join("download");
    recreate(&download)?;
    let show = |_: &str| step.position(size_of_files(&download) >> 20, size >> 20, "MB downloaded");
    let mut command = apt.command("apt-get");
    process::output_within(command.args(["download", &package]).current_dir(&download), LIMIT, show)?;
    unpack(&download, step)
}

/// apt with settings of its own.
struct Apt {
    folder: PathBuf,
}

impl Apt {
    fn prepare(folder: &Path, source: &Source) -> Result<Self> {
        for part in ["lists/partial", "cache/archives/partial"] {
            let part = folder.join(part);
            fs::create_dir_all(&part).with_context(|| format!("can't make {}", part.display()))?;
        }
        let keys = source.keys.as_ref().map(|keys| format!("[signed-by={keys}] ")).unwrap_or_default();
        let line = format!("deb {keys}{} {SUITE} main\n", source.uri);
        fs::write(folder.join("sources.list"), line).context("can't write apt's list of sources")?;
        Ok(Self { folder: folder.to_path_buf() })
    }

    fn command(&self, program: &str) -> Command {
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
        command
    }
}

/// Picks the version of a release out of apt's table of `package | version | source`.
fn choose<'a>(table: &'a str, release: &str) -> Option<&'a str> {
    let versions = table.lines().filter_map(|line| line.split('|').nth(1).map(str::trim));
    versions.into_iter().find(|version| {
        version.strip_prefix(release).is_some_and(|rest| rest.starts_with(|next: char| !next.is_ascii_digit()))
    })
}

fn unpack(download: &Path, step: &Step) -> Result<PathBuf> {
    step.note("unpacking");
    let mut packages = fs::read_dir(download)?.flatten().map(|entry| entry.path());
    let package = packages.find(|file| file.extension().is_some_and(|extension| extension == "deb"));
    let package = package.context("apt-get downloaded nothing")?;
    let unpacked = download.join("unpacked");
    process::output_within(Command::new("dpkg").arg("-x").arg(&package).arg(&unpacked), LIMIT, |_| ())?;
    // The toolchain's usual place, a link to the versioned folder.
    let library = unpacked.join("usr/lib/rustlib/src/rust/library");
    ensure!(library.is_dir(), "the package {} has no library where it is expected", package.display());
    Ok(library)
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
    fn picks_the_exact_release() {
        let table = " rust-src | 1.96.1+dfsg1-2~bpo13+1 | http://m/debian trixie-backports/main amd64 Packages\n \
                     rust-src | 1.95.0+dfsg1-2~bpo13+1 | http://m/debian trixie-backports/main amd64 Packages\n";
        assert_eq!(choose(table, "1.95.0"), Some("1.95.0+dfsg1-2~bpo13+1"));
        assert_eq!(choose(table, "1.9"), None);
        assert_eq!(choose(table, "1.96.0"), None);
        assert_eq!(choose("", "1.95.0"), None);
    }

    #[test]
    fn writes_one_source() {
        let folder = tempfile::tempdir().unwrap();
        let source = Source { uri: "http://m/debian".into(), keys: Some("/k.gpg".into()) };
        Apt::prepare(folder.path(), &source).unwrap();
        let text = fs::read_to_string(folder.path().join("sources.list")).unwrap();
        assert_eq!(text, "deb [signed-by=/k.gpg] http://m/debian trixie-backports main\n");
    }
}
