//! Endpoints: where synchronous messages meet.

use lilliput_abi::{Error, Operation, Selector};

use super::capability;
use crate::invoke::{Invoke, invoke, invoke_timed};
use crate::message::{Message, Word};
use crate::time::{Deadline, set_deadline};

capability! {
    /// An endpoint.
    Endpoint
}

/// A message and the badge of the capability that it was sent by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// Who sent it, as whoever handed out the capability calls them.
    pub badge: u32,
    /// Whether it is more than words, which is so if the kernel says it: the flags of its tag are true then, and mean nothing else.
    pub carried: bool,
    /// What was sent.
    pub message: Message,
}

impl<K: Invoke> Endpoint<K> {
    /// Sends `message` and waits for the answer.
    ///
    /// # Errors
    /// What the kernel says; [`Error::Gone`] and [`Error::Unanswered`] where the server is at fault.
    pub fn call(self, message: &Message) -> Result<Message, Error> {
        self.with(Operation::Call, message).map(|received| received.message)
    }

    /// The same from a label and words.
    ///
    /// # Errors
    /// As [`Endpoint::call`].
    pub fn request(self, label: u16, words: &[Word]) -> Result<Message, Error> {
        self.call(&Message::new(label, words))
    }

    /// Calls if the server waits already.
    ///
    /// # Errors
    /// [`Error::WouldBlock`] where it does not, else as [`Endpoint::call`].
    pub fn try_call(self, message: &Message) -> Result<Message, Error> {
        self.with(Operation::CallNonBlocking, message).map(|received| received.message)
    }

    /// Sends `message`, waiting until somebody takes it.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn send(self, message: &Message) -> Result<(), Error> {
        self.with(Operation::Send, message).map(drop)
    }

    /// Sends if somebody waits for it already.
    ///
    /// # Errors
    /// [`Error::WouldBlock`] where nobody does.
    pub fn try_send(self, message: &Message) -> Result<(), Error> {
        self.with(Operation::SendNonBlocking, message).map(drop)
    }

    /// Waits for a message.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn receive(self) -> Result<Received, Error> {
        self.with(Operation::Receive, &Message::default())
    }

    /// Takes a message that waits already.
    ///
    /// # Errors
    /// [`Error::WouldBlock`] where there is none.
    pub fn try_receive(self) -> Result<Received, Error> {
        self.with(Operation::ReceiveNonBlocking, &Message::default())
    }

    /// Answers the caller taken last, then waits for the next message.
    ///
    /// # Errors
    /// What the kernel says; then nothing was received.
    pub fn reply_receive(self, answer: &Message) -> Result<Received, Error> {
        self.with(Operation::ReplyReceive, answer)
    }

    /// Answers the caller taken last if there is an answer, then waits for the next message: the loop of a thread that receives
    /// from no other endpoint. A caller who is gone, or to whom the answer does not fit, is no reason for a server to stop.
    ///
    /// # Errors
    /// What the kernel says of the receiving half.
    pub fn next(self, answer: Option<&Message>) -> Result<Received, Error> {
        let Some(answer) = answer else { return self.receive() };
        match Self::reply_receive_again(answer) {
            // It received nowhere yet, or not any more.
            Err(Error::BadCapability) => self.reply_receive(answer),
            outcome => outcome,
        }
        .or_else(|_| self.receive())
    }

    /// Answers the caller taken last, then waits for the next message where the last one came from: the kernel's shortest way.
    fn reply_receive_again(answer: &Message) -> Result<Received, Error> {
        let mut message = *answer;
        let status = invoke::<K>(Operation::ReplyReceive, 0, &mut message)?;
        Ok(Received::new(status, message))
    }

    /// Gives a foreign thread its registers, which its message told of and which are the words of the answer, then waits for the next message
    /// where the last one came from.
    ///
    /// # Errors
    /// What the kernel says; then nothing was received.
    pub fn return_receive(answer: &Message) -> Result<Received, Error> {
        let mut message = *answer;
        // There is no tag, and no shorter message.
        let status = K::invoke(Selector::new(Operation::ReturnReceive, 0), &mut message);
        Error::from_status(status).map(|status| Received::new(status, message))
    }

    /// [`Endpoint::call`] with an end. A server that works on it still will have nobody to answer to.
    ///
    /// # Errors
    /// [`Error::TimedOut`], or as [`Endpoint::call`].
    pub fn call_until(self, deadline: Deadline, message: &Message) -> Result<Message, Error> {
        self.until(deadline, Operation::Call, message).map(|received| received.message)
    }

    /// [`Endpoint::send`] with an end.
    ///
    /// # Errors
    /// [`Error::TimedOut`], or what else the kernel says; then nothing was sent.
    pub fn send_until(self, deadline: Deadline, message: &Message) -> Result<(), Error> {
        self.until(deadline, Operation::Send, message).map(drop)
    }

    /// [`Endpoint::receive`] with an end.
    ///
    /// # Errors
    /// [`Error::TimedOut`], or what else the kernel says.
    pub fn receive_until(self, deadline: Deadline) -> Result<Received, Error> {
        self.until(deadline, Operation::Receive, &Message::default())
    }

    /// [`Endpoint::reply_receive`] with an end.
    ///
    /// # Errors
    /// [`Error::TimedOut`] where the answer was given and nothing received; else as [`Endpoint::reply_receive`].
    pub fn reply_receive_until(self, deadline: Deadline, answer: &Message) -> Result<Received, Error> {
        self.until(deadline, Operation::ReplyReceive, answer)
    }

    fn until(self, deadline: Deadline, operation: Operation, message: &Message) -> Result<Received, Error> {
        set_deadline::<K>(deadline);
        let mut message = *message;
        let status = invoke_timed::<K>(operation, self.place(), &mut message)?;
        Ok(Received::new(status, message))
    }

    fn with(self, operation: Operation, message: &Message) -> Result<Received, Error> {
        let mut message = *message;
        let status = invoke::<K>(operation, self.place(), &mut message)?;
        Ok(Received::new(status, message))
    }
}

/// Answers the caller whose message this thread took last.
///
/// # Errors
/// What the kernel says.
pub fn reply<K: Invoke>(answer: &Message) -> Result<(), Error> {
    invoke::<K>(Operation::Reply, 0, &mut { *answer }).map(drop)
}
