//! The boot archive: files in the ustar format.
//!
//! The crate `tar-no-std` reads it. It checks every header (checksum, type, size against the archive's end) before
//! it hands out the first file, so that what it hands out lies in the archive; the tests here hold it to that
//! with damaged archives. It refuses GNU's long names, and skips what is not a regular file.

use core::fmt;

use tar_no_std::{CorruptDataError, TarArchiveRef, TarFormatString};

#[cfg(test)]
mod tests;

/// Longest name: folders, a slash, and the name itself.
const NAME_BYTES: usize = 256;

/// An archive whose headers were all found good.
#[derive(Clone, Debug)]
pub struct Archive<'a>(TarArchiveRef<'a>);

/// Why bytes are no archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchiveError(CorruptDataError);

impl fmt::Display for ArchiveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "boot archive: {}", self.0)
    }
}

impl core::error::Error for ArchiveError {}

/// A file of the archive.
#[derive(Clone, Copy, Debug)]
pub struct File<'a> {
    name: TarFormatString<NAME_BYTES>,
    data: &'a [u8],
}

impl<'a> Archive<'a> {
    /// Checks an archive.
    pub fn new(bytes: &'a [u8]) -> Result<Self, ArchiveError> {
        TarArchiveRef::new(bytes).map(Self).map_err(ArchiveError)
    }

    /// Its regular files, in their order.
    pub fn files(&self) -> impl Iterator<Item = File<'a>> + use<'a> {
        self.0.entries().map(|entry| File { name: entry.filename(), data: entry.data() })
    }

    /// The contents of a file. Where there are several of this name the last one counts, as `tar` has it.
    pub fn find(&self, name: &str) -> Option<&'a [u8]> {
        self.files().filter(|file| file.name() == Some(name)).last().map(|file| file.data())
    }
}

impl<'a> File<'a> {
    /// Its name with folders, unless that is no UTF-8.
    pub fn name(&self) -> Option<&str> {
        self.name.as_str().ok()
    }

    /// Its contents.
    pub const fn data(&self) -> &'a [u8] {
        self.data
    }
}
