//! Debian's static programs, of both widths, that `cargo xtask linux` has in its tree: as they are in the archive, not built here.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::apt::{self, Apt};
use crate::progress::Step;
use crate::workspace::Workspace;

/// The release whose programs the golden files were made with.
const SUITE: &str = "bookworm";
/// How long the lists and the packages, of some 5 MB, may take.
const LIMIT: Duration = Duration::from_secs(600);

/// A program, and the package that has it as a file of this name in `bin`.
const PROGRAMS: [(&str, &str); 2] = [("busybox", "busybox-static"), ("bash-static", "bash-static")];

/// Where the programs are: `ARCHITECTURE/NAME` in this folder.
pub struct LinuxPrograms(PathBuf);

impl LinuxPrograms {
    /// Downloads what is missing. A folder that has all is left as it is, until `cargo xtask clean`.
    pub fn require(workspace: &Workspace) -> Result<Self> {
        let folder = workspace.output().join("linux-programs");
        let missing = ["i386", "amd64"].into_iter().filter(|architecture| !complete(&folder.join(architecture)));
        let missing: Vec<_> = missing.collect();
        if !missing.is_empty() {
            let step = Step::start("downloading Debian's static programs");
            let apt = Apt::new(&workspace.output().join("apt-linux"), SUITE)?.with(&["i386"]);
            step.note("reading the package lists");
            apt.update(LIMIT).context("the lists of Debian's packages can't be had")?;
            for architecture in missing {
                step.note(architecture);
                fetch(&apt, architecture, &folder.join(architecture))
                    .with_context(|| format!("Debian's static programs of {architecture} can't be had"))?;
            }
            step.finish("done");
        }
        Ok(Self(folder))
    }

    /// Where they are.
    pub fn folder(&self) -> &Path {
        &self.0
    }

    /// The contents of a program.
    pub fn read(&self, architecture: &str, name: &str) -> Result<Vec<u8>> {
        let file = self.0.join(architecture).join(name);
        fs::read(&file).with_context(|| format!("can't read {}", file.display()))
    }

    /// Its file, of the architecture that this machine can run.
    pub fn native(&self, name: &str) -> PathBuf {
        self.0.join("amd64").join(name)
    }
}

fn complete(folder: &Path) -> bool {
    PROGRAMS.iter().all(|(name, _)| folder.join(name).is_file())
}

fn fetch(apt: &Apt, architecture: &str, folder: &Path) -> Result<()> {
    let packages = PROGRAMS.map(|(_, package)| format!("{package}:{architecture}"));
    let packages: Vec<_> = packages.iter().map(String::as_str).collect();
    let download = apt.download(&packages, LIMIT, |_| ())?;
    let unpacked = download.join("unpacked");
    apt::unpack(&download, &unpacked)?;
    fs::create_dir_all(folder).with_context(|| format!("can't make {}", folder.display()))?;
    for (name, package) in PROGRAMS {
        let program = unpacked.join("bin").join(name);
        ensure!(program.is_file(), "the package {package} has no /bin/{name}");
        // Under another name first: a copy that was interrupted must not look like a program.
        let (part, own) = (folder.join(format!("{name}.part")), folder.join(name));
        fs::copy(&program, &part).with_context(|| format!("can't write {}", part.display()))?;
        fs::set_permissions(&part, fs::Permissions::from_mode(0o755))?;
        fs::rename(&part, &own).with_context(|| format!("can't write {}", own.display()))?;
    }
    Ok(())
}
