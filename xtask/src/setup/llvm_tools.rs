//! `llvm-objcopy` and `llvm-objdump`, which the boot loader's build calls by these names.

use std::os::unix::fs::symlink;
use std::path::PathBuf;

use anyhow::{Result, anyhow, ensure};

use super::{Toolchain, attempt};

const NAMES: [&str; 2] = ["llvm-objcopy", "llvm-objdump"];

/// Sees to it that both are in the toolchain's tool folder.
pub fn require(toolchain: &Toolchain) -> Result<()> {
    if missing(toolchain).is_empty() || attempt("llvm-tools by rustup", |step| add_by_rustup(toolchain, step)) {
        return Ok(());
    }
    // One program serves for both: every toolchain has LLVM's objcopy under a name of its own, and of
    // objdump the boot loader wants to know that it is there, but runs it nowhere.
    let original = toolchain.objcopy();
    ensure!(original.is_file(), "{} is missing; install the llvm-tools component", original.display());
    for link in missing(toolchain) {
        symlink("rust-objcopy", &link).map_err(|error| {
            anyhow!("can't make {} ({error}); run `cargo xtask setup` once as the toolchain's owner", link.display())
        })?;
    }
    eprintln!("llvm-tools: linked to rust-objcopy in {}", toolchain.tools().display());
    Ok(())
}

fn missing(toolchain: &Toolchain) -> Vec<PathBuf> {
    NAMES.iter().map(|name| toolchain.tools().join(name)).filter(|file| !file.exists()).collect()
}

fn add_by_rustup(toolchain: &Toolchain, step: &crate::progress::Step) -> Result<()> {
    toolchain.add_component("llvm-tools", step)?;
    ensure!(missing(toolchain).is_empty(), "rustup added llvm-tools to another toolchain");
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn finds_what_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        let toolchain =
            Toolchain { version: "1.0.0".into(), host: "here".into(), sysroot: folder.path().to_path_buf() };
        assert_eq!(missing(&toolchain).len(), 2);
        fs::create_dir_all(toolchain.tools()).unwrap();
        for name in NAMES {
            fs::write(toolchain.tools().join(name), "").unwrap();
        }
        assert!(missing(&toolchain).is_empty());
        assert!(require(&toolchain).is_ok());
    }
}
