//! Messages that carry something: a capability, a string of bytes.

use lilliput_abi::error::CARRIED;
use lilliput_abi::tag::{SHORT_WORDS, carried};
use lilliput_abi::{Error, Operation, Rights, Tag};

use super::{Endpoint, Received};
use crate::invoke::{Invoke, selector};
use crate::message::{Message, WORDS, Word};
use crate::time::{Deadline, set_deadline};

/// A message that carries something. What is carried takes words of it: see [`carried`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parcel(Message);

impl Parcel {
    /// A message that carries nothing yet, with no words of its own; as it is, it is refused.
    pub const EMPTY: Self = Self(Message { tag: Tag::new(0, SHORT_WORDS), words: [0; WORDS] });

    /// A message that carries nothing yet; as it is, it is refused.
    pub fn new(label: u16, words: &[Word]) -> Self {
        let message = Message::new(label, words);
        Self(Message { tag: Tag::new(label, message.tag.words().max(SHORT_WORDS)), ..message })
    }

    /// With a copy of the capability at a place, which has these rights.
    #[must_use]
    pub const fn capability(self, place: u32, rights: Rights) -> Self {
        self.carrying(carried::CAPABILITY, carried::CAPABILITY_WORD, carried::capability(place, rights))
    }

    /// With the capability at a place itself.
    #[must_use]
    pub const fn moved(self, place: u32, rights: Rights) -> Self {
        let word = carried::capability(place, rights) | carried::MOVED;
        self.carrying(carried::CAPABILITY, carried::CAPABILITY_WORD, word)
    }

    /// With so many bytes from an address of the sender's on, whatever is there when they are taken.
    #[must_use]
    pub const fn string(mut self, address: Word, length: Word) -> Self {
        self.0.words[carried::LENGTH_WORD] = length;
        self.0.words[carried::ADDRESS_WORD] = address;
        self.0.tag = self.0.tag.with_flags(self.0.tag.flags() | carried::STRING);
        self
    }

    /// The message, for a system call whose selector says that it carries something.
    pub const fn message(self) -> Message {
        self.0
    }

    const fn carrying(mut self, flag: u8, at: usize, word: u32) -> Self {
        self.0.words[at] = word as Word;
        self.0.tag = self.0.tag.with_flags(self.0.tag.flags() | flag);
        self
    }

    /// Makes a system call with it.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn invoke<K: Invoke>(&self, operation: Operation, index: u32) -> Result<Received, Error> {
        let mut message = self.0;
        let status = K::invoke(selector(operation, index, &message).carrying(), &mut message);
        Error::from_status(status).map(|status| Received::new(status, message))
    }

    /// The same for an operation that waits until the deadline and no longer.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn invoke_until<K: Invoke>(
        &self,
        deadline: Deadline,
        operation: Operation,
        index: u32,
    ) -> Result<Received, Error> {
        set_deadline::<K>(deadline);
        let mut message = self.0;
        let status = K::invoke(selector(operation, index, &message).carrying().timed(), &mut message);
        Error::from_status(status).map(|status| Received::new(status, message))
    }

    /// Answers the caller whose message this thread took last.
    ///
    /// # Errors
    /// What the kernel says; then another answer may be given.
    pub fn reply<K: Invoke>(&self) -> Result<(), Error> {
        self.invoke::<K>(Operation::Reply, 0).map(drop)
    }
}

impl<K: Invoke> Endpoint<K> {
    /// Calls with a message that carries something.
    ///
    /// # Errors
    /// As [`Endpoint::call`]; [`Error::Unaccepted`], and whatever is wrong with what is carried.
    pub fn call_with(self, parcel: &Parcel) -> Result<Received, Error> {
        parcel.invoke::<K>(Operation::Call, self.place())
    }

    /// Sends a message that carries something.
    ///
    /// # Errors
    /// As [`Endpoint::send`], and [`Endpoint::call_with`].
    pub fn send_with(self, parcel: &Parcel) -> Result<(), Error> {
        parcel.invoke::<K>(Operation::Send, self.place()).map(drop)
    }
}

impl Received {
    pub(super) const fn new(status: u32, message: Message) -> Self {
        Self { badge: status & !CARRIED, carried: status & CARRIED != 0, message }
    }

    const fn has(&self, flag: u8) -> bool {
        self.carried && self.message.tag.flags() & flag != 0
    }

    /// Where the capability is that came along.
    pub const fn capability(&self) -> Option<u32> {
        if self.has(carried::CAPABILITY) { Some(self.message.words[carried::CAPABILITY_WORD] as u32) } else { None }
    }

    /// It is no message, but the bits of the notification that the thread is [bound](super::Notification::bind) to.
    pub const fn signals(&self) -> Option<Word> {
        if self.has(carried::SIGNALS) { Some(self.message.words[0]) } else { None }
    }

    /// How many bytes came along: they are where the thread accepts them.
    pub const fn string(&self) -> Option<Word> {
        if self.has(carried::STRING) { Some(self.message.words[carried::LENGTH_WORD]) } else { None }
    }
}

/// From now on a capability that is sent to this thread arrives at this place (0: none does), a string at this address, if it is no longer than
/// that.
///
/// # Errors
/// What the kernel says: [`Error::Occupied`], [`Error::BadArgument`], [`Error::BadAddress`].
pub fn accept<K: Invoke>(place: u32, address: Word, length: Word) -> Result<(), Error> {
    let mut message = Message::new(0, &[place as Word, address, length]);
    crate::invoke::invoke::<K>(Operation::Accept, 0, &mut message).map(drop)
}
