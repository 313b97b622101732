//! Tasks: protection domains.

use lilliput_abi::object::{TaskMethod, map_range};
use lilliput_abi::{Error, Rights};

use super::{Frames, capability};
use crate::invoke::{Invoke, call};
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

impl<K: Invoke> Task<K> {
    /// Maps `count` pages of `frames`, from page `first` on, at `address`.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn map(self, frames: Frames<K>, address: Word, first: u16, count: u16, rights: Rights) -> Result<(), Error> {
        let words = [frames.place() as Word, address, map_range(first, count) as Word, rights.bits() as Word];
        self.method(TaskMethod::Map, &words).map(drop)
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

    /// Makes `endpoint` (a place of the caller's) hear of the task's faults, under `badge`.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn set_fault_handler(self, endpoint: u32, badge: u32) -> Result<(), Error> {
        self.method(TaskMethod::SetFaultHandler, &[endpoint as Word, badge as Word]).map(drop)
    }

    /// What it is.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn info(self) -> Result<TaskInfo, Error> {
        let [kind, isolation, base, size] = self.method(TaskMethod::Info, &[])?.words[..4] else { unreachable!() };
        Ok(TaskInfo { kind: kind as u64, isolation: isolation as u64, base, size })
    }

    fn method(self, method: TaskMethod, words: &[Word]) -> Result<Message, Error> {
        call::<K>(self.place(), method as u16, words)
    }
}
