//! Reply objects: where a caller is put aside whose server goes on without having answered.
//!
//! A caller that is kept waits for its answer as before; what it waits for is the object, whoever answers by that. It hears that nobody
//! will when the object ends, or the last thread of the task that put it there.

use lilliput_abi::ObjectType;

use crate::machine::Machine;
use crate::slab::{ENDPOINT_BYTES, Header, Index, Object};
use crate::task::Task;
use crate::thread::{State, Thread};

/// A pending answer, or room for one.
#[derive(Default)]
#[repr(C)]
pub struct Reply {
    /// Table bookkeeping.
    pub header: Header,
    /// The thread that waits for the answer.
    pub caller: Index<Thread>,
    /// The task that keeps it, while there is one.
    pub keeper: Index<Task>,
    /// Its neighbour among the occupied ones of that task.
    pub next: Index<Reply>,
    /// Its neighbour among the occupied ones of that task.
    pub previous: Index<Reply>,
}

/// Low half of the address of the table of reply objects, in the last 2 GiB.
pub const REPLIES: u32 = 0xf700_0000;

// So that the index of an endpoint leads to the reply object of the same number by a displacement.
const _: () = assert!(size_of::<Reply>() == ENDPOINT_BYTES as usize);

impl Object for Reply {
    const TYPE: ObjectType = ObjectType::Reply;
    const BASE: u32 = REPLIES;
    fn header(&self) -> &Header {
        &self.header
    }
    fn header_mut(&mut self) -> &mut Header {
        &mut self.header
    }
}

impl Machine {
    /// Puts a thread that waits for an answer into a reply object, which is free: a task keeps it.
    pub(crate) fn put_aside(&mut self, caller: Index<Thread>, reply: Index<Reply>, keeper: Index<Task>) {
        let next = core::mem::replace(&mut self.tasks[keeper].kept, reply);
        if let Some(next) = next.some() {
            self.replies[next].previous = reply;
        }
        let object = &mut self.replies[reply];
        (object.caller, object.keeper, object.next, object.previous) = (caller, keeper, next, Index::NONE);
        self.threads[caller].kept = reply;
        self.threads[caller].state = State::AwaitingReply;
    }

    /// Whoever owes a thread an answer does not any more: its server, or the reply object that it is kept in, which is free again.
    pub(crate) fn release(&mut self, caller: Index<Thread>) {
        let server = self.server(caller);
        self.threads[server].forget(caller);
        let Some(reply) = core::mem::take(&mut self.threads[caller].kept).some() else { return };
        let Reply { keeper, next, previous, header, .. } = core::mem::take(&mut self.replies[reply]);
        self.replies[reply].header = header;
        if let Some(next) = next.some() {
            self.replies[next].previous = previous;
        }
        match previous.some() {
            Some(previous) => self.replies[previous].next = next,
            None => self.tasks[keeper].kept = next,
        }
    }
}
