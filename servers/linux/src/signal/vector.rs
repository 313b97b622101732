//! x87 and SSE state as a signal's frame has it: Linux's `struct _fpstate`, of `arch/x86/include/uapi/asm/sigcontext.h`.
//!
//! Of 64-bit programs it is what FXSAVE stores. Of 32-bit ones what FSAVE would store comes first, which is where their handlers look for the x87
//! state, and whose is restored; SSE's is that of what FXSAVE stores behind it (`arch/x86/kernel/fpu/regset.c`, `convert_to_fxsr`).

use alloc::vec::Vec;

use crate::arch::Arch;
use crate::machine::Vector;

/// Bytes of what FXSAVE stores.
const FX: usize = 512;
/// Bytes of what FSAVE stores, and of a status and a kind behind it.
const OLD: usize = 108;
const HEADER: usize = OLD + 4;
/// Where software's own bytes begin: by them Linux would tell of AVX, which is not there.
const OWN: usize = 464;
/// Where FXSAVE and FSAVE have the eight x87 registers, and how far they are apart.
const STACK: (usize, usize) = (32, 16);
const OLD_STACK: (usize, usize) = (28, 10);
/// Bytes of such a register.
const REGISTER: usize = 10;
/// Selectors as 32-bit programs expect them.
const CODE: u32 = 0x23;
const DATA: u32 = 0x2b;

/// How large it is.
pub const fn size(arch: Arch) -> usize {
    match arch {
        Arch::I386 => HEADER + FX,
        Arch::Amd64 => FX,
    }
}

/// Where it goes below a stack pointer: what FXSAVE stores is at a multiple of 64.
pub const fn place(arch: Arch, sp: u64) -> u64 {
    let fx = sp.wrapping_sub(FX as u64) & !63;
    fx.wrapping_sub((size(arch) - FX) as u64)
}

/// What a frame gets.
pub fn saved(arch: Arch, Vector(state): &Vector) -> Vec<u8> {
    let mut bytes = match arch {
        Arch::I386 => header(state),
        Arch::Amd64 => Vec::new(),
    };
    bytes.extend_from_slice(&state[..OWN]);
    bytes.resize(size(arch), 0);
    bytes
}

/// What a frame says, which has [`size`] bytes.
pub fn restored(arch: Arch, bytes: &[u8]) -> Vector {
    let mut state = Vector::default();
    let before = size(arch) - FX;
    state.0[..OWN].copy_from_slice(&bytes[before..][..OWN]);
    if arch == Arch::I386 {
        take_header(&mut state.0, bytes);
    }
    state
}

fn half(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn header(state: &[u8; FX]) -> Vec<u8> {
    const UPPER: u32 = 0xffff_0000;
    let low = |at| u32::from(half(state, at));
    let pointer = |at| low(at) | low(at + 2) << 16;
    let (control, status) = (UPPER | low(0), UPPER | low(2));
    let words = [control, status, UPPER | tags(state), pointer(8), CODE | low(6) << 16, pointer(16), UPPER | DATA];
    let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    for number in 0..8 {
        bytes.extend_from_slice(&state[STACK.0 + number * STACK.1..][..REGISTER]);
    }
    // The status again, and 0: what FXSAVE stores follows.
    bytes.extend_from_slice(&state[2..4]);
    bytes.extend_from_slice(&[0, 0]);
    bytes
}

fn take_header(state: &mut [u8; FX], bytes: &[u8]) {
    // Control, status; a bit for each register that is not empty; the last instruction's code and the two pointers, whose upper halves are 0.
    state[..4].copy_from_slice(&[bytes[0], bytes[1], bytes[4], bytes[5]]);
    let tags = half(bytes, 8);
    state[4] = (0..8).filter(|number| tags >> (2 * number) & 3 != 3).fold(0, |bits, number| bits | 1 << number);
    state[5] = 0;
    state[6..8].copy_from_slice(&bytes[18..20]);
    state[8..24].fill(0);
    state[8..12].copy_from_slice(&bytes[12..16]);
    state[16..20].copy_from_slice(&bytes[20..24]);
    for number in 0..8 {
        let register = &mut state[STACK.0 + number * STACK.1..][..STACK.1];
        register.fill(0);
        register[..REGISTER].copy_from_slice(&bytes[OLD_STACK.0 + number * OLD_STACK.1..][..REGISTER]);
    }
}

/// Two bits for each physical register: 0 valid, 1 zero, 2 special, 3 empty. FXSAVE only tells the empty ones.
fn tags(state: &[u8; FX]) -> u32 {
    let top = usize::from(half(state, 2) >> 11 & 7);
    (0..8).fold(0, |tags, number| {
        let register = &state[STACK.0 + (number + 8 - top) % 8 * STACK.1..][..REGISTER];
        let tag = if state[4] & 1 << number == 0 {
            3
        } else {
            match half(register, 8) & 0x7fff {
                0 if register[..8] == [0; 8] => 1,
                0 | 0x7fff => 2,
                _ if register[7] & 0x80 == 0 => 2,
                _ => 0,
            }
        };
        tags | tag << (2 * number)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_state() -> impl Strategy<Value = Vector> {
        prop::collection::vec(any::<u8>(), FX).prop_map(|bytes| {
            let mut state = Vector(bytes.try_into().unwrap());
            // What FXSAVE never stores otherwise: reserved bytes, and those of software.
            state.0[5] = 0;
            state.0[12..16].fill(0);
            state.0[20..24].fill(0);
            for number in 0..8 {
                state.0[STACK.0 + number * STACK.1 + REGISTER..][..STACK.1 - REGISTER].fill(0);
            }
            state.0[OWN..].fill(0);
            state
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_saved_is_restored(state in any_state()) {
            for arch in [Arch::I386, Arch::Amd64] {
                let bytes = saved(arch, &state);
                prop_assert_eq!(bytes.len(), size(arch));
                prop_assert!(restored(arch, &bytes) == state);
            }
        }

        #[test]
        fn it_fits_below_the_stack_pointer(sp in 4096_u64..1 << 47) {
            for arch in [Arch::I386, Arch::Amd64] {
                let at = place(arch, sp);
                prop_assert!(at + size(arch) as u64 <= sp && at + size(arch) as u64 + 64 > sp);
                prop_assert_eq!((at + size(arch) as u64) % 64, 0);
            }
        }
    }

    #[test]
    fn registers_are_valid_zero_special_or_empty() {
        let mut state = Vector::default();
        assert_eq!(tags(&state.0), 0xffff);
        // The top is register 6: 1.0 there, 0 in 7, an infinity in 0, a denormal in 1, an unnormal in 2.
        state.0[2..4].copy_from_slice(&(6_u16 << 11).to_le_bytes());
        state.0[4] = 0b1100_0111;
        let mut put = |number: usize, significand: u64, exponent: u16| {
            let at = STACK.0 + number * STACK.1;
            state.0[at..at + 8].copy_from_slice(&significand.to_le_bytes());
            state.0[at + 8..at + 10].copy_from_slice(&exponent.to_le_bytes());
        };
        put(0, 1 << 63, 0x3fff);
        put(1, 0, 0x8000);
        put(2, 1 << 63, 0x7fff);
        put(3, 1, 0);
        put(4, 1, 0x3fff);
        assert_eq!(tags(&state.0), 0b01_00_11_11_11_10_10_10);
    }
}
