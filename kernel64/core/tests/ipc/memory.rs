//! Memory of tasks, emulated: pages of roots, and frames.

use std::cell::RefCell;
use std::collections::BTreeMap;

use lilliput_core::frames::Frame;
use lilliput_core::ipc::carry::Pages;
use x86_64::structures::paging::PageTableFlags;
use x86_64::{PhysAddr, VirtAddr};

const PAGE: u64 = Frame::SIZE;

/// What a test has mapped, and what the frames hold.
#[derive(Default)]
struct Memory {
    pages: BTreeMap<(u64, u64), (Frame, PageTableFlags)>,
    frames: BTreeMap<u64, Vec<u8>>,
}

thread_local! {
    static MEMORY: RefCell<Memory> = RefCell::default();
}

/// The emulated memory of this test's thread.
pub const PAGES: Pages = Pages { find, copy };

fn find(root: Frame, address: VirtAddr) -> Option<(Frame, PageTableFlags)> {
    MEMORY.with_borrow(|memory| memory.pages.get(&(root.start().as_u64(), address.as_u64() / PAGE)).copied())
}

fn copy(from: PhysAddr, to: PhysAddr, bytes: usize) {
    let (from, to, bytes) = (from.as_u64(), to.as_u64(), bytes as u64);
    assert!(from % PAGE + bytes <= PAGE && to % PAGE + bytes <= PAGE, "more than a page");
    let copied = MEMORY.with_borrow(|memory| memory.frame(from)[(from % PAGE) as usize..][..bytes as usize].to_vec());
    MEMORY.with_borrow_mut(|memory| memory.put(to, &copied));
}

impl Memory {
    /// The frame with a physical address.
    fn frame(&self, address: u64) -> &[u8] {
        &self.frames[&(address / PAGE)]
    }

    /// Writes bytes within a frame.
    fn put(&mut self, address: u64, bytes: &[u8]) {
        let frame = self.frames.get_mut(&(address / PAGE)).expect("a frame that is mapped somewhere");
        frame[(address % PAGE) as usize..][..bytes.len()].copy_from_slice(bytes);
    }
}

/// Forgets all.
pub fn clear() {
    MEMORY.take();
}

/// Maps a new frame at an address of a root, in place of what was there.
pub fn map(root: Frame, address: u64, flags: PageTableFlags) {
    MEMORY.with_borrow_mut(|memory| {
        let number = memory.frames.len() as u64 + 1;
        memory.frames.insert(number, vec![0; PAGE as usize]);
        let frame = Frame::containing(PhysAddr::new(number * PAGE));
        memory.pages.insert((root.start().as_u64(), address / PAGE), (frame, flags));
    });
}

fn physical(root: Frame, address: u64) -> u64 {
    let (frame, _) = find(root, VirtAddr::new(address)).expect("a page that is mapped");
    frame.start().as_u64() + address % PAGE
}

/// The parts of a range that lie within one page each: address and length.
fn parts(address: u64, length: u64) -> impl Iterator<Item = (u64, u64)> {
    let end = address + length;
    let starts = core::iter::successors(Some(address), |at| Some(at / PAGE * PAGE + PAGE));
    starts.take_while(move |&at| at < end).map(move |at| (at, (at / PAGE * PAGE + PAGE).min(end) - at))
}

/// Writes bytes where pages are mapped.
pub fn write(root: Frame, address: u64, bytes: &[u8]) {
    for (at, length) in parts(address, bytes.len() as u64) {
        let bytes = &bytes[(at - address) as usize..][..length as usize];
        let at = physical(root, at);
        MEMORY.with_borrow_mut(|memory| memory.put(at, bytes));
    }
}

/// The bytes there.
pub fn read(root: Frame, address: u64, length: u64) -> Vec<u8> {
    let part = |(at, length)| {
        let at = physical(root, at);
        MEMORY.with_borrow(|memory| memory.frame(at)[(at % PAGE) as usize..][..length as usize].to_vec())
    };
    parts(address, length).flat_map(part).collect()
}

/// Unmaps a page; what was there.
pub fn unmap(root: Frame, address: u64) -> Option<(Frame, PageTableFlags)> {
    MEMORY.with_borrow_mut(|memory| memory.pages.remove(&(root.start().as_u64(), address / PAGE)))
}

/// Maps again what was unmapped.
pub fn put_back(root: Frame, address: u64, page: (Frame, PageTableFlags)) {
    MEMORY.with_borrow_mut(|memory| memory.pages.insert((root.start().as_u64(), address / PAGE), page));
}
