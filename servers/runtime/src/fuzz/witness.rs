//! The witness: it answers whoever asks, and holds a pattern in its memory that nobody else may change.

use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use lilliput_abi::Error;

use crate::invoke::Invoke;
use crate::message::{Message, Word};
use crate::object::Endpoint;
use crate::place;
use crate::work::payload::answer;

/// Answers every word by another: `(words of 32 bits...) -> (as many)`
pub const ASK: u16 = 0x41;
/// Answers how many words of its memory are not what they were: `() -> (count)`
pub const CHECK: u16 = 0x42;

/// Words of memory with a pattern.
const WORDS: usize = 8192;

static MEMORY: [AtomicU32; WORDS] = [const { AtomicU32::new(0) }; WORDS];

const fn pattern(seed: Word, at: usize) -> u32 {
    (seed as u32 ^ at as u32).wrapping_mul(0x9e37_79b9) | 1
}

/// Serves for ever.
///
/// # Errors
/// What the kernel says where it can't go on.
pub fn run<K: Invoke>(seed: Word) -> Result<(), Error> {
    for (at, word) in MEMORY.iter().enumerate() {
        word.store(pattern(seed, at), Relaxed);
    }
    let mut reply = None;
    loop {
        let received = Endpoint::<K>::at(place::SERVICE).next(reply.as_ref())?;
        let message = received.message;
        reply = Some(match message.label() {
            ASK => answer_to(&message),
            CHECK => {
                let changed = |&(at, word): &(usize, &AtomicU32)| word.load(Relaxed) != pattern(seed, at);
                Message::new(CHECK, &[MEMORY.iter().enumerate().filter(changed).count()])
            }
            other => Message::new(other, &[]),
        });
    }
}

fn answer_to(question: &Message) -> Message {
    let mut words = question.words;
    words.iter_mut().for_each(|word| *word = answer(*word));
    Message::new(ASK, &words[..question.payload().len()])
}

/// Whether the witness has an answer to this, whatever its width.
pub fn is_question(message: &Message) -> bool {
    message.tag.flags() == 0
        && message.label() == ASK
        && message.tag.words() <= lilliput_abi::tag::SHORT_WORDS
        && message.payload().iter().all(|&word| word as u64 <= u64::from(u32::MAX))
}

/// Whether it is the right one.
pub fn is_answer(question: &Message, answer: &Result<Message, Error>) -> bool {
    let expected = answer_to(question);
    answer.is_ok_and(|answer| answer.tag == expected.tag && answer.payload() == expected.payload())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_told_from_others() {
        let question = Message::new(ASK, &[1, 0xffff_ffff, 3]);
        let right = answer_to(&question);
        assert!(is_question(&question) && is_answer(&question, &Ok(right)));
        assert!(!is_answer(&question, &Ok(question)) && !is_answer(&question, &Err(Error::Gone)));
        let mut longer = right;
        longer.tag.0 += 1;
        assert!(!is_answer(&question, &Ok(longer)));
        assert!(!is_question(&Message::new(ASK, &[1 << 32])) && !is_question(&Message::new(CHECK, &[])));
    }
}
