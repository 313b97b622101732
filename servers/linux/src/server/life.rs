//! How processes begin: the first, forks, other programs.

use alloc::rc::Rc;
use alloc::vec::Vec;

use lilliput_abi::Rights;
use lilliput_abi::object::register::{IP, SP};
use linux_raw_sys::general::{O_RDONLY, O_RDWR, O_WRONLY};
use syscalls::Errno;

use super::threads::{Birth, Inherited};
use super::{Outcome, Result, Server};
use crate::arch::Registers;
use crate::files::{Device, Found, Kind, Node, Open, Table, Walk, path_of};
use crate::machine::{Machine, Times};
use crate::memory::{Access, Area, Memory, PAGE, Source, User};
use crate::process::{End, Process};
use crate::program::{Auxiliary, Image, Layout, Strings, build, interpreter, limit};
use crate::signal::Pending;
use crate::traits::Traits;

/// How many processes there can be.
const MOST_PROCESSES: usize = 512;
/// Bytes of what points to an argument, on a stack of which a third is left to them and the environment.
const PER_STRING: u64 = 8;
/// Bytes of the arguments that are kept to be shown.
const SHOWN: usize = 4096;
/// How many scripts may be interpreters of one another.
const MOST_SCRIPTS: usize = 4;

/// What a file that is to be executed comes to.
struct Program {
    node: Rc<Node>,
    /// The path that it was asked for by.
    path: Vec<u8>,
    /// Where it is.
    place: Vec<u8>,
    image: Image,
    /// What links it when it starts, if it is not static.
    interpreter: Option<(Rc<Node>, Image)>,
    layout: Layout,
    arguments: Vec<Vec<u8>>,
}

impl<M: Machine> Server<M> {
    /// Starts the first process: a program of the tree with these arguments and this environment. Where the path has no `/` it is looked for
    /// in `PATH`.
    ///
    /// # Errors
    /// Why it cannot be had.
    pub fn run(&mut self, arguments: Vec<Vec<u8>>, environment: &[Vec<u8>], input: &'static [u8]) -> Result<()> {
        let path = arguments.first().cloned().ok_or(Errno::EINVAL)?;
        let root = self.root.clone();
        let path = if path.contains(&b'/') { path } else { look_up(&root, &path, environment)? };
        let program = self.program(&root, &path, arguments)?;
        let place = self.process_place()?;
        let space = self.machine.create_space(program.image.arch, program.layout.size)?;
        let memory = Memory::new(space, &program.layout, limit(program.image.arch));
        let memory = self.memories.add(memory);
        let (pid, started) = (self.new_pid(), self.machine.now());
        self.first = pid;
        let process = Process {
            pid,
            parent: 0,
            group: pid,
            session: pid,
            arch: program.image.arch,
            memory: Some(memory),
            is_awaited: false,
            files: Table::default(),
            directory: root,
            mask: 0o022,
            actions: Default::default(),
            pending: Pending::default(),
            program: (program.node.clone(), program.place.clone()),
            arguments: Vec::new(),
            name: [0; 16],
            traits: Traits::default(),
            environment: 0..0,
            started,
            end: None,
            threads: Vec::new(),
            first_exit: None,
            alarms: Default::default(),
            timers: Vec::new(),
            limits: Rc::default(),
            ended: Times::default(),
            children: Times::default(),
            stopped: None,
            stop_is_news: false,
            start_is_news: false,
        };
        self.processes[place] = Some(process);
        let standard = if self.has_terminal {
            let mut line = self.terminal.line.borrow_mut();
            (line.session, line.foreground) = (pid, pid);
            drop(line);
            let terminal = Open::new(self.console(), O_RDWR);
            [terminal.clone(), terminal.clone(), terminal]
        } else {
            let input = Open::new(self.fixed_file(input), O_RDONLY);
            let output = Open::new(self.device(Device::Console), O_WRONLY);
            [input, output, Open::new(self.device(Device::Error), O_WRONLY)]
        };
        let process = self.processes[place].as_mut().ok_or(Errno::ESRCH)?;
        for open in standard {
            process.files.add(open, false, 0)?;
        }
        let registers = self.load(place, &program, environment);
        let started = registers.and_then(|registers| self.add_thread(place, &registers, pid, Default::default()));
        if started.is_err() {
            self.end_process(place, End::Exit(127));
            self.bury(place);
        }
        started.map(drop)
    }

    /// The console, as it stands in the tree: a program looks there for what it has open.
    fn console(&mut self) -> Rc<Node> {
        let walk = Walk { root: &self.root, from: &self.root, follow: true, view: &() };
        let found = walk.find(b"/dev/console").ok().and_then(|found| found.node);
        let found = found.filter(|node| matches!(node.kind, Kind::Device(Device::Console)));
        found.unwrap_or_else(|| self.device(Device::Console))
    }

    fn device(&mut self, device: Device) -> Rc<Node> {
        let number = self.new_node();
        Node::new(number, Kind::Device(device), 0o620, 0)
    }

    pub(crate) const fn new_pid(&mut self) -> u32 {
        let pid = self.next_pid;
        self.next_pid += 1;
        pid
    }

    /// The place of a process that has not been waited for.
    pub(crate) fn find(&self, pid: u32) -> Option<usize> {
        self.processes.iter().position(|process| process.as_ref().is_some_and(|process| process.pid == pid))
    }

    /// A place for one more process.
    fn process_place(&mut self) -> Result<usize> {
        match self.processes.iter().position(Option::is_none) {
            Some(place) => Ok(place),
            None if self.processes.len() < MOST_PROCESSES => {
                self.processes.push(None);
                Ok(self.processes.len() - 1)
            }
            None => Err(Errno::EAGAIN),
        }
    }

    /// Finds what a path's program comes to, through the interpreters of scripts.
    fn program(&mut self, from: &Rc<Node>, path: &[u8], mut arguments: Vec<Vec<u8>>) -> Result<Program> {
        let (mut path, root) = (path.to_vec(), self.root.clone());
        for _ in 0..MOST_SCRIPTS {
            let found = Walk { root: &root, from, follow: true, view: self }.find(&path)?;
            let directory = path_of(&found.directory, &root)?;
            let place = [directory.as_slice(), b"/", &found.name].concat();
            let node = found.existing()?;
            // By `/proc/PID/exe` it is where that was found.
            let place = if place.starts_with(b"/proc/") { self.name_of(&node) } else { place };
            if !matches!(node.kind, Kind::File(_)) || node.mode.get() & 0o111 == 0 {
                return Err(Errno::EACCES);
            }
            crate::memory::gather(&node, 0..u64::MAX, &mut self.pool);
            let found = node.with_bytes(|bytes| match interpreter(bytes) {
                Some((name, argument)) => Err((name.to_vec(), argument.map(<[u8]>::to_vec))),
                None => Ok(Image::new(bytes)),
            });
            match found {
                Ok(image) => {
                    let image = image?;
                    let layout = image.layout()?;
                    let place = if place.starts_with(b"//") { place[1..].to_vec() } else { place };
                    let interpreter = self.interpreter(&image)?;
                    return Ok(Program { node, path, place, image, interpreter, layout, arguments });
                }
                Err((name, argument)) => {
                    let rest = arguments.split_off(1.min(arguments.len()));
                    arguments = [name.clone()].into_iter().chain(argument).chain([path]).chain(rest).collect();
                    path = name;
                }
            }
        }
        Err(Errno::ELOOP)
    }

    /// Finds the program that links one when it starts.
    fn interpreter(&mut self, image: &Image) -> Result<Option<(Rc<Node>, Image)>> {
        let Some(path) = &image.interpreter else { return Ok(None) };
        let root = self.root.clone();
        let node = Walk { root: &root, from: &root, follow: true, view: self }.find(path)?.existing()?;
        if !matches!(node.kind, Kind::File(_)) || node.mode.get() & 0o111 == 0 {
            return Err(Errno::EACCES);
        }
        crate::memory::gather(&node, 0..u64::MAX, &mut self.pool);
        let found = node.with_bytes(Image::new).map_err(|_| Errno::ELIBBAD)?;
        if found.arch != image.arch || found.interpreter.is_some() || !found.is_loose {
            return Err(Errno::ELIBBAD);
        }
        Ok(Some((node, found)))
    }

    /// Lets a process's memory, which is empty, hold a program; its first registers.
    fn load(&mut self, place: usize, program: &Program, environment: &[Vec<u8>]) -> Result<Registers> {
        let mut random = [0; 16];
        for half in random.chunks_mut(8) {
            half.copy_from_slice(&self.random().to_le_bytes());
        }
        let Layout { stack, heap, calls, .. } = &program.layout;
        let page = self.calls_pages[program.image.arch.index()].clone();
        let place_of_memory = self.processes[place].as_ref().and_then(|process| process.memory).ok_or(Errno::ESRCH)?;
        let memory = self.memories.get_mut(place_of_memory);
        for segment in program.image.segments() {
            map_segment(memory, &program.node, segment)?;
        }
        memory.heap = *heap..*heap;
        let has_page = page.is_some();
        if let Some(page) = page {
            memory.calls = *calls;
            let (source, rights) = (Source::File(page, 0, PAGE), Rights::READ | Rights::EXECUTE);
            memory.add(Area { start: *calls, end: *calls + PAGE, rights, shared: false, source })?;
        }
        memory.add(Area::zero(stack.clone(), Rights::READ | Rights::WRITE))?;
        let (mut entry, mut base) = (program.image.entry, 0);
        if let Some((node, image)) = &program.interpreter {
            base = memory.find(image.bytes()).ok_or(Errno::ENOMEM)?;
            memory.reach(base + image.bytes(), &mut self.machine)?;
            let image = image.clone().at(base);
            for segment in image.segments() {
                map_segment(memory, node, segment)?;
            }
            entry = image.entry;
        }
        let auxiliary =
            Auxiliary { features: self.features, random, interpreter: base, calls: has_page.then_some(*calls) };
        let strings = Strings { arguments: &program.arguments, environment, path: &program.path };
        let (bytes, environment_at) = build(&program.image, strings, auxiliary, stack.end);
        let sp = stack.end - bytes.len() as u64;
        let arch = program.image.arch;
        let mut user = self.user_of(place_of_memory, arch);
        user.write(sp, &bytes)?;
        // Where it begins it goes at once. If there is no room for that it is told of when it does.
        let User { memory, pool, machine, .. } = user;
        let _ = memory.fault(entry, Access::Execute, pool, machine);
        let process = self.processes[place].as_mut().ok_or(Errno::ESRCH)?;
        process.arch = arch;
        process.program = (program.node.clone(), program.place.clone());
        process.environment = environment_at;
        process.arguments =
            program.arguments.iter().flat_map(|text| text.iter().copied().chain([0])).take(SHOWN).collect();
        let name = program.path.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
        process.set_name(name);
        let mut registers = Registers::default();
        registers.set(IP, entry);
        registers.set(SP, sp);
        Ok(registers)
    }

    /// The process whose call is served becomes another program.
    pub(crate) fn execute(&mut self, path: &[u8], arguments: Vec<Vec<u8>>, environment: &[Vec<u8>]) -> Result {
        let directory = self.process().directory.clone();
        let program = self.program(&directory, path, arguments)?;
        let strings = program.arguments.iter().chain(environment).map(|text| text.len() as u64 + 1 + PER_STRING);
        let stack = &program.layout.stack;
        if strings.sum::<u64>() > (stack.end - stack.start) / 3 {
            return Err(Errno::E2BIG);
        }
        let space = self.machine.create_space(program.image.arch, program.layout.size)?;
        let place = self.thread().process;
        let pid = self.process().pid;
        let inherited = Inherited { mask: self.thread().mask, ..Default::default() };
        // From here on the old program is gone, whatever happens.
        let threads = core::mem::take(&mut self.process_mut().threads);
        self.end_threads(place, threads);
        let memory = Memory::new(space, &program.layout, limit(program.image.arch));
        let memory = self.memories.add(memory);
        let process = self.processes[place].as_mut().ok_or(Errno::ESRCH)?;
        process.memory = Some(memory);
        process.first_exit = None;
        process.traits = process.traits.executed();
        process.timers.clear();
        let closed = process.files.close_on_exec();
        if process.actions.has_handlers() {
            Rc::make_mut(&mut process.actions).reset();
        }
        for open in closed {
            self.leave_locks(pid, &open);
            self.close(open);
        }
        let registers = self.load(place, &program, environment);
        let started = registers.and_then(|registers| self.add_thread(place, &registers, pid, inherited));
        if started.is_err() {
            self.end_process(place, End::Signal(linux_raw_sys::general::SIGKILL as u8));
        }
        Ok(Outcome::Ended)
    }

    /// A child of the process whose call is served, with a copy of its memory or with that itself; its pid.
    pub(crate) fn fork(&mut self, birth: &Birth) -> Result<u32> {
        let (registers, inherited) = self.inheritance(birth)?;
        let (arch, memory) = (self.thread().arch, self.thread().memory);
        let place = self.process_place()?;
        let memory = if birth.shares {
            self.memories.hold(memory);
            memory
        } else {
            self.may_copy(memory)?;
            let space = self.machine.create_space(arch, self.memories.get(memory).used())?;
            let User { memory, pool, machine, .. } = self.user();
            let copy = memory.fork(space, pool, machine);
            self.memories.add(copy)
        };
        let (pid, started) = (self.new_pid(), self.machine.now());
        let parent = self.process();
        let child = Process {
            pid,
            parent: parent.pid,
            group: parent.group,
            session: parent.session,
            arch,
            memory: Some(memory),
            is_awaited: birth.is_awaited,
            files: parent.files.clone(),
            directory: parent.directory.clone(),
            mask: parent.mask,
            actions: parent.actions.clone(),
            pending: Pending::default(),
            program: parent.program.clone(),
            arguments: parent.arguments.clone(),
            name: parent.name,
            traits: parent.traits.inherited(),
            environment: parent.environment.clone(),
            started,
            end: None,
            threads: Vec::new(),
            first_exit: None,
            alarms: Default::default(),
            timers: Vec::new(),
            limits: parent.limits.clone(),
            ended: Times::default(),
            children: Times::default(),
            stopped: None,
            stop_is_news: false,
            start_is_news: false,
        };
        self.processes[place] = Some(child);
        if birth.set_tid != 0 {
            // A bad address is the program's own affair.
            let _ = self.user_of(memory, arch).write(birth.set_tid, &pid.to_le_bytes());
        }
        let started = self.add_thread(place, &registers, pid, inherited);
        if started.is_err() {
            // It never was: nobody is told of its end.
            if let Some(process) = &mut self.processes[place] {
                process.parent = 0;
            }
            self.end_process(place, End::Exit(127));
        }
        started.map(|_| pid)
    }
}

/// Areas for a segment: what the file gives, and zeros behind it.
fn map_segment<S: Copy>(memory: &mut Memory<S>, node: &Rc<Node>, segment: &crate::program::Segment) -> Result<()> {
    let (offset, length) = segment.file;
    let start = segment.address - segment.address % PAGE;
    let file_end = if length == 0 { start } else { (segment.address + length).next_multiple_of(PAGE) };
    let end = (segment.address + segment.size).next_multiple_of(PAGE);
    if file_end > start {
        let source = Source::File(node.clone(), offset - segment.address % PAGE, offset + length);
        memory.add(Area { start, end: file_end, rights: segment.rights, shared: false, source })?;
    }
    if end > file_end {
        memory.add(Area::zero(file_end..end, segment.rights))?;
    }
    Ok(())
}

/// A program's path by its name, in the directories of `PATH`.
fn look_up(root: &Rc<Node>, name: &[u8], environment: &[Vec<u8>]) -> Result<Vec<u8>> {
    let path = environment.iter().find_map(|entry| entry.strip_prefix(b"PATH="));
    for directory in path.unwrap_or(b"/bin:/usr/bin").split(|&byte| byte == b':') {
        let candidate = [directory, b"/", name].concat();
        let walk = Walk { root, from: root, follow: true, view: &() };
        if let Ok(Found { node: Some(node), .. }) = walk.find(&candidate)
            && matches!(node.kind, Kind::File(_))
        {
            return Ok(candidate);
        }
    }
    Err(Errno::ENOENT)
}
