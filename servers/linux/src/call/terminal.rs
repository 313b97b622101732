//! `ioctl` of the terminal.

use alloc::rc::Rc;

use linux_raw_sys::general::{SIGTTOU, SIGWINCH};
use linux_raw_sys::ioctl::{
    TCFLSH, TCGETS, TCSBRK, TCSETS, TCSETSF, TCSETSW, TCXONC, TIOCGPGRP, TIOCGSID, TIOCGWINSZ, TIOCNOTTY, TIOCSCTTY,
    TIOCSPGRP, TIOCSWINSZ,
};
use syscalls::Errno;

use crate::files::terminal::SETTINGS;
use crate::files::tty::Tty;
use crate::machine::Machine;
use crate::server::{Outcome, Result, Server};

impl<M: Machine> Server<M> {
    pub(super) fn ioctl_of_terminal(&mut self, tty: &Rc<Tty>, request: u32, argument: u64) -> Result {
        let done = Ok(Outcome::Done(0));
        match request {
            TCGETS => {
                let settings = *tty.line.borrow().settings();
                self.user().write(argument, &settings)?;
            }
            TCSETS | TCSETSW | TCSETSF => {
                let mut settings = [0; SETTINGS];
                self.user().read(argument, &mut settings)?;
                if let Some(outcome) = self.ask_for_terminal(tty, SIGTTOU)? {
                    return Ok(outcome);
                }
                tty.line.borrow_mut().set(settings, request == TCSETSF);
            }
            TCFLSH => {
                // 1 would be for what is printed, of which nothing waits.
                if argument != 1 {
                    tty.line.borrow_mut().forget();
                }
            }
            TCSBRK | TCXONC => {}
            TIOCGWINSZ => {
                let size = tty.line.borrow().size;
                self.user().write(argument, &size)?;
            }
            TIOCSWINSZ => {
                let mut size = [0; 8];
                self.user().read(argument, &mut size)?;
                let (before, group) = {
                    let mut line = tty.line.borrow_mut();
                    (core::mem::replace(&mut line.size, size), line.foreground)
                };
                if before != size && group != 0 {
                    self.signal_group(group, SIGWINCH);
                }
            }
            TIOCSCTTY => {
                let process = self.process();
                let (pid, group, session) = (process.pid, process.group, process.session);
                if pid != session {
                    return Err(Errno::EPERM);
                }
                let owner = tty.line.borrow().session;
                let is_free = !self.processes.iter().flatten().any(|process| process.session == owner);
                if session != owner {
                    let has_another = self.terminal_of_session(session).is_some();
                    if has_another || !is_free && argument != 1 {
                        return Err(Errno::EPERM);
                    }
                    let mut line = tty.line.borrow_mut();
                    (line.session, line.foreground) = (session, group);
                }
            }
            _ if self.process().session != tty.line.borrow().session => return Err(Errno::ENOTTY),
            TIOCNOTTY => {
                let mut line = tty.line.borrow_mut();
                if self.process().pid == line.session {
                    (line.session, line.foreground) = (0, 0);
                }
            }
            TIOCGPGRP | TIOCGSID => {
                let number = {
                    let line = tty.line.borrow();
                    if request == TIOCGPGRP { line.foreground } else { line.session }
                };
                self.user().write(argument, &number.to_le_bytes())?;
            }
            TIOCSPGRP => {
                let group = self.user().u32(argument)?;
                if let Some(outcome) = self.ask_for_terminal(tty, SIGTTOU)? {
                    return Ok(outcome);
                }
                let session = tty.line.borrow().session;
                let mut members = self.processes.iter().flatten().filter(|process| process.group == group);
                if !members.any(|process| process.session == session) {
                    return Err(Errno::EPERM);
                }
                tty.line.borrow_mut().foreground = group;
            }
            _ => return Err(Errno::ENOTTY),
        }
        done
    }
}
