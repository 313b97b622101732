//! The one way into the kernel, and the calls made from it.

use lilliput_abi::tag::SHORT_WORDS;
use lilliput_abi::{Error, Operation, Selector};

use crate::message::{Message, Word};

/// Enters the kernel.
pub trait Invoke: Copy + 'static {
    /// Makes the system call `selector` with `message`, which is overwritten by what comes back. Returns the status word.
    fn invoke(selector: Selector, message: &mut Message) -> u32;
}

/// Makes a system call; `Ok` is the badge that came with a received message, or zero.
///
/// # Errors
/// What the kernel says.
pub fn invoke<K: Invoke>(operation: Operation, index: u32, message: &mut Message) -> Result<u32, Error> {
    Error::from_status(K::invoke(selector(operation, index, message), message))
}

/// The same for an operation that waits until the thread's deadline and no longer.
///
/// # Errors
/// What the kernel says; [`Error::TimedOut`].
pub fn invoke_timed<K: Invoke>(operation: Operation, index: u32, message: &mut Message) -> Result<u32, Error> {
    Error::from_status(K::invoke(selector(operation, index, message).timed(), message))
}

/// The selector of a system call with this message.
pub const fn selector(operation: Operation, index: u32, message: &Message) -> Selector {
    let selector = Selector::new(operation, index);
    if message.tag.words() > SHORT_WORDS { selector.long() } else { selector }
}

/// Calls a method of a kernel object, or a server, and returns the answer.
///
/// # Errors
/// What the kernel says.
pub fn call<K: Invoke>(index: u32, label: u16, words: &[Word]) -> Result<Message, Error> {
    let mut message = Message::new(label, words);
    invoke::<K>(Operation::Call, index, &mut message)?;
    Ok(message)
}

/// Lets the next thread of this priority run.
pub fn give_way<K: Invoke>() {
    // Yielding cannot fail.
    let _ = invoke::<K>(Operation::Yield, 0, &mut Message::default());
}
