//! What a program tells the task that started it, and asks of it.
//!
//! A task ends when somebody destroys it: by itself it can only end its threads. So a program
//! calls its parent with [`EXIT`] and is not answered.

use lilliput_abi::Error;

use crate::invoke::Invoke;
use crate::message::{Message, Word};
use crate::object::Endpoint;
use crate::{place, text};

/// The program is done: `(code)`. Never answered: the parent destroys the task.
pub const EXIT: u16 = 1;
/// Something to be kept: up to four words whose meaning the role gives `-> ()`
pub const RESULT: u16 = 2;
/// A piece of text that says why the program is about to fail: packed as [`text`] has it `-> ()`
pub const TEXT: u16 = 3;
/// Asks for a parameter: `(number) -> (value)`; zero where the parent set none, [`TOO_WIDE`] where it does not fit a word.
pub const PARAMETER: u16 = 4;
/// The label of what a parent answers whose answer does not fit the words of who asked: `()`. Other answers have label 0.
pub const TOO_WIDE: u16 = 1;

/// Exit code of a program that did what it should.
pub const SUCCESS: Word = 0;
/// Exit code of a program that panicked.
pub const PANICKED: Word = 101;

/// The parent of this program.
pub fn endpoint<K: Invoke>() -> Endpoint<K> {
    Endpoint::at(place::PARENT)
}

/// Asks for parameter `number`.
///
/// # Errors
/// [`Error::WordTooWide`] where it has more bits than a word of this program's, or what the kernel says.
pub fn parameter<K: Invoke>(number: Word) -> Result<Word, Error> {
    let answer = endpoint::<K>().request(PARAMETER, &[number])?;
    if answer.label() == TOO_WIDE { Err(Error::WordTooWide) } else { Ok(answer.words[0]) }
}

/// Hands over a result.
///
/// # Errors
/// What the kernel says.
pub fn result<K: Invoke>(words: &[Word]) -> Result<(), Error> {
    endpoint::<K>().request(RESULT, words).map(drop)
}

/// Ends the task.
///
/// It comes back only where there is no parent to call, for the caller to end the hard way.
pub fn exit<K: Invoke>(code: Word) {
    let _ = endpoint::<K>().request(EXIT, &[code]);
}

/// Sends text to the parent, as the reason of a failure.
pub fn explain<K: Invoke>(arguments: core::fmt::Arguments) {
    // A program that fails has nobody left to tell that this failed as well.
    let _ = text::send(arguments, |words| endpoint::<K>().call(&Message::new(TEXT, words)).map(drop));
}
