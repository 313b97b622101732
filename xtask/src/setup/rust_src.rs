//! The standard library's sources, from which the library is built for the bare machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};

use super::{Toolchain, attempt, debian};
use crate::process;
use crate::progress::Step;
use crate::workspace::Workspace;

/// How long unpacking or copying may take.
const COPY_LIMIT: Duration = Duration::from_secs(300);

/// Sees to it that the sources are there and of the compiler's own version.
pub fn require(workspace: &Workspace, toolchain: &Toolchain) -> Result<()> {
    let library = toolchain.library();
    if library.join("core/src/lib.rs").is_file() {
        return check_once(workspace, toolchain);
    }
    let release = &toolchain.version;
    let by_rustup = attempt("rust-src by rustup", |step| {
        toolchain.add_component("rust-src", step)?;
        ensure!(library.is_dir(), "rustup added rust-src to another toolchain");
        Ok(())
    });
    if by_rustup {
        return check_once(workspace, toolchain);
    }
    check_writable(toolchain)?;
    let found =
        attempt("rust-src from the Debian archive", |step| {
            let unpacked = debian::fetch_rust_src(&workspace.output().join("apt"), release, step)?;
            install(&unpacked, toolchain)
        }) || attempt("rust-src from ../shared/toolchain", |step| install_from_shared(workspace, toolchain, step));
    if !found {
        bail!(
            "the standard library's sources are missing; connect to a network and run `rustup component add rust-src`, \
             or unpack those of Rust {release} to {}",
            library.display()
        );
    }
    check_once(workspace, toolchain)
}

/// Says early and clearly that the toolchain belongs to somebody else.
fn check_writable(toolchain: &Toolchain) -> Result<()> {
    let parent = parent(toolchain);
    let probe = fs::create_dir_all(&parent).and_then(|()| tempfile::tempfile_in(&parent));
    probe.map(drop).map_err(|error| {
        anyhow!(
            "the standard library's sources are missing, and {} can't be written ({error}); run `cargo xtask setup` \
             once as the toolchain's owner",
            parent.display()
        )
    })
}

fn parent(toolchain: &Toolchain) -> PathBuf {
    toolchain.sysroot.join("lib/rustlib/src/rust")
}

/// Copies an unpacked library into the toolchain. It appears there complete or not at all.
fn install(unpacked: &Path, toolchain: &Toolchain) -> Result<()> {
    check(unpacked, &toolchain.version)?;
    let parent = parent(toolchain);
    fs::create_dir_all(&parent).with_context(|| format!("can't make {}", parent.display()))?;
    let staging = tempfile::tempdir_in(&parent)?;
    let copy = staging.path().join("library");
    process::output_within(Command::new("cp").arg("-r").arg(unpacked).arg(&copy), COPY_LIMIT, |_| ())?;
    fs::rename(&copy, toolchain.library()).context("can't put the library in its place")
}

fn install_from_shared(workspace: &Workspace, toolchain: &Toolchain, step: &Step) -> Result<()> {
    let name = format!("rust-src-{}-library.tar.xz", toolchain.version);
    let archive = workspace.root.join("../shared/toolchain").join(name);
    ensure!(archive.is_file(), "there is no {}", archive.display());
    let folder = tempfile::tempdir()?;
    step.note("unpacking");
    let mut command = Command::new("tar");
    command.arg("--extract").arg("--file").arg(&archive).arg("--directory").arg(folder.path());
    process::output_within(&mut command, COPY_LIMIT, |_| ())?;
    install(&folder.path().join("library"), toolchain)
}

/// Checks the installed library, once for each place and version: reading it through takes a moment.
fn check_once(workspace: &Workspace, toolchain: &Toolchain) -> Result<()> {
    let library = toolchain.library();
    let modified = fs::metadata(&library)?.modified()?;
    let state = format!("{} {} {modified:?}\n", toolchain.version, library.display());
    let stamp = workspace.output().join("rust-src.checked");
    if fs::read_to_string(&stamp).is_ok_and(|seen| seen == state) {
        return Ok(());
    }
    check(&library, &toolchain.version)
        .map_err(|error| anyhow!("{error:#}; remove {} and run `cargo xtask setup` again", library.display()))?;
    fs::create_dir_all(workspace.output())?;
    Ok(fs::write(stamp, state)?)
}

/// Checks that a library is of this release of the compiler.
///
/// The sources carry no version number, but each stable item names the release that made it stable, and
/// each release has made some.
fn check(library: &Path, release: &str) -> Result<()> {
    let mut newest = None;
    visit(&library.join("core/src"), &mut |text| newest = newest.max(newest_stable(text)))?;
    let (major, minor) = newest.context("this is not the standard library's source")?;
    ensure!(
        release.starts_with(&format!("{major}.{minor}.")),
        "the standard library's sources are those of Rust {major}.{minor}, but the compiler is {release}"
    );
    Ok(())
}

fn visit(folder: &Path, action: &mut impl FnMut(&str)) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("can't read {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            visit(&path, action)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            action(&fs::read_to_string(&path).with_context(|| format!("can't read {}", path.display()))?);
        }
    }
    Ok(())
}

/// The newest release named by a `stable(...)` attribute.
fn newest_stable(text: &str) -> Option<(u32, u32)> {
    let after = text.split("stable(").skip(1);
    let attributes = after.filter_map(|rest| rest.split_once(')').map(|(attribute, _)| attribute));
    let versions = attributes.filter_map(|attribute| attribute.split_once("since = \"")?.1.split_once('"'));
    versions.filter_map(|(version, _)| release_of(version)).max()
}

fn release_of(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "#[stable(feature = \"a\", since = \"1.94.0\")]\n#[rustc_const_stable(feature = \"b\", since = \
                          \"1.95.0\")]\n#[deprecated(since = \"1.99.0\")]\n#[unstable(feature = \"c\")]";

    fn library(source: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("library/core/src")).unwrap();
        fs::write(folder.path().join("library/core/src/lib.rs"), source).unwrap();
        folder
    }

    fn toolchain(sysroot: &Path) -> Toolchain {
        Toolchain { version: "1.95.0".into(), host: "here".into(), sysroot: sysroot.into() }
    }

    #[test]
    fn tells_releases_apart() {
        assert_eq!(newest_stable(SOURCE), Some((1, 95)));
        let folder = library(SOURCE);
        let library = folder.path().join("library");
        assert!(check(&library, "1.95.0").is_ok());
        assert!(check(&library, "1.95.1").is_ok());
        assert!(check(&library, "1.96.0").unwrap_err().to_string().contains("those of Rust 1.95"));
    }

    #[test]
    fn installs_only_what_fits() {
        let sysroot = tempfile::tempdir().unwrap();
        let toolchain = toolchain(sysroot.path());
        check_writable(&toolchain).unwrap();
        let old = library("#[stable(feature = \"a\", since = \"1.2.0\")]");
        install(&old.path().join("library"), &toolchain).unwrap_err();
        assert!(!toolchain.library().exists());
        install(&library(SOURCE).path().join("library"), &toolchain).unwrap();
        assert!(toolchain.library().join("core/src/lib.rs").is_file());
        let left: Vec<_> = fs::read_dir(parent(&toolchain)).unwrap().collect();
        assert_eq!(left.len(), 1, "no staging folder is left behind");
    }
}
