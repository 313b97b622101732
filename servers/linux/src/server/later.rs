//! What follows from the end of a process for others, after that is done: one end can lead to another, and that to the next, as often as there are processes, and the server's
//! stack is not as deep.

use linux_raw_sys::general::{SIGCONT, SIGHUP};

use super::Server;
use crate::machine::Machine;
use crate::process::End;
use crate::signal::Occasion;

/// Something to be done soon.
pub(crate) enum Later {
    /// The process of this number ends by this signal.
    End(u32, u8),
    /// This group hears that nobody would let it go on any more, or that its terminal is gone, and goes on.
    HangUp(u32),
    /// The process of this number gets this signal, which it asked for at the end of its parent, the second number.
    Send(u32, u32, u32),
}

impl<M: Machine> Server<M> {
    /// Does all of it.
    pub(super) fn catch_up(&mut self) {
        while let Some(later) = self.later.pop() {
            match later {
                Later::End(pid, signal) => {
                    if let Some(place) = self.find(pid) {
                        self.end_process(place, End::Signal(signal));
                    }
                }
                Later::Send(pid, signal, parent) => {
                    if let Some(place) = self.find(pid) {
                        self.send(place, Occasion::new(signal, 0, parent.into()));
                    }
                }
                Later::HangUp(group) => {
                    self.signal_group(group, SIGHUP);
                    self.signal_group(group, SIGCONT);
                }
            }
        }
    }
}
