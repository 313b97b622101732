//! What is known of files, and changing that.

use alloc::rc::Rc;
use alloc::vec::Vec;

use linux_raw_sys::general::{
    AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW, IN_ACCESS, IN_ATTRIB, IN_MODIFY, SIGXFSZ, UTIME_NOW, UTIME_OMIT,
};
use syscalls::Errno;

use super::descriptors::HERE;
use crate::arch::Arch;
use crate::files::{Kind, Named, Node, Status, status};
use crate::machine::Machine;
use crate::server::{Outcome, Result, Server};

/// Nanoseconds of a second.
const SECOND: u64 = 1_000_000_000;

/// Bytes of a structure, field by field.
struct Fields(Vec<u8>);

impl Fields {
    fn put(mut self, value: u64, width: usize) -> Self {
        self.0.extend_from_slice(&value.to_le_bytes()[..width]);
        self
    }

    fn time(self, nanoseconds: u64, width: usize) -> Self {
        self.put(nanoseconds / SECOND, width).put(nanoseconds % SECOND, width)
    }
}

/// `struct stat64` of i386, `struct stat` of amd64: `arch/x86/include/uapi/asm/stat.h`.
fn stat_bytes(arch: Arch, status: &Status) -> Vec<u8> {
    let Status { device, inode, mode, links, owner: (user, group), special, size, blocks, times } = *status;
    let [accessed, changed] = times;
    match arch {
        Arch::I386 => {
            let fields = Fields(Vec::new()).put(device, 8).put(0, 4).put(inode, 4).put(mode.into(), 4);
            let fields = fields.put(links.into(), 4).put(user.into(), 4).put(group.into(), 4).put(special, 8).put(0, 4);
            let fields = fields.put(size, 8).put(4096, 4).put(blocks, 8);
            fields.time(accessed, 4).time(changed, 4).time(changed, 4).put(inode, 8).0
        }
        Arch::Amd64 => {
            let fields = Fields(Vec::new()).put(device, 8).put(inode, 8).put(links.into(), 8).put(mode.into(), 4);
            let fields = fields.put(user.into(), 4).put(group.into(), 4).put(0, 4).put(special, 8).put(size, 8);
            let fields = fields.put(4096, 8).put(blocks, 8);
            let mut bytes = fields.time(accessed, 8).time(changed, 8).time(changed, 8).0;
            bytes.resize(144, 0);
            bytes
        }
    }
}

impl<M: Machine> Server<M> {
    /// The node that a path or, with `AT_EMPTY_PATH`, a descriptor names.
    pub(super) fn node_at(&mut self, directory: u64, path: u64, flags: u32) -> Result<Rc<Node>> {
        if flags & AT_EMPTY_PATH != 0 && (path == 0 || self.user().string(path)?.is_empty()) {
            return if directory as u32 as u64 == HERE {
                Ok(self.process().directory.clone())
            } else {
                self.file(directory).map(|open| open.node.clone())
            };
        }
        self.find_path(directory, path, flags & AT_SYMLINK_NOFOLLOW == 0)?.existing()
    }

    fn put_status(&mut self, node: &Node, place: u64) -> Result {
        let bytes = stat_bytes(self.thread().arch, &status(node));
        self.user().write(place, &bytes).map(|()| Outcome::Done(0))
    }

    pub(super) fn stat64(&mut self, &[path, place, ..]: &[u64; 6]) -> Result {
        let node = self.node_at(HERE, path, 0)?;
        self.put_status(&node, place)
    }

    pub(super) fn lstat64(&mut self, &[path, place, ..]: &[u64; 6]) -> Result {
        let node = self.node_at(HERE, path, AT_SYMLINK_NOFOLLOW)?;
        self.put_status(&node, place)
    }

    pub(super) fn fstat64(&mut self, &[number, place, ..]: &[u64; 6]) -> Result {
        let open = self.file(number)?;
        self.put_status(&open.node, place)
    }

    pub(super) fn fstatat64(&mut self, &[directory, path, place, flags, ..]: &[u64; 6]) -> Result {
        let node = self.node_at(directory, path, flags as u32)?;
        self.put_status(&node, place)
    }

    /// `struct statx`: `include/uapi/linux/stat.h`.
    pub(super) fn statx(&mut self, &[directory, path, flags, _, place, _]: &[u64; 6]) -> Result {
        const BASIC: u64 = 0x7ff;
        let node = self.node_at(directory, path, flags as u32)?;
        let Status { device, inode, mode, links, owner: (user, group), special, size, blocks, times } = status(&node);
        let fields = Fields(Vec::new()).put(BASIC, 4).put(4096, 4).put(0, 8).put(links.into(), 4).put(user.into(), 4);
        let mut fields = fields.put(group.into(), 4).put(mode.into(), 2).put(0, 2).put(inode, 8).put(size, 8);
        fields = fields.put(blocks, 8).put(0, 8);
        // Accessed, made, changed, modified.
        for time in [times[0], times[1], times[1], times[1]] {
            fields = fields.put(time / SECOND, 8).put(time % SECOND, 4).put(0, 4);
        }
        let fields = fields.put(special >> 8, 4).put(special & 0xff, 4).put(device >> 8, 4).put(device & 0xff, 4);
        let mut bytes = fields.0;
        bytes.resize(256, 0);
        self.user().write(place, &bytes).map(|()| Outcome::Done(0))
    }

    /// `struct statfs`, of the file system that a node is in. `width` of most of its words.
    fn put_file_system(&mut self, node: &Node, place: u64, width: usize) -> Result {
        const TMPFS: u64 = 0x0102_1994;
        const PROC: u64 = 0x9fa0;
        let (frames, free) = self.pool.counts();
        let (kind, values) = match node.kind {
            Kind::Proc(_) => (PROC, [0; 5]),
            _ => (TMPFS, [frames as u64, free as u64, free as u64, 1 << 20, 1 << 20]),
        };
        let mut fields = Fields(Vec::new()).put(kind, width.min(8)).put(4096, width.min(8));
        let counts = if width == 4 { 8 } else { width };
        for value in values {
            fields = fields.put(value, counts);
        }
        let mut bytes = fields.put(0, 8).put(255, width).put(4096, width).0;
        bytes.resize(if width == 4 { 84 } else { 120 }, 0);
        self.user().write(place, &bytes).map(|()| Outcome::Done(0))
    }

    pub(super) fn statfs(&mut self, &[path, place, ..]: &[u64; 6]) -> Result {
        let node = self.node_at(HERE, path, 0)?;
        self.put_file_system(&node, place, 8)
    }

    pub(super) fn fstatfs(&mut self, &[number, place, ..]: &[u64; 6]) -> Result {
        let open = self.file(number)?;
        self.put_file_system(&open.node, place, 8)
    }

    pub(super) fn statfs64(&mut self, &[path, _, place, ..]: &[u64; 6]) -> Result {
        let node = self.node_at(HERE, path, 0)?;
        self.put_file_system(&node, place, 4)
    }

    pub(super) fn fstatfs64(&mut self, &[number, _, place, ..]: &[u64; 6]) -> Result {
        let open = self.file(number)?;
        self.put_file_system(&open.node, place, 4)
    }

    /// A node and where it was found: by a path, or what a descriptor was opened for.
    fn named_at(&mut self, directory: u64, path: u64, flags: u32) -> Result<Named> {
        let is_empty = flags & AT_EMPTY_PATH != 0 && (path == 0 || self.user().string(path)?.is_empty());
        if is_empty && directory as u32 as u64 != HERE {
            return Ok(self.file(directory)?.named());
        }
        if is_empty {
            return Ok(Named { node: self.process().directory.clone(), place: None });
        }
        let found = self.find_path(directory, path, flags & AT_SYMLINK_NOFOLLOW == 0)?;
        let node = found.node.ok_or(Errno::ENOENT)?;
        Ok(Named { node, place: Some((found.directory, found.name)).filter(|(_, name)| !name.is_empty()) })
    }

    fn set_mode(&mut self, named: &Named, mode: u64) -> Result {
        named.node.mode.set(mode as u32 & 0o7777);
        self.note_named(named, IN_ATTRIB);
        Ok(Outcome::Done(0))
    }

    pub(super) fn chmod(&mut self, &[path, mode, ..]: &[u64; 6]) -> Result {
        let named = self.named_at(HERE, path, 0)?;
        self.set_mode(&named, mode)
    }

    pub(super) fn fchmod(&mut self, &[number, mode, ..]: &[u64; 6]) -> Result {
        let named = self.file(number)?.named();
        self.set_mode(&named, mode)
    }

    pub(super) fn fchmodat(&mut self, &[directory, path, mode, ..]: &[u64; 6]) -> Result {
        let named = self.named_at(directory, path, 0)?;
        self.set_mode(&named, mode)
    }

    /// All ones for one of the two leaves it as it is.
    fn set_owner(&mut self, named: &Named, user: u64, group: u64) -> Result {
        let (old_user, old_group) = named.node.owner.get();
        let choose = |new: u64, old| if new as u32 == u32::MAX { old } else { new as u32 };
        named.node.owner.set((choose(user, old_user), choose(group, old_group)));
        self.note_named(named, IN_ATTRIB);
        Ok(Outcome::Done(0))
    }

    pub(super) fn chown(&mut self, &[path, user, group, ..]: &[u64; 6]) -> Result {
        let named = self.named_at(HERE, path, 0)?;
        self.set_owner(&named, user, group)
    }

    pub(super) fn lchown(&mut self, &[path, user, group, ..]: &[u64; 6]) -> Result {
        let named = self.named_at(HERE, path, AT_SYMLINK_NOFOLLOW)?;
        self.set_owner(&named, user, group)
    }

    pub(super) fn fchown(&mut self, &[number, user, group, ..]: &[u64; 6]) -> Result {
        let named = self.file(number)?.named();
        self.set_owner(&named, user, group)
    }

    pub(super) fn fchownat(&mut self, &[directory, path, user, group, flags, _]: &[u64; 6]) -> Result {
        let named = self.named_at(directory, path, flags as u32)?;
        self.set_owner(&named, user, group)
    }

    pub(super) fn set_size(&mut self, node: &Node, size: u64) -> Result {
        if node.is_directory() {
            return Err(Errno::EISDIR);
        }
        if size as i64 <= -1 {
            return Err(Errno::EINVAL);
        }
        let before = node.size();
        if size > before && self.within_limit(before, (size - before) as usize)? as u64 != size - before {
            self.raise(SIGXFSZ);
            return Err(Errno::EFBIG);
        }
        self.may_grow(node, size)?;
        node.resize(size)?;
        crate::memory::spread(node, before.min(size)..before.max(size), &mut self.pool);
        node.changed.set(self.wall_clock());
        Ok(Outcome::Done(0))
    }

    fn cut(&mut self, named: &Named, size: u64) -> Result {
        let outcome = self.set_size(&named.node, size)?;
        self.note_named(named, IN_MODIFY);
        Ok(outcome)
    }

    pub(super) fn truncate(&mut self, &[path, size, ..]: &[u64; 6]) -> Result {
        let named = self.named_at(HERE, path, 0)?;
        let size = self.signed(size) as u64;
        self.cut(&named, size)
    }

    pub(super) fn ftruncate(&mut self, &[number, size, ..]: &[u64; 6]) -> Result {
        let open = self.file(number)?;
        if !open.can_write() {
            return Err(Errno::EINVAL);
        }
        let size = self.signed(size) as u64;
        self.cut(&open.named(), size)
    }

    pub(super) fn truncate64(&mut self, &[path, low, high, ..]: &[u64; 6]) -> Result {
        let named = self.named_at(HERE, path, 0)?;
        let size = self.offset(low, high)?;
        self.cut(&named, size)
    }

    pub(super) fn ftruncate64(&mut self, &[number, low, high, ..]: &[u64; 6]) -> Result {
        let open = self.file(number)?;
        if !open.can_write() {
            return Err(Errno::EINVAL);
        }
        let size = self.offset(low, high)?;
        self.cut(&open.named(), size)
    }

    pub(super) fn utimensat(&mut self, arguments: &[u64; 6]) -> Result {
        let width = self.thread().arch.word();
        self.set_times(arguments, width)
    }

    pub(super) fn utimensat64(&mut self, arguments: &[u64; 6]) -> Result {
        self.set_times(arguments, 8)
    }

    fn set_times(&mut self, &[directory, path, times, flags, ..]: &[u64; 6], width: u64) -> Result {
        // Without a path it is the descriptor's file.
        let flags = flags as u32 | if path == 0 { AT_EMPTY_PATH } else { 0 };
        let named = self.named_at(directory, path, flags)?;
        let (now, mut is_set) = (self.wall_clock(), [true; 2]);
        for (number, cell) in [&named.node.accessed, &named.node.changed].into_iter().enumerate() {
            let at = times + number as u64 * 2 * width;
            let time = if times == 0 { (0, UTIME_NOW) } else { self.time_at(at, width)? };
            match time {
                (_, UTIME_NOW) => cell.set(now),
                (_, UTIME_OMIT) => is_set[number] = false,
                (seconds, nanoseconds) if u64::from(nanoseconds) < SECOND => {
                    cell.set(seconds.saturating_mul(SECOND).saturating_add(nanoseconds.into()));
                }
                _ => return Err(Errno::EINVAL),
            }
        }
        match is_set {
            [true, true] => self.note_named(&named, IN_ATTRIB),
            [true, false] => self.note_named(&named, IN_ACCESS),
            [false, true] => self.note_named(&named, IN_MODIFY),
            [false, false] => {}
        }
        Ok(Outcome::Done(0))
    }

    /// Seconds and nanoseconds.
    fn time_at(&mut self, at: u64, width: u64) -> Result<(u64, u32)> {
        let mut user = self.user();
        match width {
            4 => Ok((user.u32(at)?.into(), user.u32(at + 4)?)),
            _ => Ok((user.u64(at)?, user.u32(at + 8)?)),
        }
    }
}
