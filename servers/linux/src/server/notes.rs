//! What happens to files is told to who watches them (`inotify`), and to who watches the directory that they were found in.

use alloc::rc::Rc;
use alloc::vec::Vec;

use linux_raw_sys::general::{
    IN_ACCESS, IN_ATTRIB, IN_CLOSE_NOWRITE, IN_CLOSE_WRITE, IN_DELETE_SELF, IN_ISDIR, IN_MODIFY, IN_MOVE_SELF,
    IN_MOVED_FROM, IN_MOVED_TO,
};

use super::{NAME, Server};
use crate::files::event::Event;
use crate::files::{Kind, Named, Node, Open};
use crate::machine::Machine;
use crate::process::Channel;

impl<M: Machine> Server<M> {
    /// Something happened to a node.
    pub(crate) fn note(&mut self, node: &Rc<Node>, mask: u32) {
        if !self.watchers.is_empty() {
            let told = if node.is_directory() { IN_ISDIR } else { 0 };
            self.tell_watchers(node, b"", mask, told, 0);
        }
    }

    /// Something happened to a node, which is told as well to who watches the directory that it was found in.
    pub(crate) fn note_named(&mut self, named: &Named, mask: u32) {
        if self.watchers.is_empty() {
            return;
        }
        let told = if named.node.is_directory() { IN_ISDIR } else { 0 };
        if let Some((directory, name)) = &named.place {
            self.tell_watchers(directory, name, mask, told, 0);
        }
        self.note(&named.node, mask);
    }

    /// Something happened to what a description was opened for.
    pub(crate) fn note_open(&mut self, open: &Open, mask: u32) {
        if !self.watchers.is_empty() && matches!(open.node.kind, Kind::File(_) | Kind::Directory { .. }) {
            self.note_named(&open.named(), mask);
        }
    }

    /// So many bytes were read, or written.
    pub(crate) fn note_moved(&mut self, open: &Open, bytes: u64, writes: bool) {
        if bytes > 0 {
            self.note_open(open, if writes { IN_MODIFY } else { IN_ACCESS });
        }
    }

    /// A name was put into a directory, or taken out of it.
    pub(crate) fn note_entry(&mut self, directory: &Rc<Node>, name: &[u8], node: &Node, mask: u32) {
        if !self.watchers.is_empty() {
            let told = if node.is_directory() { IN_ISDIR } else { 0 };
            self.tell_watchers(directory, name, mask, told, 0);
        }
    }

    /// A node has another name, perhaps instead of another node.
    pub(crate) fn note_move(
        &mut self,
        from: (&Rc<Node>, &[u8]),
        to: (&Rc<Node>, &[u8]),
        node: &Rc<Node>,
        instead: Option<&Rc<Node>>,
    ) {
        if self.watchers.is_empty() {
            return;
        }
        self.cookie = self.cookie.wrapping_add(1).max(1);
        let (cookie, told) = (self.cookie, if node.is_directory() { IN_ISDIR } else { 0 });
        self.tell_watchers(from.0, from.1, IN_MOVED_FROM, told, cookie);
        self.tell_watchers(to.0, to.1, IN_MOVED_TO, told, cookie);
        if let Some(other) = instead.filter(|other| !other.is_directory()) {
            self.note(other, IN_ATTRIB);
        }
        self.tell_watchers(node, b"", IN_MOVE_SELF, 0, 0);
        if let Some(other) = instead {
            self.note_end(other);
        }
    }

    /// A node has no name any more. If nobody else has it, it is gone.
    pub(crate) fn note_end(&mut self, node: &Rc<Node>) {
        let is_gone = matches!(node.kind, Kind::Directory { .. }) || node.links.get() == 0;
        if self.watchers.is_empty() || !is_gone || Rc::strong_count(node) > 1 {
            return;
        }
        self.tell_watchers(node, b"", IN_DELETE_SELF, 0, 0);
        for watcher in self.watchers() {
            if let Kind::Event(Event::Notes(notes)) = &watcher.kind
                && notes.is_gone(node)
            {
                self.happened(Channel::Pipe(watcher.number));
            }
        }
    }

    /// A description is closed by the last who has it.
    pub(super) fn note_close(&mut self, open: &Open) {
        if let Kind::Event(Event::Notes(notes)) = &open.node.kind {
            notes.end();
            self.watchers.retain(|watcher| !core::ptr::eq(watcher.as_ptr(), Rc::as_ptr(&open.node)));
        }
        self.note_open(open, if open.can_write() { IN_CLOSE_WRITE } else { IN_CLOSE_NOWRITE });
        if open.node.links.get() == 0 && matches!(open.node.kind, Kind::File(_)) {
            self.note_end(&open.node);
        }
    }

    fn watchers(&self) -> Vec<Rc<Node>> {
        self.watchers.iter().filter_map(alloc::rc::Weak::upgrade).collect()
    }

    fn tell_watchers(&mut self, node: &Node, name: &[u8], mask: u32, told: u32, cookie: u32) {
        if node.marks.get() == 0 {
            return;
        }
        let room = self.may_keep(NAME).is_ok();
        for watcher in self.watchers() {
            if let Kind::Event(Event::Notes(notes)) = &watcher.kind
                && notes.happens(node, name, mask, (told, cookie), room)
            {
                self.happened(Channel::Pipe(watcher.number));
            }
        }
    }
}
