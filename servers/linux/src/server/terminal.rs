//! The terminal's part in sessions: who reads it, who is signalled by its keys.

use alloc::rc::Rc;
use alloc::vec::Vec;

use linux_raw_sys::general::{SIGTTIN, SIGTTOU};
use syscalls::Errno;

use super::later::Later;
use super::{BY_KERNEL, Outcome, Result, Server};
use crate::files::Kind;
use crate::files::terminal::Read;
use crate::files::tty::Tty;
use crate::machine::{Machine, Stream};
use crate::process::{Channel, Process};
use crate::signal::Occasion;

/// What waits for a signal that is held back: no pipe or node has this number either.
pub(crate) const SIGNALLED: Channel = Channel::Pipe(2);
/// What waits for somebody to type: no pipe or node has this number.
pub(crate) const TYPED: Channel = Channel::Pipe(0);

impl<M: Machine> Server<M> {
    /// Somebody has typed something at the terminal.
    pub fn typed(&mut self, bytes: &[u8]) {
        let effect = self.terminal.line.borrow_mut().type_in(bytes);
        self.machine.print(Stream::Output, &effect.echo);
        let group = self.terminal.line.borrow().foreground;
        for signal in effect.signals {
            self.signal_group(group, signal);
        }
        self.happened(TYPED);
        self.react();
    }

    /// Sends a signal to all processes of a group.
    pub(crate) fn signal_group(&mut self, group: u32, signal: u32) {
        for place in 0..self.processes.len() {
            if self.processes[place].as_ref().is_some_and(|process| process.group == group) {
                self.send(place, Occasion::new(signal, BY_KERNEL, 0));
            }
        }
    }

    /// Whether a process has this terminal, and is not in its foreground.
    fn is_behind(process: &Process, tty: &Tty) -> bool {
        let line = tty.line.borrow();
        process.session == line.session && process.group != line.foreground
    }

    /// All terminals.
    fn terminals(&self) -> Vec<Rc<Tty>> {
        let mut all = Vec::new();
        if self.has_terminal {
            all.push(self.terminal.clone());
        }
        if let Ok(entries) = self.pairs.entries() {
            all.extend(entries.borrow().values().filter_map(|node| match &node.kind {
                Kind::Terminal(tty) => Some(tty.clone()),
                _ => None,
            }));
        }
        all
    }

    /// The terminal that a session has.
    pub(crate) fn terminal_of_session(&self, session: u32) -> Option<Rc<Tty>> {
        self.terminals().into_iter().find(|tty| tty.line.borrow().session == session)
    }

    /// A session has lost its terminal: its first process and the foreground hear of it.
    pub(crate) fn lose_terminal(&mut self, session: u32, foreground: u32) {
        if session != 0 {
            let first = self.find(session).and_then(|place| self.processes[place].as_ref());
            let group = first.map(|process| process.group).filter(|&group| group != foreground);
            for group in group.into_iter().chain([foreground]) {
                self.later.push(Later::HangUp(group));
            }
        }
    }

    /// Whether nobody would let a group go on that is stopped: no process of the session and of another group has a child in it.
    pub(super) fn is_orphaned(&self, group: u32, session: u32) -> bool {
        let processes =
            || self.processes.iter().flatten().filter(|process| process.end.is_none() && process.session == session);
        let has_parent =
            |child: &Process| processes().any(|parent| parent.pid == child.parent && parent.group != group);
        !processes().any(|process| process.group == group && has_parent(process))
    }

    /// A process in the background that uses the terminal in this way is stopped with its group, unless it has said that it is not to be.
    ///
    /// # Errors
    /// `EIO` if the signal would do nothing and the use is not allowed all the same.
    pub(crate) fn ask_for_terminal(&mut self, tty: &Tty, signal: u32) -> Result<Option<Outcome>> {
        let process = self.process();
        if !Self::is_behind(process, tty) {
            return Ok(None);
        }
        let held_back = self.thread().mask.has(signal) || process.actions.get(signal).handler == 1;
        let (group, session) = (process.group, process.session);
        match signal {
            SIGTTOU if held_back => return Ok(None),
            _ if held_back || self.is_orphaned(group, session) => return Err(Errno::EIO),
            _ => {}
        }
        self.signal_group(group, signal);
        // The signal interrupts this, and the call is made again after it.
        Ok(Some(Outcome::Wait(Channel::Pipe(tty.number))))
    }

    /// A process has ended, and its children are nobody's. Groups that somebody would have let go on before, and nobody would now, hear of it and go on, if some of
    /// them are stopped. If it was its session's first, the terminal's foreground hears of it as well, and the terminal is free.
    pub(super) fn hang_up(&mut self, pid: u32, session: u32, kept: &[u32]) {
        for &group in kept {
            let stopped =
                |process: &Process| process.group == group && process.session == session && process.stopped.is_some();
            if self.processes.iter().flatten().any(stopped) && self.is_orphaned(group, session) {
                self.later.push(Later::HangUp(group));
            }
        }
        if let Some(tty) = self.terminal_of_session(pid) {
            let mut line = tty.line.borrow_mut();
            line.session = 0;
            self.later.push(Later::HangUp(core::mem::take(&mut line.foreground)));
        }
    }

    /// The groups of a process and of its children that somebody would let go on who is not in them.
    pub(super) fn kept_groups(&self, place: usize) -> Vec<u32> {
        let Some(process) = &self.processes[place] else { return Vec::new() };
        if self.processes.iter().flatten().all(|process| process.stopped.is_none()) {
            return Vec::new();
        }
        let children = self
            .processes
            .iter()
            .flatten()
            .filter(|child| child.parent == process.pid && child.session == process.session);
        let mut groups: Vec<u32> = children.map(|child| child.group).chain([process.group]).collect();
        groups.sort_unstable();
        groups.dedup();
        groups.retain(|&group| !self.is_orphaned(group, process.session));
        groups
    }

    /// Reads what was typed.
    pub(crate) fn read_terminal(&mut self, tty: &Tty, never_waits: bool, address: u64, length: usize) -> Result {
        if let Some(outcome) = self.ask_for_terminal(tty, SIGTTIN)? {
            return Ok(outcome);
        }
        // The address is tried before anything is taken.
        self.user().pieces(address, length.min(4096), crate::memory::Access::Write, |_| {})?;
        let typed = tty.line.borrow_mut().read(length.min(4096));
        let waits = Ok(Outcome::Wait(Channel::Pipe(tty.number)));
        match typed {
            Read::Bytes(bytes) => {
                self.user().write(address, &bytes)?;
                Ok(Outcome::Done(bytes.len() as u64))
            }
            Read::Wait(_) if !tty.has_other() => Ok(Outcome::Done(0)),
            Read::Wait(_) if never_waits => Err(Errno::EAGAIN),
            Read::Wait(None) => waits,
            Read::Wait(Some(limit)) => {
                let now = self.machine.now();
                let deadline = *self.thread_mut().deadline.get_or_insert(now.saturating_add(limit));
                if deadline <= now { Ok(Outcome::Done(0)) } else { waits }
            }
        }
    }
}
