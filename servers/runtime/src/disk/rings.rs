//! Reads that are not waited for: one client of a disk server's asks by a ring, and is told by another when a read is done.
//!
//! Both lie in one page. A request is `[number, first page of the shared frames, sectors, low half of the first one's number, high half]`, where the number is the
//! client's own; an answer is `[number, 1 if it went well]`. Each side has a notification that the other signals.

use core::sync::atomic::AtomicU32;

use crate::ring::words_of;

/// Words of a request.
pub const REQUEST: usize = 5;
/// Words of an answer.
pub const ANSWER: usize = 2;
/// Requests that a client has under way at a time, at most: so many answers there is room for.
pub const MOST: usize = 16;
/// Pages that a client of the rings shares with the server.
pub const PAGES: usize = 256;
/// Words of memory of both rings.
pub const WORDS: usize = words_of(MOST, REQUEST) + words_of(MOST, ANSWER);

const _: () = assert!(WORDS * size_of::<u32>() <= 4096);

/// The memory of requests and that of answers; `None` where there is not enough.
pub const fn parts(memory: &[AtomicU32]) -> Option<(&[AtomicU32], &[AtomicU32])> {
    if memory.len() < WORDS { None } else { Some(memory.split_at(words_of(MOST, REQUEST))) }
}
