//! The binary interface of Lilliput, shared by the kernel and by programs of both widths.
//!
//! Everything here is a number or the packing of one: no memory is touched, nothing is unsafe, and
//! every width is explicit, so that a 32-bit program and the 64-bit kernel read the same layout.
//! `README.md` beside this crate says the same for people who write programs in other languages.
#![no_std]
#![forbid(unsafe_code)]

pub mod boot;
pub mod error;
pub mod fault;
pub mod foreign;
pub mod isolation;
pub mod layout;
pub mod object;
pub mod operation;
pub mod tag;

pub use error::Error;
pub use isolation::Isolation;
pub use object::{ObjectType, Rights};
pub use operation::{Operation, Selector};
pub use tag::Tag;
