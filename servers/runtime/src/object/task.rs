//! Tasks: protection domains.

use lilliput_abi::layout::PAGE_SIZE;
use lilliput_abi::object::{TaskMethod, map_range, move_range, resize};
use lilliput_abi::{Error, Isolation, Operation, Rights};

use super::{Arena, Frames, capability};
use crate::invoke::{Invoke, call, invoke};
use crate::message::{Message, Word};

capability! {
    /// A task.
    Task
}

/// What a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskInfo {
    /// One of [`lilliput_abi::object::kind`].
    pub kind: u64,
    /// Its isolation, as a number.
    pub isolation: u64,
    /// Linear address of its address zero.
    pub base: Word,
    /// Its size.
    pub size: Word,
}

/// Why and where mapping stopped: the pages before that address are mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapStopped {
    /// What the kernel said.
    pub error: Error,
    /// Of the first page that was not mapped.
    pub address: Word,
}

/// What a task is after [`Task::resize`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resized {
    /// Its size.
    pub size: Word,
    /// Linear address of its address zero.
    pub base: Word,
    /// Its isolation, as a number.
    pub isolation: u64,
}

impl<K: Invoke> Task<K> {
    /// Maps `count` pages of `frames`, from page `first` on, at `address`: all of them or none.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn map(self, frames: Frames<K>, address: Word, first: u16, count: u16, rights: Rights) -> Result<(), Error> {
        self.map_pages(frames, address, first, count, rights, 0).map_err(|stopped| {
            let mapped = stopped.address.wrapping_sub(address) / PAGE_SIZE as Word;
            if (1..Word::from(count)).contains(&mapped) {
                // These pages were mapped just now: this can't fail.
                let _ = self.unmap(address, mapped);
            }
            stopped.error
        })
    }

    /// The same with flags of [`lilliput_abi::object::map`], where `first` and `count` are in pages of the size that those say.
    ///
    /// # Errors
    /// What the kernel says, and how far it got.
    pub fn map_pages(
        self,
        frames: Frames<K>,
        address: Word,
        first: u16,
        count: u16,
        rights: Rights,
        flags: u32,
    ) -> Result<(), MapStopped> {
        let how = u32::from(rights.bits()) | flags;
        let words = [frames.place() as Word, address, map_range(first, count) as Word, how as Word];
        let mut message = Message::new(TaskMethod::Map as u16, &words);
        invoke::<K>(Operation::Call, self.place(), &mut message)
            .map(drop)
            .map_err(|error| MapStopped { error, address: message.words[1] })
    }

    /// Moves `count` pages of `frames` at `address` to another task, or another place of this one.
    ///
    /// # Errors
    /// What the kernel says; what was moved before stays so.
    pub fn move_pages(
        self,
        frames: Frames<K>,
        address: Word,
        count: u16,
        to: Self,
        to_address: Word,
    ) -> Result<(), Error> {
        let range = move_range(address as u64, count) as Word;
        self.method(TaskMethod::Move, &[frames.place() as Word, range, to.place() as Word, to_address]).map(drop)
    }

    /// Unmaps `count` pages at `address`.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn unmap(self, address: Word, count: usize) -> Result<(), Error> {
        self.method(TaskMethod::Unmap, &[address, count]).map(drop)
    }

    /// Copies the caller's capability at `from` into the task, at `place` (0: any).
    ///
    /// # Errors
    /// What the kernel says.
    pub fn grant(self, from: u32, rights: Rights, badge: u32, place: u32) -> Result<u32, Error> {
        let words = [from as Word, rights.bits() as Word, badge as Word, place as Word];
        self.method(TaskMethod::Grant, &words).map(|answer| answer.words[0] as u32)
    }

    /// Deletes the capability at a place of the task's table.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn delete(self, place: u32) -> Result<(), Error> {
        self.method(TaskMethod::Delete, &[place as Word]).map(drop)
    }

    /// Takes from all tasks, this one included, what was derived from the capability at a place of this task's, which stays: those with its badge
    /// or, where it has none, with this one, or all for 0.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn revoke(self, place: u32, badge: u32) -> Result<(), Error> {
        self.method(TaskMethod::Revoke, &[place as Word, badge as Word]).map(drop)
    }

    /// How many capabilities it has, and how many it can have; as many as `wanted` at least, as long as it has none and no threads.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn places(self, wanted: Word) -> Result<(Word, Word), Error> {
        self.method(TaskMethod::Places, &[wanted]).map(|answer| (answer.words[0], answer.words[1]))
    }

    /// Makes `endpoint` (a place of the caller's) hear of the task's faults, under `badge`.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn set_fault_handler(self, endpoint: u32, badge: u32) -> Result<(), Error> {
        self.method(TaskMethod::SetFaultHandler, &[endpoint as Word, badge as Word]).map(drop)
    }

    /// Sets the highest priority that the task can give to a thread.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn set_ceiling(self, priority: u8) -> Result<(), Error> {
        self.method(TaskMethod::SetCeiling, &[priority as Word]).map(drop)
    }

    /// The same, and the largest budget: so many microseconds of each period of so many.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn set_ceilings(self, priority: u8, microseconds: u32, period: u32) -> Result<(), Error> {
        let words = [priority as Word, microseconds as Word, period as Word];
        self.method(TaskMethod::SetCeiling, &words).map(drop)
    }

    /// What it is.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn info(self) -> Result<TaskInfo, Error> {
        let [kind, isolation, base, size] = self.method(TaskMethod::Info, &[])?.words[..4] else { unreachable!() };
        Ok(TaskInfo { kind: kind as u64, isolation: isolation as u64, base, size })
    }

    /// Makes a small task's space larger or smaller, and says what it is now. `may_be_large`: whether it may leave
    /// its arena's slots for a root of its own.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn resize(self, size: Word, may_be_large: bool) -> Result<Resized, Error> {
        self.resize_to(size, if may_be_large { resize::ANYWHERE } else { resize::IN_SLOT })
    }

    /// Makes it larger outside of its arena's slots, in a root of its own, even if there is a hole for it.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn resize_alone(self, size: Word) -> Result<Resized, Error> {
        self.resize_to(size, resize::ALONE)
    }

    fn resize_to(self, size: Word, place: u64) -> Result<Resized, Error> {
        let answer = self.method(TaskMethod::Resize, &[size, place as Word])?;
        let [size, base, isolation, ..] = answer.words;
        Ok(Resized { size, base, isolation: isolation as u64 })
    }

    /// Gives a small task another isolation; says which is in force.
    ///
    /// # Errors
    /// What the kernel says; [`Error::Unsupported`] for an isolation that this boot refuses.
    pub fn set_isolation(self, isolation: Isolation) -> Result<Isolation, Error> {
        let answer = self.method(TaskMethod::SetIsolation, &[isolation as Word])?;
        Ok(Isolation::from_number(answer.words[0] as u64).unwrap_or(Isolation::Auto))
    }

    /// Puts a small task into a slot of an arena; says where its address 0 is now.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn move_to(self, arena: Arena<K>, isolation: Isolation) -> Result<Word, Error> {
        self.method(TaskMethod::MoveSpace, &[arena.place() as Word, isolation as Word]).map(|answer| answer.words[0])
    }

    fn method(self, method: TaskMethod, words: &[Word]) -> Result<Message, Error> {
        call::<K>(self.place(), method as u16, words)
    }
}
