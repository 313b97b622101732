//! What a receiver gets of what a sender had.

use lilliput_abi::error::Error;
use lilliput_abi::fault;
use lilliput_abi::tag::{LONG_WORDS, MAX_WORDS, SHORT_WORDS, Tag};

use crate::thread::{Kind, Thread};

const LOW: u64 = u32::MAX as u64;
const SHORT: usize = SHORT_WORDS as usize;

/// A message on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its tag.
    pub tag: Tag,
    /// Whether it is as long as its tag says. Else it has four words, and the tag is looked at by nobody but the receiver.
    pub long: bool,
    /// Its words; those beyond the tag's length are not part of it.
    pub words: [u64; MAX_WORDS as usize],
}

impl Message {
    /// What a thread sends: its registers, or the fault that it raised.
    pub fn of(sender: &Thread) -> Self {
        let mut words = sender.registers.words;
        let Some(raised) = sender.fault() else {
            return Self { tag: sender.tag(), long: sender.sends_long(), words };
        };
        words = [0; MAX_WORDS as usize];
        words[fault::VECTOR] = u64::from(raised.vector) | u64::from(raised.code & 0xff_ffff) << 8;
        words[fault::ADDRESS] = raised.address;
        (words[fault::IP], words[fault::SP]) = sender.goes_on_at();
        Self { tag: Tag::new(fault::FAULT_LABEL, SHORT_WORDS), long: false, words }
    }

    /// The message as a receiver of this kind gets it.
    ///
    /// A 32-bit sender's words are 32 bits, zero-extended. A word for a 32-bit receiver must fit; what lies
    /// beyond the length comes out as it is, or as zero where it can't. A host's need not fit: it knows that its clients are of
    /// 32 bits, they trust it, and what does not fit does not arrive. Words 4-10 are zero unless both
    /// are 64-bit and the message is long; words 8-10 unless it is longer than eight.
    ///
    /// # Errors
    /// `BadMessage` for more words than these two can exchange, `WordTooWide`. Both are the sender's.
    pub fn fit(mut self, from: Kind, to: Kind) -> Result<Self, Error> {
        let wide = from.is_wide() && to.is_wide();
        let most = if wide { MAX_WORDS } else { SHORT_WORDS };
        if self.long && (self.tag.words() > most || !self.tag.is_valid()) {
            return Err(Error::BadMessage);
        }
        let whole = if !wide || !self.long || self.tag.words() <= SHORT_WORDS {
            SHORT_WORDS
        } else if self.tag.words() <= LONG_WORDS {
            LONG_WORDS
        } else {
            MAX_WORDS
        };
        self.words[whole as usize..].fill(0);
        for (at, word) in self.words[..SHORT].iter_mut().enumerate() {
            match (from, to) {
                (Kind::Small, _) | (Kind::Host, Kind::Small) => *word &= LOW,
                (Kind::Wide, Kind::Small) if *word > LOW => {
                    if at < self.tag.words() as usize {
                        return Err(Error::WordTooWide);
                    }
                    *word = 0;
                }
                _ => {}
            }
        }
        Ok(self)
    }

    /// Puts the message into a thread's registers, and ends its system call with a status.
    pub fn deliver(&self, receiver: &mut Thread, status: u32) {
        receiver.registers.words = self.words;
        receiver.registers.tag = u64::from(self.tag.0);
        receiver.finish(Ok(()));
        receiver.registers.status = u64::from(status);
    }
}
