//! Why a scenario could not go on, in words for the person who reads the log.

use alloc::format;
use alloc::string::String;
use core::fmt;

use lilliput_abi::Error;

/// A failure that ends the boot.
#[derive(Debug)]
pub struct Failure(pub String);

impl Failure {
    /// A failure in these words.
    pub fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Says what was being done when the kernel returned an error.
pub fn context<T>(result: Result<T, Error>, doing: impl fmt::Display) -> Result<T, Failure> {
    result.map_err(|error| Failure(format!("{doing}: {}", error.name())))
}
