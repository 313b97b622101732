//! Notifications: bits that are signalled and waited for.

use lilliput_abi::{Error, Operation};

use super::capability;
use crate::invoke::{Invoke, invoke, invoke_timed};
use crate::message::{Message, Word};
use crate::time::{Deadline, set_deadline};

capability! {
    /// A notification.
    Notification
}

impl<K: Invoke> Notification<K> {
    /// Sets the bits of the capability's badge. Never blocks.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn signal(self) -> Result<(), Error> {
        invoke::<K>(Operation::Signal, self.place(), &mut Message::default()).map(drop)
    }

    /// From now on this thread has the bits where it receives messages, see [`Received::signals`](super::Received::signals), and those of no
    /// other notification.
    ///
    /// # Errors
    /// [`Error::Occupied`]: another thread has them; or what else the kernel says.
    pub fn bind(self) -> Result<(), Error> {
        invoke::<K>(Operation::Bind, self.place(), &mut Message::default()).map(drop)
    }

    /// Waits until bits are set and takes them all.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn wait(self) -> Result<Word, Error> {
        self.take(Operation::Wait)
    }

    /// [`Notification::wait`] with an end.
    ///
    /// # Errors
    /// [`Error::TimedOut`], or what else the kernel says.
    pub fn wait_until(self, deadline: Deadline) -> Result<Word, Error> {
        set_deadline::<K>(deadline);
        let mut message = Message::default();
        invoke_timed::<K>(Operation::Wait, self.place(), &mut message)?;
        Ok(message.words[0])
    }

    /// Takes the bits if any is set.
    ///
    /// # Errors
    /// [`Error::WouldBlock`] where none is.
    pub fn poll(self) -> Result<Word, Error> {
        self.take(Operation::Poll)
    }

    fn take(self, operation: Operation) -> Result<Word, Error> {
        let mut message = Message::default();
        invoke::<K>(operation, self.place(), &mut message)?;
        Ok(message.words[0])
    }
}

/// From now on this thread has no notification's bits where it receives messages.
pub fn unbind<K: Invoke>() {
    // It has no way to fail.
    let _ = invoke::<K>(Operation::Bind, 0, &mut Message::default());
}
