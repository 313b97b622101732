//! The register view of a small thread: four words of 32 bits.

use lilliput_abi::Error;
use lilliput_abi::tag::SHORT_WORDS;

/// A word as a 32-bit thread gets it, if it fits. Nothing is ever cut.
#[inline(always)]
pub const fn narrow(word: u64) -> Result<u32, Error> {
    if word >> 32 == 0 { Ok(word as u32) } else { Err(Error::WordTooWide) }
}

/// Whether a message of `count` words can be delivered to a 32-bit thread. Words past the count are not looked at.
#[inline(always)]
pub fn deliverable(words: &[u64; SHORT_WORDS as usize], count: u32) -> Result<(), Error> {
    let Some(sent) = words.get(..count as usize) else {
        return Err(Error::BadMessage);
    };
    // One test for all of them: whatever is wide leaves a bit in the upper half.
    narrow(sent.iter().fold(0, |all, word| all | word)).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_fit_or_are_refused() {
        for word in [0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff] {
            assert_eq!(narrow(word), Ok(word as u32));
        }
        for word in [1 << 32, u64::MAX, 0xffff_ffff_8000_0000] {
            assert_eq!(narrow(word), Err(Error::WordTooWide));
        }
    }

    #[test]
    fn only_the_words_of_the_message_count() {
        for wide in 0..4 {
            let mut words = [0xffff_ffff; 4];
            words[wide] = 1 << 32;
            for count in 0..=4 {
                let expected = if (wide as u32) < count { Err(Error::WordTooWide) } else { Ok(()) };
                assert_eq!(deliverable(&words, count), expected);
            }
        }
        assert_eq!(deliverable(&[0; 4], 5), Err(Error::BadMessage));
        assert_eq!(deliverable(&[0; 4], u32::MAX), Err(Error::BadMessage));
    }
}
