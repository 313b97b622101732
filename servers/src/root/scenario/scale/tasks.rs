//! Beside thousands of small tasks, in as many arenas as it takes.

use alloc::vec::Vec;

use lilliput_abi::layout::USER_START;
use lilliput_abi::{Error, Isolation, Rights};
use lilliput_runtime::object::Arena;
use lilliput_runtime::{Endpoint, Frames, Task, Thread, Word};
use lilliput_user64::Native;

use super::super::bench;
use super::{Table, cost, least};
use crate::failure::{Failure, context};
use crate::output::say;
use crate::supervisor::Supervisor;
use crate::{FACTORY, SELF};

/// The smallest space that there is.
const SIZE: u32 = 0x1_1000;
/// Tasks of an arena.
const ARENA: usize = 1000;
/// How many tasks there are when it is measured.
const COUNTS: [usize; 5] = [1, 10, 100, 1000, 4000];
/// Frames that a small task takes, beside its memory: its capability table and page tables.
const FRAMES: [(Isolation, Word); 2] = [(Isolation::Segment, 2), (Isolation::Page, 5)];

/// A task with a page and a thread.
type Tenant = (Task<Native>, Thread<Native>);

pub fn measure(supervisor: &mut Supervisor) -> Result<(), Failure> {
    for (isolation, frames) in FRAMES {
        let mut village = context(Village::new(isolation), "what many tasks have in common")?;
        let mut table = Table::new(if isolation == Isolation::Segment { "segment-tasks" } else { "page-tasks" });
        for count in COUNTS {
            context(village.grow(count, frames), "making many tasks")?;
            let costs = context(village.measure(), "measuring beside many tasks")?;
            let [call, reply] = bench::call_and_reply(supervisor, isolation)?;
            let messages = [("call small -> small", call as Word), ("reply small -> small", reply as Word)];
            let bytes = ("page frames each, bytes", village.frames * 4096);
            table.enter(count, costs.into_iter().chain(messages).chain([bytes]));
        }
        table.print(&["revoke"]);
        context(village.end(), "ending many tasks")?;
    }
    Ok(())
}

/// Many tasks, in as many arenas as it takes, and what they have in common.
struct Village {
    isolation: Isolation,
    page: Frames<Native>,
    endpoint: Endpoint<Native>,
    arenas: Vec<Arena<Native>>,
    tenants: Vec<Tenant>,
    /// Page frames that each of them takes; what they share of an arena's tables is less than a frame each, and left out.
    frames: Word,
}

impl Village {
    fn new(isolation: Isolation) -> Result<Self, Error> {
        let (page, endpoint) = (FACTORY.create_frames(1)?, FACTORY.create_endpoint()?);
        Ok(Self { isolation, page, endpoint, arenas: Vec::new(), tenants: Vec::new(), frames: 0 })
    }

    /// Makes tasks until there are so many; of a thousand, none may take more than `frames` page frames.
    fn grow(&mut self, count: usize, frames: Word) -> Result<(), Error> {
        let Self { isolation, page, arenas, tenants, .. } = self;
        let before = (FACTORY.usage()?.0, tenants.len());
        while tenants.len() < count {
            if tenants.len() == arenas.len() * ARENA {
                arenas.push(FACTORY.create_arena()?);
            }
            tenants.push(tenant(arenas[arenas.len() - 1], *isolation, *page)?.1);
        }
        self.frames = (FACTORY.usage()?.0 - before.0) / (count - before.1);
        if count == 1000 {
            say!("@budget frames-of-a-small-task-{} {} {frames}", isolation.name(), self.frames);
        }
        Ok(())
    }

    /// What it costs to make, use and end one more.
    fn measure(&mut self) -> Result<Vec<(&'static str, Word)>, Error> {
        let Self { isolation, page, endpoint, ref arenas, ref mut tenants, .. } = *self;
        let arena = arenas[arenas.len() - 1];
        let mut costs = [Word::MAX; 8];
        let mut held = Vec::new();
        for _ in 0..super::TRIES {
            // What a table costs depends on how large a block of frames has to be split for it: each try finds another state of these.
            held.push(FACTORY.create_frames(1)?);
            let (making, (task, thread)) = tenant(arena, isolation, page)?;
            costs[..3].iter_mut().zip(making).for_each(|(least, cost)| *least = cost.min(*least));
            let more = [
                cost(|| task.grant(endpoint.place(), Rights::SEND, 7, 0))?.0,
                cost(|| task.unmap(USER_START as Word, 1))?.0,
                cost(|| FACTORY.destroy(thread.place()))?.0,
                cost(|| FACTORY.destroy(task.place()))?.0,
            ];
            costs[3..7].iter_mut().zip(more).for_each(|(least, cost)| *least = cost.min(*least));
        }
        held.into_iter().try_for_each(|frames| FACTORY.destroy(frames.place()))?;
        // Somewhere in the middle of all tables.
        costs[7] = least(|| {
            let middle = tenants.len() / 2;
            let ended = tenants.remove(middle);
            let (spent, ()) = cost(|| FACTORY.destroy(ended.0.place()))?;
            SELF.delete(ended.1.place())?;
            tenants.insert(middle, tenant(arenas[middle / ARENA], isolation, page)?.1);
            Ok(spent)
        })?;
        let names =
            ["create task", "map a page", "create thread", "grant", "unmap it", "destroy thread", "destroy task"];
        let sweeps = [
            ("revoke", least(|| Ok(cost(|| SELF.revoke(endpoint.place(), 7))?.0))?),
            ("destroy factory", least(destroy_factory)?),
        ];
        Ok(names.into_iter().chain(["destroy with both"]).zip(costs).chain(sweeps).collect())
    }

    fn end(self) -> Result<(), Error> {
        for (task, thread) in self.tenants {
            FACTORY.destroy(task.place())?;
            SELF.delete(thread.place())?;
        }
        let arenas = self.arenas.iter().map(|arena| arena.place());
        arenas.chain([self.page.place(), self.endpoint.place()]).try_for_each(|it| FACTORY.destroy(it))
    }
}

fn destroy_factory() -> Result<Word, Error> {
    let factory = FACTORY.create_factory(0, 0)?;
    Ok(cost(|| FACTORY.destroy(factory.place()))?.0)
}

/// A task with a page and a thread, and what it cost to make and map these.
fn tenant(arena: Arena<Native>, isolation: Isolation, page: Frames<Native>) -> Result<([Word; 3], Tenant), Error> {
    let (create, (task, _)) = cost(|| FACTORY.create_small(arena, SIZE, isolation, 0))?;
    let (map, ()) = cost(|| task.map(page, USER_START as Word, 0, 1, Rights::READ))?;
    let (thread, made) = cost(|| FACTORY.create_thread(task, 1))?;
    Ok(([create, map, thread], (task, made)))
}
