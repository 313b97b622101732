//! Tables of kernel objects: typed, sized once, every use of an entry told apart by a generation.
//!
//! An entry's memory always holds an object of its type, so an index is never dangling; what a
//! capability must prove is that it still means *this* object. That is the [`Header::key`].

use core::fmt;
use core::marker::PhantomData;
use core::ops;

use lilliput_abi::{ObjectType, Rights};

/// Keys of capabilities and objects: generation in bits 63..16, type in 15..8, rights in 7..0.
pub type Key = u64;

const GENERATION: Key = 1 << 16;
const RIGHTS: Key = 0xff;

/// What every object begins with.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Header {
    /// The key of a capability with all rights to this object; of type `Null` from the beginning of its end on, and
    /// without rights while the entry is free.
    key: Key,
    /// While the entry is free, the next free one.
    next_free: u32,
    /// The factory that the object is charged to.
    pub factory: u32,
}

impl Header {
    /// Whether a capability's key names this object and has all of `rights`: one OR, one comparison.
    #[inline(always)]
    pub const fn admits(&self, key: Key, rights: Rights) -> bool {
        key | (RIGHTS & !(rights.bits() as Key)) == self.key
    }

    /// The key of a capability to this object with these rights.
    pub const fn key(&self, rights: Rights) -> Key {
        self.key & !RIGHTS | rights.bits() as Key
    }

    /// Whether the entry holds an object.
    pub const fn is_live(&self) -> bool {
        self.key & RIGHTS != 0
    }
}

/// The rights in a key.
pub const fn rights(key: Key) -> Rights {
    Rights::from_bits_retain(key as u8)
}

/// The type number in a key.
pub const fn type_number(key: Key) -> u8 {
    (key >> 8) as u8
}

/// A kind of kernel object.
pub trait Object: Sized + 'static {
    /// Its type in capabilities.
    const TYPE: ObjectType;
    /// Its header.
    fn header(&self) -> &Header;
    /// Its header.
    fn header_mut(&mut self) -> &mut Header;
}

/// The place of an object in its table. Entry 0 never holds an object: it stands for "none".
#[repr(transparent)]
pub struct Index<T>(u32, PhantomData<fn() -> T>);

impl<T> Index<T> {
    /// No object.
    pub const NONE: Self = Self::new(0);

    /// The index with this number.
    pub const fn new(number: u32) -> Self {
        Self(number, PhantomData)
    }

    /// The number.
    pub const fn number(self) -> u32 {
        self.0
    }

    /// Whether it stands for "none".
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// `None` if it stands for "none".
    pub const fn some(self) -> Option<Self> {
        if self.0 == 0 { None } else { Some(self) }
    }
}

impl<T> fmt::Debug for Index<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

impl<T> Clone for Index<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Index<T> {}

impl<T> PartialEq for Index<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<T> Eq for Index<T> {}

impl<T> Default for Index<T> {
    fn default() -> Self {
        Self::NONE
    }
}

/// A table of objects of one type.
pub struct Slab<T: Object> {
    entries: &'static mut [T],
    free: u32,
    fresh: u32,
    live: u32,
}

impl<T: Object> Slab<T> {
    /// A table over entries that hold no object yet. Entry 0 is never handed out.
    pub fn new(entries: &'static mut [T]) -> Self {
        Self { entries, free: 0, fresh: 1, live: 0 }
    }

    /// How many objects it holds.
    pub fn live(&self) -> u32 {
        self.live
    }

    /// How many objects it can hold.
    pub fn capacity(&self) -> u32 {
        (self.entries.len() as u32).saturating_sub(1)
    }

    /// Puts an object in, charged to `factory`. Constant time; `None` where the table is full.
    pub fn insert(&mut self, factory: u32, mut object: T) -> Option<Index<T>> {
        let number = if self.free != 0 {
            self.free
        } else if (self.fresh as usize) < self.entries.len() {
            self.fresh
        } else {
            return None;
        };
        let entry = &mut self.entries[number as usize];
        let old = *entry.header();
        if number == self.free {
            self.free = old.next_free;
        } else {
            self.fresh += 1;
        }
        let generation = (old.key & !(GENERATION - 1)).wrapping_add(GENERATION);
        *object.header_mut() = Header { key: generation | (T::TYPE as Key) << 8 | RIGHTS, next_free: 0, factory };
        *entry = object;
        self.live += 1;
        Some(Index::new(number))
    }

    /// Begins the end of an object: from here on no capability names it but to [`Slab::retired`].
    pub fn retire(&mut self, index: Index<T>) {
        let header = self[index].header_mut();
        header.key = header.key & !(GENERATION - 1) | RIGHTS;
    }

    /// The object with this number whose end has begun and that a capability's key named, if it has all of `rights`.
    pub fn retired(&self, number: u32, key: Key, rights: Rights) -> Option<Index<T>> {
        let named = type_number(key) == T::TYPE as u8 && self::rights(key).contains(rights);
        let header = self.entries.get(number as usize)?.header();
        (named && header.key == key & !(GENERATION - 1) | RIGHTS).then_some(Index::new(number))
    }

    /// Ends an object: from here on no capability names it.
    pub fn remove(&mut self, index: Index<T>) {
        let free = self.free;
        let header = self[index].header_mut();
        debug_assert!(header.is_live(), "an object is removed once");
        header.key &= !(GENERATION - 1);
        header.next_free = free;
        self.free = index.number();
        self.live -= 1;
    }

    /// The live object with this number that a capability's key names, if it has all of `rights`.
    #[inline]
    pub fn admit(&self, number: u32, key: Key, rights: Rights) -> Option<Index<T>> {
        let entry = self.entries.get(number as usize)?;
        entry.header().admits(key, rights).then_some(Index::new(number))
    }

    /// The live objects' places, by number.
    pub fn iter(&self) -> impl Iterator<Item = Index<T>> + '_ {
        (1..self.fresh).filter(|&n| self.entries[n as usize].header().is_live()).map(Index::new)
    }
}

impl<T: Object> ops::Index<Index<T>> for Slab<T> {
    type Output = T;
    #[inline(always)]
    fn index(&self, index: Index<T>) -> &T {
        &self.entries[index.number() as usize]
    }
}

impl<T: Object> ops::IndexMut<Index<T>> for Slab<T> {
    #[inline(always)]
    fn index_mut(&mut self, index: Index<T>) -> &mut T {
        &mut self.entries[index.number() as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{boxed::Box, vec::Vec};

    #[derive(Default)]
    struct Thing {
        header: Header,
        value: u32,
    }

    impl Object for Thing {
        const TYPE: ObjectType = ObjectType::Endpoint;
        fn header(&self) -> &Header {
            &self.header
        }
        fn header_mut(&mut self) -> &mut Header {
            &mut self.header
        }
    }

    fn slab(entries: usize) -> Slab<Thing> {
        let things: Vec<Thing> = (0..entries).map(|_| Thing::default()).collect();
        Slab::new(Box::leak(things.into_boxed_slice()))
    }

    #[test]
    fn a_stale_key_never_names_the_next_object() {
        let mut slab = slab(4);
        let first = slab.insert(1, Thing { value: 1, ..Thing::default() }).unwrap();
        let key = slab[first].header.key(Rights::SEND);
        assert_eq!(slab.admit(first.number(), key, Rights::SEND), Some(first));
        slab.remove(first);
        assert_eq!(slab.admit(first.number(), key, Rights::SEND), None);
        let second = slab.insert(1, Thing { value: 2, ..Thing::default() }).unwrap();
        assert_eq!(second, first, "the entry is used again");
        assert_eq!(slab.admit(first.number(), key, Rights::SEND), None);
        assert_eq!(slab[second].value, 2);
    }

    #[test]
    fn rights_and_type_are_part_of_the_key() {
        let mut slab = slab(4);
        let index = slab.insert(1, Thing::default()).unwrap();
        let key = slab[index].header.key(Rights::SEND | Rights::GRANT);
        assert!(slab.admit(index.number(), key, Rights::SEND).is_some());
        assert!(slab.admit(index.number(), key, Rights::RECEIVE).is_none());
        assert!(slab.admit(index.number(), key, Rights::SEND | Rights::RECEIVE).is_none());
        assert!(slab.admit(index.number(), key ^ 0x300, Rights::SEND).is_none(), "another type");
    }

    #[test]
    fn the_table_fills_and_empties() {
        let mut slab = slab(4);
        let all: Vec<_> = core::iter::from_fn(|| slab.insert(0, Thing::default())).collect();
        assert_eq!((all.len(), slab.live(), slab.capacity()), (3, 3, 3));
        assert!(!all.contains(&Index::NONE), "entry 0 stands for none");
        for index in all {
            slab.remove(index);
        }
        assert_eq!((slab.live(), slab.iter().count()), (0, 0));
    }

    #[test]
    fn a_retired_object_is_found_by_who_may_end_it() {
        let mut slab = slab(4);
        let [first, second] = [0, 0].map(|_| slab.insert(1, Thing::default()).unwrap());
        let key = slab[first].header.key(Rights::SEND | Rights::DESTROY);
        assert_eq!(slab.retired(first.number(), key, Rights::DESTROY), None);
        slab.retire(first);
        for rights in (0..=u8::MAX).map(Rights::from_bits_retain) {
            assert_eq!(slab.admit(first.number(), key | 0x7f, rights), None, "{rights:?}");
        }
        assert_eq!(slab.retired(first.number(), key, Rights::DESTROY), Some(first));
        assert_eq!(slab.retired(first.number(), key, Rights::DESTROY | Rights::RECEIVE), None);
        assert_eq!(slab.retired(second.number(), key, Rights::DESTROY), None, "another object");
        assert_eq!(slab.retired(first.number(), key ^ 0x300, Rights::DESTROY), None, "another type");
        assert_eq!((slab.iter().count(), slab.live()), (2, 2));
        slab.remove(first);
        assert_eq!(slab.retired(first.number(), key, Rights::DESTROY), None);
        assert_eq!(slab.insert(1, Thing::default()), Some(first));
        assert_eq!(slab.retired(first.number(), key, Rights::DESTROY), None);
    }

    #[test]
    fn no_key_names_a_free_or_foreign_entry() {
        let slab = slab(4);
        for key in [0, RIGHTS, GENERATION, u64::MAX] {
            assert!(slab.admit(0, key, Rights::SEND).is_none());
            assert!(slab.admit(3, key, Rights::SEND).is_none());
            assert!(slab.admit(4, key, Rights::SEND).is_none());
        }
    }
}
