//! The disk: what of it is in memory, and what is being read.
//!
//! It is read by buffers of sixteen pages, each of which holds a run of sectors: those that a read asked for last are kept, and serve others. A buffer that the disk is at work on is
//! touched by nobody else.

use alloc::vec::Vec;
use core::ops::Range;

use crate::memory::PAGE;

/// Bytes of a sector.
pub const SECTOR: u64 = 512;
/// Pages of a buffer.
pub const PAGES: usize = 16;
/// Bytes of a buffer.
const BYTES: u64 = PAGES as u64 * PAGE;

/// What a buffer holds of the bytes that it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing yet: they are being read.
    Reads,
    /// All of them.
    Full,
    /// Nothing: they could not be read.
    Failed,
}

struct Buffer {
    state: State,
    /// From where to where on the disk.
    bytes: Range<u64>,
    /// The thread that had them read for itself alone, and has not taken them.
    reader: Option<u32>,
    /// When it was used last, by the count of uses.
    used: u64,
}

/// Who reads: a thread by its number, and whether it wants the disk's own bytes, and none that were read before.
#[derive(Clone, Copy, Debug)]
pub struct Reader {
    /// The thread.
    pub thread: u32,
    /// Whether it is by `O_DIRECT`.
    pub direct: bool,
}

/// Where bytes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// In memory, in this part of it.
    Here(Range<usize>),
    /// On their way to this buffer, or will be when something else has come there.
    Awaited(usize),
    /// Nowhere yet: the disk is to read into this buffer, from this sector on, so many.
    Missing(usize, u64, usize),
    /// They could not be read.
    Failed,
}

/// The disk.
pub struct Disk {
    memory: &'static mut [[u8; PAGE as usize]],
    bytes: u64,
    buffers: Vec<Buffer>,
    uses: u64,
    is_gone: bool,
}

impl Disk {
    /// A disk of so many bytes, with buffers in this memory: at least one.
    pub fn new(memory: &'static mut [[u8; PAGE as usize]], bytes: u64) -> Self {
        assert!(memory.len() >= PAGES, "a disk without buffers");
        let empty = || Buffer { state: State::Full, bytes: 0..0, reader: None, used: 0 };
        let buffers = (0..memory.len() / PAGES).map(|_| empty()).collect();
        Self { memory, bytes: bytes - bytes % SECTOR, buffers, uses: 0, is_gone: false }
    }

    /// How many bytes it has.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Bytes in memory that [`Disk::find`] told of.
    pub fn at(&self, place: Range<usize>) -> &[u8] {
        &self.memory.as_flattened()[place]
    }

    /// Finds the first of the bytes that somebody wants, and as many behind it as are there with it. If they are missing, their buffer is taken for them.
    pub fn find(&mut self, wanted: Range<u64>, reader: Reader) -> Found {
        self.uses += 1;
        let is_for = |buffer: &Buffer| match reader.direct {
            true => buffer.reader == Some(reader.thread),
            false => buffer.reader.is_none(),
        };
        let holds = |buffer: &Buffer| buffer.bytes.contains(&wanted.start) && is_for(buffer);
        let Some(number) = self.buffers.iter().position(holds) else { return self.miss(wanted, reader) };
        let buffer = &mut self.buffers[number];
        buffer.used = self.uses;
        match buffer.state {
            State::Reads => Found::Awaited(number),
            State::Failed => {
                buffer.empty();
                Found::Failed
            }
            State::Full => {
                let place = number as u64 * BYTES + (wanted.start - buffer.bytes.start);
                let count = buffer.bytes.end.min(wanted.end) - wanted.start;
                // From here on they are like any others.
                buffer.reader = None;
                Found::Here(place as usize..(place + count) as usize)
            }
        }
    }

    fn miss(&mut self, wanted: Range<u64>, reader: Reader) -> Found {
        if self.is_gone {
            return Found::Failed;
        }
        let idle = |(_, buffer): &(usize, &mut Buffer)| buffer.state != State::Reads;
        let oldest = self.buffers.iter_mut().enumerate().filter(idle).min_by_key(|(_, buffer)| buffer.used);
        let Some((number, buffer)) = oldest else {
            // Whichever is the next: the first is as good as any.
            return Found::Awaited(0);
        };
        let unit = if reader.direct { SECTOR } else { PAGE };
        let start = wanted.start - wanted.start % unit;
        let end = wanted.end.next_multiple_of(unit).min(start + BYTES).min(self.bytes);
        let own = reader.direct.then_some(reader.thread);
        *buffer = Buffer { state: State::Reads, bytes: start..end, reader: own, used: self.uses };
        Found::Missing(number, start / SECTOR, ((end - start) / SECTOR) as usize)
    }

    /// A buffer has been read, or could not be. Nothing happens for one that is not being read.
    pub fn done(&mut self, number: usize, well: bool) {
        if let Some(buffer) = self.buffers.get_mut(number).filter(|buffer| buffer.state == State::Reads) {
            buffer.state = if well { State::Full } else { State::Failed };
        }
    }

    /// Nothing is read any more; the buffers that wait for it.
    pub fn gone(&mut self) -> Vec<usize> {
        self.is_gone = true;
        let reads = |number: &usize| self.buffers[*number].state == State::Reads;
        let waiting: Vec<usize> = (0..self.buffers.len()).filter(reads).collect();
        waiting.iter().for_each(|&number| self.done(number, false));
        waiting
    }
}

impl Buffer {
    fn empty(&mut self) {
        (self.state, self.bytes, self.reader, self.used) = (State::Full, 0..0, None, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANY: Reader = Reader { thread: 1, direct: false };
    const DIRECT: Reader = Reader { thread: 2, direct: true };

    fn disk(buffers: usize, bytes: u64) -> Disk {
        Disk::new(std::vec![[0; PAGE as usize]; buffers * PAGES].leak(), bytes)
    }

    #[test]
    fn what_was_read_serves_others() {
        let mut disk = disk(2, 1 << 20);
        assert_eq!(disk.find(5000..5010, ANY), Found::Missing(0, 8, 8));
        assert_eq!(disk.find(8000..9000, ANY), Found::Awaited(0), "the same page");
        disk.done(0, true);
        assert_eq!(disk.find(8000..9000, ANY), Found::Here(8000 - 4096..4096), "as much as is there");
        assert_eq!(disk.find(8192..8193, ANY), Found::Missing(1, 16, 8));
        assert_eq!(disk.find(0..1, ANY), Found::Missing(0, 0, 8), "the one that is not being read");
        assert_eq!(disk.find(0..512, DIRECT), Found::Awaited(0), "there is none");
    }

    #[test]
    fn direct_reads_are_of_the_disk() {
        let mut disk = disk(3, 1 << 20);
        assert_eq!(disk.find(512..1024, DIRECT), Found::Missing(0, 1, 1));
        assert_eq!(disk.find(600..601, ANY), Found::Missing(1, 0, 8), "the other is somebody's");
        disk.done(0, true);
        assert_eq!(disk.find(512..1024, Reader { thread: 3, ..DIRECT }), Found::Missing(2, 1, 1));
        assert_eq!(disk.find(512..1024, DIRECT), Found::Here(0..512));
        assert_eq!(disk.find(512..1024, DIRECT), Found::Missing(0, 1, 1), "once");
    }

    #[test]
    fn long_reads_go_by_buffers_and_end_with_the_disk() {
        let mut disk = disk(1, 70_000);
        assert_eq!(disk.bytes(), 69_632);
        assert_eq!(disk.find(0..69_632, ANY), Found::Missing(0, 0, 128));
        disk.done(0, true);
        assert_eq!(disk.find(0..69_632, ANY), Found::Here(0..65_536));
        assert_eq!(disk.find(65_536..69_632, ANY), Found::Missing(0, 128, 8));
    }

    #[test]
    fn what_fails_is_told_once_and_tried_again() {
        let mut disk = disk(1, 1 << 20);
        assert_eq!(disk.find(0..1, ANY), Found::Missing(0, 0, 8));
        disk.done(0, false);
        disk.done(0, true);
        assert_eq!(disk.find(0..1, ANY), Found::Failed);
        assert_eq!(disk.find(0..1, ANY), Found::Missing(0, 0, 8));
    }

    #[test]
    fn a_disk_that_is_gone_reads_nothing() {
        let mut disk = disk(2, 1 << 20);
        assert_eq!(disk.find(0..1, ANY), Found::Missing(0, 0, 8));
        disk.done(0, true);
        assert_eq!(disk.find(4096..4097, ANY), Found::Missing(1, 8, 8));
        assert_eq!(disk.gone(), [1]);
        assert_eq!(disk.find(4096..4097, ANY), Found::Failed);
        assert_eq!(disk.find(4096..4097, ANY), Found::Failed);
        assert_eq!(disk.find(0..1, ANY), Found::Here(0..1), "what was read is there");
    }
}
