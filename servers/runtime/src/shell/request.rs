//! What the shell asks of its parent, beside what every program does: see [`crate::parent`].

use bitflags::bitflags;

use crate::message::{Message, Word, pack};

/// Starts a demonstration: `(number, in a 64-bit task?) -> ()`. The label of the answer is not 0 if it could not be started. Its end sets
/// [`Bits::ENDED`] of the shell's notification.
pub const START: u16 = 16;
/// Ends it: `() -> ()`
pub const KILL: u16 = 17;
/// The task of this place in the list: `(place) -> ` a [`TaskLine`]. No words where the list has ended.
pub const TASK: u16 = 18;
/// What tasks and their tables have: `() -> (frames in use, frames allowed)`
pub const MEMORY: u16 = 19;

bitflags! {
    /// Bits of the shell's notification.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Bits: u32 {
        /// ^C was typed.
        const BREAK = 1;
        /// The demonstration has ended.
        const ENDED = 2;
    }
}

/// Bytes of a task's name; a longer one is cut.
pub const NAME: usize = 32;
const WORD: usize = size_of::<Word>();
const NUMBERS: usize = 6;

/// A line of the list of tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskLine {
    /// Its number.
    pub id: Word,
    /// One of [`lilliput_abi::object::kind`].
    pub kind: Word,
    /// Its isolation, as a number.
    pub isolation: Word,
    /// Milliseconds in user mode.
    pub user: Word,
    /// Milliseconds in the kernel.
    pub kernel: Word,
    /// Times it was switched to.
    pub switches: Word,
    /// Its name, followed by zeroes.
    pub name: [u8; NAME],
}

impl TaskLine {
    /// As a message, which only a 64-bit task can have.
    pub fn message(&self) -> Message {
        let mut words = [0; NUMBERS + NAME / WORD];
        words[..NUMBERS].copy_from_slice(&[self.id, self.kind, self.isolation, self.user, self.kernel, self.switches]);
        pack(&self.name, &mut words[NUMBERS..]);
        Message::new(0, &words)
    }

    /// Reads the message; `None` if it is none.
    pub fn read(message: &Message) -> Option<Self> {
        let words = message.payload();
        let [id, kind, isolation, user, kernel, switches] = *words.first_chunk::<NUMBERS>()?;
        let mut name = [0; NAME];
        let bytes = words[NUMBERS..].iter().flat_map(|word| word.to_le_bytes());
        name.iter_mut().zip(bytes).for_each(|(place, byte)| *place = byte);
        Some(Self { id, kind, isolation, user, kernel, switches, name })
    }
}

/// A name as a line has it.
pub fn name(text: &str) -> [u8; NAME] {
    let mut name = [0; NAME];
    name.iter_mut().zip(text.bytes()).for_each(|(place, byte)| *place = byte);
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_comes_back() {
        let line = TaskLine { id: 7, kind: 2, isolation: 0, user: 1, kernel: 2, switches: 3, name: name("console") };
        assert_eq!(TaskLine::read(&line.message()), Some(line));
        assert_eq!(TaskLine::read(&Message::new(0, &[])), None);
        assert_eq!(name(&"x".repeat(NAME + 1)), [b'x'; NAME]);
    }
}
