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
#[derive(Clone, Default)]
pub struct Table(Vec<Option<Descriptor>>);

impl Table {
    /// What a number stands for.
    ///
    /// # Errors
    /// `EBADF`.
    pub fn get(&self, number: u64) -> Result<&Descriptor, Errno> {
        let place = usize::try_from(number as u32).unwrap_or(usize::MAX);
        self.0.get(place).and_then(Option::as_ref).ok_or(Errno::EBADF)
    }

    /// The same, to be changed.
    ///
    /// # Errors
    /// `EBADF`.
    pub fn get_mut(&mut self, number: u64) -> Result<&mut Descriptor, Errno> {
        let place = usize::try_from(number as u32).unwrap_or(usize::MAX);
        self.0.get_mut(place).and_then(Option::as_mut).ok_or(Errno::EBADF)
    }

    /// The numbers that stand for something.
    pub fn numbers(&self) -> impl Iterator<Item = usize> {
        self.0.iter().enumerate().filter(|(_, descriptor)| descriptor.is_some()).map(|(number, _)| number)
    }

    /// Gives the lowest free number that is not below `least`.
    ///
    /// # Errors
    /// `EMFILE`.
    pub fn add(&mut self, open: Rc<Open>, closes: bool, least: u64) -> Result<u64, Errno> {
        let least = usize::try_from(least).unwrap_or(MOST);
        let free = |&place: &usize| self.0.get(place).is_none_or(Option::is_none);
        let place = (least..MOST).find(free).ok_or(Errno::EMFILE)?;
        self.set(place, Some(Descriptor { open, closes }));
        Ok(place as u64)
    }

    /// Lets a number stand for something, whatever it stood for.
    ///
    /// # Errors
    /// `EBADF` for a number that none can have.
    pub fn put(&mut self, number: u64, open: Rc<Open>, closes: bool) -> Result<(), Errno> {
        let place = usize::try_from(number as u32).ok().filter(|&place| place < MOST).ok_or(Errno::EBADF)?;
        self.set(place, Some(Descriptor { open, closes }));
        Ok(())
    }

    /// Closes a number.
    ///
    /// # Errors
    /// `EBADF`.
    pub fn remove(&mut self, number: u64) -> Result<Descriptor, Errno> {
        self.get(number)?;
        self.0[number as u32 as usize].take().ok_or(Errno::EBADF)
    }

    /// Another program is executed: what goes is returned.
    pub fn close_on_exec(&mut self) -> Vec<Rc<Open>> {
        let goes = |place: &mut Option<Descriptor>| place.take_if(|descriptor| descriptor.closes);
        self.0.iter_mut().filter_map(goes).map(|descriptor| descriptor.open).collect()
    }

    /// All that is open.
    pub fn into_open(self) -> impl Iterator<Item = Rc<Open>> {
        self.0.into_iter().flatten().map(|descriptor| descriptor.open)
    }

    fn set(&mut self, place: usize, descriptor: Option<Descriptor>) {
        if self.0.len() <= place {
            self.0.resize(place + 1, None);
        }
        self.0[place] = descriptor;
    }
}
