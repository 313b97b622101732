//! A time as an argument of a program: bytes of which none is zero.

/// Seven bits in each.
const BYTES: usize = 10;
const BITS: usize = 7;
const MARK: u8 = 1 << BITS;

/// The argument, with a zero at its end.
pub fn argument(time: u64) -> [u8; BYTES + 1] {
    let mut bytes = [0; BYTES + 1];
    for (place, byte) in bytes[..BYTES].iter_mut().enumerate() {
        *byte = MARK | (time >> (BITS * place)) as u8;
    }
    bytes
}

/// The time that an argument is.
pub fn time(argument: &[u8]) -> u64 {
    let bits = argument.iter().take(BYTES).map(|byte| u64::from(byte & !MARK));
    bits.enumerate().fold(0, |time, (place, bits)| time | bits << (BITS * place))
}
