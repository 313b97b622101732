//! The main plot by itself, as the README shows it.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::{draw, html, palette, panel};
use crate::figures::{Figures, Plot};

/// The experiment whose first plot it is, and which values of keys are shown.
const EXPERIMENT: &str = "crossover";
const PROCESSORS: [&str; 2] = ["AMD Zen 3", "Intel Skylake"];
const TASKS: u64 = 2;
/// Files, and what fills the page behind.
const FILES: [(&str, bool); 2] =
    [("where-small-spaces-pay-light.svg", false), ("where-small-spaces-pay-dark.svg", true)];

/// Writes both.
pub fn write(figures: &Figures, folder: &Path) -> Result<()> {
    for (name, dark) in FILES {
        let file = folder.join(name);
        fs::write(&file, svg(figures, dark)?).with_context(|| format!("can't write {}", file.display()))?;
        println!("{}", file.display());
    }
    Ok(())
}

/// The plot as a file of its own.
pub fn svg(figures: &Figures, dark: bool) -> Result<String> {
    let experiment = figures.find(EXPERIMENT);
    let experiment =
        experiment.with_context(|| format!("the main plot is of the experiment `{EXPERIMENT}`, which is not there"))?;
    let plot: Plot = experiment.plots.first().context("it declares no plot")?.clone();
    let plot = plot.only("processor", PROCESSORS).only("tasks", [TASKS]);
    let panels = panel::panels(experiment, &plot);
    ensure!(!panels.is_empty(), "no row has what the main plot shows");
    let drawn = draw::poster(&plot, &panels, &html::unit(experiment, &plot))?;
    let rules = if dark { palette::dark_rules() } else { String::new() };
    let (start, rest) = drawn.split_once('>').context("a plot without a beginning")?;
    Ok(format!("{start}><style>{rules}</style>{}\n", rest.trim_end()))
}
