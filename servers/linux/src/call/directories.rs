//! Names: making, removing, linking, listing them, and where a process is.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::ops::Bound;

use linux_raw_sys::general::{
    AT_EACCESS, AT_REMOVEDIR, AT_SYMLINK_FOLLOW, AT_SYMLINK_NOFOLLOW, IN_ATTRIB, IN_CREATE, IN_DELETE,
};
use syscalls::Errno;

use super::descriptors::HERE;
use crate::files::proc::Entry;
use crate::files::{Data, Device, Found, Kind, Node, Pipe, path_of};
use crate::machine::Machine;
use crate::server::{NAME, Outcome, Result, Server};

impl<M: Machine> Server<M> {
    /// Adds a node under the name that was found to be free.
    fn add_node(&mut self, found: &Found, kind: Kind, mode: u32) -> Result {
        if found.node.is_some() {
            return Err(Errno::EEXIST);
        }
        self.may_keep(NAME)?;
        let now = self.wall_clock();
        let node = Node::new(self.new_node(), kind, mode, now);
        found.directory.add(&found.name, node.clone())?;
        found.directory.changed.set(now);
        self.note_entry(&found.directory, &found.name, &node, IN_CREATE);
        Ok(Outcome::Done(0))
    }

    pub(super) fn mkdir(&mut self, &[path, mode, ..]: &[u64; 6]) -> Result {
        self.mkdirat(&[HERE, path, mode, 0, 0, 0])
    }

    pub(super) fn mkdirat(&mut self, &[directory, path, mode, ..]: &[u64; 6]) -> Result {
        let found = self.find_path(directory, path, false)?;
        let mode = mode as u32 & !self.process().mask;
        self.add_node(&found, Node::directory(), mode)
    }

    pub(super) fn mknod(&mut self, &[path, mode, device, ..]: &[u64; 6]) -> Result {
        self.mknodat(&[HERE, path, mode, device, 0, 0])
    }

    pub(super) fn mknodat(&mut self, &[directory, path, mode, device, ..]: &[u64; 6]) -> Result {
        let found = self.find_path(directory, path, false)?;
        let (kind, permissions) = (mode as u32 & 0o170_000, mode as u32 & 0o7777 & !self.process().mask);
        let kind = match kind {
            0 | 0o100_000 => Kind::File(RefCell::new(Data::Own(Vec::new()))),
            0o010_000 => Kind::Pipe(Pipe::new(self.new_node())),
            0o020_000 => Kind::Device(match device {
                0x103 => Device::Null,
                0x105 => Device::Zero,
                0x107 => Device::Full,
                0x108 | 0x109 => Device::Random,
                0x500 => Device::Own,
                0x501 => Device::Console,
                0x502 => Device::Pairs,
                _ => return Err(Errno::EPERM),
            }),
            _ => return Err(Errno::EPERM),
        };
        self.add_node(&found, kind, permissions)
    }

    pub(super) fn symlink(&mut self, &[target, path, ..]: &[u64; 6]) -> Result {
        self.symlinkat(&[target, HERE, path, 0, 0, 0])
    }

    pub(super) fn symlinkat(&mut self, &[target, directory, path, ..]: &[u64; 6]) -> Result {
        let target = self.user().string(target)?;
        if target.is_empty() {
            return Err(Errno::ENOENT);
        }
        let found = self.find_path(directory, path, false)?;
        self.add_node(&found, Kind::Link(target), 0o777)
    }

    pub(super) fn link(&mut self, &[old, new, ..]: &[u64; 6]) -> Result {
        self.linkat(&[HERE, old, HERE, new, 0, 0])
    }

    pub(super) fn linkat(&mut self, &[old_directory, old, directory, path, flags, _]: &[u64; 6]) -> Result {
        let node = self.find_path(old_directory, old, flags as u32 & AT_SYMLINK_FOLLOW != 0)?.existing()?;
        if node.is_directory() {
            return Err(Errno::EPERM);
        }
        let found = self.find_path(directory, path, false)?;
        if found.node.is_some() {
            return Err(Errno::EEXIST);
        }
        self.may_keep(NAME)?;
        found.directory.add(&found.name, node.clone())?;
        self.note(&node, IN_ATTRIB);
        self.note_entry(&found.directory, &found.name, &node, IN_CREATE);
        Ok(Outcome::Done(0))
    }

    pub(super) fn unlink(&mut self, &[path, ..]: &[u64; 6]) -> Result {
        self.unlinkat(&[HERE, path, 0, 0, 0, 0])
    }

    pub(super) fn rmdir(&mut self, &[path, ..]: &[u64; 6]) -> Result {
        self.unlinkat(&[HERE, path, AT_REMOVEDIR.into(), 0, 0, 0])
    }

    pub(super) fn unlinkat(&mut self, &[directory, path, flags, ..]: &[u64; 6]) -> Result {
        let Found { directory, name, node } = self.find_path(directory, path, false)?;
        let node = node.ok_or(Errno::ENOENT)?;
        match (node.is_directory(), flags as u32 & AT_REMOVEDIR != 0) {
            (true, false) => return Err(Errno::EISDIR),
            (false, true) => return Err(Errno::ENOTDIR),
            // `.` and the root have no name.
            (true, true) if name.is_empty() => return Err(Errno::EBUSY),
            (true, true) if !node.entries()?.borrow().is_empty() => return Err(Errno::ENOTEMPTY),
            _ => {}
        }
        directory.take(&name)?;
        directory.changed.set(self.wall_clock());
        if !node.is_directory() {
            self.note(&node, IN_ATTRIB);
        }
        // Who watches the node itself hears of it first.
        self.note_end(&node);
        self.note_entry(&directory, &name, &node, IN_DELETE);
        Ok(Outcome::Done(0))
    }

    pub(super) fn rename(&mut self, &[old, new, ..]: &[u64; 6]) -> Result {
        self.renameat(&[HERE, old, HERE, new, 0, 0])
    }

    pub(super) fn renameat(&mut self, &[old_directory, old, directory, path, flags, _]: &[u64; 6]) -> Result {
        const NO_REPLACE: u64 = 1;
        if flags & !NO_REPLACE != 0 {
            return Err(Errno::EINVAL);
        }
        let from = self.find_path(old_directory, old, false)?;
        let to = self.find_path(directory, path, false)?;
        let node = from.node.ok_or(Errno::ENOENT)?;
        if from.name.is_empty() || to.name.is_empty() {
            return Err(Errno::EBUSY);
        }
        // No directory goes into itself.
        let mut above = to.directory.clone();
        while node.is_directory() && !Rc::ptr_eq(&above, &self.root) {
            if Rc::ptr_eq(&above, &node) {
                return Err(Errno::EINVAL);
            }
            let next = above.parent();
            // One that was removed leads nowhere.
            if Rc::ptr_eq(&above, &next) {
                return Err(Errno::ENOENT);
            }
            above = next;
        }
        if let Some(other) = &to.node {
            match (node.is_directory(), other.is_directory()) {
                _ if flags & NO_REPLACE != 0 => return Err(Errno::EEXIST),
                _ if Rc::ptr_eq(&node, other) => return Ok(Outcome::Done(0)),
                (true, false) => return Err(Errno::ENOTDIR),
                (false, true) => return Err(Errno::EISDIR),
                (true, true) if !other.entries()?.borrow().is_empty() => return Err(Errno::ENOTEMPTY),
                _ => {}
            }
            to.directory.take(&to.name)?;
        }
        from.directory.take(&from.name)?;
        to.directory.add(&to.name, node.clone())?;
        let now = self.wall_clock();
        from.directory.changed.set(now);
        to.directory.changed.set(now);
        self.note_move((&from.directory, &from.name), (&to.directory, &to.name), &node, to.node.as_ref());
        Ok(Outcome::Done(0))
    }

    pub(super) fn readlink(&mut self, &[path, place, length, ..]: &[u64; 6]) -> Result {
        self.readlinkat(&[HERE, path, place, length, 0, 0])
    }

    pub(super) fn readlinkat(&mut self, &[directory, path, place, length, ..]: &[u64; 6]) -> Result {
        let target = match &self.find_path(directory, path, false)?.existing()?.kind {
            Kind::Link(target) => target.clone(),
            &Kind::Proc(Entry::Way(pid, way)) => self.way_text(pid, way)?,
            _ => return Err(Errno::EINVAL),
        };
        let length = target.len().min(length as usize);
        self.user().write(place, &target[..length]).map(|()| Outcome::Done(length as u64))
    }

    pub(super) fn access(&mut self, &[path, mode, ..]: &[u64; 6]) -> Result {
        self.faccessat(&[HERE, path, mode, 0, 0, 0])
    }

    pub(super) fn faccessat(&mut self, &[directory, path, mode, flags, ..]: &[u64; 6]) -> Result {
        const EXECUTE: u64 = 1;
        let flags = flags as u32 & !AT_EACCESS;
        let node = self.find_path(directory, path, flags & AT_SYMLINK_NOFOLLOW == 0)?.existing()?;
        // Root may do anything, but execute what nobody may.
        let denied = mode & EXECUTE != 0 && !node.is_directory() && node.mode.get() & 0o111 == 0;
        if denied { Err(Errno::EACCES) } else { Ok(Outcome::Done(0)) }
    }

    pub(super) fn chdir(&mut self, &[path, ..]: &[u64; 6]) -> Result {
        let node = self.find_path(HERE, path, true)?.existing()?;
        if !node.is_directory() {
            return Err(Errno::ENOTDIR);
        }
        self.process_mut().directory = node;
        Ok(Outcome::Done(0))
    }

    pub(super) fn fchdir(&mut self, &[number, ..]: &[u64; 6]) -> Result {
        let open = self.file(number)?;
        if !open.node.is_directory() {
            return Err(Errno::ENOTDIR);
        }
        self.process_mut().directory = open.node.clone();
        Ok(Outcome::Done(0))
    }

    pub(super) fn getcwd(&mut self, &[place, length, ..]: &[u64; 6]) -> Result {
        let mut path = path_of(&self.process().directory, &self.root)?;
        path.push(0);
        if path.len() as u64 > length {
            return Err(Errno::ERANGE);
        }
        self.user().write(place, &path).map(|()| Outcome::Done(path.len() as u64))
    }

    pub(super) fn umask(&mut self, &[mask, ..]: &[u64; 6]) -> Result {
        let old = core::mem::replace(&mut self.process_mut().mask, mask as u32 & 0o777);
        Ok(Outcome::Done(old.into()))
    }

    pub(super) fn getdents64(&mut self, arguments: &[u64; 6]) -> Result {
        self.tell_entries(arguments, None)
    }

    /// The old call: numbers as wide as the program's words, and the kind at the end of each entry.
    pub(super) fn getdents(&mut self, arguments: &[u64; 6]) -> Result {
        let word = self.thread().arch.word() as usize;
        self.tell_entries(arguments, Some(word))
    }

    fn tell_entries(&mut self, &[number, place, length, ..]: &[u64; 6], old: Option<usize>) -> Result {
        let width = old.unwrap_or(8);
        let header = 2 * width + 2 + usize::from(old.is_none());
        let open = self.file(number)?;
        let length = length.min(1 << 20) as usize;
        // Its own name and its parent's come first; the offset counts entries.
        let first = open.offset.get() as usize;
        let (mut bytes, mut next) = (Vec::new(), first);
        let last = open.last.take().filter(|&(at, _)| at == first as u64).map(|(_, name)| name);
        let mut told = None;
        let parent = open.node.parent();
        let dots = [(&b"."[..], &open.node), (b"..", &parent)];
        let made = match open.node.kind {
            Kind::Proc(entry) if entry.is_directory() => self.list(entry),
            _ => Vec::new(),
        };
        let stored = if made.is_empty() { Some(open.node.entries()?.borrow()) } else { None };
        // It goes on behind the name that was told last, whatever came or went since.
        let (skipped, from) = match &last {
            Some(name) => (0, Bound::Excluded(name.as_slice())),
            None => (first, Bound::Unbounded),
        };
        let stored = stored.iter().flat_map(|entries| entries.range::<[u8], _>((from, Bound::Unbounded)));
        let named = stored.chain(made.iter().map(|(name, node)| (name, node)));
        let named = named.map(|(name, node)| (name.as_slice(), node));
        let dots = dots.into_iter().take(if last.is_some() { 0 } else { 2 });
        for (name, node) in dots.chain(named).skip(skipped) {
            let size = (header + name.len() + 1 + usize::from(old.is_some())).next_multiple_of(width);
            if bytes.len() + size > length {
                if bytes.is_empty() {
                    return Err(Errno::EINVAL);
                }
                break;
            }
            next += 1;
            told = Some(name.to_vec());
            let (start, kind) = (bytes.len(), (crate::files::status(node).mode >> 12) as u8);
            bytes.extend_from_slice(&node.number.to_le_bytes()[..width]);
            bytes.extend_from_slice(&(next as u64).to_le_bytes()[..width]);
            bytes.extend_from_slice(&(size as u16).to_le_bytes());
            bytes.extend(old.is_none().then_some(kind));
            bytes.extend_from_slice(name);
            bytes.resize(start + size, 0);
            if old.is_some() {
                bytes[start + size - 1] = kind;
            }
        }
        self.user().write(place, &bytes)?;
        self.note_moved(&open, bytes.len() as u64, false);
        open.offset.set(next as u64);
        // The two that are always there are counted.
        open.last.set(told.filter(|_| next > 2 && made.is_empty()).map(|name| (next as u64, name)));
        Ok(Outcome::Done(bytes.len() as u64))
    }
}
