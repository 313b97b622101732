//! The frame that a handler finds on its stack, and that its return is made from.
//!
//! Layouts: Linux's `arch/x86/include/uapi/asm/sigcontext.h` and `arch/x86/include/asm/sigframe.h`. The x87 and SSE state lies above the rest,
//! which points to it; a frame that points nowhere restores that of a program that begins.

use alloc::vec::Vec;

use lilliput_abi::object::register::{AX, BX, FLAGS, IP, R8, SI, SP};
use linux_raw_sys::general::{SA_ONSTACK, SA_RESTORER, SA_SIGINFO};

use super::{Action, Set, vector};
use crate::arch::{Arch, DI, DX, Registers};
use crate::machine::Vector;
use crate::program::vdso;

const CX: u64 = BX + 1;
const BP: u64 = SI + 2;

/// Below the stack pointer a 64-bit function may keep something.
const RED_ZONE: u64 = 128;
/// Bytes of what says who sent a signal.
pub const INFO: usize = 128;
/// Bytes of its first three fields: signal, error, code. The next begins where a pointer could.
const START: usize = 12;
/// Bytes of the registers' frame, 32-bit.
const CONTEXT32: usize = 88;
/// Bytes of the old 32-bit frame's unused floating-point state.
const UNUSED32: usize = 624;
/// Segments as 32-bit programs expect them.
const SEGMENTS32: [u64; 4] = [0x33, 0, 0x2b, 0x2b];
/// The code segments and the stack's.
const CODE32: u64 = 0x23;
const CODE64: u64 = 0x33;
const STACK: u64 = 0x2b;
/// `uc_flags` of a 64-bit frame: the stack's segment is there, and restored as it is.
const FLAGS64: u64 = 2 | 4;
/// The flags that a handler begins without: DF, TF, RF.
const CLEARED: u64 = 0x400 | 0x100 | 0x1_0000;

/// What a handler is started with.
pub struct Frame {
    /// Where the frame is to be written.
    pub address: u64,
    /// What it is.
    pub bytes: Vec<u8>,
    /// The handler's first registers.
    pub registers: Registers,
}

/// What a frame restores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restored {
    /// The registers of what was interrupted.
    pub registers: Registers,
    /// Its mask.
    pub mask: Set,
    /// Where its x87 and SSE state is; 0 for that of a program that begins.
    pub vector: u64,
}

/// What there is to say of a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Occasion {
    /// Its number.
    pub signal: u32,
    /// `si_code`.
    pub code: i32,
    /// The address, of a fault; else the sender's pid and, in the high half, its user; a timer's number and how often it ended since.
    pub value: u64,
    /// What was sent along, a word; a child's status.
    pub more: u64,
    /// The timer of the process's that sent it.
    pub timer: Option<u32>,
}

impl Occasion {
    /// One with which nothing is sent along.
    pub const fn new(signal: u32, code: i32, value: u64) -> Self {
        Self { signal, code, value, more: 0, timer: None }
    }

    /// What a program says of one, in a `siginfo_t`.
    pub fn told(signal: u32, arch: Arch, info: &[u8; INFO]) -> Self {
        let word = |at: usize, width: usize| {
            let mut bytes = [0; 8];
            bytes[..width].copy_from_slice(&info[at..at + width]);
            u64::from_le_bytes(bytes)
        };
        let (width, start) = (arch.word() as usize, START.next_multiple_of(arch.word() as usize));
        Self { more: word(start + 8, width), ..Self::new(signal, word(8, 4) as i32, word(start, 8)) }
    }

    /// The beginning of a `siginfo_t`, the rest of which is zeros.
    pub fn info(&self, arch: Arch) -> Vec<u8> {
        let mut writer = Writer { bytes: Vec::new(), word: 4 };
        writer.words(&[self.signal.into(), 0, self.code as u32 as u64]);
        writer.word = arch.word() as usize;
        writer.skip_to(START.next_multiple_of(writer.word));
        writer.bytes.extend(self.value.to_le_bytes());
        writer.words(&[self.more]);
        writer.skip_to(INFO);
        writer.bytes
    }
}

struct Writer {
    bytes: Vec<u8>,
    word: usize,
}

impl Writer {
    fn words(&mut self, values: &[u64]) {
        for value in values {
            self.bytes.extend_from_slice(&value.to_le_bytes()[..self.word]);
        }
    }

    fn skip_to(&mut self, length: usize) {
        self.bytes.resize(length, 0);
    }
}

impl Frame {
    /// A frame for a handler that interrupts these registers. `calls`: where the page is by which a 32-bit program makes system calls, or 0.
    pub fn new(
        arch: Arch,
        (registers, state): (&Registers, &Vector),
        mask: Set,
        action: &Action,
        occasion: Occasion,
        stack: (u64, u64),
        calls: u64,
    ) -> Self {
        let (base, size) = stack;
        let sp = registers.sp();
        let on_it = size != 0 && sp.wrapping_sub(base) <= size;
        let other = action.flags & SA_ONSTACK != 0 && size != 0 && !on_it;
        let sp = match arch {
            _ if other => base + size,
            Arch::I386 => sp,
            Arch::Amd64 => sp.wrapping_sub(RED_ZONE),
        };
        let vector = vector::place(arch, sp) & arch.narrow(u64::MAX);
        let mut frame = match arch {
            Arch::I386 => Self::narrow(registers, mask, action, occasion, vector, calls),
            Arch::Amd64 => Self::wide(registers, mask, action, occasion, vector, stack),
        };
        // Both may have wrapped around: then it is written nowhere.
        frame.bytes.resize(arch.narrow(vector.wrapping_sub(frame.address)) as usize, 0);
        frame.bytes.extend(vector::saved(arch, state));
        frame
    }

    fn narrow(registers: &Registers, mask: Set, action: &Action, occasion: Occasion, vector: u64, calls: u64) -> Self {
        let mut writer = Writer { bytes: Vec::new(), word: 4 };
        let full = action.flags & SA_SIGINFO != 0;
        // Handler's address, signal, [info and context], where it returns to.
        let info_at = 16;
        let context_at = if full { info_at + INFO + 20 } else { 8 };
        let length = if full { context_at + CONTEXT32 + 8 + 8 } else { context_at + CONTEXT32 + UNUSED32 + 4 + 8 };
        let code_at = length - 8;
        let address = (vector.wrapping_sub(length as u64).wrapping_add(4) & !15).wrapping_sub(4) & 0xffff_ffff;
        let returns = match () {
            () if action.flags & SA_RESTORER != 0 => action.restorer,
            () if calls != 0 => calls + if full { vdso::RT_SIGRETURN } else { vdso::SIGRETURN },
            () => address + code_at as u64,
        };
        writer.words(&[returns, occasion.signal.into()]);
        if full {
            writer.words(&[address + info_at as u64, address + (info_at + INFO) as u64]);
            writer.bytes.extend(occasion.info(Arch::I386));
            writer.skip_to(context_at);
        }
        writer.words(&SEGMENTS32);
        let get = |number| registers.get(number);
        writer.words(&[get(DI), get(SI), get(BP), get(SP), get(BX), get(DX), get(CX), get(AX)]);
        writer.words(&[0, 0, get(IP), CODE32, get(FLAGS), get(SP), STACK, vector, mask.0, 0]);
        if full {
            writer.words(&[mask.0, mask.0 >> 32]);
        } else {
            writer.skip_to(context_at + CONTEXT32 + UNUSED32);
            writer.words(&[mask.0 >> 32]);
        }
        // Debuggers know a frame by these as well.
        writer.bytes.extend_from_slice(if full { &vdso::RT_SIGRETURN_CODE } else { &vdso::SIGRETURN_CODE });
        let mut start = *registers;
        start.set(IP, action.handler);
        start.set(SP, address);
        start.set(FLAGS, get(FLAGS) & !CLEARED);
        // Some have their arguments in registers.
        start.set(AX, occasion.signal.into());
        start.set(DX, if full { address + info_at as u64 } else { 0 });
        start.set(CX, if full { address + (info_at + INFO) as u64 } else { 0 });
        Self { address, bytes: writer.bytes, registers: start }
    }

    fn wide(
        registers: &Registers,
        mask: Set,
        action: &Action,
        occasion: Occasion,
        vector: u64,
        (base, size): (u64, u64),
    ) -> Self {
        let mut writer = Writer { bytes: Vec::new(), word: 8 };
        let info_at = 8 + 40 + 256 + 8;
        let length = info_at + INFO;
        let address = (vector.wrapping_sub(length as u64) & !15).wrapping_sub(8);
        writer.words(&[action.restorer, FLAGS64, 0, base, if size == 0 { 2 } else { 0 }, size]);
        let get = |number| registers.get(number);
        for number in R8..R8 + 8 {
            writer.words(&[get(number)]);
        }
        writer.words(&[get(DI), get(SI), get(BP), get(BX), get(DX), get(AX), get(CX), get(SP), get(IP), get(FLAGS)]);
        writer.words(&[CODE64 | STACK << 48, 0, 0, mask.0, 0, vector, 0, 0, 0, 0, 0, 0, 0, 0]);
        writer.words(&[mask.0]);
        writer.bytes.extend(occasion.info(Arch::Amd64));
        let mut start = *registers;
        start.set(IP, action.handler);
        start.set(SP, address);
        start.set(FLAGS, get(FLAGS) & !CLEARED);
        start.set(DI, occasion.signal.into());
        start.set(SI, address + info_at as u64);
        start.set(DX, address + 8);
        start.set(AX, 0);
        Self { address, bytes: writer.bytes, registers: start }
    }
}

impl Restored {
    /// Where the part of a frame begins that restores, and how long it is, seen from the stack pointer of the call that asks for it.
    /// `full`: it is `rt_sigreturn`.
    pub const fn place(arch: Arch, full: bool, sp: u64) -> (u64, usize) {
        match (arch, full) {
            // The old one has popped the address that it returned to, and the signal.
            (Arch::I386, false) => (sp, CONTEXT32 + UNUSED32 + 4),
            (Arch::I386, true) => (sp - 4 + 16 + INFO as u64 + 20, CONTEXT32 + 8),
            (Arch::Amd64, _) => (sp + 40, 256 + 8),
        }
    }

    /// Reads it.
    pub fn new(arch: Arch, full: bool, bytes: &[u8]) -> Self {
        let size = arch.word() as usize;
        let word = |place: usize| {
            let mut value = [0; 8];
            if let Some(bytes) = bytes.get(place * size..(place + 1) * size) {
                value[..size].copy_from_slice(bytes);
            }
            u64::from_le_bytes(value)
        };
        let mut registers = Registers::default();
        let mut set = |place: usize, number: u64| registers.set(number, word(place));
        let (vector, mask) = match arch {
            Arch::I386 => {
                for (place, number) in [DI, SI, BP, SP, BX, DX, CX, AX].into_iter().enumerate() {
                    set(place + 4, number);
                }
                set(14, IP);
                set(16, FLAGS);
                let mask =
                    if full { word(22) | word(23) << 32 } else { word(20) | word((CONTEXT32 + UNUSED32) / 4) << 32 };
                (word(19), mask)
            }
            Arch::Amd64 => {
                for place in 0..8 {
                    set(place, R8 + place as u64);
                }
                for (place, number) in [DI, SI, BP, BX, DX, AX, CX, SP, IP, FLAGS].into_iter().enumerate() {
                    set(place + 8, number);
                }
                (word(23), word(32))
            }
        };
        Self { registers, mask: Set::mask(mask), vector }
    }
}
