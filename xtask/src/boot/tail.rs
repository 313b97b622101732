//! Files that the emulator writes, read while it does.

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How often it is looked whether there is more to read, or the emulator has ended.
pub const PAUSE: Duration = Duration::from_millis(20);

/// Whether who writes has ended.
#[derive(Clone, Debug, Default)]
pub struct Writer(Arc<AtomicBool>);

impl Writer {
    /// It has: nothing more will be written.
    pub fn end(&self) {
        self.0.store(true, Ordering::Release);
    }
}

/// A file that somebody else is still writing: its end is the end only once that one has ended.
pub struct Tail {
    path: PathBuf,
    file: Option<File>,
    writer: Writer,
}

impl Tail {
    /// Of this file, which may not be there yet.
    pub fn new(path: PathBuf, writer: &Writer) -> Self {
        Self { path, file: None, writer: writer.clone() }
    }
}

impl Read for Tail {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            // What was written before the end is there when the end is seen, so the flag is looked at first.
            let ended = self.writer.0.load(Ordering::Acquire);
            if self.file.is_none() {
                self.file = File::open(&self.path).ok();
            }
            let count = self.file.as_mut().map_or(Ok(0), |file| file.read(buffer))?;
            if count > 0 || ended {
                return Ok(count);
            }
            std::thread::sleep(PAUSE);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_tail_goes_on_until_its_writer_has_ended() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("serial");
        let writer = Writer::default();
        let mut tail = Tail::new(path.clone(), &writer);
        let reader = std::thread::spawn(move || {
            let mut text = String::new();
            tail.read_to_string(&mut text).map(|_| text)
        });
        let mut file = File::create(&path).unwrap();
        for piece in ["one\n", "tw", "o\n"] {
            file.write_all(piece.as_bytes()).unwrap();
            std::thread::sleep(2 * PAUSE);
        }
        writer.end();
        assert_eq!(reader.join().unwrap().unwrap(), "one\ntwo\n");
    }
}
