//! What changed between two files of figures.

use super::{Column, Experiment, Figure, Figures, Row};
use crate::report::text_table;

/// A figure that is not the same in both.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The experiment's name.
    pub experiment: String,
    /// The row, in a line.
    pub row: String,
    /// Where the figures come from.
    pub platform: String,
    /// The figure's column, with its unit.
    pub column: String,
    /// The old figure, if there was one.
    pub old: Option<Figure>,
    /// The new one, if there is one.
    pub new: Option<Figure>,
}

impl Change {
    /// All rows of an experiment on a platform that is not in the other figures at all.
    fn whole(experiment: &Experiment, platform: &str, what: &str) -> Self {
        let row = match of_platform(experiment, platform).count() {
            1 => format!("its only row: {what}"),
            count => format!("all {count} rows: {what}"),
        };
        let (experiment, platform) = (experiment.name.clone(), platform.to_owned());
        Self { experiment, row, platform, column: "-".to_owned(), old: None, new: None }
    }

    /// By how many per cent the usual figure grew.
    pub fn percent(&self) -> Option<f64> {
        let (old, new) = (self.old?.usual(), self.new?.usual());
        (old != 0.0).then(|| (new - old) / old.abs() * 100.0)
    }

    /// Its cells, below [`HEADING`](Self::HEADING).
    pub fn cells(&self) -> [String; 7] {
        let figure = |figure: Option<Figure>| figure.map_or("-".to_owned(), |figure| figure.to_string());
        let percent = self.percent().map_or("-".to_owned(), |percent| format!("{percent:+.1} %"));
        let [experiment, row, column, platform] =
            [&self.experiment, &self.row, &self.column, &self.platform].map(Clone::clone);
        [experiment, row, column, figure(self.old), figure(self.new), percent, platform]
    }

    /// What the cells are.
    pub const HEADING: [&str; 7] = ["experiment", "row", "figure", "old", "new", "change", "platform"];

    /// A table of changes.
    pub fn text(changes: &[Self]) -> String {
        let lines = changes.iter().map(|change| change.cells().to_vec());
        text_table([Self::HEADING.map(str::to_owned).to_vec()].into_iter().chain(lines).collect())
    }
}

/// All that is not the same, in the order of the new file; what is not there any more comes last.
pub fn changes(old: &Figures, new: &Figures) -> Vec<Change> {
    let mut changes = Vec::new();
    for experiment in &new.experiments {
        for platform in experiment.platforms() {
            let rows = || of_platform(experiment, platform);
            match find(old, &experiment.name, platform) {
                None => changes.push(Change::whole(experiment, platform, "not in the old figures")),
                Some(before) => changes.extend(rows().flat_map(|row| {
                    let before = before.rows.iter().find(|other| other.same_as(row));
                    of_rows(experiment, before, Some(row))
                })),
            }
        }
    }
    for experiment in &old.experiments {
        for platform in experiment.platforms() {
            let rows = || of_platform(experiment, platform);
            match find(new, &experiment.name, platform) {
                None => changes.push(Change::whole(experiment, platform, "not in the new figures")),
                Some(now) => {
                    let gone = |row: &&Row| !now.rows.iter().any(|other| other.same_as(row));
                    changes.extend(rows().filter(gone).flat_map(|row| of_rows(experiment, Some(row), None)));
                }
            }
        }
    }
    changes
}

fn of_platform<'a>(experiment: &'a Experiment, platform: &str) -> impl Iterator<Item = &'a Row> {
    experiment.rows.iter().filter(move |row| row.platform == platform)
}

/// The experiment of that name, if it was done on the platform.
fn find<'a>(figures: &'a Figures, name: &str, platform: &str) -> Option<&'a Experiment> {
    let experiment = figures.find(name)?;
    of_platform(experiment, platform).next().is_some().then_some(experiment)
}

fn of_rows(experiment: &Experiment, old: Option<&Row>, new: Option<&Row>) -> Vec<Change> {
    let Some(row) = new.or(old) else { return Vec::new() };
    let differs = |Column { name, unit, .. }: &Column| {
        let figure = |row: Option<&Row>| row.and_then(|row| row.figures.get(name).copied());
        let (old, new) = (figure(old), figure(new));
        let column = if unit == name { name.clone() } else { format!("{name} [{unit}]") };
        let row_name = row.values(&experiment.keys);
        let (experiment, platform) = (experiment.name.clone(), row.platform.clone());
        (old != new).then_some(Change { experiment, row: row_name, platform, column, old, new })
    };
    experiment.columns.iter().filter_map(differs).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{How, Limits};
    use super::*;

    fn figures(rows: &[(u64, u64)]) -> Figures {
        let rows = rows
            .iter()
            .map(|&(pages, cycles)| Row::new("QEMU", Limits::NotUsed).key("pages", pages).figure("cycles", cycles));
        Experiment::new("touch", "Touching", &["pages"]).column("cycles", "cycles", How::Counted).rows(rows).into()
    }

    #[test]
    fn what_changed_is_shown_row_by_row() {
        let (old, new) = (figures(&[(1, 40), (4, 50), (16, 60)]), figures(&[(1, 42), (4, 50), (64, 70)]));
        assert_eq!(changes(&old, &old), []);
        let changes = changes(&old, &new);
        let cells: Vec<_> = changes.iter().map(|change| change.cells()[1..6].join("|")).collect();
        assert_eq!(cells, ["1|cycles|40|42|+5.0 %", "64|cycles|-|70|-", "16|cycles|60|-|-"]);
        assert!(Change::text(&changes).lines().nth(2).unwrap().contains("+5.0 %"));
    }

    #[test]
    fn an_experiment_that_is_new_or_gone_is_a_change() {
        let (none, some, more) = (Figures::default(), figures(&[(1, 40)]), figures(&[(1, 40), (2, 50)]));
        let rows = |old, new| changes(old, new).iter().map(|change| change.row.clone()).collect::<Vec<_>>();
        assert_eq!(rows(&none, &some), ["its only row: not in the old figures"]);
        assert_eq!(rows(&more, &none), ["all 2 rows: not in the new figures"]);
        let mut elsewhere = more.clone();
        elsewhere.experiments[0].rows.iter_mut().for_each(|row| row.platform = "Ryzen".into());
        let both = ["all 2 rows: not in the old figures", "all 2 rows: not in the new figures"];
        assert_eq!(rows(&more, &elsewhere), both, "another machine's");
    }
}
