//! The switch-cost table of a machine, out of what its serial port sent: see `kernel64/docs/measuring.md`, "Cycles, on a real machine".

use anyhow::{Context, Result, bail, ensure};

use super::{Experiment, clocked, records};
use crate::boot::{Record, unmarked};

/// What the lines that say what was measured on what begin with (`servers/src/root/scenario/bench/table.rs`).
const HEAD: &str = "cycles: ";
const PROCESSOR: &str = "processor: ";
const EMULATED: &str = "EMULATED";

/// The table's rows, and the experiments that the machine did by its clocks, with the processor's name, the counter's frequency and whether it was emulated as their platform.
pub fn experiments(log: &str) -> Result<Vec<Experiment>> {
    let head = || log.lines().filter_map(|line| Some(unmarked(line.trim_end()).split_once(HEAD)?.1));
    let processor = head().find_map(|line| line.strip_prefix(PROCESSOR));
    let processor = processor
        .context("it does not say on what processor: it is no log of a machine that prints the table of cycles")?;
    let frequency = head()
        .find_map(|line| line.split_once('(')?.1.split_once(')'))
        .map_or("of unknown frequency", |(text, _)| text);
    let emulated = if head().any(|line| line.starts_with(EMULATED)) { ", EMULATED" } else { "" };
    let platform = format!("{processor}, counter {frequency}{emulated}");
    let (mut rows, mut by_clocks) = (Vec::new(), Vec::new());
    for record in log.lines().filter_map(|line| Record::parse(line.trim_end())) {
        match record {
            Record::Row(row) => rows.push(records::switch_row(&row, &platform, row.limits_enforced == Some(true))),
            Record::Clock(clocked) => by_clocks.push(*clocked),
            Record::Malformed(complaint) => bail!("{complaint}"),
            _ => {}
        }
    }
    ensure!(!rows.is_empty(), "it has no rows of the table");
    let mut experiments = vec![records::switches().rows(rows)];
    experiments.extend(clocked::experiments(&by_clocks, &platform)?);
    Ok(experiments)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::{Figure, Limits};

    const ROW: &str = r#"@row {"name":"call","from":"small","to":"small","words":4,"isolation":"segment","instructions":null,
        "user_instructions":null,"ticks":300,"ticks_min":290,"ticks_p90":310,"ticks_p99":400,"limits_enforced":true}"#;

    #[test]
    fn a_real_machine_s_rows_have_its_name() {
        let row = ROW.replace('\n', "");
        let log = format!(
            "boot\r\nroot: cycles: one way, in counts of the TSC (2994.375 MHz)\r\ncycles: processor: AMD Ryzen 5\r\n{row}\r\n"
        );
        let experiments = experiments(&log).unwrap();
        let [experiment] = experiments.as_slice() else { panic!("{experiments:?}") };
        experiment.check().unwrap();
        let row = &experiment.rows[0];
        assert_eq!((row.platform.as_str(), row.limits), ("AMD Ryzen 5, counter 2994.375 MHz", Limits::Enforced));
        assert_eq!(row.figures["ticks"], Figure::Range { low: 290.0, usual: 300.0, high: 400.0 });
    }

    #[test]
    fn an_emulator_s_log_says_so_and_no_log_is_none() {
        let row = ROW.replace('\n', "").replace("true", "false");
        let head =
            "cycles: one way, in counts of the TSC (1000.000 MHz) UNENFORCED\ncycles: processor: QEMU TCG UNENFORCED\n";
        let log = format!("{head}cycles: EMULATED: these are cycles of an emulator UNENFORCED\n{row} UNENFORCED\n");
        let of_emulator = experiments(&log).unwrap().remove(0);
        assert_eq!(of_emulator.rows[0].platform, "QEMU TCG, counter 1000.000 MHz, EMULATED");
        assert_eq!(of_emulator.rows[0].limits, Limits::Unenforced);
        assert!(experiments(head).is_err() && experiments(&row).is_err());
        assert!(experiments(&format!("{head}@row {{")).is_err());
    }
}
