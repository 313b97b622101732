//! The end of a description: whoever waits at the other end of a pipe, socket or terminal is to look.

use alloc::rc::Rc;
use alloc::vec::Vec;

use super::Server;
use crate::files::{Kind, Open};
use crate::machine::Machine;
use crate::process::Channel;

impl<M: Machine> Server<M> {
    /// Closes a description: whoever waits at the other end is to look.
    pub(crate) fn close(&mut self, open: Rc<Open>) {
        // What was sent to it goes with it, and so on: sockets can wait in sockets.
        let mut left = self.close_one(open);
        while let Some(open) = left.pop() {
            left.extend(self.close_one(open));
        }
    }

    /// Closes one; what nobody will receive any more.
    fn close_one(&mut self, open: Rc<Open>) -> Vec<Rc<Open>> {
        if Rc::strong_count(&open) > 1 {
            // Another descriptor has it: nothing that anybody waits for happened.
            return Vec::new();
        }
        if !self.watchers.is_empty() {
            self.note_close(&open);
        }
        match &open.node.kind {
            Kind::Pipe(pipe) => {
                let number = pipe.number;
                drop(open);
                self.happened(Channel::Pipe(number));
            }
            Kind::Terminal(tty) => {
                let number = tty.output.number;
                drop(open);
                self.happened(Channel::Pipe(number));
            }
            Kind::OtherEnd(tty) => {
                let tty = tty.clone();
                drop(open);
                if !tty.has_other() {
                    self.end_pair(&tty);
                }
            }
            Kind::Socket(socket) => {
                let pipes = socket.pipes().into_iter().flatten().flatten().map(|pipe| pipe.number);
                pipes.chain([socket.number]).for_each(|number| self.happened(Channel::Pipe(number)));
                return socket.take_passed();
            }
            _ => {}
        }
        Vec::new()
    }
}
