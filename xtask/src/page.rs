//! `cargo xtask report`: all figures on one page.

mod answer;
mod draw;
mod gather;
mod html;
mod palette;
mod panel;
mod poster;
#[cfg(test)]
mod tests;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use crate::figures::{Change, Figures, changes};
use crate::options::Timeout;
use crate::process;
use crate::workspace::Workspace;

/// Writes a page that says whether small spaces are worth it, with plots and tables of all figures, and the figures beside it as JSON.
///
/// The page is one file that needs nothing else. Without files it runs the benchmarks: `bench`, `bench --counts`, `bench --crossover`, `bench --many`, `bench
/// linux`, and each of `bench experiment`, which takes a while. With files it shows what they have, of several machines beside each other: what `bench` and `bench linux` write with `--json`, what this
/// command wrote before, and what the serial port of a machine sent that booted an image of `cargo xtask image`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Figures that were written before.
    #[arg(value_name = "FIGURES.json")]
    files: Vec<PathBuf>,
    /// What the serial port of a machine sent that printed the table of cycles; may be repeated. A name before it tells machines with the same processor apart.
    #[arg(long, value_name = "[NAME=]FILE")]
    from_log: Vec<String>,
    /// The page; the JSON beside it has the same name but for its end [default: target/lilliput/report.html]
    #[arg(long, value_name = "FILE.html")]
    out: Option<PathBuf>,
    /// Show the page, by whatever shows pages here.
    #[arg(long)]
    open: bool,
    /// Show what changed since these figures, here and on the page.
    #[arg(long, value_name = "OLD.json")]
    compare: Option<PathBuf>,
    /// Fail if anything changed.
    #[arg(long, requires = "compare")]
    strict: bool,
    /// Write the main plot as well, for light and for dark pages, into this folder.
    #[arg(long, value_name = "FOLDER")]
    plot: Option<PathBuf>,
    #[command(flatten)]
    timeout: Timeout,
}

/// Runs the subcommand.
pub fn main(arguments: Arguments) -> Result<()> {
    let figures = match (arguments.files.as_slice(), arguments.from_log.as_slice()) {
        ([], []) => gather::run(arguments.timeout)?,
        (files, logs) => read(files, logs)?,
    };
    ensure!(!figures.experiments.is_empty(), "there are no figures");
    let old = arguments.compare.as_deref().map(Figures::read).transpose()?;
    let changes = old.map(|old| changes(&old, &figures));
    let out = match arguments.out {
        Some(out) => out,
        None => Workspace::find()?.output().join("report.html"),
    };
    let json = out.with_extension("json");
    ensure!(json != out, "{} has to have another end than .json", out.display());
    ensure!(!arguments.files.contains(&json), "{} would be overwritten", json.display());
    fs::write(&out, html::page(&figures, changes.as_deref())?)
        .with_context(|| format!("can't write {}", out.display()))?;
    figures.write(&json)?;
    println!("{}\n{}", out.display(), json.display());
    if let Some(folder) = &arguments.plot {
        poster::write(&figures, folder)?;
    }
    if let Some(changes) = &changes {
        println!("\n{}", told(changes));
    }
    if arguments.open {
        open(&out)?;
    }
    match changes {
        Some(changes) if arguments.strict && !changes.is_empty() => bail!("{} figures changed", changes.len()),
        _ => Ok(()),
    }
}

fn read(files: &[PathBuf], logs: &[String]) -> Result<Figures> {
    let mut all = Figures::default();
    let files = files.iter().map(|file| (file.as_path(), Figures::read(file)));
    let logs = logs.iter().map(|log| {
        let (name, file) = log.split_once('=').map_or((None, &**log), |(name, file)| (Some(name), file));
        (Path::new(file), Figures::read_log(Path::new(file), name))
    });
    for (file, figures) in files.chain(logs) {
        all.merge(figures?).with_context(|| format!("{}", file.display()))?;
    }
    Ok(all)
}

fn told(changes: &[Change]) -> String {
    match changes.len() {
        0 => "Nothing changed.".to_owned(),
        count => format!("{}\n{count} figures changed", Change::text(changes)),
    }
}

fn open(page: &Path) -> Result<()> {
    const VIEWER: &str = "xdg-open";
    let viewer = process::find_program(VIEWER).with_context(|| format!("there is no {VIEWER} to show it by"))?;
    let status = Command::new(viewer).arg(page).status().context("can't show the page")?;
    ensure!(status.success(), "{VIEWER} did not show {}", page.display());
    Ok(())
}
