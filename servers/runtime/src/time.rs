//! What time it is, and deadlines.
//!
//! A thread has one deadline, which counts for its timed operations: those methods of [`Endpoint`](crate::Endpoint) and
//! [`Notification`](crate::Notification) that take one.

use lilliput_abi::operation::deadline;
use lilliput_abi::{Error, Operation};

use crate::invoke::{Invoke, invoke};
use crate::message::{Message, halves};

/// Nanoseconds in a millisecond.
pub const MILLISECOND: u64 = 1_000_000;

/// When a wait ends, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deadline {
    /// So long after the boot.
    SinceBoot(u64),
    /// So long after it is set.
    FromNow(u64),
}

impl Deadline {
    /// As an argument.
    fn message(self) -> Message {
        match self {
            Self::SinceBoot(time) => Message::new(deadline::SINCE_BOOT, &halves(time)),
            Self::FromNow(time) => Message::new(deadline::FROM_NOW, &halves(time)),
        }
    }
}

/// What the kernel's clock says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time {
    /// Nanoseconds since the boot.
    pub nanoseconds: u64,
    /// The frequency of the time-stamp counter, in kHz.
    pub kilohertz: u64,
}

/// What time it is.
pub fn now<K: Invoke>() -> Time {
    let mut message = Message::default();
    // Asking cannot fail.
    let _ = invoke::<K>(Operation::Time, 0, &mut message);
    Time { nanoseconds: message.pair(0), kilohertz: message.words[2] as u64 }
}

/// Sets the deadline of the calling thread's timed operations.
pub fn set_deadline<K: Invoke>(deadline: Deadline) {
    // Only what `Deadline::message` does not make is refused.
    let _ = invoke::<K>(Operation::SetDeadline, 0, &mut deadline.message());
}

/// Waits for a deadline, which is the calling thread's from then on.
///
/// # Errors
/// [`Error::Gone`] if the thread was stopped meanwhile.
pub fn sleep<K: Invoke>(deadline: Deadline) -> Result<(), Error> {
    invoke::<K>(Operation::Sleep, 0, &mut deadline.message()).map(drop)
}
