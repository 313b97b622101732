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
    /// How fast the guest's clock goes: see [`Machine::pace`].
    pace: u32,
    /// Small tasks in `segment` mode, too, though nothing confines them.
    allow_unenforced: bool,
    /// Passes that spend most in these functions may have so many instructions.
    longer: &'static [(&'static str, u64)],
}

/// Any other pass may have so many, which is little more than the longest has.
const LIMIT: u64 = 25_000;

/// A task of 1,024 threads moves that has 4 GiB: each thread is told, in twelve instructions.
const ALL_OF_BOTH: [(&str, u64); 1] = [("<lilliput_core::paging::shift::Used>::of", 37_700)];

/// All of them.
pub const BOOTS: [Boot; 2] = [
    // Trials wait for turns to end, and each instruction of whoever computes meanwhile is looked at: a fourth of them is enough. With a sixteenth interrupts come so soon
    // one after the other that no instruction of the user's lies between them, and count as one pass.
    Boot { name: "stretches", scenario: Scenario::Tests, pace: 2, allow_unenforced: false, longer: &[] },
    // Spaces of gigabytes that move, up to 4.
    Boot {
        name: "stretches-growth",
        scenario: Scenario::Growth,
        pace: 0,
        allow_unenforced: true,
        longer: &ALL_OF_BOTH,
    },
];

impl Boot {
    /// The long passes, the longest first.
    pub fn passes(&self, prepared: &Prepared, limit: Duration) -> Result<Vec<Pass>> {
        let library = Library::build(&prepared.workspace)?;
        let plugin = Some(library.passes(prepared)?);
        let machine = Machine { plugin, pace: self.pace, ..Machine::of_tests().counting_instructions() };
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

    /// Whether all are as short as they may be.
    pub fn check(&self, prepared: &Prepared, passes: &[Pass]) -> Result<()> {
        ensure!(!passes.is_empty(), "no pass of {LONG} instructions or more");
        for pass in passes {
            let (place, Pass { instructions, .. }) = (place(prepared, pass), pass);
            let limit = self.limit(&place);
            ensure!(
                *instructions <= limit,
                "{instructions} instructions, most of them in {place}, the limit is {limit}"
            );
        }
        Ok(())
    }

    /// What a pass may have that spent most in this place, a function and how far into it.
    fn limit(&self, place: &str) -> u64 {
        let function = place.rsplit_once('+').map_or(place, |(function, _)| function);
        self.longer.iter().find(|(name, _)| *name == function).map_or(LIMIT, |(_, limit)| *limit)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_longer_is_known_by_its_function() {
        let [tests, growth] = &BOOTS;
        let tables = "<lilliput_core::paging::shift::Used>::of+0x6d";
        assert_eq!((tests.limit(tables), growth.limit(tables)), (LIMIT, 37_700));
        assert_eq!(growth.limit("lilliput::invoke::space::relocate+0x13d"), LIMIT);
    }
}
