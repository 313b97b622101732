//! The device, and the requests that it is at work on.

use core::slice;

use lilliput_abi::Error;
use lilliput_runtime::disk::SECTOR;
use lilliput_runtime::place::driver::{DEVICES, FACTORY, INTERRUPTED};
use lilliput_runtime::{Devices, Factory, Interrupt, Notification, Word};
use lilliput_user64::Native;
use virtio_drivers::device::blk::{BlkReq, BlkResp, VirtIOBlk};
use virtio_drivers::transport::pci::PciTransport;
use virtio_drivers::transport::pci::bus::PciRoot;

use crate::memory::{self, Memory, PAGE};
use crate::pci;
use crate::transport::Interrupting;

/// The bit of the notification that the interrupt sets.
pub const INTERRUPT: u32 = 1;
/// Requests that the device has at a time: each takes three of its queue's sixteen places.
const MOST: usize = 5;
/// Those of them that rings may have: one is kept for whoever calls.
const MOST_BY_RING: usize = MOST - 1;

/// Who asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Who called, and waits.
    Call,
    /// The client of the rings, under this number.
    Ring(u32),
}

/// A request that the device works on.
struct Flight {
    origin: Origin,
    token: u16,
    write: bool,
    data: (Word, usize),
    request: BlkReq,
    response: BlkResp,
}

/// The device.
pub struct Device {
    inner: VirtIOBlk<Memory, Interrupting>,
    interrupt: Interrupt<Native>,
    /// The frames that clients share: where they are, and how many bytes.
    data: (Word, usize),
    flights: [Option<Flight>; MOST],
}

impl Device {
    /// Finds the device and starts it. Clients share so many pages.
    ///
    /// # Errors
    /// Where there is none, or what the kernel says.
    pub fn open(pages: usize) -> Result<Self, Error> {
        let mut root = PciRoot::new(pci::Configuration);
        let found = pci::find(&root).ok_or(Error::Unsupported)?;
        pci::open(&mut root, found)?;
        memory::make_slips()?;
        let interrupt = Factory::<Native>::at(FACTORY).create_message_interrupt(Devices::at(DEVICES))?;
        interrupt.bind(Notification::at(INTERRUPTED), INTERRUPT)?;
        pci::connect(&mut root, found, interrupt)?;
        let common = pci::common_configuration(&mut root, found).ok_or(Error::Unsupported)?;
        let transport = PciTransport::new::<Memory, _>(&mut root, found).map_err(|_| Error::Unsupported)?;
        let inner = VirtIOBlk::new(Interrupting::new(transport, common)).map_err(|_| Error::Unsupported)?;
        let data = (memory::map_shared(pages)?, pages * PAGE);
        interrupt.acknowledge()?;
        Ok(Self { inner, interrupt, data, flights: [const { None }; MOST] })
    }

    /// Sectors of the disk.
    pub fn capacity(&self) -> u64 {
        self.inner.capacity()
    }

    /// How often it interrupted.
    pub fn interrupts(&self) -> u64 {
        self.interrupt.count().unwrap_or(0)
    }

    /// Lets the next interrupt through. What is done by now is to be looked for after this.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn acknowledge(&self) -> Result<(), Error> {
        self.interrupt.acknowledge()
    }

    /// Whether it works on something.
    pub fn is_busy(&self) -> bool {
        self.flights.iter().any(Option::is_some)
    }

    /// Whether a request of the rings' can be begun.
    pub fn has_room(&self) -> bool {
        let by_ring = |flight: &&Flight| matches!(flight.origin, Origin::Ring(_));
        self.flights.iter().flatten().filter(by_ring).count() < MOST_BY_RING
    }

    /// Begins to read or write sectors, to or from the shared frames from this page on.
    ///
    /// # Errors
    /// `BadArgument` for what the disk or the frames have not; `Busy`; `Gone` if the device refuses it.
    pub fn begin(
        &mut self,
        origin: Origin,
        write: bool,
        page: usize,
        (first, count): (usize, usize),
    ) -> Result<(), Error> {
        let start = page.checked_mul(PAGE).ok_or(Error::BadArgument)?;
        let bytes = count.checked_mul(SECTOR).filter(|&bytes| bytes > 0).ok_or(Error::BadArgument)?;
        let fits = start.checked_add(bytes).is_some_and(|end| end <= self.data.1);
        let exists = first.checked_add(count).is_some_and(|end| end as u64 <= self.inner.capacity());
        if !fits || !exists {
            return Err(Error::BadArgument);
        }
        let place = self.flights.iter_mut().find(|place| place.is_none()).ok_or(Error::Busy)?;
        let (request, response) = (BlkReq::default(), BlkResp::default());
        let flight =
            place.insert(Flight { origin, token: 0, write, data: (self.data.0 + start, bytes), request, response });
        // SAFETY: the shared frames are mapped for good, and the range lies in them. Clients that touch it meanwhile spoil their own data.
        let data = unsafe { flight.data() };
        let (request, response) = (&mut flight.request, &mut flight.response);
        // SAFETY: request and response are copied to slips, which with the data stay where they are until the device is done.
        let token = unsafe {
            match write {
                true => self.inner.write_blocks_nb(first, request, data, response),
                false => self.inner.read_blocks_nb(first, request, data, response),
            }
        };
        match token {
            Ok(token) => flight.token = token,
            Err(_) => *place = None,
        }
        token.map(drop).map_err(|_| Error::Gone)
    }

    /// Takes a request that the device is done with; whether it went well.
    pub fn finished(&mut self) -> Option<(Origin, bool)> {
        let token = self.inner.peek_used()?;
        let place = self.flights.iter_mut().find(|place| place.as_ref().is_some_and(|flight| flight.token == token));
        // A device that is done with what it was not given is not to be served any further.
        let mut flight = place.and_then(Option::take).unwrap_or_else(|| panic!("the device finished request {token}"));
        // SAFETY: as when it was begun; the device is done with it.
        let data = unsafe { flight.data() };
        let (request, response) = (&flight.request, &mut flight.response);
        // SAFETY: the same as were given to the device: these are its slips' copies.
        let outcome = unsafe {
            match flight.write {
                true => self.inner.complete_write_blocks(token, request, data, response),
                false => self.inner.complete_read_blocks(token, request, data, response),
            }
        };
        Some((flight.origin, outcome.is_ok()))
    }

    /// Waits, polling, until all that was written is on the disk. It must not work on anything.
    ///
    /// # Errors
    /// `Gone` if it fails.
    pub fn flush(&mut self) -> Result<(), Error> {
        self.inner.flush().map_err(|_| Error::Gone)
    }
}

impl Flight {
    /// The bytes that are read or written.
    ///
    /// # Safety
    /// They must be mapped, and not be in use here otherwise.
    unsafe fn data<'a>(&self) -> &'a mut [u8] {
        // SAFETY: the caller's.
        unsafe { slice::from_raw_parts_mut(self.data.0 as *mut u8, self.data.1) }
    }
}
