//! `inotify`: watching files and directories.

use alloc::rc::Rc;

use linux_raw_sys::general::{
    IN_ALL_EVENTS, IN_DONT_FOLLOW, IN_MASK_ADD, IN_MASK_CREATE, IN_ONLYDIR, O_CLOEXEC, O_NONBLOCK,
};
use syscalls::Errno;

use super::descriptors::HERE;
use crate::files::event::Event;
use crate::files::notes::Notes;
use crate::files::{Kind, Open};
use crate::machine::Machine;
use crate::process::Channel;
use crate::server::{NAME, Outcome, Result, Server};

/// How many may watch at a time: each is told of what happens.
const MOST: usize = 128;

impl<M: Machine> Server<M> {
    pub(super) fn inotify_init(&mut self, _: &[u64; 6]) -> Result {
        self.inotify_init1(&[0; 6])
    }

    pub(super) fn inotify_init1(&mut self, &[flags, ..]: &[u64; 6]) -> Result {
        if flags as u32 & !(O_CLOEXEC | O_NONBLOCK) != 0 {
            return Err(Errno::EINVAL);
        }
        self.watchers.retain(|watcher| watcher.strong_count() > 0);
        if self.watchers.len() >= MOST {
            return Err(Errno::EMFILE);
        }
        let (number, node) = self.open_event(Event::Notes(Notes::default()), flags)?;
        self.watchers.push(Rc::downgrade(&node));
        Ok(Outcome::Done(number))
    }

    pub(super) fn inotify_add_watch(&mut self, &[number, path, mask, ..]: &[u64; 6]) -> Result {
        let (open, mask) = (self.file(number)?, mask as u32);
        let Kind::Event(Event::Notes(notes)) = &open.node.kind else { return Err(Errno::EINVAL) };
        if mask & IN_ALL_EVENTS == 0 || mask & IN_MASK_ADD != 0 && mask & IN_MASK_CREATE != 0 {
            return Err(Errno::EINVAL);
        }
        let node = self.find_path(HERE, path, mask & IN_DONT_FOLLOW == 0)?.existing()?;
        if mask & IN_ONLYDIR != 0 && !node.is_directory() {
            return Err(Errno::ENOTDIR);
        }
        self.may_keep(NAME)?;
        notes.mark(&node, mask, mask & IN_MASK_CREATE != 0).map(|number| Outcome::Done(number as u64))
    }

    pub(super) fn inotify_rm_watch(&mut self, &[number, mark, ..]: &[u64; 6]) -> Result {
        let open = self.file(number)?;
        let Kind::Event(Event::Notes(notes)) = &open.node.kind else { return Err(Errno::EINVAL) };
        notes.unmark(mark as i32)?;
        self.happened(Channel::Pipe(open.node.number));
        Ok(Outcome::Done(0))
    }

    pub(super) fn read_notes(&mut self, open: &Open, notes: &Notes, address: u64, length: usize) -> Result {
        // The address is tried before anything is taken.
        self.user().pieces(address, length.min(notes.unread()), crate::memory::Access::Write, |_| {})?;
        let bytes = notes.take(length)?;
        if bytes.is_empty() {
            return Self::would_wait(open, Channel::Pipe(open.node.number));
        }
        self.user().write(address, &bytes).map(|()| Outcome::Done(bytes.len() as u64))
    }
}
