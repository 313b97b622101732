//! Paging at user level: what a pager knows and decides, what is asked of it, and a program that lives by it.
//!
//! A pager has a pool of frames, and gives them out as its clients touch their pages: empty ones, ones with a part of a
//! file of the boot archive, or copies of what two clients shared until one of them wrote. It is told of faults as the
//! handler of its clients' *threads*. Where it can't help, it takes that back and lets the thread fault again: then the
//! task's own handler is told, which is whoever made the task.
//!
//! Reading order: [`region`], [`book`] (the decisions), [`request`] (the protocol), [`client`] (a program for the tests).

pub mod book;
pub mod client;
pub mod region;
pub mod request;

pub use book::{Access, Book, Contents, Mapping, Reason};
pub use region::{Fill, Region};
