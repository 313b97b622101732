//! Where 32-bit processes are: in the server's own arena as long as that has room, then in further ones, which are there while somebody is.
//!
//! Those share the server's host half, so that it makes no difference where a process is.

use alloc::vec::Vec;

use lilliput_abi::{Error, Isolation};
use lilliput_runtime::object::Arena;
use lilliput_runtime::place::linux::ARENA;
use lilliput_runtime::{Factory, Task};
use lilliput_user64::Native;

/// Programs of one server trust one another no more than Linux programs do: as far as the server separates them.
const DOMAIN: u32 = 0;

/// A process's task.
#[derive(Clone, Copy)]
pub struct Space {
    pub task: Task<Native>,
    /// The number of its arena: 0 is the server's own. Of a 64-bit task 0.
    pub arena: usize,
}

/// An arena beside the server's own.
#[derive(Clone, Copy)]
struct Further {
    arena: Arena<Native>,
    /// How many tasks are in it.
    tasks: usize,
}

/// All arenas.
pub struct Arenas {
    maker: Factory<Native>,
    isolation: Isolation,
    /// By their numbers less one.
    further: Vec<Option<Further>>,
}

impl Arenas {
    /// The server's own; `maker` pays for all that is made.
    pub const fn new(maker: Factory<Native>, isolation: Isolation) -> Self {
        Self { maker, isolation, further: Vec::new() }
    }

    /// Makes a small task of `size` bytes in the first arena that has room for it.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn create_small(&mut self, size: u32) -> Result<Space, Error> {
        let make = |arena| self.maker.create_small(arena, size, self.isolation, DOMAIN).map(|(task, _)| task);
        match make(Arena::at(ARENA)) {
            Err(Error::NoHole) => {}
            made => return made.map(|task| Space { task, arena: 0 }),
        }
        for (number, further) in (1..).zip(&mut self.further) {
            if let Some(Further { arena, tasks }) = further {
                match make(*arena) {
                    Err(Error::NoHole) => continue,
                    made => return made.map(|task| Space { task, arena: number }).inspect(|_| *tasks += 1),
                }
            }
        }
        let arena = self.maker.create_arena_beside(Arena::at(ARENA))?;
        let task = make(arena).inspect_err(|_| self.end(arena))?;
        let place = self.further.iter().position(Option::is_none).unwrap_or_else(|| {
            self.further.push(None);
            self.further.len() - 1
        });
        self.further[place] = Some(Further { arena, tasks: 1 });
        Ok(Space { task, arena: place + 1 })
    }

    /// Ends a task that has no threads, and its arena with the last.
    pub fn destroy(&mut self, Space { task, arena }: Space) {
        // Nobody else can destroy it.
        let _ = self.maker.destroy(task.place());
        let Some(place) = arena.checked_sub(1) else { return };
        if let Some(further) = &mut self.further[place] {
            further.tasks -= 1;
            if further.tasks == 0 {
                let arena = further.arena;
                self.end(arena);
                self.further[place] = None;
            }
        }
    }

    fn end(&self, arena: Arena<Native>) {
        // It has no tasks, and nobody else can destroy it.
        let _ = self.maker.destroy(arena.place());
    }
}
