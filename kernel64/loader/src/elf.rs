//! Static ELF programs: from the bytes of a file to a checked plan of what to load where.
//!
//! The crate `elf` reads headers; what they say is judged here. A plan holds that its segments lie in the range of
//! addresses that was given, share no page, take their bytes from within the file, and are never
//! writable and executable; and that the entry point lies in one that is executable.

use core::ops::Range;

use elf::ElfBytes;
use elf::abi::{
    ELFMAGIC, EM_386, EM_X86_64, ET_DYN, ET_EXEC, ET_REL, PF_R, PF_W, PF_X, PT_DYNAMIC, PT_INTERP, PT_LOAD,
};
use elf::endian::LittleEndian;
use elf::file::{Class, FileHeader};
use elf::segment::ProgramHeader;
use lilliput_abi::Rights;
use lilliput_abi::layout::PAGE_SIZE;

mod error;
#[cfg(test)]
pub(crate) mod tests;

pub use error::{ElfError, SegmentError};

/// How many segments a program can have. Linkers make three to five.
pub const MAX_SEGMENTS: usize = 16;

/// What a program runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Machine {
    /// 32-bit x86.
    I386,
    /// 64-bit x86.
    X86_64,
}

/// A part of a program that is to be in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Address of its first byte.
    pub address: u64,
    /// How many bytes it has. Those that the file does not give are zero.
    pub size: u64,
    /// Where its bytes begin in the file.
    pub file_offset: usize,
    /// How many bytes the file gives.
    pub file_size: usize,
    /// [`Rights::READ`], `WRITE`, `EXECUTE`, never the last two together.
    pub rights: Rights,
}

impl Segment {
    /// The addresses of the pages that it lies in, from the first byte of the first to the end of the last.
    pub const fn pages(&self) -> Range<u64> {
        let start = self.address - self.address % PAGE_SIZE;
        // A plan's segments end far enough below 2^64.
        start..(self.address + self.size).next_multiple_of(PAGE_SIZE)
    }

    /// The bytes that the file gives. `file` is the one that the plan was made from.
    pub fn data<'a>(&self, file: &'a [u8]) -> &'a [u8] {
        file.get(self.file_offset..).and_then(|rest| rest.get(..self.file_size)).unwrap_or_default()
    }

    /// Puts the bytes that the file gives where they belong in the segment's pages, which hold zeros.
    pub fn fill(&self, file: &[u8], pages: &mut [u8]) {
        let data = self.data(file);
        let start = (self.address % PAGE_SIZE) as usize;
        if let Some(place) = pages.get_mut(start..start + data.len()) {
            place.copy_from_slice(data);
        }
    }

    const EMPTY: Self = Self { address: 0, size: 0, file_offset: 0, file_size: 0, rights: Rights::empty() };
}

/// A program that can be loaded.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What it runs on.
    pub machine: Machine,
    /// Address of its first instruction.
    pub entry: u64,
    segments: [Segment; MAX_SEGMENTS],
    count: usize,
}

impl Plan {
    /// Checks a program that may use these addresses.
    pub fn new(file: &[u8], addresses: Range<u64>) -> Result<Self, ElfError> {
        if !file.starts_with(&ELFMAGIC) {
            return Err(ElfError::NoElf);
        }
        let elf = ElfBytes::<LittleEndian>::minimal_parse(file).map_err(ElfError::Malformed)?;
        let machine = machine(&elf.ehdr)?;
        let mut plan = Self { machine, entry: elf.ehdr.e_entry, segments: [Segment::EMPTY; MAX_SEGMENTS], count: 0 };
        let headers = elf.segments().ok_or(ElfError::NothingToLoad)?;
        for (number, header) in headers.iter().enumerate() {
            match header.p_type {
                PT_INTERP | PT_DYNAMIC => return Err(ElfError::Dynamic),
                PT_LOAD => plan.add(&header, file, &addresses).map_err(|error| ElfError::Segment(number, error))?,
                _ => {}
            }
        }
        if plan.count == 0 {
            return Err(ElfError::NothingToLoad);
        }
        let executable = |segment: &&Segment| segment.rights.contains(Rights::EXECUTE);
        let holds_entry = |segment: &Segment| plan.entry.wrapping_sub(segment.address) < segment.size;
        if !plan.segments().iter().filter(executable).any(holds_entry) {
            return Err(ElfError::Entry(plan.entry));
        }
        Ok(plan)
    }

    /// What to load.
    pub fn segments(&self) -> &[Segment] {
        &self.segments[..self.count]
    }

    fn add(&mut self, header: &ProgramHeader, file: &[u8], addresses: &Range<u64>) -> Result<(), SegmentError> {
        let segment = check(header, file, addresses)?;
        if segment.size == 0 {
            return Ok(());
        }
        let pages = segment.pages();
        let shares = |other: &Segment| other.pages().start < pages.end && pages.start < other.pages().end;
        if self.segments().iter().any(shares) {
            return Err(SegmentError::Overlap);
        }
        *self.segments.get_mut(self.count).ok_or(SegmentError::TooMany)? = segment;
        self.count += 1;
        Ok(())
    }
}

fn machine(header: &FileHeader<LittleEndian>) -> Result<Machine, ElfError> {
    match header.e_type {
        ET_EXEC => {}
        ET_DYN => return Err(ElfError::PositionIndependent),
        ET_REL => return Err(ElfError::Relocatable),
        other => return Err(ElfError::NoProgram(other)),
    }
    match (header.class, header.e_machine) {
        (Class::ELF32, EM_386) => Ok(Machine::I386),
        (Class::ELF64, EM_X86_64) => Ok(Machine::X86_64),
        (_, other) => Err(ElfError::Machine(other)),
    }
}

/// What can be said of a segment by itself.
fn check(header: &ProgramHeader, file: &[u8], addresses: &Range<u64>) -> Result<Segment, SegmentError> {
    if header.p_filesz > header.p_memsz {
        return Err(SegmentError::LargerInFile);
    }
    let file_end = header.p_offset.checked_add(header.p_filesz);
    if file_end.is_none_or(|end| end > file.len() as u64) {
        return Err(SegmentError::OutsideFile);
    }
    let end = header.p_vaddr.checked_add(header.p_memsz).and_then(|end| end.checked_next_multiple_of(PAGE_SIZE));
    let end = end.ok_or(SegmentError::WrapsAround)?;
    let segment = Segment {
        address: header.p_vaddr,
        size: header.p_memsz,
        // Both are within the file, and a file's length is a usize.
        file_offset: header.p_offset as usize,
        file_size: header.p_filesz as usize,
        rights: rights(header.p_flags)?,
    };
    if segment.size != 0 && (segment.pages().start < addresses.start || end > addresses.end) {
        return Err(SegmentError::OutsideSpace { address: segment.address, size: segment.size });
    }
    Ok(segment)
}

fn rights(flags: u32) -> Result<Rights, SegmentError> {
    if flags & (PF_W | PF_X) == PF_W | PF_X {
        return Err(SegmentError::WritableAndExecutable);
    }
    let mut rights = Rights::empty();
    for (flag, right) in [(PF_R, Rights::READ), (PF_W, Rights::WRITE), (PF_X, Rights::EXECUTE)] {
        if flags & flag != 0 {
            rights |= right;
        }
    }
    if rights == Rights::empty() { Err(SegmentError::NoRights) } else { Ok(rights) }
}
