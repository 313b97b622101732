//! What arrives of a message.

use lilliput_abi::object::kind;
use lilliput_abi::tag::SHORT_WORDS;
use lilliput_abi::{Error, Tag};

use super::kit::{self, PARTNER_KIND, partner};
use super::{Outcome, partner as told};
use crate::machine::Machine;
use crate::message::{Message, WORDS, Word};
use crate::object::Endpoint;
use crate::{console, parent, place};

/// The most words that this task and its partner can exchange.
fn most<K: Machine>() -> Result<usize, Error> {
    let small = parent::parameter::<K>(PARTNER_KIND)? as u64 == kind::SMALL;
    Ok(if small { SHORT_WORDS as usize } else { WORDS })
}

pub fn all_lengths<K: Machine>() -> Outcome {
    let most = most::<K>()?;
    for length in 0..=most {
        let mut message = Message::new(told::ECHO, &[0; WORDS][..length]);
        for (number, word) in message.words[..length].iter_mut().enumerate() {
            *word = if most > SHORT_WORDS as usize { Word::MAX - number } else { u32::MAX as Word - number };
        }
        let answer = partner::<K>().call(&message)?;
        assert_eq!((answer.tag, answer.payload()), (message.tag, message.payload()), "{length} words");
    }
    let long = Message { tag: Tag::new(told::ECHO, most as u32 + 1), words: [0; WORDS] };
    assert_eq!(partner::<K>().call(&long).err(), Some(Error::BadMessage), "one word more than can be exchanged");
    assert_eq!(partner::<K>().send(&long).err(), Some(Error::BadMessage), "the same sent");
    let count = partner::<K>().request(told::COUNT, &[])?;
    assert_eq!(count.words[0], most + 2, "messages that arrived");
    Ok(())
}

pub fn badges<K: Machine>() -> Outcome {
    let words = [0x1111, 0x2222, 0x4444, 0x8888];
    let answer = partner::<K>().request(told::SEE, &words)?;
    let tag = Tag::new(told::SEE, 4).0 as Word;
    assert_eq!(answer.payload()[..3], [kit::BADGE as Word, tag, 0xffff], "badge, tag and words");
    Ok(())
}

pub fn word_too_wide<K: Machine>() -> Outcome {
    for place in 0..SHORT_WORDS as usize {
        let mut words = [1; SHORT_WORDS as usize];
        words[place] = (1_u64 << 32) as Word;
        let message = Message::new(told::NOTE, &words);
        assert_eq!(partner::<K>().call(&message).err(), Some(Error::WordTooWide), "called with word {place} too wide");
        assert_eq!(partner::<K>().send(&message).err(), Some(Error::WordTooWide), "sent with word {place} too wide");
        // Beyond the length nothing is looked at.
        let short = Message { tag: Tag::new(told::NOTE, place as u32), ..message };
        partner::<K>().send(&short)?;
    }
    let count = partner::<K>().request(told::COUNT, &[])?;
    assert_eq!(count.words[0], SHORT_WORDS as usize + 1, "messages that arrived");
    Ok(())
}

pub fn reply_too_wide<K: Machine>() -> Outcome {
    let answer = partner::<K>().request(told::WIDE_ANSWER, &[])?;
    assert_eq!(answer.payload(), [Error::WordTooWide as Word], "what the server was told");
    Ok(())
}

/// What a parent answers that does not fit is an error that says so, and the parent goes on.
pub fn parameter_too_wide<K: Machine>() -> Outcome {
    let fits = size_of::<Word>() > size_of::<u32>();
    let expected = if fits { Ok(kit::WIDE_VALUE as Word) } else { Err(Error::WordTooWide) };
    assert_eq!(parent::parameter::<K>(kit::WIDE_PARAMETER), expected, "a parameter of more than 32 bits");
    assert_eq!(parent::parameter::<K>(kit::WIDE_PARAMETER + 1), Ok(0), "one that there is not");
    Ok(())
}

/// A host knows that its clients have words of 32 bits.
pub fn reply_of_host_is_cut<K: Machine>() -> Outcome {
    let answer = partner::<K>().request(told::WIDE_ANSWER, &[])?;
    assert_eq!(answer.payload(), [u32::MAX as Word, 1], "the lower halves");
    Ok(())
}

pub fn zero_extension<K: Machine>() -> Outcome {
    for words in [&[u32::MAX as Word; 4][..], &[u32::MAX as Word; 1], &[]] {
        let answer = partner::<K>().request(told::SEE, words)?;
        assert_eq!(answer.words[3], 0, "bits beyond what {} words of 32 bits hold", words.len());
    }
    Ok(())
}

pub fn one_reply<K: Machine>() -> Outcome {
    assert_eq!(crate::object::reply::<K>(&Message::default()).err(), Some(Error::NobodyToReplyTo), "without a caller");
    partner::<K>().request(told::TWICE, &[])?;
    let error = partner::<K>().request(told::LAST_ERROR, &[])?.words[0];
    assert_eq!(error, Error::NobodyToReplyTo as Word, "the second answer to one call");
    Ok(())
}

pub fn prints<K: Machine>() -> Outcome {
    let bits = Word::BITS;
    console::print::<K>(format_args!("console: a line of a {bits}-bit task, longer than a message and so in pieces: "));
    console::print::<K>(format_args!("{:?}\n", [1, 2, 3]));
    Ok(())
}

/// Messages that the parent and the console did not expect, and that want no answer where one is given.
pub fn rude<K: Machine>() -> Outcome {
    for server in [place::PARENT, place::CONSOLE] {
        for label in (0..20).chain([0xfffe, 0xffff]).filter(|&label| server == place::CONSOLE || label != parent::EXIT)
        {
            for words in [&[][..], &[0x6564_7572; 4]] {
                let message = Message::new(label, words);
                Endpoint::<K>::at(server).send(&message)?;
                Endpoint::<K>::at(server).call(&message)?;
            }
        }
    }
    // The line that the console was sent ends here.
    console::print::<K>(format_args!("\n"));
    Ok(())
}
