//! The boot configuration: lines of `key = value`.
//!
//! `#` begins a comment, empty lines are passed over, and spaces around key and value don't count. A key stands once, and
//! consists of lower-case letters, digits, `-` and `_`.

use core::fmt;

#[cfg(test)]
mod tests;

/// How many keys a configuration can have.
pub const MAX_KEYS: usize = 64;

/// A configuration.
#[derive(Clone, Debug)]
pub struct Config<'a> {
    settings: [(&'a str, &'a str); MAX_KEYS],
    count: usize,
}

/// What is wrong with a configuration, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// It is not UTF-8.
    NotText,
    /// It has no `=`.
    NoEqualsSign,
    /// The key is empty or has other characters than a key may have.
    BadKey,
    /// There is nothing after the `=`.
    NoValue,
    /// The key stood in an earlier line.
    Duplicate,
    /// There are more than [`MAX_KEYS`] keys.
    TooMany,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.problem {
            Problem::NotText => "is not UTF-8",
            Problem::NoEqualsSign => "is not of the form `key = value`",
            Problem::BadKey => "has a key that is not made of a-z, 0-9, `-` and `_`",
            Problem::NoValue => "has no value",
            Problem::Duplicate => "has a key that stands in an earlier line already",
            Problem::TooMany => "is one key too many",
        };
        write!(f, "configuration: line {} {what}", self.line)
    }
}

impl core::error::Error for ConfigError {}

/// A value that is not what its key wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ValueError<'a> {
    /// The key.
    pub key: &'a str,
    /// The value.
    pub value: &'a str,
    /// What it should have been.
    pub expected: Expected<'a>,
}

/// What a value should have been.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected<'a> {
    /// A number, decimal or after `0x` hexadecimal.
    Number,
    /// One of these words.
    OneOf(&'a [&'a str]),
}

impl fmt::Display for ValueError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "configuration: `{} = {}`: expected ", self.key, self.value)?;
        match self.expected {
            Expected::Number => f.write_str("a number"),
            Expected::OneOf(words) => {
                f.write_str("one of")?;
                words.iter().try_for_each(|word| write!(f, " `{word}`"))
            }
        }
    }
}

impl core::error::Error for ValueError<'_> {}

impl<'a> Config<'a> {
    /// Reads a configuration.
    pub fn parse(text: &'a [u8]) -> Result<Self, ConfigError> {
        let mut config = Self { settings: [("", ""); MAX_KEYS], count: 0 };
        for (line, bytes) in (1..).zip(text.split(|byte| *byte == b'\n')) {
            config.read_line(bytes).map_err(|problem| ConfigError { line, problem })?;
        }
        Ok(config)
    }

    fn read_line(&mut self, bytes: &'a [u8]) -> Result<(), Problem> {
        let line = str::from_utf8(bytes).map_err(|_| Problem::NotText)?;
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            return Ok(());
        }
        let (key, value) = line.split_once('=').ok_or(Problem::NoEqualsSign)?;
        let (key, value) = (key.trim_end(), value.trim_start());
        let in_key = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
        if key.is_empty() || !key.bytes().all(in_key) {
            return Err(Problem::BadKey);
        }
        if value.is_empty() {
            return Err(Problem::NoValue);
        }
        if self.get(key).is_some() {
            return Err(Problem::Duplicate);
        }
        *self.settings.get_mut(self.count).ok_or(Problem::TooMany)? = (key, value);
        self.count += 1;
        Ok(())
    }

    /// All keys with their values, in their order.
    pub fn settings(&self) -> impl Iterator<Item = (&'a str, &'a str)> + '_ {
        self.settings.iter().take(self.count).copied()
    }

    /// The value of a key, if it is set.
    pub fn get(&self, key: &str) -> Option<&'a str> {
        self.settings().find(|setting| setting.0 == key).map(|setting| setting.1)
    }

    /// The value of a key that wants a number, decimal or after `0x` hexadecimal.
    pub fn number<'k>(&self, key: &'k str) -> Result<Option<u64>, ValueError<'k>>
    where
        'a: 'k,
    {
        let Some(value) = self.get(key) else { return Ok(None) };
        let (digits, radix) = value.strip_prefix("0x").map_or((value, 10), |digits| (digits, 16));
        // The standard library takes a sign as well.
        let plain = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = u64::from_str_radix(digits, radix).ok().filter(|_| plain);
        number.map(Some).ok_or(ValueError { key, value, expected: Expected::Number })
    }

    /// The value of a key that wants one of a few words.
    pub fn choice<'k>(&self, key: &'k str, words: &'k [&'k str]) -> Result<Option<&'k str>, ValueError<'k>>
    where
        'a: 'k,
    {
        let Some(value) = self.get(key) else { return Ok(None) };
        let found = words.iter().find(|word| **word == value);
        found.map(|word| Some(*word)).ok_or(ValueError { key, value, expected: Expected::OneOf(words) })
    }

    /// Whether a key that wants `yes` or `no` says `yes`. One that is not set says `no`.
    pub fn flag<'k>(&self, key: &'k str) -> Result<bool, ValueError<'k>>
    where
        'a: 'k,
    {
        Ok(self.choice(key, &["yes", "no"])? == Some("yes"))
    }

    /// The words of a value that has several, without the spaces around them. None where the key is not set.
    pub fn words(&self, key: &str, separator: char) -> impl Iterator<Item = &'a str> + use<'a> {
        let value = self.get(key).unwrap_or_default();
        value.split(separator).map(str::trim).filter(|word| !word.is_empty())
    }

    /// The first key that is none of these: most likely a slip of the pen.
    pub fn unknown(&self, known: &[&str]) -> Option<&'a str> {
        self.settings().map(|setting| setting.0).find(|key| !known.contains(key))
    }
}
