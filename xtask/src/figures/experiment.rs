//! An experiment: what its rows mean, and the rows.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use super::{Key, Row};

/// An experiment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Experiment {
    /// Its name, by which it is known again in other files.
    pub name: String,
    /// A line for people.
    pub title: String,
    /// The question that it answers.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub question: String,
    /// What was done, in some sentences.
    pub about: String,
    /// The command that does it again.
    pub command: String,
    /// What the figures leave out, or take for granted.
    #[serde(default)]
    pub leaves_out: Vec<String>,
    /// Names of the keys, in the order of columns.
    pub keys: Vec<String>,
    /// The figures' columns, in order.
    pub columns: Vec<Column>,
    /// Plots.
    #[serde(default)]
    pub plots: Vec<Plot>,
    /// The rows.
    pub rows: Vec<Row>,
}

/// A column of figures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Unit of its figures.
    pub unit: String,
    /// How one comes by them.
    pub how: How,
}

/// How one comes by a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum How {
    /// It was counted: exactly, and the same each time.
    Counted,
    /// It was measured, as by a clock.
    Measured,
    /// A model made it of counts.
    Modelled,
}

/// A plot of some rows: one for each combination of values of the keys in `panels`, beside each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plot {
    /// A line for people.
    pub title: String,
    /// Lines or bars.
    pub shape: Shape,
    /// Keys whose values, together, lie along the axis that goes to the right (of bars: down).
    pub x: Vec<String>,
    /// Columns whose figures lie along the other: of bars on top of each other.
    pub y: Vec<String>,
    /// Keys whose values have a line or a bar each.
    #[serde(default)]
    pub series: Vec<String>,
    /// Keys whose values have a plot each.
    #[serde(default)]
    pub panels: Vec<String>,
    /// Of keys, the values that are shown; of others all are.
    #[serde(default)]
    pub only: BTreeMap<String, Vec<Key>>,
    /// How figures are spaced.
    #[serde(default)]
    pub scale: Scale,
}

/// What a plot consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Shape {
    /// Lines through points; the values of `x` are spaced evenly.
    Lines,
    /// Bars.
    Bars,
}

/// How figures are spaced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scale {
    /// Evenly.
    #[default]
    Linear,
    /// By their magnitude.
    Log,
}

/// What the counting plugin and `xtask/model` do not see or know: see `kernel64/docs/measuring.md`.
const MODEL_LEAVES_OUT: [&str; 5] = [
    "Modelled cycles are so many plain instructions, special instructions, TLB misses, walks and lines, each times a price, which is a range: the usual sum, and the sums of \
     all lower and all upper ends. Prices have their sources in xtask/model/src/processor; some are assumed.",
    "Tags: what is written to CR3 is not seen. An entry of a TLB is found where page and frame are the same; two spaces that share a frame at one address share an entry.",
    "A walk has one price: its accesses do not go through the caches. There is no third level of cache, no prefetching, no branch prediction and no store buffer.",
    "Which pages are large or global is known of the kernel's, not seen; the user's are taken for small ones.",
    "The Duron has neither a 64-bit mode nor SYSENTER nor tags: its rows are this code as if it had the mode.",
];

impl Experiment {
    /// One without rows.
    pub fn new(name: &str, title: &str, keys: &[&str]) -> Self {
        Self {
            name: name.to_owned(),
            title: title.to_owned(),
            question: String::new(),
            about: String::new(),
            command: String::new(),
            leaves_out: Vec::new(),
            keys: keys.iter().map(|&key| key.to_owned()).collect(),
            columns: Vec::new(),
            plots: Vec::new(),
            rows: Vec::new(),
        }
    }

    /// With the question that it answers.
    pub fn question(mut self, question: &str) -> Self {
        self.question = question.to_owned();
        self
    }

    /// With what was done, and the command that does it again.
    pub fn about(mut self, about: &str, command: &str) -> Self {
        (self.about, self.command) = (about.to_owned(), command.to_owned());
        self
    }

    /// With something that its figures leave out.
    pub fn without(mut self, what: &str) -> Self {
        self.leaves_out.push(what.to_owned());
        self
    }

    /// With what the model of the counting plugin leaves out.
    pub fn modelled_by_the_plugin(self) -> Self {
        MODEL_LEAVES_OUT.into_iter().fold(self, Self::without)
    }

    /// With a column.
    pub fn column(mut self, name: &str, unit: &str, how: How) -> Self {
        self.columns.push(Column { name: name.to_owned(), unit: unit.to_owned(), how });
        self
    }

    /// With a plot.
    pub fn plot(mut self, plot: Plot) -> Self {
        self.plots.push(plot);
        self
    }

    /// With these rows.
    pub fn rows(mut self, rows: impl IntoIterator<Item = Row>) -> Self {
        self.rows.extend(rows);
        self
    }

    /// An error where a row or a plot has what is not declared, where a row lacks a key, or where two rows are about the same.
    pub fn check(&self) -> Result<()> {
        self.check_all().with_context(|| format!("experiment `{}`", self.name))
    }

    fn check_all(&self) -> Result<()> {
        let is_column = |name: &String| self.columns.iter().any(|column| column.name == *name);
        for (place, row) in self.rows.iter().enumerate() {
            let keys = row.keys.keys().all(|key| self.keys.contains(key)) && row.keys.len() == self.keys.len();
            ensure!(keys, "row {place} has the keys {:?}, the experiment {:?}", row.keys.keys(), self.keys);
            let unknown = row.figures.keys().find(|name| !is_column(name));
            ensure!(unknown.is_none(), "row {place} has figures {unknown:?}, of which there is no column");
        }
        let mut cases: Vec<_> = self.rows.iter().map(|row| (&row.platform, &row.keys)).collect();
        cases.sort();
        let twice = cases.windows(2).find(|pair| pair[0] == pair[1]);
        ensure!(twice.is_none(), "two rows are about {:?}", twice.map(|pair| pair[0]));
        for plot in &self.plots {
            let keys = plot.x.iter().chain(&plot.series).chain(&plot.panels).chain(plot.only.keys());
            let unknown =
                keys.into_iter().find(|key| !self.keys.contains(key)).or(plot.y.iter().find(|name| !is_column(name)));
            ensure!(unknown.is_none(), "the plot `{}` is of {unknown:?}, which is not declared", plot.title);
            ensure!(!plot.x.is_empty() && !plot.y.is_empty(), "the plot `{}` has no axes", plot.title);
        }
        Ok(())
    }
}

impl Plot {
    /// A plot of these keys and columns.
    pub fn new(title: &str, shape: Shape, x: &[&str], y: &[&str]) -> Self {
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let (series, panels, only) = (Vec::new(), Vec::new(), BTreeMap::new());
        Self { title: title.to_owned(), shape, x: owned(x), y: owned(y), series, panels, only, scale: Scale::Linear }
    }

    /// With a line or a bar for each value of these keys.
    pub fn series(mut self, keys: &[&str]) -> Self {
        self.series.extend(keys.iter().map(|&key| key.to_owned()));
        self
    }

    /// With a plot for each value of these keys.
    pub fn panels(mut self, keys: &[&str]) -> Self {
        self.panels.extend(keys.iter().map(|&key| key.to_owned()));
        self
    }

    /// With rows only that have one of these values.
    pub fn only<K: Into<Key>>(mut self, key: &str, values: impl IntoIterator<Item = K>) -> Self {
        self.only.insert(key.to_owned(), values.into_iter().map(Into::into).collect());
        self
    }

    /// With figures spaced by their magnitude.
    pub fn log(mut self) -> Self {
        self.scale = Scale::Log;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::super::Limits;
    use super::*;

    fn experiment() -> Experiment {
        let row = Row::new("QEMU", Limits::NotUsed).key("pages", 4_u64).figure("cycles", 7.5);
        Experiment::new("touch", "Touching", &["pages"]).column("cycles", "cycles", How::Modelled).rows([row])
    }

    #[test]
    fn what_is_declared_is_what_there_is() {
        let good = experiment().plot(Plot::new("a", Shape::Lines, &["pages"], &["cycles"]).log());
        good.check().unwrap();
        let json = serde_json::to_string(&good).unwrap();
        assert_eq!(serde_json::from_str::<Experiment>(&json).unwrap(), good);
        let row = || good.rows[0].clone();
        let bad = [
            Experiment { columns: Vec::new(), ..good.clone() },
            Experiment { keys: vec!["pages".into(), "mode".into()], ..good.clone() },
            Experiment { keys: vec!["kib".into()], ..good.clone() },
            good.clone().rows([row()]),
            good.clone().rows([row().key("pages", 5_u64).figure("walks", 1)]),
            good.clone().plot(Plot::new("b", Shape::Bars, &["mode"], &["cycles"])),
            good.clone().plot(Plot::new("b", Shape::Bars, &["pages"], &["walks"])),
            good.clone().plot(Plot::new("b", Shape::Bars, &["pages"], &["cycles"]).only("mode", ["page"])),
        ];
        assert!(bad.iter().all(|experiment| experiment.check().is_err()));
        good.clone().rows([Row { platform: "Bochs".into(), ..row() }]).check().unwrap();
    }
}
