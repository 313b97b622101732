//! What the server is to run, from the boot archive: one program, or lines for a shell one after another.

use alloc::string::ToString;
use alloc::vec::Vec;

use lilliput_linux::{Counter, End, Start, Way};
use lilliput_runtime::{Word, parent};
use lilliput_user64::Native;
use syscalls::Errno;

/// Parameters that the parent sets. Of files the first is where it begins in the archive, the next is its length.
pub use lilliput_runtime::linux::parameter;
use lilliput_runtime::linux::result;

/// All there is to do.
pub struct Work {
    tree: &'static [u8],
    /// What programs read as their input.
    pub input: &'static [u8],
    arguments: Vec<Vec<u8>>,
    /// What programs find as their environment.
    pub environment: Vec<Vec<u8>>,
    lines: &'static [u8],
    /// Seconds that each may run; 0 for as long as it likes.
    pub seconds: u64,
    /// How many servers died before this one.
    pub deaths: Word,
    /// Whether there is a disk.
    pub has_disk: bool,
}

/// One program to run.
pub struct Job {
    /// What its output is marked by; empty for the only one.
    pub mark: &'static [u8],
    /// Its arguments.
    pub arguments: Vec<Vec<u8>>,
}

impl Work {
    /// Reads what the parent names.
    pub fn read(archive: &'static [u8]) -> Self {
        let number = |number| parent::parameter::<Native>(number).unwrap_or(0);
        let file = |first: Word| {
            let (start, length) = (number(first), number(first + 1));
            archive.get(start..start.saturating_add(length)).unwrap_or_default()
        };
        let mut arguments = strings(file(parameter::ARGUMENTS));
        arguments.extend(number(parameter::NUMBER).checked_sub(1).map(|number| number.to_string().into_bytes()));
        Self {
            tree: file(parameter::TREE),
            input: file(parameter::INPUT),
            arguments,
            environment: strings(file(parameter::ENVIRONMENT)),
            lines: file(parameter::LINES),
            seconds: number(parameter::SECONDS) as u64,
            deaths: number(parameter::DEATHS),
            has_disk: number(parameter::DISK) != 0,
        }
    }

    /// What a server begins with.
    pub fn start(&self) -> Start {
        let number = |number| parent::parameter::<Native>(number).unwrap_or(0);
        Start {
            tree: self.tree,
            date: number(parameter::DATE) as u64,
            features: number(parameter::FEATURES) as u32,
            way: Way::from_number(number(parameter::WAY)),
            counter: self.counter(),
            seed: number(parameter::SEED) as u64,
            terminal: Some(number(parameter::TERMINAL))
                .filter(|&size| size != 0)
                .map(|size| ((size >> 16) as u16, size as u16)),
        }
    }

    /// What the kernel's clock is.
    pub fn counter(&self) -> Counter {
        let number = |number| parent::parameter::<Native>(number).unwrap_or(0) as u64;
        Counter { start: number(parameter::COUNTER), kilohertz: number(parameter::COUNTER + 1).max(1) }
    }

    /// The programs, in order.
    pub fn jobs(&self) -> impl Iterator<Item = Job> + '_ {
        let one = (!self.arguments.is_empty()).then(|| Job { mark: b"", arguments: self.arguments.clone() });
        let lines = self.lines.split(|&byte| byte == b'\n').filter_map(|line| {
            let at = line.iter().position(|&byte| byte == b'|')?;
            let arguments = [&b"/bin/sh"[..], b"-c", &line[at + 1..]].map(<[u8]>::to_vec);
            Some(Job { mark: &line[..at], arguments: arguments.to_vec() })
        });
        one.into_iter().chain(lines)
    }
}

/// Strings that end with a zero each.
fn strings(bytes: &[u8]) -> Vec<Vec<u8>> {
    let bytes = bytes.strip_suffix(&[0]).unwrap_or(bytes);
    if bytes.is_empty() { Vec::new() } else { bytes.split(|&byte| byte == 0).map(<[u8]>::to_vec).collect() }
}

/// What became of a program.
pub enum Outcome {
    /// It ended.
    Ended(End),
    /// It took too long.
    Overtime(u64),
    /// It was not started.
    Refused(Errno),
}

/// Tells the parent what became of a program.
pub fn tell(number: usize, outcome: &Outcome) {
    let (kind, code) = match *outcome {
        Outcome::Ended(End::Exit(code)) => (result::EXIT, code.into()),
        Outcome::Ended(End::Signal(signal)) => (result::SIGNAL, signal.into()),
        Outcome::Overtime(seconds) => (result::OVERTIME, seconds as Word),
        Outcome::Refused(error) => {
            parent::explain::<Native>(format_args!("{}", error.description().unwrap_or("unknown error")));
            (result::REFUSED, error.into_raw() as Word)
        }
    };
    // Nobody else can be told that it failed.
    let _ = parent::result::<Native>(&[number, kind, code]);
}
