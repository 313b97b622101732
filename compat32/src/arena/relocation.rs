//! A space that becomes another one while its task lives: larger, elsewhere, in another mode, in another arena.
//!
//! Its page-directory entries move, and with them the page tables below, which belong to it alone; no page is
//! touched, nothing is copied, and its addresses stay what they are. Everything that can fail happens in
//! [`Arena::prepare`], which changes nothing that anybody sees. Then [`Relocation::carry_out`] moves the entries, and
//! [`Arena::finish`] gives back what the space had before.
//!
//! Who pays may change with the root: `prepare` is given the memory of who will pay, `finish` that of who did.

use lilliput_abi::{Error, Isolation};
use lilliput_core::frames::Frame;
use lilliput_core::paging::{self, TableMemory, shift};
use x86_64::VirtAddr;

use super::{Arena, HOST_P4, PlacedSpace, SLOTS_P4, drop_root, map_error};
use crate::slots::Slot;
use crate::space::{SmallSpace, is_valid_size, units};

#[cfg(test)]
mod tests;

/// Directories of the 4 GiB that slots are in.
const DIRECTORIES: usize = 4;

/// Page tables, and who pays for them.
pub trait PaidMemory: TableMemory {
    /// Charges tables that were paid for by somebody else until now; false where the quota does not allow it.
    fn charge(&mut self, tables: u64) -> bool;
    /// Gives the charge of tables back that somebody else pays for from now on.
    fn refund(&mut self, tables: u64);
}

/// Where a space is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a slot: the one it has if that can be long enough, else another.
    Slot,
    /// In its slot, which slides down over the hole before it.
    Down,
    /// In no slot of the arena, alone in a root of its own: a large task.
    Alone,
}

/// What a space is to become. It does not get smaller: see [`Arena::shrink_step`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Its size in bytes.
    pub size: u64,
    /// The mode that is to be in force, as [`Arena::isolation`] says; not `Auto`.
    pub isolation: Isolation,
    /// Where.
    pub place: Place,
}

/// A change of a space that was prepared.
#[derive(Debug)]
#[must_use]
pub struct Relocation {
    from: PlacedSpace,
    to: PlacedSpace,
    /// Whether it stays in its arena.
    member: bool,
    /// The root of the arena that it will be in.
    arena_root: Frame,
    /// Tables that somebody else pays for afterwards.
    tables: u64,
}

impl Relocation {
    /// What the space becomes.
    pub const fn to(&self) -> &PlacedSpace {
        &self.to
    }

    /// Whether something is mapped elsewhere afterwards than before, so that the TLB must forget the old root's entries.
    pub fn moves(&self) -> bool {
        self.source() != self.target() || !self.member
    }

    /// Moves the page-directory entries. No CPU may use the old root's entries of the space afterwards before it has
    /// flushed them, and none may have the old root loaded if it was the space's own.
    pub fn carry_out(&self, memory: &mut impl TableMemory) {
        shift::shift(memory, self.source(), self.target(), self.from.space.slot().units().into());
        if self.to.owns_root() && !self.member {
            // The host of the other arena, in place of this one's.
            paging::share_p4(memory, self.arena_root, self.to.root, HOST_P4..HOST_P4 + 1);
        }
    }

    fn source(&self) -> shift::Place {
        entries(&self.from)
    }

    fn target(&self) -> shift::Place {
        entries(&self.to)
    }

    /// Whether the old slot's units became the new one's when it was prepared.
    const fn exchanged(&self) -> bool {
        self.member && !self.from.large && !self.to.large
    }
}

fn entries(placed: &PlacedSpace) -> shift::Place {
    shift::Place { root: placed.root, start: VirtAddr::new_truncate(placed.space.slot().start()) }
}

impl Arena {
    /// Prepares that a space becomes another one, in this arena: finds a place, makes the root and directories that it
    /// needs and charges what will be paid for by somebody else. `member` says whether it is in this arena already.
    ///
    /// # Errors
    /// `BadArgument` for a size that it can't have, `NoHole`, `NoMemory`. Nothing is changed, except that directories
    /// made for it may stay where the root stays.
    pub fn prepare(
        &mut self,
        memory: &mut impl PaidMemory,
        from: &PlacedSpace,
        member: bool,
        wanted: Wanted,
    ) -> Result<Relocation, Error> {
        let alone = wanted.place == Place::Alone;
        if !is_valid_size(wanted.size) || wanted.size < from.space.size() {
            return Err(Error::BadArgument);
        }
        if wanted.isolation == Isolation::Auto || alone && wanted.isolation == Isolation::Segment {
            return Err(Error::BadArgument);
        }
        let space = self.find_place(from, member, &wanted)?;
        let to = PlacedSpace { space, isolation: wanted.isolation, root: from.root, large: alone, domain: from.domain };
        let mut relocation = Relocation { from: *from, to, member, arena_root: self.root, tables: 0 };
        match self.prepare_root(memory, &mut relocation) {
            Ok(()) => {
                self.enter(&relocation.to);
                Ok(relocation)
            }
            Err(error) => {
                self.give_up_place(&relocation);
                Err(error)
            }
        }
    }

    /// Gives back what the space had before: root, slot, charge. To be called on the arena that it was in.
    pub fn finish(&mut self, memory: &mut impl PaidMemory, relocation: Relocation) -> PlacedSpace {
        let Relocation { from, to, tables, .. } = relocation;
        memory.refund(tables);
        if from.owns_root() && from.root != to.root {
            free_emptied_root(memory, from.root);
        }
        if !from.large && !relocation.exchanged() {
            self.slots.free(from.space.slot());
        }
        self.leave(&from);
        to
    }

    fn find_place(&mut self, from: &PlacedSpace, member: bool, wanted: &Wanted) -> Result<SmallSpace, Error> {
        let (old, units) = (from.space.slot(), units(wanted.size, from.space.colour()));
        let holds = member && !from.large;
        let slot = match wanted.place {
            Place::Alone => Slot::lowest(units),
            Place::Slot if holds => self.slots.reallocate(old, units),
            Place::Slot => self.slots.allocate(units),
            Place::Down => (holds && units <= old.units()).then(|| self.slots.slide_down(old)),
        };
        let slot = slot.ok_or(Error::NoHole)?;
        from.space.moved(slot, wanted.size).ok_or(Error::BadArgument)
    }

    /// Undoes [`Arena::find_place`].
    fn give_up_place(&mut self, relocation: &Relocation) {
        let (from, to) = (&relocation.from, &relocation.to);
        if relocation.exchanged() {
            self.slots.exchange(to.space.slot(), from.space.slot());
        } else if !to.large {
            self.slots.free(to.space.slot());
        }
    }

    /// Settles the root, makes its directories, and charges the tables that move to it.
    fn prepare_root(&mut self, memory: &mut impl PaidMemory, relocation: &mut Relocation) -> Result<(), Error> {
        let from = relocation.from;
        let made = relocation.to.owns_root() && !from.owns_root();
        relocation.to.root = match relocation.to.isolation {
            Isolation::Segment => self.root,
            _ if made => self.private_root(memory).ok_or(Error::NoMemory)?,
            _ => from.root,
        };
        let (source, target) = (relocation.source(), relocation.target());
        if source == target {
            return Ok(());
        }
        let reserved = shift::reserve(memory, source, target, from.space.slot().units().into());
        let charged = reserved.map_err(map_error).and_then(|tables| {
            relocation.tables = if source.root == target.root { 0 } else { tables };
            if memory.charge(relocation.tables) { Ok(()) } else { Err(Error::NoMemory) }
        });
        if charged.is_err() && made {
            free_emptied_root(memory, relocation.to.root);
        }
        charged
    }
}

/// Frees a root of a space that has nothing in it, with the directories of its slots.
fn free_emptied_root(memory: &mut impl TableMemory, root: Frame) {
    shift::free_emptied(memory, root, SLOTS_P4.start, DIRECTORIES);
    drop_root(memory, root);
}
