//! One boot in Bochs: as in QEMU, but that the serial port is a file and the exit code a line.

use std::fs::{self, File};
use std::path::Path;
use std::process::Stdio;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use lilliput_abi::boot::exit;

use super::tail::{PAUSE, Tail, Writer};
use super::{Ending, Listener, Report, Show, output};
use crate::machine::bochs::{Bochs, Screen};
use crate::machine::serial;
use crate::process::KilledOnDrop;

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
        let writer = Writer::default();
        let tail = Tail::new(self.folder.join(serial::FIRST), &writer);
        let (sender, lines) = mpsc::channel();
        // The thread ends with the stream, at the latest when its writer has ended.
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
        writer.end();
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

#[cfg(test)]
mod tests {
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
}
