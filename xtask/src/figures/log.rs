//! The switch-cost table of a machine, out of what its serial port sent: see `kernel64/docs/measuring.md`, "Cycles, on a real machine".

use anyhow::{Context, Result, bail, ensure};

use super::{Experiment, clocked, records};
use crate::boot::{Record, unmarked};

/// What the lines that say what was measured on what begin with (`servers/src/root/scenario/bench/table.rs`).
const HEAD: &str = "cycles: ";
const PROCESSOR: &str = "processor: ";
const EMULATED: &str = "EMULATED";
/// What the kernel's line begins with that names an emulator or a hypervisor, and what it says where it knows of none (`kernel64/src/boot/report.rs`).
const PLATFORM: &str = " platform: ";
const REAL: &str = "no hypervisor known,";
/// What it says of a machine that has no tags for page tables (`kernel64/src/boot/root.rs`).
const UNTAGGED: &str = "page-table roots not tagged";

/// The table's rows, and the experiments that the machine did by its clocks, with the processor's name, the counter's frequency, whether page tables have no tags, and whether it was emulated as their platform; before
/// all that the name that somebody gave the machine.
pub fn experiments(log: &str, name: Option<&str>) -> Result<Vec<Experiment>> {
    let head = || log.lines().filter_map(|line| Some(unmarked(line.trim_end()).split_once(HEAD)?.1));
    let processor = head().find_map(|line| line.strip_prefix(PROCESSOR));
    let processor = processor
        .context("it does not say on what processor: it is no log of a machine that prints the table of cycles")?;
    let frequency = head()
        .find_map(|line| line.split_once('(')?.1.split_once(')'))
        .map_or("of unknown frequency", |(text, _)| text);
    let other = |line: &str| line.split_once(PLATFORM).is_some_and(|(_, platform)| !platform.starts_with(REAL));
    let emulated = head().any(|line| line.starts_with(EMULATED)) || log.lines().any(other);
    let untagged = log.lines().any(|line| line.contains(UNTAGGED));
    let mut platform = name.map_or(String::new(), |name| format!("{name}: "));
    platform += &format!("{processor}, counter {frequency}");
    for (is, word) in [(untagged, "no PCID"), (emulated, EMULATED)] {
        if is {
            platform += &format!(", {word}");
        }
    }
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
        let experiments = experiments(&log, None).unwrap();
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
        let of_emulator = experiments(&log, None).unwrap().remove(0);
        assert_eq!(of_emulator.rows[0].platform, "QEMU TCG, counter 1000.000 MHz, EMULATED");
        assert_eq!(of_emulator.rows[0].limits, Limits::Unenforced);
        assert!(experiments(head, None).is_err() && experiments(&row, None).is_err());
        assert!(experiments(&format!("{head}@row {{"), None).is_err());
    }

    #[test]
    fn what_the_kernel_says_of_the_machine_is_in_its_name() {
        let row = ROW.replace('\n', "");
        let of = |lines: &str, name| {
            let log = format!("{lines}root: cycles: one way (2000.000 MHz)\ncycles: processor: AMD Ryzen 7\n{row}\n");
            experiments(&log, name).unwrap()[0].rows[0].platform.clone()
        };
        let machine = |emulator: &str| format!("[  0.012] platform: {emulator}, BIOS\n");
        assert_eq!(of(&machine("no hypervisor known"), None), "AMD Ryzen 7, counter 2000.000 MHz");
        // Bochs has no CPUID leaf to say it by.
        assert_eq!(of(&machine("Bochs"), None), "AMD Ryzen 7, counter 2000.000 MHz, EMULATED");
        let untagged = "[  0.012] isolation: auto means segment; page-table roots not tagged: no PCID\n";
        assert_eq!(of(untagged, Some("attic")), "attic: AMD Ryzen 7, counter 2000.000 MHz, no PCID");
    }
}
