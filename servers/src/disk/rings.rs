//! Reads that a client asks for by a ring and is told of by another: see [`lilliput_runtime::disk::rings`].

use core::mem;
use core::sync::atomic::AtomicU32;

use lilliput_runtime::disk::rings::{ANSWER, REQUEST, parts};
use lilliput_runtime::place::driver::{INTERRUPTED, RING_BELL};
use lilliput_runtime::ring::bell::Failure;
use lilliput_runtime::ring::{Bells, Consumer, Producer};
use lilliput_runtime::{Notification, Word};
use lilliput_user64::Native;

use crate::device::{Device, Origin};

/// The server's ends.
pub struct Rings {
    requests: Consumer<'static, REQUEST>,
    answers: Producer<'static, ANSWER>,
    bells: Bells<Native>,
    /// Whether something was told that the client does not see yet. Who has not been told anything is not to be woken.
    has_told: bool,
    /// How many reads there are before it is to fail; 0 for any number.
    last: Word,
}

impl Rings {
    /// In this memory, of zeros.
    pub fn new(memory: &'static [AtomicU32], last: Word) -> Option<Self> {
        let (requests, answers) = parts(memory)?;
        let bells = Bells { other: Notification::at(RING_BELL), own: Notification::at(INTERRUPTED) };
        Some(Self {
            requests: Consumer::new(requests)?,
            answers: Producer::new(answers)?,
            bells,
            has_told: false,
            last,
        })
    }

    /// Begins what is asked for, as far as the device has room, and tells what was told.
    ///
    /// # Errors
    /// If the client wrote nonsense or is gone.
    pub fn take(&mut self, device: &mut Device) -> Result<(), Failure> {
        loop {
            while device.has_room()
                && let Some([id, page, count, low, high]) = self.requests.pop()?
            {
                if self.last > 0 {
                    self.last -= 1;
                    assert!(self.last > 0, "it was told to fail");
                }
                let first = u64::from(low) | u64::from(high) << 32;
                let sectors = (first as usize, count as usize);
                if device.begin(Origin::Ring(id), false, page as usize, sectors).is_err() {
                    self.tell(id, false);
                }
            }
            self.requests.flush(&self.bells)?;
            if mem::take(&mut self.has_told) {
                self.answers.flush(&self.bells)?;
            }
            // Where there is no room it looks again when something is done.
            if !device.has_room() || self.requests.is_to_wait()? {
                return Ok(());
            }
        }
    }

    /// Tells how a request ended. The client sees it with the next [`Rings::take`]. It is lost if the client leaves no room, who is to blame.
    pub fn tell(&mut self, id: u32, well: bool) {
        self.has_told |= self.answers.push(&[id, well.into()]) == Ok(true);
    }
}
