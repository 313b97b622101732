//! How processes end: what was theirs goes, and their parents are told.

use alloc::vec::Vec;
use core::mem;

use super::Server;
use super::deliver::{EXITED, KILLED};
use super::later::Later;
use crate::machine::Machine;
use crate::process::{Channel, End};

impl<M: Machine> Server<M> {
    /// Ends a process: all its threads, its memory, its files. Its number stays until its parent has asked.
    pub(crate) fn end_process(&mut self, place: usize, end: End) {
        if self.processes[place].as_ref().is_none_or(|process| process.end.is_some()) {
            return;
        }
        let kept = self.kept_groups(place);
        let Some(process) = &mut self.processes[place] else { return };
        process.end = Some(end);
        let (pid, parent, session) = (process.pid, process.parent, process.session);
        let (threads, files) = (mem::take(&mut process.threads), mem::take(&mut process.files));
        self.end_threads(place, threads);
        for open in files.into_open() {
            self.leave_locks(pid, &open);
            self.close(open);
        }
        self.leave_children(pid, parent);
        self.hang_up(pid, session, &kept);
        if parent == 0 {
            if self.first_end.is_none() && pid == self.first {
                self.first_end = Some(end);
            }
            self.bury(place);
        } else if self.wants_no_zombies(parent) {
            self.bury(place);
            self.happened(Channel::Child(parent));
        } else {
            self.tell_of_end(parent, pid, end);
        }
    }

    /// The children of a process that ends are those of the nearest above it that adopts, or nobody's, and not waited for.
    fn leave_children(&mut self, pid: u32, parent: u32) {
        let mut heir = parent;
        while let Some(process) = self.find(heir).and_then(|place| self.processes[place].as_ref())
            && (process.end.is_some() || !process.traits.adopts)
        {
            heir = process.parent;
        }
        for child in 0..self.processes.len() {
            let Some(process) = self.processes[child].as_mut().filter(|process| process.parent == pid) else {
                continue;
            };
            process.parent = heir;
            let (number, end, signal) = (process.pid, process.end, process.traits.death_signal);
            match end {
                Some(_) if heir == 0 || self.wants_no_zombies(heir) => self.bury(child),
                Some(end) => self.tell_of_end(heir, number, end),
                None if signal != 0 => self.later.push(Later::Send(number, signal, pid)),
                None => {}
            }
        }
    }

    /// A parent hears of the end of a child.
    fn tell_of_end(&mut self, parent: u32, pid: u32, end: End) {
        let (code, status) = match end {
            End::Exit(status) => (EXITED, status),
            End::Signal(signal) => (KILLED, signal),
        };
        self.tell_parent(parent, pid, code, status.into());
    }

    /// Whether a parent ignores the end of its children.
    fn wants_no_zombies(&self, parent: u32) -> bool {
        let parent = self.find(parent).and_then(|place| self.processes[place].as_ref());
        parent.is_none_or(|parent| parent.actions.get(linux_raw_sys::general::SIGCHLD).handler == 1)
    }

    /// A process's number is nobody's any more.
    pub(crate) fn bury(&mut self, place: usize) {
        self.processes[place] = None;
    }

    /// Ends all threads of a process, and its memory if nobody else has that.
    pub(super) fn end_threads(&mut self, place: usize, threads: Vec<usize>) {
        let Some(process) = &mut self.processes[place] else { return };
        let (pid, memory) = (process.pid, process.memory);
        let was_awaited = mem::take(&mut process.is_awaited);
        let others_stay = memory.is_some_and(|memory| self.memories.is_shared(memory));
        for thread in threads {
            self.leave_memory(thread, others_stay);
            self.remove_thread(thread);
        }
        if let Some(process) = &mut self.processes[place] {
            process.memory = None;
        }
        if let Some(mut memory) = memory.and_then(|memory| self.memories.release(memory)) {
            memory.clear(&mut self.pool);
            self.machine.destroy_space(memory.space);
        }
        if was_awaited {
            self.happened(Channel::Memory(pid));
        }
    }

    /// Ends everything: the machine may start another first process.
    pub fn end_all(&mut self) {
        for place in 0..self.processes.len() {
            if let Some(process) = &mut self.processes[place] {
                process.parent = 0;
            }
            self.end_process(place, End::Signal(linux_raw_sys::general::SIGKILL as u8));
            // Whoever had ended before, and would have been asked for by a parent, is there still: numbers begin anew, and somebody else will have that one.
            self.bury(place);
        }
        self.later.clear();
        self.events.clear();
    }

    /// Frames that processes have.
    pub fn frames_in_use(&self) -> usize {
        self.pool.in_use()
    }
}
