//! What the guest tells by marks, put together to texts.

use lilliput_runtime::mark::{self, Mark};

/// A long NOP with a displacement of 32 bits behind RAX: NOP DWORD PTR [RAX+disp32], of which both widths have the same bytes.
const NOP: [u8; 3] = [0x0f, 0x1f, 0x80];

/// The mark that an instruction is, if it is one.
pub fn of(bytes: &[u8]) -> Option<Mark> {
    let displacement = bytes.strip_prefix(&NOP)?;
    mark::of(u32::from_le_bytes(displacement.try_into().ok()?))
}

/// Bits on their way to become text, the least of each byte first.
#[derive(Debug, Default)]
pub struct Bits {
    bytes: Vec<u8>,
    byte: u8,
    bits: u32,
}

impl Bits {
    /// One more bit.
    pub fn push(&mut self, bit: bool) {
        self.byte |= u8::from(bit) << self.bits;
        self.bits += 1;
        if self.bits == u8::BITS {
            self.bytes.push(self.byte);
            (self.byte, self.bits) = (0, 0);
        }
    }

    /// The text so far; nothing where it is none. Begins anew.
    pub fn take(&mut self) -> Option<String> {
        let taken = std::mem::take(self);
        (taken.bits == 0).then(|| String::from_utf8(taken.bytes).ok())?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_their_bytes_and_nothing_else_is() {
        for mark in Mark::ALL {
            let [a, b, c, d] = mark::displacement(mark).to_le_bytes();
            assert_eq!(of(&[0x0f, 0x1f, 0x80, a, b, c, d]), Some(mark));
            assert_eq!(of(&[0x0f, 0x1f, 0x84, a, b, c, d]), None);
            assert_eq!(of(&[0x0f, 0x1f, 0x80, a, b, c]), None);
        }
        // What assemblers fill up with.
        assert_eq!(of(&[0x0f, 0x1f, 0x80, 0, 0, 0, 0]), None);
    }

    #[test]
    fn bits_become_text() {
        let mut bits = Bits::default();
        mark::bits(b"a{").for_each(|bit| bits.push(bit));
        assert_eq!(bits.take().as_deref(), Some("a{"));
        assert_eq!(bits.take().as_deref(), Some(""), "it begins anew");
        bits.push(true);
        assert_eq!(bits.take(), None, "a part of a byte is no text");
    }
}
