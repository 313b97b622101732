//! All memories. A process has one of its own, but for one that was made to share that of who made it.

use alloc::vec::Vec;

use super::Memory;

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

    fn held(&mut self, place: Place) -> &mut Held<S> {
        self.0[place].as_mut().expect("the memory of a process is there")
    }
}
