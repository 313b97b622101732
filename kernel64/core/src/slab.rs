//! Tables of kernel objects: typed, sized once, every use of an entry told apart by a generation.
//!
//! An entry's memory always holds an object of its type, so an index is never dangling; what a
//! capability must prove is that it still means *this* object. That is the [`Header::key`].

#[allow(unsafe_code)]
mod table;

use core::ops;

use lilliput_abi::{ObjectType, Rights};

pub use self::table::Index;
use self::table::Table;

/// Keys of capabilities and objects: type in bits 47..40, rights in 39..32, generation in 31..1; bit 0 of an endpoint's key is set,
/// and of a capability's that has the right to send there. So one comparison of 32 bits tells whether a message may go.
pub type Key = u64;

const CALLABLE: Key = 1;
const GENERATION: Key = 2;
const GENERATIONS: Key = 0xffff_fffe;
const RIGHTS_SHIFT: u32 = 32;
const RIGHTS: Key = 0xff << RIGHTS_SHIFT;
const TYPE_SHIFT: u32 = 40;
const TYPE: Key = 0xff << TYPE_SHIFT;

/// Bytes of an endpoint. An index of another type's object that stands in a capability is that of the endpoint with the same number:
/// so the fast path can read an endpoint before it knows that the capability is one's.
pub const ENDPOINT_BYTES: u32 = 32;
/// Low half of the address of the table of endpoints, in the last 2 GiB.
pub const ENDPOINTS: u32 = 0xf400_0000;

/// What every object begins with.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Header {
    /// The key of a capability with all rights to this object; of type `Null` from the beginning of its end on, and
    /// without rights while the entry is free. From either on it has another generation.
    key: Key,
    /// While the entry is free, the next free one.
    next_free: u32,
    /// The factory that the object is charged to.
    pub factory: u32,
}

impl Default for Header {
    /// Of an entry that never held an object: no capability names it, not even the null one.
    fn default() -> Self {
        Self { key: CALLABLE, next_free: 0, factory: 0 }
    }
}

impl Header {
    /// Whether a capability's key names this object and has all of `rights`.
    #[inline(always)]
    pub const fn admits(&self, key: Key, rights: Rights) -> bool {
        self.is_live() && (key ^ self.key) & (GENERATIONS | TYPE) == 0 && self::rights(key).contains(rights)
    }

    /// The key of a capability to this object with these rights.
    pub const fn key(&self, rights: Rights) -> Key {
        with_rights(self.key, rights)
    }

    /// Whether the entry holds an object.
    pub const fn is_live(&self) -> bool {
        self.key & RIGHTS != 0
    }

    /// Whether the object is the last of its entry, which has had some 2^30 and has no generations for another: that needs one to be
    /// known by, and one for its end.
    pub const fn is_last(&self) -> bool {
        (self.key & GENERATIONS) + GENERATION >= GENERATIONS
    }
}

#[cfg(test)]
impl Header {
    /// Makes the object the last of its entry.
    pub(crate) const fn wear(&mut self) {
        self.key |= GENERATIONS & !GENERATION;
    }
}

/// The rights in a key.
pub const fn rights(key: Key) -> Rights {
    Rights::from_bits_retain((key >> RIGHTS_SHIFT) as u8)
}

/// The same key with these rights.
pub const fn with_rights(key: Key, rights: Rights) -> Key {
    let callable = type_number(key) == ObjectType::Endpoint as u8 && rights.contains(Rights::SEND);
    key & !RIGHTS & !CALLABLE | (rights.bits() as Key) << RIGHTS_SHIFT | callable as Key
}

/// Whether two keys to objects with the same number are to the same object.
pub const fn same_object(key: Key, other: Key) -> bool {
    (key ^ other) & (GENERATIONS | TYPE) == 0
}

/// The key of a capability with all rights to the one object of a type that has no table.
pub const fn unique(object_type: ObjectType) -> Key {
    with_rights((object_type as Key) << TYPE_SHIFT, Rights::all())
}

/// The key of an object whose end has begun: of no type, and of the generation after that of its capabilities.
const fn retired_key(key: Key) -> Key {
    ((key & GENERATIONS) + GENERATION) | RIGHTS | CALLABLE
}

/// The type number in a key.
pub const fn type_number(key: Key) -> u8 {
    (key >> TYPE_SHIFT) as u8
}

/// A kind of kernel object.
pub trait Object: Sized + 'static {
    /// Its type in capabilities.
    const TYPE: ObjectType;
    /// What the index of entry 0 is. For the tables of the fast path, whose addresses are fixed, an index is the low half of
    /// the entry's address; the other half is all ones.
    const BASE: u32 = 0;
    /// The first entry that holds objects: entry 0 stands for "none", and there may be others for something like that.
    const FIRST: u32 = 1;
    /// Its header.
    fn header(&self) -> &Header;
    /// Its header.
    fn header_mut(&mut self) -> &mut Header;
}

/// A table of objects, whatever their type: what is said of it needs no copy for each.
pub trait Headers {
    /// What the entry with this number begins with, if there is one.
    fn header(&self, number: u32) -> Option<&Header>;
    /// No object has this number or a higher one.
    fn end(&self) -> u32;
}

impl<T: Object> Headers for Slab<T> {
    fn header(&self, number: u32) -> Option<&Header> {
        Self::header(self, number)
    }

    fn end(&self) -> u32 {
        Self::end(self)
    }
}

/// How full a table is: the objects that it holds, and how many it could.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filling {
    /// Objects there are.
    pub live: u64,
    /// Objects there can be.
    pub capacity: u64,
}

/// A table of objects of one type.
pub struct Slab<T: Object> {
    entries: Table<T>,
    vacancies: Vacancies,
}

/// Which entries of a table are free, whatever it is a table of.
struct Vacancies {
    /// The one that became free last, 0 where all that were used are in use.
    free: u32,
    /// The first that was never used.
    fresh: u32,
    live: u32,
    /// Those that are not used again.
    lost: u32,
}

impl Vacancies {
    /// The entry for the next object, in a table of so many.
    fn next(&self, entries: usize) -> Option<u32> {
        let number = if self.free != 0 { self.free } else { self.fresh };
        ((number as usize) < entries).then_some(number)
    }

    /// Takes the next one: what its object begins with.
    fn fill(&mut self, old: &Header, object_type: ObjectType, factory: u32) -> Header {
        if self.free != 0 {
            self.free = old.next_free;
        } else {
            self.fresh += 1;
        }
        self.live += 1;
        // An entry that was never used has generation 0, which no capability has.
        let generation = (old.key & GENERATIONS).max(GENERATION);
        let key = with_rights(generation | (object_type as Key) << TYPE_SHIFT, Rights::all()) | RIGHTS;
        Header { key, next_free: 0, factory }
    }

    /// An entry is free again, as so much of a generation later.
    #[inline(never)]
    fn vacate(&mut self, header: &mut Header, number: u32, later: Key) {
        debug_assert!(header.is_live(), "an object is removed once");
        self.live -= 1;
        let is_lost = later != 0 && header.is_last();
        header.key = ((header.key & GENERATIONS) + later) & GENERATIONS | CALLABLE;
        if is_lost {
            self.lost += 1;
        } else {
            header.next_free = self.free;
            self.free = number;
        }
    }
}

impl<T: Object> Slab<T> {
    /// A table over entries that hold no object yet. Those before [`Object::FIRST`] are never handed out.
    pub fn new(entries: &'static mut [T]) -> Self {
        let vacancies = Vacancies { free: 0, fresh: T::FIRST, live: 0, lost: 0 };
        Self { entries: Table::new(entries), vacancies }
    }

    /// How many objects it holds.
    pub fn live(&self) -> u32 {
        self.vacancies.live
    }

    /// How many objects it can hold, with those that it holds.
    pub fn capacity(&self) -> u32 {
        (self.entries.len() as u32).saturating_sub(T::FIRST + self.vacancies.lost)
    }

    /// How full it is.
    pub fn filling(&self) -> Filling {
        Filling { live: self.live().into(), capacity: self.capacity().into() }
    }

    /// Puts an object in, charged to `factory`. Constant time; `None` where the table is full.
    pub fn insert(&mut self, factory: u32, mut object: T) -> Option<Index<T>> {
        let index = Index::new(self.vacancies.next(self.entries.len())?);
        let entry = &mut self.entries[index];
        *object.header_mut() = self.vacancies.fill(entry.header(), T::TYPE, factory);
        *entry = object;
        Some(index)
    }

    /// Begins the end of an object, if it has not begun: from here on no capability names it but to [`Slab::retired`].
    pub fn retire(&mut self, index: Index<T>) {
        let header = self[index].header_mut();
        if type_number(header.key) != 0 {
            header.key = retired_key(header.key);
        }
    }

    /// The object with this number whose end has begun and that a capability's key named, if it has all of `rights`.
    pub fn retired(&self, number: u32, key: Key, rights: Rights) -> Option<Index<T>> {
        let named = type_number(key) == T::TYPE as u8 && self::rights(key).contains(rights);
        let index = Index::new(number);
        let header = self.entries.get(index)?.header();
        (named && header.key == retired_key(key)).then_some(index)
    }

    /// Ends an object: from here on no capability names it. Its entry has a new generation at once, and is not used again if that was
    /// [the last](Header::is_last).
    pub fn remove(&mut self, index: Index<T>) {
        self.vacancies.vacate(self.entries[index].header_mut(), index.number(), GENERATION);
    }

    /// Takes out an object that nobody was given a capability to: the entry is as before it was put in.
    pub fn withdraw(&mut self, index: Index<T>) {
        self.vacancies.vacate(self.entries[index].header_mut(), index.number(), 0);
    }

    /// What the entry with this number begins with, if there is one.
    pub fn header(&self, number: u32) -> Option<&Header> {
        self.entries.get(Index::new(number)).map(T::header)
    }

    /// The live object with this number that a capability's key names, if it has all of `rights`. One comparison for the bound, which
    /// the key of a capability implies, and some for the key.
    #[inline]
    pub fn admit(&self, number: u32, key: Key, rights: Rights) -> Option<Index<T>> {
        let index = Index::new(number);
        let entry = self.entries.get(index)?;
        entry.header().admits(key, rights).then_some(index)
    }

    /// The live objects' places, by number.
    pub fn iter(&self) -> impl Iterator<Item = Index<T>> + '_ {
        self.among(T::FIRST..self.end())
    }

    /// No object has this number or a higher one.
    pub fn end(&self) -> u32 {
        self.vacancies.fresh
    }

    /// The first live object's place among these numbers.
    pub fn first_among(&self, numbers: ops::Range<u32>) -> Option<Index<T>> {
        let mut numbers = numbers.start.max(1)..numbers.end.min(self.end());
        numbers.find(|&number| self.header(number).is_some_and(Header::is_live)).map(Index::new)
    }

    /// The live objects' places among these numbers, by number.
    pub fn among(&self, numbers: ops::Range<u32>) -> impl Iterator<Item = Index<T>> + '_ {
        let first = numbers.start.max(1);
        let entries = self.entries.slice(first..numbers.end.min(self.end())).iter();
        let live = entries.enumerate().filter(|(_, entry)| entry.header().is_live());
        live.map(move |(place, _)| Index::new(first + place as u32))
    }
}

impl<T: Object> ops::Index<Index<T>> for Slab<T> {
    type Output = T;
    #[inline(always)]
    fn index(&self, index: Index<T>) -> &T {
        &self.entries[index]
    }
}

impl<T: Object> ops::IndexMut<Index<T>> for Slab<T> {
    #[inline(always)]
    fn index_mut(&mut self, index: Index<T>) -> &mut T {
        &mut self.entries[index]
    }
}

#[cfg(test)]
mod tests;
