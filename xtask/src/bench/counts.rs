//! `cargo xtask bench --counts`: what the paths execute and touch, counted by a plugin of the emulator's, and modelled on processors by name.

mod figures;
mod prices;

use std::path::Path;

use anyhow::{Result, bail};

use crate::build::Scenario;
use crate::counts::{Counted, Library, checks, table};
use crate::figures::Figures;
use crate::options::Timeout;
use crate::prepare::Prepared;

/// Counts, and prints both tables.
pub fn run(prepared: &Prepared, timeout: Timeout, json: Option<&Path>) -> Result<()> {
    println!("--- boot `counts`: QEMU with the counting plugin");
    let counted = count(prepared, timeout, true)?;
    println!("\nCounted, one way: exact\n\n{}", table::counts(&counted.records));
    println!("Modelled cycles, one way: usual (range), and walks of page tables where there are any\n");
    println!("{}", table::modelled(&counted.records));
    if let Some(file) = json {
        Figures { experiments: figures::experiments(&counted) }.write(file)?;
    }
    check(&counted)
}

/// The figures alone.
pub fn figures(prepared: &Prepared, timeout: Timeout) -> Result<Figures> {
    let counted = count(prepared, timeout, false)?;
    check(&counted)?;
    Ok(Figures { experiments: figures::experiments(&counted) })
}

fn count(prepared: &Prepared, timeout: Timeout, show: bool) -> Result<Counted> {
    let library = Library::build(&prepared.workspace)?;
    Counted::new(prepared, &library, "counts", Scenario::Bench, (timeout.duration(), show))
}

fn check(counted: &Counted) -> Result<()> {
    for (name, outcome) in checks(counted) {
        if let Err(error) = outcome {
            bail!("{name}: {error:#}");
        }
    }
    Ok(())
}
