//! Texts about a process, and the table of all tasks.

use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

use lilliput_abi::Rights;
use linux_raw_sys::general::SIGCHLD;
use syscalls::Errno;

use super::of_system::{MOUNTS, MOUNTS_IN_FULL, TICKS};
use crate::arch::Arch;
use crate::limits::NONE;
use crate::machine::{Machine, Situation, Usage};
use crate::memory::{PAGE, Source};
use crate::process::Process;
use crate::server::{Result, Server};
use crate::signal::COUNT;

/// Bytes of a list of areas, at most: a program may have any number of them.
const LONGEST_LIST: usize = 256 << 10;

/// What the kernel says of a process's task and threads.
struct Books {
    usage: Usage,
    /// None of one that has ended.
    situation: Option<Situation>,
}

impl<M: Machine> Server<M> {
    /// A text, with this number of the process or of one of its threads where its own stands.
    pub(super) fn text_of_process(&mut self, place: usize, number: u32, name: &str) -> Result<Vec<u8>> {
        let process = self.processes[place].as_ref().ok_or(Errno::ESRCH)?;
        let text = match name {
            "cmdline" => return Ok(process.arguments.clone()),
            "cgroup" => "0::/\n".into(),
            "comm" => format!("{}\n", shown(&self.name_of_thread(process, number))),
            "environ" => return Ok(self.environment(place)),
            "limits" => limits(process),
            "mountinfo" => MOUNTS_IN_FULL.into(),
            "oom_score" | "oom_score_adj" => "0\n".into(),
            "lilliput" => self.row(place).map(|row| format!("{HEADER}\n{row}\n")).unwrap_or_default(),
            "maps" => self.maps(process),
            "mounts" => MOUNTS.into(),
            "stat" => self.numbers(place, number)?,
            "statm" => {
                let (pages, resident) = self.pages(process);
                format!("{pages} {resident} 0 0 0 {resident} 0\n")
            }
            "status" => self.described(process, number),
            _ => return Err(Errno::ENOENT),
        };
        Ok(text.into_bytes())
    }

    /// Pages of its areas, and those that are there.
    fn pages(&self, process: &Process) -> (u64, u64) {
        process.memory.map_or((0, 0), |memory| {
            let memory = self.memories.get(memory);
            (memory.areas().map(|area| (area.end - area.start) / PAGE).sum(), memory.resident())
        })
    }

    /// The name of a process or of the thread of this number.
    fn name_of_thread(&self, process: &Process, number: u32) -> [u8; 16] {
        let mut threads = process.threads.iter().filter_map(|&thread| self.threads[thread].as_ref());
        threads
            .find(|thread| thread.tid == number)
            .and_then(|thread| thread.name.as_deref().copied())
            .unwrap_or(process.name)
    }

    /// What a process's environment is now where it was when its program began, as far as that can be read.
    fn environment(&mut self, place: usize) -> Vec<u8> {
        let Some(process) = &self.processes[place] else { return Vec::new() };
        let (arch, range) = (process.arch, process.environment.clone());
        let Some(memory) = process.memory else { return Vec::new() };
        self.user_of(memory, arch).bytes(range.start, (range.end - range.start) as usize).unwrap_or_default()
    }

    fn state(&self, process: &Process) -> char {
        let mut threads =
            process.threads.iter().filter_map(|&thread| self.threads[thread].as_ref().map(|it| (thread, it)));
        match () {
            () if process.end.is_some() => 'Z',
            () if process.stopped.is_some() => 'T',
            () if threads.any(|(place, thread)| thread.runs || place == self.me) => 'R',
            () => 'S',
        }
    }

    fn books(&mut self, place: usize) -> Result<Books> {
        let process = self.processes[place].as_ref().ok_or(Errno::ESRCH)?;
        let threads = process.threads.iter().filter_map(|&thread| self.threads[thread].as_ref());
        let mut usage = threads.fold(Usage::default(), |sum, thread| sum + self.machine.usage(thread.handle));
        usage.times = usage.times + process.ended;
        let space = process.memory.map(|memory| self.memories.get(memory).space);
        let situation = space.map(|space| self.machine.situation(space));
        Ok(Books { usage, situation })
    }

    /// `man 5 proc`, `/proc/PID/stat`.
    fn numbers(&mut self, place: usize, number: u32) -> Result<String> {
        let Books { usage, .. } = self.books(place)?;
        let children = self.times_of_children(place);
        let process = self.processes[place].as_ref().ok_or(Errno::ESRCH)?;
        let (pages, resident) = self.pages(process);
        let Process { group, session, started, .. } = *process;
        let parent = self.shown_parent(process);
        let ticks = |time: u64| time / (1_000_000_000 / TICKS);
        let name = shown(&self.name_of_thread(process, number));
        let (state, threads) = (self.state(process), process.threads.len());
        let (terminal, foreground) = self.terminal_of(process);
        let (pending, ignored, caught) = signals(process);
        let blocked = self.mask_of(process);
        let [user, kernel, of_children_user, of_children_kernel, started] =
            [usage.times.user, usage.times.kernel, children.user, children.kernel, started].map(ticks);
        let size = pages * PAGE;
        Ok(format!(
            "{number} ({name}) {state} {parent} {group} {session} {terminal} {foreground} 0 {faults} 0 0 0 {user} {kernel} \
             {of_children_user} {of_children_kernel} {priority} {niceness} {threads} 0 {started} {size} {resident} 18446744073709551615 0 0 0 0 0 {pending} {blocked} {ignored} {caught} 0 0 0 \
             {SIGCHLD} 0 0 0 0 0 0 0 0 0 0 0 0 0 {code}\n",
            faults = usage.faults,
            niceness = process.traits.niceness,
            priority = 20 + i32::from(process.traits.niceness),
            code = process.end.map_or(0, |end| end.status()),
        ))
    }

    /// The terminal's device number and its group in the foreground, as far as it is the process's.
    fn terminal_of(&self, process: &Process) -> (u32, i64) {
        let tty = self.terminal_of_session(process.session);
        tty.map_or((0, -1), |tty| (tty.device() as u32, tty.line.borrow().foreground.into()))
    }

    fn mask_of(&self, process: &Process) -> u64 {
        let first = process.threads.first().and_then(|&thread| self.threads[thread].as_ref());
        first.map_or(0, |thread| thread.mask.0)
    }

    fn described(&self, process: &Process, number: u32) -> String {
        let (pages, resident) = self.pages(process);
        let (pending, ignored, caught) = signals(process);
        let state = match self.state(process) {
            'R' => "R (running)",
            'T' => "T (stopped)",
            'Z' => "Z (zombie)",
            _ => "S (sleeping)",
        };
        let (pid, parent) = (process.pid, self.shown_parent(process));
        let mut text = format!(
            "Name:\t{}\nUmask:\t{:04o}\nState:\t{state}\nTgid:\t{pid}\nPid:\t{number}\nPPid:\t{parent}\nTracerPid:\t0\n",
            shown(&self.name_of_thread(process, number)),
            process.mask,
        );
        text += "Uid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\nFDSize:\t1024\nGroups:\t\n";
        if process.end.is_none() {
            let (size, resident) = (pages * PAGE / 1024, resident * PAGE / 1024);
            text += &format!("VmSize:\t{size:>8} kB\nVmRSS:\t{resident:>8} kB\n");
        }
        let blocked = self.mask_of(process);
        text += &format!(
            "Threads:\t{}\nShdPnd:\t{pending:016x}\nSigBlk:\t{blocked:016x}\nSigIgn:\t{ignored:016x}\nSigCgt:\t{caught:016x}\n",
            process.threads.len(),
        );
        text
    }

    fn maps(&self, process: &Process) -> String {
        let mut text = String::new();
        let Some(memory) = process.memory.map(|memory| self.memories.get(memory)) else { return text };
        for area in memory.areas() {
            if text.len() > LONGEST_LIST {
                break;
            }
            let right = |right, letter| if area.rights.contains(right) { letter } else { '-' };
            let (read, write, execute) =
                (right(Rights::READ, 'r'), right(Rights::WRITE, 'w'), right(Rights::EXECUTE, 'x'));
            let shared = if area.shared { 's' } else { 'p' };
            let (offset, number, name) = match &area.source {
                Source::File(node, offset, _) if Rc::ptr_eq(node, &process.program.0) => {
                    (*offset, node.number, String::from_utf8_lossy(&process.program.1))
                }
                Source::File(..) if memory.calls == area.start => (0, 0, "[vdso]".into()),
                Source::File(node, offset, _) => (*offset, node.number, "(file)".into()),
                Source::Shared(pages, offset, _) if let Some(node) = pages.file() => {
                    (*offset, node.number, "(file)".into())
                }
                Source::Zero if !memory.heap.is_empty() && (area.start..area.end).contains(&memory.heap.start) => {
                    (0, 0, "[heap]".into())
                }
                Source::Zero if (area.start..area.end).contains(&(memory.stack - 1)) => (0, 0, "[stack]".into()),
                _ => (0, 0, "".into()),
            };
            let line = format!(
                "{:08x}-{:08x} {read}{write}{execute}{shared} {offset:08x} 00:01 {number}",
                area.start, area.end
            );
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{line:<73}{name}");
        }
        text
    }

    /// The table of all tasks that run programs.
    pub(super) fn table_of_tasks(&mut self) -> String {
        let mut text = format!("{HEADER}\n");
        for place in 0..self.processes.len() {
            if self.processes[place].is_some()
                && let Ok(row) = self.row(place)
            {
                text += &row;
                text.push('\n');
            }
        }
        text
    }

    fn row(&mut self, place: usize) -> Result<String> {
        let Books { usage, situation } = self.books(place)?;
        let process = self.processes[place].as_ref().ok_or(Errno::ESRCH)?;
        let (pages, resident) = self.pages(process);
        let (pid, parent) = (process.pid, self.shown_parent(process));
        let (kind, slot, mode) = match situation {
            None => ("-", "-".into(), "-"),
            Some(Situation { slot: None, mode, .. }) if process.arch == Arch::I386 => ("large", "-".into(), mode),
            Some(Situation { slot: None, mode }) => ("64-bit", "-".into(), mode),
            Some(Situation { slot: Some((arena, slot)), mode }) => ("small", format!("{arena}:{slot}"), mode),
        };
        let time = usage.times.sum() / 10_000_000;
        let command = if process.arguments.is_empty() || process.end.is_some() {
            format!("[{}]", shown(&process.name))
        } else {
            let words = process.arguments.split(|&byte| byte == 0).map(String::from_utf8_lossy);
            // What a program may print as its name must not look like another row.
            words.collect::<Vec<_>>().join(" ").trim_end().replace(|letter: char| letter.is_control(), "?")
        };
        Ok(format!(
            "{pid:>5} {parent:>5} {} {:>8} {:>7} {:>3} {kind:<6} {slot:>7} {mode:<13} {:>9} {:>8} {:>5} {:>6}.{:02} {command}",
            self.state(process),
            pages * PAGE / 1024,
            resident * PAGE / 1024,
            process.threads.len(),
            usage.messages,
            usage.faults,
            usage.turns,
            time / 100,
            time % 100,
        ))
    }
}

/// What the columns are: sizes in KiB, threads, the kind of the task, its arena's number and its slot there in units of 2 MiB, the isolation that is
/// in force, messages that were delivered for it (system calls and their answers among them), exceptions, turns of the segment of its
/// thread-local variables, and seconds that its threads have used.
const HEADER: &str =
    "  PID  PPID S      VSZ     RSS THR KIND      SLOT MODE                IPC   FAULTS TURNS      TIME COMMAND";

/// The name that is shown.
fn shown(name: &[u8; 16]) -> String {
    let end = name.iter().position(|&byte| byte == 0).unwrap_or(name.len());
    String::from_utf8_lossy(&name[..end]).replace(|letter: char| letter.is_control(), "?")
}

/// Sets of signals: sent, ignored, handled.
fn signals(process: &Process) -> (u64, u64, u64) {
    let set = |holds: fn(u64) -> bool| {
        (0..COUNT).filter(|&place| holds(process.actions.0[place].handler)).fold(0, |set, place| set | 1 << place)
    };
    (process.pending.set().0, set(|handler| handler == 1), set(|handler| handler > 1))
}

/// A process's limits, as Linux shows them.
fn limits(process: &Process) -> String {
    let mut text = format!("{:<26}{:<21}{:<21}{:<10}\n", "Limit", "Soft Limit", "Hard Limit", "Units");
    for (resource, (name, unit)) in LIMITS.iter().enumerate() {
        let (soft, hard) = process.limits.both(resource as u64).unwrap_or((NONE, NONE));
        let show = |limit: u64| if limit == NONE { "unlimited".into() } else { format!("{limit}") };
        text += &format!("{name:<26}{:<21}{:<21}{unit:<10}\n", show(soft), show(hard));
    }
    text
}

/// Limits by their numbers.
const LIMITS: [(&str, &str); 16] = [
    ("Max cpu time", "seconds"),
    ("Max file size", "bytes"),
    ("Max data size", "bytes"),
    ("Max stack size", "bytes"),
    ("Max core file size", "bytes"),
    ("Max resident set", "bytes"),
    ("Max processes", "processes"),
    ("Max open files", "files"),
    ("Max locked memory", "bytes"),
    ("Max address space", "bytes"),
    ("Max file locks", "locks"),
    ("Max pending signals", "signals"),
    ("Max msgqueue size", "bytes"),
    ("Max nice priority", ""),
    ("Max realtime priority", ""),
    ("Max realtime timeout", "us"),
];
