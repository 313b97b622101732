//! Memory of the device, and memory for the device.
//!
//! All that the device reads and writes are pages made for it here: its queue, slips for requests, and the frames that clients share. It
//! is told physical addresses of these only.

use core::ptr::NonNull;
use core::slice;
use core::sync::atomic::AtomicU32;

use lilliput_abi::{Error, Rights};
use lilliput_runtime::disk::rings::WORDS;
use lilliput_runtime::{Devices, Factory, Frames, Task, Word, place};
use lilliput_user64::Native;
use spin::Mutex;
use virtio_drivers::{BufferDirection, Hal, PhysAddr};

/// Bytes of a page.
pub const PAGE: usize = 4096;

/// Where memory of each kind is mapped from.
const DEVICE_WINDOW: Word = 0x10_0000_0000;
const DMA_WINDOW: Word = 0x20_0000_0000;
/// Where the clients' frames are.
const SHARED_WINDOW: Word = 0x30_0000_0000;
/// Where the rings are.
const RINGS_WINDOW: Word = 0x40_0000_0000;

/// A run of pages: physical address, address here, pages.
#[derive(Clone, Copy)]
struct Run {
    physical: u64,
    address: Word,
    pages: usize,
}

impl Run {
    const NONE: Self = Self { physical: 0, address: 0, pages: 0 };

    fn to_virtual(self, physical: u64) -> Option<Word> {
        let within = physical.checked_sub(self.physical).filter(|&within| within < (self.pages * PAGE) as u64)?;
        Some(self.address + within as Word)
    }

    fn to_physical(self, address: Word, bytes: usize) -> Option<u64> {
        let within = address.checked_sub(self.address)?;
        let inside = within.checked_add(bytes).is_some_and(|end| end <= self.pages * PAGE);
        inside.then(|| self.physical + within as u64)
    }
}

/// How many runs of a kind there can be.
const MOST: usize = 8;

/// Runs that were mapped, one after another.
struct Window {
    runs: [Run; MOST],
    count: usize,
    next: Word,
}

impl Window {
    const fn new(start: Word) -> Self {
        Self { runs: [Run::NONE; MOST], count: 0, next: start }
    }

    fn map(&mut self, frames: Frames<Native>, physical: u64, pages: usize) -> Result<Word, Error> {
        let place = self.runs.get_mut(self.count).ok_or(Error::NoMemory)?;
        let count = u16::try_from(pages).map_err(|_| Error::BadArgument)?;
        let address = self.next;
        Task::<Native>::at(place::TASK).map(frames, address, 0, count, Rights::READ | Rights::WRITE)?;
        *place = Run { physical, address, pages };
        self.count += 1;
        // A page stays unmapped between two runs.
        self.next += (pages + 1) * PAGE;
        Ok(address)
    }
}

static DEVICE: Mutex<Window> = Mutex::new(Window::new(DEVICE_WINDOW));
static DMA: Mutex<Window> = Mutex::new(Window::new(DMA_WINDOW));

fn factory() -> Factory<Native> {
    Factory::at(place::driver::FACTORY)
}

fn devices() -> Devices<Native> {
    Devices::at(place::driver::DEVICES)
}

/// Maps device memory.
///
/// # Errors
/// What the kernel says.
pub fn map_device(physical: u64, size: u64) -> Result<(), Error> {
    let first = physical / PAGE as u64;
    let pages = ((physical + size).div_ceil(PAGE as u64) - first) as usize;
    let frames = factory().create_device_frames(devices(), first as Word, pages)?;
    DEVICE.lock().map(frames, first * PAGE as u64, pages).map(drop)
}

/// Where a physical address of the device's memory is mapped.
pub fn device(physical: u64) -> Option<NonNull<u8>> {
    let window = DEVICE.lock();
    let address = window.runs.iter().find_map(|run| run.to_virtual(physical))?;
    NonNull::new(address as *mut u8)
}

/// Maps the page of the rings, if there is one.
///
/// # Errors
/// What the kernel says.
pub fn rings() -> Result<&'static [AtomicU32], Error> {
    let frames = Frames::at(place::driver::RINGS);
    Task::<Native>::at(place::TASK).map(frames, RINGS_WINDOW, 0, 1, Rights::READ | Rights::WRITE)?;
    // SAFETY: the page was mapped just now and stays for ever; words that are atomic may be anything, and change at any time.
    Ok(unsafe { slice::from_raw_parts(RINGS_WINDOW as *const AtomicU32, WORDS) })
}

/// Maps the frames that clients share, so many pages, for the device as well; says where.
///
/// # Errors
/// What the kernel says.
pub fn map_shared(pages: usize) -> Result<Word, Error> {
    let frames = Frames::at(place::FRAMES);
    let physical = devices().address(frames, 0)?;
    // The device takes them for one piece.
    for page in 0..pages {
        if devices().address(frames, page)? != physical + (page * PAGE) as u64 {
            return Err(Error::Unsupported);
        }
    }
    let mut window = Window::new(SHARED_WINDOW);
    let address = window.map(frames, physical, pages)?;
    let mut dma = DMA.lock();
    let count = dma.count;
    *dma.runs.get_mut(count).ok_or(Error::NoMemory)? = window.runs[0];
    dma.count += 1;
    Ok(address)
}

/// Fresh pages for the device and this program, zeroed and in one piece: physical address and address here.
///
/// # Errors
/// What the kernel says.
pub fn allocate(pages: usize) -> Result<(u64, NonNull<u8>), Error> {
    let frames = factory().create_frames(pages)?;
    let physical = devices().address(frames, 0)?;
    let address = DMA.lock().map(frames, physical, pages)?;
    NonNull::new(address as *mut u8).map(|address| (physical, address)).ok_or(Error::BadAddress)
}

/// What `virtio-drivers` needs of this system.
pub struct Memory;

// SAFETY: `dma_alloc` returns fresh zeroed pages, mapped here only and never unmapped; `mmio_phys_to_virt` addresses of device memory that is
// mapped for good.
unsafe impl Hal for Memory {
    fn dma_alloc(pages: usize, _: BufferDirection) -> (PhysAddr, NonNull<u8>) {
        // Address 0 says that it failed.
        allocate(pages).unwrap_or((0, NonNull::dangling()))
    }

    unsafe fn dma_dealloc(_: PhysAddr, _: NonNull<u8>, _: usize) -> i32 {
        // The queue lives as long as the program.
        0
    }

    unsafe fn mmio_phys_to_virt(physical: PhysAddr, _: usize) -> NonNull<u8> {
        device(physical).expect("the device's registers lie in its memory")
    }

    unsafe fn share(buffer: NonNull<[u8]>, direction: BufferDirection) -> PhysAddr {
        let address = buffer.cast::<u8>().as_ptr() as Word;
        let physical = DMA.lock().runs.iter().find_map(|run| run.to_physical(address, buffer.len()));
        // SAFETY: the caller's.
        physical.unwrap_or_else(|| unsafe { SLIPS.lock().lend(buffer, direction) })
    }

    unsafe fn unshare(physical: PhysAddr, buffer: NonNull<[u8]>, direction: BufferDirection) {
        // SAFETY: the caller's.
        unsafe { SLIPS.lock().take_back(physical, buffer, direction) };
    }
}

/// Copies of what is small and lies elsewhere, on the stack say: requests, and the device's answers. A page of slips.
struct Slips {
    physical: u64,
    address: Word,
    /// Bit N is set while slip N is lent.
    lent: u64,
}

/// Bytes of a slip.
const SLIP: usize = 64;

static SLIPS: Mutex<Slips> = Mutex::new(Slips { physical: 0, address: 0, lent: 0 });

/// Makes the slips. Nothing small can be shared before.
///
/// # Errors
/// What the kernel says.
pub fn make_slips() -> Result<(), Error> {
    let (physical, address) = allocate(1)?;
    *SLIPS.lock() = Slips { physical, address: address.as_ptr() as Word, lent: 0 };
    Ok(())
}

impl Slips {
    /// Copies a buffer to a slip, if the device is to read it; says where that is.
    ///
    /// # Safety
    /// The buffer must be valid, and not be written meanwhile.
    unsafe fn lend(&mut self, buffer: NonNull<[u8]>, direction: BufferDirection) -> u64 {
        let slip = self.lent.trailing_ones() as usize;
        assert!(
            self.address != 0 && buffer.len() <= SLIP && slip < PAGE / SLIP,
            "the device is given what is small only"
        );
        self.lent |= 1 << slip;
        if direction != BufferDirection::DeviceToDriver {
            let to = (self.address + slip * SLIP) as *mut u8;
            // SAFETY: the buffer is the caller's affair; the slip lies in pages of this program's own and is nobody else's now.
            unsafe { to.copy_from_nonoverlapping(buffer.cast::<u8>().as_ptr(), buffer.len()) };
        }
        self.physical + (slip * SLIP) as u64
    }

    /// Takes a slip back, and copies what the device wrote there to the buffer. Nothing happens for what is no slip.
    ///
    /// # Safety
    /// The buffer must be the one that was lent, and nobody else use it.
    unsafe fn take_back(&mut self, physical: u64, buffer: NonNull<[u8]>, direction: BufferDirection) {
        let Some(within) = physical.checked_sub(self.physical).filter(|&within| within < PAGE as u64) else { return };
        let slip = within as usize / SLIP;
        self.lent &= !(1 << slip);
        if direction != BufferDirection::DriverToDevice {
            let from = (self.address + slip * SLIP) as *const u8;
            // SAFETY: as above, the other way round.
            unsafe { buffer.cast::<u8>().as_ptr().copy_from_nonoverlapping(from, buffer.len()) };
        }
    }
}
