//! Capabilities and the table of them that every task has.

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

    /// Whether it is none.
    pub const fn is_null(&self) -> bool {
        self.key == 0
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
        badge & lilliput_abi::error::ERROR_BIT == 0 && (badge == 0 || self.badge == 0 || badge == self.badge)
    }

    /// A copy with fewer rights, and with a badge where this one has none.
    ///
    /// # Errors
    /// `NoRight` without the right to grant or for rights that this one lacks; `BadArgument` for a
    /// badge that would hide another, or that has bit 31 set.
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

/// A task's capabilities. Place 0 always holds none.
#[derive(Default)]
pub struct CapabilityTable {
    places: &'static mut [Capability],
    /// No place below this one is free.
    lowest_free: u32,
}

impl CapabilityTable {
    /// A table over places that hold no capabilities.
    pub fn new(places: &'static mut [Capability]) -> Self {
        Self { places, lowest_free: 1 }
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
        self.places.get(place as usize).copied().unwrap_or(Capability::NULL)
    }

    /// The capability at a place.
    ///
    /// # Errors
    /// `BadCapability` where there is none.
    pub fn named(&self, place: u32) -> Result<Capability, Error> {
        let capability = self.get(place);
        if capability.is_null() { Err(Error::BadCapability) } else { Ok(capability) }
    }

    /// The first free place. The search goes on where the last one ended.
    ///
    /// # Errors
    /// `TableFull`.
    pub fn free_place(&mut self) -> Result<u32, Error> {
        let rest = self.places.get(self.lowest_free as usize..).unwrap_or_default();
        let taken = rest.iter().position(Capability::is_null).unwrap_or(rest.len());
        self.lowest_free += taken as u32;
        if taken < rest.len() { Ok(self.lowest_free) } else { Err(Error::TableFull) }
    }

    /// Puts a capability at a place, or at any free one for place 0; says where.
    ///
    /// # Errors
    /// `TableFull`, `Occupied`, or `BadArgument` for a place outside the table.
    pub fn insert(&mut self, place: u32, capability: Capability) -> Result<u32, Error> {
        let place = if place == 0 { self.free_place()? } else { place };
        let slot = self.places.get_mut(place as usize).ok_or(Error::BadArgument)?;
        if !slot.is_null() {
            return Err(Error::Occupied);
        }
        *slot = capability;
        Ok(place)
    }

    /// Takes the capability from a place.
    ///
    /// # Errors
    /// `BadCapability` where there is none.
    pub fn remove(&mut self, place: u32) -> Result<Capability, Error> {
        self.named(place)?;
        self.lowest_free = self.lowest_free.min(place);
        Ok(core::mem::take(&mut self.places[place as usize]))
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
}
