//! Ends that wait: for room, and for entries.

use lilliput_abi::Error;

use super::Broken;
use super::ends::{Consumer, Producer};
use crate::invoke::Invoke;
use crate::object::Notification;

/// How the two sides of a ring wake each other. One that was rung before it waits does not wait; rung more often than waited for does no harm.
pub trait Bell {
    /// Wakes the other side.
    ///
    /// # Errors
    /// What the kernel says: the other side is gone, say.
    fn ring(&self) -> Result<(), Error>;

    /// Waits until the other side rings.
    ///
    /// # Errors
    /// What the kernel says.
    fn wait(&self) -> Result<(), Error>;
}

/// Two notifications, one for each direction.
#[derive(Clone, Copy, Debug)]
pub struct Bells<K> {
    /// What the other side waits for, with the right to signal.
    pub other: Notification<K>,
    /// What this side waits for, with the right to wait.
    pub own: Notification<K>,
}

impl<K: Invoke> Bell for Bells<K> {
    fn ring(&self) -> Result<(), Error> {
        self.other.signal()
    }

    fn wait(&self) -> Result<(), Error> {
        self.own.wait().map(drop)
    }
}

/// Why an end that waits gave up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The other side wrote nonsense.
    Broken,
    /// What the bell said.
    Bell(Error),
}

impl From<Broken> for Failure {
    fn from(Broken: Broken) -> Self {
        Self::Broken
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Bell(error)
    }
}

impl<const N: usize> Producer<'_, N> {
    /// Puts an entry in, and waits for room if need be. What was put in before is published then, or nobody would make room.
    ///
    /// # Errors
    /// See [`Failure`].
    pub fn send(&mut self, entry: &[u32; N], bell: &impl Bell) -> Result<(), Failure> {
        while !self.push(entry)? {
            self.flush(bell)?;
            if self.is_to_wait()? {
                bell.wait()?;
            }
        }
        Ok(())
    }

    /// Publishes what was put in, and wakes the consumer if it waits.
    ///
    /// # Errors
    /// What the bell says.
    pub fn flush(&mut self, bell: &impl Bell) -> Result<(), Error> {
        if self.publish() { bell.ring() } else { Ok(()) }
    }
}

impl<const N: usize> Consumer<'_, N> {
    /// Takes the next entry, and waits for one if need be. The room of those before is given back then.
    ///
    /// # Errors
    /// See [`Failure`].
    pub fn receive(&mut self, bell: &impl Bell) -> Result<[u32; N], Failure> {
        loop {
            if let Some(entry) = self.pop()? {
                return Ok(entry);
            }
            self.flush(bell)?;
            if self.is_to_wait()? {
                bell.wait()?;
            }
        }
    }

    /// Gives the room of what was taken back, and wakes the producer if it waits.
    ///
    /// # Errors
    /// What the bell says.
    pub fn flush(&mut self, bell: &impl Bell) -> Result<(), Error> {
        if self.publish() { bell.ring() } else { Ok(()) }
    }
}
