//! `cargo xtask check`: formatting and lints, for every machine that code is written for.

use std::process::Command;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use clap::Args;

use crate::build::{KINDS, feature, run_cargo};
use crate::counts::Library;
use crate::process;
use crate::progress::Step;
use crate::setup::{self, Needs};
use crate::workspace::{Workspace, cargo};

/// Checks formatting and lints; any warning is an error.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Format the sources first.
    #[arg(long)]
    fix: bool,
}

/// How long formatting may take.
const FORMAT_LIMIT: Duration = Duration::from_secs(120);

/// Runs the subcommand.
pub fn main(Arguments { fix }: Arguments) -> Result<()> {
    let workspace = Workspace::find()?;
    setup::require(&workspace, Needs::BUILD)?;
    let mut failed = Vec::new();
    if let Err(error) = format(&workspace, fix) {
        println!("{error:#}");
        failed.push("formatting");
    }
    let mut host = Command::new(cargo());
    host.current_dir(&workspace.root).args(["clippy", "--all-targets"]);
    let mut maker = Command::new(cargo());
    maker.current_dir(&workspace.root).args(["clippy", "--package", "lilliput-image", "--target-dir"]);
    maker.arg(workspace.image_maker()).env("RUSTC_BOOTSTRAP", "1");
    let kinds = KINDS.iter().map(|kind| (kind.label, kind.command(&workspace, "clippy")));
    let mut features = KINDS[0].command(&workspace, "clippy");
    features.args(["--features", &feature::ALL.join(",")]);
    let plugin = Library::command(&workspace, "clippy");
    let more = [
        ("the kernel with all its features", features),
        ("the host's parts", host),
        ("the image maker", maker),
        ("the counting plugin", plugin),
    ];
    for (label, mut command) in kinds.chain(more) {
        if !clippy(label, &mut command) {
            failed.push(label);
        }
    }
    ensure!(failed.is_empty(), "to be mended, as shown above: {}", failed.join(", "));
    Ok(())
}

fn format(workspace: &Workspace, fix: bool) -> Result<()> {
    let mut command = Command::new(cargo());
    command.current_dir(&workspace.root).args(["fmt", "--all"]);
    if !fix {
        command.args(["--", "--check", "--files-with-diff"]);
    }
    let (status, output) = process::capture(&mut command, FORMAT_LIMIT, |_| ())?;
    if !status.success() {
        bail!("not formatted; run `cargo xtask check --fix`: {}", output.trim().replace('\n', ", "));
    }
    Ok(())
}

/// Runs clippy, which shows what it finds; says whether that was nothing.
fn clippy(label: &str, command: &mut Command) -> bool {
    let step = Step::start(format!("checking {label}"));
    command.args(["--message-format=json-render-diagnostics", "--", "-D", "warnings"]);
    let clean = run_cargo(command, &step).is_ok();
    step.finish(if clean { "no warnings" } else { "not clean" });
    clean
}
