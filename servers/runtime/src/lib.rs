//! What programs of both widths share, without a line that knows the width's instructions.
//!
//! A program is generic over [`Invoke`], the one function that enters the kernel, and where it
//! measures or holds vector registers over [`Machine`]; `user32` and `user64` implement both. So
//! everything here runs on the host too, against a kernel that a test plays.
//!
//! Reading order: [`message`], [`invoke`], [`object`] (typed capabilities), [`place`] and [`parent`]
//! (what a program starts with and whom it reports to), [`text`] and [`console`] (output), [`time`].
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

pub mod bench;
pub mod console;
pub mod demo;
pub mod disk;
pub mod exchange;
pub mod fuzz;
pub mod invoke;
pub mod keeper;
pub mod linux;
pub mod machine;
pub mod mark;
pub mod message;
pub mod mortal;
pub mod object;
pub mod pager;
pub mod parent;
pub mod place;
pub mod promise;
pub mod random;
pub mod ring;
pub mod role;
pub mod shell;
pub mod tenant;
pub mod text;
pub mod time;
pub mod trial;
pub mod work;

pub use invoke::Invoke;
pub use lilliput_abi as abi;
pub use machine::Machine;
pub use message::{Message, WORDS, Word};
pub use object::{Devices, Endpoint, Factory, Frames, Interrupt, IoPorts, Notification, System, Task, Thread};
