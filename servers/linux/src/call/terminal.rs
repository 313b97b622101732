//! `ioctl` of the terminal.

use linux_raw_sys::general::SIGTTOU;
use linux_raw_sys::ioctl::{
    TCFLSH, TCGETS, TCSBRK, TCSETS, TCSETSF, TCSETSW, TCXONC, TIOCGPGRP, TIOCGSID, TIOCGWINSZ, TIOCNOTTY, TIOCSCTTY,
    TIOCSPGRP, TIOCSWINSZ,
};
use syscalls::Errno;

use crate::files::terminal::SETTINGS;
use crate::machine::Machine;
use crate::server::{Outcome, Result, Server};

impl<M: Machine> Server<M> {
    pub(super) fn ioctl_of_terminal(&mut self, request: u32, argument: u64) -> Result {
        let done = Ok(Outcome::Done(0));
        match request {
            TCGETS => {
                let settings = *self.terminal.settings();
                self.user().write(argument, &settings)?;
            }
            TCSETS | TCSETSW | TCSETSF => {
                let mut settings = [0; SETTINGS];
                self.user().read(argument, &mut settings)?;
                if let Some(outcome) = self.ask_for_terminal(SIGTTOU)? {
                    return Ok(outcome);
                }
                self.terminal.set(settings, request == TCSETSF);
            }
            TCFLSH => {
                // 1 would be for what is printed, of which nothing waits.
                if argument != 1 {
                    self.terminal.forget();
                }
            }
            TCSBRK | TCXONC => {}
            TIOCGWINSZ => {
                let size = self.terminal.size;
                self.user().write(argument, &size)?;
            }
            TIOCSWINSZ => {
                let mut size = [0; 8];
                self.user().read(argument, &mut size)?;
                self.terminal.size = size;
            }
            TIOCSCTTY => {
                let process = self.process();
                let (pid, group, session) = (process.pid, process.group, process.session);
                if pid != session {
                    return Err(Errno::EPERM);
                }
                let is_free = !self.processes.iter().flatten().any(|process| process.session == self.terminal.session);
                if session != self.terminal.session {
                    if !is_free && argument != 1 {
                        return Err(Errno::EPERM);
                    }
                    (self.terminal.session, self.terminal.foreground) = (session, group);
                }
            }
            _ if self.process().session != self.terminal.session => return Err(Errno::ENOTTY),
            TIOCNOTTY => {
                if self.process().pid == self.terminal.session {
                    (self.terminal.session, self.terminal.foreground) = (0, 0);
                }
            }
            TIOCGPGRP | TIOCGSID => {
                let number = if request == TIOCGPGRP { self.terminal.foreground } else { self.terminal.session };
                self.user().write(argument, &number.to_le_bytes())?;
            }
            TIOCSPGRP => {
                let group = self.user().u32(argument)?;
                if let Some(outcome) = self.ask_for_terminal(SIGTTOU)? {
                    return Ok(outcome);
                }
                let session = self.terminal.session;
                let mut members = self.processes.iter().flatten().filter(|process| process.group == group);
                if !members.any(|process| process.session == session) {
                    return Err(Errno::EPERM);
                }
                self.terminal.foreground = group;
            }
            _ => return Err(Errno::ENOTTY),
        }
        done
    }
}
