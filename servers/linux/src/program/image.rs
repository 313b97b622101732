//! ELF programs as Linux loads them: with fixed addresses or without, and with an interpreter that links them or without.

use alloc::vec::Vec;
use core::ops::Range;

use elf::ElfBytes;
use elf::abi::{EM_386, EM_X86_64, ET_DYN, ET_EXEC, PF_R, PF_W, PF_X, PT_INTERP, PT_LOAD, PT_PHDR};
use elf::endian::LittleEndian;
use elf::file::Class;
use lilliput_abi::Rights;
use syscalls::Errno;

use crate::arch::Arch;
use crate::memory::PAGE;

/// Where programs without fixed addresses go, by architecture.
const LOOSE: [u64; 2] = [0x0040_0000, 0x5555_5555_4000];
/// The most segments.
const MOST: usize = 16;
/// Bytes of an interpreter's path, at most, with the zero at its end.
const LONGEST_PATH: usize = 4096;
/// The lowest address of a program: what is below is the kernel's, or nobody's.
const LOWEST: u64 = lilliput_abi::layout::USER_START;
/// Where 32-bit programs that are linked as usual begin.
const USUAL: u64 = 0x0804_8000;
/// Where the heap of one of these begins. It is below the program as everything else is, so that the space ends where the program does.
const USUAL_HEAP: u64 = 0x10_0000;
/// What is left to the heap before mappings.
const HEAP_ROOM: u64 = 2 << 20;
/// The least size of a space for a 32-bit program that is linked lower: with the colour that the kernel gives it, still 16 MiB.
const LOW_SIZE: u64 = (16 << 20) - (1 << 19);
/// What the kernel leaves free in front of a 32-bit space at most.
const COLOURS: u64 = 127 * PAGE;
/// Where the addresses of 64-bit programs end.
const WIDE_END: u64 = 0x7fff_f000_0000;
/// Bytes of a stack, at most.
const STACK: u64 = 8 << 20;
/// The same in a small low space.
const LOW_STACK: u64 = 1 << 20;

/// Where the parts of a process go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The size of the space.
    pub size: u64,
    /// The stack, which begins at the end of this.
    pub stack: Range<u64>,
    /// Mappings without an address of their own.
    pub mappings: Range<u64>,
    /// Where the heap begins.
    pub heap: u64,
    /// Where the page goes by which a 32-bit program makes system calls, or a 64-bit one asks for the time.
    pub calls: u64,
}

/// A part of a program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Segment {
    /// Address of its first byte.
    pub address: u64,
    /// Bytes that the file gives, and where in it.
    pub file: (u64, u64),
    /// Bytes in all.
    pub size: u64,
    /// What may be done there. Writing and executing may go together.
    pub rights: Rights,
}

/// A program that can be loaded.
#[derive(Clone, Debug)]
pub struct Image {
    /// What it was built for.
    pub arch: Arch,
    /// Address of its first instruction.
    pub entry: u64,
    /// Where its program headers are in memory, and how many there are.
    pub headers: (u64, u64),
    /// Whether it may lie anywhere.
    pub is_loose: bool,
    /// The path of the program that links it when it starts, if it is not static.
    pub interpreter: Option<Vec<u8>>,
    segments: [Segment; MOST],
    count: usize,
}

impl Image {
    /// Reads a file's headers.
    ///
    /// # Errors
    /// `ENOEXEC` for what is no program, or none of these architectures.
    pub fn new(file: &[u8]) -> Result<Self, Errno> {
        let elf = ElfBytes::<LittleEndian>::minimal_parse(file).map_err(|_| Errno::ENOEXEC)?;
        let arch = match (elf.ehdr.class, elf.ehdr.e_machine) {
            (Class::ELF32, EM_386) => Arch::I386,
            (Class::ELF64, EM_X86_64) => Arch::Amd64,
            _ => return Err(Errno::ENOEXEC),
        };
        let offset = match elf.ehdr.e_type {
            ET_EXEC => 0,
            ET_DYN => LOOSE[arch.index()],
            _ => return Err(Errno::ENOEXEC),
        };
        let entry = elf.ehdr.e_entry.wrapping_add(offset);
        let segments = [Segment::default(); MOST];
        let mut image =
            Self { arch, entry, headers: (0, 0), is_loose: offset != 0, interpreter: None, segments, count: 0 };
        let headers = elf.segments().ok_or(Errno::ENOEXEC)?;
        for header in headers.iter() {
            match header.p_type {
                PT_INTERP => {
                    let range = header.p_offset as usize..header.p_offset.saturating_add(header.p_filesz) as usize;
                    let path = file.get(range).filter(|path| path.len() <= LONGEST_PATH);
                    let path = path.and_then(|path| path.strip_suffix(&[0]));
                    image.interpreter = Some(path.ok_or(Errno::ENOEXEC)?.to_vec());
                }
                PT_PHDR => image.headers.0 = header.p_vaddr.wrapping_add(offset),
                PT_LOAD if header.p_memsz > 0 => {
                    let address = header.p_vaddr.checked_add(offset).ok_or(Errno::ENOEXEC)?;
                    let segment = Segment {
                        address,
                        file: (header.p_offset, header.p_filesz),
                        size: header.p_memsz,
                        rights: rights(header.p_flags),
                    };
                    image.add(segment, file.len() as u64)?;
                    let at = elf.ehdr.e_phoff;
                    if image.headers.0 == 0 && at >= header.p_offset && at - header.p_offset < header.p_filesz {
                        image.headers.0 = address + (at - header.p_offset);
                    }
                }
                _ => {}
            }
        }
        image.headers.1 = elf.ehdr.e_phnum.into();
        if image.count == 0 { Err(Errno::ENOEXEC) } else { Ok(image) }
    }

    /// Its parts, the lowest first.
    pub fn segments(&self) -> &[Segment] {
        &self.segments[..self.count]
    }

    /// How many bytes it takes, from its first page on.
    pub fn bytes(&self) -> u64 {
        self.segments().last().map_or(0, |last| (last.address + last.size).next_multiple_of(PAGE) - self.start())
    }

    /// Its first page.
    pub fn start(&self) -> u64 {
        self.segments().first().map_or(0, |first| first.address - first.address % PAGE)
    }

    /// The same program, of no fixed addresses, with another first page.
    pub fn at(mut self, start: u64) -> Self {
        let distance = start.wrapping_sub(self.start());
        for segment in &mut self.segments[..self.count] {
            segment.address = segment.address.wrapping_add(distance);
        }
        self.entry = self.entry.wrapping_add(distance);
        self
    }

    fn add(&mut self, segment: Segment, file: u64) -> Result<(), Errno> {
        let end = segment.address.checked_add(segment.size).filter(|&end| end <= WIDE_END);
        let file_end = segment.file.0.checked_add(segment.file.1);
        let low = self.segments().last().map_or(LOWEST, |last| last.address + last.size);
        let limit = if self.arch == Arch::I386 { limit(self.arch) } else { WIDE_END };
        let fits = end.is_some_and(|end| end <= limit) && file_end.is_some_and(|end| end <= file);
        let alike = segment.address % PAGE == segment.file.0 % PAGE;
        if !fits || !alike || segment.file.1 > segment.size || segment.address < low {
            return Err(Errno::ENOEXEC);
        }
        *self.segments.get_mut(self.count).ok_or(Errno::ENOEXEC)? = segment;
        self.count += 1;
        Ok(())
    }

    /// Where the process's other parts go.
    ///
    /// # Errors
    /// `ENOMEM` where the program leaves no room for them.
    pub fn layout(&self) -> Result<Layout, Errno> {
        let first = self.segments().first().map_or(0, |segment| segment.address);
        let last = self.segments().last().map_or(0, |segment| segment.address + segment.size);
        let heap = last.next_multiple_of(PAGE);
        let layout = match self.arch {
            Arch::Amd64 => Layout {
                size: lilliput_abi::layout::USER_END,
                stack: WIDE_END - STACK..WIDE_END,
                mappings: 0x1000_0000_0000..WIDE_END - 2 * STACK,
                heap,
                calls: WIDE_END - STACK - STACK / 2,
            },
            // The usual case: the program is high, and everything else goes below it.
            Arch::I386 if first >= USUAL => {
                let top = USUAL - 16 * PAGE;
                let mappings = USUAL_HEAP + HEAP_ROOM..top - STACK - PAGE;
                let calls = USUAL - 8 * PAGE;
                Layout { size: heap, stack: top - STACK..top, mappings, heap: USUAL_HEAP, calls }
            }
            Arch::I386 => {
                let size = LOW_SIZE.max((heap + (8 << 20)).next_multiple_of(1 << 20));
                let (top, calls) = (size - 2 * PAGE, size - PAGE);
                let mappings = heap + HEAP_ROOM..top - LOW_STACK - PAGE;
                Layout { size, stack: top - LOW_STACK..top, mappings, heap, calls }
            }
        };
        if layout.size > limit(self.arch) { Err(Errno::ENOMEM) } else { Ok(layout) }
    }
}

/// Where a space ends at most.
pub const fn limit(arch: Arch) -> u64 {
    match arch {
        Arch::I386 => lilliput_abi::layout::MAX_SMALL_SIZE - COLOURS,
        Arch::Amd64 => lilliput_abi::layout::USER_END,
    }
}

fn rights(flags: u32) -> Rights {
    let mut rights = Rights::empty();
    for (flag, right) in [(PF_R, Rights::READ), (PF_W, Rights::WRITE), (PF_X, Rights::EXECUTE)] {
        rights.set(right, flags & flag != 0);
    }
    rights
}
