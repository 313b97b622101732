//! Opening, closing, duplicating, and what else is done to descriptors as such.

use alloc::rc::Rc;

use linux_raw_sys::general::{
    AT_FDCWD, F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_GETFL, F_GETPIPE_SZ, F_SETFD, F_SETFL, F_SETPIPE_SZ, FD_CLOEXEC,
    IN_CREATE, IN_MODIFY, IN_OPEN, O_ACCMODE, O_APPEND, O_CLOEXEC, O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW,
    O_NONBLOCK, O_PATH, O_RDONLY, O_TRUNC, O_WRONLY, RLIMIT_NOFILE, SEEK_CUR, SEEK_DATA, SEEK_END, SEEK_HOLE, SEEK_SET,
};
use linux_raw_sys::ioctl::{FIONBIO, FIONREAD};
use syscalls::Errno;

use crate::files::disk::Disk;
use crate::files::event::Event;
use crate::files::proc::Entry;
use crate::files::{CAPACITY, Device, Found, Kind, Node, Open, Pipe, Walk};
use crate::machine::Machine;
use crate::process::Channel;
use crate::server::{NAME, Outcome, Result, Server};

/// Flags of open files that can be changed.
const CHANGEABLE: u32 = O_APPEND | O_NONBLOCK;
/// What `O_TMPFILE` has beside `O_DIRECTORY`.
const TEMPORARY: u32 = 0o20_000_000;
/// The longest path, with the zero at its end.
const LONGEST_PATH: usize = 4096;
/// The directory that relative paths begin at.
pub(super) const HERE: u64 = AT_FDCWD as u32 as u64;

impl<M: Machine> Server<M> {
    /// What a descriptor stands for.
    pub(super) fn file(&self, number: u64) -> Result<Rc<Open>> {
        self.process().files.get(number).map(|descriptor| descriptor.open.clone())
    }

    /// The directory that a path begins at, which a descriptor names.
    pub(super) fn start(&self, directory: u64) -> Result<Rc<Node>> {
        if directory as u32 as u64 == HERE {
            return Ok(self.process().directory.clone());
        }
        let open = self.file(directory)?;
        if open.node.is_directory() { Ok(open.node.clone()) } else { Err(Errno::ENOTDIR) }
    }

    /// Where a path of the process's leads, and the path.
    pub(super) fn find_path(&mut self, directory: u64, path: u64, follow: bool) -> Result<Found> {
        let path = self.user().string(path)?;
        if path.len() >= LONGEST_PATH {
            return Err(Errno::ENAMETOOLONG);
        }
        let from = if path.first() == Some(&b'/') { self.root.clone() } else { self.start(directory)? };
        Walk { root: &self.root, from: &from, follow, view: self }.find(&path)
    }

    pub(super) fn open(&mut self, &[path, flags, mode, ..]: &[u64; 6]) -> Result {
        self.openat(&[HERE, path, flags, mode, 0, 0])
    }

    pub(super) fn creat(&mut self, &[path, mode, ..]: &[u64; 6]) -> Result {
        self.openat(&[HERE, path, (O_CREAT | O_WRONLY | O_TRUNC).into(), mode, 0, 0])
    }

    pub(super) fn openat(&mut self, &[directory, path, flags, mode, ..]: &[u64; 6]) -> Result {
        let flags = flags as u32;
        if let Some((open, before)) = self.thread_mut().opening.take() {
            return self.open_pipe(open, flags, Some(before));
        }
        if flags & (O_PATH | TEMPORARY) != 0 {
            return self.open_otherwise(directory, path, flags, mode as u32);
        }
        let exclusive = flags & (O_CREAT | O_EXCL) == O_CREAT | O_EXCL;
        let found = self.find_path(directory, path, flags & O_NOFOLLOW == 0 && !exclusive)?;
        let (is_new, mut is_cut) = (found.node.is_none(), false);
        let node = match found.node {
            Some(_) if exclusive => return Err(Errno::EEXIST),
            Some(node) => node,
            None if flags & O_CREAT == 0 => return Err(Errno::ENOENT),
            None => {
                self.may_keep(NAME)?;
                let node = self.empty_file(mode as u32 & !self.process().mask);
                found.directory.add(&found.name, node.clone())?;
                found.directory.changed.set(node.changed.get());
                self.note_entry(&found.directory, &found.name, &node, IN_CREATE);
                node
            }
        };
        match &node.kind {
            Kind::Link(_) | Kind::Proc(Entry::Way(..)) => return Err(Errno::ELOOP),
            Kind::Proc(entry) if entry.is_directory() && flags & (O_CREAT | 3) != O_RDONLY => {
                return Err(Errno::EISDIR);
            }
            Kind::Proc(entry) if !entry.is_directory() && !entry.is_command() && flags & 3 != O_RDONLY => {
                return Err(Errno::EACCES);
            }
            Kind::Proc(entry) if entry.is_directory() => {}
            Kind::Directory { .. } if flags & (O_CREAT | 3) != O_RDONLY => return Err(Errno::EISDIR),
            Kind::Directory { .. } => {}
            _ if flags & O_DIRECTORY != 0 => return Err(Errno::ENOTDIR),
            Kind::Socket(_) | Kind::SocketName(_) => return Err(Errno::ENXIO),
            Kind::Device(Device::Disk) if self.disk.is_none() => return Err(Errno::ENXIO),
            Kind::Device(Device::Disk) if flags & 3 != O_RDONLY => return Err(Errno::EACCES),
            Kind::File(_) if flags & O_TRUNC != 0 && flags & 3 != O_RDONLY && !is_new => {
                self.set_size(&node, 0)?;
                is_cut = true;
            }
            _ => {}
        }
        let node = self.own_terminal(node)?;
        if let Kind::Terminal(tty) = &node.kind {
            self.opens_terminal(tty, flags)?;
        }
        if matches!(node.kind, Kind::Device(Device::Pairs)) {
            let open = self.new_pair(flags)?;
            return self.process_mut().files.add(open, flags & O_CLOEXEC != 0, 0).map(Outcome::Done);
        }
        let open = Open::new(node, flags & !(O_CREAT | O_EXCL | O_TRUNC | O_CLOEXEC));
        if !found.name.is_empty() {
            *open.place.borrow_mut() = Some((Rc::downgrade(&found.directory), found.name));
        }
        self.note_open(&open, IN_OPEN);
        if is_cut {
            self.note_open(&open, IN_MODIFY);
        }
        if let Kind::Pipe(pipe) = &open.node.kind
            // One without a name is open already, and found by `/proc/PID/fd`.
            && open.node.links.get() > 0
        {
            let (reads, writes) = (open.can_read(), open.can_write());
            let waits =
                [(reads, false), (writes, true)].map(|(is, writes)| is.then(|| pipe.is_opened(writes)).flatten());
            self.happened(Channel::Pipe(pipe.number));
            match waits {
                [None, Some(_)] if !reads && open.never_waits() => return Err(Errno::ENXIO),
                [None, Some(before)] | [Some(before), None] if !open.never_waits() && reads != writes => {
                    return self.open_pipe(open, flags, Some(before));
                }
                _ => {}
            }
        }
        self.open_pipe(open, flags, None)
    }

    /// Opens what is not to be read or written, but only named; or a new file without a name.
    fn open_otherwise(&mut self, directory: u64, path: u64, flags: u32, mode: u32) -> Result {
        let node = self.find_path(directory, path, flags & O_NOFOLLOW == 0)?.existing()?;
        let closes = flags & O_CLOEXEC != 0;
        if flags & (O_DIRECTORY | TEMPORARY) != 0 && !node.is_directory() {
            return Err(Errno::ENOTDIR);
        }
        if flags & O_PATH != 0 {
            let open = Open::new(node, flags & (O_PATH | O_DIRECTORY | O_NOFOLLOW));
            return self.process_mut().files.add(open, closes, 0).map(Outcome::Done);
        }
        if flags & O_ACCMODE == O_RDONLY {
            return Err(Errno::EINVAL);
        }
        node.entries().map_err(|_| Errno::EOPNOTSUPP)?;
        self.may_keep(NAME)?;
        let node = self.empty_file(mode & !self.process().mask);
        let open = Open::new(node, flags & !(O_EXCL | O_CLOEXEC));
        self.process_mut().files.add(open, closes, 0).map(Outcome::Done)
    }

    /// Gives a description a number; of a pipe with a name not before somebody has opened the other end since it had been so often.
    fn open_pipe(&mut self, open: Rc<Open>, flags: u32, before: Option<u64>) -> Result {
        if let (Kind::Pipe(pipe), Some(before)) = (&open.node.kind, before)
            && pipe.times_opened(!open.can_write()) == before
        {
            let channel = Channel::Pipe(pipe.number);
            self.thread_mut().opening = Some((open, before));
            return Ok(Outcome::Wait(channel));
        }
        self.process_mut().files.add(open, flags & O_CLOEXEC != 0, 0).map(Outcome::Done)
    }

    /// What a node stands for if that depends on who asks: the console, where a session has no terminal that a program made.
    fn own_terminal(&mut self, node: Rc<Node>) -> Result<Rc<Node>> {
        if !matches!(node.kind, Kind::Device(Device::Own)) {
            return Ok(node);
        }
        match self.terminal_of_session(self.process().session) {
            Some(tty) if tty.number != 0 => {
                let name = alloc::format!("{}", tty.index);
                self.pairs.entries()?.borrow().get(name.as_bytes()).cloned().ok_or(Errno::ENXIO)
            }
            _ => Ok(Node::new(node.number, Kind::Device(Device::Console), node.mode.get(), node.changed.get())),
        }
    }

    pub(super) fn close_descriptor(&mut self, &[number, ..]: &[u64; 6]) -> Result {
        let descriptor = self.process_mut().files.remove(number)?;
        let pid = self.process().pid;
        self.leave_locks(pid, &descriptor.open);
        self.close(descriptor.open);
        Ok(Outcome::Done(0))
    }

    pub(super) fn dup(&mut self, &[number, ..]: &[u64; 6]) -> Result {
        let open = self.file(number)?;
        self.process_mut().files.add(open, false, 0).map(Outcome::Done)
    }

    pub(super) fn dup2(&mut self, &[old, new, ..]: &[u64; 6]) -> Result {
        if old as u32 == new as u32 {
            return self.file(old).map(|_| Outcome::Done(new));
        }
        self.dup3(&[old, new, 0, 0, 0, 0])
    }

    pub(super) fn dup3(&mut self, &[old, new, flags, ..]: &[u64; 6]) -> Result {
        if old as u32 == new as u32 {
            return Err(Errno::EINVAL);
        }
        let open = self.file(old)?;
        let before = self.process().files.get(new).cloned();
        self.process_mut().files.put(new, open, flags as u32 & O_CLOEXEC != 0)?;
        if let Ok(before) = before {
            let pid = self.process().pid;
            self.leave_locks(pid, &before.open);
            self.close(before.open);
        }
        Ok(Outcome::Done(new as u32 as u64))
    }

    pub(super) fn pipe(&mut self, &[place, ..]: &[u64; 6]) -> Result {
        self.pipe2(&[place, 0, 0, 0, 0, 0])
    }

    pub(super) fn pipe2(&mut self, &[place, flags, ..]: &[u64; 6]) -> Result {
        self.may_keep(NAME).map_err(|_| Errno::ENFILE)?;
        let flags = flags as u32;
        let now = self.wall_clock();
        let number = self.new_node();
        let node = Node::new(number, Kind::Pipe(Pipe::new(number)), 0o600, now);
        let (status, closes) = (flags & O_NONBLOCK, flags & O_CLOEXEC != 0);
        let files = &mut self.process_mut().files;
        let read = files.add(Open::new(node.clone(), O_RDONLY | status), closes, 0)?;
        let write = match files.add(Open::new(node, O_WRONLY | status), closes, 0) {
            Ok(write) => write,
            Err(error) => {
                let _ = files.remove(read);
                return Err(error);
            }
        };
        let mut numbers = [0; 8];
        numbers[..4].copy_from_slice(&(read as u32).to_le_bytes());
        numbers[4..].copy_from_slice(&(write as u32).to_le_bytes());
        let written = self.user().write(place, &numbers);
        if written.is_err() {
            let files = &mut self.process_mut().files;
            let _ = (files.remove(read), files.remove(write));
        }
        written.map(|()| Outcome::Done(0))
    }

    pub(super) fn fcntl(&mut self, &[number, command, argument, ..]: &[u64; 6]) -> Result {
        let open = self.file(number)?;
        match command as u32 {
            F_DUPFD | F_DUPFD_CLOEXEC if argument >= self.process().limits.get(RLIMIT_NOFILE) => Err(Errno::EINVAL),
            F_DUPFD => self.process_mut().files.add(open, false, argument).map(Outcome::Done),
            F_DUPFD_CLOEXEC => self.process_mut().files.add(open, true, argument).map(Outcome::Done),
            F_GETFD => {
                let closes = self.process().files.get(number)?.closes;
                Ok(Outcome::Done(if closes { FD_CLOEXEC.into() } else { 0 }))
            }
            F_SETFD => {
                self.process_mut().files.get_mut(number)?.closes = argument as u32 & FD_CLOEXEC != 0;
                Ok(Outcome::Done(0))
            }
            F_GETFL => Ok(Outcome::Done(open.flags.get().into())),
            F_SETFL => {
                open.flags.set(open.flags.get() & !CHANGEABLE | argument as u32 & CHANGEABLE);
                Ok(Outcome::Done(0))
            }
            F_GETPIPE_SZ | F_SETPIPE_SZ if !matches!(open.node.kind, Kind::Pipe(_)) => Err(Errno::EBADF),
            // All are of one size, which is enough for who asks for less.
            F_SETPIPE_SZ if argument as u32 as usize > CAPACITY => Err(Errno::EPERM),
            F_GETPIPE_SZ | F_SETPIPE_SZ => Ok(Outcome::Done(CAPACITY as u64)),
            other => self.lock_part(&open, other, argument).unwrap_or(Err(Errno::EINVAL)),
        }
    }

    pub(super) fn ioctl(&mut self, &[number, request, argument, ..]: &[u64; 6]) -> Result {
        let open = self.file(number)?;
        let request = request as u32;
        if request == FIONREAD {
            let waiting = match &open.node.kind {
                Kind::Pipe(pipe) => pipe.bytes.borrow().len() as u64,
                Kind::Socket(socket) => socket.waiting() as u64,
                Kind::Device(Device::Console) if self.has_terminal => self.terminal.line.borrow().next() as u64,
                Kind::Terminal(tty) => tty.line.borrow().next() as u64,
                Kind::OtherEnd(tty) => tty.output.bytes.borrow().len() as u64,
                Kind::Event(Event::Notes(notes)) => notes.unread() as u64,
                _ => open.node.size().saturating_sub(open.offset.get()),
            };
            return self.user().write(argument, &(waiting as u32).to_le_bytes()).map(|()| Outcome::Done(0));
        }
        if request == FIONBIO {
            let waits = self.user().u32(argument)? == 0;
            open.flags.set(open.flags.get() & !O_NONBLOCK | if waits { 0 } else { O_NONBLOCK });
            return Ok(Outcome::Done(0));
        }
        match &open.node.kind {
            Kind::Device(Device::Console) if self.has_terminal => {
                self.ioctl_of_terminal(&self.terminal.clone(), request, argument)
            }
            Kind::Terminal(tty) => self.ioctl_of_terminal(tty, request, argument),
            Kind::OtherEnd(tty) => self.ioctl_of_other_end(tty, request, argument),
            Kind::Device(Device::Disk) => self.ioctl_of_disk(request, argument),
            _ => Err(Errno::ENOTTY),
        }
    }

    pub(super) fn lseek(&mut self, &[number, offset, whence, ..]: &[u64; 6]) -> Result {
        let offset = self.signed(offset);
        self.seek(number, offset, whence as u32).map(Outcome::Done)
    }

    pub(super) fn llseek(&mut self, &[number, high, low, place, whence, _]: &[u64; 6]) -> Result {
        let at = self.seek(number, (high << 32 | low & 0xffff_ffff) as i64, whence as u32)?;
        self.user().write(place, &at.to_le_bytes()).map(|()| Outcome::Done(0))
    }

    /// A signed word of the process's width.
    pub(super) fn signed(&self, word: u64) -> i64 {
        match self.thread().arch {
            crate::Arch::I386 => i64::from(word as i32),
            crate::Arch::Amd64 => word as i64,
        }
    }

    fn seek(&mut self, number: u64, offset: i64, whence: u32) -> Result<u64> {
        let open = self.file(number)?;
        let base = match (&open.node.kind, whence) {
            (
                Kind::Pipe(_)
                | Kind::Socket(_)
                | Kind::Terminal(_)
                | Kind::OtherEnd(_)
                | Kind::Device(Device::Console | Device::Error),
                _,
            ) => {
                return Err(Errno::ESPIPE);
            }
            (_, SEEK_SET) => 0,
            (_, SEEK_CUR) => open.offset.get(),
            (Kind::Device(Device::Disk), SEEK_END) => self.disk.as_ref().map_or(0, Disk::bytes),
            (_, SEEK_END) => open.node.size(),
            // A file is data up to its end, and a hole from there.
            (Kind::File(_), SEEK_DATA | SEEK_HOLE) => {
                let size = open.node.size();
                let offset = u64::try_from(offset).ok().filter(|&offset| offset < size).ok_or(Errno::ENXIO)?;
                let at = if whence == SEEK_DATA { offset } else { size };
                open.offset.set(at);
                return Ok(at);
            }
            _ => return Err(Errno::EINVAL),
        };
        let at = i64::try_from(base).ok().and_then(|base| base.checked_add(offset)).filter(|&at| at >= 0);
        let at = at.ok_or(Errno::EINVAL)? as u64;
        open.offset.set(at);
        Ok(at)
    }
}
