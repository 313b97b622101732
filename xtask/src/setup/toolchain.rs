//! The compiler in use: its version and where its parts lie.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::process;
use crate::progress::Step;

/// How long rustup may take for a component, of some 40 MB at most. Without a network it gives up by itself, but
/// not always soon.
const RUSTUP_LIMIT: Duration = Duration::from_secs(120);

/// A Rust toolchain.
#[derive(Clone, Debug)]
pub struct Toolchain {
    /// The compiler's version, such as `1.95.0`.
    pub version: String,
    /// The machine that it runs on, such as `x86_64-unknown-linux-gnu`.
    pub host: String,
    /// The folder that holds all its parts.
    pub sysroot: PathBuf,
}

impl Toolchain {
    /// Asks the compiler that cargo uses.
    pub fn find() -> Result<Self> {
        let about = process::output(Command::new("rustc").arg("-vV"))?;
        let field = |name: &str| about.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let sysroot = process::output(Command::new("rustc").args(["--print", "sysroot"]))?;
        Ok(Self {
            version: field("release:").context("rustc does not tell its version")?.to_owned(),
            host: field("host:").context("rustc does not tell its host")?.to_owned(),
            sysroot: sysroot.trim().into(),
        })
    }

    /// Where the standard library's sources belong.
    pub fn library(&self) -> PathBuf {
        self.sysroot.join("lib/rustlib/src/rust/library")
    }

    /// The folder of the compiler's own tools.
    pub fn tools(&self) -> PathBuf {
        self.sysroot.join("lib/rustlib").join(&self.host).join("bin")
    }

    /// The tool that strips programs, a part of every toolchain.
    pub fn objcopy(&self) -> PathBuf {
        self.tools().join("rust-objcopy")
    }

    /// A command that runs it. It needs the toolchain's libraries, which are found by themselves under cargo only.
    pub fn objcopy_command(&self) -> Command {
        let mut command = Command::new(self.objcopy());
        command.env("LD_LIBRARY_PATH", self.sysroot.join("lib"));
        command
    }

    /// Has rustup add a component.
    pub fn add_component(&self, name: &str, step: &Step) -> Result<()> {
        let rustup = process::find_program("rustup").context("there is no rustup")?;
        step.note("asking rustup");
        let mut command = Command::new(rustup);
        // The toolchain in use is the one for the current folder, which is how cargo chose it as well.
        command.args(["component", "add", name]).env("RUST_BACKTRACE", "0").env("RUSTUP_MAX_RETRIES", "1");
        process::output_within(&mut command, RUSTUP_LIMIT, |_| ())?;
        Ok(())
    }
}
