//! The first register of a system call: which operation, on which capability.
//!
//! Bit 31 of (e/r)ax says that the message is long, bit 30 that waiting ends by the thread's deadline, bit 29 that the message carries
//! something, bits 28..24 are the operation, bits 23..0 an index into the caller's capability table. `Call` is operation 0, so that on the kernel's path one unsigned comparison with the length of
//! the table is both the bound check of the index and the decoding of the operation.

/// How far the operation is shifted in the selector word.
pub const OPERATION_SHIFT: u32 = 24;
/// The bits of the selector word that hold the capability index.
pub const INDEX_MASK: u32 = (1 << OPERATION_SHIFT) - 1;
/// The bit of the selector word that says that words beyond the first four are part of the message.
///
/// Without it words 0-3 are the message, whatever length its tag names: then the kernel need not look at the tag.
pub const LONG: u32 = 1 << 31;
/// The bit of the selector word that says that the operation waits until the thread's deadline, and no longer:
/// [`Error::TimedOut`](crate::Error::TimedOut).
pub const TIMED: u32 = 1 << 30;
/// The bit of the selector word that says that the message carries what the flags of its tag say: see [`carried`](crate::tag::carried).
pub const CARRIES: u32 = 1 << 29;

/// From when a deadline counts: the label of [`Operation::SetDeadline`] and [`Operation::Sleep`].
pub mod deadline {
    /// From the boot.
    pub const SINCE_BOOT: u16 = 0;
    /// From this system call.
    pub const FROM_NOW: u16 = 1;
    /// The deadline that never comes.
    pub const NEVER: u64 = u64::MAX;
}

/// Whom [`Operation::Exit`] ends: its label. Zero ends nobody, so that nobody ends by mistake.
pub mod exit {
    /// The thread that makes it.
    pub const THREAD: u16 = 1;
    /// All threads of its task.
    pub const ALL_THREADS: u16 = 2;
}

/// What a system call does. Numbers are part of the interface and never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Operation {
    /// Send to an endpoint and wait for the reply; or invoke a kernel object.
    Call = 0,
    /// Send to an endpoint, waiting until somebody receives.
    Send = 1,
    /// Send to an endpoint if somebody receives already, else [`Error::WouldBlock`](crate::Error::WouldBlock).
    SendNonBlocking = 2,
    /// Call an endpoint if somebody receives already, else [`Error::WouldBlock`](crate::Error::WouldBlock).
    CallNonBlocking = 3,
    /// Wait for a message on an endpoint.
    Receive = 4,
    /// Take a message from an endpoint if one waits, else [`Error::WouldBlock`](crate::Error::WouldBlock).
    ReceiveNonBlocking = 5,
    /// Answer the caller whose message this thread received last. The index is ignored.
    Reply = 6,
    /// [`Operation::Reply`], then [`Operation::Receive`] on the endpoint named by the index; for index 0, on that from which the thread
    /// received last.
    ReplyReceive = 7,
    /// Set the bits of the capability's badge in a notification; wakes one waiter. Never blocks.
    Signal = 8,
    /// Wait until a notification has bits set, take them all into word 0.
    Wait = 9,
    /// Take the bits of a notification if any is set, else [`Error::WouldBlock`](crate::Error::WouldBlock).
    Poll = 10,
    /// Give the rest of the time slice to the next thread of this priority. The index is ignored.
    Yield = 11,
    /// Enter and leave the kernel; changes nothing. It is there to be measured. The index is ignored.
    Null = 12,
    /// What time it is: words 0 and 1 are nanoseconds since the boot, low half first, word 2 the frequency of the time-stamp counter in
    /// kHz. The index is ignored.
    Time = 13,
    /// Sets the thread's deadline, which is that of its [`TIMED`] operations until it is set again: nanoseconds in words 0 and 1, low half
    /// first, counted as the label says (see [`deadline`]). The index is ignored.
    SetDeadline = 14,
    /// [`Operation::SetDeadline`], then waits for it. The index is ignored.
    Sleep = 15,
    /// Ends threads: see [`exit`]. The index is ignored.
    Exit = 16,
    /// Says where what messages to this thread carry is to arrive, until it is said again: `(place or 0, address, bytes)`. The index is
    /// ignored.
    Accept = 17,
    /// Binds a notification to this thread, or none with index 0: its bits are had where the thread receives, in place of a message:
    /// [`SIGNALS`](crate::tag::carried::SIGNALS).
    Bind = 18,
    /// [`Operation::ReplyReceive`] with an answer to a foreign system call that sets registers: see [`foreign::ANSWER`](crate::foreign::ANSWER). There is no tag.
    ReturnReceive = 19,
    /// Puts the caller whose message this thread received last aside, into the reply object named by the index, then
    /// [`Operation::Receive`] where the thread received last. [`Error::Busy`](crate::Error::Busy) if the object has a caller.
    KeepReceive = 20,
    /// [`Operation::Reply`] to the caller in the reply object named by the index, which is free then.
    ReplyKept = 21,
}

impl Operation {
    /// All operations, in the order of their numbers.
    pub const ALL: [Self; 22] = [
        Self::Call,
        Self::Send,
        Self::SendNonBlocking,
        Self::CallNonBlocking,
        Self::Receive,
        Self::ReceiveNonBlocking,
        Self::Reply,
        Self::ReplyReceive,
        Self::Signal,
        Self::Wait,
        Self::Poll,
        Self::Yield,
        Self::Null,
        Self::Time,
        Self::SetDeadline,
        Self::Sleep,
        Self::Exit,
        Self::Accept,
        Self::Bind,
        Self::ReturnReceive,
        Self::KeepReceive,
        Self::ReplyKept,
    ];

    /// Whether it sends a message, which may be one that [`CARRIES`].
    pub const fn sends(self) -> bool {
        matches!(
            self,
            Self::Call
                | Self::Send
                | Self::SendNonBlocking
                | Self::CallNonBlocking
                | Self::Reply
                | Self::ReplyReceive
                | Self::ReplyKept
        )
    }

    /// Whether it takes a message.
    pub const fn receives(self) -> bool {
        matches!(
            self,
            Self::Receive | Self::ReceiveNonBlocking | Self::ReplyReceive | Self::ReturnReceive | Self::KeepReceive
        )
    }

    /// Whether it may be [`TIMED`]: it can wait for somebody.
    pub const fn can_wait(self) -> bool {
        matches!(
            self,
            Self::Call
                | Self::Send
                | Self::CallNonBlocking
                | Self::Receive
                | Self::ReplyReceive
                | Self::ReturnReceive
                | Self::KeepReceive
                | Self::Wait
        )
    }
}

/// The selector word of a system call: operation and capability index in 32 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Selector(pub u32);

impl Selector {
    /// Packs an operation and the low 24 bits of a capability index.
    pub const fn new(operation: Operation, index: u32) -> Self {
        Self(((operation as u32) << OPERATION_SHIFT) | (index & INDEX_MASK))
    }

    /// The capability index, 0 to 2^24 - 1.
    pub const fn index(self) -> u32 {
        self.0 & INDEX_MASK
    }

    /// The same for a message with words beyond the first four.
    pub const fn long(self) -> Self {
        Self(self.0 | LONG)
    }

    /// Whether words beyond the first four are part of the message.
    pub const fn is_long(self) -> bool {
        self.0 & LONG != 0
    }

    /// The same for another operation.
    pub const fn of(self, operation: Operation) -> Self {
        Self(self.0 & (LONG | TIMED | CARRIES | INDEX_MASK) | (operation as u32) << OPERATION_SHIFT)
    }

    /// The same with an end to waiting.
    pub const fn timed(self) -> Self {
        Self(self.0 | TIMED)
    }

    /// Whether waiting ends by the thread's deadline.
    pub const fn is_timed(self) -> bool {
        self.0 & TIMED != 0
    }

    /// The same for a message that carries something.
    pub const fn carrying(self) -> Self {
        Self(self.0 | CARRIES)
    }

    /// Whether the message carries what the flags of its tag say.
    pub const fn carries(self) -> bool {
        self.0 & CARRIES != 0
    }

    /// The operation, or `None` where the number names none, or one that is timed or carries something and can't.
    pub const fn operation(self) -> Option<Operation> {
        let number = ((self.0 & !(LONG | TIMED | CARRIES)) >> OPERATION_SHIFT) as usize;
        if number >= Operation::ALL.len() {
            return None;
        }
        let operation = Operation::ALL[number];
        let refused = self.is_timed() && !operation.can_wait() || self.carries() && !operation.sends();
        if refused { None } else { Some(operation) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_numbered_as_listed() {
        for (number, operation) in Operation::ALL.into_iter().enumerate() {
            assert_eq!(operation as usize, number);
            let selector = Selector::new(operation, 0x123);
            assert_eq!((selector.operation(), selector.index()), (Some(operation), 0x123));
            let long = selector.long();
            assert_eq!((long.operation(), long.index()), (Some(operation), 0x123));
            assert!(long.is_long() && !selector.is_long());
            let timed = selector.timed();
            assert_eq!((timed.operation(), timed.index()), (operation.can_wait().then_some(operation), 0x123));
            assert!(timed.is_timed() && !selector.is_timed());
            let carrying = selector.carrying();
            assert_eq!((carrying.operation(), carrying.index()), (operation.sends().then_some(operation), 0x123));
            assert!(carrying.carries() && !selector.carries());
        }
    }

    #[test]
    fn a_call_is_the_bare_index() {
        assert_eq!(Selector::new(Operation::Call, 7).0, 7);
    }

    #[test]
    fn unknown_operations_decode_to_none() {
        assert_eq!(Selector((Operation::ALL.len() as u32) << OPERATION_SHIFT).operation(), None);
        assert_eq!(Selector(u32::MAX).operation(), None);
    }
}
