//! What a server begins with: no process, and a tree of files.

use alloc::rc::Rc;
use alloc::vec::Vec;

use super::waiters::Waiters;
use super::{Answer, Server};
use crate::call::Calls;
use crate::files::disk::Disk;
use crate::files::proc::Entry;
use crate::files::socket::Names;
use crate::files::terminal::Terminal;
use crate::files::tty::Tty;
use crate::files::{self, Device, Kind, Node, Refused};
use crate::known::Known;
use crate::machine::{Machine, Times};
use crate::memory::{Memories, PAGE, Pool};
use crate::program::{Counter, vdso, wide_vdso};
use crate::way::Way;

/// What the server starts with.
pub struct Start {
    /// The initial tree: a cpio archive, or none.
    pub tree: &'static [u8],
    /// Seconds since 1970 at the boot.
    pub date: u64,
    /// What CPUID says in leaf 1, EDX.
    pub features: u32,
    /// The instruction by which 32-bit programs make system calls the fastest.
    pub way: Way,
    /// What the kernel's clock is.
    pub counter: Counter,
    /// Where random numbers come from.
    pub seed: u64,
    /// Rows and columns of the console, if it is a terminal.
    pub terminal: Option<(u16, u16)>,
}

impl<M: Machine> Server<M> {
    /// A server with no process yet.
    ///
    /// # Errors
    /// Where the tree cannot be had.
    pub fn new(machine: M, pool: Pool, start: &Start) -> core::result::Result<Self, Refused> {
        let root = Node::new(1, Node::directory(), 0o755, start.date * 1_000_000_000);
        let mut server = Self {
            machine,
            pool,
            memories: Memories::default(),
            processes: Vec::new(),
            threads: Vec::new(),
            me: 0,
            caller: None,
            own_answer: Answer::Nobody,
            root: root.clone(),
            sockets: Rc::default(),
            names: Names::default(),
            next_node: 2,
            next_pid: 1,
            next_turn: 0,
            events: Vec::new(),
            waiters: Waiters::new(),
            later: Vec::new(),
            watchers: Vec::new(),
            cookie: 0,
            has_locks: false,
            timers: Vec::new(),
            date: start.date,
            ended: Times::default(),
            idle: 0,
            has_terminal: start.terminal.is_some(),
            terminal: Tty::new(0, 0, Terminal::new(start.terminal.unwrap_or_default()), 0),
            pairs: Node::new(0, Node::directory(), 0o755, 0),
            features: start.features,
            disk: None,
            way: start.way,
            calls_pages: [None, None],
            random: start.seed | 1,
            calls: Calls::new(),
            known: Known::new(),
            unknown: Vec::new(),
            first: 0,
            first_end: None,
            deadline: None,
            deadline_may_be_new: true,
            ticked: 0,
        };
        let narrow = vdso::page(start.way).map(|page| server.fixed_file(page.leak()));
        let wide = server.fixed_file(wide_vdso::page(start.counter, start.date).leak());
        server.calls_pages = [narrow, Some(wide)];
        files::fill(&root, start.tree, &mut || server.new_node())?;
        server.make_usual_files();
        Ok(server)
    }

    /// There is a disk, which programs find as `/dev/vda` from the next beginning on: so many bytes, read by buffers in this memory.
    pub fn set_disk(&mut self, memory: &'static mut [[u8; PAGE as usize]], bytes: u64) {
        self.disk = Some(Disk::new(memory, bytes));
        self.make_usual_files();
    }

    /// Ends all processes, and begins with the initial tree again.
    ///
    /// # Errors
    /// Where that cannot be had.
    pub fn begin_anew(&mut self, start: &Start) -> core::result::Result<(), Refused> {
        self.end_all();
        self.root = Node::new(self.new_node(), Node::directory(), 0o755, start.date * 1_000_000_000);
        (self.next_pid, self.first, self.first_end) = (1, 0, None);
        let root = self.root.clone();
        files::fill(&root, start.tree, &mut || self.new_node())?;
        self.make_usual_files();
        Ok(())
    }

    /// What programs expect to be there, where the tree does not have it.
    fn make_usual_files(&mut self) {
        // What the tree has there cannot be reached.
        let _ = self.root.take(b"proc");
        let _ = self.root.add(b"proc", Node::of(Entry::Folder("")));
        for name in [&b"dev"[..], b"tmp", b"root"] {
            let node = Node::new(self.new_node(), Node::directory(), if name == b"tmp" { 0o1777 } else { 0o755 }, 0);
            // It is there already where the tree has it.
            let _ = self.root.add(name, node);
        }
        let dev = self.root.entries().ok().and_then(|entries| entries.borrow().get(&b"dev"[..]).cloned());
        self.pairs = Node::new(self.new_node(), Node::directory(), 0o755, 0);
        let pairs = self.pairs.clone();
        let _ = dev.as_ref().map(|dev| dev.add(b"pts", pairs));
        let shared = Node::new(self.new_node(), Node::directory(), 0o1777, 0);
        let _ = dev.as_ref().map(|dev| dev.add(b"shm", shared));
        for (name, device) in [
            (&b"null"[..], Device::Null),
            (b"zero", Device::Zero),
            (b"full", Device::Full),
            (b"random", Device::Random),
            (b"urandom", Device::Random),
            (b"console", Device::Console),
            (b"tty", Device::Own),
            (b"ptmx", Device::Pairs),
        ] {
            let node = Node::new(self.new_node(), Kind::Device(device), 0o666, 0);
            let _ = dev.as_ref().map(|dev| dev.add(name, node));
        }
        // What a process has open, by names.
        for (name, target) in [
            (&b"fd"[..], &b"/proc/self/fd"[..]),
            (b"stdin", b"/proc/self/fd/0"),
            (b"stdout", b"/proc/self/fd/1"),
            (b"stderr", b"/proc/self/fd/2"),
        ] {
            let node = Node::new(self.new_node(), Kind::Link(target.to_vec()), 0o777, 0);
            let _ = dev.as_ref().map(|dev| dev.add(name, node));
        }
        if self.disk.is_some() {
            let node = Node::new(self.new_node(), Kind::Device(Device::Disk), 0o440, 0);
            let _ = dev.map(|dev| dev.add(b"vda", node));
        }
    }
}
