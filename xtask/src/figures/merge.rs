//! Figures of several files, and so perhaps of several machines, together.

use anyhow::{Result, ensure};

use super::{Experiment, Figures, Limits, Row};

impl Figures {
    /// Adds another file's figures. Rows of one experiment stand together, each with its platform; the same row may be in both only if it has the same
    /// figures, since nobody could tell which ones are meant.
    pub fn merge(&mut self, more: Self) -> Result<()> {
        for experiment in more.experiments {
            match self.experiments.iter_mut().find(|own| own.name == experiment.name) {
                Some(own) => own.merge(experiment)?,
                None => self.experiments.push(experiment),
            }
        }
        Ok(())
    }

    /// Every platform that there is, in the order of rows.
    pub fn platforms(&self) -> Vec<&str> {
        platforms(self.experiments.iter().flat_map(|experiment| &experiment.rows))
    }
}

fn platforms<'a>(rows: impl Iterator<Item = &'a Row>) -> Vec<&'a str> {
    let mut platforms: Vec<&str> = Vec::new();
    for row in rows {
        if !platforms.contains(&&*row.platform) {
            platforms.push(&row.platform);
        }
    }
    platforms
}

impl Experiment {
    /// Every platform that has rows of it.
    pub fn platforms(&self) -> Vec<&str> {
        platforms(self.rows.iter())
    }

    /// Whether it has rows in `segment` mode of a platform that enforces no limits.
    pub fn is_unenforced(&self) -> bool {
        self.rows.iter().any(|row| row.limits == Limits::Unenforced)
    }

    fn merge(&mut self, other: Self) -> Result<()> {
        let name = &self.name;
        ensure!(
            self.keys == other.keys,
            "experiment `{name}`: the keys of one file are {:?}, of another {:?}",
            self.keys,
            other.keys
        );
        for column in other.columns {
            match self.columns.iter().find(|own| own.name == column.name) {
                Some(own) => {
                    ensure!(*own == column, "experiment `{name}`: {own:?} of one file is {column:?} in another")
                }
                None => self.columns.push(column),
            }
        }
        for row in other.rows {
            match self.rows.iter().find(|own| own.same_as(&row)) {
                Some(own) => ensure!(
                    *own == row,
                    "experiment `{name}`: two files have different figures of {} on {}; leave one out, or compare them by --compare",
                    row.values(&self.keys),
                    row.platform
                ),
                None => self.rows.push(row),
            }
        }
        let new = |own: &[String], what: &String| !own.contains(what);
        let leaves_out = other.leaves_out.into_iter().filter(|what| new(&self.leaves_out, what)).collect::<Vec<_>>();
        self.leaves_out.extend(leaves_out);
        let plots = other.plots.into_iter().filter(|plot| !self.plots.contains(plot)).collect::<Vec<_>>();
        self.plots.extend(plots);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::How;
    use super::*;

    fn figures(platform: &str, pages: u64, cycles: u64) -> Figures {
        let row = Row::new(platform, Limits::NotUsed).key("pages", pages).figure("cycles", cycles);
        Experiment::new("touch", "Touching", &["pages"]).column("cycles", "cycles", How::Measured).rows([row]).into()
    }

    #[test]
    fn machines_stand_beside_each_other() {
        let mut all = figures("QEMU", 1, 10);
        for more in [figures("Ryzen", 1, 7), figures("QEMU", 4, 12), figures("QEMU", 1, 10)] {
            all.merge(more).unwrap();
        }
        assert_eq!(all.platforms(), ["QEMU", "Ryzen"]);
        assert_eq!((all.experiments.len(), all.experiments[0].rows.len()), (1, 3));
        all.check().unwrap();
    }

    #[test]
    fn two_figures_of_one_row_are_refused() {
        let refused = figures("QEMU", 1, 10).merge(figures("QEMU", 1, 11)).unwrap_err();
        assert!(refused.to_string().contains("touch") && refused.to_string().contains("QEMU"), "{refused}");
        let mut other = figures("Ryzen", 1, 7);
        other.experiments[0].columns[0].unit = "ticks".into();
        assert!(figures("QEMU", 1, 10).merge(other).is_err());
    }
}
