//! The message tag: what a message is and how many of its words count.

/// Words that every pair of tasks can exchange in registers (words 0-3).
pub const SHORT_WORDS: u32 = 4;
/// Words up to which the kernel has a fast way between two 64-bit tasks.
pub const LONG_WORDS: u32 = 8;
/// Words that two 64-bit tasks can exchange in registers (words 0-10).
pub const MAX_WORDS: u32 = 11;

const LENGTH_MASK: u32 = 0xff;
const LABEL_SHIFT: u32 = 16;

/// The second register of a message: bits 7..0 length in words, 15..8 flags (zero, reserved), 31..16 label.
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

    /// The flags, all reserved: a message that sets one is refused.
    pub const fn flags(self) -> u8 {
        (self.0 >> 8) as u8
    }

    /// The label.
    pub const fn label(self) -> u16 {
        (self.0 >> LABEL_SHIFT) as u16
    }

    /// Whether length and flags are ones that some pair of tasks could exchange.
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
