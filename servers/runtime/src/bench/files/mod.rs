//! Opening, reading and closing small files, by a program that is written for calls and by one that is written for rings: the same work of the same server.
//!
//! A client names by numbers of its own what it opens, so that it can ask for a read without having heard of the opening. Bytes of files go to pages that both share.
//!
//! Reading order: here -> [`synchronous`], [`asynchronous`] (the two programs, whose lines are counted) -> [`server`].

pub mod asynchronous;
pub mod server;
pub mod synchronous;

use core::sync::atomic::AtomicU32;
use core::sync::atomic::Ordering::Relaxed;

use lilliput_abi::Error;
use lilliput_abi::layout::HOST_START;
use lilliput_abi::object::kind;

use super::rounds;
use crate::machine::Machine;
use crate::message::Word;
use crate::object::Notification;
use crate::ring::{Bells, words_of};
use crate::trial::kit::SCRATCH;
use crate::{parent, place};

/// How a client asks: the second word of its start and of its server's.
pub mod by {
    use crate::message::Word;

    /// By calls.
    pub const CALLS: Word = 0;
    /// By rings.
    pub const RINGS: Word = 1;
}

/// Files that are opened, read and closed one after another.
pub const FILES: u32 = 10;
/// Words of each.
const WORDS: usize = 128;
/// Rounds, of which a quarter warms up.
const ROUNDS: usize = 32;
/// Requests and answers that a ring holds: those of all files.
const ENTRIES: usize = 32;
/// Words of a request by ring, `[request, number, name, name]`, and of an answer, `[request, result]`.
const REQUEST: usize = 4;
const ANSWER: usize = 2;
/// Words of the ring of requests, and of both.
const REQUESTS: usize = words_of(ENTRIES, REQUEST);
const RINGS: usize = REQUESTS + words_of(ENTRIES, ANSWER);
/// Words of a page, of which the first has the rings and the next have the files' bytes.
const PAGE: usize = 1024;
/// Pages that client and server share.
pub const PAGES: u16 = 1 + (FILES as usize * WORDS).div_ceil(PAGE) as u16;

/// What is asked for: labels of calls, and the first words of requests by ring. Each says a number of the client's.
pub mod request {
    /// Opens the file of this name under a number: `(number, name, name) -> (1, or 0 if there is none)`
    pub const OPEN: u16 = 1;
    /// Reads on where the last read ended, to that number's place in the shared pages: `(number) -> (words)`
    pub const READ: u16 = 2;
    /// Forgets a number: `(number) -> (1, or 0 if nothing was open)`
    pub const CLOSE: u16 = 3;
}

/// The name of a file, of eight letters.
const fn name(file: u32) -> [u32; 2] {
    [u32::from_le_bytes(*b"file"), u32::from_le_bytes([b'-', b'0', b'0' + (file / 10) as u8, b'0' + (file % 10) as u8])]
}

/// A word of a file.
const fn word(file: u32, place: usize) -> u32 {
    file.wrapping_mul(0x9e37_79b9).wrapping_add(place as u32)
}

/// Where a task of this kind has the shared pages.
pub const fn address(kind: u64) -> u64 {
    match kind {
        kind::HOST => HOST_START + SCRATCH as u64,
        _ => SCRATCH as u64,
    }
}

/// What client and server share.
struct Shared {
    requests: &'static [AtomicU32],
    answers: &'static [AtomicU32],
    bytes: &'static [AtomicU32],
}

impl Shared {
    fn at<K: Machine>(address: Word) -> Self {
        let rings = K::shared(address, RINGS);
        let bytes = K::shared(address + PAGE * 4, FILES as usize * WORDS);
        Self { requests: &rings[..REQUESTS], answers: &rings[REQUESTS..], bytes }
    }

    /// The words of a file that a number stands for.
    fn of(&self, number: u32) -> &'static [AtomicU32] {
        &self.bytes[number as usize * WORDS..][..WORDS]
    }

    /// What a program does with a file: here it looks at its first and its last word.
    fn is_right(&self, number: u32) -> bool {
        let words = self.of(number);
        words[0].load(Relaxed) == word(number, 0) && words[WORDS - 1].load(Relaxed) == word(number, WORDS - 1)
    }
}

/// A client's bells.
const fn bells<K>() -> Bells<K> {
    Bells { other: Notification::at(place::NOTIFICATION), own: Notification::at(place::BELL) }
}

/// Has all files read, again and again.
///
/// # Errors
/// What the kernel says where something does not work.
///
/// # Panics
/// If a file is not what it should be.
pub fn run<K: Machine>(way: Word) -> Result<(), Error> {
    let shared = Shared::at::<K>(parent::parameter::<K>(super::parameter::ADDRESS)?);
    let mut rings = (way == by::RINGS).then(|| asynchronous::Client::new(&shared)).transpose()?;
    rounds::alike::<K>("files", ROUNDS, |rounds| {
        rounds.begin()?;
        match &mut rings {
            None => synchronous::read_all::<K>(&shared)?,
            Some(client) => client.read_all::<K>(&shared).unwrap_or_else(|failure| panic!("{failure:?}")),
        }
        rounds.end()
    })
}

/// Serves a client that asks so.
///
/// # Errors
/// What the kernel says where the server can't go on.
pub fn serve<K: Machine>(way: Word) -> Result<(), Error> {
    let shared = Shared::at::<K>(parent::parameter::<K>(super::parameter::ADDRESS)?);
    if way == by::CALLS { server::serve_calls::<K>(&shared) } else { server::serve_rings::<K>(&shared) }
}
