//! A small shell: reads commands from the console, and asks the root task, its parent, to carry them out.
//!
//! [`command`] reads a line; [`request`] is what the shell and its parent say to each other.

pub mod command;
pub mod request;

use core::fmt;

use lilliput_abi::object::{fact, kind};
use lilliput_abi::{Error, Isolation, Rights};

use crate::demo::DEMOS;
use crate::disk::{self, DiskError};
use crate::machine::Machine;
use crate::message::Word;
use crate::object::{Endpoint, Frames, Notification, System, Task};
use crate::trial::kit::SCRATCH;
use crate::{console, parent, place};
use command::Command;
use request::{Bits, TaskLine};

/// Bytes of a line that are read.
const LINE: usize = 256;

macro_rules! out {
    ($kernel:ident, $($argument:tt)*) => {
        console::print::<$kernel>(format_args!($($argument)*))
    };
}

/// Runs until it is told to end, or nobody types any more.
///
/// # Errors
/// What the kernel says.
pub fn run<K: Machine>() -> Result<(), Error> {
    out!(K, "This is Lilliput. Type help for what can be done here.\n");
    loop {
        out!(K, "> ");
        let mut line = [0; LINE];
        let Some(length) = console::read_line::<K>(&mut line)? else { return Ok(()) };
        match command::parse(core::str::from_utf8(&line[..length]).unwrap_or_default()) {
            Ok(Command::Nothing) => {}
            Ok(Command::Exit) => return Ok(()),
            Ok(Command::Help) => help::<K>(),
            Ok(Command::Tasks) => tasks::<K>()?,
            Ok(Command::Memory) => memory::<K>()?,
            Ok(Command::Machine) => machine::<K>()?,
            Ok(Command::Sector(number)) => sector::<K>(number),
            Ok(Command::Run { demo, wide }) => start::<K>(demo, wide)?,
            Err(complaint) => out!(K, "{complaint}\n"),
        }
    }
}

fn help<K: Machine>() {
    out!(K, "help            this\n");
    out!(K, "tasks           all tasks, and what they have used\n");
    out!(K, "memory          page frames\n");
    out!(K, "machine         what the kernel found out about it\n");
    out!(K, "run NAME        starts a demonstration in a small task; with 64 after it, in a 64-bit one\n");
    for demo in DEMOS {
        out!(K, "    {:<12}{}\n", demo.name, demo.about);
    }
    out!(K, "sector N        shows a sector of the disk\n");
    out!(K, "exit            ends the machine\n");
    out!(K, "Keys: backspace, ^W (word), ^U (line), ^C (ends a demonstration), ^D (exit)\n");
}

fn tasks<K: Machine>() -> Result<(), Error> {
    out!(K, "  number name             kind   isolation      user ms  kernel ms   switches\n");
    for number in 0.. {
        let answer = parent::endpoint::<K>().request(request::TASK, &[number])?;
        let Some(TaskLine { id, kind, isolation, user, kernel, switches, name }) = TaskLine::read(&answer) else {
            break;
        };
        let isolation = Isolation::from_number(isolation as u64).filter(|_| kind as u64 == kind::SMALL);
        let isolation = isolation.map_or("-", Isolation::name);
        out!(K, "  {id:>6} {:<16} {:<6} {isolation:<13}", Name(&name), kind::name(kind as u64));
        out!(K, " {user:>8} {kernel:>10} {switches:>10}\n");
    }
    Ok(())
}

struct Name<'a>(&'a [u8]);

impl fmt::Display for Name<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        let length = self.0.iter().position(|&byte| byte == 0).unwrap_or(self.0.len());
        formatter.pad(core::str::from_utf8(&self.0[..length]).unwrap_or("?"))
    }
}

fn memory<K: Machine>() -> Result<(), Error> {
    const FRAMES_PER_MEBIBYTE: u64 = 256;
    let free = System::<K>::at(place::SYSTEM).fact(fact::FREE_FRAMES)?;
    let usage = parent::endpoint::<K>().request(request::MEMORY, &[])?;
    out!(K, "{free} page frames free, {} MiB\n", free / FRAMES_PER_MEBIBYTE);
    out!(K, "{} of {} page frames in use by tasks and their tables\n", usage.words[0], usage.words[1]);
    Ok(())
}

fn machine<K: Machine>() -> Result<(), Error> {
    let fact = |number| System::<K>::at(place::SYSTEM).fact(number);
    let khz = fact(fact::TSC_KHZ)?;
    let enforced = if fact(fact::LIMITS_ENFORCED)? == 1 { "enforced" } else { "not enforced" };
    let auto = Isolation::from_number(fact(fact::AUTO_ISOLATION)?).map_or("?", Isolation::name);
    let entry = ["int", "syscall", "sysenter"].get(fact(fact::COMPAT_ENTRY)? as usize).copied().unwrap_or("?");
    out!(K, "time-stamp counter at {}.{:03} MHz, {} CPU(s)\n", khz / 1000, khz % 1000, fact(fact::CPUS)?);
    out!(K, "segment limits {enforced}: isolation auto means {auto}; 32-bit programs enter by {entry}\n");
    out!(K, "{} CR3 writes and {} segment loads since boot\n", fact(fact::CR3_WRITES)?, fact(fact::SEGMENT_LOADS)?);
    Ok(())
}

/// Shows a sector, 16 bytes a line, and says what is wrong where it can't.
fn sector<K: Machine>(number: u64) {
    match read_sector::<K>(number) {
        Ok(()) => {}
        Err(DiskError::Call(Error::BadCapability)) => {
            out!(K, "there is no disk; cargo xtask run --interactive --disk FILE\n")
        }
        Err(DiskError::Refused) => out!(K, "the disk has no such sector\n"),
        Err(error) => out!(K, "the disk does not answer: {error:?}\n"),
    }
}

fn read_sector<K: Machine>(number: u64) -> Result<(), DiskError> {
    let server = Endpoint::<K>::at(place::SERVER);
    disk::request(server, disk::READ, &disk::sectors(number, 1))?;
    let (task, frames) = (Task::<K>::at(place::TASK), Frames::<K>::at(place::FRAMES));
    task.map(frames, SCRATCH, 0, 1, Rights::READ).map_err(DiskError::Call)?;
    for line in (0..disk::SECTOR).step_by(16) {
        out!(K, "{line:03x} ");
        for place in (line..line + 16).step_by(4) {
            let [a, b, c, d] = K::peek(SCRATCH + place).to_le_bytes();
            out!(K, " {a:02x} {b:02x} {c:02x} {d:02x}");
        }
        out!(K, "\n");
    }
    task.unmap(SCRATCH, 1).map_err(DiskError::Call)
}

/// Runs a demonstration until it ends or ^C ends it.
fn start<K: Machine>(demo: Word, wide: bool) -> Result<(), Error> {
    let bell = Notification::<K>::at(place::NOTIFICATION);
    // A ^C from before is not meant for it.
    let _ = bell.poll();
    let answer = parent::endpoint::<K>().request(request::START, &[demo, usize::from(wide)])?;
    if answer.label() != 0 {
        out!(K, "it could not be started\n");
        return Ok(());
    }
    loop {
        let bits = Bits::from_bits_truncate(bell.wait()? as u32);
        if bits.contains(Bits::ENDED) {
            return Ok(());
        }
        if bits.contains(Bits::BREAK) {
            parent::endpoint::<K>().request(request::KILL, &[])?;
            out!(K, "ended by ^C\n");
            return Ok(());
        }
    }
}
