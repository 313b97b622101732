//! What a message carries besides its words: a capability, a string of bytes.
//!
//! A sender names both in words of its message, a receiver has said beforehand where they are to arrive ([`Accept`]). All is checked
//! anew in each step and nothing but bytes of the receiver's own range is written before the last one. So whoever goes, or changes
//! its mind, leaves nothing half done.

use lilliput_abi::error::Error;
use lilliput_abi::layout::{HOST_START, USER_START};
use lilliput_abi::tag::carried;
use lilliput_abi::{Rights, Selector};
use x86_64::structures::paging::PageTableFlags;
use x86_64::{PhysAddr, VirtAddr};

use super::message::Message;
use crate::capability::Capability;
use crate::frames::Frame;
use crate::machine::Machine;
use crate::slab::Index;
use crate::thread::{Fault, Kind, Thread};

/// Bytes of a string that are copied before interrupts have their turn.
pub const STEP: u32 = 32 << 10;

const PAGE: u64 = Frame::SIZE;
const PAGE_FAULT: u8 = 14;

/// Error codes of page faults (Intel SDM vol. 3, 4.7).
mod code {
    pub const PRESENT: u32 = 1;
    pub const WRITE: u32 = 2;
    pub const USER: u32 = 4;
}

/// Where what messages to a thread carry arrives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accept {
    /// Place of its task's table; 0 for no capability.
    pub place: u32,
    /// The most bytes of a string.
    pub length: u32,
    /// Where they begin, as its task sees it.
    pub address: u64,
}

/// How far a string has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Transfer {
    /// Of a thread that waits in the middle of a string: which.
    pub of: Option<Part>,
    /// Bytes of it that are there.
    pub done: u32,
    /// Of a thread that copies: whoever was told of a missing page did not give it.
    pub refused: bool,
}

/// Whose string a thread waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Its own message is under way to its server.
    Message,
    /// Its server's answer is under way to it.
    Answer,
}

/// How memory of tasks is reached.
#[derive(Clone, Copy)]
pub struct Pages {
    /// The page of a root at an address, of whatever size: the frame with the address, and its entry's flags.
    pub find: fn(Frame, VirtAddr) -> Option<(Frame, PageTableFlags)>,
    /// Copies bytes within one page each, which may overlap.
    pub copy: fn(PhysAddr, PhysAddr, usize),
}

impl Pages {
    /// No memory: nothing is mapped anywhere.
    pub const NONE: Self = Self { find: |_, _| None, copy: |_, _, _| {} };
}

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The message is delivered.
    Whole,
    /// There is more to copy.
    Part,
    /// A page is missing.
    Lacks(Lack),
}

/// A page that is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lack {
    /// Whose.
    pub of: Index<Thread>,
    /// The page fault that the thread's own access would be.
    pub fault: Fault,
}

/// Says where what messages to the running thread carry is to arrive: its first words.
///
/// # Errors
/// `BadArgument` for a place outside the table and a length of more than 32 bits, `Occupied`, `BadAddress`.
pub fn accept(machine: &mut Machine, index: Index<Thread>) -> Result<(), Error> {
    let thread = &machine.threads[index];
    let [place, address, length] = [0, 1, 2].map(|at| thread.word(at));
    let task = &machine.tasks[thread.task];
    let place = u32::try_from(place).ok().filter(|&place| place < task.capabilities.places());
    let (place, length) = place.zip(u32::try_from(length).ok()).ok_or(Error::BadArgument)?;
    if !task.capabilities.get(place).is_null() {
        return Err(Error::Occupied);
    }
    if length != 0 {
        linear(machine, index, address, length)?;
    }
    machine.threads[index].accept = Accept { place, address, length };
    Ok(())
}

/// Whether an operation of this thread may carry a capability to another task, or take one.
pub fn may_carry(thread: &Thread, selector: Selector) -> bool {
    selector.carries() || thread.accept.place != 0 && selector.operation().is_some_and(|operation| operation.receives())
}

/// Carries what a message says, a step of it. The message becomes what arrives. `bound` is the one of the two who waits for the other.
///
/// # Errors
/// The sender's: `BadCapability`, `NoRight`, `BadArgument`, `BadAddress`, `Unaccepted`. Then nothing was done.
pub(super) fn carry(
    machine: &mut Machine,
    [from, to, bound]: [Index<Thread>; 3],
    message: &mut Message,
) -> Result<Progress, Error> {
    let flags = message.carries.unwrap_or(0);
    let accept = machine.threads[to].accept;
    let capability = if flags & carried::CAPABILITY != 0 { Some(derive(machine, from, to)?) } else { None };
    if flags & carried::STRING != 0 {
        let [address, length] = [carried::ADDRESS_WORD, carried::LENGTH_WORD].map(|at| machine.threads[from].word(at));
        let length = u32::try_from(length).ok().filter(|&length| length <= accept.length).ok_or(Error::Unaccepted)?;
        match copy(machine, [(from, address), (to, accept.address)], bound, length)? {
            Progress::Whole => {}
            unfinished => return Ok(unfinished),
        }
        message.words[carried::ADDRESS_WORD] = accept.address;
        message.words[carried::LENGTH_WORD] = u64::from(length);
    }
    if let Some((place, capability)) = capability {
        let [giver, taker] = [from, to].map(|thread| machine.threads[thread].task);
        if let Some(place) = place {
            machine.tasks[giver].capabilities.remove(place)?;
        }
        machine.tasks[taker].capabilities.insert(accept.place, capability)?;
        message.words[carried::CAPABILITY_WORD] = u64::from(accept.place);
    }
    Ok(Progress::Whole)
}

/// The capability that a thread's message carries, and the place that it leaves if it does.
fn derive(machine: &Machine, from: Index<Thread>, to: Index<Thread>) -> Result<(Option<u32>, Capability), Error> {
    let (sender, receiver) = (&machine.threads[from], &machine.threads[to]);
    let word = u32::try_from(sender.word(carried::CAPABILITY_WORD)).map_err(|_| Error::BadArgument)?;
    let (place, moved) = (word & lilliput_abi::operation::INDEX_MASK, word & carried::MOVED != 0);
    let rights = Rights::from_bits_truncate((word >> carried::RIGHTS_SHIFT) as u8);
    let source = machine.tasks[sender.task].capabilities.named(place)?;
    let derived = source.derive(rights, 0)?;
    // Threads may wait by it. They would have to be ended in the middle of this.
    if moved && source.rights().contains(Rights::RECEIVE) {
        return Err(Error::BadArgument);
    }
    let wanted = receiver.accept.place;
    let free = wanted != 0 && machine.tasks[receiver.task].capabilities.get(wanted).is_null();
    if free { Ok((moved.then_some(place), derived)) } else { Err(Error::Unaccepted) }
}

/// Copies bytes, from where the last step ended on.
fn copy(
    machine: &mut Machine,
    sides: [(Index<Thread>, u64); 2],
    bound: Index<Thread>,
    length: u32,
) -> Result<Progress, Error> {
    if length == 0 {
        return Ok(Progress::Whole);
    }
    // What the receiver has named it had once; that it has not any more is no reason for an error of its own.
    let from = linear(machine, sides[0].0, sides[0].1, length)?;
    let to = linear(machine, sides[1].0, sides[1].1, length).map_err(|_| Error::Unaccepted)?;
    let first = machine.threads[bound].transfer.done.min(length);
    let mut done = first;
    let lack = loop {
        if done == length || done - first >= STEP {
            break None;
        }
        let found = [(from, 0), (to, code::WRITE)]
            .map(|(start, access)| page(machine, sides[usize::from(access != 0)].0, start + u64::from(done), access));
        let [from_page, to_page] = match found {
            [Ok(from), Ok(to)] => [from, to],
            [Err(code), _] => break Some((0, code)),
            [_, Err(code)] => break Some((1, code)),
        };
        let room = [from_page, to_page].map(|at| PAGE - at.as_u64() % PAGE).into_iter().fold(PAGE, u64::min);
        let bytes = room.min(u64::from(length - done)).min(u64::from(STEP - (done - first)));
        (machine.pages.copy)(from_page, to_page, bytes as usize);
        done += bytes as u32;
    };
    machine.threads[bound].transfer.done = done;
    Ok(match lack {
        None if done == length => Progress::Whole,
        None => Progress::Part,
        Some((side, code)) => {
            let (of, start) = sides[side];
            let fault = Fault { vector: PAGE_FAULT, code, address: start + u64::from(done) };
            Progress::Lacks(Lack { of, fault })
        }
    })
}

/// Where a byte of a thread's memory is, or the error code of the page fault that an access would be.
fn page(machine: &Machine, thread: Index<Thread>, address: VirtAddr, access: u32) -> Result<PhysAddr, u32> {
    let task = machine.threads[thread].task;
    let mut needed = PageTableFlags::PRESENT | PageTableFlags::USER_ACCESSIBLE;
    needed.set(PageTableFlags::WRITABLE, access & code::WRITE != 0);
    match (machine.pages.find)(machine.tasks[task].space.root(), address) {
        None => Err(code::USER | access),
        // A device's memory is not in the map of physical memory, and reading it may do something.
        Some((frame, flags)) if flags.contains(needed) && !flags.contains(PageTableFlags::NO_CACHE) => {
            Ok(frame.start() + address.as_u64() % PAGE)
        }
        Some(_) => Err(code::USER | code::PRESENT | access),
    }
}

/// The linear address of a range of bytes, at least one, of a thread's task.
fn linear(machine: &Machine, thread: Index<Thread>, address: u64, length: u32) -> Result<VirtAddr, Error> {
    let task = &machine.tasks[machine.threads[thread].task];
    let lowest = if task.kind == Kind::Host { HOST_START } else { USER_START };
    let end = address.checked_add(u64::from(length)).ok_or(Error::BadAddress)?;
    if address < lowest || end > task.space.size {
        return Err(Error::BadAddress);
    }
    VirtAddr::try_new(task.space.base + address).map_err(|_| Error::BadAddress)
}
