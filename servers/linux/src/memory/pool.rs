//! Page frames: who holds each, and what they hold.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use syscalls::Errno;

use super::PAGE;

/// The number of a frame.
pub type Frame = u32;

/// All frames that processes can have.
pub struct Pool {
    memory: &'static mut [[u8; PAGE as usize]],
    /// By how many pages each frame is held.
    holders: Vec<u32>,
    free: Vec<Frame>,
    /// Pages of files that never change, by the file's number and the offset; the cache holds each.
    pub(crate) cached: BTreeMap<(u64, u64), Frame>,
}

impl Pool {
    /// All of them free.
    pub fn new(memory: &'static mut [[u8; PAGE as usize]]) -> Self {
        let count = memory.len() as Frame;
        let holders = (0..count).map(|_| 0).collect();
        Self { memory, holders, free: (0..count).rev().collect(), cached: BTreeMap::new() }
    }

    /// How many there are, and how many are free.
    pub fn counts(&self) -> (usize, usize) {
        (self.memory.len(), self.free.len())
    }

    /// How many are held by others than the cache.
    pub fn in_use(&self) -> usize {
        let cached = self.cached.values().filter(|&&frame| self.holders[frame as usize] == 1).count();
        self.memory.len() - self.free.len() - cached
    }

    /// Bytes of all frames: more than this is promised to nobody at once.
    pub fn bytes_in_all(&self) -> u64 {
        self.memory.len() as u64 * PAGE
    }

    /// A frame of zeros, held once.
    ///
    /// # Errors
    /// `ENOMEM` if there is none.
    pub fn take(&mut self) -> Result<Frame, Errno> {
        let frame = self.take_dirty()?;
        self.memory[frame as usize].fill(0);
        Ok(frame)
    }

    fn take_dirty(&mut self) -> Result<Frame, Errno> {
        if self.free.is_empty() {
            self.drop_unused_cache();
        }
        let frame = self.free.pop().ok_or(Errno::ENOMEM)?;
        self.holders[frame as usize] = 1;
        Ok(frame)
    }

    /// A frame with what another holds, held once.
    ///
    /// # Errors
    /// `ENOMEM` if there is none.
    pub fn copy(&mut self, from: Frame) -> Result<Frame, Errno> {
        let frame = self.take_dirty()?;
        if let Ok([to, from]) = self.memory.get_disjoint_mut([frame as usize, from as usize]) {
            to.copy_from_slice(from);
        }
        Ok(frame)
    }

    /// Copies bytes from a place in one frame to a place in another, or in the same.
    pub fn copy_bytes(&mut self, (source, from): (Frame, usize), (target, to): (Frame, usize), count: usize) {
        let (source, target) = (source as usize, target as usize);
        match self.memory.get_disjoint_mut([source, target]) {
            Ok([source, target]) => target[to..to + count].copy_from_slice(&source[from..from + count]),
            Err(_) => self.memory[source].copy_within(from..from + count, to),
        }
    }

    /// One more holds it.
    pub fn hold(&mut self, frame: Frame) {
        self.holders[frame as usize] += 1;
    }

    /// One fewer holds it.
    pub fn release(&mut self, frame: Frame) {
        let holders = &mut self.holders[frame as usize];
        *holders -= 1;
        if *holders == 0 {
            self.free.push(frame);
        }
    }

    /// Whether several hold it.
    pub fn is_shared(&self, frame: Frame) -> bool {
        self.holders[frame as usize] > 1
    }

    /// What it holds.
    pub fn bytes_mut(&mut self, frame: Frame) -> &mut [u8; PAGE as usize] {
        &mut self.memory[frame as usize]
    }

    pub(super) fn cached(&self, file: u64, offset: u64) -> Option<Frame> {
        self.cached.get(&(file, offset)).copied()
    }

    pub(super) fn cache(&mut self, file: u64, offset: u64, frame: Frame) {
        self.hold(frame);
        self.cached.insert((file, offset), frame);
    }

    /// Frames that nobody but the cache holds are free again.
    fn drop_unused_cache(&mut self) {
        let Self { cached, holders, free, .. } = self;
        cached.retain(|_, &mut frame| {
            let used = holders[frame as usize] > 1;
            if !used {
                holders[frame as usize] = 0;
                free.push(frame);
            }
            used
        });
    }
}
