//! What is noted for a program of what happens to files (`inotify`): which it watches, and what it has not read yet.

use alloc::collections::VecDeque;
use alloc::rc::{Rc, Weak};
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};

use linux_raw_sys::general::{IN_IGNORED, IN_MASK_ADD, IN_ONESHOT, IN_Q_OVERFLOW};
use syscalls::Errno;

use super::Node;

/// How many files one may watch.
const MOST_MARKS: usize = 1024;
/// How much one may leave unread.
const MOST_NOTES: usize = 16_384;
/// Bytes before the name, which is as long as a multiple of them.
const HEADER: usize = 16;

/// A file that is watched.
struct Mark {
    number: i32,
    node: Weak<Node>,
    mask: u32,
}

/// Something that happened.
#[derive(Debug, PartialEq, Eq)]
struct Note {
    number: i32,
    mask: u32,
    cookie: u32,
    name: Vec<u8>,
}

impl Note {
    /// That there was no room for more.
    const fn missing() -> Self {
        Self { number: -1, mask: IN_Q_OVERFLOW, cookie: 0, name: Vec::new() }
    }

    fn size(&self) -> usize {
        let name = if self.name.is_empty() { 0 } else { self.name.len() + 1 };
        HEADER + name.next_multiple_of(HEADER)
    }
}

/// What one descriptor is about.
#[derive(Default)]
pub struct Notes {
    marks: RefCell<Vec<Mark>>,
    unread: RefCell<VecDeque<Note>>,
    last: Cell<i32>,
    /// How often something was noted.
    pub changes: Cell<u64>,
}

impl Notes {
    /// Watches a file, or changes what is noted of it; the mark's number.
    ///
    /// # Errors
    /// `EEXIST` where it is watched and must not be; `ENOSPC` where there are too many.
    pub fn mark(&self, node: &Rc<Node>, mask: u32, must_be_new: bool) -> Result<i32, Errno> {
        let mut marks = self.marks.borrow_mut();
        marks.retain(|mark| mark.node.strong_count() > 0);
        if let Some(mark) = marks.iter_mut().find(|mark| mark.node.as_ptr() == Rc::as_ptr(node)) {
            if must_be_new {
                return Err(Errno::EEXIST);
            }
            mark.mask = if mask & IN_MASK_ADD != 0 { mark.mask | mask } else { mask };
            return Ok(mark.number);
        }
        if marks.len() >= MOST_MARKS {
            return Err(Errno::ENOSPC);
        }
        let number = self.last.get() + 1;
        self.last.set(number);
        marks.push(Mark { number, node: Rc::downgrade(node), mask });
        node.marks.set(node.marks.get() + 1);
        Ok(number)
    }

    /// Does not watch a file any more, by its mark's number.
    ///
    /// # Errors
    /// `EINVAL`.
    pub fn unmark(&self, number: i32) -> Result<(), Errno> {
        let mut marks = self.marks.borrow_mut();
        let place = marks.iter().position(|mark| mark.number == number).ok_or(Errno::EINVAL)?;
        marks.remove(place).leave();
        drop(marks);
        self.add(Note { number, mask: IN_IGNORED, cookie: 0, name: Vec::new() });
        Ok(())
    }

    /// Something happened to a file, or in it under a name; whether that is noted. `told` is said of it beside what happened. Without room it is noted that something is missing.
    pub fn happens(&self, node: &Node, name: &[u8], mask: u32, (told, cookie): (u32, u32), room: bool) -> bool {
        let found = self.marks.borrow().iter().position(|mark| core::ptr::eq(mark.node.as_ptr(), node));
        let Some(place) = found else { return false };
        let (number, wanted) = {
            let marks = self.marks.borrow();
            (marks[place].number, marks[place].mask)
        };
        if wanted & mask == 0 {
            return false;
        }
        if room {
            self.add(Note { number, mask: mask | told, cookie, name: name.to_vec() });
        } else {
            self.add(Note::missing());
        }
        if wanted & IN_ONESHOT != 0 {
            // It is there: it was found.
            let _ = self.unmark(number);
        }
        true
    }

    /// A file is no more; whether it was watched.
    pub fn is_gone(&self, node: &Node) -> bool {
        let found =
            self.marks.borrow().iter().find(|mark| core::ptr::eq(mark.node.as_ptr(), node)).map(|mark| mark.number);
        found.is_some_and(|number| self.unmark(number).is_ok())
    }

    /// Watches nothing any more.
    pub fn end(&self) {
        self.marks.take().into_iter().for_each(Mark::leave);
    }

    fn add(&self, note: Note) {
        let mut unread = self.unread.borrow_mut();
        // What is the same as what was noted last is noted already.
        let alike = |last: &Note| {
            (last.number, last.mask, &last.name) == (note.number, note.mask, &note.name) && note.mask & IN_IGNORED == 0
        };
        if unread.back().is_some_and(alike) || unread.len() > MOST_NOTES {
            return;
        }
        let is_full = unread.len() == MOST_NOTES;
        unread.push_back(if is_full { Note::missing() } else { note });
        self.changes.set(self.changes.get() + 1);
    }

    /// Bytes that can be read.
    pub fn unread(&self) -> usize {
        self.unread.borrow().iter().map(Note::size).sum()
    }

    /// Takes what fits into so many bytes, each as a `struct inotify_event`. Nothing if there is nothing.
    ///
    /// # Errors
    /// `EINVAL` where not even one fits.
    pub fn take(&self, most: usize) -> Result<Vec<u8>, Errno> {
        let (mut unread, mut bytes) = (self.unread.borrow_mut(), Vec::new());
        while let Some(note) = unread.pop_front_if(|note| bytes.len() + note.size() <= most) {
            let end = bytes.len() + note.size();
            for word in [note.number as u32, note.mask, note.cookie, (note.size() - HEADER) as u32] {
                bytes.extend(word.to_le_bytes());
            }
            bytes.extend(&note.name);
            bytes.resize(end, 0);
        }
        if bytes.is_empty() && !unread.is_empty() { Err(Errno::EINVAL) } else { Ok(bytes) }
    }
}

impl Mark {
    fn leave(self) {
        if let Some(node) = self.node.upgrade() {
            node.marks.set(node.marks.get().saturating_sub(1));
        }
    }
}

#[cfg(test)]
mod tests {
    use linux_raw_sys::general::{IN_CREATE, IN_MODIFY};

    use super::*;

    #[test]
    fn what_happens_is_noted_once_and_in_order_and_so_much() {
        let (notes, node) = (Notes::default(), Node::new(1, Node::directory(), 0, 0));
        assert_eq!(
            (notes.mark(&node, IN_MODIFY, false), notes.mark(&node, IN_CREATE, true)),
            (Ok(1), Err(Errno::EEXIST))
        );
        assert_eq!((notes.mark(&node, IN_CREATE | IN_MASK_ADD, false), node.marks.get()), (Ok(1), 1));
        assert!(
            notes.happens(&node, b"", IN_MODIFY, (0, 0), true) && notes.happens(&node, b"", IN_MODIFY, (0, 0), true)
        );
        assert!(notes.happens(&node, b"sixteen letters!", IN_CREATE, (0, 7), true));
        assert_eq!((notes.unread(), notes.take(15), notes.take(20).unwrap().len()), (16 + 48, Err(Errno::EINVAL), 16));
        let bytes = notes.take(48).unwrap();
        assert_eq!(
            (&bytes[..16], &bytes[16..33]),
            (&[1, 0, 0, 0, 0, 1, 0, 0, 7, 0, 0, 0, 32, 0, 0, 0][..], &b"sixteen letters!\0"[..])
        );
        for number in 0..MOST_NOTES as u32 + 10 {
            notes.happens(&node, &number.to_le_bytes(), IN_CREATE, (0, 0), true);
        }
        // What is missing is told once.
        assert!(notes.happens(&node, b"", IN_MODIFY, (0, 0), false));
        let bytes = notes.take(usize::MAX).unwrap();
        assert_eq!(bytes.len(), MOST_NOTES * 32 + 16);
        assert_eq!(bytes[bytes.len() - 16..][..8], [0xff, 0xff, 0xff, 0xff, 0, 0x40, 0, 0]);
        assert_eq!((notes.unmark(2), notes.unmark(1), node.marks.get()), (Err(Errno::EINVAL), Ok(()), 0));
        assert!(!notes.happens(&node, b"", IN_MODIFY, (0, 0), true));
        assert_eq!(notes.take(99).unwrap()[4..8], IN_IGNORED.to_le_bytes());
    }
}
