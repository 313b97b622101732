//! What factories may have, against what there is.

use super::{Broken, ensure};
use crate::factory::{Factory, Quota};
use crate::slab::{Filling, Index, Slab};

impl Slab<Factory> {
    /// Checks that nobody uses more than it may, that what is charged is what there is, and that all that was promised is there: of factories, and of
    /// each of the `promised` types, as many as the first factory may have objects.
    ///
    /// # Errors
    /// The first rule found broken.
    pub fn check(
        &self,
        first: Index<Factory>,
        promised: &[Filling],
        arenas: Filling,
        interrupts: Filling,
    ) -> Result<(), Broken> {
        let Factory { objects, arenas: of_arenas, .. } = &self[first];
        // The first factory is nobody's object.
        let Filling { live, capacity } = self.filling();
        let factories = Filling { live: live - 1, capacity: capacity - 1 };
        let mut all = promised.iter().chain([&factories]);
        ensure(all.clone().all(|table| objects.limit <= table.capacity), "a promise of objects beyond a table")?;
        ensure(of_arenas.limit <= arenas.capacity, "a promise of arenas beyond their table")?;
        let quotas = |factory: &Factory| [factory.frames, factory.objects, factory.arenas];
        let within = self.iter().all(|index| quotas(&self[index]).iter().all(|quota| quota.used <= quota.limit));
        ensure(within, "a factory that uses more than it may")?;
        let live = all.by_ref().chain([&arenas, &interrupts]).map(|table| table.live).sum();
        ensure(self.own(first, |factory| factory.objects) == Some(live), "objects that are not charged, or gone")?;
        ensure(self.own(first, |factory| factory.arenas) == Some(arenas.live), "arenas that are not charged, or gone")
    }

    /// What is used of all quotas but to make others from it. None if that were less than nothing.
    fn own(&self, first: Index<Factory>, of: fn(&Factory) -> Quota) -> Option<u64> {
        let used: u64 = self.iter().map(|index| of(&self[index]).used).sum();
        let given: u64 = self.iter().filter(|&index| index != first).map(|index| of(&self[index]).limit).sum();
        used.checked_sub(given)
    }
}
