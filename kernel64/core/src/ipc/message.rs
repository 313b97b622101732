//! What a receiver gets of what a sender had.

use lilliput_abi::error::CARRIED;
use lilliput_abi::error::Error;
use lilliput_abi::fault;
use lilliput_abi::tag::{LONG_WORDS, MAX_WORDS, SHORT_WORDS, Tag, carried};

use crate::thread::{Kind, Obstacles, Thread};

const LOW: u64 = u32::MAX as u64;
const SHORT: usize = SHORT_WORDS as usize;

/// A message on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its tag.
    pub tag: Tag,
    /// Whether it is as long as its tag says. Else it has four words, and the tag is looked at by nobody but the receiver.
    pub long: bool,
    /// What it carries: flags of [`carried`]; `None` where its selector does not say so. The words that name it are what arrives.
    pub carries: Option<u8>,
    /// What kind of thread sends it, or might have.
    pub from: Kind,
    /// Its words; those beyond the tag's length are not part of it.
    pub words: [u64; MAX_WORDS as usize],
}

impl Message {
    /// What a thread sends: its registers, or the fault that it tells of, which may be a foreign system call.
    pub fn of(sender: &Thread) -> Self {
        let mut words = sender.registers.words;
        if !sender.tells_fault() {
            let (mut tag, carries) = (sender.tag(), sender.selector().carries().then(|| sender.tag().flags()));
            if let Some(flags) = carries {
                tag = tag.with_flags(0);
                if flags & carried::STRING != 0 {
                    words[carried::ADDRESS_WORD] = 0;
                    words[carried::LENGTH_WORD] = 0;
                }
                if flags & carried::CAPABILITY != 0 {
                    words[carried::CAPABILITY_WORD] = 0;
                }
            }
            return Self { tag, long: sender.sends_long(), from: sender.kind, carries, words };
        }
        let raised = sender.raised;
        if sender.fault().is_some() && raised.is_foreign_call() {
            return sender.foreign_message(raised);
        }
        words = [0; MAX_WORDS as usize];
        words[fault::VECTOR] = u64::from(raised.vector) | u64::from(raised.code & 0xff_ffff) << 8;
        words[fault::ADDRESS] = raised.address;
        if sender.fault().is_some() {
            (words[fault::IP], words[fault::SP]) = sender.goes_on_at();
        }
        // A page that is missing may be another's, of any width.
        let from = if sender.obstacles.contains(Obstacles::PAGING) { Kind::Wide } else { sender.kind };
        Self { tag: Tag::new(fault::FAULT_LABEL, SHORT_WORDS), long: false, from, carries: None, words }
    }

    /// Whether nobody could have it: a tag of a long message that no pair of tasks exchanges, or flags of nothing that can be carried.
    pub const fn is_malformed(&self) -> bool {
        let carries_what = match self.carries {
            Some(flags) => flags == 0 || flags & !carried::ALL != 0,
            None => false,
        };
        carries_what || self.long && !self.tag.is_valid()
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
    pub fn fit(mut self, to: Kind) -> Result<Self, Error> {
        let from = self.from;
        let wide = from.is_wide() && to.is_wide();
        let most = if wide { MAX_WORDS } else { SHORT_WORDS };
        if self.is_malformed() || self.long && self.tag.words() > most {
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
        let (tag, carried) = match self.carries {
            Some(flags) => (self.tag.with_flags(flags), CARRIED),
            None => (self.tag, 0),
        };
        receiver.registers.tag = u64::from(tag.0);
        receiver.finish(Ok(()));
        receiver.registers.status = u64::from(status | carried);
    }
}
