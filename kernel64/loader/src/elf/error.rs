//! Why a file is not a program that can be loaded.

use core::fmt;

use elf::ParseError;
use elf::abi::{EM_386, EM_AARCH64, EM_ARM, EM_PPC64, EM_RISCV, EM_X86_64};

/// Why a file is not a program that can be loaded.
#[derive(Debug)]
pub enum ElfError {
    /// It does not begin as ELF files do.
    NoElf,
    /// Its headers can't be read as those of a little-endian ELF file.
    Malformed(ParseError),
    /// It is for another machine, of this ELF number, or of another width than that machine.
    Machine(u16),
    /// It is position-independent, or a shared library.
    PositionIndependent,
    /// It is an object file, not yet linked.
    Relocatable,
    /// It is of this type, which is no program.
    NoProgram(u16),
    /// It wants a dynamic linker.
    Dynamic,
    /// It has no segment to load.
    NothingToLoad,
    /// The program header of this number is bad.
    Segment(usize, SegmentError),
    /// Its entry point lies in no executable segment.
    Entry(u64),
}

/// What is wrong with a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SegmentError {
    /// It has more bytes in the file than in memory.
    LargerInFile,
    /// Its bytes are not all within the file.
    OutsideFile,
    /// Its end lies beyond the end of all addresses.
    WrapsAround,
    /// Its pages are not all within the addresses that the program may use.
    OutsideSpace {
        /// Where it begins.
        address: u64,
        /// How long it is.
        size: u64,
    },
    /// It is writable and executable.
    WritableAndExecutable,
    /// It is neither readable nor writable nor executable.
    NoRights,
    /// It has a page in common with an earlier one.
    Overlap,
    /// It is one too many.
    TooMany,
}

impl fmt::Display for ElfError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoElf => f.write_str("not an ELF file"),
            Self::Malformed(error) => write!(f, "not a well-formed ELF file: {error}"),
            Self::Machine(number) => {
                write!(
                    f,
                    "for another machine ({}), not for the 32-bit i386 or the 64-bit x86-64",
                    machine_name(*number)
                )
            }
            Self::PositionIndependent => f.write_str("position-independent; link it statically, without PIE"),
            Self::Relocatable => f.write_str("an object file that is not linked"),
            Self::NoProgram(number) => write!(f, "an ELF file of type {number}, not a program"),
            Self::Dynamic => f.write_str("dynamically linked; link it statically"),
            Self::NothingToLoad => f.write_str("a program without a segment to load"),
            Self::Segment(number, error) => write!(f, "program header {number}: the segment {error}"),
            Self::Entry(address) => write!(f, "the entry point {address:#x} is in no executable segment"),
        }
    }
}

/// What people call a machine; those that a file is likely to be for by mistake.
const fn machine_name(number: u16) -> &'static str {
    match number {
        EM_386 => "i386, but with 64-bit headers",
        EM_X86_64 => "x86-64 with 32-bit addresses: x32",
        EM_ARM => "ARM",
        EM_AARCH64 => "AArch64",
        EM_RISCV => "RISC-V",
        EM_PPC64 => "PowerPC",
        _ => "one that is not known here",
    }
}

impl fmt::Display for SegmentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LargerInFile => f.write_str("is larger in the file than in memory"),
            Self::OutsideFile => f.write_str("has bytes beyond the end of the file"),
            Self::WrapsAround => f.write_str("ends beyond the last address"),
            Self::OutsideSpace { address, size } => {
                write!(f, "at {address:#x} with {size:#x} bytes is outside of what a program may use")
            }
            Self::WritableAndExecutable => f.write_str("is writable and executable"),
            Self::NoRights => f.write_str("can be neither read nor written nor executed"),
            Self::Overlap => f.write_str("has a page in common with an earlier one"),
            Self::TooMany => f.write_str("is one too many"),
        }
    }
}

impl core::error::Error for ElfError {}
impl core::error::Error for SegmentError {}
