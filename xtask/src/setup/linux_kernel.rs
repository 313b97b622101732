//! Debian's own kernel, beside which `cargo xtask bench linux` measures: as it is in the archive, downloaded when it is first asked for.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};

use super::apt::Apt;
use crate::process::{self, KilledOnDrop};
use crate::progress::Step;
use crate::workspace::Workspace;

/// The release whose kernel it is.
const SUITE: &str = "bookworm";
/// The package that depends on the one that has the kernel.
const LATEST: &str = "linux-image-amd64";
/// What the name of the kernel's file begins with, before its version.
const NAME: &str = "vmlinuz-";
/// How long the lists and the package, of some 70 MB, may take.
const LIMIT: Duration = Duration::from_secs(900);

/// Drivers of a disk of virtio's, which are no part of the kernel's file, in the order in which they can be loaded.
const MODULES: [&str; 6] = [
    "virtio.ko",
    "virtio_ring.ko",
    "virtio_pci_legacy_dev.ko",
    "virtio_pci_modern_dev.ko",
    "virtio_pci.ko",
    "virtio_blk.ko",
];

/// Where the kernel is.
pub struct LinuxKernel {
    /// The file.
    pub image: PathBuf,
}

impl LinuxKernel {
    /// Downloads it where it is missing. One that is there stays, until `cargo xtask clean`.
    pub fn require(workspace: &Workspace) -> Result<Self> {
        let folder = workspace.output().join("linux-kernel");
        if let Some(image) = find(&folder) {
            return Ok(Self { image });
        }
        let step = Step::start("downloading Debian's kernel");
        let image = fetch(workspace, &folder, &step).context("Debian's kernel can't be had")?;
        step.finish("done");
        Ok(Self { image })
    }

    /// The drivers of a disk, in the order in which they can be loaded.
    pub fn disk_drivers(&self) -> Result<Vec<Vec<u8>>> {
        let folder = self.image.parent().context("the kernel is in no folder")?;
        let read = |name| fs::read(folder.join(name)).with_context(|| format!("Debian's kernel without {name}"));
        MODULES.into_iter().map(read).collect()
    }

    /// Its version, as its file has it.
    pub fn version(&self) -> &str {
        let name = self.image.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.strip_prefix(NAME).unwrap_or(name)
    }
}

fn find(folder: &Path) -> Option<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder).ok()?.flatten().map(|file| file.path()).collect();
    if !MODULES.iter().all(|name| folder.join(name).exists()) {
        return None;
    }
    files.retain(|file| file.file_name().is_some_and(is_kernel));
    files.sort();
    files.pop()
}

fn is_kernel(name: &std::ffi::OsStr) -> bool {
    name.to_str().is_some_and(|name| name.starts_with(NAME) && !name.ends_with(PART))
}

/// The end of the name of a copy that is not whole.
const PART: &str = ".part";

fn fetch(workspace: &Workspace, folder: &Path, step: &Step) -> Result<PathBuf> {
    let apt = Apt::new(&workspace.output().join("apt-linux-kernel"), SUITE)?;
    step.note("reading the package list");
    apt.update(LIMIT)?;
    let depends = process::output(apt.command("apt-cache").args(["depends", LATEST]))?;
    let package = depended_on(&depends).with_context(|| format!("{LATEST} depends on no kernel"))?;
    let about = process::output(apt.command("apt-cache").args(["show", package]))?;
    let size: u64 = about.lines().find_map(|line| line.strip_prefix("Size: ")?.parse().ok()).unwrap_or(0);
    let download = apt.download(&[package], LIMIT, |bytes| step.position(bytes >> 20, size >> 20, "MB downloaded"))?;
    step.note("unpacking");
    fs::create_dir_all(folder).with_context(|| format!("can't make {}", folder.display()))?;
    let packages = fs::read_dir(&download).with_context(|| format!("can't read {}", download.display()))?;
    let file = packages.flatten().next().context("apt-get downloaded nothing")?.path();
    let image = extract(&file, folder)?;
    // It has all drivers that there are, and they are not needed.
    fs::remove_dir_all(&download).with_context(|| format!("can't remove {}", download.display()))?;
    Ok(image)
}

/// Reads the kernel's package out of what apt says that a package depends on.
fn depended_on(text: &str) -> Option<&str> {
    let names = text.lines().filter_map(|line| line.trim().strip_prefix("Depends: "));
    names.into_iter().find(|name| name.starts_with("linux-image-"))
}

/// Takes the kernel and the drivers of a disk, and nothing else, out of its package.
fn extract(package: &Path, folder: &Path) -> Result<PathBuf> {
    let mut command = Command::new(process::find_program("dpkg-deb").unwrap_or_else(|| "dpkg-deb".into()));
    command.arg("--fsys-tarfile").arg(package).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut unpacker = KilledOnDrop::spawn(&mut command).context("can't start dpkg-deb")?;
    let mut archive = tar::Archive::new(unpacker.take_stdout().context("dpkg-deb has no standard output")?);
    let mut kernel = None;
    for entry in archive.entries().context("the kernel's package can't be read")? {
        let mut entry = entry.context("the kernel's package can't be read")?;
        let path = entry.path()?.into_owned();
        let Some(name) = path.file_name() else { continue };
        let own = folder.join(name);
        // The kernel under another name first: it is there when all else is.
        let to = if is_kernel(name) { part(&own) } else { own.clone() };
        if is_kernel(name) {
            kernel = Some(own);
        } else if !MODULES.iter().any(|module| name == *module) {
            continue;
        }
        let mut file = File::create(&to).with_context(|| format!("can't write {}", to.display()))?;
        io::copy(&mut entry, &mut file).with_context(|| format!("can't write {}", to.display()))?;
    }
    let kernel = kernel.with_context(|| format!("{} has no kernel", package.display()))?;
    fs::rename(part(&kernel), &kernel).with_context(|| format!("can't write {}", kernel.display()))?;
    find(folder).with_context(|| format!("{} has no drivers of a disk", package.display()))
}

/// The name of a copy that may not be whole.
fn part(own: &Path) -> PathBuf {
    let mut part = own.as_os_str().to_owned();
    part.push(PART);
    part.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_package_is_what_the_usual_one_depends_on() {
        let text = "linux-image-amd64\n  Depends: linux-base\n  Depends: linux-image-6.1.0-47-amd64\n";
        assert_eq!(depended_on(text), Some("linux-image-6.1.0-47-amd64"));
        assert_eq!(depended_on("linux-image-amd64\n  Suggests: linux-image-6.1.0-47-amd64\n"), None);
    }

    #[test]
    fn what_is_not_whole_is_no_kernel() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["vmlinuz-6.1.0-47-amd64.part", "config-6.1.0-47-amd64"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        assert_eq!(find(folder.path()), None);
        fs::write(folder.path().join("vmlinuz-6.1.0-47-amd64"), "").unwrap();
        assert_eq!(find(folder.path()), None, "without drivers");
        MODULES.iter().for_each(|name| fs::write(folder.path().join(name), "").unwrap());
        let kernel = LinuxKernel { image: find(folder.path()).unwrap() };
        assert_eq!(kernel.version(), "6.1.0-47-amd64");
        assert_eq!(find(&folder.path().join("absent")), None);
    }
}
