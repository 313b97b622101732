//! The random test of IPC: threads of all kinds exchange messages in all ways, while somebody ends them, takes their capabilities, moves them
//! between priorities and isolation modes, and the timer interrupts them at every instruction that it reaches.
//!
//! Nobody keeps a list of what was sent: [`parcel`] says, of a sender and a number, what every word and every other register must be, so
//! that whoever receives something can judge it alone. Clients only call servers, and servers call nobody but their parent, so no cycle of
//! waiting can arise. Whoever finds something wrong panics, which its parent hears of.

pub mod client;
pub mod pager;
pub mod parcel;
pub mod server;
pub mod waiter;

use crate::message::Word;

/// Parameters that the root task sets, by number.
pub mod parameter {
    use super::Word;

    /// Where the thread's choices begin.
    pub const SEED: Word = 1;
    /// The kind of the thread's own task.
    pub const KIND: Word = 2;
    /// A client's number, which is in its badges.
    pub const NUMBER: Word = 3;
    /// After which number a client's messages begin: greater than those of who had its number before.
    pub const FIRST: Word = 4;
    /// The epoch of a server's endpoint: which badges are those of messages to it.
    pub const EPOCH: Word = 5;
    /// What a server signals its waiter by, and a waiter can find.
    pub const BITS: Word = 6;
}

/// Kinds of tasks, as numbers of [`lilliput_abi::object::kind`].
pub const KINDS: usize = 3;

/// The longest deadline of a wait, in nanoseconds.
const LONGEST_DEADLINE: u32 = 30_000;

/// Most clients at a time.
pub const CLIENTS: usize = 16;

/// A client's badge at an endpoint. The epoch is the endpoint's: a capability to one that is gone, which must not name the one that came
/// after it, has another.
pub const fn badge(epoch: u32, kind: u64, number: usize) -> u32 {
    (epoch & 0xff) << 16 | (kind as u32) << 8 | number as u32
}

/// Epoch, kind and number of a badge.
pub const fn parts(badge: u32) -> (u32, u64, usize) {
    (badge >> 16, (badge >> 8 & 0xff) as u64, (badge & 0xff) as usize)
}

/// Results that threads hand over from time to time: word 0 is one of these, words 1 to 3 are what happened since the last time.
pub mod report {
    use super::Word;

    /// Answers that were right, by the server's kind.
    pub const ANSWERS: Word = 0;
    /// Calls and sends that ended with `TimedOut`, `Gone`, `Unanswered`.
    pub const ENDS: Word = 1;
    /// Such that were refused with `BadCapability`; with `WouldBlock`; page faults that went well.
    pub const OTHERS: Word = 2;
    /// Of a server: messages taken, by the sender's kind.
    pub const TAKEN: Word = 3;
    /// Of a waiter: times that it was signalled; how often its wait ended with `TimedOut`; 0.
    pub const SIGNALS: Word = 4;
    /// How many there are.
    pub const COUNT: usize = 5;
}

/// Turns between two reports.
pub const REPORT_AFTER: u32 = 64;
