//! The boot archive: a plain ustar file whose bytes depend on its contents only.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// A ustar archive in the making.
pub struct Archive(tar::Builder<Vec<u8>>);

impl Archive {
    /// One without files.
    pub fn new() -> Self {
        Self(tar::Builder::new(Vec::new()))
    }

    /// Adds a file.
    pub fn add(&mut self, name: &str, contents: &[u8]) -> Result<()> {
        let mut header = tar::Header::new_ustar();
        header.set_path(name).with_context(|| format!("`{name}` can't be a name in the boot archive"))?;
        header.set_size(contents.len() as u64);
        // No times and no owners, so that the same contents give the same archive.
        header.set_mode(0o644);
        header.set_mtime(0);
        header.set_uid(0);
        header.set_gid(0);
        header.set_cksum();
        self.0.append(&header, contents)?;
        Ok(())
    }

    /// The archive's bytes.
    pub fn into_bytes(self) -> Result<Vec<u8>> {
        Ok(self.0.into_inner()?)
    }

    /// Writes the archive to a file.
    pub fn write(self, file: &Path) -> Result<()> {
        let bytes = self.into_bytes()?;
        fs::write(file, bytes).with_context(|| format!("can't write {}", file.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Vec<u8> {
        let mut archive = Archive::new();
        archive.add("boot.cfg", b"scenario = tests\n").unwrap();
        archive.add("32/hello", &[7; 1000]).unwrap();
        archive.into_bytes().unwrap()
    }

    #[test]
    fn is_reproducible_ustar() {
        let bytes = sample();
        assert_eq!(bytes, sample());
        assert_eq!(bytes.get(257..263), Some(&b"ustar\0"[..]));
        assert_eq!(bytes.len() % 512, 0);
    }

    #[test]
    fn reads_back() {
        let bytes = sample();
        let mut archive = tar::Archive::new(&bytes[..]);
        let names: Vec<_> =
            archive.entries().unwrap().map(|entry| entry.unwrap().path().unwrap().display().to_string()).collect();
        assert_eq!(names, ["boot.cfg", "32/hello"]);
    }

    #[test]
    fn refuses_names_that_leave_the_archive() {
        assert!(Archive::new().add("../boot.cfg", b"").is_err());
    }
}
