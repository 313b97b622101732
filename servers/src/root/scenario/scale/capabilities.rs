//! Beside a hundred thousand capabilities of one task, and a thousand threads of another.

use alloc::vec::Vec;

use lilliput_abi::{Error, Rights};
use lilliput_runtime::{Endpoint, Task, Thread, Word};
use lilliput_user64::Native;

use super::{Table, cost, least};
use crate::FACTORY;

/// How many capabilities there are when it is measured.
const COUNTS: [usize; 4] = [10, 1000, 16_000, 100_000];
/// How many threads.
const THREADS: [usize; 4] = [1, 10, 100, 1000];

pub fn measure() -> Result<(), Error> {
    let endpoint: Endpoint<Native> = FACTORY.create_endpoint()?;
    let holder: Task<Native> = FACTORY.create_wide()?;
    holder.places(COUNTS[COUNTS.len() - 1] + 100)?;
    let give = || holder.grant(endpoint.place(), Rights::SEND, 1, 0);
    let mut table = Table::new("capabilities");
    let mut given = 0;
    for count in COUNTS {
        while given < count {
            // A table that is new is filled from place 1 on.
            given = give()? as usize;
        }
        let grant = least(|| {
            let (spent, place) = cost(give)?;
            holder.delete(place)?;
            Ok(spent)
        })?;
        // The first one goes, and two come: there is a free place at the one end, and at the other.
        let first = 1;
        let second = least(|| {
            holder.delete(first)?;
            holder.grant(endpoint.place(), Rights::SEND, 1, first)?;
            let (spent, place) = cost(give)?;
            holder.delete(place)?;
            Ok(spent)
        })?;
        let (middle, mut delete) = (count as u32 / 2, Word::MAX);
        for _ in 0..super::TRIES {
            delete = delete.min(cost(|| holder.delete(middle))?.0);
            holder.grant(endpoint.place(), Rights::SEND, 1, middle)?;
        }
        table.enter(count, [("grant", grant), ("grant behind all", second), ("delete", delete)]);
    }
    table.print(&[]);
    FACTORY.destroy(holder.place())?;
    FACTORY.destroy(endpoint.place())
}

/// Threads of one task, that one by one come and go.
pub fn threads() -> Result<(), Error> {
    let task: Task<Native> = FACTORY.create_wide()?;
    let mut table = Table::new("threads");
    let mut threads: Vec<Thread<Native>> = Vec::new();
    for count in THREADS {
        while threads.len() < count {
            threads.push(FACTORY.create_thread(task, 1)?);
        }
        let create = least(|| {
            let (spent, thread) = cost(|| FACTORY.create_thread(task, 1))?;
            FACTORY.destroy(thread.place())?;
            Ok(spent)
        })?;
        let destroy = least(|| {
            // The one that was made first.
            let (spent, ()) = cost(|| FACTORY.destroy(threads[0].place()))?;
            threads.remove(0);
            threads.push(FACTORY.create_thread(task, 1)?);
            Ok(spent)
        })?;
        table.enter(count, [("create thread", create), ("destroy thread", destroy)]);
    }
    table.print(&[]);
    let names: Vec<u32> = threads.iter().map(|thread| thread.place()).collect();
    FACTORY.destroy(task.place())?;
    names.into_iter().try_for_each(|place| crate::SELF.delete(place))
}
