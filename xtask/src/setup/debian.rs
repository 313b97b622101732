//! The standard library's sources as Debian packages them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::apt::{self, Apt};
use crate::process;
use crate::progress::Step;

/// The suite that carries new compilers for the stable release, several versions at a time.
const SUITE: &str = "trixie-backports";
const PACKAGE: &str = "rust-src";
/// How long the lists and the package, of some 45 MB, may take.
const LIMIT: Duration = Duration::from_secs(600);

/// Downloads and unpacks the sources of a release; gives the folder `library`.
pub fn fetch_rust_src(folder: &Path, release: &str, step: &Step) -> Result<PathBuf> {
    let apt = Apt::new(folder, SUITE)?;
    step.note("reading the package list");
    apt.update(LIMIT)?;
    let versions = process::output(apt.command("apt-cache").args(["madison", PACKAGE]))?;
    let version = choose(&versions, release)
        .with_context(|| format!("{SUITE} has no {PACKAGE} of version {release} any more"))?;
    let package = format!("{PACKAGE}={version}");
    let about = process::output(apt.command("apt-cache").args(["show", &package]))?;
    let size = about.lines().find_map(|line| line.strip_prefix("Size: ")?.parse().ok()).unwrap_or(0);
    let download = apt.download(&[&package], LIMIT, |bytes| step.position(bytes >> 20, size >> 20, "MB downloaded"))?;
    unpack(&download, step)
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
    let unpacked = download.join("unpacked");
    apt::unpack(download, &unpacked)?;
    // The toolchain's usual place, a link to the versioned folder.
    let library = unpacked.join("usr/lib/rustlib/src/rust/library");
    ensure!(library.is_dir(), "the package {PACKAGE} has no library where it is expected");
    Ok(library)
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
}
