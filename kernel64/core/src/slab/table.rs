//! Where objects lie: an index and the entry that it leads to.
//!
//! This is what the kernel does most, some two hundred times in its text. So an index is not the number of an entry but how far in bytes it
//! is from where the table is taken to begin: no look-up multiplies or divides by the size of an entry. That takes the one unsafe
//! operation of this crate, from a distance to a reference, which is why it has a module of its own and nothing else is in it.

use core::fmt;
use core::marker::PhantomData;
use core::ops;
use core::ptr::NonNull;
use core::slice;

use super::Object;

/// The place of an object in its table. Entry 0 never holds an object: it stands for "none".
// Invariant: it is `T::BASE` and a multiple of the size of `T`, modulo 2^32. Only `new` makes one, and everybody copies.
#[repr(transparent)]
pub struct Index<T>(u32, PhantomData<fn() -> T>);

impl<T: Object> Index<T> {
    /// No object.
    pub const NONE: Self = Self::new(0);

    /// By how much an index grows from entry to entry.
    const STRIDE: u32 = {
        assert!(size_of::<T>() > 0 && size_of::<T>() < 1 << 16);
        size_of::<T>() as u32
    };

    /// The index of the entry with this number. What is beyond any table is that of the last entry that an index can tell from others.
    pub const fn new(number: u32) -> Self {
        let last = u32::MAX / Self::STRIDE;
        let number = if number < last { number } else { last };
        Self(T::BASE.wrapping_add(number * Self::STRIDE), PhantomData)
    }

    /// The number of the entry.
    pub const fn number(self) -> u32 {
        self.distance() / Self::STRIDE
    }

    /// Whether it stands for "none".
    pub const fn is_none(self) -> bool {
        self.0 == T::BASE
    }

    /// `None` if it stands for "none".
    pub const fn some(self) -> Option<Self> {
        if self.is_none() { None } else { Some(self) }
    }

    /// Bytes from the first entry: a multiple of the size of an entry.
    #[inline(always)]
    const fn distance(self) -> u32 {
        self.0.wrapping_sub(T::BASE)
    }
}

impl<T: Object> fmt::Debug for Index<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.number())
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

impl<T: Object> Default for Index<T> {
    fn default() -> Self {
        Self::NONE
    }
}

/// Entries that objects are put into and taken from.
pub(super) struct Table<T: Object> {
    first: NonNull<T>,
    /// Of all entries together.
    bytes: usize,
    entries: PhantomData<&'static mut [T]>,
}

impl<T: Object> Table<T> {
    pub(super) fn new(entries: &'static mut [T]) -> Self {
        Self { bytes: size_of_val(entries), first: NonNull::from(entries).cast(), entries: PhantomData }
    }

    /// How many entries there are.
    pub(super) const fn len(&self) -> usize {
        self.bytes / size_of::<T>()
    }

    /// The entries with these numbers, or none where there are not so many.
    #[inline(never)]
    pub(super) fn slice(&self, numbers: ops::Range<u32>) -> &[T] {
        let bytes = |number: u32| number as usize * size_of::<T>();
        if numbers.is_empty() || bytes(numbers.end) > self.bytes {
            return &[];
        }
        // SAFETY: begin and end lie within what the table was made of, in this order; it has that for itself, and lends it as it is
        // borrowed.
        unsafe { slice::from_raw_parts(self.first.byte_add(bytes(numbers.start)).as_ptr(), numbers.len()) }
    }

    /// Where an entry is, if there is one.
    #[inline(always)]
    fn find(&self, index: Index<T>) -> Option<NonNull<T>> {
        let distance = index.distance() as usize;
        if distance >= self.bytes {
            return None;
        }
        // SAFETY: the entries are `bytes` long, and so is what the pointer was made from.
        Some(unsafe { self.first.byte_add(distance) })
    }

    /// An entry, if there is one.
    #[inline(always)]
    pub(super) fn get(&self, index: Index<T>) -> Option<&T> {
        // SAFETY: the distance is a multiple of the entries' size and less than all of them, so this is an entry; the table has had
        // them for itself since `new`, and lends them as it is borrowed.
        self.find(index).map(|entry| unsafe { entry.as_ref() })
    }
}

impl<T: Object> ops::Index<Index<T>> for Table<T> {
    type Output = T;
    #[inline(always)]
    fn index(&self, index: Index<T>) -> &T {
        match self.get(index) {
            Some(entry) => entry,
            None => outside(),
        }
    }
}

impl<T: Object> ops::IndexMut<Index<T>> for Table<T> {
    #[inline(always)]
    fn index_mut(&mut self, index: Index<T>) -> &mut T {
        match self.find(index) {
            // SAFETY: as in `get`, and the table is borrowed for writing.
            Some(mut entry) => unsafe { entry.as_mut() },
            None => outside(),
        }
    }
}

/// The kernel's own mistake. Says neither index nor length, so that all look-ups of a function have one call of this in common.
#[cold]
#[inline(never)]
fn outside() -> ! {
    panic!("an index beyond its table")
}

#[cfg(test)]
mod tests {
    use lilliput_abi::ObjectType;
    use proptest::prelude::*;
    use std::{boxed::Box, vec::Vec};

    use super::super::Header;
    use super::*;

    /// 24 bytes, which is no power of two.
    #[derive(Default)]
    struct Thing {
        header: Header,
        value: u32,
    }

    impl Object for Thing {
        const TYPE: ObjectType = ObjectType::Endpoint;
        const BASE: u32 = 0xf000_0000;
        fn header(&self) -> &Header {
            &self.header
        }
        fn header_mut(&mut self) -> &mut Header {
            &mut self.header
        }
    }

    fn table(entries: u32) -> Table<Thing> {
        let things: Vec<Thing> = (0..entries).map(|value| Thing { value, ..Thing::default() }).collect();
        Table::new(Box::leak(things.into_boxed_slice()))
    }

    proptest! {
        #[test]
        fn an_index_leads_to_the_entry_of_its_number_or_to_none(entries in 1_u32..100, number in any::<u32>(), near in 0_u32..100) {
            let mut table = table(entries);
            prop_assert_eq!(table.len(), entries as usize);
            for number in [number, near] {
                let entry = table.get(Index::new(number));
                prop_assert_eq!(entry.map(|entry| entry.value), (number < entries).then_some(number));
                if number < entries {
                    table[Index::new(number)].value += 1000;
                    prop_assert_eq!(table[Index::new(number)].value, 1000 + number);
                    table[Index::new(number)].value = number;
                    prop_assert_eq!(Index::<Thing>::new(number).number(), number);
                }
            }
        }
    }

    #[test]
    fn a_slice_has_the_entries_of_its_numbers() {
        let table = table(10);
        let values = |numbers| table.slice(numbers).iter().map(|entry| entry.value).collect::<Vec<_>>();
        assert_eq!(values(3..6), [3, 4, 5]);
        assert_eq!(values(0..10).len(), 10);
        assert!([(4, 4), (6, 3), (3, 11), (11, 12)].into_iter().all(|(start, end)| values(start..end).is_empty()));
    }

    #[test]
    #[should_panic(expected = "an index beyond its table")]
    fn an_index_beyond_the_table_is_a_panic() {
        let _ = &table(4)[Index::new(4)];
    }

    #[test]
    fn nothing_is_none_but_entry_0() {
        assert!(Index::<Thing>::NONE.is_none() && Index::<Thing>::default().is_none());
        // 2^29 entries of 24 bytes are 3 times 2^32: their distance must not begin at 0 again.
        for number in [1, 2, 1 << 20, 1 << 28, 1 << 29, 1 << 31, u32::MAX] {
            assert!(!Index::<Thing>::new(number).is_none(), "{number}");
        }
    }
}
