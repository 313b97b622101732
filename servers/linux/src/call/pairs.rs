//! Terminals that programs make in pairs: `/dev/ptmx` opens the other end of a new one, and `/dev/pts` has the terminals.

use alloc::format;
use alloc::rc::Rc;

use linux_raw_sys::general::{O_ACCMODE, O_NOCTTY, O_NONBLOCK, SIGTTOU};
use linux_raw_sys::ioctl::TIOCGPGRP;
use syscalls::Errno;

use crate::files::terminal::Terminal;
use crate::files::tty::Tty;
use crate::files::{Kind, Node, Open};
use crate::machine::Machine;
use crate::process::Channel;
use crate::server::{NAME, Outcome, Result, Server};

/// How many pairs there can be.
const MOST: usize = 64;
/// The most bytes that one call types or prints.
const PIECE: usize = 4096;
/// Which of all pairs it is, and locking, which nobody needs here.
const TIOCGPTN: u32 = 0x8004_5430;
const TIOCSPTLCK: u32 = 0x4004_5431;
const TIOCGPTLCK: u32 = 0x8004_5439;

impl<M: Machine> Server<M> {
    /// The other end of a new terminal.
    pub(super) fn new_pair(&mut self, flags: u32) -> Result<Rc<Open>> {
        self.may_keep(NAME + 2 * PIECE)?;
        let index = (0..MOST).find(|&index| self.pair(index as u32).is_none()).ok_or(Errno::ENOSPC)?;
        let (number, output, now) = (self.new_node(), self.new_node(), self.wall_clock());
        let tty = Tty::new(number, index as u32, Terminal::new((0, 0)), output);
        let terminal = Node::new(number, Kind::Terminal(tty.clone()), 0o620, now);
        let name = format!("{index}");
        let _ = self.pairs.take(name.as_bytes());
        self.pairs.add(name.as_bytes(), terminal)?;
        let other = Node::new(self.new_node(), Kind::OtherEnd(tty), 0o666, now);
        Ok(Open::new(other, flags & (O_ACCMODE | O_NONBLOCK)))
    }

    /// A terminal by its place among pairs.
    fn pair(&self, index: u32) -> Option<Rc<Tty>> {
        let entries = self.pairs.entries().ok()?.borrow();
        match &entries.get(format!("{index}").as_bytes())?.kind {
            Kind::Terminal(tty) => Some(tty.clone()),
            _ => None,
        }
    }

    /// The other end of a terminal is no more: who has the terminal hears of it, and finds nothing there.
    pub(crate) fn end_pair(&mut self, tty: &Tty) {
        let _ = self.pairs.take(format!("{}", tty.index).as_bytes());
        self.happened(Channel::Pipe(tty.number));
        let (session, group) = {
            let mut line = tty.line.borrow_mut();
            (core::mem::take(&mut line.session), core::mem::take(&mut line.foreground))
        };
        self.lose_terminal(session, group);
    }

    /// Somebody opens a terminal: it is the session's from now on if that has none, unless he says no.
    pub(super) fn opens_terminal(&mut self, tty: &Tty, flags: u32) -> Result<()> {
        if !tty.has_other() {
            return Err(Errno::EIO);
        }
        tty.was_open.set(true);
        let (pid, group, session) = (self.process().pid, self.process().group, self.process().session);
        let is_free = tty.line.borrow().session == 0;
        if flags & O_NOCTTY == 0 && pid == session && is_free && self.terminal_of_session(session).is_none() {
            let mut line = tty.line.borrow_mut();
            (line.session, line.foreground) = (session, group);
        }
        Ok(())
    }

    /// Prints to a terminal, for whoever is at the other end.
    pub(super) fn print_to(&mut self, open: &Open, tty: &Rc<Tty>, address: u64, length: usize) -> Result {
        if !tty.has_other() {
            return Err(Errno::EIO);
        }
        let stops = tty.line.borrow().stops_output();
        if stops && let Some(outcome) = self.ask_for_terminal(tty, SIGTTOU)? {
            return Ok(outcome);
        }
        let bytes = self.user().bytes(address, length.min(PIECE))?;
        let printed = tty.line.borrow().printed(&bytes);
        if tty.output.room() < printed.len() {
            let waits = Ok(Outcome::Wait(Channel::Pipe(tty.output.number)));
            return if open.never_waits() { Err(Errno::EAGAIN) } else { waits };
        }
        self.show(tty, &printed);
        Ok(Outcome::Done(bytes.len() as u64))
    }

    /// Lets the other end have this, as far as there is room.
    fn show(&mut self, tty: &Tty, bytes: &[u8]) {
        let count = bytes.len().min(tty.output.room());
        tty.output.bytes.borrow_mut().extend(&bytes[..count]);
        tty.output.came(count);
        self.happened(Channel::Pipe(tty.output.number));
    }

    /// Types at a terminal, from its other end.
    pub(super) fn type_at(&mut self, tty: &Tty, address: u64, length: usize) -> Result {
        let bytes = self.user().bytes(address, length.min(PIECE))?;
        let effect = tty.line.borrow_mut().type_in(&bytes);
        self.show(tty, &effect.echo);
        let group = tty.line.borrow().foreground;
        for signal in effect.signals {
            self.signal_group(group, signal);
        }
        self.happened(Channel::Pipe(tty.number));
        Ok(Outcome::Done(bytes.len() as u64))
    }

    /// Reads what was printed to a terminal, at its other end.
    pub(super) fn read_printed(&mut self, open: &Open, tty: &Tty, address: u64, length: usize) -> Result {
        let is_empty = tty.output.bytes.borrow().is_empty();
        match () {
            () if is_empty && tty.is_left() => Err(Errno::EIO),
            // As long as nobody has opened it, somebody may yet.
            () if is_empty && open.never_waits() => Err(Errno::EAGAIN),
            () if is_empty && length > 0 => Ok(Outcome::Wait(Channel::Pipe(tty.output.number))),
            () => self.read_pipe(true, &tty.output, address, length),
        }
    }

    pub(super) fn ioctl_of_other_end(&mut self, tty: &Rc<Tty>, request: u32, argument: u64) -> Result {
        match request {
            TIOCGPTN => self.user().write(argument, &tty.index.to_le_bytes()).map(|()| Outcome::Done(0)),
            TIOCGPTLCK => self.user().write(argument, &[0; 4]).map(|()| Outcome::Done(0)),
            TIOCSPTLCK => Ok(Outcome::Done(0)),
            // The other end belongs to no session, and may know.
            TIOCGPGRP => {
                let group = tty.line.borrow().foreground;
                self.user().write(argument, &group.to_le_bytes()).map(|()| Outcome::Done(0))
            }
            _ => self.ioctl_of_terminal(tty, request, argument),
        }
    }
}
