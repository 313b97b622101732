//! `cargo xtask ipc-path`: the fast path of IPC as it was built, instruction by instruction.

#[path = "../../servers/src/root/scenario/bench/budgets.rs"]
mod budgets;
mod code;
mod layout;
mod paths;
mod text;
mod walk;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::Args;

pub use self::code::Code;
use self::layout::Layout;
use self::paths::Route;
pub use self::walk::Walk;
use crate::build::Build;
use crate::setup::{self, Needs};
use crate::workspace::Workspace;

/// Shows the instructions of each path of the IPC fast path, by stage, with the lines of code and data that they touch.
///
/// Read from the kernel as it was built, walked along the branches that are taken from the entry to the exit. Nothing is
/// shown if the code is not what the walk expects. As Markdown, to standard output or a file. `cargo xtask test --only ipc-path`
/// compares the sums with the budgets of the benchmark.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Write it to this file.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Runs the subcommand.
pub fn main(Arguments { output }: Arguments) -> Result<()> {
    let workspace = Workspace::find()?;
    let toolchain = setup::require(&workspace, Needs::BUILD)?;
    let build = Build::new(&workspace, &toolchain)?;
    let text = text::render(&walks(&build.kernel)?);
    match output {
        Some(file) => fs::write(&file, text).with_context(|| format!("can't write {}", file.display())),
        None => {
            print!("{text}");
            Ok(())
        }
    }
}

/// All routes and what was seen on them.
pub fn walks(kernel: &Path) -> Result<Vec<(Route, Walk)>> {
    let code = Code::read(kernel)?;
    let layout = Layout::new(&code)?;
    let walk = |route: Route| {
        let walk = Walk::new(&code, &layout, &route).with_context(|| route.title())?;
        Ok((route, walk))
    };
    paths::all().into_iter().map(walk).collect()
}

/// Whether a route takes as many instructions as the benchmark's budget says, where it has one, and touches no more lines than it may.
pub fn check(route: &Route, walk: &Walk) -> Result<()> {
    if let Some(budget) = route.budget() {
        let instructions = walk.instructions();
        ensure!(instructions == budget as usize, "{instructions} instructions, the benchmark's budget is {budget}");
    }
    let (code, data) = (walk.code_lines(), walk.data_lines().len());
    let [most_code, most_data] = route.lines;
    ensure!(code <= most_code, "{code} lines of code, the limit is {most_code}");
    ensure!(data <= most_data, "{data} lines of data, the limit is {most_data}");
    Ok(())
}
