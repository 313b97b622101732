//! What a message of the exchange holds, and whether what arrived is that.

use lilliput_abi::Tag;
use lilliput_abi::object::kind;
use lilliput_abi::tag::SHORT_WORDS;

use super::parts;
use crate::message::{Message, WORDS, Word};

/// Label of a message that wants an answer.
pub const CALL: u16 = 1;
/// Label of one that does not.
pub const SEND: u16 = 2;
/// Label of an answer.
pub const ANSWER: u16 = 3;

/// Registers that a short message takes along, whatever its length.
const SHORT: usize = SHORT_WORDS as usize;

/// A message: everything about it follows from these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parcel {
    /// The badge of the client whose message it is, or is answered by it. Its epoch does not matter.
    pub badge: u32,
    /// The kind of the server's task.
    pub server: u64,
    /// One of [`CALL`], [`SEND`], [`ANSWER`].
    pub label: u16,
    /// Which of the client's messages it is, or answers.
    pub number: u32,
}

/// What is wrong with what arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// The tag, with the right one.
    Tag(Tag),
    /// The word of that number.
    Word(usize),
    /// A register that carries no message, and has neither what this thread had there nor zero.
    Register(usize),
}

impl Parcel {
    /// As whoever received `message` under `badge` must take it, if nothing is wrong: word 0 is the number.
    pub const fn announced(badge: u32, server: u64, message: &Message) -> Self {
        Self { badge, server, label: message.label(), number: message.words[0] as u32 }
    }

    /// The message. Registers that it has no words for hold something of the sender's.
    pub fn message(self) -> Message {
        let mut message = Message { tag: self.tag(), words: [0; WORDS] };
        message.words.iter_mut().enumerate().for_each(|(index, word)| *word = self.word(index));
        message
    }

    /// Whether `received` is this, in a thread that had `own` in its registers.
    ///
    /// # Errors
    /// The first flaw.
    pub fn judge(self, own: &Message, received: &Message) -> Result<(), Flaw> {
        let tag = self.tag();
        if received.tag != tag {
            return Err(Flaw::Tag(tag));
        }
        let length = tag.words() as usize;
        // Which further registers go along is nobody's promise, but these are the sender's own and can go.
        let along = if length > SHORT { WORDS } else { SHORT };
        for (index, &word) in received.words.iter().enumerate() {
            let sent = self.word(index);
            if index < length && word != sent {
                return Err(Flaw::Word(index));
            }
            if word != 0 && word != own.words[index] && !(index < along && word == sent) {
                return Err(Flaw::Register(index));
            }
        }
        Ok(())
    }

    fn tag(self) -> Tag {
        let most = if self.is_narrow() { SHORT as u32 } else { lilliput_abi::tag::MAX_WORDS };
        // As many short ones as long ones.
        let most = if self.mix(0x1000) & 1 == 0 { SHORT as u32 } else { most };
        // With one word it could be anybody's.
        Tag::new(self.label, 2 + (self.mix(0x1001) >> 32) as u32 % (most - 1))
    }

    /// Whether a small task takes part.
    const fn is_narrow(self) -> bool {
        parts(self.badge).1 == kind::SMALL || self.server == kind::SMALL
    }

    /// What stands in the register of a word.
    fn word(self, index: usize) -> Word {
        match index {
            0 => self.number as Word,
            _ if self.is_narrow() => self.mix(index as u64) as u32 as Word,
            _ => self.mix(index as u64) as Word,
        }
    }

    /// A number that no other message is likely to have at that index.
    const fn mix(self, index: u64) -> u64 {
        let who = (self.badge & 0xffff) as u64 | self.server << 16 | (self.label as u64) << 32;
        let mut hash = (who ^ index << 48 ^ (self.number as u64) << 20).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        hash = (hash ^ hash >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        hash = (hash ^ hash >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        hash ^ hash >> 31
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::badge;
    use proptest::prelude::*;

    fn parcels() -> impl Strategy<Value = Parcel> {
        (0_u32..256, 0_u64..3, 0_usize..16, 0_u64..3, CALL..=ANSWER, any::<u32>()).prop_map(
            |(epoch, kind, client, server, label, number)| Parcel {
                badge: badge(epoch, kind, client),
                server,
                label,
                number,
            },
        )
    }

    /// What a thread that had `own` has when the message has come.
    fn arrived(parcel: Parcel, own: &Message) -> Message {
        let mut message = parcel.message();
        if message.tag.words() as usize <= SHORT {
            message.words[SHORT..].copy_from_slice(&own.words[SHORT..]);
        }
        message
    }

    proptest! {
        #[test]
        fn what_was_sent_is_right(parcel in parcels(), own in parcels()) {
            let message = arrived(parcel, &own.message());
            prop_assert_eq!(parcel.judge(&own.message(), &message), Ok(()));
            prop_assert_eq!(Parcel::announced(parcel.badge, parcel.server, &message), parcel);
        }

        #[test]
        fn what_goes_along_may_be_lost(parcel in parcels(), own in parcels(), zero: bool) {
            let (mut message, own) = (parcel.message(), own.message());
            for index in message.tag.words() as usize..WORDS {
                message.words[index] = if zero { 0 } else { own.words[index] };
            }
            prop_assert_eq!(parcel.judge(&own, &message), Ok(()));
        }

        #[test]
        fn a_wrong_word_shows(parcel in parcels(), index in 1_usize..WORDS, flip in 0_u32..32) {
            let mut message = parcel.message();
            message.words[index] ^= 1 << flip;
            prop_assert!(parcel.judge(&Message::default(), &message).is_err());
        }

        #[test]
        fn another_sender_or_number_shows(parcel in parcels(), other in parcels()) {
            let same = Parcel { badge: parcel.badge ^ other.badge & 0xff_0000, ..parcel };
            let message = arrived(parcel, &Message::default());
            prop_assert_eq!(same.judge(&Message::default(), &message), Ok(()), "the epoch is no part of it");
            prop_assume!(Parcel { badge: other.badge & 0xffff, ..other } != Parcel { badge: parcel.badge & 0xffff, ..parcel });
            prop_assert!(other.judge(&Message::default(), &message).is_err());
        }

        #[test]
        fn a_short_message_takes_no_long_registers_along(parcel in parcels(), index in SHORT..WORDS) {
            prop_assume!(parcel.message().tag.words() as usize <= SHORT);
            let mut message = Message { words: [0; WORDS], ..parcel.message() };
            message.words[..SHORT].copy_from_slice(&parcel.message().words[..SHORT]);
            message.words[index] = parcel.message().words[index];
            prop_assert_eq!(parcel.judge(&Message::default(), &message), Err(Flaw::Register(index)));
        }

        #[test]
        fn messages_with_small_tasks_fit_them(parcel in parcels()) {
            prop_assume!(parcel.is_narrow());
            let message = parcel.message();
            prop_assert!(message.tag.words() as usize <= SHORT && message.words.iter().all(|&word| word >> 32 == 0));
        }
    }
}
