//! An experiment's rows as text.

use super::Experiment;
use crate::report::text_table;

impl Experiment {
    /// A heading, and a line for each row.
    pub fn text(&self) -> String {
        let mut heading = self.keys.clone();
        heading.extend(self.columns.iter().map(|column| match column.unit == column.name {
            true => column.name.clone(),
            false => format!("{} [{}]", column.name, column.unit),
        }));
        heading.extend(["limits", "platform"].map(str::to_owned));
        let lines = self.rows.iter().map(|row| {
            let absent = || "-".to_owned();
            let key = |key| row.keys.get(key).map_or_else(absent, ToString::to_string);
            let figure = |name| row.figures.get(name).map_or_else(absent, ToString::to_string);
            let mut cells: Vec<_> = self.keys.iter().map(key).collect();
            cells.extend(self.columns.iter().map(|column| figure(&column.name)));
            cells.extend([row.limits.word().to_owned(), row.platform.clone()]);
            cells
        });
        text_table([heading].into_iter().chain(lines).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{How, Limits, Row};
    use super::*;

    #[test]
    fn units_and_limits_stand_with_the_figures() {
        let row = |pages: u64| Row::new("QEMU", Limits::Unenforced).key("pages", pages);
        let experiment = Experiment::new("touch", "Touching", &["pages"])
            .column("call", "cycles", How::Modelled)
            .rows([row(4).figure("call", 1250), row(16)]);
        let text = experiment.text();
        let lines: Vec<_> = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).collect();
        assert_eq!(lines[0], ["pages", "call", "[cycles]", "limits", "platform"]);
        assert_eq!(lines[2], ["4", "1,250", "UNENFORCED", "QEMU"]);
        assert_eq!(lines[3], ["16", "-", "UNENFORCED", "QEMU"]);
    }
}
