//! `cargo xtask clean`: away with what xtask made.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use clap::Args;

use crate::workspace::Workspace;

/// Removes images, logs and boot archives.
///
/// What cargo built stays (`cargo clean` removes it), and so does what `cargo xtask setup` installed.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Remove the image maker too; building it again takes some two minutes.
    #[arg(long)]
    all: bool,
}

/// Runs the subcommand.
pub fn main(Arguments { all }: Arguments) -> Result<()> {
    let workspace = Workspace::find()?;
    remove(&workspace, &workspace.output())?;
    if all {
        remove(&workspace, &workspace.image_maker())?;
    }
    Ok(())
}

fn remove(workspace: &Workspace, folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("can't remove {}", folder.display()))?;
        println!("removed {}", workspace.shown(folder));
    }
    Ok(())
}
