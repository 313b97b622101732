//! The message tag: what a message is and how many of its words count.

/// Words that every pair of tasks can exchange in registers (words 0-3).
pub const SHORT_WORDS: u32 = 4;
/// Words up to which the kernel has a fast way between two 64-bit tasks.
pub const LONG_WORDS: u32 = 8;
/// Words that two 64-bit tasks can exchange in registers (words 0-10).
pub const MAX_WORDS: u32 = 11;

/// What a message carries besides its words, where its selector [`CARRIES`](crate::operation::CARRIES): the flags of its tag, and which
/// words say more.
pub mod carried {
    /// A capability: [`CAPABILITY_WORD`].
    pub const CAPABILITY: u8 = 1;
    /// A string of bytes: [`ADDRESS_WORD`] and [`LENGTH_WORD`].
    pub const STRING: u8 = 2;
    /// All flags that a sender may set.
    pub const ALL: u8 = CAPABILITY | STRING;
    /// It is no message: word 0 has the bits of the notification that the receiver is bound to.
    pub const SIGNALS: u8 = 4;

    /// Of a string, where it begins in the sender's memory; as it arrives, where the receiver has it.
    pub const ADDRESS_WORD: usize = 1;
    /// Of a string, its bytes.
    pub const LENGTH_WORD: usize = 2;
    /// Of a capability, what [`capability`] packs; as it arrives, its place at the receiver.
    pub const CAPABILITY_WORD: usize = 3;

    /// In the capability's word: the sender does not keep it.
    pub const MOVED: u32 = 1 << 31;
    /// How far the rights are shifted in the capability's word. Below them is the place.
    pub const RIGHTS_SHIFT: u32 = 24;

    /// Packs the word of a capability: a place of the sender's, and the rights that the receiver gets.
    pub const fn capability(place: u32, rights: crate::Rights) -> u32 {
        place & crate::operation::INDEX_MASK | (rights.bits() as u32) << RIGHTS_SHIFT
    }
}

const LENGTH_MASK: u32 = 0xff;
const FLAGS_SHIFT: u32 = 8;
const LABEL_SHIFT: u32 = 16;

/// The second register of a message: bits 7..0 length in words, 15..8 flags (zero, unless it carries something), 31..16 label.
///
/// The label belongs to the two parties; for a kernel object it is the method.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct Tag(pub u32);

impl Tag {
    /// A tag with no flags. `words` above 255 are cut to their low 8 bits.
    pub const fn new(label: u16, words: u32) -> Self {
        Self(((label as u32) << LABEL_SHIFT) | (words & LENGTH_MASK))
    }

    /// How many words the message has.
    pub const fn words(self) -> u32 {
        self.0 & LENGTH_MASK
    }

    /// The same with these flags.
    pub const fn with_flags(self, flags: u8) -> Self {
        Self(self.0 & !(0xff << FLAGS_SHIFT) | (flags as u32) << FLAGS_SHIFT)
    }

    /// The flags: what the message carries.
    pub const fn flags(self) -> u8 {
        (self.0 >> FLAGS_SHIFT) as u8
    }

    /// The label.
    pub const fn label(self) -> u16 {
        (self.0 >> LABEL_SHIFT) as u16
    }

    /// Whether length and flags are ones that some pair of tasks could exchange, in a message that carries nothing.
    pub const fn is_valid(self) -> bool {
        self.words() <= MAX_WORDS && self.flags() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_come_back() {
        let tag = Tag::new(0xbeef, 11);
        assert_eq!((tag.label(), tag.words(), tag.flags()), (0xbeef, 11, 0));
        assert!(tag.is_valid());
    }

    #[test]
    fn reserved_flags_and_long_messages_are_invalid() {
        assert!(!Tag(1 << 8).is_valid());
        assert!(!Tag::new(0, MAX_WORDS + 1).is_valid());
    }
}
