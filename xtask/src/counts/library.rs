//! The plugin's library: how it is built.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use lilliput_compat32::gdt;

use crate::build::{boot_code, run_cargo};
use crate::ipc_path::Code;
use crate::machine::{Plugin, Watched};
use crate::prepare::Prepared;
use crate::progress::Step;
use crate::workspace::{Workspace, cargo};

/// Its package.
const PACKAGE: &str = "lilliput-plugin";
/// Its file.
const FILE: &str = "liblilliput_plugin.so";

/// The library that the emulator loads.
pub struct Library(PathBuf);

impl Library {
    /// Builds it where that is not done. It is made for speed: it looks at every instruction.
    pub fn build(workspace: &Workspace) -> Result<Self> {
        let step = Step::start("building the counting plugin");
        run_cargo(Self::command(workspace, "build").arg("--message-format=json-render-diagnostics"), &step)?;
        step.finish_silently();
        let file = workspace.target.join("release").join(FILE);
        ensure!(file.is_file(), "cargo made no {}", file.display());
        Ok(Self(file))
    }

    /// A cargo command for its package.
    pub fn command(workspace: &Workspace, subcommand: &str) -> Command {
        let mut command = Command::new(cargo());
        command.current_dir(&workspace.root).args([subcommand, "--release", "--package", PACKAGE]);
        command
    }

    /// With what it has to know of a kernel.
    pub fn plugin(&self, prepared: &Prepared) -> Result<Plugin> {
        let code = Code::read(&prepared.build.kernel).context("the kernel's symbols")?;
        let start = code.symbol("lilliput_boot_cpu")? + code.symbol("lilliput_layout_gdt")?;
        let descriptors = start..start + 8 * gdt::ENTRIES as u64;
        Ok(Plugin { library: self.0.clone(), watched: Watched::All { descriptors, layout: "lilliput" } })
    }

    /// For Debian's own kernel, whose stores to its descriptors are not told from others.
    pub fn plugin_of_linux(&self) -> Plugin {
        Plugin { library: self.0.clone(), watched: Watched::All { descriptors: 0..0, layout: "linux" } }
    }

    /// That looks at a kernel's passes.
    pub fn passes(&self, prepared: &Prepared) -> Result<Plugin> {
        let boot = boot_code(&prepared.build.kernel)?;
        Ok(Plugin { library: self.0.clone(), watched: Watched::Passes { boot } })
    }
}
