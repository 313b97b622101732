//! All memories. A process has one of its own, but for one that was made to share that of who made it.

use alloc::vec::Vec;

use syscalls::Errno;

use super::{Access, Memory, PAGE, Pool};
use crate::machine::Machine;

/// The place of a memory.
pub type Place = usize;

struct Held<S> {
    memory: Memory<S>,
    /// How many processes have it.
    holders: u32,
}

/// Memories by their places.
pub struct Memories<S>(Vec<Option<Held<S>>>);

impl<S> Default for Memories<S> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<S: Copy> Memories<S> {
    /// One more, which one process has.
    pub fn add(&mut self, memory: Memory<S>) -> Place {
        let held = Some(Held { memory, holders: 1 });
        match self.0.iter().position(Option::is_none) {
            Some(place) => {
                self.0[place] = held;
                place
            }
            None => {
                self.0.push(held);
                self.0.len() - 1
            }
        }
    }

    /// One more process has it.
    pub fn hold(&mut self, place: Place) {
        self.held(place).holders += 1;
    }

    /// One process fewer has it; the memory, if that was the last.
    pub fn release(&mut self, place: Place) -> Option<Memory<S>> {
        let held = self.held(place);
        held.holders -= 1;
        if held.holders == 0 { self.0[place].take().map(|held| held.memory) } else { None }
    }

    /// Whether several processes have it.
    pub fn is_shared(&mut self, place: Place) -> bool {
        self.held(place).holders > 1
    }

    /// A memory that a process has.
    pub fn get(&self, place: Place) -> &Memory<S> {
        &self.0[place].as_ref().expect("the memory of a process is there").memory
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, place: Place) -> &mut Memory<S> {
        &mut self.held(place).memory
    }

    /// Copies bytes from one memory to another, or within one; whether they could be written, else some may be there.
    ///
    /// # Errors
    /// `EFAULT` where they cannot be read.
    pub fn copy<M: Machine<Space = S>>(
        &mut self,
        (source, mut from): (Place, u64),
        (target, mut to): (Place, u64),
        length: usize,
        pool: &mut Pool,
        machine: &mut M,
    ) -> Result<bool, Errno> {
        let end = from.checked_add(length as u64).ok_or(Errno::EFAULT)?;
        if to.checked_add(length as u64).is_none() {
            return Ok(false);
        }
        while from < end {
            let (read, write) = (from % PAGE, to % PAGE);
            let source = self.get_mut(source).bring(from - read, Access::Read, pool, machine);
            let (source, _) = source.map_err(|error| if error == Errno::ENXIO { Errno::EFAULT } else { error })?;
            let Ok((target, _)) = self.get_mut(target).bring(to - write, Access::Write, pool, machine) else {
                return Ok(false);
            };
            let count = (end - from).min(PAGE - read.max(write));
            pool.copy_bytes((source, read as usize), (target, write as usize), count as usize);
            (from, to) = (from + count, to + count);
        }
        Ok(true)
    }

    fn held(&mut self, place: Place) -> &mut Held<S> {
        self.0[place].as_mut().expect("the memory of a process is there")
    }
}
