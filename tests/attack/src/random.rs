//! Code that nobody wrote, but a generator of random numbers.

use lilliput_runtime::random::Random;

/// First bytes of instructions about segments, stacks, flags, strings, far transfers and the system, and prefixes.
const OPCODES: &[&[u8]] = &[
    &[0x06],
    &[0x07],
    &[0x0e],
    &[0x16],
    &[0x17],
    &[0x1e],
    &[0x1f],
    &[0x0f, 0xa0],
    &[0x0f, 0xa1],
    &[0x0f, 0xa8],
    &[0x0f, 0xa9],
    &[0x8c],
    &[0x8e],
    &[0xc4],
    &[0xc5],
    &[0x0f, 0xb2],
    &[0x0f, 0xb4],
    &[0x0f, 0xb5],
    &[0x9a],
    &[0xea],
    &[0xca],
    &[0xcb],
    &[0xcf],
    &[0xff],
    &[0x9c],
    &[0x9d],
    &[0xfc],
    &[0xfd],
    &[0xc8],
    &[0xc9],
    &[0x60],
    &[0x61],
    &[0xa4],
    &[0xa5],
    &[0xaa],
    &[0xab],
    &[0xac],
    &[0xad],
    &[0xae],
    &[0xa6],
    &[0x6c],
    &[0x6e],
    &[0x0f, 0x00],
    &[0x0f, 0x01],
    &[0x0f, 0x02],
    &[0x0f, 0x03],
    &[0x0f, 0x05],
    &[0x0f, 0x07],
    &[0x0f, 0x20],
    &[0x0f, 0x22],
    &[0x0f, 0x30],
    &[0x0f, 0x32],
    &[0x0f, 0x34],
    &[0x0f, 0x35],
    &[0x0f, 0xae],
    &[0x0f, 0xc7],
    &[0xcd, 0x40],
    &[0xcd],
    &[0xcc],
    &[0xce],
    &[0x62],
    &[0x63],
    &[0x66],
    &[0x67],
    &[0xf0],
    &[0xf2],
    &[0xf3],
    &[0x26],
    &[0x2e],
    &[0x36],
    &[0x3e],
    &[0x64],
    &[0x65],
    &[0x8b],
    &[0x89],
    &[0x8d],
    &[0xa1],
    &[0xa3],
    &[0x8f],
    &[0x50],
    &[0x58],
    &[0x5c],
    &[0xbc],
    &[0x94],
    &[0xd7],
    &[0x0f, 0xab],
    &[0x0f, 0xb1],
];

/// The bytes of a page: random ones, or mostly opcodes of those above with random operands.
pub fn code(random: &mut Random, system: bool) -> impl Iterator<Item = u8> + '_ {
    let mut pending: &'static [u8] = &[];
    let mut operands = 0;
    core::iter::from_fn(move || {
        if !system {
            return Some(random.next() as u8);
        }
        if let Some((&byte, rest)) = pending.split_first() {
            pending = rest;
            return Some(byte);
        }
        if operands > 0 {
            operands -= 1;
            return Some((random.next() >> 32) as u8);
        }
        let number = random.next();
        let (&first, rest) = OPCODES[(number % OPCODES.len() as u64) as usize].split_first()?;
        pending = rest;
        operands = (number >> 60) as u32 % 5;
        Some(first)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_a_program() {
        let page = |seed, system| code(&mut Random::new(seed), system).take(4096).collect::<Vec<_>>();
        for system in [false, true] {
            assert_eq!(page(3, system), page(3, system));
            assert_ne!(page(3, system), page(4, system));
            assert!((0..=255).all(|byte| page(5, system).contains(&byte)));
        }
    }
}
