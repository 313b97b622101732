//! The server's own memory: its heap, the frames of its processes, and the archive.

use core::slice;
use core::sync::atomic::AtomicU32;

use lilliput_abi::layout::PAGE_SIZE;
use lilliput_abi::object::map::LARGE;
use lilliput_abi::{Error, Rights};
use lilliput_linux::Vector;
use lilliput_runtime::disk::rings::WORDS;
use lilliput_runtime::linux::POOL_PART;
use lilliput_runtime::place::linux::{ARCHIVE as ARCHIVE_PLACE, DISK_FRAMES, DISK_RINGS, FACTORY, POOL as POOL_PLACE};
use lilliput_runtime::{Factory, Frames, Task, Word, place};
use lilliput_user64::Native;
use talc::{ErrOnOom, Span, Talc, Talck};

/// Bytes of a page.
pub const PAGE: usize = PAGE_SIZE as usize;
/// Pages of a large page.
const LARGE_PAGES: usize = 512;
/// Where the heap is, and how large.
const HEAP: Word = 0x90_0000_0000;
const HEAP_PAGES: usize = 64 << 8;
/// Where the pool is mapped.
const POOL: Word = 0xa0_0000_0000;
/// Where a page for vector registers is mapped.
const VECTOR: Word = 0xc0_0000_0000;
/// Where the archive is mapped.
const ARCHIVE: Word = 0xb0_0000_0000;

/// Where what is shared with the disk's server is mapped: buffers, and rings.
const DISK: Word = 0xd0_0000_0000;
const RINGS: Word = 0xe0_0000_0000;

const SELF: Task<Native> = Task::at(place::TASK);

#[global_allocator]
static ALLOCATOR: Talck<spin::Mutex<()>, ErrOnOom> = Talc::new(ErrOnOom).lock();

/// Maps the heap. Nothing may be allocated before.
pub fn start_heap() -> Result<(), Error> {
    let frames = Factory::<Native>::at(FACTORY).create_frames(HEAP_PAGES)?;
    map(frames, HEAP, HEAP_PAGES, Rights::READ | Rights::WRITE)?;
    let span = Span::new(HEAP as *mut u8, (HEAP + HEAP_PAGES * PAGE) as *mut u8);
    // SAFETY: the range was mapped just now, belongs to nothing else, and stays for ever.
    unsafe { ALLOCATOR.lock().claim(span) }.map(drop).map_err(|()| Error::NoMemory)
}

/// Bytes of the heap that nobody has.
pub fn free() -> usize {
    ALLOCATOR.lock().get_counters().available_bytes
}

/// The frames of processes, so many.
pub fn pool(pages: usize) -> Result<&'static mut [[u8; PAGE]], Error> {
    for (number, first) in (0..pages).step_by(POOL_PART).enumerate() {
        let (part, count) = (Frames::at(POOL_PLACE + number as u32), POOL_PART.min(pages - first));
        map(part, POOL + first * PAGE, count, Rights::READ | Rights::WRITE)?;
    }
    // SAFETY: these frames were mapped just now and stay for ever. Processes have them too, but none runs while this server does,
    // and nothing here relies on what they hold.
    Ok(unsafe { slice::from_raw_parts_mut(POOL as *mut [u8; PAGE], pages) })
}

/// A page of the server's own that the kernel reads and writes threads' x87 and SSE state in.
pub struct VectorPage {
    /// Its frames.
    pub frames: Frames<Native>,
}

impl VectorPage {
    /// Called once.
    pub fn new() -> Result<Self, Error> {
        let frames = Factory::<Native>::at(FACTORY).create_frames(1)?;
        SELF.map(frames, VECTOR, 0, 1, Rights::READ | Rights::WRITE)?;
        Ok(Self { frames })
    }

    /// What it begins with.
    pub fn get(&self) -> Vector {
        // SAFETY: it was mapped for ever, and nobody else has it but the kernel, which touches it in calls of the server's only.
        unsafe { (VECTOR as *const Vector).read_volatile() }
    }

    /// Changes that.
    pub fn set(&mut self, state: &Vector) {
        // SAFETY: as above.
        unsafe { (VECTOR as *mut Vector).write_volatile(*state) };
    }
}

/// The frames that are shared with the disk's server, so many.
pub fn disk(pages: usize) -> Result<&'static mut [[u8; PAGE]], Error> {
    map(Frames::at(DISK_FRAMES), DISK, pages, Rights::READ | Rights::WRITE)?;
    // SAFETY: these frames were mapped just now and stay for ever. The disk writes there, but nobody looks at a buffer before it says that it is done with that, and
    // nothing here relies on what they hold.
    Ok(unsafe { slice::from_raw_parts_mut(DISK as *mut [u8; PAGE], pages) })
}

/// The words of the rings that are shared with it.
pub fn disk_rings() -> Result<&'static [AtomicU32], Error> {
    SELF.map(Frames::at(DISK_RINGS), RINGS, 0, 1, Rights::READ | Rights::WRITE)?;
    // SAFETY: the page was mapped just now and stays for ever; words that are atomic may be anything, and change at any time.
    Ok(unsafe { slice::from_raw_parts(RINGS as *const AtomicU32, WORDS) })
}

/// The boot archive.
pub fn archive(pages: usize) -> Result<&'static [u8], Error> {
    map(Frames::at(ARCHIVE_PLACE), ARCHIVE, pages, Rights::READ)?;
    // SAFETY: mapped just now, for ever, and nobody writes it.
    Ok(unsafe { slice::from_raw_parts(ARCHIVE as *const u8, pages * PAGE) })
}

/// Maps frames here, by large pages as far as they go.
fn map(frames: Frames<Native>, address: Word, pages: usize, rights: Rights) -> Result<(), Error> {
    let large = pages / LARGE_PAGES;
    let mut done = 0;
    if large > 0 && SELF.map_pages(frames, address, 0, large as u16, rights, LARGE).is_ok() {
        done = large * LARGE_PAGES;
    }
    if pages > done {
        let first = u16::try_from(done).map_err(|_| Error::BadArgument)?;
        let count = u16::try_from(pages - done).map_err(|_| Error::BadArgument)?;
        SELF.map(frames, address + done * PAGE, first, count, rights)?;
    }
    Ok(())
}
