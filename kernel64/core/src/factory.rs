//! Factories: what objects and page frames are charged to. They form a tree.
//!
//! A factory's quotas are taken from its maker's as a whole, when it is made. So whether it can make something depends
//! on nobody else's factory, and a charge is one addition, however deep in the tree it is made. The first one may have as many objects
//! as each of the tables holds that they are in: whoever was charged for an object finds a place for it, of whatever type it is.

use lilliput_abi::{Error, ObjectType};

use crate::paging::Clearing;
use crate::slab::{Header, Index, Object, Slab};

/// How many factories lie at most between one and the first.
pub const MAX_DEPTH: u8 = 8;

/// How much of something is used and may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quota {
    /// In use.
    pub used: u64,
    /// Allowed.
    pub limit: u64,
}

impl Quota {
    /// Takes from the quota.
    ///
    /// # Errors
    /// `NoMemory` where that would be more than is allowed; nothing is taken.
    pub fn charge(&mut self, amount: u64) -> Result<(), Error> {
        let used = self.used.checked_add(amount).filter(|&used| used <= self.limit).ok_or(Error::NoMemory)?;
        self.used = used;
        Ok(())
    }

    /// Gives back.
    pub fn refund(&mut self, amount: u64) {
        debug_assert!(amount <= self.used, "what is given back was taken");
        self.used = self.used.saturating_sub(amount);
    }
}

/// What objects are made by and charged to.
#[derive(Default)]
pub struct Factory {
    /// Table bookkeeping. The factory that it is charged to is its maker: 0 for the first one.
    pub header: Header,
    /// Page frames: memory of tasks, page tables, capability tables, and the quotas of factories that it made.
    pub frames: Quota,
    /// Kernel objects, and the quotas of factories that it made.
    pub objects: Quota,
    /// Arenas among these, of which there are few: a quota that the table of arenas can't keep is given to nobody.
    pub arenas: Quota,
    /// How many factories are above it.
    pub depth: u8,
    /// How far its end has come, once that has begun.
    pub ending: Ending,
}

/// How far the end of a factory has come: what is looked at next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ending {
    /// The stage.
    pub stage: u8,
    /// The number of the next object to look at.
    pub next: u32,
    /// What is left to look at of the pages that a task or an arena maps.
    pub pages: Option<Clearing>,
}

impl Object for Factory {
    const TYPE: ObjectType = ObjectType::Factory;
    fn header(&self) -> &Header {
        &self.header
    }
    fn header_mut(&mut self) -> &mut Header {
        &mut self.header
    }
}

impl Slab<Factory> {
    /// Makes a factory whose quotas are taken from another's. That it is an object of that one's is charged by the caller.
    ///
    /// # Errors
    /// `NoMemory` where the other has not so much left, or no factory is; `BadArgument` where it would lie too deep.
    pub fn make(
        &mut self,
        maker: Index<Factory>,
        [frames, objects, arenas]: [u64; 3],
    ) -> Result<Index<Factory>, Error> {
        let Factory { frames: mut of_frames, objects: mut of_objects, arenas: mut of_arenas, depth, .. } = self[maker];
        if depth == MAX_DEPTH {
            return Err(Error::BadArgument);
        }
        of_frames.charge(frames)?;
        of_objects.charge(objects)?;
        of_arenas.charge(arenas)?;
        let [frames, objects, arenas] = [frames, objects, arenas].map(|limit| Quota { used: 0, limit });
        let new = Factory { frames, objects, arenas, depth: depth + 1, ..Factory::default() };
        let made = self.insert(maker.number(), new).ok_or(Error::NoMemory)?;
        let maker = &mut self[maker];
        (maker.frames, maker.objects, maker.arenas) = (of_frames, of_objects, of_arenas);
        Ok(made)
    }

    /// Ends a factory that nothing is charged to: its quotas, and what it takes as an object, are its maker's again.
    pub fn unmake(&mut self, index: Index<Factory>) {
        let Factory { header, frames, objects, arenas, .. } = self[index];
        debug_assert!(frames.used + objects.used + arenas.used == 0, "all that a factory made is gone");
        let maker = &mut self[Index::new(header.factory)];
        maker.frames.refund(frames.limit);
        maker.objects.refund(objects.limit);
        maker.arenas.refund(arenas.limit);
        self.remove(index);
        self.give_back(&header, |factory| &mut factory.objects);
    }

    /// An object that began with this is gone: what it was charged comes back. If its entry is [used up](Header::is_last), one object less is
    /// what its factory may have from now on, and so all of those whose quotas that is part of.
    #[inline(never)]
    pub fn give_back(&mut self, object: &Header, of: fn(&mut Factory) -> &mut Quota) {
        let mut payer = Index::<Factory>::new(object.factory);
        while let Some(at) = payer.some() {
            let factory = &mut self[at];
            of(factory).refund(1);
            if !object.is_last() {
                return;
            }
            of(factory).limit -= 1;
            payer = Index::new(factory.header.factory);
        }
    }

    /// Whether the factory with this number is `above`, or was made by it, or by one that it made, and so on. In [`MAX_DEPTH`] steps at most.
    pub fn is_within(&self, number: u32, above: Index<Factory>) -> bool {
        let mut at = Index::new(number);
        while at != above && !at.is_none() {
            at = Index::new(self[at].header.factory);
        }
        at == above
    }
}

#[cfg(test)]
mod promises;
#[cfg(test)]
mod tests;
