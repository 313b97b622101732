//! The mixed workload: clients of all kinds of task call, send to and are signalled by servers of all kinds.
//!
//! Clients only call servers and servers call nobody until they are told to finish, so no cycle of
//! waiting can arise. Whatever a client sent is entered in its [`ledger`], whatever a server received
//! in its own; the root task compares the two sides in the end.

pub mod client;
pub mod ledger;
pub mod payload;
pub mod server;

use crate::message::Word;

/// Payload of words below 2^32, to be answered by [`payload::answer`] of each: `(words...) -> (words...)`
pub const NARROW: u16 = 1;
/// The same with 64-bit words, between 64-bit tasks.
pub const WIDE: u16 = 2;
/// Payload that is sent and not answered.
pub const NOTE: u16 = 3;
/// Asks the server to signal the client's notification at a place of the server's: `(place) -> ()`
pub const SIGNAL: u16 = 4;
/// The same, sent and not answered.
pub const SIGNAL_LATER: u16 = 5;
/// Asks the arena host to read the client's memory in place: `(address, bytes) -> (sum of the bytes)`
pub const SUM: u16 = 6;
/// From the root task: a small client's space, for [`SUM`]: `(badge, linear base, size) -> ()`
pub const REGISTER: u16 = 7;
/// From the root task, sent: hand over the ledger and end.
pub const FINISH: u16 = 8;

/// Parameters that the root task sets for its workers, by number.
pub mod parameter {
    use super::Word;

    /// Where the payloads begin.
    pub const SEED: Word = 1;
    /// How many rounds.
    pub const ROUNDS: Word = 2;
    /// How much is computed between two rounds.
    pub const COMPUTE: Word = 3;
    /// The kind of the client's own task.
    pub const KIND: Word = 4;
    /// The kind of the server that signals.
    pub const PARTNER: Word = 5;
    /// The place of the notification at that server.
    pub const PLACE: Word = 6;
    /// The bits that arrive.
    pub const BITS: Word = 7;
}

/// Kinds of result: bits 15..8 of a result's first word. Bits 7..0 are the kind of the other side.
pub mod outcome {
    use super::Word;

    /// What a client sent: `(key, messages, digest low, digest high)`
    pub const SENT: Word = 1;
    /// What a server received: the same.
    pub const RECEIVED: Word = 2;
    /// What a client checked: `(key, answers, signals, vector states)`
    pub const CHECKED: Word = 3;
}

/// Kinds of tasks, as numbers of [`lilliput_abi::object::kind`].
pub const KINDS: usize = 3;

/// The badge of a client: its kind is above bit 16.
pub const fn badge(kind: u64, id: u32) -> u32 {
    (kind as u32) << 16 | id & 0xffff
}

/// The kind in a badge.
pub const fn kind_of(badge: u32) -> usize {
    (badge >> 16) as usize
}
