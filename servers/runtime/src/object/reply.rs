//! Reply objects: callers that are put aside and answered later.

use lilliput_abi::{Error, Operation};

use super::{Parcel, Received, capability};
use crate::invoke::{Invoke, invoke};
use crate::message::Message;

capability! {
    /// A reply object.
    Reply
}

impl<K: Invoke> Reply<K> {
    /// Puts the caller taken last aside into this object, which is free, then waits for the next message where the last one came from.
    ///
    /// # Errors
    /// [`Error::Busy`] where somebody is in it; [`Error::NobodyToReplyTo`]; or what else the kernel says.
    pub fn keep_receive(self) -> Result<Received, Error> {
        let mut message = Message::default();
        let status = invoke::<K>(Operation::KeepReceive, self.place(), &mut message)?;
        Ok(Received::new(status, message))
    }

    /// Answers the caller in this object, which is free afterwards.
    ///
    /// # Errors
    /// [`Error::NobodyToReplyTo`] where nobody is in it, or is any more; or what else the kernel says.
    pub fn reply(self, answer: &Message) -> Result<(), Error> {
        invoke::<K>(Operation::ReplyKept, self.place(), &mut { *answer }).map(drop)
    }

    /// The same with a message that carries something. The caller is this thread's own from then on, which has none: where it fails, another
    /// answer may be given as to one that was never kept.
    ///
    /// # Errors
    /// [`Error::Busy`] where this thread has a caller; or what else the kernel says.
    pub fn reply_with(self, answer: &Parcel) -> Result<(), Error> {
        answer.invoke::<K>(Operation::ReplyKept, self.place()).map(drop)
    }
}
