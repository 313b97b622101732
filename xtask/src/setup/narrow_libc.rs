//! What gcc wants of a C library for 32-bit programs that run on Linux: Debian's, unpacked, not installed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use super::apt::{self, Apt};
use crate::progress::Step;
use crate::workspace::Workspace;

/// The release whose library is taken, with the compiler's own part of that release.
const SUITE: &str = "bookworm";
const PACKAGES: [&str; 2] = ["libc6-dev-i386", "lib32gcc-12-dev"];
const LIMIT: Duration = Duration::from_secs(600);
/// Where the two have what is linked.
const FOLDERS: [&str; 2] = ["usr/lib32", "usr/lib/gcc/x86_64-linux-gnu/12/32"];
/// Headers that only they have, and those that both widths have in common, of the system.
const HEADERS: &str = "usr/include/x86_64-linux-gnu";

/// The library.
pub struct NarrowLibc(PathBuf);

impl NarrowLibc {
    /// Downloads it, unless it is there.
    pub fn require(workspace: &Workspace) -> Result<Self> {
        let folder = workspace.output().join("linux-libc");
        if !folder.exists() {
            let step = Step::start("downloading a C library for 32-bit programs");
            let apt = Apt::new(&workspace.output().join("apt-linux"), SUITE)?;
            apt.update(LIMIT).context("the lists of Debian's packages can't be had")?;
            let download = apt.download(&PACKAGES, LIMIT, |_| ())?;
            // Under another name first: what was interrupted must not look like all of it.
            let part = folder.with_extension("part");
            apt::unpack(&download, &part)?;
            fs::rename(&part, &folder).with_context(|| format!("can't write {}", folder.display()))?;
            step.finish("done");
        }
        Ok(Self(folder))
    }

    /// Lets a gcc command make 32-bit programs with it.
    pub fn tell(&self, gcc: &mut Command) {
        gcc.arg("-m32");
        for folder in FOLDERS.map(|folder| self.0.join(folder)) {
            gcc.arg(format!("-B{}/", folder.display())).arg("-L").arg(folder);
        }
        for headers in [self.0.join(HEADERS), Path::new("/").join(HEADERS)] {
            gcc.arg("-idirafter").arg(headers);
        }
    }
}
