//! Reading files of figures.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

use super::{Figures, log, records};

impl Figures {
    /// Reads a file in the scheme, or one of the lists of records that `bench --json` and `bench linux --json` write.
    pub fn read(file: &Path) -> Result<Self> {
        let text = fs::read_to_string(file).with_context(|| format!("can't read {}", file.display()))?;
        Self::parse(&text).with_context(|| format!("{}", file.display()))
    }

    /// Reads what came out of the serial port of a machine that printed the table of cycles. Such a log may have bytes in it that are no text.
    /// The name that somebody gave the machine stands before what the log says of it.
    pub fn read_log(file: &Path, name: Option<&str>) -> Result<Self> {
        let bytes = fs::read(file).with_context(|| format!("can't read {}", file.display()))?;
        Self::parse_log(&String::from_utf8_lossy(&bytes), name).with_context(|| format!("{}", file.display()))
    }

    /// The figures in such a log.
    pub fn parse_log(log: &str, name: Option<&str>) -> Result<Self> {
        Self::checked(Self { experiments: log::experiments(log, name)? })
    }

    /// The figures in a file's text.
    pub fn parse(text: &str) -> Result<Self> {
        let value: Value = serde_json::from_str(text).context("it is no JSON")?;
        let figures = match value {
            Value::Array(records) => records::experiment(records)?.into(),
            other => serde_json::from_value(other).context("it is not in the scheme of figures")?,
        };
        Self::checked(figures)
    }

    fn checked(figures: Self) -> Result<Self> {
        figures.check()?;
        Ok(figures)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_understood_is_refused() {
        for text in [
            "",
            "{",
            "{}",
            "3",
            "[]",
            r#"[{"name":"call"}]"#,
            r#"{"experiments":[],"other":1}"#,
            r#"{"experiments":[{"name":"a"}]}"#,
        ] {
            assert!(Figures::parse(text).is_err(), "{text}");
        }
        assert_eq!(Figures::parse(r#"{"experiments":[]}"#).unwrap(), Figures::default());
    }
}
