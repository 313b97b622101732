//! Reads of the disk: of its own bytes each time, of bytes that are not in memory, and of bytes that are.

use crate::call::{self, Error};
use crate::other::Other;
use crate::print::Line;
use crate::rounds::{absent, now, tell};

/// How much is read at once.
const SIZES: [usize; 5] = [512, 2048, 4096, 16_384, 65_536];
/// The most of that.
const MOST: usize = 65_536;
/// Rounds of each that are counted, and before these.
const ROUNDS: usize = 15;
const WARM_UP: usize = 2;
/// Pieces of [`MOST`] bytes that the disk has; by which step they are read, so that none follows one that was read.
const PIECES: usize = 128;
const STEP: usize = 37;
/// `O_DIRECT`, the advice `POSIX_FADV_RANDOM`, and Linux's number of an input or output error.
const DIRECT: usize = 0o40_000;
const RANDOM: usize = 1;
const BROKEN: Error = 5;

/// Linux's numbers of `pread64` and of `fadvise64` with a 64-bit length.
#[cfg(target_arch = "x86")]
const PREAD: usize = 180;
#[cfg(target_arch = "x86")]
const ADVISE: usize = 272;
#[cfg(target_arch = "x86_64")]
const PREAD: usize = 17;
#[cfg(target_arch = "x86_64")]
const ADVISE: usize = 221;

/// Memory that is read into: aligned, as `O_DIRECT` wants it.
#[repr(C, align(4096))]
struct Buffer([u8; MOST]);

/// How the disk is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Direct,
    /// By what the system keeps in memory, which does not have it.
    Missing,
    /// The same, which has it.
    Kept,
}

impl Kind {
    const fn name(self) -> &'static [u8] {
        match self {
            Self::Direct => b"direct read",
            Self::Missing => b"read",
            Self::Kept => b"read of what is kept",
        }
    }
}

/// Measures all.
pub fn measure_all() {
    let buffer = &mut Buffer([0; MOST]).0;
    let mut place = 0;
    for kind in [Kind::Direct, Kind::Missing, Kind::Kept] {
        for size in SIZES {
            let mut name = [0; 40];
            let name = title(&mut name, kind, size);
            if let Err(error) = measure(name, kind, &mut buffer[..size], &mut place) {
                absent(name, error);
            }
        }
    }
}

fn title(room: &mut [u8; 40], kind: Kind, size: usize) -> &[u8] {
    let mut line = Line::default();
    line.text(kind.name()).text(b" of ").number(size as u64).text(b" B");
    let length = line.bytes().len().min(room.len());
    room[..length].copy_from_slice(&line.bytes()[..length]);
    &room[..length]
}

fn measure(name: &[u8], kind: Kind, buffer: &mut [u8], place: &mut usize) -> Result<(), Error> {
    let file = call::open(c"/dev/vda", if kind == Kind::Direct { DIRECT } else { 0 })?;
    advise(file)?;
    let other = Other::start()?;
    let (ticking, of) = if kind == Kind::Kept { (0, 1) } else { other.ticking()? };
    let (mut counts, mut lefts) = ([0; ROUNDS], [0; ROUNDS]);
    // Asking takes something itself.
    let (mut before, mut asking) = ([0; NUMBERS], [0; NUMBERS]);
    for round in 0..WARM_UP + ROUNDS {
        if round == WARM_UP {
            let first = servers();
            before = servers();
            asking = core::array::from_fn(|number| before[number] - first[number]);
        }
        if kind != Kind::Kept {
            *place = (*place + STEP) % PIECES;
        }
        let offset = *place * MOST;
        let (began, others) = (now(), other.instructions());
        let read = pread(file, buffer, offset);
        let (ticks, left) = (now() - began, other.instructions().wrapping_sub(others));
        if read? != buffer.len() || !is_right(buffer, offset) {
            other.end();
            return Err(BROKEN);
        }
        if let Some(round) = round.checked_sub(WARM_UP) {
            // The clock ticks however long one waits: that is no read's.
            counts[round] = ticks.saturating_sub(left.into()).saturating_sub(ticks * ticking / of);
            lefts[round] = u64::from(left) * 1000 / ticks.max(1);
        }
    }
    let after = servers();
    other.end();
    call::close(file);
    counts.sort_unstable();
    lefts.sort_unstable();
    tell(name, &counts);
    part(name, b" (thousandths left to another)", &lefts);
    for (number, what) in
        [b" (server)".as_slice(), b" (server's kernel)", b" (driver)", b" (driver's kernel)"].iter().enumerate()
    {
        if after[number] > 0 {
            // Asking before it was shorter than asking now, by the digits of what was told.
            let used = (after[number] - before[number]).saturating_sub(asking[number]);
            part(name, what, &[used / ROUNDS as u64]);
        }
    }
    Ok(())
}

/// Figures that are a part of another.
fn part(name: &[u8], what: &[u8], counts: &[u64]) {
    let mut line = Line::default();
    line.text(name).text(what);
    tell(line.bytes(), counts);
}

/// Nothing that follows is to be read before it is asked for.
fn advise(file: usize) -> Result<(), Error> {
    #[cfg(target_arch = "x86")]
    let arguments = [file, 0, 0, 0, 0, RANDOM];
    #[cfg(target_arch = "x86_64")]
    let arguments = [file, 0, 0, RANDOM];
    call::call(ADVISE, arguments).map(drop)
}

#[inline(always)]
fn pread(file: usize, to: &mut [u8], offset: usize) -> Result<usize, Error> {
    // The offset's upper half is the fifth argument of a 32-bit program's.
    call::call(PREAD, [file, to.as_mut_ptr() as usize, to.len(), offset, 0])
}

/// Whether the first and the last word are the disk's.
fn is_right(bytes: &[u8], offset: usize) -> bool {
    let word = |at: usize| ((offset + at) as u32 / 4).wrapping_mul(0x9e37_79b9).to_le_bytes();
    let last = bytes.len() - 4;
    bytes[..4] == word(0) && bytes[last..] == word(last)
}

/// Numbers of [`servers`].
const NUMBERS: usize = 4;

/// What the Linux server and the disk's have used, of their own and of the kernel's; zeros where there are none.
fn servers() -> [u64; NUMBERS] {
    let (mut text, mut numbers) = ([0; 256], [0; NUMBERS]);
    let Ok(file) = call::open(c"/proc/lilliput-servers", 0) else { return numbers };
    let length = call::read(file, &mut text).unwrap_or(0);
    call::close(file);
    let lines = text[..length].split(|&byte| byte == b'\n');
    for (line, pair) in lines.zip(numbers.chunks_mut(2)) {
        for (word, number) in line.split(|&byte| byte == b' ').skip(1).zip(pair) {
            *number = word.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0'));
        }
    }
    numbers
}
