//! One row of the switch-cost table: what is measured about one operation.

use lilliput_abi::boot::UNENFORCED;
use serde::{Deserialize, Serialize};
use serde_json::Number;

use crate::figures::{self, Limits};

/// A row, as the guest reports it: what a boot did not measure is null or missing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The operation.
    pub name: String,
    /// Kind of the task that it starts from: `small`, `host` or `64`.
    pub from: String,
    /// Kind of the task that it goes to.
    pub to: String,
    /// Message words.
    pub words: u32,
    /// `segment`, `page`, `page-untagged`, or null where no small task takes part.
    #[serde(default)]
    pub isolation: Option<String>,
    /// The kernel's instructions.
    #[serde(default)]
    pub instructions: Option<Number>,
    /// The user side's instructions.
    #[serde(default)]
    pub user_instructions: Option<Number>,
    /// Ticks of the time-stamp counter.
    #[serde(default)]
    pub ticks: Option<Number>,
    /// The least of them.
    #[serde(default)]
    pub ticks_min: Option<Number>,
    /// What nine in ten rounds do not exceed.
    #[serde(default)]
    pub ticks_p90: Option<Number>,
    /// What 99 in 100 rounds do not exceed.
    #[serde(default)]
    pub ticks_p99: Option<Number>,
    /// Writes of CR3.
    #[serde(default)]
    pub cr3_writes: Option<Number>,
    /// Loads of DS, ES, FS and GS.
    #[serde(default)]
    pub segment_loads: Option<Number>,
    /// Retired instructions by a performance counter, the user's left out as far as they are known.
    #[serde(default)]
    pub counted_instructions: Option<Number>,
    /// The core's cycles by a performance counter.
    #[serde(default)]
    pub core_cycles: Option<Number>,
    /// Walks of page tables for data by a performance counter.
    #[serde(default)]
    pub data_walks: Option<Number>,
    /// Walks of page tables for code by a performance counter.
    #[serde(default)]
    pub code_walks: Option<Number>,
    /// Misses of the second level of cache by a performance counter.
    #[serde(default)]
    pub cache_misses: Option<Number>,
    /// Whether the processor enforces segment limits.
    #[serde(default, skip_serializing)]
    pub limits_enforced: Option<bool>,
}

/// What something costs beside so many others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    /// What those are.
    pub beside: String,
    /// How many.
    pub count: u64,
    /// What is done; or what is counted, in a unit that it names.
    pub name: String,
    /// Instructions, unless the name says otherwise.
    pub value: u64,
}

impl Row {
    /// What a row is about, as keys of an experiment.
    pub const KEYS: [&str; 5] = ["operation", "from", "to", "words", "isolation"];

    /// The same as a row of an experiment, without figures yet.
    pub fn experiment_row(&self, platform: &str) -> figures::Row {
        let isolation = self.isolation.as_deref();
        // What requests ask for is a number, as which it is to be compared.
        let each = self.name.split_once(", ").and_then(|(name, each)| Some((name, each.strip_suffix(" each")?)));
        let asked = each.and_then(|(name, each)| Some((name, each.parse().ok()?)));
        let (operation, words) = asked.unwrap_or((self.name.as_str(), self.words));
        figures::Row::new(platform, Limits::of(isolation, self.limits_enforced == Some(true)))
            .key("operation", operation)
            .key("from", self.from.as_str())
            .key("to", self.to.as_str())
            .key("words", words)
            .key("isolation", isolation.unwrap_or("-"))
    }

    /// Whether both are about the same operation.
    pub fn same_as(&self, other: &Self) -> bool {
        self.same_but_isolation(other) && self.isolation == other.isolation
    }

    /// Whether both are about the same operation, possibly in different isolation modes.
    pub fn same_but_isolation(&self, other: &Self) -> bool {
        (&self.name, &self.from, &self.to, self.words) == (&other.name, &other.from, &other.to, other.words)
    }
}

/// Puts the rows of the free run, of the instruction-counting run and of the run that counts switches together, in the free run's order,
/// but with the isolation modes of one operation beside each other.
///
/// Ticks are the free run's only: while the time-stamp counter counts instructions there are none.
pub fn merge(free: Vec<Row>, counted: Vec<Row>, switches: Vec<Row>) -> Vec<Row> {
    let mut rows = free;
    for other in counted.into_iter().chain(switches) {
        match rows.iter_mut().find(|row| row.same_as(&other)) {
            Some(row) => {
                row.instructions = other.instructions.or(row.instructions.take());
                row.user_instructions = other.user_instructions.or(row.user_instructions.take());
                row.cr3_writes = other.cr3_writes.or(row.cr3_writes.take());
                row.segment_loads = other.segment_loads.or(row.segment_loads.take());
                row.limits_enforced = row.limits_enforced.or(other.limits_enforced);
            }
            None => rows.push(Row { ticks: None, ..other }),
        }
    }
    let place = |row: &Row| rows.iter().position(|first| first.same_but_isolation(row));
    let places: Vec<_> = rows.iter().map(place).collect();
    let mut placed: Vec<_> = places.into_iter().zip(rows).collect();
    // Stable: rows of one operation keep their order.
    placed.sort_by_key(|(place, _)| *place);
    placed.into_iter().map(|(_, row)| row).collect()
}

/// A row as the JSON file has it: the fields of [`Row`] and where the figures come from.
#[derive(Debug, Serialize)]
pub struct Measured<'a> {
    #[serde(flatten)]
    row: &'a Row,
    platform: &'a str,
    accelerator: &'a str,
    /// In place of the row's own, which may be missing: what was not shown to be enforced is not.
    limits_enforced: bool,
    /// A word for who reads nothing else: the figures are of a run in which small tasks were not confined in `segment` mode.
    mark: Option<&'static str>,
}

impl<'a> Measured<'a> {
    /// A row with its origin.
    pub fn new(row: &'a Row, platform: &'a str, accelerator: &'a str) -> Self {
        let limits_enforced = row.limits_enforced == Some(true);
        Self { row, platform, accelerator, limits_enforced, mark: (!limits_enforced).then_some(UNENFORCED) }
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A row with nothing measured.
    pub fn row(name: &str, words: u32, isolation: Option<&str>) -> Row {
        let isolation = isolation.map(|isolation| format!("\"{isolation}\"")).unwrap_or("null".into());
        let json = format!(
            r#"{{"name":"{name}","from":"small","to":"host","words":{words},"isolation":{isolation},"limits_enforced":false}}"#
        );
        serde_json::from_str(&json).unwrap()
    }

    #[test]
    fn each_run_gives_its_part() {
        let free = vec![Row { ticks: Some(900.into()), ..row("call", 4, Some("page")) }, row("signal", 0, None)];
        let counted = vec![
            Row { instructions: Some(120.into()), ticks: Some(1.into()), ..row("call", 4, Some("page")) },
            Row { instructions: Some(99.into()), ticks: Some(1.into()), ..row("call", 4, Some("segment")) },
        ];
        let switches = vec![Row { cr3_writes: Some(1.into()), ..row("call", 4, Some("page")) }];
        let rows = merge(free, counted, switches);
        assert_eq!((&rows[0].cr3_writes, &rows[1].cr3_writes), (&Some(1.into()), &None));
        assert_eq!(rows.len(), 3);
        assert_eq!((&rows[0].ticks, &rows[0].instructions), (&Some(900.into()), &Some(120.into())));
        assert_eq!((&rows[1].ticks, &rows[1].instructions), (&None, &Some(99.into())));
        assert_eq!(rows[2].name, "signal", "modes of one operation stand together");
    }

    #[test]
    fn json_has_every_key_once() {
        let row = row("call", 4, None);
        let text = serde_json::to_string(&Measured::new(&row, "QEMU 7.2", "tcg")).unwrap();
        for key in [
            "name",
            "from",
            "to",
            "words",
            "isolation",
            "instructions",
            "user_instructions",
            "ticks",
            "ticks_min",
            "ticks_p90",
            "ticks_p99",
            "cr3_writes",
            "segment_loads",
            "counted_instructions",
            "core_cycles",
            "data_walks",
            "code_walks",
            "cache_misses",
            "platform",
            "accelerator",
            "limits_enforced",
            "mark",
        ] {
            assert_eq!(text.matches(&format!("\"{key}\":")).count(), 1, "{key} in {text}");
        }
    }
}
