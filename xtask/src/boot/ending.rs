//! How a boot ended, and how to say so.

use std::process::ExitStatus;
use std::time::Duration;

use lilliput_abi::boot::exit;

use crate::build::Symbols;

/// How a boot ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// All went well.
    Success,
    /// The guest ended itself with one of its exit codes, or another.
    Exit(u32),
    /// The machine reset, which the guest never asks for.
    Reset,
    /// The emulator gave up; its last words.
    Emulator(String),
    /// The person at the terminal ended it.
    Escaped,
    /// The watchdog ended it.
    TimedOut {
        /// The time it had.
        limit: Duration,
        /// Where the processors stood.
        stood: String,
        /// Whether the kernel gave its own report.
        answered: bool,
    },
}

impl Ending {
    /// From the emulator's exit status and its messages.
    pub fn of(status: ExitStatus, messages: &str) -> Self {
        // `isa-debug-exit` makes an odd status of every code; 1 is QEMU's own.
        match status.code() {
            Some(0) => Self::Reset,
            Some(code) if code > 1 && code % 2 == 1 => match (code as u32 - 1) / 2 {
                exit::SUCCESS => Self::Success,
                other => Self::Exit(other),
            },
            _ => {
                let last = messages.lines().rev().find(|line| !line.trim().is_empty());
                Self::Emulator(format!("{status}: {}", last.unwrap_or("it gave no reason")))
            }
        }
    }

    /// What went wrong, if something did.
    pub fn complaint(&self) -> Option<String> {
        let text = match self {
            Self::Success | Self::Escaped => return None,
            Self::Exit(exit::FAILURE) => "the guest reports failure".to_owned(),
            Self::Exit(exit::PANIC) => "the kernel panicked".to_owned(),
            Self::Exit(exit::DEADLOCK) => "every thread waits for another, for ever".to_owned(),
            Self::Exit(exit::UNSUPPORTED) => "the processor lacks something that the kernel needs".to_owned(),
            Self::Exit(code) => format!("the guest ended with the unknown code {code:#x}"),
            Self::Reset => "the machine reset, as after a triple fault".to_owned(),
            Self::Emulator(reason) => format!("the emulator ended early ({reason})"),
            Self::TimedOut { limit, stood, answered } => {
                let silence = if *answered { "" } else { " and did not answer the watchdog" };
                format!("no end after {} s; it stood at {stood}{silence}", limit.as_secs())
            }
        };
        Some(text)
    }
}

/// A place in the program, as well as it can be named.
pub fn place(address: u64, symbols: &Symbols) -> String {
    const UPPER_HALF: u64 = 1 << 63;
    match symbols.at(address) {
        Some(name) => format!("{address:#x} ({name})"),
        None if address < UPPER_HALF => format!("{address:#x} (not in the kernel)"),
        None => format!("{address:#x}"),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    fn of(code: i32) -> Ending {
        Ending::of(ExitStatus::from_raw(code << 8), "first\nlast words\n\n")
    }

    #[test]
    fn statuses_have_meanings() {
        assert_eq!(of(33), Ending::Success);
        assert_eq!(of(35), Ending::Exit(exit::FAILURE));
        assert_eq!(of(37).complaint().as_deref(), Some("the kernel panicked"));
        assert_eq!(of(41), Ending::Exit(exit::UNSUPPORTED));
        assert_eq!(of(0), Ending::Reset);
        assert!(of(1).complaint().unwrap().contains("last words"));
        assert!(matches!(Ending::of(ExitStatus::from_raw(9), ""), Ending::Emulator(_)));
    }

    #[test]
    fn a_time_out_says_where_it_stood() {
        let ending = Ending::TimedOut {
            limit: Duration::from_secs(5),
            stood: place(0x1234, &Symbols::default()),
            answered: false,
        };
        let text = ending.complaint().unwrap();
        assert!(text.contains("5 s") && text.contains("0x1234 (not in the kernel)"), "{text}");
    }
}
