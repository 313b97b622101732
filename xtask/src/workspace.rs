//! Where the sources lie, where what is made from them goes, and which programs they define.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::process;

/// The workspace that this program belongs to, as cargo describes it.
#[derive(Clone, Debug, Deserialize)]
pub struct Workspace {
    /// The folder of the top `Cargo.toml`.
    #[serde(rename = "workspace_root")]
    pub root: PathBuf,
    /// Cargo's target directory.
    #[serde(rename = "target_directory")]
    pub target: PathBuf,
    packages: Vec<Package>,
    #[serde(rename = "workspace_default_members")]
    default_members: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
struct Package {
    name: String,
    targets: Vec<Target>,
}

#[derive(Clone, Debug, Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

impl Workspace {
    /// Asks cargo.
    pub fn find() -> Result<Self> {
        // `cargo run` says where this package lies now; the compiled-in place may have moved since.
        let own = env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
        let mut command = Command::new(cargo());
        command.args(["metadata", "--no-deps", "--format-version", "1", "--manifest-path"]);
        command.arg(own.join("Cargo.toml"));
        let output = process::output(&mut command).context("can't ask cargo about the workspace")?;
        serde_json::from_str(&output).context("cargo's description of the workspace is not understood")
    }

    /// Names of the binary programs of a package, sorted.
    pub fn programs(&self, package: &str) -> Vec<&str> {
        let package = self.packages.iter().find(|candidate| candidate.name == package);
        let targets = package.iter().flat_map(|package| &package.targets);
        let mut names: Vec<_> =
            targets.filter(|target| target.kind.iter().any(|kind| kind == "bin")).map(|target| &*target.name).collect();
        names.sort_unstable();
        names
    }

    /// How many packages run on the host too.
    pub fn host_packages(&self) -> usize {
        self.default_members.len()
    }

    /// Folder of everything that xtask itself makes.
    pub fn output(&self) -> PathBuf {
        self.target.join("lilliput")
    }

    /// Target directory of the image maker. It has its own: it is built with other settings of the
    /// environment than xtask, so that in one directory the two would make each other's parts stale.
    pub fn image_maker(&self) -> PathBuf {
        self.target.join("lilliput-image")
    }

    /// A path as a person wants to read it: from here, if it lies below.
    pub fn shown<'a>(&self, path: &'a Path) -> std::path::Display<'a> {
        let here = env::current_dir().unwrap_or_else(|_| self.root.clone());
        path.strip_prefix(here).unwrap_or(path).display()
    }
}

/// The cargo that runs us, or else the one in the path.
pub fn cargo() -> PathBuf {
    env::var_os("CARGO").map_or_else(|| "cargo".into(), PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_binaries_only() {
        let json = r#"{"workspace_root": "/w", "target_directory": "/w/target",
            "workspace_default_members": ["path+file:///w/a#0.1.0"], "packages": [
            {"name": "a", "targets": [{"name": "z", "kind": ["bin"]}, {"name": "lib", "kind": ["lib"]},
                                      {"name": "b", "kind": ["bin"]}]}]}"#;
        let workspace: Workspace = serde_json::from_str(json).unwrap();
        assert_eq!(workspace.programs("a"), ["b", "z"]);
        assert!(workspace.programs("absent").is_empty());
        assert_eq!(workspace.host_packages(), 1);
    }
}
