//! The disk server, as the Linux server asks it: by rings, so that it waits for nothing.

use lilliput_abi::Error;
use lilliput_runtime::disk::rings::{ANSWER, PAGES, REQUEST, parts};
use lilliput_runtime::disk::{CAPACITY, SECTOR, request};
use lilliput_runtime::place::linux::{DISK, DISK_BELL, SIGNALS};
use lilliput_runtime::ring::bell::Failure;
use lilliput_runtime::ring::{Bells, Consumer, Producer};
use lilliput_runtime::{Endpoint, Notification};
use lilliput_user64::Native;

use crate::memory::{self, PAGE};

/// Pages of a buffer.
const BUFFER: usize = lilliput_linux::BUFFER_PAGES;

/// The client's ends.
pub struct Disk {
    requests: Producer<'static, REQUEST>,
    answers: Consumer<'static, ANSWER>,
    bells: Bells<Native>,
}

/// A disk that can be asked: its bytes, and the memory that it reads into.
pub struct Opened {
    /// The disk.
    pub disk: Disk,
    /// How many bytes it has.
    pub bytes: u64,
    /// The frames that are shared with its server.
    pub memory: &'static mut [[u8; PAGE]],
}

impl Disk {
    /// Finds out what disk there is; none if its server says that it has none. Called once.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn open() -> Result<Option<Opened>, Error> {
        let Ok(capacity) = request(Endpoint::<Native>::at(DISK), CAPACITY, &[]) else { return Ok(None) };
        let (memory, rings) = (memory::disk(PAGES)?, memory::disk_rings()?);
        let (requests, answers) = parts(rings).ok_or(Error::BadArgument)?;
        let (Some(requests), Some(answers)) = (Producer::new(requests), Consumer::new(answers)) else {
            return Err(Error::BadArgument);
        };
        let bells = Bells { other: Notification::at(DISK_BELL), own: Notification::at(SIGNALS) };
        let bytes = capacity.pair(0).saturating_mul(SECTOR as u64);
        Ok(Some(Opened { disk: Self { requests, answers, bells }, bytes, memory }))
    }

    /// Asks for sectors to be read into a buffer.
    ///
    /// # Errors
    /// If the server is gone, or wrote nonsense.
    pub fn read(&mut self, buffer: usize, sector: u64, count: usize) -> Result<(), Failure> {
        let page = (buffer * BUFFER) as u32;
        let entry = [buffer as u32, page, count as u32, sector as u32, (sector >> 32) as u32];
        // There are no more buffers than there is room for.
        if !self.requests.push(&entry)? {
            return Err(Failure::Broken);
        }
        Ok(self.requests.flush(&self.bells)?)
    }

    /// The next buffer that was read, or could not be. After the last the server wakes this one for the next.
    ///
    /// # Errors
    /// If the server wrote nonsense.
    pub fn next(&mut self) -> Result<Option<(usize, bool)>, Failure> {
        loop {
            if let Some([buffer, well]) = self.answers.pop()? {
                return Ok(Some((buffer as usize, well == 1)));
            }
            self.answers.flush(&self.bells)?;
            if self.answers.is_to_wait()? {
                return Ok(None);
            }
        }
    }
}
