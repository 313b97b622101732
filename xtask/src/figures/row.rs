//! A row of figures: of one case on one platform.

use std::collections::BTreeMap;
use std::fmt;

use lilliput_abi::boot::UNENFORCED;
use lilliput_model::processor::Cycles;
use serde::{Deserialize, Serialize, Serializer};

/// A row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// Where the figures come from: emulator and processor model, or the processor itself.
    pub platform: String,
    /// Whether small tasks were confined.
    pub limits: Limits,
    /// What the row is about: a value for each key of the experiment.
    pub keys: BTreeMap<String, Key>,
    /// Figures by their columns; what was not measured is not there.
    pub figures: BTreeMap<String, Figure>,
}

/// What the platform of a row begins with that nothing was run for.
pub const NO_MACHINE: &str = "no machine";

/// Whether segment limits confined the small tasks that took part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Limits {
    /// They did.
    #[serde(rename = "enforced")]
    Enforced,
    /// Small tasks were to be confined by them, and this platform checks none: cost, not confinement.
    #[serde(rename = "UNENFORCED")]
    Unenforced,
    /// Nobody was to be confined by them.
    #[serde(rename = "not used")]
    NotUsed,
}

/// A key's value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Key {
    /// A number.
    Number(u64),
    /// A word.
    Word(String),
}

/// A figure: one number, or a usual one with its range.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Figure {
    /// A number.
    Exact(f64),
    /// A number that is not known better than its range.
    Range {
        /// The lower end.
        low: f64,
        /// What is usual.
        usual: f64,
        /// The upper end.
        high: f64,
    },
}

impl Row {
    /// A row without keys and figures yet.
    pub fn new(platform: &str, limits: Limits) -> Self {
        Self { platform: platform.to_owned(), limits, keys: BTreeMap::new(), figures: BTreeMap::new() }
    }

    /// With this value of a key.
    pub fn key(mut self, key: &str, value: impl Into<Key>) -> Self {
        self.keys.insert(key.to_owned(), value.into());
        self
    }

    /// With this figure.
    pub fn figure(mut self, column: &str, figure: impl Into<Figure>) -> Self {
        self.figures.insert(column.to_owned(), figure.into());
        self
    }

    /// With this figure, if there is one.
    pub fn figure_if(self, column: &str, figure: Option<impl Into<Figure>>) -> Self {
        match figure {
            Some(figure) => self.figure(column, figure),
            None => self,
        }
    }

    /// Whether both are about the same case on the same platform.
    pub fn same_as(&self, other: &Self) -> bool {
        (&self.platform, &self.keys) == (&other.platform, &other.keys)
    }

    /// Whether it has this value of this key.
    pub fn is(&self, key: &str, value: impl Into<Key>) -> bool {
        self.keys.get(key) == Some(&value.into())
    }

    /// Values of some keys in one line.
    pub fn values<'a>(&self, keys: impl IntoIterator<Item = &'a String>) -> String {
        let values = keys.into_iter().filter_map(|key| self.keys.get(key)).map(ToString::to_string);
        values.collect::<Vec<_>>().join(", ")
    }
}

impl Limits {
    /// Of figures of a boot on a platform that enforces limits or not, where small tasks take part in this isolation mode.
    pub fn of(isolation: Option<&str>, enforced: bool) -> Self {
        match (isolation, enforced) {
            (Some("segment"), true) => Self::Enforced,
            (Some("segment"), false) => Self::Unenforced,
            _ => Self::NotUsed,
        }
    }

    /// Its word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Enforced => "enforced",
            Self::Unenforced => UNENFORCED,
            Self::NotUsed => "not used",
        }
    }
}

impl Figure {
    /// The number, the usual one of a range.
    pub const fn usual(self) -> f64 {
        match self {
            Self::Exact(usual) | Self::Range { usual, .. } => usual,
        }
    }

    /// The lower end.
    pub const fn low(self) -> f64 {
        match self {
            Self::Exact(low) | Self::Range { low, .. } => low,
        }
    }

    /// The upper end.
    pub const fn high(self) -> f64 {
        match self {
            Self::Exact(high) | Self::Range { high, .. } => high,
        }
    }
}

impl From<u64> for Key {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<u32> for Key {
    fn from(number: u32) -> Self {
        Self::Number(number.into())
    }
}

impl From<&str> for Key {
    fn from(word: &str) -> Self {
        Self::Word(word.to_owned())
    }
}

impl From<String> for Key {
    fn from(word: String) -> Self {
        Self::Word(word)
    }
}

impl From<u64> for Figure {
    fn from(number: u64) -> Self {
        Self::Exact(number as f64)
    }
}

impl From<f64> for Figure {
    fn from(number: f64) -> Self {
        Self::Exact(rounded(number))
    }
}

impl From<Cycles> for Figure {
    fn from(Cycles { low, usual, high }: Cycles) -> Self {
        let [low, usual, high] = [low, usual, high].map(rounded);
        Self::Range { low, usual, high }
    }
}

/// Figures have four digits, or as many as are in front of the point: no experiment knows more. What is whole stays so.
fn rounded(number: f64) -> f64 {
    if number == 0.0 || number.fract() == 0.0 {
        // Never a zero with a sign.
        return number + 0.0;
    }
    let behind = (3 - number.abs().log10().floor() as i32).clamp(0, 4);
    let scale = 10_f64.powi(behind);
    (number * scale).round() / scale + 0.0
}

/// A number as people read it: rounded, thousands apart.
pub fn shown(number: f64) -> String {
    let text = format!("{}", rounded(number).abs());
    let (whole, fraction) = text.split_once('.').map_or((&*text, None), |(whole, fraction)| (whole, Some(fraction)));
    let mut grouped = String::new();
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let sign = if rounded(number) < 0.0 { "-" } else { "" };
    let fraction = fraction.map_or(String::new(), |fraction| format!(".{fraction}"));
    format!("{sign}{grouped}{fraction}")
}

/// A size in the largest unit of which it is a whole number.
pub fn bytes(size: u64) -> String {
    let [kib, mib] = [1 << 10, 1 << 20].map(|unit| (size > 0 && size.is_multiple_of(unit)).then(|| size / unit));
    match (mib, kib) {
        (Some(mib), _) => format!("{mib} MiB"),
        (_, Some(kib)) => format!("{kib} KiB"),
        _ => format!("{size} B"),
    }
}

impl fmt::Display for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(formatter),
            Self::Word(word) => word.fmt(formatter),
        }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Exact(number) => shown(number).fmt(formatter),
            Self::Range { low, usual, high } => {
                write!(formatter, "{} ({} to {})", shown(usual), shown(low), shown(high))
            }
        }
    }
}

/// A count without a point behind it.
#[derive(Serialize)]
#[serde(untagged)]
enum Written {
    Whole(i64),
    Broken(f64),
}

impl From<f64> for Written {
    fn from(number: f64) -> Self {
        const EXACT: f64 = (1_u64 << 53) as f64;
        match number.fract() == 0.0 && number.abs() < EXACT {
            true => Self::Whole(number as i64),
            false => Self::Broken(number),
        }
    }
}

impl Serialize for Figure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Range {
            low: Written,
            usual: Written,
            high: Written,
        }
        match *self {
            Self::Exact(number) => Written::from(number).serialize(serializer),
            Self::Range { low, usual, high } => {
                Range { low: low.into(), usual: usual.into(), high: high.into() }.serialize(serializer)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_shown_and_written_short() {
        assert_eq!(shown(1_251_932.0), "1,251,932");
        assert_eq!(
            [-1234.567, 41.256, -0.98765, -0.000_01, 0.5].map(shown),
            ["-1,235", "41.26", "-0.9877", "0", "0.5"]
        );
        let json = |figure: Figure| serde_json::to_string(&figure).unwrap();
        assert_eq!((json(Figure::from(42)), json(Figure::from(0.333_333))), ("42".into(), "0.3333".into()));
        let range = Figure::from(Cycles { low: -1.0, usual: 2.5, high: 3.0 });
        assert_eq!(json(range), r#"{"low":-1,"usual":2.5,"high":3}"#);
        assert_eq!(serde_json::from_str::<Figure>(&json(range)).unwrap(), range);
        assert_eq!(range.to_string(), "2.5 (-1 to 3)");
    }

    #[test]
    fn limits_are_about_segments_only() {
        assert_eq!(Limits::of(Some("segment"), false).word(), "UNENFORCED");
        assert_eq!(Limits::of(Some("segment"), true), Limits::Enforced);
        assert_eq!((Limits::of(Some("page"), false), Limits::of(None, true)), (Limits::NotUsed, Limits::NotUsed));
    }
}
