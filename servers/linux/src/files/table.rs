//! The descriptors of a process.

use alloc::rc::Rc;
use alloc::vec::Vec;

use syscalls::Errno;

use super::Open;

/// How many descriptors a process can have.
pub const MOST: usize = 1024;

/// What a descriptor stands for.
#[derive(Clone)]
pub struct Descriptor {
    /// The description.
    pub open: Rc<Open>,
    /// Whether it goes when another program is executed.
    pub closes: bool,
}

/// Descriptors by their numbers.
#[derive(Clone)]
pub struct Table {
    places: Vec<Option<Descriptor>>,
    /// No number is given from this one on.
    limit: usize,
}

impl Default for Table {
    fn default() -> Self {
        Self { places: Vec::new(), limit: MOST }
    }
}

impl Table {
    /// From now on no number is given from this one on; those that were stay.
    pub fn limit(&mut self, limit: u64) {
        self.limit = usize::try_from(limit).unwrap_or(MOST).min(MOST);
    }

    /// What a number stands for.
    ///
    /// # Errors
    /// `EBADF`.
    pub fn get(&self, number: u64) -> Result<&Descriptor, Errno> {
        let place = usize::try_from(number as u32).unwrap_or(usize::MAX);
        self.places.get(place).and_then(Option::as_ref).ok_or(Errno::EBADF)
    }

    /// The same, to be changed.
    ///
    /// # Errors
    /// `EBADF`.
    pub fn get_mut(&mut self, number: u64) -> Result<&mut Descriptor, Errno> {
        let place = usize::try_from(number as u32).unwrap_or(usize::MAX);
        self.places.get_mut(place).and_then(Option::as_mut).ok_or(Errno::EBADF)
    }

    /// The numbers that stand for something.
    pub fn numbers(&self) -> impl Iterator<Item = usize> {
        self.places.iter().enumerate().filter(|(_, descriptor)| descriptor.is_some()).map(|(number, _)| number)
    }

    /// Gives the lowest free number that is not below `least`.
    ///
    /// # Errors
    /// `EMFILE`.
    pub fn add(&mut self, open: Rc<Open>, closes: bool, least: u64) -> Result<u64, Errno> {
        let least = usize::try_from(least).unwrap_or(MOST);
        let free = |&place: &usize| self.places.get(place).is_none_or(Option::is_none);
        let place = (least..self.limit).find(free).ok_or(Errno::EMFILE)?;
        self.set(place, Some(Descriptor { open, closes }));
        Ok(place as u64)
    }

    /// Lets a number stand for something, whatever it stood for.
    ///
    /// # Errors
    /// `EBADF` for a number that none can have.
    pub fn put(&mut self, number: u64, open: Rc<Open>, closes: bool) -> Result<(), Errno> {
        let place = usize::try_from(number as u32).ok().filter(|&place| place < self.limit).ok_or(Errno::EBADF)?;
        self.set(place, Some(Descriptor { open, closes }));
        Ok(())
    }

    /// Closes a number.
    ///
    /// # Errors
    /// `EBADF`.
    pub fn remove(&mut self, number: u64) -> Result<Descriptor, Errno> {
        self.get(number)?;
        self.places[number as u32 as usize].take().ok_or(Errno::EBADF)
    }

    /// Another program is executed: what goes is returned.
    pub fn close_on_exec(&mut self) -> Vec<Rc<Open>> {
        let goes = |place: &mut Option<Descriptor>| place.take_if(|descriptor| descriptor.closes);
        self.places.iter_mut().filter_map(goes).map(|descriptor| descriptor.open).collect()
    }

    /// All that is open.
    pub fn into_open(self) -> impl Iterator<Item = Rc<Open>> {
        self.places.into_iter().flatten().map(|descriptor| descriptor.open)
    }

    fn set(&mut self, place: usize, descriptor: Option<Descriptor>) {
        if self.places.len() <= place {
            self.places.resize(place + 1, None);
        }
        self.places[place] = descriptor;
    }
}
