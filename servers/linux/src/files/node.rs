//! Nodes of the tree: files, directories, symbolic links, devices, pipes with names.

use alloc::collections::BTreeMap;
use alloc::rc::{Rc, Weak};
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};

use syscalls::Errno;

use super::Pipe;
use super::event::Event;
use super::locks::Locks;
use super::proc::Entry;
use super::socket::Socket;
use super::tty::Tty;
use crate::memory::Shared;

/// A name in a directory.
pub type Name = Vec<u8>;

/// The largest file.
const LARGEST: u64 = 256 << 20;

/// What stands behind a device's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Device {
    /// Nothing, in any amount.
    Null,
    /// Zeros.
    Zero,
    /// Zeros to be read, and no room to write.
    Full,
    /// Random bytes.
    Random,
    /// The console.
    Console,
    /// The terminal of whoever opens it.
    Own,
    /// The other end of a new terminal for whoever opens it.
    Pairs,
    /// Standard error, where that is another stream than the console.
    Error,
    /// The disk.
    Disk,
}

/// Bytes of a file.
pub enum Data {
    /// Of the initial tree, in place.
    Fixed(&'static [u8]),
    /// Written since.
    Own(Vec<u8>),
}

/// What a node is.
pub enum Kind {
    /// A file.
    File(RefCell<Data>),
    /// A directory; its own place in the tree is its parent's.
    Directory {
        /// What is in it.
        entries: RefCell<BTreeMap<Name, Rc<Node>>>,
        /// The directory that it is in; the root is in itself, one that was removed in none.
        parent: RefCell<Weak<Node>>,
        /// How many of those in it are directories.
        directories: Cell<u32>,
    },
    /// A symbolic link.
    Link(Vec<u8>),
    /// A device.
    Device(Device),
    /// A pipe with a name.
    Pipe(Rc<Pipe>),
    /// Something below `/proc`.
    Proc(Entry),
    /// A socket, in no directory.
    Socket(Rc<Socket>),
    /// A terminal that a program made.
    Terminal(Rc<Tty>),
    /// Its other end, in no directory.
    OtherEnd(Rc<Tty>),
    /// What tells of something else than bytes, in no directory.
    Event(Event),
    /// The name of a socket, as long as that is there.
    SocketName(Weak<Socket>),
}

/// Locks of a file: of its parts, and of all of it (`flock`). They don't know of each other.
#[derive(Default)]
pub struct Held {
    /// Of parts.
    pub parts: Locks,
    /// Of all of it.
    pub whole: Locks,
}

/// A node of the tree.
pub struct Node {
    /// Its number, of which no other was ever.
    pub number: u64,
    /// What it is.
    pub kind: Kind,
    /// Permissions, the low twelve bits of the mode.
    pub mode: Cell<u32>,
    /// Who owns it: user and group.
    pub owner: Cell<(u32, u32)>,
    /// In how many directories it is.
    pub links: Cell<u32>,
    /// When it was changed, in nanoseconds of the clock that shows the date.
    pub changed: Cell<u64>,
    /// When it was read.
    pub accessed: Cell<u64>,
    /// Who has locks of it.
    pub locks: RefCell<Held>,
    /// How many watch it.
    pub marks: Cell<u32>,
    /// The mapping of it that processes share, as long as one does.
    pub mapping: RefCell<Weak<Shared>>,
}

impl Drop for Node {
    /// A tree is as deep as programs make it, and the server's stack is not: what is below a directory that goes is taken apart one after the other.
    fn drop(&mut self) {
        let mut left: Vec<_> = self.take_all().into_values().collect();
        while let Some(node) = left.pop() {
            if let Some(node) = Rc::into_inner(node) {
                left.extend(node.take_all().into_values());
            }
        }
    }
}

impl Node {
    /// All that is in it, which it has no more.
    fn take_all(&self) -> BTreeMap<Name, Rc<Self>> {
        match &self.kind {
            Kind::Directory { entries, .. } => core::mem::take(&mut *entries.borrow_mut()),
            _ => BTreeMap::new(),
        }
    }

    /// A node in no directory yet.
    pub fn new(number: u64, kind: Kind, mode: u32, now: u64) -> Rc<Self> {
        Rc::new(Self {
            number,
            kind,
            mode: Cell::new(mode & 0o7777),
            owner: Cell::new((0, 0)),
            links: Cell::new(0),
            changed: Cell::new(now),
            accessed: Cell::new(now),
            locks: RefCell::default(),
            marks: Cell::new(0),
            mapping: RefCell::default(),
        })
    }

    /// An empty directory's kind.
    pub fn directory() -> Kind {
        Kind::Directory { entries: RefCell::default(), parent: RefCell::default(), directories: Cell::default() }
    }

    /// A node for something below `/proc`.
    pub fn of(entry: Entry) -> Rc<Self> {
        Self::new(entry.number(), Kind::Proc(entry), entry.mode(), 0)
    }

    /// Whether it is a directory.
    pub const fn is_directory(&self) -> bool {
        match self.kind {
            Kind::Directory { .. } => true,
            Kind::Proc(entry) => entry.is_directory(),
            _ => false,
        }
    }

    /// Whether its bytes are the initial tree's.
    pub fn is_fixed(&self) -> bool {
        matches!(&self.kind, Kind::File(data) if matches!(*data.borrow(), Data::Fixed(_)))
    }

    /// What is in a directory of the tree.
    ///
    /// # Errors
    /// `ENOTDIR`; `EPERM` for a directory below `/proc`, where nothing is put or taken.
    pub fn entries(&self) -> Result<&RefCell<BTreeMap<Name, Rc<Self>>>, Errno> {
        match &self.kind {
            Kind::Directory { entries, .. } => Ok(entries),
            Kind::Proc(entry) if entry.is_directory() => Err(Errno::EPERM),
            _ => Err(Errno::ENOTDIR),
        }
    }

    /// The directory that a directory is in; itself if that is none.
    pub fn parent(self: &Rc<Self>) -> Rc<Self> {
        match &self.kind {
            Kind::Directory { parent, .. } => parent.borrow().upgrade().unwrap_or_else(|| self.clone()),
            _ => self.clone(),
        }
    }

    /// Puts a node under a name into this directory.
    ///
    /// # Errors
    /// `ENOTDIR`, `EEXIST`.
    pub fn add(self: &Rc<Self>, name: &[u8], node: Rc<Self>) -> Result<(), Errno> {
        let mut entries = self.entries()?.borrow_mut();
        if entries.contains_key(name) {
            return Err(Errno::EEXIST);
        }
        if let Kind::Directory { parent, .. } = &node.kind {
            *parent.borrow_mut() = Rc::downgrade(self);
        }
        if node.is_directory() {
            self.count_directories(1);
        }
        node.links.set(node.links.get() + 1);
        entries.insert(name.to_vec(), node);
        Ok(())
    }

    /// Takes a name out of this directory.
    ///
    /// # Errors
    /// `ENOENT`, `ENOTDIR`.
    pub fn take(&self, name: &[u8]) -> Result<Rc<Self>, Errno> {
        let node = self.entries()?.borrow_mut().remove(name).ok_or(Errno::ENOENT)?;
        node.links.set(node.links.get().saturating_sub(1));
        if let Kind::Directory { parent, .. } = &node.kind {
            *parent.borrow_mut() = Weak::new();
        }
        if node.is_directory() {
            self.count_directories(-1);
        }
        Ok(node)
    }

    fn count_directories(&self, more: i32) {
        if let Kind::Directory { directories, .. } = &self.kind {
            directories.set(directories.get().saturating_add_signed(more));
        }
    }

    /// How many directories are in it.
    pub const fn directories(&self) -> u32 {
        match &self.kind {
            Kind::Directory { directories, .. } => directories.get(),
            _ => 0,
        }
    }

    /// How many bytes it has.
    pub fn size(&self) -> u64 {
        match &self.kind {
            Kind::File(data) => data.borrow().bytes().len() as u64,
            Kind::Link(target) => target.len() as u64,
            _ => 0,
        }
    }

    /// Calls `with` with a file's bytes, none if it is none.
    pub fn with_bytes<T>(&self, with: impl FnOnce(&[u8]) -> T) -> T {
        match &self.kind {
            Kind::File(data) => with(data.borrow().bytes()),
            _ => with(&[]),
        }
    }

    /// Copies a file's bytes from an offset on; how many there were.
    pub fn copy_out(&self, offset: u64, to: &mut [u8]) -> usize {
        self.with_bytes(|bytes| {
            let rest = usize::try_from(offset).ok().and_then(|offset| bytes.get(offset..)).unwrap_or_default();
            let count = rest.len().min(to.len());
            to[..count].copy_from_slice(&rest[..count]);
            count
        })
    }

    /// Makes a file have so many bytes.
    ///
    /// # Errors
    /// `EINVAL` for what has no size, `EFBIG`.
    pub fn resize(&self, size: u64) -> Result<(), Errno> {
        let Kind::File(data) = &self.kind else { return Err(Errno::EINVAL) };
        if size > LARGEST {
            return Err(Errno::EFBIG);
        }
        let mut data = data.borrow_mut();
        if size == 0 {
            *data = Data::Own(Vec::new());
            return Ok(());
        }
        resize(data.own()?, size as usize)
    }

    /// Bytes of memory that are to be had before it can be so large, or written at all: those of the file, which moves there.
    pub fn growth(&self, size: u64) -> usize {
        let Kind::File(data) = &self.kind else { return 0 };
        let size = size.min(LARGEST) as usize;
        match &*data.borrow() {
            _ if size == 0 => 0,
            Data::Fixed(bytes) => 2 * bytes.len().max(size),
            Data::Own(bytes) if size > bytes.capacity() => capacity(bytes, size),
            Data::Own(_) => 0,
        }
    }

    /// Calls `with` with a range of a file's bytes to be written; it becomes so large.
    ///
    /// # Errors
    /// `EINVAL` for what is no file, `EFBIG`, `ENOSPC`.
    pub fn write<T>(&self, offset: u64, length: usize, with: impl FnOnce(&mut [u8]) -> T) -> Result<T, Errno> {
        let Kind::File(data) = &self.kind else { return Err(Errno::EINVAL) };
        let end = offset.checked_add(length as u64).filter(|&end| end <= LARGEST).ok_or(Errno::EFBIG)?;
        let mut data = data.borrow_mut();
        let bytes = data.own()?;
        if bytes.len() < end as usize {
            resize(bytes, end as usize)?;
        }
        Ok(with(&mut bytes[offset as usize..end as usize]))
    }
}

impl Data {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Fixed(bytes) => bytes,
            Self::Own(bytes) => bytes,
        }
    }

    /// The bytes as this tree's own, copied if they are the initial one's.
    fn own(&mut self) -> Result<&mut Vec<u8>, Errno> {
        if let Self::Fixed(bytes) = *self {
            let mut copy = Vec::new();
            copy.try_reserve(bytes.len()).map_err(|_| Errno::ENOSPC)?;
            copy.extend_from_slice(bytes);
            *self = Self::Own(copy);
        }
        match self {
            Self::Own(bytes) => Ok(bytes),
            Self::Fixed(_) => Err(Errno::ENOSPC),
        }
    }
}

/// How much room a file gets that becomes so large: a quarter more than it had, so that one that grows does not move each time.
fn capacity(bytes: &[u8], size: usize) -> usize {
    size.max(bytes.len() + bytes.len() / 4)
}

fn resize(bytes: &mut Vec<u8>, size: usize) -> Result<(), Errno> {
    if size > bytes.capacity() {
        bytes.try_reserve_exact(capacity(bytes, size) - bytes.len()).map_err(|_| Errno::ENOSPC)?;
    }
    bytes.resize(size, 0);
    Ok(())
}
