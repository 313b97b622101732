//! Rings: requests and answers in memory that two tasks share, for work that need not be waited for one by one.
//!
//! A ring has one producer and one consumer, each in a task of any kind and width. It holds as many entries as its memory was made for, for
//! ever: a producer that is too fast is told so, and waits; nothing is allocated, and nothing dropped.
//!
//! Neither trusts the other. Counts that the other one wrote are looked at before they are believed ([`Broken`]), indices stay within the
//! memory whatever they are, and an entry is copied out before anybody reads it. What a hostile peer can do is what it could do by
//! not serving: put nonsense into entries, and never ring a bell.
//!
//! **No wake-up is lost.** Who is about to wait says so first and then looks once more; who has moved on says so first and then looks whether the
//! other waits. Between the two steps of each stands a fence, so at least one of them sees the other (Intel SDM vol. 3, 9.2.3.4: a store may be
//! passed by a later load of the same processor, and by nothing else). Whoever sees that the other waits takes the note back and rings: once for each wait.
//!
//! Reading order: [`shared`] (what lies in memory), [`ends`] (producer and consumer), [`bell`] (ends that wait).

pub mod bell;
pub mod ends;
mod shared;

pub use bell::{Bell, Bells};
pub use ends::{Consumer, Producer};
pub use shared::words_of;

/// What the other side wrote is not what a ring has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken;

#[cfg(test)]
mod tests;
