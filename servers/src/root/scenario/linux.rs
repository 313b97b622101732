//! Linux programs: their server, and what became of them.

use alloc::format;
use alloc::string::String;

use lilliput_abi::Rights;
use lilliput_abi::boot::{ARCHIVE_ADDRESS, capability};
use lilliput_runtime::linux::{parameter, port, result};
use lilliput_runtime::{Endpoint, Word, place};
use lilliput_user64::Native;

use crate::failure::{Failure, context};
use crate::output::say;
use crate::settings::Settings;
use crate::spawn::Space;
use crate::supervisor::{Ending, Supervisor};
use crate::{DEVICES, FACTORY};

/// The server answers before its programs run.
const SERVER_PRIORITY: u8 = 32;
/// The ports of programs' output and errors.
const PORTS: [(u32, u16); 2] = [(place::linux::OUTPUT, port::OUTPUT), (place::linux::ERRORS, port::ERRORS)];
const PORT_COUNT: u32 = 8;
/// Objects and frames beside the pool that the server and its processes can have.
const OBJECTS: usize = 4096;
const EXTRA_FRAMES: usize = 28 << 10;
/// Places of its table of capabilities.
const PLACES: Word = 2048;
/// The folder of the archive that says what to run.
const FOLDER: &str = "linux";

/// Runs what the archive's folder names.
pub fn run(supervisor: &mut Supervisor, settings: &Settings) -> Result<(), Failure> {
    let endpoint: Endpoint<Native> = context(FACTORY.create_endpoint(), "the Linux server's endpoint")?;
    let pool = context(FACTORY.create_frames(settings.linux_pages), "memory for Linux programs")?;
    let factory =
        context(FACTORY.create_factory(settings.linux_pages + EXTRA_FRAMES, OBJECTS), "a factory for Linux programs")?;
    let arena = context(FACTORY.create_arena(), "an arena for Linux programs")?;
    let server = supervisor.create_for("linux", Space::Host(arena), PLACES)?;
    supervisor.load(server, "linux")?;
    let child = supervisor.child_mut(server);
    child.grant(place::SERVICE, endpoint.place(), Rights::all(), 0)?;
    child.grant(place::TASK, child.task.place(), Rights::SEND, 0)?;
    child.grant(place::FRAMES, pool.place(), Rights::READ | Rights::WRITE | Rights::EXECUTE, 0)?;
    child.grant(place::linux::FACTORY, factory.place(), Rights::all(), 0)?;
    child.grant(place::linux::ARENA, arena.place(), Rights::all(), 0)?;
    child.grant(place::linux::ARCHIVE, capability::ARCHIVE, Rights::READ, 0)?;
    for (place, first) in PORTS {
        let ports = context(FACTORY.create_ports(DEVICES, first, PORT_COUNT), "a serial port for Linux programs")?;
        child.grant(place, ports.place(), Rights::SEND, 0)?;
    }
    // An interrupt that waits for keys keeps the kernel from telling a deadlock: so it is there only if somebody types.
    if settings.linux_terminal != 0 {
        let interrupt = context(FACTORY.create_interrupt(DEVICES, port::OUTPUT_LINE), "the terminal's interrupt")?;
        let interrupted = context(FACTORY.create_notification(), "a notification of the terminal's")?;
        context(interrupt.bind(interrupted, 1), "binding the terminal's interrupt")?;
        child.grant(place::linux::INTERRUPT, interrupt.place(), Rights::SEND, 0)?;
        child.grant(place::linux::INTERRUPTED, interrupted.place(), Rights::RECEIVE, 0)?;
    }
    for (number, name) in [
        (parameter::TREE, "tree.cpio"),
        (parameter::ARGUMENTS, "arguments"),
        (parameter::ENVIRONMENT, "environment"),
        (parameter::INPUT, "stdin"),
        (parameter::LINES, "lines"),
    ] {
        // What is not there is empty.
        if let Ok(file) = supervisor.programs.file(&format!("{FOLDER}/{name}")) {
            let parameters = &mut supervisor.child_mut(server).parameters;
            parameters.insert(number, file.as_ptr() as Word - ARCHIVE_ADDRESS as Word);
            parameters.insert(number + 1, file.len());
        }
    }
    let parameters = &mut supervisor.child_mut(server).parameters;
    parameters.insert(parameter::ISOLATION, settings.isolation as Word);
    parameters.insert(parameter::SECONDS, settings.linux_seconds);
    parameters.insert(parameter::TERMINAL, settings.linux_terminal);
    parameters.insert(parameter::DATE, settings.date as Word);
    parameters.insert(parameter::FEATURES, features() as Word);
    parameters.insert(parameter::SEED, settings.seeds[0] as Word);
    let archive_pages = supervisor.programs.archive_pages;
    supervisor.child_mut(server).start(SERVER_PRIORITY, [settings.linux_pages, archive_pages])?;
    let lines = supervisor.programs.file(&format!("{FOLDER}/lines")).unwrap_or_default();
    watch(supervisor, server, lines)
}

/// The processor's features, as CPUID has them in EDX of leaf 1.
fn features() -> u32 {
    core::arch::x86_64::__cpuid(1).edx
}

/// Says what became of each program, until the server has done all.
fn watch(supervisor: &mut Supervisor, server: crate::supervisor::Id, lines: &[u8]) -> Result<(), Failure> {
    let mut told = 0;
    loop {
        let child = supervisor.child(server);
        if let Some(&[number, kind, code, _]) = child.results.get(told) {
            told += 1;
            let outcome = match kind {
                result::EXIT => format!("exit {code}"),
                result::SIGNAL => format!("signal {code}"),
                result::OVERTIME => format!("overtime {code}"),
                _ => format!("refused {code} {}", child.text),
            };
            match name(lines, number) {
                Some(name) => say!("@line {name} {outcome}"),
                None => say!("@linux {outcome}"),
            }
            continue;
        }
        match child.ending {
            Some(Ending::Exit(0)) => return Ok(()),
            Some(ending) => return Err(Failure::new(format!("the Linux server: {ending} {}", child.text))),
            None => drop(supervisor.step()?),
        }
    }
}

/// The name of a line; none where there are no lines.
fn name(lines: &[u8], number: usize) -> Option<String> {
    let mut names = lines.split(|&byte| byte == b'\n').filter_map(|line| {
        let at = line.iter().position(|&byte| byte == b'|')?;
        Some(String::from_utf8_lossy(&line[..at]).into_owned())
    });
    names.nth(number)
}
