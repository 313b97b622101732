//! `cargo xtask bench stretches`: how long the kernel keeps interrupts off.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lilliput_model::passes::{LONG, Pass};

use crate::boot::Show;
use crate::build::{Config, Scenario};
use crate::counts::Library;
use crate::machine::{Machine, Plugin};
use crate::options::Timeout;
use crate::prepare::Prepared;
use crate::report::text_table;
use crate::setup::Needs;

/// Measures how long the kernel keeps interrupts off, and holds that against a limit.
///
/// A plugin of the emulator's cuts what the kernel executes into passes, from user code to user code or to the instruction that waits for an interrupt. Shown are
/// the long ones, the longest of those that spent most in one place of the kernel; while the kernel boots there are none.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    timeout: Timeout,
}

/// Characters of a function's name that are shown.
const MOST_SHOWN: usize = 80;

/// A boot in which the kernel's passes are looked at.
#[derive(Debug)]
pub struct Boot {
    /// Its name.
    pub name: &'static str,
    scenario: Scenario,
    /// Small tasks in `segment` mode, too, though nothing confines them.
    allow_unenforced: bool,
    /// The longest pass may have so many instructions, which is little more than it has.
    limit: u64,
}

/// All of them.
pub const BOOTS: [Boot; 2] = [
    Boot { name: "stretches", scenario: Scenario::Tests, allow_unenforced: false, limit: 44_000 },
    // Spaces of gigabytes that move.
    Boot { name: "stretches-growth", scenario: Scenario::Growth, allow_unenforced: true, limit: 66_000 },
];

impl Boot {
    /// The long passes, the longest first.
    pub fn passes(&self, prepared: &Prepared, limit: Duration) -> Result<Vec<Pass>> {
        let library = Library::build(&prepared.workspace)?;
        let machine =
            Machine { plugin: Some(library.passes(prepared)?), ..Machine::of_tests().counting_instructions() };
        let config =
            Config { instructions: true, allow_unenforced: self.allow_unenforced, ..Config::new([self.scenario]) };
        // The plugin makes it several times as slow.
        let report = prepared.boot(self.name, &machine, &config, limit * 3, Show::Nothing)?;
        report.check()?;
        let output = Plugin::output(&prepared.folder(self.name));
        let text = fs::read_to_string(&output).with_context(|| format!("can't read {}", output.display()))?;
        let passes: Result<_, _> = text.lines().map(serde_json::from_str).collect();
        passes.context("the plugin's output is not understood")
    }

    /// Whether the longest is as short as it may be.
    pub fn check(&self, prepared: &Prepared, passes: &[Pass]) -> Result<()> {
        let longest = passes.first().with_context(|| format!("no pass of {LONG} instructions or more"))?;
        let (limit, Pass { instructions, .. }) = (self.limit, longest);
        let place = place(prepared, longest);
        ensure!(*instructions <= limit, "{instructions} instructions, most of them in {place}, the limit is {limit}");
        Ok(())
    }
}

/// Where in the kernel a pass spent most.
fn place(prepared: &Prepared, pass: &Pass) -> String {
    let name = prepared.build.symbols.at(pass.block).unwrap_or_else(|| format!("{:#x}", pass.block));
    match name.char_indices().nth(MOST_SHOWN) {
        Some((end, _)) => format!("{}...", &name[..end]),
        None => name,
    }
}

/// Runs the subcommand.
pub fn main(arguments: Arguments) -> Result<()> {
    let prepared = Prepared::new(Needs::EMULATOR)?;
    for boot in &BOOTS {
        println!("--- boot `{}`: QEMU with the counting plugin, which takes minutes", boot.name);
        let passes = boot.passes(&prepared, arguments.timeout.duration())?;
        let heading =
            ["instructions", "such passes", "most of it in", "instructions there"].map(str::to_owned).to_vec();
        let line = |pass: &Pass| {
            vec![pass.instructions.to_string(), pass.alike.to_string(), place(&prepared, pass), pass.share.to_string()]
        };
        println!("\n{}", text_table([heading].into_iter().chain(passes.iter().map(line)).collect()));
        boot.check(&prepared, &passes)?;
    }
    Ok(())
}
