//! The disk server: drives a block device of virtio's on PCI, for whoever calls it.
//!
//! The device reads and writes memory by itself, and there is no IOMMU: this program is trusted with all of it.
#![no_std]
#![no_main]

mod memory;
mod pci;
mod transport;

use core::slice;

use lilliput_abi::Error;
use lilliput_runtime::disk::{self, CAPACITY, FLUSH, INTERRUPTS, READ, SECTOR, WRITE, answer};
use lilliput_runtime::message::halves;
use lilliput_runtime::place::driver::{DEVICES, FACTORY, INTERRUPTED};
use lilliput_runtime::{Devices, Factory, Interrupt, Message, Notification, Word, place};
use lilliput_user64::{Native, entry};
use virtio_drivers::device::blk::{BlkReq, BlkResp, VirtIOBlk};
use virtio_drivers::transport::pci::PciTransport;
use virtio_drivers::transport::pci::bus::PciRoot;

use crate::memory::Memory;
use crate::transport::Interrupting;

type Endpoint = lilliput_runtime::Endpoint<Native>;

entry!(main);

fn main(_: Word, _: Word) -> Word {
    let mut disk = Disk::open();
    let mut answer = None;
    loop {
        let received = match Endpoint::at(place::SERVICE).next(answer.as_ref()) {
            Ok(received) => received,
            Err(error) => panic!("the disk's endpoint: {error:?}"),
        };
        answer = Some(match &mut disk {
            Ok(disk) => disk.serve(&received.message),
            Err(_) => Message::new(answer::FAILED, &[]),
        });
    }
}

struct Disk {
    device: VirtIOBlk<Memory, Interrupting>,
    interrupt: Interrupt<Native>,
    /// The frames that clients share.
    data: Word,
}

impl Disk {
    /// Finds the device and starts it.
    fn open() -> Result<Self, Error> {
        let mut root = PciRoot::new(pci::Configuration);
        let found = pci::find(&root).ok_or(Error::Unsupported)?;
        pci::open(&mut root, found)?;
        memory::make_slips()?;
        let interrupt = Factory::<Native>::at(FACTORY).create_message_interrupt(Devices::at(DEVICES))?;
        interrupt.bind(Notification::at(INTERRUPTED), 1)?;
        pci::connect(&mut root, found, interrupt)?;
        let common = pci::common_configuration(&mut root, found).ok_or(Error::Unsupported)?;
        let transport = PciTransport::new::<Memory, _>(&mut root, found).map_err(|_| Error::Unsupported)?;
        let device = VirtIOBlk::new(Interrupting::new(transport, common)).map_err(|_| Error::Unsupported)?;
        let data = memory::map_shared()?;
        interrupt.acknowledge()?;
        Ok(Self { device, interrupt, data })
    }

    fn serve(&mut self, message: &Message) -> Message {
        let done = |outcome: Result<(), Error>| Message::new(outcome.map_or(answer::FAILED, |()| answer::DONE), &[]);
        match message.label() {
            CAPACITY => Message::new(answer::DONE, &halves(self.device.capacity())),
            INTERRUPTS => Message::new(answer::DONE, &halves(self.interrupt.count().unwrap_or(0))),
            FLUSH => done(self.device.flush().map_err(|_| Error::Gone)),
            READ | WRITE => match disk::range(message, self.device.capacity()) {
                Some((first, count)) => done(self.transfer(message.label() == WRITE, first, count)),
                None => Message::new(answer::REFUSED, &[]),
            },
            _ => Message::new(answer::REFUSED, &[]),
        }
    }

    /// Reads or writes sectors, and waits for the device's interrupt.
    fn transfer(&mut self, write: bool, first: usize, count: usize) -> Result<(), Error> {
        let (request, response) = (&mut BlkReq::default(), &mut BlkResp::default());
        // SAFETY: the shared frames are mapped here for good, and the range lies in them (`disk::range`). The client waits for the answer;
        // one that writes there all the same spoils its own data.
        let data = unsafe { slice::from_raw_parts_mut(self.data as *mut u8, count * SECTOR) };
        // SAFETY: request, data and response stay where they are, and are not touched before the device is done.
        let token = unsafe {
            match write {
                true => self.device.write_blocks_nb(first, request, data, response),
                false => self.device.read_blocks_nb(first, request, data, response),
            }
        };
        let token = token.map_err(|_| Error::Gone)?;
        // A signal may be an earlier request's.
        while self.device.peek_used() != Some(token) {
            Notification::<Native>::at(INTERRUPTED).wait()?;
            self.interrupt.acknowledge()?;
        }
        // SAFETY: the same as were given to the device, which is done with them.
        let outcome = unsafe {
            match write {
                true => self.device.complete_write_blocks(token, request, data, response),
                false => self.device.complete_read_blocks(token, request, data, response),
            }
        };
        outcome.map_err(|_| Error::Gone)
    }
}
