//! What a Linux program writes to its standard output and error, passed on as it comes.

use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;
use std::process;
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result};

use super::tail::{Tail, Writer};
use crate::machine::serial;

/// The status of a program that writes where nobody reads any more: as if by SIGPIPE.
const BROKEN_PIPE: i32 = 128 + 13;

/// Both streams, until the boot has ended.
pub struct Streams {
    writer: Writer,
    threads: Vec<JoinHandle<()>>,
}

impl Streams {
    /// Passes on what a boot in this folder, about to begin, will write to its second and third port.
    pub fn pass_on(folder: &Path) -> Result<Self> {
        let writer = Writer::default();
        let sinks: [(&str, Box<dyn Write + Send>); 2] =
            [(serial::OUTPUT, Box::new(io::stdout())), (serial::ERRORS, Box::new(io::stderr()))];
        let mut threads = Vec::new();
        for (name, sink) in sinks {
            let file = folder.join(name);
            // What an earlier boot has left is not this one's.
            if file.exists() {
                fs::remove_file(&file).with_context(|| format!("can't remove {}", file.display()))?;
            }
            let tail = Tail::new(file, &writer);
            threads.push(thread::spawn(move || {
                if copy(tail, sink).is_err() {
                    // The emulator ends with this process.
                    process::exit(BROKEN_PIPE);
                }
            }));
        }
        Ok(Self { writer, threads })
    }

    /// Passes on what is left, once the boot has ended.
    pub fn finish(self) {
        self.writer.end();
        for thread in self.threads {
            // One that panicked has said so.
            let _ = thread.join();
        }
    }
}

/// Copies each piece as it comes: it is not for a buffer to wait for more. An error is one of writing; at one of reading the stream ends.
fn copy(mut from: impl Read, mut to: impl Write) -> io::Result<()> {
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        to.write_all(&buffer[..count])?;
        to.flush()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Gone;

    impl Write for Gone {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn every_byte_is_passed_on() {
        let bytes: Vec<u8> = (0..20_000).map(|number: u32| number as u8).collect();
        let mut copied = Vec::new();
        copy(&bytes[..], &mut copied).unwrap();
        assert_eq!(copied, bytes);
        assert!(copy(&bytes[..], Gone).is_err());
        assert!(copy(&b""[..], Gone).is_ok());
    }

    #[test]
    fn leftovers_are_nobodys_output() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(serial::OUTPUT);
        fs::write(&file, "old").unwrap();
        let streams = Streams::pass_on(folder.path()).unwrap();
        assert!(!file.exists());
        streams.finish();
    }
}
