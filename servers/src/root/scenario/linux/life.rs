//! A server of Linux programs, from its making to its end.

use alloc::format;
use alloc::vec::Vec;

use lilliput_abi::boot::{ARCHIVE_ADDRESS, capability};
use lilliput_abi::object::fact;
use lilliput_abi::{Error, Rights};
use lilliput_runtime::linux::{POOL_PART, POOL_PARTS, SERVER_PRIORITY, parameter, port, signal};
use lilliput_runtime::object::{Factory, Frames};
use lilliput_runtime::{Word, place};
use lilliput_user64::Native;

use super::served::Served;
use crate::failure::{Failure, context};
use crate::settings::Settings;
use crate::spawn::{Child, Space};
use crate::supervisor::{Id, Supervisor};
use crate::{DEVICES, FACTORY, SELF, SYSTEM};

/// The ports of programs' output and errors.
const PORTS: [(u32, u16); 2] = [(place::linux::OUTPUT, port::OUTPUT), (place::linux::ERRORS, port::ERRORS)];
const PORT_COUNT: u32 = 8;
/// Objects that the server and its processes can have.
const OBJECTS: usize = 4096;
/// Arenas beside the server's own that its processes can be in.
const FURTHER_ARENAS: usize = 64;
const PROGRAMS_FRAMES: usize = 40 << 10;
/// Frames that the root task keeps for itself where the machine's memory says how large the pool is; and the least that the pool is.
const KEPT_FRAMES: usize = 4 << 10;
const LEAST_POOL: usize = 8 << 10;
/// What is made beside them, at most: the pool and that factory themselves, endpoint, arena, ports, interrupt, notification, and the tables of these. In `segment` mode
/// the tables that map its programs are the arena's: 4 GiB take 2,052.
const OWN_OBJECTS: usize = 64 + POOL_PARTS;
const OWN_FRAMES: usize = 64 + 2052;
/// Places of its table of capabilities.
const PLACES: Word = 2048;
/// The folder of the archive that says what to run.
pub const FOLDER: &str = "linux";

/// A server that runs.
pub struct Life {
    /// Its number.
    pub server: Id,
    /// What made all that it and its programs have, but for its task.
    maker: Factory<Native>,
    /// What pays for its programs.
    programs: Factory<Native>,
    /// The root task's names of what was made.
    names: Vec<u32>,
    /// Its disk.
    disk: Option<Served>,
}

impl Life {
    /// Starts a server that runs these lines, after so many that died.
    pub fn begin(
        supervisor: &mut Supervisor,
        settings: &Settings,
        lines: &[u8],
        deaths: Word,
    ) -> Result<Self, Failure> {
        let mut names = Vec::new();
        let pages = pool_pages(settings)?;
        let frames = pages + PROGRAMS_FRAMES + OWN_FRAMES;
        let maker = FACTORY.create_factory_with_arenas(frames, OBJECTS + OWN_OBJECTS, FURTHER_ARENAS + 1);
        let maker = context(maker, "a factory for the Linux server")?;
        let endpoint = context(maker.create_endpoint(), "the Linux server's endpoint")?;
        let (pool, pages) = pool(maker, pages)?;
        let factory = maker.create_factory_with_arenas(PROGRAMS_FRAMES, OBJECTS, FURTHER_ARENAS);
        let factory = context(factory, "a factory for Linux programs")?;
        let arena = context(maker.create_arena(), "an arena for Linux programs")?;
        names.extend([endpoint.place(), factory.place(), arena.place()]);
        names.extend(pool.iter().map(|part| part.place()));
        // Apart it does the same, over there: what its clients' calls cost then is what is compared.
        let space = if settings.linux_apart { Space::Wide } else { Space::Host(arena) };
        let server = supervisor.create_for("linux", space, PLACES)?;
        supervisor.load(server, "linux")?;
        let child = supervisor.child_mut(server);
        child.grant(place::SERVICE, endpoint.place(), Rights::all(), 0)?;
        child.grant(place::TASK, child.task.place(), Rights::SEND, 0)?;
        for (place, part) in (place::linux::POOL..).zip(&pool) {
            child.grant(place, part.place(), Rights::READ | Rights::WRITE | Rights::EXECUTE, 0)?;
        }
        child.grant(place::linux::FACTORY, factory.place(), Rights::all(), 0)?;
        child.grant(place::linux::ARENA, arena.place(), Rights::all(), 0)?;
        child.grant(place::linux::ARCHIVE, capability::ARCHIVE, Rights::READ, 0)?;
        for (place, first) in PORTS {
            let ports = context(maker.create_ports(DEVICES, first, PORT_COUNT), "a serial port for Linux programs")?;
            names.push(ports.place());
            child.grant(place, ports.place(), Rights::SEND, 0)?;
        }
        let signals = context(maker.create_notification(), "what the Linux server hears of")?;
        names.push(signals.place());
        child.grant(place::linux::SIGNALS, signals.place(), Rights::RECEIVE, 0)?;
        child.grant(place::linux::TIME_CAME, signals.place(), Rights::SEND, signal::TIME_CAME as u32)?;
        // An interrupt that waits for keys keeps the kernel from telling a deadlock: so it is there only if somebody types.
        if settings.linux_terminal != 0 {
            let interrupt = context(maker.create_interrupt(DEVICES, port::OUTPUT_LINE), "the terminal's interrupt")?;
            names.push(interrupt.place());
            context(interrupt.bind(signals, signal::TYPED as u32), "binding the terminal's interrupt")?;
            child.grant(place::linux::INTERRUPT, interrupt.place(), Rights::SEND, 0)?;
        }
        let disk = if settings.disk { Some(Served::start(supervisor, settings, signals)?) } else { None };
        if let Some(disk) = &disk {
            disk.give(supervisor, server)?;
        }
        for (number, name) in [
            (parameter::TREE, "tree.cpio"),
            (parameter::ARGUMENTS, "arguments"),
            (parameter::ENVIRONMENT, "environment"),
            (parameter::INPUT, "stdin"),
        ] {
            // What is not there is empty.
            if let Ok(file) = supervisor.programs.file(&format!("{FOLDER}/{name}")) {
                supervisor.child_mut(server).name_file(number, file);
            }
        }
        supervisor.child_mut(server).name_file(parameter::LINES, lines);
        let way = context(SYSTEM.fact(fact::COMPAT_ENTRY), "how 32-bit programs enter")? as Word;
        let start = context(SYSTEM.fact(fact::TSC_START), "the clock's beginning")? as Word;
        let kilohertz = context(SYSTEM.fact(fact::TSC_KHZ), "the clock's frequency")? as Word;
        let parameters = &mut supervisor.child_mut(server).parameters;
        parameters.insert(parameter::DISK, disk.is_some().into());
        parameters.insert(parameter::ISOLATION, settings.isolation as Word);
        parameters.insert(parameter::SECONDS, settings.linux_seconds);
        parameters.insert(parameter::TERMINAL, settings.linux_terminal);
        parameters.insert(parameter::DATE, settings.date as Word);
        parameters.insert(parameter::FEATURES, features() as Word);
        parameters.insert(parameter::DEATHS, deaths);
        parameters.insert(parameter::WAY, way);
        parameters.insert(parameter::COUNTER, start);
        parameters.insert(parameter::COUNTER + 1, kilohertz);
        parameters.insert(parameter::SEED, settings.seeds[0] as Word);
        let archive_pages = supervisor.programs.archive_pages;
        let child = supervisor.child_mut(server);
        child.start(SERVER_PRIORITY, [pages, archive_pages])?;
        if let Some(thread) = child.threads.first() {
            child.grant(place::linux::THREAD, thread.place(), Rights::SEND, 0)?;
        }
        Ok(Self { server, maker, programs: factory, names, disk })
    }

    /// Tells it that its disk is no more, if that is so now.
    pub fn look_after_disk(&mut self, supervisor: &Supervisor) -> Result<(), Failure> {
        self.disk.as_mut().map_or(Ok(()), |disk| disk.look(supervisor))
    }

    /// Ends it and all its programs, whatever they do. How many frames and objects the programs and the server's own memory had.
    pub fn end(self, supervisor: &mut Supervisor) -> Result<(Word, Word), Failure> {
        let used = (
            context(self.programs.usage(), "what Linux programs have")?,
            context(self.programs.objects(), "what Linux programs have")?,
        );
        if let Some(disk) = self.disk {
            disk.end(supervisor)?;
        }
        supervisor.forget(self.server)?;
        context(FACTORY.destroy(self.maker.place()), "the end of what the Linux server had")?;
        for name in self.names {
            context(SELF.delete(name), "forgetting what the Linux server had")?;
        }
        let ((frames, _), (objects, _)) = used;
        Ok((frames, objects))
    }
}

impl Child {
    /// Tells it where in the archive a file is.
    pub(super) fn name_file(&mut self, number: Word, file: &[u8]) {
        self.parameters.insert(number, file.as_ptr() as Word - ARCHIVE_ADDRESS as Word);
        self.parameters.insert(number + 1, file.len());
    }
}

/// Pages of the memory for programs: as many as the settings say, else what the machine has left.
fn pool_pages(settings: &Settings) -> Result<usize, Failure> {
    if settings.linux_pages != 0 {
        return Ok(settings.linux_pages);
    }
    let (used, allowed) = context(FACTORY.usage(), "what memory there is")?;
    let left = (allowed - used).saturating_sub(PROGRAMS_FRAMES + OWN_FRAMES + KEPT_FRAMES);
    Ok(left.clamp(LEAST_POOL, POOL_PART * POOL_PARTS))
}

/// Makes that memory, of as many pages as there are in large enough pieces; and how many that is.
fn pool(maker: Factory<Native>, pages: usize) -> Result<(Vec<Frames<Native>>, usize), Failure> {
    let (mut parts, mut made) = (Vec::new(), 0);
    while made < pages {
        let count = POOL_PART.min(pages - made);
        match maker.create_frames(count) {
            Err(Error::NoMemory) if made >= LEAST_POOL => break,
            part => parts.push(context(part, "memory for Linux programs")?),
        }
        made += count;
    }
    Ok((parts, made))
}

/// The processor's features, as CPUID has them in EDX of leaf 1.
fn features() -> u32 {
    core::arch::x86_64::__cpuid(1).edx
}
