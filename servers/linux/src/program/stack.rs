//! What a program finds on its stack: arguments, environment, and the auxiliary vector.

use alloc::vec::Vec;
use core::ops::Range;

use linux_raw_sys::auxvec::{
    AT_BASE, AT_CLKTCK, AT_EGID, AT_ENTRY, AT_EUID, AT_EXECFN, AT_FLAGS, AT_GID, AT_HWCAP, AT_NULL, AT_PAGESZ, AT_PHDR,
    AT_PHENT, AT_PHNUM, AT_PLATFORM, AT_RANDOM, AT_SECURE, AT_SYSINFO_EHDR, AT_UID,
};

use super::{Image, vdso};
use crate::arch::Arch;
use crate::memory::PAGE;

/// Where a function is by which 32-bit programs make system calls.
const AT_SYSINFO: u32 = 32;

/// The strings that a program starts with.
#[derive(Clone, Copy)]
pub struct Strings<'a> {
    /// Its arguments.
    pub arguments: &'a [Vec<u8>],
    /// Its environment.
    pub environment: &'a [Vec<u8>],
    /// The path that it was started by.
    pub path: &'a [u8],
}

/// What the auxiliary vector says that does not follow from the program.
#[derive(Clone, Copy)]
pub struct Auxiliary {
    /// What CPUID says in leaf 1, EDX.
    pub features: u32,
    /// Sixteen random bytes.
    pub random: [u8; 16],
    /// Where the program's interpreter is, if it has one.
    pub interpreter: u64,
    /// Where the page of functions is, if there is one.
    pub calls: Option<u64>,
}

/// The bytes of a stack that ends at `end`, of which the first is where the stack pointer starts; and where the strings of the environment are.
pub fn build(image: &Image, strings: Strings, auxiliary: Auxiliary, end: u64) -> (Vec<u8>, Range<u64>) {
    let word = image.arch.word();
    // From the top down: strings, then what points to them.
    let mut texts = Vec::new();
    let mut places = Vec::new();
    let platform: &[u8] = if image.arch == Arch::I386 { b"i686" } else { b"x86_64" };
    let all = strings.arguments.iter().chain(strings.environment).map(Vec::as_slice);
    for text in all.chain([strings.path, platform]) {
        places.push(texts.len() as u64);
        texts.extend_from_slice(text);
        texts.push(0);
    }
    let random = texts.len() as u64;
    texts.extend_from_slice(&auxiliary.random);
    let start = (end - texts.len() as u64) & !15;
    let place = |number: usize| start + places[number];
    let (arguments, environment) = (strings.arguments.len(), strings.environment.len());
    let (path, platform) = (place(arguments + environment), place(arguments + environment + 1));

    let header = if image.arch == Arch::I386 { 32 } else { 56 };
    let vector: [(u32, u64); 18] = [
        (AT_HWCAP, auxiliary.features.into()),
        (AT_PAGESZ, PAGE),
        (AT_CLKTCK, 100),
        (AT_PHDR, image.headers.0),
        (AT_PHENT, header),
        (AT_PHNUM, image.headers.1),
        (AT_BASE, auxiliary.interpreter),
        (AT_FLAGS, 0),
        (AT_ENTRY, image.entry),
        (AT_UID, 0),
        (AT_EUID, 0),
        (AT_GID, 0),
        (AT_EGID, 0),
        (AT_SECURE, 0),
        (AT_RANDOM, start + random),
        (AT_EXECFN, path),
        (AT_PLATFORM, platform),
        (AT_NULL, 0),
    ];
    let mut words = Vec::new();
    words.push(arguments as u64);
    words.extend((0..arguments).map(place));
    words.push(0);
    words.extend((arguments..arguments + environment).map(place));
    words.push(0);
    // By the first a 64-bit program is told nothing.
    let function = auxiliary.calls.filter(|_| image.arch == Arch::I386).map(|page| (AT_SYSINFO, page + vdso::FUNCTION));
    let library = auxiliary.calls.map(|page| (AT_SYSINFO_EHDR, page));
    words.extend(function.iter().chain(&library).chain(&vector).flat_map(|&(kind, value)| [kind.into(), value]));

    let sp = (start - words.len() as u64 * word) & !15;
    let mut bytes = Vec::new();
    for value in words {
        bytes.extend_from_slice(&value.to_le_bytes()[..word as usize]);
    }
    bytes.resize((start - sp) as usize, 0);
    bytes.extend_from_slice(&texts);
    bytes.resize((end - sp) as usize, 0);
    (bytes, place(arguments)..path)
}
