//! What the owner of a pager asks of it: messages without a badge. Clients' faults come with their numbers as badges.

use lilliput_abi::{Error, Rights};

use super::book::{MOST_CLIENTS, Reason};
use crate::invoke::Invoke;
use crate::message::{Message, Word};
use crate::object::Endpoint;
use crate::place;

/// Takes a client on: `(client, pages that it may have)`. Its task and thread are at [`task_place`] and [`thread_place`].
pub const ATTACH: u16 = 1;
/// Lets a client's addresses hold a program of the archive: `(client, where its file begins, bytes)`.
pub const LOAD: u16 = 2;
/// Lets them hold empty pages: `(client, start, end, rights)`.
pub const ZERO: u16 = 3;
/// A new client shares all that another has, each to itself from the first write on: `(parent, child)`.
pub const FORK: u16 = 4;
/// Lets a client go, whose task is gone: `(client) -> (pages that it had)`.
pub const DETACH: u16 = 5;
/// Why a client was given up: `(client) -> (see `[`Reason`]`, or zero; address)`.
pub const REASON: u16 = 6;
/// What there is: `() -> (frames in the pool, frames that are free)`.
pub const POOL: u16 = 7;

/// Label of an answer that refuses.
pub const REFUSED: u16 = 1;

/// Where the pager has a client's task.
pub const fn task_place(client: usize) -> u32 {
    place::FIRST_CLIENT + 2 * client as u32
}

/// Where the pager has a client's thread.
pub const fn thread_place(client: usize) -> u32 {
    task_place(client) + 1
}

/// The pager's own places, beside [`place::SERVICE`], [`place::TASK`] and [`place::FRAMES`] (its pool).
pub mod own {
    /// The boot archive.
    pub const ARCHIVE: u32 = 12;
}

const _: () = assert!(thread_place(MOST_CLIENTS - 1) < 256);

/// A pager, as its owner calls it.
#[derive(Clone, Copy, Debug)]
pub struct Pager<K>(pub Endpoint<K>);

impl<K: Invoke> Pager<K> {
    /// Asks for one of the above.
    ///
    /// # Errors
    /// What the kernel says; `BadArgument` where the pager refuses.
    pub fn ask(self, label: u16, words: &[Word]) -> Result<Message, Error> {
        let answer = self.0.request(label, words)?;
        if answer.label() == REFUSED { Err(Error::BadArgument) } else { Ok(answer) }
    }

    /// Lets a client have empty pages.
    ///
    /// # Errors
    /// As [`Pager::ask`].
    pub fn zero(self, client: usize, start: Word, end: Word, rights: Rights) -> Result<(), Error> {
        self.ask(ZERO, &[client, start, end, rights.bits() as Word]).map(drop)
    }

    /// Why a client was given up, and at which address.
    ///
    /// # Errors
    /// As [`Pager::ask`].
    pub fn reason(self, client: usize) -> Result<(Option<Reason>, Word), Error> {
        let answer = self.ask(REASON, &[client])?;
        Ok((Reason::from_number(answer.words[0]), answer.words[1]))
    }
}
