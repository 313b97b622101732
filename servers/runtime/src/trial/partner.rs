//! The partner of a trial: a server that does as it is told, in a task of any kind.

use core::sync::atomic::{AtomicU32, Ordering};

use lilliput_abi::foreign as abi;
use lilliput_abi::tag::SHORT_WORDS;
use lilliput_abi::{Error, Rights, fault};

use super::{death, growth, kit};
use crate::invoke::Invoke;
use crate::message::{Message, WORDS, Word};
use crate::object::{Endpoint, Notification, Parcel, Received, Reply, Task, accept, reply};
use crate::place;

/// Answers with the same message.
pub const ECHO: u16 = 1;
/// Answers with what arrived: `(badge, tag, words 0-3 together, all that a sender of 32 bits can't have sent)`
pub const SEE: u16 = 2;
/// Answers with the number of messages that arrived so far.
pub const COUNT: u16 = 3;
/// Ends without an answer.
pub const DIE: u16 = 4;
/// Takes the next message without answering this one.
pub const FORGET: u16 = 5;
/// Answers twice.
pub const TWICE: u16 = 6;
/// Answers with the error that the last operation had, or zero.
pub const LAST_ERROR: u16 = 7;
/// Tries an answer with a word of more than 32 bits, then one that fits.
pub const WIDE_ANSWER: u16 = 8;
/// Answers, and then signals the notification.
pub const SIGNAL: u16 = 9;
/// Is not to be answered.
pub const NOTE: u16 = 10;
/// Makes its client's space larger or smaller: `(size, 1 if it may become large) -> (error or 0, size, linear base)`
pub const RESIZE: u16 = 11;
/// Gives its client another isolation: `(isolation) -> (error or 0, isolation in force)`
pub const ISOLATE: u16 = 12;
/// Reads its client's memory in place, if it is the arena's host: `(address) -> (word there)`
pub const READ: u16 = 13;
/// Ends all threads of the partner, without an answer.
pub const EXIT: u16 = 14;
/// Answers with what the last exception was that it handled: `(vector and error code, instruction pointer)`
pub const LAST_FAULT: u16 = 20;
/// Signals the notification whose capability came along, and gives that back, in place of its own: `-> (error or 0)`
pub const RETURN: u16 = 15;
/// Keeps the capability that came along: `-> (1 if one did)`
pub const KEEP: u16 = 16;
/// Empties the place for capabilities: `-> (error or 0)`
pub const DROP: u16 = 17;
/// Answers with the string that came along: word 0 is its sum.
pub const REFLECT: u16 = 18;
/// Sends so many bytes to the endpoint at the place of kept capabilities, and answers afterwards: `(bytes) -> (error or 0)`
pub const SEND: u16 = 19;

/// Puts its caller aside into the reply object whose capability it keeps. The answer will be the same message.
pub const HOLD: u16 = 21;
/// Answers whom it put aside, and then this one: `-> (error or 0)`
pub const RELEASE: u16 = 22;

/// Where a capability arrives that the partner gets.
pub const KEPT: u32 = 24;
/// The longest string that it takes.
pub const MOST_BYTES: usize = 96 << 10;

/// Where strings arrive.
static STRING: [AtomicU32; MOST_BYTES / 4] = [const { AtomicU32::new(0) }; MOST_BYTES / 4];

/// Serves until it is told to end. `read` reads a word at a linear address below 4 GiB, where that can be done.
///
/// # Errors
/// What the kernel says where the partner can't go on.
pub fn run<K: Invoke>(read: impl Fn(Word) -> u32) -> Result<(), Error> {
    let mut answer: Option<Message> = None;
    let mut arrived = 0;
    let mut last_error = 0;
    let string = STRING.as_ptr() as Word;
    accept::<K>(KEPT, string, MOST_BYTES)?;
    let mut last_fault = [0; 2];
    // Whether the answer is to a foreign system call that asked for its operation.
    let mut returns = false;
    // Whether the caller is to be kept, and how whoever is will be answered.
    let (mut keeps, mut kept) = (false, Message::default());
    loop {
        let service = Endpoint::<K>::at(place::SERVICE);
        let received = match &answer {
            // A caller may be gone.
            Some(answer) if returns => Endpoint::<K>::return_receive(answer).or_else(|_| service.receive())?,
            None if keeps => Reply::<K>::at(KEPT).keep_receive()?,
            answer => service.next(answer.as_ref())?,
        };
        arrived += 1;
        keeps = false;
        returns = false;
        answer = match received.message.label() {
            ECHO => Some(received.message),
            SEE => Some(seen(&received)),
            COUNT => Some(Message::new(COUNT, &[arrived])),
            DIE => return Ok(()),
            EXIT => {
                death::exit_all::<K>();
                None
            }
            FORGET | NOTE => None,
            TWICE => {
                let once = Message::new(TWICE, &[]);
                reply::<K>(&once)?;
                last_error = number(reply::<K>(&once));
                None
            }
            LAST_ERROR => Some(Message::new(LAST_ERROR, &[last_error])),
            WIDE_ANSWER => {
                last_error = number(reply::<K>(&Message::new(WIDE_ANSWER, &[Word::MAX, 1])));
                Some(Message::new(WIDE_ANSWER, &[last_error]))
            }
            SIGNAL => {
                reply::<K>(&Message::new(SIGNAL, &[]))?;
                kit::notification::<K>().signal()?;
                None
            }
            RESIZE => {
                let [size, may_be_large, ..] = received.message.words;
                Some(Message::new(RESIZE, &growth::resize_client::<K>(size, may_be_large == 1)))
            }
            ISOLATE => Some(Message::new(ISOLATE, &growth::isolate_client::<K>(received.message.words[0]))),
            RETURN => {
                let kept = received.capability().filter(|&place| place == KEPT).is_some();
                let error = if kept { number(Notification::<K>::at(KEPT).signal()) } else { u32::MAX as Word };
                let answer = Parcel::new(RETURN, &[error]).moved(KEPT, Rights::SEND | Rights::GRANT);
                if answer.reply::<K>().is_ok() { None } else { Some(Message::new(RETURN, &[u32::MAX as Word])) }
            }
            KEEP => Some(Message::new(KEEP, &[Word::from(received.capability().is_some())])),
            DROP => Some(Message::new(DROP, &[number(kit::task::<K>().delete(KEPT))])),
            REFLECT => match received.string() {
                Some(length) => {
                    let answer = Parcel::new(REFLECT, &[sum(length) as Word]).string(string, length);
                    match answer.reply::<K>() {
                        Ok(()) => None,
                        // It is gone, then, or has no room.
                        Err(error) => Some(Message::new(REFLECT, &[error as Word])),
                    }
                }
                None => Some(Message::new(REFLECT, &[])),
            },
            SEND => {
                let length = received.message.words[0];
                fill(length, 7);
                let outcome = Endpoint::<K>::at(KEPT).send_with(&Parcel::new(SEND, &[]).string(string, length));
                Some(Message::new(SEND, &[number(outcome)]))
            }
            HOLD => {
                (keeps, kept) = (true, received.message);
                None
            }
            RELEASE => Some(Message::new(RELEASE, &[number(Reply::<K>::at(KEPT).reply(&kept))])),
            READ => {
                let client = Task::<K>::at(kit::CLIENT).info()?;
                Some(Message::new(READ, &[read(client.base + received.message.words[0]) as Word]))
            }
            abi::INTERRUPT_LABEL | abi::SYSCALL_LABEL | abi::SYSENTER_LABEL => {
                match super::foreign::answer::<K>(&received) {
                    Ok(Some(answer)) if super::foreign::wants_keeping(&received.message) => {
                        (keeps, kept) = (true, answer);
                        None
                    }
                    Ok(answer) => {
                        returns = super::foreign::wants_return(&received.message);
                        answer
                    }
                    Err(_) => return Ok(()),
                }
            }
            fault::FAULT_LABEL => {
                let Message { words, .. } = received.message;
                last_fault = [words[fault::VECTOR], words[fault::IP]];
                Some(super::foreign::answer_fault(&received.message))
            }
            LAST_FAULT => Some(Message::new(LAST_FAULT, &last_fault)),
            other => Some(Message::new(other, &[])),
        };
    }
}

/// The sum of the bytes of the string that arrived.
fn sum(length: Word) -> u32 {
    let bytes = STRING.iter().flat_map(|word| word.load(Ordering::Relaxed).to_le_bytes()).take(length);
    bytes.fold(0, |sum, byte| sum.wrapping_add(u32::from(byte)))
}

/// Lets a string be the numbers of its words, from one on.
fn fill(length: Word, first: u32) {
    for (word, number) in STRING.iter().zip(first..).take(length.div_ceil(4)) {
        word.store(number, Ordering::Relaxed);
    }
}

fn number(result: Result<(), Error>) -> Word {
    result.map_or_else(|error| error as Word, |()| 0)
}

/// All of the partner's answers leave the words beyond the fourth zero, so that what is there came from the sender or the kernel.
fn seen(received: &Received) -> Message {
    let (short, long) = received.message.words.split_at(SHORT_WORDS as usize);
    let together = short.iter().fold(0, |sum, &word| sum ^ word as u32);
    let upper = short.iter().fold(0, |bits, &word| bits | (word as u64 >> 32) as u32);
    let beyond = long.iter().fold(upper, |bits, &word| bits | word as u32 | (word as u64 >> 32) as u32);
    debug_assert!(WORDS >= short.len());
    Message::new(SEE, &[received.badge as Word, received.message.tag.0 as Word, together as Word, beyond as Word])
}
