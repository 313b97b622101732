//! One boot in Bochs: as in QEMU, but that the serial port is a file and the exit code a line.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use lilliput_abi::boot::exit;

use super::{Ending, Listener, Report, Show, output};
use crate::machine::bochs::{Bochs, SERIAL, Screen};
use crate::process::KilledOnDrop;

/// How often it is looked whether there is more to read, or the emulator has ended.
const PAUSE: Duration = Duration::from_millis(20);

/// What the kernel prints before it ends a machine that has no status to end with.
const LAST_WORDS: &str = "halted with exit code 0x";

/// A boot to be done.
pub struct BochsBoot<'a> {
    /// The machine.
    pub machine: Bochs,
    /// The disk image, for BIOS.
    pub image: &'a Path,
    /// Folder for this boot's files.
    pub folder: &'a Path,
    /// How long it may last.
    pub limit: Duration,
    /// Which of the guest's lines are passed on while they come.
    pub show: Show,
}

impl BochsBoot<'_> {
    /// Boots, and returns when the emulator has ended, which it does in time in any case.
    pub fn run(&self) -> Result<Report> {
        fs::create_dir_all(self.folder).with_context(|| format!("can't make {}", self.folder.display()))?;
        let screen = Screen::start()?;
        let mut command = self.machine.command(self.image, self.folder, &screen)?;
        let console = self.folder.join("emulator.log");
        let file = File::create(&console).with_context(|| format!("can't write {}", console.display()))?;
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        let mut emulator = KilledOnDrop::spawn(&mut command).context("can't start Bochs")?;
        let ended = Arc::new(AtomicBool::new(false));
        let tail = Tail { path: self.folder.join(SERIAL), file: None, ended: Arc::clone(&ended) };
        let (sender, lines) = mpsc::channel();
        // The thread ends with the stream, at the latest when the flag is set.
        std::thread::spawn(move || output::read(tail, |line| sender.send(line).is_ok()));
        let mut listener = Listener::new(self.folder.join("serial.log"), self.show)?;
        let deadline = Instant::now() + self.limit;
        let status = loop {
            listener.take_until(&lines, Instant::now() + PAUSE);
            if let Some(status) = emulator.try_wait()? {
                break Some(status);
            }
            if Instant::now() >= deadline {
                break None;
            }
        };
        drop(emulator);
        ended.store(true, Ordering::Release);
        listener.take_until(&lines, Instant::now() + super::GRACE);
        let ending = match (exit_code(&listener), status) {
            (Some(exit::SUCCESS), _) => Ending::Success,
            (Some(code), _) => Ending::Exit(code),
            (None, Some(status)) => {
                let messages = fs::read_to_string(&console).unwrap_or_default();
                let last = messages.lines().rev().find(|line| !line.trim().is_empty());
                Ending::Emulator(format!("{status}: {}", last.unwrap_or("it gave no reason").trim()))
            }
            (None, None) => {
                Ending::TimedOut { limit: self.limit, stood: "a place unknown".to_owned(), answered: false }
            }
        };
        Ok(listener.report(ending))
    }
}

/// The code in the kernel's last words.
fn exit_code(listener: &Listener) -> Option<u32> {
    listener.last_lines.iter().rev().find_map(|line| {
        let (_, rest) = line.split_once(LAST_WORDS)?;
        let digits = rest.split(|character: char| !character.is_ascii_hexdigit()).next()?;
        u32::from_str_radix(digits, 16).ok()
    })
}

/// A file that somebody else is still writing: its end is the end only once that one has ended.
struct Tail {
    path: PathBuf,
    file: Option<File>,
    ended: Arc<AtomicBool>,
}

impl Read for Tail {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            // What was written before the end is there when the end is seen, so the flag is looked at first.
            let ended = self.ended.load(Ordering::Acquire);
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
    fn the_last_words_are_the_status() {
        let folder = tempfile::tempdir().unwrap();
        let mut listener = Listener::new(folder.path().join("log"), Show::Nothing).unwrap();
        listener.take("[  1.234] halted".to_owned());
        assert_eq!(exit_code(&listener), None);
        listener.take("[  1.234] halted with exit code 0x11: the machine can be switched off".to_owned());
        assert_eq!(exit_code(&listener), Some(exit::FAILURE));
    }

    #[test]
    fn a_tail_goes_on_until_its_writer_has_ended() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("serial");
        let ended = Arc::new(AtomicBool::new(false));
        let mut tail = Tail { path: path.clone(), file: None, ended: Arc::clone(&ended) };
        let reader = std::thread::spawn(move || {
            let mut text = String::new();
            tail.read_to_string(&mut text).map(|_| text)
        });
        let mut file = File::create(&path).unwrap();
        for piece in ["one\n", "tw", "o\n"] {
            file.write_all(piece.as_bytes()).unwrap();
            std::thread::sleep(2 * PAUSE);
        }
        ended.store(true, Ordering::Release);
        assert_eq!(reader.join().unwrap().unwrap(), "one\ntwo\n");
    }
}
