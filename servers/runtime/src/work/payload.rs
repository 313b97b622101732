//! Payloads: what a server answers, and how words are summed up.

use crate::message::Word;

/// What a server answers to a word: another one, that fits 32 bits if the word does.
pub const fn answer(word: Word) -> Word {
    word ^ 0x5a5a_a5a5
}

/// A number that another label, other words, or the same in another order are unlikely to have.
pub fn digest(label: u16, words: &[Word]) -> u64 {
    let start = 0xcbf2_9ce4_8422_2325 ^ label as u64;
    words.iter().fold(start, |digest, &word| (digest.rotate_left(23) ^ word as u64).wrapping_mul(0x0000_0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_exchange_of_words_shows(label: u16, words in prop::collection::vec(any::<usize>(), 2..11)) {
            let mut swapped = words.clone();
            swapped.swap(0, 1);
            prop_assert_eq!(words == swapped, digest(label, &words) == digest(label, &swapped));
            prop_assert_ne!(digest(label, &words), digest(label ^ 1, &words));
        }
    }
}
