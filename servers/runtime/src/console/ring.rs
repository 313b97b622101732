//! Bytes from one thread of a task to another.

use core::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

/// A ring of bytes. One thread puts in, one takes out.
pub struct Ring<const SIZE: usize> {
    bytes: [AtomicU8; SIZE],
    /// How many bytes were put in, since the beginning of time.
    written: AtomicUsize,
    /// How many were taken out.
    read: AtomicUsize,
}

impl<const SIZE: usize> Default for Ring<SIZE> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const SIZE: usize> Ring<SIZE> {
    /// An empty one. The size must be a power of two, so that the counts may wrap.
    pub const fn new() -> Self {
        assert!(SIZE.is_power_of_two());
        Self { bytes: [const { AtomicU8::new(0) }; SIZE], written: AtomicUsize::new(0), read: AtomicUsize::new(0) }
    }

    /// Puts all of these bytes in, or, where there is no room, none. For one thread only.
    #[must_use]
    pub fn put(&self, bytes: &[u8]) -> bool {
        let written = self.written.load(Ordering::Relaxed);
        let used = written.wrapping_sub(self.read.load(Ordering::Acquire));
        if bytes.len() > SIZE - used {
            return false;
        }
        for (offset, &byte) in bytes.iter().enumerate() {
            self.bytes[written.wrapping_add(offset) % SIZE].store(byte, Ordering::Relaxed);
        }
        self.written.store(written.wrapping_add(bytes.len()), Ordering::Release);
        true
    }

    /// The first bytes, as many as fit `buffer`, up to the first `end` and with it; says how many. They stay. For one thread only.
    pub fn peek_until(&self, end: u8, buffer: &mut [u8]) -> usize {
        let read = self.read.load(Ordering::Relaxed);
        let available = self.written.load(Ordering::Acquire).wrapping_sub(read);
        for (offset, place) in buffer.iter_mut().take(available).enumerate() {
            *place = self.bytes[read.wrapping_add(offset) % SIZE].load(Ordering::Relaxed);
            if *place == end {
                return offset + 1;
            }
        }
        available.min(buffer.len())
    }

    /// Takes out so many bytes, which [`Ring::peek_until`] has shown.
    pub fn take(&self, count: usize) {
        self.read.store(self.read.load(Ordering::Relaxed).wrapping_add(count), Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_put_in_comes_out(steps in prop::collection::vec((any::<bool>(), "[a-c\n]{0,12}"), 0..60), start: usize) {
            let ring = Ring::<16> { written: AtomicUsize::new(start), read: AtomicUsize::new(start), ..Ring::new() };
            let mut model = Vec::new();
            for (put, text) in steps {
                if put {
                    let fits = model.len() + text.len() <= 16;
                    prop_assert_eq!(ring.put(text.as_bytes()), fits);
                    if fits {
                        model.extend_from_slice(text.as_bytes());
                    }
                } else {
                    let mut buffer = vec![0; text.len()];
                    let count = ring.peek_until(b'\n', &mut buffer);
                    let line = model.iter().position(|&byte| byte == b'\n').map_or(model.len(), |place| place + 1);
                    prop_assert_eq!(count, line.min(text.len()));
                    prop_assert_eq!(&buffer[..count], &model[..count]);
                    ring.take(count);
                    model.drain(..count);
                }
            }
        }
    }

    #[test]
    fn two_threads_agree() {
        static RING: Ring<64> = Ring::new();
        const LINES: u32 = 20_000;
        let writer = std::thread::spawn(|| {
            for number in 0..LINES {
                while !RING.put(format!("{number}\n").as_bytes()) {
                    std::hint::spin_loop();
                }
            }
        });
        for number in 0..LINES {
            let mut buffer = [0; 16];
            let count = loop {
                match RING.peek_until(b'\n', &mut buffer) {
                    0 => std::hint::spin_loop(),
                    count => break count,
                }
            };
            RING.take(count);
            assert_eq!(buffer[..count], *format!("{number}\n").as_bytes());
        }
        writer.join().unwrap();
    }
}
