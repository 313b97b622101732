//! A message as a program holds it: the tag and the words of this width.

use lilliput_abi::Tag;

/// A register of this program: 4 bytes in a 32-bit task, 8 in a 64-bit one.
pub type Word = usize;

/// How many words a message of this width can have.
#[cfg(target_pointer_width = "32")]
pub const WORDS: usize = lilliput_abi::tag::SHORT_WORDS as usize;
/// How many words a message of this width can have.
#[cfg(target_pointer_width = "64")]
pub const WORDS: usize = lilliput_abi::tag::MAX_WORDS as usize;

/// A message. The system call stubs load all of it into registers and store all of it afterwards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Message {
    /// Label and length.
    pub tag: Tag,
    /// The words; those beyond the length are undefined in a message that was received.
    pub words: [Word; WORDS],
}

impl Message {
    /// A message of these words. Words beyond [`WORDS`] are left out, as the tag is then refused by nobody else.
    pub fn new(label: u16, words: &[Word]) -> Self {
        let mut message = Self { tag: Tag::new(label, words.len().min(WORDS) as u32), words: [0; WORDS] };
        for (place, word) in message.words.iter_mut().zip(words) {
            *place = *word;
        }
        message
    }

    /// The label.
    pub const fn label(&self) -> u16 {
        self.tag.label()
    }

    /// The words that count.
    pub fn payload(&self) -> &[Word] {
        &self.words[..(self.tag.words() as usize).min(WORDS)]
    }

    /// Two words as one 64-bit value, low half first: how values that may not fit 32 bits travel.
    pub fn pair(&self, first: usize) -> u64 {
        self.words[first] as u32 as u64 | (self.words[first + 1] as u32 as u64) << 32
    }
}

/// The halves of a 64-bit value, for [`Message::pair`].
pub const fn halves(value: u64) -> [Word; 2] {
    [value as u32 as Word, (value >> 32) as u32 as Word]
}

/// Packs bytes into words, little-endian, as many as a word holds, and says how many words that takes. There must be room.
pub fn pack(bytes: &[u8], words: &mut [Word]) -> usize {
    const BYTES: usize = size_of::<Word>();
    for (word, chunk) in words.iter_mut().zip(bytes.chunks(BYTES)) {
        let mut whole = [0; BYTES];
        whole[..chunk.len()].copy_from_slice(chunk);
        *word = Word::from_le_bytes(whole);
    }
    bytes.len().div_ceil(BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payload_is_what_the_tag_says() {
        let message = Message::new(9, &[1, 2]);
        assert_eq!((message.label(), message.payload()), (9, &[1, 2][..]));
        let forged = Message { tag: Tag::new(0, 255), words: [7; WORDS] };
        assert_eq!(forged.payload().len(), WORDS);
    }

    #[test]
    fn bytes_are_packed_low_first() {
        let mut words = [7; 3];
        assert_eq!(pack(&[1, 2, 3], &mut words), 1);
        assert_eq!(words, [0x03_02_01, 7, 7]);
        assert_eq!(pack(&[0xff; size_of::<Word>() + 1], &mut words), 2);
        assert_eq!(words, [Word::MAX, 0xff, 7]);
        assert_eq!(pack(&[], &mut words), 0);
    }

    #[test]
    fn halves_come_back() {
        let value = 0xfedc_ba98_7654_3210;
        assert_eq!(Message::new(0, &halves(value)).pair(0), value);
    }
}
