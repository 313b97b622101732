//! The few instructions that code is put together from, in the encoding of this program's width.

use super::MOST;
use crate::message::Word;

/// Whether code is 64-bit.
const WIDE: bool = size_of::<Word>() == 8;

/// Numbers of registers (AMD64 APM vol. 3, 1.4.1). Those from 8 on have no other names.
pub mod register {
    /// (E/R)AX
    pub const AX: u8 = 0;
    /// (E/R)CX
    pub const CX: u8 = 1;
    /// (E/R)DX
    pub const DX: u8 = 2;
    /// (E/R)BX
    pub const BX: u8 = 3;
    /// (E/R)SP
    pub const SP: u8 = 4;
    /// (E/R)BP
    pub const BP: u8 = 5;
    /// (E/R)SI
    pub const SI: u8 = 6;
    /// (E/R)DI
    pub const DI: u8 = 7;
}

/// Segment registers by their numbers. CS can't be loaded like the others.
#[derive(Clone, Copy)]
pub enum Segment {
    Es = 0,
    Ss = 2,
    Ds = 3,
    Fs = 4,
    Gs = 5,
}

/// Machine code in the making.
pub struct Assembler {
    bytes: [u8; MOST],
    length: usize,
}

impl Assembler {
    pub const fn new() -> Self {
        Self { bytes: [0; MOST], length: 0 }
    }

    pub const fn length(&self) -> usize {
        self.length
    }

    pub const fn into_bytes(self) -> [u8; MOST] {
        self.bytes
    }

    #[cfg(test)]
    pub fn bytes_so_far(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    pub fn bytes(&mut self, bytes: &[u8]) {
        self.bytes[self.length..][..bytes.len()].copy_from_slice(bytes);
        self.length += bytes.len();
    }

    /// `mov register, value`
    pub fn load(&mut self, register: u8, value: Word) {
        if WIDE {
            self.bytes(&[0x48 | register >> 3]);
        }
        self.bytes(&[0xb8 | register & 7]);
        self.bytes(&value.to_le_bytes());
    }

    /// `push flags; popf`, on whatever stack there is.
    pub fn flags(&mut self, flags: u32) {
        self.bytes(&[0x68]);
        self.bytes(&flags.to_le_bytes());
        self.bytes(&[0x9d]);
    }

    /// `mov ax, selector; mov segment, ax`
    pub fn load_segment(&mut self, segment: Segment, selector: u16) {
        self.bytes(&[0x66, 0xb8]);
        self.bytes(&selector.to_le_bytes());
        self.bytes(&[0x8e, 0xc0 | (segment as u8) << 3]);
    }

    /// An instruction of this opcode and field of ModRM, with its operand in memory at `address`.
    pub fn with_memory(&mut self, opcode: &[u8], field: u8, address: Word) {
        self.bytes(opcode);
        if WIDE {
            // By SIB without base and index: an absolute address of 32 bits, sign-extended.
            self.bytes(&[0x04 | field << 3, 0x25]);
        } else {
            self.bytes(&[0x05 | field << 3]);
        }
        self.bytes(&(address as u32).to_le_bytes());
    }
}
