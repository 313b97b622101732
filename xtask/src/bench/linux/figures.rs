//! What the program prints, read.

use anyhow::{Context, Result, bail};

use crate::linux::Architecture;

/// What its lines begin with.
const MARK: &str = "bench|";

/// An operation, and what it costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figure {
    /// The operation.
    pub name: String,
    /// What it costs, or Linux's number of the error that the system says instead of doing it.
    pub cost: Result<Cost, u32>,
}

/// Counts of instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// The median.
    pub median: u64,
    /// The least.
    pub least: u64,
    /// How often it was done.
    pub rounds: u64,
}

/// Reads what programs printed one after the other, among whatever else there is.
pub fn read(text: &str) -> Result<Vec<(Architecture, Vec<Figure>)>> {
    let mut programs: Vec<(Architecture, Vec<Figure>)> = Vec::new();
    for line in text.lines().filter_map(|line| Some(line.trim_end().split_once(MARK)?.1)) {
        let fields: Vec<_> = line.split('|').collect();
        match *fields {
            ["architecture", word] => {
                let architecture = Architecture::ALL.into_iter().find(|architecture| architecture.word() == word);
                programs.push((architecture.with_context(|| format!("there is no architecture {word}"))?, Vec::new()));
            }
            [name, ..] => {
                let cost = cost(&fields[1..]).with_context(|| format!("`{line}` is no figure"))?;
                let (_, figures) = programs.last_mut().context("a figure came before the architecture")?;
                figures.push(Figure { name: name.to_owned(), cost });
            }
            [] => bail!("`{line}` is no figure"),
        }
    }
    Ok(programs)
}

fn cost(fields: &[&str]) -> Option<Result<Cost, u32>> {
    match *fields {
        ["absent", error] => Some(Err(error.parse().ok()?)),
        [median, least, rounds] => {
            Some(Ok(Cost { median: median.parse().ok()?, least: least.parse().ok()?, rounds: rounds.parse().ok()? }))
        }
        _ => None,
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A figure with this median.
    pub fn figure(name: &str, median: u64) -> Figure {
        Figure { name: name.to_owned(), cost: Ok(Cost { median, least: median - 1, rounds: 9 }) }
    }

    #[test]
    fn figures_belong_to_the_program_before_them() {
        let text = "[  1.2] booting\r\nbench|architecture|i386\r\nbench|getpid|350|349|9\r\nnoise\r\n\
                    x\x1bbench|architecture|amd64\nbench|pipe round trip|absent|38\n";
        let read = read(text).unwrap();
        let absent = Figure { name: "pipe round trip".into(), cost: Err(38) };
        assert_eq!(read[0], (Architecture::I386, vec![figure("getpid", 350)]));
        assert_eq!(read[1], (Architecture::Amd64, vec![absent]));
        assert_eq!(read.len(), 2);
    }

    #[test]
    fn what_is_no_figure_is_an_error() {
        for line in
            ["getpid|1|1|1", "architecture|m68k", "architecture|i386\nbench|a|1", "architecture|i386\nbench|a|x|1|1"]
        {
            assert!(read(&format!("bench|{line}\n")).is_err(), "{line}");
        }
        assert_eq!(read("nothing of it\n").unwrap(), []);
    }
}
