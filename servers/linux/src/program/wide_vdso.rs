//! The page of functions that 64-bit programs find by `AT_SYSINFO_EHDR`: a library of the shape that Linux's vDSO has, with the same names. They read the time-stamp counter, and tell the time
//! exactly as the kernel does, since its clock is that counter from a fixed count on, at a fixed frequency.

use alloc::vec::Vec;

use elf::abi::{
    DT_HASH, DT_NULL, DT_SONAME, DT_STRSZ, DT_STRTAB, DT_SYMENT, DT_SYMTAB, DT_VERDEF, DT_VERDEFNUM, DT_VERSYM,
    ELFCLASS64, ELFDATA2LSB, EM_X86_64, ET_DYN, PF_R, PF_X, PT_DYNAMIC, PT_GNU_EH_FRAME, PT_LOAD, SHF_ALLOC,
    SHF_EXECINSTR, SHT_DYNAMIC, SHT_DYNSYM, SHT_PROGBITS, SHT_STRTAB,
};
use elf::hash::sysv_hash;

use super::vdso::{INT3, Page, entry};
use crate::memory::PAGE;

const MILLION: u64 = 1_000_000;

/// The time-stamp counter as the kernel's clock.
#[derive(Clone, Copy, Debug)]
pub struct Counter {
    /// What it counted at the boot.
    pub start: u64,
    /// Its frequency, in kHz; not zero.
    pub kilohertz: u64,
}

impl Counter {
    /// Whole nanoseconds since the boot when it stands at this count.
    pub const fn nanoseconds(&self, count: u64) -> u64 {
        let since = count.wrapping_sub(self.start);
        let (whole, rest) = (since / self.kilohertz, since % self.kilohertz);
        whole.saturating_mul(MILLION).saturating_add(rest * MILLION / self.kilohertz)
    }
}

/// Where the parts of the page are.
const HEADERS: usize = 64;
const SYMBOLS: usize = 0x100;
const HASH: usize = 0x1a0;
const VERSIONS: usize = 0x1c8;
const DEFINITIONS: usize = 0x1d8;
const NAMES: usize = 0x218;
const DYNAMIC: usize = 0x2b0;
const FRAMES_HEADER: usize = 0x358;
const FRAMES: usize = 0x370;
/// The count at the boot, the frequency, and the nanoseconds from 1970 to the boot.
const DATA: usize = 0x3d8;
const CODE: usize = 0x400;
const SECTIONS: usize = 0x600;

const HEADER_SIZE: usize = 56;
const SYMBOL_SIZE: usize = 24;
const SECTION_SIZE: usize = 64;
/// A global function, in a section that there is.
const GLOBAL_FUNCTION: u32 = 0x12;
const SECTION: u32 = 1 << 16;
const LIBRARY: &str = "linux-vdso.so.1";
const VERSION: &str = "LINUX_2.6";
/// The functions: where they begin in [`FUNCTIONS`], and how long they are.
const SYMBOLS_OF: [(&str, usize, usize); 5] = [
    ("__vdso_clock_gettime", 0x50, 0x3e),
    ("__vdso_gettimeofday", 0x90, 0x39),
    ("__vdso_time", 0xd0, 0x1c),
    ("__vdso_getcpu", 0xf0, 0x11),
    ("__vdso_clock_getres", 0x110, 8),
];
/// The code, which begins with what others jump to: it adds the time since the boot to R8, has the sum as seconds in RAX and nanoseconds in RDX, and goes on at R10. None of it
/// moves the stack pointer. What is not about the time, or about what somebody uses of the processor, is a system call.
#[rustfmt::skip]
const FUNCTIONS: [u8; 0x118] = [
    // now: lfence; rdtsc; shl rdx, 32; or rax, rdx; sub rax, [start]; mov rcx, [kilohertz]
    0x0f, 0xae, 0xe8, 0x0f, 0x31, 0x48, 0xc1, 0xe2, 0x20, 0x48, 0x09, 0xd0,
    0x48, 0x2b, 0x05, 0xc5, 0xff, 0xff, 0xff, 0x48, 0x8b, 0x0d, 0xc6, 0xff, 0xff, 0xff,
    // xor edx, edx; div rcx; imul r9, rax, 1000000; imul rax, rdx, 1000000; xor edx, edx; div rcx
    0x31, 0xd2, 0x48, 0xf7, 0xf1, 0x4c, 0x69, 0xc8, 0x40, 0x42, 0x0f, 0x00, 0x48, 0x69, 0xc2, 0x40, 0x42, 0x0f, 0x00,
    0x31, 0xd2, 0x48, 0xf7, 0xf1,
    // add rax, r9; add rax, r8; xor edx, edx; mov ecx, 1000000000; div rcx; jmp r10
    0x4c, 0x01, 0xc8, 0x4c, 0x01, 0xc0, 0x31, 0xd2, 0xb9, 0x00, 0xca, 0x9a, 0x3b, 0x48, 0xf7, 0xf1, 0x41, 0xff, 0xe2,
    INT3, INT3, INT3, INT3, INT3, INT3, INT3, INT3, INT3, INT3, INT3,
    // clock_gettime: cmp edi, 11; ja 1f; xor r8d, r8d
    0x83, 0xff, 0x0b, 0x77, 0x31, 0x45, 0x31, 0xc0,
    // The clocks of the boot: mov eax, 0x2d2; bt eax, edi; jc 2f. Those of the date: mov eax, 0x921; bt eax, edi; jnc 1f; mov r8, [date]
    0xb8, 0xd2, 0x02, 0x00, 0x00, 0x0f, 0xa3, 0xf8, 0x72, 0x11,
    0xb8, 0x21, 0x09, 0x00, 0x00, 0x0f, 0xa3, 0xf8, 0x73, 0x1a, 0x4c, 0x8b, 0x05, 0x75, 0xff, 0xff, 0xff,
    // 2: lea r10, [3f]; jmp now; 3: mov [rsi], rax; mov [rsi + 8], rdx; xor eax, eax; ret; 1: mov eax, clock_gettime; syscall; ret
    0x4c, 0x8d, 0x15, 0x02, 0x00, 0x00, 0x00, 0xeb, 0x84, 0x48, 0x89, 0x06, 0x48, 0x89, 0x56, 0x08, 0x31, 0xc0, 0xc3,
    0xb8, 0xe4, 0x00, 0x00, 0x00, 0x0f, 0x05, 0xc3, INT3, INT3,
    // gettimeofday: test rdi, rdi; jz 2f; mov r8, [date]; lea r10, [1f]; jmp now
    0x48, 0x85, 0xff, 0x74, 0x25, 0x4c, 0x8b, 0x05, 0x4c, 0xff, 0xff, 0xff, 0x4c, 0x8d, 0x15, 0x05, 0x00, 0x00, 0x00,
    0xe9, 0x58, 0xff, 0xff, 0xff,
    // 1: mov [rdi], rax; mov eax, edx; xor edx, edx; mov ecx, 1000; div ecx; mov [rdi + 8], rax
    0x48, 0x89, 0x07, 0x89, 0xd0, 0x31, 0xd2, 0xb9, 0xe8, 0x03, 0x00, 0x00, 0xf7, 0xf1, 0x48, 0x89, 0x47, 0x08,
    // 2: test rsi, rsi; jz 3f; mov qword ptr [rsi], 0; 3: xor eax, eax; ret
    0x48, 0x85, 0xf6, 0x74, 0x07, 0x48, 0xc7, 0x06, 0x00, 0x00, 0x00, 0x00, 0x31, 0xc0, 0xc3,
    INT3, INT3, INT3, INT3, INT3, INT3, INT3,
    // time: mov r8, [date]; lea r10, [1f]; jmp now; 1: test rdi, rdi; jz 2f; mov [rdi], rax; 2: ret
    0x4c, 0x8b, 0x05, 0x11, 0xff, 0xff, 0xff, 0x4c, 0x8d, 0x15, 0x05, 0x00, 0x00, 0x00, 0xe9, 0x1d, 0xff, 0xff, 0xff,
    0x48, 0x85, 0xff, 0x74, 0x03, 0x48, 0x89, 0x07, 0xc3, INT3, INT3, INT3, INT3,
    // getcpu, of which there is one: xor eax, eax; test rdi, rdi; jz 1f; mov [rdi], eax; 1: test rsi, rsi; jz 2f; mov [rsi], eax; 2: ret
    0x31, 0xc0, 0x48, 0x85, 0xff, 0x74, 0x02, 0x89, 0x07, 0x48, 0x85, 0xf6, 0x74, 0x02, 0x89, 0x06, 0xc3,
    INT3, INT3, INT3, INT3, INT3, INT3, INT3, INT3, INT3, INT3, INT3, INT3, INT3, INT3, INT3,
    // clock_getres: mov eax, clock_getres; syscall; ret
    0xb8, 0xe5, 0x00, 0x00, 0x00, 0x0f, 0x05, 0xc3,
];

/// The page, of a boot so many seconds after 1970.
pub fn page(counter: Counter, date: u64) -> Vec<u8> {
    let mut page = Page::default();
    page.bytes(0, b"\x7fELF");
    page.bytes(4, &[ELFCLASS64, ELFDATA2LSB, 1]);
    page.words(16, &[ET_DYN as u32 | (EM_X86_64 as u32) << 16, 1]);
    page.wide(24, &[CODE as u64, HEADERS as u64, SECTIONS as u64]);
    page.words(52, &[HEADERS as u32 | (HEADER_SIZE as u32) << 16, 3 | (SECTION_SIZE as u32) << 16, 5]);
    let frames = frames();
    for (number, (kind, place, size, rights)) in [
        (PT_LOAD, 0, PAGE as usize, PF_R | PF_X),
        (PT_DYNAMIC, DYNAMIC, 10 * 16, PF_R),
        (PT_GNU_EH_FRAME, FRAMES_HEADER, 20, PF_R),
    ]
    .into_iter()
    .enumerate()
    {
        let (at, place, size) = (HEADERS + number * HEADER_SIZE, place as u64, size as u64);
        page.words(at, &[kind, rights]);
        page.wide(at + 8, &[place, place, place, size, size, if kind == PT_LOAD { PAGE } else { 4 }]);
    }
    let mut names = alloc::vec![0];
    let mut name = |text: &str| {
        let place = names.len() as u32;
        names.extend_from_slice(text.as_bytes());
        names.push(0);
        place
    };
    // One list of all names, each of which leads to the next; all are of the second version.
    let count = SYMBOLS_OF.len() as u32 + 1;
    page.words(HASH, &[1, count, 1, 0]);
    page.bytes(VERSIONS, &[0; 2]);
    for (number, &(text, place, length)) in (1..).zip(&SYMBOLS_OF) {
        let at = SYMBOLS + number as usize * SYMBOL_SIZE;
        page.words(at, &[name(text), GLOBAL_FUNCTION | SECTION]);
        page.wide(at + 8, &[(CODE + place) as u64, length as u64]);
        page.words(HASH + 4 * (3 + number as usize), &[(number + 1) % count]);
        page.bytes(VERSIONS + 2 * number as usize, &[2, 0]);
    }
    let (library, version) = (name(LIBRARY), name(VERSION));
    // Each: version 1 of such a definition and flags, its number and that it has one name, what it is found by, where that name is from here, and the next; then the name.
    let definition = |flags: u32, number: u32, text: &str, name: u32, next: u32| {
        [1 | flags << 16, number | 1 << 16, sysv_hash(text.as_bytes()), 20, next, name, 0]
    };
    page.words(DEFINITIONS, &definition(1, 1, LIBRARY, library, 28));
    page.words(DEFINITIONS + 28, &definition(0, 2, VERSION, version, 0));
    page.bytes(NAMES, &names);
    for (number, (tag, value)) in [
        (DT_HASH, HASH),
        (DT_STRTAB, NAMES),
        (DT_SYMTAB, SYMBOLS),
        (DT_STRSZ, names.len()),
        (DT_SYMENT, SYMBOL_SIZE),
        (DT_SONAME, library as usize),
        (DT_VERSYM, VERSIONS),
        (DT_VERDEF, DEFINITIONS),
        (DT_VERDEFNUM, 2),
        (DT_NULL, 0),
    ]
    .into_iter()
    .enumerate()
    {
        page.wide(DYNAMIC + number * 16, &[tag as u64, value as u64]);
    }
    page.bytes(FRAMES_HEADER, &[1, 0x1b, 0x03, 0x3b]);
    let distance = |to: usize, from: usize| to.wrapping_sub(from) as u32;
    let row = [distance(CODE, FRAMES_HEADER), distance(FRAMES + frames.1, FRAMES_HEADER)];
    page.words(FRAMES_HEADER + 4, &[distance(FRAMES, FRAMES_HEADER + 4), 1, row[0], row[1]]);
    page.bytes(FRAMES, &frames.0);
    page.wide(DATA, &[counter.start, counter.kilohertz, date * 1000 * MILLION]);
    page.bytes(CODE, &FUNCTIONS);
    // dietlibc looks here for symbols and their names: kind, flags, place, bytes, which has the names, bytes of each.
    let symbols = SYMBOL_SIZE * count as usize;
    for (number, (kind, flags, place, size, names_in, each)) in [
        (SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, CODE, FUNCTIONS.len(), 0, 0),
        (SHT_DYNSYM, SHF_ALLOC, SYMBOLS, symbols, 3, SYMBOL_SIZE),
        (SHT_STRTAB, SHF_ALLOC, NAMES, names.len(), 0, 0),
        (SHT_DYNAMIC, SHF_ALLOC, DYNAMIC, 10 * 16, 3, 16),
    ]
    .into_iter()
    .enumerate()
    {
        let (at, place) = (SECTIONS + (number + 1) * SECTION_SIZE, place as u64);
        page.words(at, &[0, kind]);
        page.wide(at + 8, &[flags.into(), place, place, size as u64]);
        page.words(at + 40, &[names_in, u32::from(kind == SHT_DYNSYM)]);
        page.wide(at + 48, &[8, each as u64]);
    }
    page.end()
}

/// What unwinders read (`.eh_frame`), and where the code's part begins: everywhere the caller is what RSP points to.
fn frames() -> (Vec<u8>, usize) {
    // Of DWARF's registers RSP is 7, and 16 is where a function returns to. The frame begins at RSP + 8, below which that is.
    let mut bytes = entry(&[&[0; 4], &[1], b"zR\0", &[1, 0x78, 16, 1, 0x1b, 0x0c, 7, 8, 0x90, 1]]);
    let of_code = bytes.len();
    let back = (of_code as u32 + 4).to_le_bytes();
    let begin = (CODE as u32).wrapping_sub((FRAMES + of_code + 8) as u32).to_le_bytes();
    bytes.extend(entry(&[&back, &begin, &(FUNCTIONS.len() as u32).to_le_bytes(), &[0]]));
    bytes.extend([0; 4]);
    (bytes, of_code)
}

#[cfg(test)]
mod tests {
    use elf::ElfBytes;
    use elf::endian::LittleEndian;

    use super::*;

    const COUNTER: Counter = Counter { start: 12_345, kilohertz: 2_999_999 };

    #[test]
    fn functions_are_found_by_their_names_and_version() {
        let page = page(COUNTER, 7);
        assert_eq!(page.len() as u64, PAGE);
        let file = ElfBytes::<LittleEndian>::minimal_parse(&page).unwrap();
        assert_eq!((file.ehdr.e_type, file.ehdr.e_machine, file.ehdr.e_ehsize), (ET_DYN, EM_X86_64, 64));
        let segments: Vec<_> = file.segments().unwrap().iter().map(|segment| segment.p_type).collect();
        assert_eq!(segments, [PT_LOAD, PT_DYNAMIC, PT_GNU_EH_FRAME]);
        // As dietlibc looks: by sections.
        let (symbols, names) = file.dynamic_symbol_table().unwrap().unwrap();
        let by_section: Vec<_> =
            symbols.iter().skip(1).map(|symbol| names.get(symbol.st_name as usize).unwrap()).collect();
        assert_eq!(by_section, SYMBOLS_OF.map(|(name, ..)| name));
        let word = |at: usize| u32::from_le_bytes(page[at..at + 4].try_into().unwrap()) as usize;
        let text = |at: usize| {
            let bytes: Vec<u8> = page[NAMES + at..].iter().copied().take_while(|&byte| byte != 0).collect();
            String::from_utf8(bytes).unwrap()
        };
        // As glibc looks: from the only list of names on.
        let (mut number, mut found) = (word(HASH + 8), Vec::new());
        while number != 0 {
            let at = SYMBOLS + number * SYMBOL_SIZE;
            assert_eq!(u16::from_le_bytes([page[VERSIONS + 2 * number], page[VERSIONS + 2 * number + 1]]), 2);
            found.push((text(word(at)), word(at + 8) - CODE, word(at + 16)));
            number = word(HASH + 12 + 4 * number);
        }
        let expected: Vec<_> =
            SYMBOLS_OF.iter().map(|&(name, place, length)| (name.to_owned(), place, length)).collect();
        assert_eq!(found, expected);
        let second = DEFINITIONS + word(DEFINITIONS + 16);
        assert_eq!((word(second + 4) & 0xffff, word(second + 8)), (2, 0x03ae_75f6), "Go knows this number");
        assert_eq!(text(word(second + word(second + 12))), VERSION);
        let mut dynamic = file.dynamic().unwrap().unwrap().iter();
        assert!(dynamic.any(|entry| entry.d_tag == DT_SONAME && text(entry.d_val() as usize) == LIBRARY));
    }

    #[test]
    fn each_function_ends_where_the_next_begins() {
        let mut end = 0;
        for (name, place, length) in SYMBOLS_OF {
            assert!(place >= end && place % 16 == 0, "{name}");
            assert!(FUNCTIONS[place - 1] == INT3 && FUNCTIONS[place + length - 1] == 0xc3, "{name}");
            assert!(FUNCTIONS.get(place + length).is_none_or(|&byte| byte == INT3), "{name}");
            end = place + length;
        }
        assert_eq!(end, FUNCTIONS.len());
    }

    #[test]
    fn time_is_what_the_counter_counted() {
        let time = |count| COUNTER.nanoseconds(COUNTER.start + count);
        assert_eq!([0, 2_999_999, 2_999_998].map(time), [0, 1_000_000, 999_999]);
        assert_eq!(time(2_999_999 * 1_000_000_000_000), 1_000_000_000_000_000_000);
        let page = page(COUNTER, 7);
        let data = |number: usize| u64::from_le_bytes(page[DATA + 8 * number..][..8].try_into().unwrap());
        assert_eq!([data(0), data(1), data(2)], [12_345, 2_999_999, 7_000_000_000]);
    }
}
