//! Kinds of instructions that cost more than others, or that say what a path does.

use iced_x86::{Code, Decoder, DecoderOptions, Instruction, Mnemonic, OpKind, Register};
use serde::{Deserialize, Serialize};

/// A kind of instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// MOV to CR3.
    Cr3Write,
    /// A load of DS, ES, FS, GS or SS by MOV or POP.
    SegmentLoad,
    /// A far return.
    FarReturn,
    /// An interrupt return.
    InterruptReturn,
    /// SYSCALL.
    Syscall,
    /// SYSRET.
    Sysret,
    /// SYSENTER.
    Sysenter,
    /// SYSEXIT.
    Sysexit,
    /// INT n.
    Interrupt,
    /// SWAPGS.
    Swapgs,
    /// WRFSBASE, WRGSBASE.
    WriteBase,
    /// RDFSBASE, RDGSBASE.
    ReadBase,
    /// WRMSR.
    WriteMsr,
    /// RDMSR.
    ReadMsr,
    /// RDTSC.
    ReadTime,
    /// INVLPG, INVPCID.
    Invalidate,
    /// Saving or restoring the vector state, or CR0 for its sake.
    VectorState,
}

impl Class {
    /// All of them, in the order of tables.
    pub const ALL: [Self; 17] = [
        Self::Cr3Write,
        Self::SegmentLoad,
        Self::FarReturn,
        Self::InterruptReturn,
        Self::Syscall,
        Self::Sysret,
        Self::Sysenter,
        Self::Sysexit,
        Self::Interrupt,
        Self::Swapgs,
        Self::WriteBase,
        Self::ReadBase,
        Self::WriteMsr,
        Self::ReadMsr,
        Self::ReadTime,
        Self::Invalidate,
        Self::VectorState,
    ];

    /// Whether it enters the kernel.
    pub const fn enters(self) -> bool {
        matches!(self, Self::Syscall | Self::Sysenter | Self::Interrupt)
    }

    /// What instructions call it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Cr3Write => "mov cr3",
            Self::SegmentLoad => "mov sreg",
            Self::FarReturn => "retf",
            Self::InterruptReturn => "iret",
            Self::Syscall => "syscall",
            Self::Sysret => "sysret",
            Self::Sysenter => "sysenter",
            Self::Sysexit => "sysexit",
            Self::Interrupt => "int",
            Self::Swapgs => "swapgs",
            Self::WriteBase => "wrbase",
            Self::ReadBase => "rdbase",
            Self::WriteMsr => "wrmsr",
            Self::ReadMsr => "rdmsr",
            Self::ReadTime => "rdtsc",
            Self::Invalidate => "invlpg",
            Self::VectorState => "fpu",
        }
    }

    /// The class of an instruction, which the emulator knows the length of, but not the width of the code that it is in: of the two
    /// readings the right one has that length.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        let read = |width| {
            let instruction = Decoder::new(width, bytes, DecoderOptions::NONE).decode();
            (!instruction.is_invalid() && instruction.len() == bytes.len()).then_some(instruction)
        };
        Self::of_decoded(&read(64).or_else(|| read(32))?)
    }

    fn of_decoded(instruction: &Instruction) -> Option<Self> {
        let target = (instruction.op_count() > 0 && instruction.op0_kind() == OpKind::Register)
            .then(|| instruction.op0_register());
        Some(match instruction.mnemonic() {
            Mnemonic::Mov if target == Some(Register::CR3) => Self::Cr3Write,
            Mnemonic::Mov if target == Some(Register::CR0) => Self::VectorState,
            Mnemonic::Mov | Mnemonic::Pop if target.is_some_and(Register::is_segment_register) => Self::SegmentLoad,
            Mnemonic::Retf => Self::FarReturn,
            Mnemonic::Iret | Mnemonic::Iretd | Mnemonic::Iretq => Self::InterruptReturn,
            Mnemonic::Syscall => Self::Syscall,
            Mnemonic::Sysret | Mnemonic::Sysretq => Self::Sysret,
            Mnemonic::Sysenter => Self::Sysenter,
            Mnemonic::Sysexit | Mnemonic::Sysexitq => Self::Sysexit,
            Mnemonic::Int => Self::Interrupt,
            Mnemonic::Swapgs => Self::Swapgs,
            Mnemonic::Wrfsbase | Mnemonic::Wrgsbase => Self::WriteBase,
            Mnemonic::Rdfsbase | Mnemonic::Rdgsbase => Self::ReadBase,
            Mnemonic::Wrmsr => Self::WriteMsr,
            Mnemonic::Rdmsr => Self::ReadMsr,
            Mnemonic::Rdtsc | Mnemonic::Rdtscp => Self::ReadTime,
            Mnemonic::Invlpg | Mnemonic::Invpcid => Self::Invalidate,
            Mnemonic::Clts
            | Mnemonic::Fxsave
            | Mnemonic::Fxsave64
            | Mnemonic::Fxrstor
            | Mnemonic::Fxrstor64
            | Mnemonic::Xsave
            | Mnemonic::Xsave64
            | Mnemonic::Xsaveopt
            | Mnemonic::Xsaveopt64
            | Mnemonic::Xsavec
            | Mnemonic::Xsavec64
            | Mnemonic::Xrstor
            | Mnemonic::Xrstor64 => Self::VectorState,
            _ if instruction.code() == Code::Mov_cr_r64 && target == Some(Register::CR3) => Self::Cr3Write,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_switches_do_is_told_apart() {
        let cases: [(&[u8], Option<Class>); 16] = [
            (&[0x0f, 0x22, 0xd8], Some(Class::Cr3Write)),
            (&[0x0f, 0x22, 0xc0], Some(Class::VectorState)),
            (&[0x0f, 0x20, 0xd8], None), // mov rax, cr3
            (&[0x8e, 0xd8], Some(Class::SegmentLoad)),
            (&[0x8c, 0xd8], None),                     // mov eax, ds
            (&[0x0f, 0xa1], Some(Class::SegmentLoad)), // pop fs
            (&[0x48, 0xcb], Some(Class::FarReturn)),
            (&[0x48, 0xcf], Some(Class::InterruptReturn)),
            (&[0x0f, 0x05], Some(Class::Syscall)),
            (&[0x48, 0x0f, 0x07], Some(Class::Sysret)),
            (&[0x0f, 0x34], Some(Class::Sysenter)),
            (&[0xcd, 0x80], Some(Class::Interrupt)),
            (&[0x0f, 0x01, 0xf8], Some(Class::Swapgs)),
            (&[0xf3, 0x48, 0x0f, 0xae, 0xd8], Some(Class::WriteBase)),
            (&[0x0f, 0x31], Some(Class::ReadTime)),
            (&[0x90], None),
        ];
        for (bytes, class) in cases {
            assert_eq!(Class::of(bytes), class, "{bytes:02x?}");
        }
    }

    #[test]
    fn the_length_tells_the_width() {
        // POP ES and PUSH ES are 32-bit code only; 40 is INC EAX there, and a prefix in 64-bit code.
        assert_eq!(Class::of(&[0x07]), Some(Class::SegmentLoad));
        assert_eq!(Class::of(&[0x40]), None);
        assert_eq!(Class::of(&[]), None);
    }
}
