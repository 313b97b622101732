//! What factories may have, against what there is.

use super::{Broken, ensure};
use crate::factory::Factory;
use crate::slab::{Filling, Index, Slab};

impl Slab<Factory> {
    /// Checks that nobody uses more than it may, that what is charged is what there is, and that all that was promised is there: of factories, and of
    /// each of the `promised` types, as many as the first factory may have objects; and free page frames for what is left of its quota and all others.
    ///
    /// # Errors
    /// The first rule found broken.
    pub fn check(
        &self,
        first: Index<Factory>,
        promised: &[Filling],
        arenas: Filling,
        interrupts: Filling,
        free_frames: u64,
    ) -> Result<(), Broken> {
        let Factory { frames, objects, arenas: of_arenas, .. } = &self[first];
        // The first factory is nobody's object.
        let Filling { live, capacity } = self.filling();
        let least = promised.iter().fold(capacity - 1, |least, table| least.min(table.capacity));
        ensure(objects.limit <= least, "a promise of objects beyond a table")?;
        ensure(of_arenas.limit <= arenas.capacity, "a promise of arenas beyond their table")?;
        let [own_frames, own_objects, own_arenas] = self.own(first)?;
        let left = frames.limit.wrapping_sub(own_frames);
        ensure(left <= free_frames, "a promise of page frames beyond those that are free")?;
        let others = live - 1 + arenas.live + interrupts.live;
        let live = promised.iter().fold(others, |live, table| live + table.live);
        ensure(own_objects == live, "objects that are not charged, or gone")?;
        ensure(own_arenas == arenas.live, "arenas that are not charged, or gone")
    }

    /// What all factories use together, but to make others from it: page frames, objects, arenas.
    fn own(&self, first: Index<Factory>) -> Result<[u64; 3], Broken> {
        let mut own = [0_u64; 3];
        for index in self.iter() {
            let Factory { frames, objects, arenas, .. } = &self[index];
            for (own, quota) in own.iter_mut().zip([frames, objects, arenas]) {
                ensure(quota.used <= quota.limit, "a factory that uses more than it may")?;
                // What others have is in use where it was taken from, which may be seen later.
                let given = if index == first { 0 } else { quota.limit };
                *own = own.wrapping_add(quota.used).wrapping_sub(given);
            }
        }
        Ok(own)
    }
}
