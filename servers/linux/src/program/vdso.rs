//! The page by which 32-bit programs make system calls: one function, and what handlers of signals return by, in a library of the shape that Linux's vDSO has,
//! so that debuggers and unwinders know their way out of it. Programs find it by `AT_SYSINFO` and `AT_SYSINFO_EHDR`.

use alloc::vec::Vec;

use elf::abi::{
    DT_HASH, DT_NULL, DT_SONAME, DT_STRSZ, DT_STRTAB, DT_SYMENT, DT_SYMTAB, DT_VERDEF, DT_VERDEFNUM, DT_VERSYM,
    ELFCLASS32, ELFDATA2LSB, EM_386, ET_DYN, PF_R, PF_X, PT_DYNAMIC, PT_GNU_EH_FRAME, PT_LOAD,
};

use crate::memory::PAGE;
use crate::way::Way;

/// Where the function begins in the page.
pub const FUNCTION: u64 = 0x400;
/// Where handlers of signals return to that the program names no other place for, by the old frame.
pub const SIGRETURN: u64 = 0x440;
/// The same by the new frame.
pub const RT_SIGRETURN: u64 = 0x460;
/// `pop eax; mov eax, sigreturn; int 0x80`, by which debuggers and unwinders know the old frame.
pub const SIGRETURN_CODE: [u8; 8] = [0x58, 0xb8, 119, 0, 0, 0, 0xcd, 0x80];
/// `mov eax, rt_sigreturn; int 0x80`, by which they know the new one.
pub const RT_SIGRETURN_CODE: [u8; 8] = [0xb8, 173, 0, 0, 0, 0xcd, 0x80, 0];
/// Where the other parts are.
const HEADERS: usize = 52;
const SYMBOLS: usize = 0x100;
const HASH: usize = 0x140;
const NAMES: usize = 0x180;
const VERSION_OF_SYMBOLS: usize = 0x1b0;
const VERSIONS: usize = 0x1c0;
const DYNAMIC: usize = 0x200;
const FRAMES_HEADER: usize = 0x280;
const FRAMES: usize = 0x300;

const HEADER_SIZE: usize = 32;
const SYMBOL_SIZE: usize = 16;
/// A global function, in a section that there is.
const GLOBAL_FUNCTION: u32 = 0x12;
const SECTION: u32 = 1 << 16;
const FUNCTION_NAME: &[u8] = b"__kernel_vsyscall\0";
const LIBRARY_NAME: &[u8] = b"linux-gate.so.1\0";
/// The version of the function. Go's runtime looks through the versions whether there are any or not.
const VERSION_NAME: &[u8] = b"LINUX_2.5\0";
/// What is nothing else traps.
pub(super) const INT3: u8 = 0xcc;

/// A function by which a program calls, and how to get out of it.
struct Function {
    code: &'static [u8],
    /// Where the call returns to. Two bytes before is what makes it again.
    landing: u64,
    /// What changes in the caller's frame at which instruction: DWARF 4, 6.4.2.
    changes: &'static [u8],
}

/// Of DWARF's registers: ECX 1, ESP 4, EBP 5, EIP 8. `0x40 + N` goes on by N bytes, `0e N` says that the frame begins N bytes above ESP, `0x85 2` that EBP is
/// eight below its beginning, `0xc5` that it is as it was, `09 1 5` that ECX is in EBP, `0xc1` that it is as it was.
const BY_SYSCALL: Function = Function {
    // push ebp; mov ebp, ecx; syscall; mov ecx, ebp; pop ebp; ret
    code: &[0x55, 0x89, 0xcd, 0x0f, 0x05, 0x89, 0xe9, 0x5d, 0xc3],
    landing: 5,
    changes: &[0x41, 0x0e, 8, 0x85, 2, 0x42, 0x09, 1, 5, 0x44, 0xc1, 0x41, 0xc5, 0x0e, 4],
};

const BY_SYSENTER: Function = Function {
    // push ebp; 1: mov ebp, esp; sysenter; jmp 1b; pop ebp; ret
    code: &[0x55, 0x89, 0xe5, 0x0f, 0x34, 0xeb, 0xfa, 0x5d, 0xc3],
    landing: 7,
    changes: &[0x41, 0x0e, 8, 0x85, 2, 0x47, 0xc5, 0x0e, 4],
};

const fn function(way: Way) -> Option<&'static Function> {
    match way {
        Way::Interrupt => None,
        Way::Syscall => Some(&BY_SYSCALL),
        Way::Sysenter => Some(&BY_SYSENTER),
    }
}

/// Where in the page a call returns to.
pub const fn landing(way: Way) -> u64 {
    match function(way) {
        Some(function) => FUNCTION + function.landing,
        None => 0,
    }
}

/// The page; none for programs that have nothing better than `int 0x80`.
pub fn page(way: Way) -> Option<Vec<u8>> {
    let function = function(way)?;
    let mut page = Page::default();
    page.bytes(0, b"\x7fELF");
    page.bytes(4, &[ELFCLASS32, ELFDATA2LSB, 1]);
    page.words(16, &[ET_DYN as u32 | (EM_386 as u32) << 16, 1, FUNCTION as u32, HEADERS as u32, 0, 0]);
    page.words(40, &[HEADERS as u32 | (HEADER_SIZE as u32) << 16, 3, 0]);
    let frames = frames(function);
    for (number, (kind, place, size, rights)) in [
        (PT_LOAD, 0, PAGE as usize, PF_R | PF_X),
        (PT_DYNAMIC, DYNAMIC, 10 * 8, PF_R),
        (PT_GNU_EH_FRAME, FRAMES_HEADER, 20, PF_R),
    ]
    .into_iter()
    .enumerate()
    {
        let (place, size, align) = (place as u32, size as u32, if kind == PT_LOAD { PAGE as u32 } else { 4 });
        page.words(HEADERS + number * HEADER_SIZE, &[kind, place, place, place, size, size, rights, align]);
    }
    page.words(SYMBOLS + SYMBOL_SIZE, &[1, FUNCTION as u32, function.code.len() as u32, GLOBAL_FUNCTION | SECTION]);
    // One list of two names, of which the second is in it.
    page.words(HASH, &[1, 2, 1, 0, 0]);
    page.bytes(NAMES + 1, FUNCTION_NAME);
    let library = 1 + FUNCTION_NAME.len();
    let version = library + LIBRARY_NAME.len();
    page.bytes(NAMES + library, LIBRARY_NAME);
    page.bytes(NAMES + version, VERSION_NAME);
    let names = version + VERSION_NAME.len();
    // Of no symbol, and of the function: the second.
    page.words(VERSION_OF_SYMBOLS, &[2 << 16]);
    for (number, (flags, name, text, next)) in
        [(1, library, LIBRARY_NAME, VERSION), (0, version, VERSION_NAME, 0)].into_iter().enumerate()
    {
        // Format 1; one name, which follows.
        let place = VERSIONS + number * VERSION;
        page.words(
            place,
            &[1 | flags << 16, (number as u32 + 1) | 1 << 16, hash(text), 20, next as u32, name as u32, 0],
        );
    }
    for (number, (tag, value)) in [
        (DT_HASH, HASH),
        (DT_STRTAB, NAMES),
        (DT_SYMTAB, SYMBOLS),
        (DT_STRSZ, names),
        (DT_SYMENT, SYMBOL_SIZE),
        (DT_SONAME, library),
        (DT_VERSYM, VERSION_OF_SYMBOLS),
        (DT_VERDEF, VERSIONS),
        (DT_VERDEFNUM, 2),
        (DT_NULL, 0),
    ]
    .into_iter()
    .enumerate()
    {
        page.words(DYNAMIC + number * 8, &[tag as u32, value as u32]);
    }
    // Version 1; a distance from here, a number, and a table of distances from its beginning, with one row.
    page.bytes(FRAMES_HEADER, &[1, 0x1b, 0x03, 0x3b]);
    let distance = |to: usize, from: usize| to.wrapping_sub(from) as u32;
    let row = [distance(FUNCTION as usize, FRAMES_HEADER), distance(FRAMES + frames.of_function, FRAMES_HEADER)];
    page.words(FRAMES_HEADER + 4, &[distance(FRAMES, FRAMES_HEADER + 4), 1, row[0], row[1]]);
    page.bytes(FRAMES, &frames.bytes);
    page.bytes(FUNCTION as usize, function.code);
    page.bytes(SIGRETURN as usize, &SIGRETURN_CODE);
    page.bytes(RT_SIGRETURN as usize, &RT_SIGRETURN_CODE);
    Some(page.end())
}

/// Bytes of a version and its name.
const VERSION: usize = 28;

/// A name's hash in lists of versions, without the zero at its end.
fn hash(name: &[u8]) -> u32 {
    elf::hash::sysv_hash(&name[..name.len() - 1])
}

/// A page that is being written.
#[derive(Default)]
pub(super) struct Page(Vec<u8>);

impl Page {
    pub(super) fn bytes(&mut self, at: usize, bytes: &[u8]) {
        self.0.resize(self.0.len().max(at + bytes.len()), 0);
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
    }

    pub(super) fn words(&mut self, at: usize, words: &[u32]) {
        for (number, word) in words.iter().enumerate() {
            self.bytes(at + 4 * number, &word.to_le_bytes());
        }
    }

    /// Words of 64 bits.
    pub(super) fn wide(&mut self, at: usize, words: &[u64]) {
        for (number, word) in words.iter().enumerate() {
            self.bytes(at + 8 * number, &word.to_le_bytes());
        }
    }

    /// The whole of it.
    pub(super) fn end(mut self) -> Vec<u8> {
        self.0.resize(PAGE as usize, INT3);
        self.0
    }
}

/// What unwinders read (`.eh_frame`).
struct Frames {
    bytes: Vec<u8>,
    /// Where the function's part begins.
    of_function: usize,
}

fn frames(function: &Function) -> Frames {
    // Version 1, addresses as distances; a byte of code and minus four of data are one; EIP returns. The frame begins at ESP + 4, below which EIP is.
    let mut bytes = entry(&[&[0; 4], &[1], b"zR\0", &[1, 0x7c, 8, 1, 0x1b, 0x0c, 4, 4, 0x88, 1]]);
    let of_function = bytes.len();
    let back = (of_function as u32 + 4).to_le_bytes();
    let begin = (FUNCTION as u32).wrapping_sub((FRAMES + of_function + 8) as u32).to_le_bytes();
    let length = (function.code.len() as u32).to_le_bytes();
    bytes.extend(entry(&[&back, &begin, &length, &[0], function.changes]));
    bytes.extend([0; 4]);
    Frames { bytes, of_function }
}

/// An entry with its length before it, filled up to whole words by what does nothing.
pub(super) fn entry(parts: &[&[u8]]) -> Vec<u8> {
    let mut content = parts.concat();
    content.resize(content.len().next_multiple_of(4), 0);
    [&(content.len() as u32).to_le_bytes(), content.as_slice()].concat()
}

#[cfg(test)]
mod tests {
    use elf::ElfBytes;
    use elf::endian::LittleEndian;

    use super::*;

    const WAYS: [Way; 2] = [Way::Syscall, Way::Sysenter];

    #[test]
    fn it_is_a_library_with_one_function() {
        assert_eq!(page(Way::Interrupt), None);
        for way in WAYS {
            let page = page(way).unwrap();
            assert_eq!(page.len() as u64, PAGE);
            let file = ElfBytes::<LittleEndian>::minimal_parse(&page).unwrap();
            assert_eq!((file.ehdr.e_type, file.ehdr.e_machine, file.ehdr.e_ehsize), (ET_DYN, EM_386, 52));
            let segments: Vec<_> = file.segments().unwrap().iter().map(|segment| segment.p_type).collect();
            assert_eq!(segments, [PT_LOAD, PT_DYNAMIC, PT_GNU_EH_FRAME]);
            let mut dynamic = file.dynamic().unwrap().unwrap().iter();
            assert!(
                dynamic.any(|entry| entry.d_tag == DT_SONAME
                    && page[NAMES + entry.d_val() as usize..].starts_with(LIBRARY_NAME))
            );
        }
    }

    /// As Go's runtime does it.
    #[test]
    fn the_function_has_a_version() {
        let page = page(Way::Syscall).unwrap();
        let word = |at: usize| u32::from_le_bytes(page[at..at + 4].try_into().unwrap()) as usize;
        let file = ElfBytes::<LittleEndian>::minimal_parse(&page).unwrap();
        let dynamic = file.dynamic().unwrap().unwrap();
        let value = |tag| dynamic.iter().find(|entry| entry.d_tag == tag).unwrap().d_val() as usize;
        assert_eq!(dynamic.iter().last().unwrap().d_tag, DT_NULL);
        let mut at = value(DT_VERDEF);
        let mut versions = Vec::new();
        loop {
            let name = &page[value(DT_STRTAB) + word(at + word(at + 12))..];
            versions.push((
                word(at + 4) & 0xffff,
                word(at + 8),
                &name[..name.iter().position(|&byte| byte == 0).unwrap()],
            ));
            match word(at + 16) {
                0 => break,
                next => at += next,
            }
        }
        assert_eq!(versions, [(1, 0x0fce_f091, &b"linux-gate.so.1"[..]), (2, 0x03ae_75f5, b"LINUX_2.5")]);
        assert_eq!((versions.len(), word(value(DT_VERSYM)) >> 16), (value(DT_VERDEFNUM), 2));
        assert!(value(DT_STRSZ) + NAMES <= VERSION_OF_SYMBOLS && VERSIONS + 2 * VERSION <= DYNAMIC);
    }

    #[test]
    fn a_call_can_be_made_again_two_bytes_before_it_returns() {
        for way in WAYS {
            let function = function(way).unwrap();
            let again = &function.code[function.landing as usize - 2..][..2];
            match way {
                Way::Syscall => assert_eq!(again, [0x0f, 0x05]),
                // A jump to where the stack pointer is put into EBP.
                _ => assert_eq!((again[0], function.landing as i64 + i64::from(again[1] as i8)), (0xeb, 1)),
            }
        }
    }

    #[test]
    fn unwinders_find_the_function() {
        for way in WAYS {
            let page = page(way).unwrap();
            let word = |at: usize| u32::from_le_bytes(page[at..at + 4].try_into().unwrap()) as usize;
            let (frames, of_function) =
                (FRAMES_HEADER + 4 + word(FRAMES_HEADER + 4), FRAMES_HEADER + word(FRAMES_HEADER + 16));
            assert_eq!((frames, word(FRAMES_HEADER + 8)), (FRAMES, 1));
            assert_eq!((FRAMES_HEADER + word(FRAMES_HEADER + 12)) as u64, FUNCTION);
            // The common part is where the function's says, and the function too; the list ends with a zero.
            assert_eq!(of_function + 4 - word(of_function + 4), frames);
            assert_eq!((of_function + 8 + word(of_function + 8)) & 0xffff_ffff, FUNCTION as usize);
            assert_eq!(of_function, frames + 4 + word(frames));
            assert_eq!(word(of_function + 4 + word(of_function)), 0);
        }
    }
}
