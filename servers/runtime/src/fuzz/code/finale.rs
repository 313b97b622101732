//! The last instruction.

use lilliput_abi::layout::{ENTRY_PAGE, SYSTEM_CALL_VECTOR, USER_END};

use super::assembler::Assembler;
use crate::fuzz::kit;
use crate::message::Word;
use crate::random::Random;

const WIDE: bool = size_of::<Word>() == 8;

/// Kinds of last instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Finale {
    /// What 32-bit programs call for a system call.
    EntryPage = 0,
    /// The interrupt that is a system call.
    SystemCallInterrupt,
    /// SYSCALL.
    Syscall,
    /// SYSENTER.
    Sysenter,
    /// Any other interrupt, INT3, INTO and INT1 among them.
    Interrupt,
    /// A far jump or call, by a pointer in the code or in memory.
    Far,
    /// A far or near return, or one from an interrupt.
    Return,
    /// An instruction that is for the kernel only.
    Privileged,
    /// An instruction that tells of descriptors or the CPU.
    Curious,
    /// A push, pop, call, ENTER or LEAVE.
    Stack,
    /// An access to memory, repeated or not.
    Memory,
    /// An instruction of the vector units.
    Vector,
    /// Bytes without a meaning.
    Bytes,
}

impl Finale {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::EntryPage,
        Self::SystemCallInterrupt,
        Self::Syscall,
        Self::Sysenter,
        Self::Interrupt,
        Self::Far,
        Self::Return,
        Self::Privileged,
        Self::Curious,
        Self::Stack,
        Self::Memory,
        Self::Vector,
        Self::Bytes,
    ];

    /// Any of them.
    pub fn random(random: &mut Random) -> Self {
        Self::ALL[random.below(Self::ALL.len() as u32) as usize]
    }

    /// Whether what comes next is an exception in any case, be it the invalid instruction that follows. Jumps and
    /// returns may lead to code that goes on for ever.
    pub const fn is_sure(self) -> bool {
        match self {
            Self::SystemCallInterrupt | Self::Interrupt | Self::Privileged | Self::Curious | Self::Vector => true,
            // The entry page returns by the stack. SYSCALL and SYSENTER return there, from 32-bit code.
            Self::Syscall | Self::Sysenter => WIDE,
            Self::EntryPage | Self::Far | Self::Return | Self::Stack | Self::Memory | Self::Bytes => false,
        }
    }

    /// Whether it reads what the stack pointer points at.
    pub const fn uses_stack(self) -> bool {
        matches!(self, Self::Return | Self::Stack | Self::EntryPage | Self::Syscall | Self::Sysenter)
    }

    /// Puts it into the code that goes to `page`.
    pub fn encode(self, random: &mut Random, page: Word, code: &mut Assembler) {
        let data = page + 8 * random.below(6) as Word;
        match self {
            Self::EntryPage => {
                // push ENTRY_PAGE; ret
                code.bytes(&[0x68]);
                code.bytes(&ENTRY_PAGE.to_le_bytes());
                code.bytes(&[0xc3]);
            }
            Self::SystemCallInterrupt => code.bytes(&[0xcd, SYSTEM_CALL_VECTOR]),
            Self::Syscall => code.bytes(&[0x0f, 0x05]),
            Self::Sysenter => code.bytes(&[0x0f, 0x34]),
            Self::Interrupt => {
                let number = random.next() as u8;
                // The system call's is another kind.
                let number = if number == SYSTEM_CALL_VECTOR { 0x80 } else { number };
                code.bytes(pick(random, &[&[0xcd, number], &[0xcd, number], &[0xcc], &[0xce], &[0xf1]]));
            }
            Self::Far => match random.below(4) {
                0 | 1 => {
                    // Far call or jump by a pointer in memory, of each size of offset.
                    let opcode: &[u8] =
                        pick(random, &[&[0xff], &[0x66, 0xff], if WIDE { &[0x48, 0xff] } else { &[0xff] }]);
                    code.with_memory(opcode, [3, 5][random.below(2) as usize], data);
                }
                // An invalid instruction in 64-bit mode.
                _ => {
                    code.bytes(&[[0x9a, 0xea][random.below(2) as usize]]);
                    code.bytes(&(operand(random, page) as u32).to_le_bytes());
                    code.bytes(&selector(random).to_le_bytes());
                }
            },
            Self::Return => code.bytes(pick(
                random,
                &[&[0xcf], &[0x48, 0xcf], &[0x66, 0xcf], &[0xcb], &[0x48, 0xcb], &[0xca, 4, 0], &[0xc3], &[0xc2, 8, 0]],
            )),
            Self::Privileged => code.bytes(pick(random, PRIVILEGED)),
            Self::Curious => code.bytes(pick(random, CURIOUS)),
            Self::Stack => code.bytes(pick(random, STACK)),
            Self::Memory => {
                let opcode = pick(random, MEMORY);
                code.with_memory(opcode, 0, operand(random, page));
                // INS, OUTS, MOVS, STOS, LODS, CMPS, SCAS with whatever the registers hold.
                code.bytes(pick(
                    random,
                    &[&[0xf3, 0xa4], &[0xf3, 0xaa], &[0xac], &[0x6c], &[0x6e], &[0xa6], &[0xf2, 0xae]],
                ));
            }
            Self::Vector => code.bytes(pick(random, VECTOR)),
            Self::Bytes => {
                for _ in 0..2 {
                    code.bytes(&random.next().to_le_bytes());
                }
            }
        }
    }
}

/// Something for a far pointer, a frame or a stack pointer: selectors, addresses, flags.
pub fn operand(random: &mut Random, page: Word) -> Word {
    let start = kit::start_of_space(page);
    let edges = [
        0,
        start + 0x1000,
        page,
        page + 8,
        page + kit::PAGE - 1,
        kit::SMALL_SIZE as Word,
        kit::SMALL_SIZE as Word - 1,
        USER_END as Word,
        0x0000_8000_0000_0000_u64 as Word,
        0xffff_ffff_8000_0000_u64 as Word,
        Word::MAX,
        0x202,
    ];
    match random.below(4) {
        0 => selector(random) as Word,
        // Two halves for pointers and frames of 32 bits.
        1 if WIDE => ((selector(random) as u64) << 32 | (page as u32 as u64)) as Word,
        2 => random.next() as Word,
        _ => edges[random.below(edges.len() as u32) as usize],
    }
}

fn selector(random: &mut Random) -> u16 {
    match random.below(3) {
        0 => random.next() as u16,
        1 => [0x2b, 0x23, 0x33, 0x08, 0x10, 0x1b][random.below(6) as usize],
        _ => 8 * random.below(10) as u16 + random.below(8) as u16 % 4,
    }
}

fn pick<'a>(random: &mut Random, from: &[&'a [u8]]) -> &'a [u8] {
    from[random.below(from.len() as u32) as usize]
}

/// SYSRET, SYSEXIT, HLT, CLI, STI, moves of control and debug registers, loads of tables, MSRs and so on, and ports.
const PRIVILEGED: &[&[u8]] = &[
    &[0x0f, 0x07],
    &[0x48, 0x0f, 0x07],
    &[0x0f, 0x35],
    &[0xf4],
    &[0xfa],
    &[0xfb],
    &[0x0f, 0x20, 0xc0],
    &[0x0f, 0x22, 0xc0],
    &[0x0f, 0x22, 0xd8],
    &[0x0f, 0x22, 0xe0],
    &[0x0f, 0x21, 0xc0],
    &[0x0f, 0x23, 0xf8],
    &[0x0f, 0x01, 0x11],
    &[0x0f, 0x01, 0x19],
    &[0x0f, 0x00, 0xd0],
    &[0x0f, 0x00, 0xd8],
    &[0x0f, 0x01, 0xf0],
    &[0x0f, 0x06],
    &[0x0f, 0x01, 0xf8],
    &[0x0f, 0x01, 0x38],
    &[0x0f, 0x30],
    &[0x0f, 0x32],
    &[0x0f, 0x08],
    &[0x0f, 0x09],
    &[0x0f, 0x01, 0xc8],
    &[0x0f, 0x01, 0xc9],
    &[0x0f, 0x01, 0xd1],
    &[0x0f, 0x01, 0xd8],
    &[0x0f, 0x01, 0xd9],
    &[0x0f, 0xaa],
    &[0xe4, 0x60],
    &[0xe6, 0xf4],
    &[0xef],
    &[0xed],
    &[0x6c],
    &[0x6e],
];

/// SGDT, SIDT, SLDT, STR, SMSW, LAR, LSL, VERR, VERW, ARPL or MOVSXD, RDPMC, RDTSCP, CPUID, XGETBV, PUSH of segments, LDS or VEX.
const CURIOUS: &[&[u8]] = &[
    &[0x0f, 0x01, 0x01],
    &[0x0f, 0x01, 0x09],
    &[0x0f, 0x00, 0xc0],
    &[0x0f, 0x00, 0xc8],
    &[0x0f, 0x01, 0xe0],
    &[0x0f, 0x02, 0xc0],
    &[0x0f, 0x03, 0xc0],
    &[0x0f, 0x00, 0xe0],
    &[0x0f, 0x00, 0xe8],
    &[0x63, 0xc0],
    &[0x0f, 0x33],
    &[0x0f, 0x01, 0xf9],
    &[0x0f, 0xa2],
    &[0x0f, 0x01, 0xd0],
    &[0x0f, 0xa0],
    &[0x0f, 0xa9],
    &[0xc5, 0x01],
    &[0xc4, 0x01],
    &[0xf3, 0x0f, 0xae, 0xc0],
    &[0xf3, 0x0f, 0xae, 0xd8],
];

/// PUSH, POP, PUSHA, POPA, ENTER with levels, LEAVE, CALL, POP of segments, POPF.
const STACK: &[&[u8]] = &[
    &[0x50],
    &[0x58],
    &[0x60],
    &[0x61],
    &[0xc8, 0x10, 0, 0],
    &[0xc8, 0xff, 0xff, 31],
    &[0xc9],
    &[0xff, 0xd0],
    &[0x1f],
    &[0x07],
    &[0x17],
    &[0x0f, 0xa1],
    &[0x0f, 0xa9],
    &[0x9d],
    &[0x5c],
];

/// MOV both ways, ADD with LOCK, CMPXCHG8B or 16B, FXSAVE, FXRSTOR, LES or VEX.
const MEMORY: &[&[u8]] = &[
    &[0x8b],
    &[0x89],
    &[0xf0, 0x01],
    &[0x8a],
    &[0x88],
    &[0x65, 0x8b],
    &[0x64, 0x89],
    &[0x36, 0x8b],
    &[0x67, 0x8b],
    &[0x0f, 0xae],
    &[0x0f, 0xb0],
];

/// SSE and x87 instructions, some of which raise exceptions, LDMXCSR of what a register points at, FNSTENV, EMMS, and AVX, which is off.
const VECTOR: &[&[u8]] = &[
    &[0x0f, 0x58, 0xc1],
    &[0x0f, 0x5e, 0xc1],
    &[0x0f, 0xae, 0x13],
    &[0x0f, 0xae, 0x1b],
    &[0xd9, 0xe8],
    &[0xde, 0xf9, 0x9b],
    &[0xd9, 0x33],
    &[0x0f, 0x77],
    &[0xc5, 0xf8, 0x77],
    &[0xdb, 0xe3],
    &[0xdd, 0x23],
    &[0x0f, 0xae, 0x0b],
    &[0x0f, 0xae, 0x21],
];
