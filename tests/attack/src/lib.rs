//! The attack suite: what it tries, and what must come of it.
//!
//! An attack is a line of [`table`] and a routine of that name in `tests/attack32` or `tests/attack64`, most of it
//! assembly. The root task's scenario `attack` runs each in a task of its own beside [`witness`]es, which hold
//! secrets in memory and registers and watch over them. What an attack needs to know it finds by [`kit`]; an
//! attack that has to survive its own faults has a [`catcher`].
//!
//! Reading order: [`table`], [`kit`], [`catcher`], [`witness`].
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

pub mod catcher;
pub mod given;
pub mod kit;
pub mod random;
pub mod table;
pub mod witness;

pub use kit::Outcome;
