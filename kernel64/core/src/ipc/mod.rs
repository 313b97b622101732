//! Synchronous IPC: messages between threads, in registers.
//!
//! Reading order: [`message`] (what a receiver gets of what a sender had), [`general`] (the state
//! machine, all cases), [`carry`] (what goes along with a message), [`fast`] (the two cases that pay, decided by checks alone), [`notify`]
//! (asynchronous bits), [`kept`] (callers that are answered later), [`timed`] (waits that end by a deadline), `release` (a thread that will have no answer), [`end`] (what the others learn
//! when somebody is gone) and [`evict`] (a task loses what its threads wait by).
//!
//! Nothing here knows of bitness but [`message::Message::fit`].

pub mod carry;
pub mod end;
pub mod evict;
pub mod fast;
pub mod general;
pub mod kept;
pub mod message;
pub mod notify;
mod release;
pub mod timed;
