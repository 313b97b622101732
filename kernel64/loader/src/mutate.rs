//! What becomes of a good input on its way: bits flipped, fields at their extremes, pieces cut out, doubled or put elsewhere.
//!
//! A parser that gets random bytes refuses them at the first field. What was good before a few changes gets further.

use std::vec::Vec;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// One change. Places are relative to the length that the input has by then.
#[derive(Clone, Debug)]
pub enum Mutation {
    /// One bit is another.
    Flip(Index, u8),
    /// So many bytes, little-endian, are this number.
    Put(Index, usize, u64),
    /// The rest is gone.
    Cut(Index),
    /// So many bytes are gone, and what follows moves up.
    Remove(Index, usize),
    /// So many bytes stand in another place too, before or over what is there.
    Copy { from: Index, to: Index, bytes: usize, over: bool },
}

/// Numbers at which fields go wrong: the ends of every width, sizes of pages and headers, and what is near them.
fn extremes() -> impl Strategy<Value = u64> {
    let near = |number: u64| [number.wrapping_sub(1), number, number.wrapping_add(1)];
    let edges = [0, 32, 52, 56, 64, 512, 1 << 12, 1 << 16, 1 << 31, 1 << 32, 1 << 47, 1 << 63];
    select(edges.into_iter().flat_map(near).collect::<Vec<_>>())
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let (place, width) = (any::<Index>, select(&[1_usize, 2, 4, 8][..]));
    prop_oneof![
        3 => (place(), 0..8_u8).prop_map(|(place, bit)| Mutation::Flip(place, bit)),
        // Fields lie at multiples of two.
        4 => (place(), width, extremes()).prop_map(|(place, width, number)| Mutation::Put(place, width, number)),
        1 => place().prop_map(Mutation::Cut),
        1 => (place(), 1..64_usize).prop_map(|(place, bytes)| Mutation::Remove(place, bytes)),
        2 => (place(), place(), 1..64_usize, any::<bool>())
            .prop_map(|(from, to, bytes, over)| Mutation::Copy { from, to, bytes, over }),
    ]
}

/// A few changes.
pub fn mutations() -> impl Strategy<Value = Vec<Mutation>> {
    vec(mutation(), 1..5)
}

/// Makes the changes.
pub fn mutate(input: &mut Vec<u8>, mutations: &[Mutation]) {
    for mutation in mutations {
        if input.is_empty() {
            return;
        }
        let length = input.len();
        match *mutation {
            Mutation::Flip(place, bit) => input[place.index(length)] ^= 1 << bit,
            Mutation::Put(place, width, number) => {
                let start = place.index(length) & !1;
                input[start..].iter_mut().zip(&number.to_le_bytes()[..width]).for_each(|(byte, new)| *byte = *new);
            }
            Mutation::Cut(place) => input.truncate(place.index(length)),
            Mutation::Remove(place, bytes) => {
                let start = place.index(length);
                input.drain(start..(start + bytes).min(length));
            }
            Mutation::Copy { from, to, bytes, over } => {
                let (from, to) = (from.index(length), to.index(length));
                let piece = input[from..(from + bytes).min(length)].to_vec();
                let end = if over { (to + piece.len()).min(length) } else { to };
                input.splice(to..end, piece);
            }
        }
    }
}

/// How many of the inputs made from this one by a thousand mutations are still good: some, and not all, or the changes show nothing.
pub fn survivors(input: &[u8], is_good: impl Fn(&[u8]) -> bool) -> usize {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mutated = |runner: &mut proptest::test_runner::TestRunner| {
        let mut input = input.to_vec();
        mutate(&mut input, &mutations().new_tree(runner).unwrap().current());
        input
    };
    (0..1000).filter(|_| is_good(&mutated(&mut runner))).count()
}
