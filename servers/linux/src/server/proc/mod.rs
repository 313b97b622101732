//! What `/proc` shows.

mod of_process;
mod of_system;

use alloc::rc::Rc;
use alloc::string::ToString;
use alloc::vec::Vec;

use syscalls::Errno;

use super::{Result, Server};
use crate::files::proc::{Entry, OF_PROCESS, SYSRQ, WAYS, Way};
use crate::files::{Device, Kind, Name, Node, View, path_of};
use crate::machine::Machine;
use crate::process::Process;

/// How many nodes of the tree are looked at to find the path of one.
const MOST_LOOKED_AT: usize = 10_000;

impl<M: Machine> View for Server<M> {
    fn look_up(&self, within: Entry, name: &[u8]) -> Option<Rc<Node>> {
        let name = core::str::from_utf8(name).ok()?;
        let number = || name.parse::<u32>().ok().filter(|_| !name.starts_with(['0', '+']) || name == "0");
        let entry = match within {
            Entry::Folder("") if matches!(name, "self" | "thread-self") => {
                let pid = self.process().pid.to_string().into_bytes();
                return Some(Node::new(Entry::Folder("").number() + 1, Kind::Link(pid), 0o777, 0));
            }
            Entry::Folder("") if let Some(pid) = number() => self.find(pid).map(|_| Entry::Process(pid))?,
            Entry::Folder(folder) => Entry::fixed(folder, name)?,
            Entry::Process(pid) => {
                self.find(pid)?;
                let text = || OF_PROCESS.iter().find(|&&text| text == name).map(|text| Entry::Of(pid, text));
                let way = || WAYS.iter().find(|(way, _)| *way == name).map(|&(_, way)| Entry::Way(pid, way));
                match name {
                    "fd" => Entry::Descriptors(pid),
                    "task" => Entry::Threads(pid),
                    _ => text().or_else(way)?,
                }
            }
            Entry::Descriptors(pid) => {
                let number = number()?;
                self.process_of(pid)?.files.get(number.into()).ok()?;
                Entry::Way(pid, Way::Descriptor(number))
            }
            Entry::Threads(pid) => Entry::Thread(pid, number().filter(|tid| self.tids(pid).contains(tid))?),
            Entry::Thread(pid, tid) => {
                let text = OF_PROCESS.iter().find(|&&text| text == name)?;
                Entry::OfThread(pid, tid, text)
            }
            Entry::Text(_) | Entry::Of(..) | Entry::OfThread(..) | Entry::Way(..) => return None,
        };
        Some(Node::of(entry))
    }

    fn target(&self, pid: u32, way: Way) -> Option<Rc<Node>> {
        let process = self.process_of(pid)?;
        Some(match way {
            Way::Program => process.program.0.clone(),
            Way::Directory => process.directory.clone(),
            Way::Root => self.root.clone(),
            Way::Descriptor(number) => process.files.get(number.into()).ok()?.open.node.clone(),
        })
    }
}

impl<M: Machine> Server<M> {
    /// The numbers of a process's threads; of one that has ended its own is left.
    fn tids(&self, pid: u32) -> Vec<u32> {
        let threads = self.process_of(pid).map_or(&[][..], |process| &process.threads);
        let tids: Vec<_> = threads.iter().filter_map(|&thread| Some(self.threads[thread].as_ref()?.tid)).collect();
        if tids.is_empty() { alloc::vec![pid] } else { tids }
    }

    fn process_of(&self, pid: u32) -> Option<&Process> {
        self.processes[self.find(pid)?].as_ref()
    }

    /// What is in a directory of `/proc`.
    pub(crate) fn list(&self, directory: Entry) -> Vec<(Name, Rc<Node>)> {
        let mut names: Vec<Name> = Vec::new();
        match directory {
            Entry::Folder(folder) => {
                if folder.is_empty() {
                    let mut pids: Vec<_> = self.processes.iter().flatten().map(|process| process.pid).collect();
                    pids.sort_unstable();
                    names.extend(pids.iter().map(|pid| pid.to_string().into_bytes()));
                    names.push(b"self".to_vec());
                }
                names.extend(Entry::names(folder).map(|name| name.as_bytes().to_vec()));
            }
            Entry::Process(_) => {
                names.extend([b"fd".to_vec(), b"task".to_vec()]);
                names.extend(
                    OF_PROCESS.iter().chain(WAYS.iter().map(|(name, _)| name)).map(|name| name.as_bytes().to_vec()),
                );
            }
            Entry::Descriptors(pid) => {
                let files = self.process_of(pid).map(|process| &process.files);
                names.extend(
                    files.into_iter().flat_map(|files| files.numbers()).map(|number| number.to_string().into_bytes()),
                );
            }
            Entry::Threads(pid) => names.extend(self.tids(pid).iter().map(|tid| tid.to_string().into_bytes())),
            Entry::Thread(..) => names.extend(OF_PROCESS.iter().map(|name| name.as_bytes().to_vec())),
            Entry::Text(_) | Entry::Of(..) | Entry::OfThread(..) | Entry::Way(..) => {}
        }
        names.into_iter().filter_map(|name| self.look_up(directory, &name).map(|node| (name, node))).collect()
    }

    /// The text of an entry as it is now.
    ///
    /// # Errors
    /// `ESRCH` if its process is no more.
    pub(crate) fn text(&mut self, entry: Entry) -> Result<Vec<u8>> {
        match entry {
            Entry::Text(SYSRQ) => Err(Errno::EIO),
            Entry::Text(path) => Ok(self.text_of_system(path)),
            Entry::Of(pid, name) => {
                let place = self.find(pid).ok_or(Errno::ESRCH)?;
                self.text_of_process(place, pid, name)
            }
            Entry::OfThread(pid, tid, name) => {
                let place = self.find(pid).filter(|_| self.tids(pid).contains(&tid)).ok_or(Errno::ESRCH)?;
                self.text_of_process(place, tid, name)
            }
            _ => Err(Errno::EISDIR),
        }
    }

    /// Somebody writes to the command of `/proc`: `c` crashes the server, as it does Linux. What else Linux knows is told.
    pub(crate) fn command(&mut self, letter: u8) {
        match letter {
            b'c' => {
                let process = self.process();
                let (pid, name) = (process.pid, process.name);
                let name = alloc::string::String::from_utf8_lossy(&name).into_owned();
                let name = name.trim_end_matches('\0');
                self.machine.log(format_args!("linux: process {pid} ({name}) crashes the server"));
                self.machine.crash();
            }
            _ => self
                .machine
                .log(format_args!("linux: /proc/sysrq-trigger has c, which crashes the server, and nothing else")),
        }
    }

    /// What a link of `/proc` shows.
    pub(crate) fn way_text(&self, pid: u32, way: Way) -> Result<Vec<u8>> {
        let process = self.process_of(pid).ok_or(Errno::ENOENT)?;
        match way {
            Way::Program => Ok(process.program.1.clone()),
            Way::Directory => path_of(&process.directory, &self.root),
            Way::Root => Ok(b"/".to_vec()),
            Way::Descriptor(number) => {
                let open = &process.files.get(number.into()).map_err(|_| Errno::ENOENT)?.open;
                Ok(self.name_of(&open.node))
            }
        }
    }

    /// The path of a node, or what is shown of one that has none.
    pub(super) fn name_of(&self, node: &Rc<Node>) -> Vec<u8> {
        match &node.kind {
            Kind::Proc(entry) => return entry.path().into_bytes(),
            Kind::Pipe(pipe) if node.links.get() == 0 => return alloc::format!("pipe:[{}]", pipe.number).into_bytes(),
            Kind::OtherEnd(_) => return b"/dev/ptmx".to_vec(),
            Kind::Socket(socket) => return alloc::format!("socket:[{}]", socket.number).into_bytes(),
            Kind::Device(Device::Console | Device::Error) => return b"/dev/console".to_vec(),
            Kind::Directory { .. } => return path_of(node, &self.root).unwrap_or_else(|_| b"/ (deleted)".to_vec()),
            _ => {}
        }
        let mut left = MOST_LOOKED_AT;
        let mut directories = alloc::vec![(Vec::new(), self.root.clone())];
        while let Some((path, directory)) = directories.pop() {
            let Ok(entries) = directory.entries() else { continue };
            for (name, entry) in entries.borrow().iter() {
                let path = || [&path, &b"/"[..], name].concat();
                if Rc::ptr_eq(entry, node) {
                    return path();
                }
                if entry.is_directory() {
                    directories.push((path(), entry.clone()));
                }
                left -= 1;
                if left == 0 {
                    return b"/ (far away)".to_vec();
                }
            }
        }
        b"/ (deleted)".to_vec()
    }
}
