//! The switch-cost table, as text and as JSON.

mod row;
mod table;
mod text;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use self::row::Measured;
#[cfg(test)]
pub use self::row::tests;
pub use self::row::{Cost, Row, merge};
pub use self::text::{ABSENT, text_table};
use crate::machine::Machine;

/// All figures of a measurement, with what one has to know to read them.
pub struct SwitchCosts {
    /// The machine of the free run.
    machine: Machine,
    platform: String,
    rows: Vec<Row>,
}

impl SwitchCosts {
    /// From the rows of the free run, of the boot that counted instructions, and of the one that counted switches.
    pub fn new(machine: Machine, free: Vec<Row>, counted: Vec<Row>, switches: Vec<Row>) -> Result<Self> {
        ensure!(!free.is_empty(), "the free run measured nothing");
        ensure!(!counted.is_empty(), "the instruction-counting run measured nothing");
        ensure!(!switches.is_empty(), "the run that counts switches measured nothing");
        Ok(Self { platform: machine.platform()?, machine, rows: merge(free, counted, switches) })
    }

    /// Whether the processor checks segment limits, as the kernel found out.
    fn limits_enforced(&self) -> bool {
        self.rows.iter().all(|row| row.limits_enforced == Some(true))
    }

    /// The table for people.
    pub fn text(&self) -> String {
        let limits = match self.limits_enforced() {
            true => "enforced",
            false => {
                "UNENFORCED: this platform checks no segment limits, rows in `segment` mode show cost, not confinement"
            }
        };
        let accelerator = self.machine.accelerator;
        let counted = match self.machine.counting_instructions().accelerator == accelerator {
            true => "",
            false => ", under TCG in place of this accelerator",
        };
        let header = [
            "Switch costs, one way".to_owned(),
            format!("  platform:       {}", self.platform),
            format!("  accelerator:    {}", accelerator.word()),
            format!("  limits:         {limits}"),
            format!("  ticks:          {}", accelerator.ticks()),
            "  instructions:   the kernel's, from the entry instruction through the exit instruction;".to_owned(),
            format!("                  counted in a second boot in which the TSC counts them{counted}"),
            "  writes, loads:  counted in a third boot, by a kernel built to count them".to_owned(),
            "  ratios:         to the same operation in `page` mode".to_owned(),
        ];
        format!("{}\n\n{}", header.join("\n"), table::render(&self.rows))
    }

    /// The same as JSON: a list of records, one a row.
    pub fn json(&self) -> Result<String> {
        let records: Vec<_> = self.rows.iter().map(|row| self.measured(row)).collect();
        Ok(serde_json::to_string_pretty(&records)? + "\n")
    }

    /// Writes the JSON to a file.
    pub fn write_json(&self, file: &Path) -> Result<()> {
        fs::write(file, self.json()?).with_context(|| format!("can't write {}", file.display()))
    }

    fn measured<'a>(&'a self, row: &'a Row) -> Measured<'a> {
        Measured::new(row, &self.platform, self.machine.accelerator.word())
    }
}
