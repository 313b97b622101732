//! Slots: the linear space of an arena below 4 GiB, in units of 2 MiB.
//!
//! A unit is what one page-directory entry maps, so the page tables of a slot belong to it alone, and a slot
//! moves by moving those entries. One bit for each unit says whether it is taken.
//!
//! A new slot goes into the smallest hole that fits, the lowest of equals (best fit). Room to grow
//! behind a slot is worth little here, since a slot that can't grow in place moves without copying; big
//! holes are what only big requests can use, so small ones leave them alone.

use lilliput_abi::layout::SLOT_UNIT;

#[cfg(test)]
mod tests;

/// First unit that a slot may have: 4 MiB are a guard for null pointers and for offsets that wrap.
pub const FIRST_UNIT: u16 = 2;
/// End of the units that a slot may have: the last 4 MiB below 4 GiB are a guard.
pub const END_UNIT: u16 = 2046;
/// Units that slots may have in all.
pub const UNITS: u16 = END_UNIT - FIRST_UNIT;

const WORDS: usize = 2048 / 64;

const _: () = assert!(UNITS as u64 * SLOT_UNIT == lilliput_abi::layout::MAX_SMALL_SIZE);

/// A contiguous range of units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    first: u16,
    units: u16,
}

impl Slot {
    /// Its first unit, counted from linear address 0.
    pub const fn first(self) -> u16 {
        self.first
    }

    /// How many units it has.
    pub const fn units(self) -> u16 {
        self.units
    }

    /// Linear address of its first byte.
    pub const fn start(self) -> u64 {
        self.first as u64 * SLOT_UNIT
    }

    /// How many bytes it has.
    pub const fn bytes(self) -> u64 {
        self.units as u64 * SLOT_UNIT
    }

    /// The slot of so many units that is at the lowest place of all; `None` for more than there are.
    pub const fn lowest(units: u16) -> Option<Self> {
        if units == 0 || units > UNITS { None } else { Some(Self { first: FIRST_UNIT, units }) }
    }

    const fn end(self) -> u16 {
        self.first + self.units
    }
}

/// Which units of an arena are taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotMap {
    taken: [u64; WORDS],
    free: u16,
}

impl Default for SlotMap {
    fn default() -> Self {
        Self::new()
    }
}

impl SlotMap {
    /// All free but the guards.
    pub const fn new() -> Self {
        let mut taken = [0; WORDS];
        taken[0] = (1 << FIRST_UNIT) - 1;
        taken[WORDS - 1] = !0 << (END_UNIT % 64);
        Self { taken, free: UNITS }
    }

    /// Takes a slot of this many units.
    pub fn allocate(&mut self, units: u16) -> Option<Slot> {
        if units == 0 {
            return None;
        }
        let fitting = self.holes().filter(|hole| hole.units >= units);
        let first = fitting.min_by_key(|hole| hole.units)?.first;
        Some(self.take(Slot { first, units }))
    }

    /// Gives a slot back. Units that are free already stay as they are.
    pub fn free(&mut self, slot: Slot) {
        debug_assert!(self.is_all(slot.first, slot.end(), true), "{slot:?} is not taken");
        for (word, bits) in words(slot.first.max(FIRST_UNIT), slot.end().min(END_UNIT)) {
            self.free += (self.taken[word] & bits).count_ones() as u16;
            self.taken[word] &= !bits;
        }
    }

    /// Whether a slot could have this many units where it is.
    pub fn can_grow(&self, slot: Slot, units: u16) -> bool {
        let Some(end) = slot.first.checked_add(units) else { return false };
        units >= slot.units && end <= END_UNIT && self.is_all(slot.end(), end, false)
    }

    /// Makes a slot longer where it is, if it can be.
    pub fn grow(&mut self, slot: Slot, units: u16) -> Option<Slot> {
        if !self.can_grow(slot, units) {
            return None;
        }
        self.take(Slot { first: slot.end(), units: units - slot.units });
        Some(Slot { units, ..slot })
    }

    /// Makes a slot longer: where it is if it can be, else where [`SlotMap::allocate`] finds a hole, to which the slot
    /// itself may belong. Where there is none nothing changes.
    pub fn reallocate(&mut self, slot: Slot, units: u16) -> Option<Slot> {
        if let Some(longer) = self.grow(slot, units) {
            return Some(longer);
        }
        self.free(slot);
        let moved = self.allocate(units);
        if moved.is_none() {
            self.take(slot);
        }
        moved
    }

    /// Moves a slot down over the free units that lie right before it.
    pub fn slide_down(&mut self, slot: Slot) -> Slot {
        let free = (FIRST_UNIT..slot.first).rev().take_while(|&unit| !self.is_taken(unit)).count() as u16;
        self.exchange(slot, Slot { first: slot.first - free, ..slot })
    }

    /// Gives one slot back and takes another, all of whose units are then free.
    pub fn exchange(&mut self, from: Slot, to: Slot) -> Slot {
        self.free(from);
        debug_assert!(self.is_all(to.first, to.end(), false), "{to:?} is taken");
        self.take(to)
    }

    /// The slot behind the lowest hole: its first unit. `None` where all holes are one at the end.
    pub fn behind_first_hole(&self) -> Option<u16> {
        let hole = self.holes().next()?;
        (hole.end() < END_UNIT).then(|| hole.end())
    }

    /// Gives back all but the first `units` of a slot. It keeps at least one.
    pub fn shrink(&mut self, slot: Slot, units: u16) -> Slot {
        let units = units.clamp(1, slot.units);
        self.free(Slot { first: slot.first + units, units: slot.units - units });
        Slot { units, ..slot }
    }

    /// Units that are free, in whatever holes.
    pub const fn free_units(&self) -> u16 {
        self.free
    }

    /// Units of the largest hole: what a request can have without compaction.
    pub fn largest_hole(&self) -> u16 {
        self.holes().map(|hole| hole.units).max().unwrap_or(0)
    }

    /// The holes, in the order of their addresses.
    pub fn holes(&self) -> impl Iterator<Item = Slot> + '_ {
        let mut at = 0;
        core::iter::from_fn(move || {
            let first = self.next(at, false)?;
            at = self.next(first, true).unwrap_or(END_UNIT);
            Some(Slot { first, units: at - first })
        })
    }

    fn take(&mut self, slot: Slot) -> Slot {
        for (word, bits) in words(slot.first, slot.end()) {
            self.taken[word] |= bits;
        }
        self.free -= slot.units;
        slot
    }

    fn is_taken(&self, unit: u16) -> bool {
        self.taken[usize::from(unit / 64)] >> (unit % 64) & 1 == 1
    }

    fn is_all(&self, first: u16, end: u16, taken: bool) -> bool {
        words(first, end).all(|(word, bits)| self.taken[word] & bits == if taken { bits } else { 0 })
    }

    /// The first unit from `from` on that is taken, or free. Looks at 64 of them at a time.
    fn next(&self, from: u16, taken: bool) -> Option<u16> {
        let mut word = usize::from(from / 64);
        let mut ahead = !0 << (from % 64);
        while word < WORDS {
            let bits = if taken { self.taken[word] } else { !self.taken[word] } & ahead;
            if bits != 0 {
                return Some(word as u16 * 64 + bits.trailing_zeros() as u16);
            }
            word += 1;
            ahead = !0;
        }
        None
    }
}

/// Units, as bits of the words that they stand in.
fn words(first: u16, end: u16) -> impl Iterator<Item = (usize, u64)> {
    let mut at = first;
    core::iter::from_fn(move || {
        let units = 64.min(end.checked_sub(at)?).min(64 - at % 64);
        if units == 0 {
            return None;
        }
        let bits = !0 >> (64 - units) << (at % 64);
        let word = usize::from(at / 64);
        at += units;
        Some((word, bits))
    })
}
