//! Capabilities and the table of them that every task has.

use core::ops::Range;

use lilliput_abi::error::{CARRIED, ERROR_BIT};
use lilliput_abi::{Error, ObjectType, Rights};

use crate::slab::{self, ENDPOINT_BYTES, ENDPOINTS, Header, Key};

/// A name for an object: which, with what rights, under which badge. 16 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Capability {
    /// The object's place in the table of its type, as if it were the index of an endpoint: see [`Capability::number`].
    object: u32,
    /// What a receiver sees of whom it came from; the bits that a signal sets. Below 2^31.
    pub badge: u32,
    /// Generation, type and rights.
    pub key: Key,
}

const _: () = assert!(size_of::<Capability>() == 16);

impl Default for Capability {
    fn default() -> Self {
        Self::NULL
    }
}

impl Capability {
    /// No capability. What it names can be read, and is nobody's.
    pub const NULL: Self = Self { object: ENDPOINTS, badge: 0, key: 0 };
    /// Where a capability names its object, for the assembly of the fast path.
    pub const OBJECT_OFFSET: usize = core::mem::offset_of!(Self, object);

    /// A capability to the object with this number and header, with these rights and no badge.
    pub const fn new(number: u32, header: &Header, rights: Rights) -> Self {
        Self { object: ENDPOINTS + number * ENDPOINT_BYTES, badge: 0, key: header.key(rights) }
    }

    /// A capability to the one object of a type that has no table.
    pub const fn unique(object_type: ObjectType) -> Self {
        Self { key: slab::unique(object_type), ..Self::NULL }
    }

    /// The number of the object in the table of its type.
    pub const fn number(&self) -> u32 {
        (self.object - ENDPOINTS) / ENDPOINT_BYTES
    }

    /// Whether both name the same object.
    pub const fn names_object_of(&self, other: &Self) -> bool {
        self.object == other.object && slab::same_object(self.key, other.key)
    }

    /// Whether it is none: it is of no type. The rest of a place that is free is how its table finds it.
    pub const fn is_null(&self) -> bool {
        slab::type_number(self.key) == 0
    }

    /// What stands at a place that is free, between two others that are. No key of an endpoint equals the lower half of its own,
    /// which is all that the fast path looks at.
    const fn free(previous: u32, next: u32) -> Self {
        Self { badge: next, key: (previous as Key) << 1, ..Self::NULL }
    }

    /// The free place before a free one, and that after it.
    const fn neighbours(&self) -> (u32, u32) {
        ((self.key >> 1) as u32, self.badge)
    }

    /// Its rights.
    pub const fn rights(&self) -> Rights {
        slab::rights(self.key)
    }

    /// Whether its object is (or was) of this type.
    pub const fn is(&self, object_type: ObjectType) -> bool {
        slab::type_number(self.key) == object_type as u8
    }

    /// The same under this badge.
    pub(crate) const fn with_badge(&self, badge: u32) -> Self {
        Self { badge, ..*self }
    }

    /// Whether something derived from it may be wanted with this badge: any where it has none, else its own. 0 stands for its own.
    pub const fn may_have(&self, badge: u32) -> bool {
        let others = if self.is(ObjectType::Endpoint) { ERROR_BIT | CARRIED } else { ERROR_BIT };
        badge & others == 0 && (badge == 0 || self.badge == 0 || badge == self.badge)
    }

    /// A copy with fewer rights, and with a badge where this one has none.
    ///
    /// # Errors
    /// `NoRight` without the right to grant or for rights that this one lacks; `BadArgument` for a
    /// badge that would hide another, or that has bit 31 set or, of an endpoint, bit 30.
    pub fn derive(&self, rights: Rights, badge: u32) -> Result<Self, Error> {
        if !self.rights().contains(Rights::GRANT) || !self.rights().contains(rights) {
            return Err(Error::NoRight);
        }
        if rights == Rights::empty() || !self.may_have(badge) {
            return Err(Error::BadArgument);
        }
        let badge = if self.badge != 0 { self.badge } else { badge };
        Ok(Self { badge, key: slab::with_rights(self.key, rights), ..*self })
    }
}

/// A task's capabilities. Place 0 always holds none: it is where the ring of free places begins and ends.
#[derive(Default)]
pub struct CapabilityTable {
    places: &'static mut [Capability],
    used: u32,
    /// No place from here on ever held one. Tables are filled from the front, so that most of one is behind this.
    end: u32,
}

impl CapabilityTable {
    /// An empty table over these places, whatever they hold.
    pub fn new(places: &'static mut [Capability]) -> Self {
        let mut table = Self { places, used: 0, end: 0 };
        table.free_from(0);
        table
    }

    /// The same table over more places: `grown` makes of those that it has a slice that begins with them.
    pub fn grow(&mut self, grown: impl FnOnce(&'static mut [Capability]) -> &'static mut [Capability]) {
        let before = self.places();
        self.places = grown(core::mem::take(&mut self.places));
        self.free_from(before);
    }

    /// Frees all places from this one on, behind those that are free.
    fn free_from(&mut self, first: u32) {
        let (last, _) = if first == 0 { (0, 0) } else { self.get(0).neighbours() };
        let end = self.places();
        let mut previous = 0;
        for (place, free) in (first..end).zip(self.places.iter_mut().skip(first as usize)) {
            *free = Capability::free(previous, place + 1);
            previous = place;
        }
        if first < end {
            self.link(end - 1, 0);
        }
        if first != 0 && first < end {
            self.link(last, first);
        }
    }

    /// Makes two free places neighbours.
    fn link(&mut self, place: u32, next: u32) {
        let (previous, _) = self.places[place as usize].neighbours();
        self.places[place as usize] = Capability::free(previous, next);
        let (_, behind) = self.places[next as usize].neighbours();
        self.places[next as usize] = Capability::free(place, behind);
    }

    /// How many capabilities it holds.
    pub fn used(&self) -> u32 {
        self.used
    }

    /// No place from here on ever held a capability.
    pub fn end(&self) -> u32 {
        self.end
    }

    /// The first of these places that holds such a capability. It says whether a place does that holds none.
    pub fn find(&self, places: Range<u32>, mut such: impl FnMut(&Capability) -> bool) -> Option<u32> {
        let held = self.places.get(places.start as usize..places.end as usize)?;
        held.iter().position(&mut such).map(|at| places.start + at as u32)
    }

    /// How many places it has.
    pub fn places(&self) -> u32 {
        self.places.len() as u32
    }

    /// Where the first place is.
    pub fn address(&self) -> u64 {
        self.places.as_ptr() as u64
    }

    /// The capability at a place; the null one where there is none. An unsigned comparison is all it checks.
    #[inline(always)]
    pub fn get(&self, place: u32) -> Capability {
        match self.places.get(place as usize) {
            Some(&capability) => capability,
            None => Capability::NULL,
        }
    }

    /// The capability at a place.
    ///
    /// # Errors
    /// `BadCapability` where there is none.
    pub fn named(&self, place: u32) -> Result<Capability, Error> {
        let capability = self.get(place);
        if capability.is_null() { Err(Error::BadCapability) } else { Ok(capability) }
    }

    /// The place that was freed last; in a table that is new the first one.
    ///
    /// # Errors
    /// `TableFull`.
    pub fn free_place(&self) -> Result<u32, Error> {
        match self.get(0).neighbours() {
            (_, 0) => Err(Error::TableFull),
            (_, place) => Ok(place),
        }
    }

    /// Puts a capability at a place, or at any free one for place 0; says where.
    ///
    /// # Errors
    /// `TableFull`, `Occupied`, or `BadArgument` for a place outside the table.
    pub fn insert(&mut self, place: u32, capability: Capability) -> Result<u32, Error> {
        let place = if place == 0 { self.free_place()? } else { place };
        let free = *self.places.get(place as usize).ok_or(Error::BadArgument)?;
        if !free.is_null() {
            return Err(Error::Occupied);
        }
        let (previous, next) = free.neighbours();
        self.link(previous, next);
        self.places[place as usize] = capability;
        self.used += 1;
        self.end = self.end.max(place + 1);
        Ok(place)
    }

    /// Takes the capability from a place.
    ///
    /// # Errors
    /// `BadCapability` where there is none.
    pub fn remove(&mut self, place: u32) -> Result<Capability, Error> {
        let removed = self.named(place)?;
        let (_, first) = self.places[0].neighbours();
        self.places[place as usize] = Capability::free(0, first);
        self.link(place, first);
        self.link(0, place);
        self.used -= 1;
        Ok(removed)
    }

    /// Gives the places back, for the end of the task.
    pub fn take(&mut self) -> &'static mut [Capability] {
        core::mem::take(&mut self.places)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{boxed::Box, vec};

    fn capability(rights: Rights) -> Capability {
        Capability { key: 2 | 3 << 40 | (rights.bits() as Key) << 32, ..Capability::NULL }
    }

    fn rights(bits: u8) -> Rights {
        Rights::from_bits_retain(bits)
    }

    fn table(places: usize) -> CapabilityTable {
        CapabilityTable::new(Box::leak(vec![Capability::NULL; places].into_boxed_slice()))
    }

    #[test]
    fn derivation_only_ever_takes_rights_away() {
        for held in 0..=0x7f {
            for wanted in 0..=0x7f {
                let result = capability(rights(held)).derive(rights(wanted), 0);
                let allowed = rights(held).contains(Rights::GRANT) && held & wanted == wanted && wanted != 0;
                assert_eq!(result.is_ok(), allowed, "{held:#x} -> {wanted:#x}");
                if let Ok(derived) = result {
                    assert_eq!(derived.rights(), rights(wanted));
                }
            }
        }
    }

    #[test]
    fn a_badge_is_set_once_and_stays() {
        let badged = capability(Rights::all()).derive(Rights::all(), 7).unwrap();
        assert_eq!(badged.badge, 7);
        assert_eq!(badged.derive(Rights::SEND, 0).unwrap().badge, 7);
        assert_eq!(badged.derive(Rights::SEND, 8), Err(Error::BadArgument));
        assert_eq!(capability(Rights::all()).derive(Rights::SEND, 1 << 31), Err(Error::BadArgument));
    }

    #[test]
    fn places_outside_the_table_are_empty() {
        let mut table = table(4);
        assert_eq!(table.get(u32::MAX), Capability::NULL);
        assert_eq!(table.named(4), Err(Error::BadCapability));
        assert_eq!(table.insert(4, capability(Rights::all())), Err(Error::BadArgument));
        assert_eq!(table.remove(4), Err(Error::BadCapability));
    }

    #[test]
    fn a_table_fills_up_from_one() {
        let mut table = table(4);
        for expected in 1..4 {
            assert_eq!(table.insert(0, capability(Rights::all())), Ok(expected));
        }
        assert_eq!(table.insert(0, capability(Rights::all())), Err(Error::TableFull));
        assert_eq!(table.insert(2, capability(Rights::all())), Err(Error::Occupied));
        table.remove(2).unwrap();
        assert_eq!(table.insert(0, capability(Rights::all())), Ok(2));
        assert!(table.get(0).is_null());
    }

    /// The ring of free places, both ways round.
    fn free_places(table: &CapabilityTable) -> std::vec::Vec<u32> {
        let mut ring = vec![];
        let (mut at, mut before) = (table.get(0).neighbours().1, 0);
        while at != 0 {
            let place = table.get(at);
            assert!(place.is_null() && place.neighbours().0 == before && ring.len() < table.places() as usize);
            ring.push(at);
            (before, at) = (at, place.neighbours().1);
        }
        assert_eq!(table.get(0).neighbours().0, before);
        ring
    }

    #[test]
    fn a_table_grows_behind_what_it_holds() {
        let whole = Box::leak(vec![capability(Rights::all()); 9].into_boxed_slice());
        let (begin, rest) = whole.split_at_mut(1);
        let mut table = CapabilityTable::new(begin);
        assert_eq!(table.insert(0, capability(Rights::all())), Err(Error::TableFull));
        let mut rest = Some(rest);
        for (places, expected) in [(4, vec![1, 2, 3]), (4, vec![1, 2, 3]), (9, vec![3, 4, 5, 6, 7, 8])] {
            let more = places - table.places() as usize;
            table.grow(|places| {
                let (taken, left) = rest.take().unwrap().split_at_mut(more);
                rest = Some(left);
                let mut longer = places.to_vec();
                longer.extend_from_slice(taken);
                longer.leak()
            });
            if places == 9 {
                assert_eq!(free_places(&table), expected);
            } else {
                assert_eq!(free_places(&table), expected[expected.len() - free_places(&table).len()..]);
                if table.used() == 0 {
                    table.insert(2, capability(Rights::all())).unwrap();
                    table.insert(1, capability(Rights::all())).unwrap();
                }
            }
        }
        assert_eq!((table.used(), table.places()), (2, 9));
    }

    proptest::proptest! {
        #[test]
        fn a_place_is_either_free_or_taken(steps: std::vec::Vec<(bool, u8)>) {
            let mut table = table(8);
            let mut taken = [false; 8];
            let mut highest = 0;
            for (put, place) in steps {
                let place = u32::from(place % 9);
                let at = place as usize;
                if put {
                    let first = free_places(&table).first().copied();
                    let expected = match place {
                        0 => first.ok_or(Error::TableFull),
                        8 => Err(Error::BadArgument),
                        _ if taken[at] => Err(Error::Occupied),
                        _ => Ok(place),
                    };
                    assert_eq!(table.insert(place, capability(rights(0x7f))), expected);
                    expected.into_iter().for_each(|place| taken[place as usize] = true);
                } else {
                    let known = taken.get(at) == Some(&true);
                    assert_eq!(table.remove(place).is_ok(), known);
                    if known {
                        taken[at] = false;
                        assert_eq!(table.free_place(), Ok(place), "what was freed last is the next to be taken");
                    }
                }
                let mut free = free_places(&table);
                free.sort_unstable();
                let expected: std::vec::Vec<u32> = (1..8).filter(|&place| !taken[place as usize]).collect();
                assert_eq!(free, expected);
                assert_eq!(table.used() as usize, 7 - expected.len());
                highest = (highest..8).rev().find(|&at| at == highest || taken[at]).unwrap_or(highest);
                assert_eq!(table.end() as usize, if highest == 0 { 0 } else { highest + 1 });
                let held = |capability: &Capability| !capability.is_null();
                let found = table.find(0..8, held).map(|at| at as usize);
                assert_eq!(found, taken.iter().position(|&taken| taken));
                assert_eq!(table.find(table.end()..8, held), None);
            }
        }
    }
}
