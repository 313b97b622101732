//! The kinds of machine code that Lilliput consists of, as data: one cargo invocation for each.

use std::process::Command;

use anyhow::Result;

use super::cargo::{self, Built};
use crate::progress::Step;
use crate::workspace::{Workspace, cargo};

/// Packages that are built for one machine with one set of flags.
#[derive(Debug)]
pub struct Kind {
    /// What a person calls it.
    pub label: &'static str,
    /// Packages, and where their programs go.
    packages: &'static [(&'static str, Place)],
    /// The compiler's name of the machine.
    target: &'static str,
    /// The build profile of the workspace's manifest.
    profile: &'static str,
    /// Flags for the compiler.
    flags: &'static [&'static str],
}

/// Where the programs of a package go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// They are the kernel.
    Kernel,
    /// Into this folder of the boot archive, which ends with a `/` if it is not the archive's root.
    Archive(&'static str),
    /// Beside it, in this folder: Linux runs them too.
    Beside(&'static str),
}

/// All kinds, in the order in which they are built.
pub const ALL: [Kind; 3] = [
    Kind {
        label: "the kernel",
        packages: &[("lilliput-kernel", Place::Kernel)],
        target: "x86_64-unknown-none",
        profile: "kernel",
        // Frame pointers are what the panic's back trace walks along; relocations are what `boot_text.rs` reads.
        flags: &[
            "-Ccode-model=kernel",
            "-Crelocation-model=static",
            "-Cforce-frame-pointers=yes",
            "-Clink-arg=--emit-relocs",
        ],
    },
    Kind {
        label: "servers and 64-bit programs",
        packages: &[
            ("lilliput-servers", Place::Archive("")),
            ("lilliput-user64", Place::Archive("64/")),
            ("lilliput-attack64", Place::Archive("attack64/")),
            ("lilliput-linux-bench", Place::Beside("amd64/")),
        ],
        target: "x86_64-unknown-none",
        profile: "release",
        // The packages link them to fixed addresses, so that nobody has to relocate them; but the code is
        // position-independent, since the arena host lies out of the reach of 32-bit absolute addresses.
        flags: &["-Crelocation-model=pic"],
    },
    Kind {
        label: "32-bit programs",
        packages: &[
            ("lilliput-user32", Place::Archive("32/")),
            ("lilliput-attack32", Place::Archive("attack32/")),
            ("lilliput-linux-bench", Place::Beside("i386/")),
        ],
        target: "i586-unknown-linux-gnu",
        profile: "release",
        // The target is the nearest that rustc has; nothing of its C library or start files is linked. It has no SSE: a program that does not
        // ask for vector registers leaves them alone, and its switches need not take care of them.
        flags: &["-Clinker=rust-lld", "-Clinker-flavor=ld.lld", "-Crelocation-model=static"],
    },
];

impl Kind {
    /// Builds its programs with a feature that they don't have else. They take the place of the usual ones among cargo's files.
    pub fn build_with(&self, feature: &str, workspace: &Workspace, step: &Step) -> Result<Vec<Built>> {
        let mut command = self.command(workspace, "build");
        cargo::run(command.args(["--features", feature, "--message-format=json-render-diagnostics"]), step)
    }

    /// Builds all programs of this kind.
    pub fn build(&self, workspace: &Workspace, step: &Step) -> Result<Vec<Built>> {
        cargo::run(self.command(workspace, "build").arg("--message-format=json-render-diagnostics"), step)
    }

    /// A cargo command for these packages, up to the point where options of its own go.
    pub fn command(&self, workspace: &Workspace, subcommand: &str) -> Command {
        let mut command = Command::new(cargo());
        command.current_dir(&workspace.root).arg(subcommand).args(["--profile", self.profile, "--target", self.target]);
        command.args([
            "-Zbuild-std=core,alloc,compiler_builtins",
            "-Zbuild-std-features=compiler-builtins-mem,optimize_for_size",
        ]);
        for (package, _) in self.packages {
            command.args(["--package", package]);
        }
        // The standard library's sources fit this compiler only, so its own version is the right one to
        // unlock `build-std` with.
        command.env("RUSTC_BOOTSTRAP", "1").env("CARGO_ENCODED_RUSTFLAGS", self.flags.join("\u{1f}"));
        command
    }

    /// Where a program of this kind goes.
    pub fn place(&self, workspace: &Workspace, program: &str) -> Option<Place> {
        let owner = self.packages.iter().find(|(package, _)| workspace.programs(package).contains(&program));
        owner.map(|(_, place)| *place)
    }
}
