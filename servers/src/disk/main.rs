//! The disk server: drives a block device of virtio's on PCI, for whoever calls it, and for one client by rings.
//!
//! The device reads and writes memory by itself, and there is no IOMMU: this program is trusted with all of it.
//!
//! Reading order: here -> [`device`] (what is under way) -> [`rings`] (requests that are not waited for) -> [`memory`], [`pci`], [`transport`].
#![no_std]
#![no_main]

mod device;
mod memory;
mod pci;
mod rings;
mod transport;

use lilliput_abi::Error;
use lilliput_runtime::disk::{CAPACITY, FLUSH, INTERRUPTS, READ, WRITE, answer, range};
use lilliput_runtime::message::halves;
use lilliput_runtime::place::driver::INTERRUPTED;
use lilliput_runtime::{Message, Notification, Word, place};
use lilliput_user64::{Native, entry};

use crate::device::{Device, INTERRUPT, Origin};
use crate::rings::Rings;

type Endpoint = lilliput_runtime::Endpoint<Native>;

entry!(main);

/// Word 0 of the start: pages of the frames that clients share. Word 1: 0, or the number of the read by ring at which it is to fail by a panic, as a test wants it.
fn main(pages: Word, last: Word) -> Word {
    let mut disk = Disk::open(pages, last);
    let mut answer = None;
    loop {
        let received = match Endpoint::at(place::SERVICE).next(answer.as_ref()) {
            Ok(received) => received,
            Err(error) => panic!("the disk's endpoint: {error:?}"),
        };
        answer = match (&mut disk, received.signals()) {
            (Ok(disk), Some(bits)) => {
                disk.heard(bits)
                    .and_then(|()| disk.look())
                    .unwrap_or_else(|error| panic!("the disk's interrupt: {error:?}"));
                None
            }
            (Ok(disk), None) => Some(disk.serve(&received.message)),
            (Err(_), Some(_)) => None,
            (Err(_), None) => Some(Message::new(answer::FAILED, &[])),
        };
    }
}

struct Disk {
    device: Device,
    rings: Option<Rings>,
}

impl Disk {
    fn open(pages: Word, last: Word) -> Result<Self, Error> {
        let device = Device::open(pages)?;
        Notification::<Native>::at(INTERRUPTED).bind()?;
        let mut disk = Self { device, rings: memory::rings().ok().and_then(|memory| Rings::new(memory, last)) };
        // What was asked for by ring before this.
        disk.look()?;
        Ok(disk)
    }

    /// Something was signalled, by these bits: the interrupt's is let through again, and what is done by now is looked for after that.
    fn heard(&self, bits: Word) -> Result<(), Error> {
        if bits & INTERRUPT as Word == 0 { Ok(()) } else { self.device.acknowledge() }
    }

    /// Waits for a signal.
    fn wait(&self) -> Result<(), Error> {
        Notification::<Native>::at(INTERRUPTED).wait().and_then(|bits| self.heard(bits))
    }

    /// Tells what is done, and begins what is asked for by ring.
    fn look(&mut self) -> Result<(), Error> {
        self.finish();
        if let Some(rings) = &mut self.rings
            && rings.take(&mut self.device).is_err()
        {
            // Its client wrote nonsense, or is gone: it is not heard any more.
            self.rings = None;
        }
        Ok(())
    }

    /// Tells what is done. How the request of whoever called ended, if it did.
    fn finish(&mut self) -> Option<bool> {
        let mut called = None;
        while let Some((origin, well)) = self.device.finished() {
            match (origin, &mut self.rings) {
                (Origin::Call, _) => called = Some(well),
                (Origin::Ring(id), Some(rings)) => rings.tell(id, well),
                (Origin::Ring(_), None) => {}
            }
        }
        called
    }

    fn serve(&mut self, message: &Message) -> Message {
        let done = |outcome: Result<(), Error>| Message::new(outcome.map_or(answer::FAILED, |()| answer::DONE), &[]);
        match message.label() {
            CAPACITY => Message::new(answer::DONE, &halves(self.device.capacity())),
            INTERRUPTS => Message::new(answer::DONE, &halves(self.device.interrupts())),
            FLUSH => done(self.flush()),
            READ | WRITE => match range(message, self.device.capacity()) {
                Some((first, count)) => done(self.transfer(message.label() == WRITE, first, count)),
                None => Message::new(answer::REFUSED, &[]),
            },
            _ => Message::new(answer::REFUSED, &[]),
        }
    }

    /// Reads or writes sectors, and waits for the device's interrupts until they are done.
    fn transfer(&mut self, write: bool, first: usize, count: usize) -> Result<(), Error> {
        // One place is kept for this.
        self.device.begin(Origin::Call, write, 0, (first, count))?;
        loop {
            if let Some(well) = self.finish() {
                self.look()?;
                return if well { Ok(()) } else { Err(Error::Gone) };
            }
            self.wait()?;
        }
    }

    /// Has all be on the disk that was written. The crate's own flush wants the device for itself.
    fn flush(&mut self) -> Result<(), Error> {
        while self.device.is_busy() {
            self.finish();
            if self.device.is_busy() {
                self.wait()?;
            }
        }
        let flushed = self.device.flush();
        self.look()?;
        flushed
    }
}
