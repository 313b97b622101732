//! What is open: a node or a pipe's end, an offset, flags. Shared by all descriptors that were made from one.

use alloc::rc::{Rc, Weak};
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};

use linux_raw_sys::general::{O_ACCMODE, O_APPEND, O_NONBLOCK, O_PATH, O_RDONLY, O_RDWR, O_WRONLY};

use super::{End, Kind, Name, Node};

/// An open file description.
pub struct Open {
    /// The node; an anonymous pipe has one too, in no directory.
    pub node: Rc<Node>,
    /// The end, of a pipe; two if it was opened for both.
    pub ends: [Option<End>; 2],
    /// Where it was found: the directory, and the name there.
    pub place: RefCell<Option<(Weak<Node>, Name)>>,
    /// Where it is read and written next.
    pub offset: Cell<u64>,
    /// Flags of `open` that can change.
    pub flags: Cell<u32>,
    /// Of a directory: the name that was told last, and where the description stood then.
    pub last: Cell<Option<(u64, Vec<u8>)>>,
    /// A text of `/proc` as it was when its beginning was read.
    pub text: RefCell<Vec<u8>>,
}

/// A node, and where it was found, if that is known.
pub struct Named {
    /// The node.
    pub node: Rc<Node>,
    /// The directory, and the name there.
    pub place: Option<(Rc<Node>, Name)>,
}

/// What could be done without waiting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ready {
    /// Reading.
    pub read: bool,
    /// Writing.
    pub write: bool,
    /// There is nobody at the other end.
    pub hung_up: bool,
    /// Nothing more will be there to be read than there is.
    pub ended: bool,
}

impl Open {
    /// A description of a node that was opened with these flags.
    pub fn new(node: Rc<Node>, flags: u32) -> Rc<Self> {
        let mode = flags & O_ACCMODE;
        let ends = match &node.kind {
            Kind::Pipe(pipe) => [
                (mode == O_RDONLY || mode == O_RDWR).then(|| End::new(pipe, false)),
                (mode == O_WRONLY || mode == O_RDWR).then(|| End::new(pipe, true)),
            ],
            Kind::Terminal(tty) => [None, Some(End::new(&tty.output, true))],
            Kind::OtherEnd(tty) => [Some(End::new(&tty.output, false)), None],
            _ => [None, None],
        };
        Rc::new(Self {
            node,
            ends,
            place: RefCell::default(),
            offset: Cell::new(0),
            flags: Cell::new(flags),
            last: Cell::default(),
            text: RefCell::default(),
        })
    }

    /// What it was opened for, and where that is, or was as long as it had a name; but not where it has been moved from.
    pub fn named(&self) -> Named {
        let place = self.place.borrow().as_ref().and_then(|(directory, name)| {
            let directory = directory.upgrade()?;
            let stays = || directory.entries().ok()?.borrow().get(name).map(|node| Rc::ptr_eq(node, &self.node));
            let is_its = self.node.links.get() == 0 || stays() == Some(true);
            is_its.then(|| (directory, name.clone()))
        });
        Named { node: self.node.clone(), place }
    }

    /// Whether it was opened to be read.
    pub fn can_read(&self) -> bool {
        self.flags.get() & (O_WRONLY | O_PATH) == 0
    }

    /// Whether it was opened to be written.
    pub fn can_write(&self) -> bool {
        self.flags.get() & O_ACCMODE != O_RDONLY
    }

    /// Whether it fails where it would have to wait.
    pub fn never_waits(&self) -> bool {
        self.flags.get() & O_NONBLOCK != 0
    }

    /// Whether it is written at its end only.
    pub fn appends(&self) -> bool {
        self.flags.get() & O_APPEND != 0
    }

    /// What could be done without waiting.
    pub fn ready(&self) -> Ready {
        let pipe = match &self.node.kind {
            Kind::Pipe(pipe) => pipe,
            Kind::Socket(socket) => return socket.ready(),
            Kind::Terminal(tty) => return tty.ready(),
            Kind::OtherEnd(tty) => return tty.other_ready(),
            _ => return Ready { read: true, write: true, ..Ready::default() },
        };
        let hung_up = self.can_read() && !pipe.has_writers() || self.can_write() && !pipe.has_readers();
        let empty = pipe.bytes.borrow().is_empty();
        Ready {
            read: self.can_read() && !empty,
            write: self.can_write() && (pipe.room() > 0 || !pipe.has_readers()),
            hung_up,
            ended: hung_up,
        }
    }
}
