//! Fuzzing the kernel from inside: tasks that ask it for anything, and at last enter it in odd ways.
//!
//! What a task does follows from its seed. A step is one system call; [`generate`] makes them up, [`fence`] takes away
//! the few that a kernel must allow and a run would not survive, [`run`] carries them out. The end of every task is a piece of
//! machine code that [`code`] puts together: registers, flags and segments of all kinds, and then one instruction. A task that the
//! fence keeps from harming itself is *steady*: whatever happens to it that it did not ask for is a failure.
//!
//! Two more tasks take part. The [`poker`] never waits and keeps everybody else from waiting for ever; it also ends what the others made.
//! The [`witness`] answers and holds a pattern in its memory. The root task's scenario `fuzz` brings them together and judges.

pub mod code;
pub mod fence;
pub mod generate;
pub mod kit;
pub mod poker;
pub mod run;
pub mod witness;

use lilliput_abi::Selector;

use crate::machine::Machine;
use crate::message::{Message, Word};

/// What fuzzing needs of a width besides [`Machine`].
pub trait Hostile: Machine {
    /// Makes a system call by the interrupt.
    fn by_interrupt(selector: Selector, message: &mut Message) -> u32;

    /// Writes machine code to a page of this program's that holds nothing else. Where it can't be written, the task ends.
    ///
    /// # Panics
    /// For an address at which the program itself could be: see [`kit::holds_code`].
    fn store(address: Word, bytes: &[u8]);

    /// Goes on at an address of [`kit::holds_code`], and never comes back.
    ///
    /// # Panics
    /// For any other.
    fn jump(address: Word) -> !;
}
