//! `cargo xtask setup`: what has to be on the machine beside the compiler itself.

mod apt;
mod apt_sources;
mod debian;
mod linux_kernel;
mod linux_programs;
mod llvm_tools;
mod narrow_libc;
mod packages;
mod rust_src;
mod toolchain;

use anyhow::Result;

pub use self::linux_kernel::LinuxKernel;
pub use self::linux_programs::LinuxPrograms;
pub use self::narrow_libc::NarrowLibc;
pub use self::toolchain::Toolchain;
use crate::progress::Step;
use crate::workspace::Workspace;

/// Gets what is missing on this machine; does nothing where all is there.
///
///   rust-src       the standard library's sources, of exactly this compiler's version: by rustup, else from
///                  the Debian archive that this machine uses (suite trixie-backports, checked with the
///                  system's keys, nothing is installed), else from ../shared/toolchain
///   llvm-objcopy,  by rustup (llvm-tools), else as links to the compiler's own rust-objcopy
///   llvm-objdump
///   QEMU, OVMF     by apt-get, as root or by sudo; so are gdb and Bochs where they are needed
///   busybox, bash  Debian's static ones of both widths, for `cargo xtask linux`: from the same archive (suite
///                  bookworm), checked alike, nothing is installed
///   Linux          Debian's kernel, 70 MB, for `cargo xtask bench linux`: likewise
///
/// What can't be got is named, with the command to install it. All other commands do the same first, for
/// what they need themselves.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Arguments {
    /// Get gdb as well, which `cargo xtask gdb` needs.
    #[arg(long)]
    debugger: bool,
    /// Get Bochs as well, which `cargo xtask attack` and `cargo xtask test` need.
    #[arg(long)]
    bochs: bool,
    /// Get Debian's static programs as well, which `cargo xtask linux` needs.
    #[arg(long)]
    linux: bool,
    /// Get Debian's kernel as well, which `cargo xtask bench linux` needs.
    #[arg(long)]
    linux_kernel: bool,
}

/// Runs the subcommand.
pub fn main(Arguments { debugger, bochs, linux, linux_kernel }: Arguments) -> Result<()> {
    let workspace = Workspace::find()?;
    let needs = Needs { debugger, bochs, ..Needs::EMULATOR };
    let toolchain = require(&workspace, needs)?;
    println!("rustc {}, its sources in {}", toolchain.version, toolchain.library().display());
    for (package, file) in packages::found(needs) {
        println!("{package}: {}", file.display());
    }
    if linux {
        println!("Debian's static programs: {}", LinuxPrograms::require(&workspace)?.folder().display());
    }
    if linux_kernel {
        println!("Debian's kernel: {}", LinuxKernel::require(&workspace)?.image.display());
    }
    println!("all is set up");
    Ok(())
}

/// What a subcommand needs beside the toolchain.
#[derive(Clone, Copy, Debug)]
pub struct Needs {
    /// QEMU and the UEFI firmware.
    pub emulator: bool,
    /// gdb.
    pub debugger: bool,
    /// Bochs, its firmware, and a screen for it.
    pub bochs: bool,
}

impl Needs {
    /// The toolchain only.
    pub const BUILD: Self = Self { emulator: false, debugger: false, bochs: false };
    /// What it takes to boot.
    pub const EMULATOR: Self = Self { emulator: true, debugger: false, bochs: false };
    /// What it takes to debug.
    pub const DEBUGGER: Self = Self { debugger: true, ..Self::EMULATOR };
}

/// Sees to it that everything needed is there.
pub fn require(workspace: &Workspace, needs: Needs) -> Result<Toolchain> {
    let toolchain = Toolchain::find()?;
    rust_src::require(workspace, &toolchain)?;
    llvm_tools::require(&toolchain)?;
    packages::require(needs)?;
    Ok(toolchain)
}

/// Tries one way to get something; a failure is shown and becomes `false`, so that the next way is tried.
fn attempt(label: &str, way: impl FnOnce(&Step) -> Result<()>) -> bool {
    let step = Step::start(label);
    match way(&step) {
        Ok(()) => {
            step.finish("done");
            true
        }
        Err(error) => {
            step.finish(&format!("no: {error:#}"));
            false
        }
    }
}
