//! Tests of the parts that run on the host.

use std::env;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::tally::{Counts, Tally};
use crate::boot::Outcome;
use crate::build::run_cargo;
use crate::process;
use crate::progress::Step;
use crate::workspace::{Workspace, cargo};

/// Name of the suite.
pub const NAME: &str = "host";

/// Where the random tests take their seed from, if it is set.
const PROPTEST_SEED: &str = "PROPTEST_RNG_SEED";

/// How long all host tests together may take.
const LIMIT: Duration = Duration::from_secs(900);

/// Runs them.
pub fn run(workspace: &Workspace, tally: &mut Tally) {
    tally.suite(NAME, |tally| {
        if let Err(error) = try_run(workspace, tally) {
            tally.count(NAME, "tests", &Outcome::Failed(format!("{error:#}")));
        }
    });
}

fn try_run(workspace: &Workspace, tally: &mut Tally) -> Result<()> {
    let step = Step::start_in_lines("building the host tests");
    run_cargo(command(workspace).args(["--no-run", "--message-format=json-render-diagnostics"]), &step)?;
    step.finish("done");
    let step = Step::start_in_lines("running the host tests");
    let show = |line: &str| {
        if line.starts_with("test ") {
            step.note(line);
        }
    };
    // Its progress bar is for terminals, and this output is read.
    let mut command = command(workspace);
    let (status, text) = process::capture(command.env("CARGO_TERM_PROGRESS_WHEN", "never"), LIMIT, show)?;
    step.finish_silently();
    let (counts, results) = counts(&text);
    tally.add(counts);
    if !status.success() {
        tally.print(text);
        ensure!(counts.failed > 0, "cargo test failed without a failed test");
    }
    ensure!(results >= workspace.host_packages(), "only {results} packages report results");
    Ok(())
}

fn command(workspace: &Workspace) -> Command {
    let mut command = Command::new(cargo());
    // The workspace's default members: the parts that run on the host too.
    command.current_dir(&workspace.root).args(["test", "--no-fail-fast"]);
    // Random tests go the same ways each time: what they find is this change's doing. By `cargo test` alone they go others.
    if env::var_os(PROPTEST_SEED).is_none() {
        command.env(PROPTEST_SEED, "1");
    }
    command
}

/// Sums up lines such as `test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; ...`; says how many.
fn counts(text: &str) -> (Counts, usize) {
    let mut sum = Counts::default();
    let mut results = 0;
    for line in text.lines().filter_map(|line| line.strip_prefix("test result: ")) {
        results += 1;
        let parts = || line.split(['.', ';']).filter_map(|part| part.trim().split_once(' '));
        let number =
            |what| parts().find(|(_, word)| *word == what).and_then(|(number, _)| number.parse().ok()).unwrap_or(0);
        sum.passed += number("passed");
        sum.failed += number("failed");
        sum.skipped += number("ignored");
    }
    (sum, results)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_result_lines() {
        let text = "running 3 tests\ntest a ... ok\n\
                    test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s\n\
                    test result: FAILED. 5 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.00s\n";
        assert_eq!(counts(text), (Counts { passed: 17, failed: 2, skipped: 1 }, 2));
        assert_eq!(counts("no results"), (Counts::default(), 0));
    }
}
