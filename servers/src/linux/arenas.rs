//! Where 32-bit processes are: in the server's own arena as long as that has room, then in further ones, which are there while somebody is.
//!
//! Those share the server's host half, so that it makes no difference where a process is.
//!
//! One that wants more address space than it began with grows in its slot, or in another of its arena, up to an eighth of that; from there on it is a
//! large task, which takes nobody's place and is served as quickly.

use alloc::vec;
use alloc::vec::Vec;

use lilliput_abi::layout::{MAX_SMALL_SIZE, SLOT_UNIT};
use lilliput_abi::{Error, Isolation};
use lilliput_linux::Arch;
use lilliput_linux::program::limit;
use lilliput_runtime::object::Arena;
use lilliput_runtime::place::linux::ARENA;
use lilliput_runtime::{Factory, Task, Word};
use lilliput_user64::Native;

/// Programs of one server trust one another no more than Linux programs do: as far as the server separates them.
const DOMAIN: u32 = 0;

/// The largest space that is in a slot.
const MOST_IN_SLOT: u64 = MAX_SMALL_SIZE / 8 / SLOT_UNIT * SLOT_UNIT;
/// The largest that is made as it is: that of a program that is linked as usual, and has not grown.
const MOST_AT_FIRST: u64 = 144 << 20;
/// What others begin with before they grow: it finds a hole wherever there is one for any program.
const BEFORE_GROWTH: u64 = 8 << 20;

/// A process's task.
#[derive(Clone, Copy)]
pub struct Space {
    pub task: Task<Native>,
    /// The number of its arena: 0 is the server's own. Of a 64-bit task 0.
    pub arena: usize,
    /// Whether it is a large task, which has no slot there.
    pub is_large: bool,
}

impl Space {
    /// Lets it have addresses below `size`, and says below what it has them now: half as much again where that is to be had, so that it is not asked for
    /// each time.
    ///
    /// # Errors
    /// What the kernel says; then nothing has changed.
    pub fn grow(self, size: u64) -> Result<(Self, u64), Error> {
        if !self.is_large && size <= MOST_IN_SLOT {
            let more = (size + size / 2).next_multiple_of(SLOT_UNIT).min(MOST_IN_SLOT);
            for size in [more, size] {
                match self.task.resize(size as Word, false) {
                    Err(Error::NoHole) => {}
                    resized => return resized.map(|now| (self, now.size as u64)),
                }
            }
        }
        // There all that there can be costs no more than less.
        let now = self.task.resize_alone(limit(Arch::I386) as Word)?;
        Ok((Self { is_large: true, ..self }, now.size as u64))
    }
}

/// One of the arenas.
struct One {
    arena: Arena<Native>,
    /// How many tasks are in it, unless it is the server's own.
    tasks: usize,
    /// The least size for which it had no hole since a task of it ended: there is no use in asking again.
    full_at: u32,
}

impl One {
    const fn new(arena: Arena<Native>) -> Self {
        Self { arena, tasks: 0, full_at: u32::MAX }
    }
}

/// All arenas.
pub struct Arenas {
    maker: Factory<Native>,
    isolation: Isolation,
    /// By their numbers.
    all: Vec<Option<One>>,
}

impl Arenas {
    /// The server's own; `maker` pays for all that is made.
    pub fn new(maker: Factory<Native>, isolation: Isolation) -> Self {
        Self { maker, isolation, all: vec![Some(One::new(Arena::at(ARENA)))] }
    }

    /// Makes a task of `size` bytes in the first arena that has room for it.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn create(&mut self, size: u64) -> Result<Space, Error> {
        if size <= MOST_AT_FIRST {
            return self.create_small(size as u32);
        }
        let space = self.create_small(BEFORE_GROWTH as u32)?;
        let grown = space.grow(size).inspect_err(|_| self.destroy(space));
        grown.map(|(space, _)| space)
    }

    fn create_small(&mut self, size: u32) -> Result<Space, Error> {
        for (number, one) in self.all.iter_mut().enumerate() {
            let Some(one) = one.as_mut().filter(|one| size < one.full_at) else { continue };
            match self.maker.create_small(one.arena, size, self.isolation, DOMAIN) {
                Err(Error::NoHole) => one.full_at = size,
                Err(error) => return Err(error),
                Ok((task, _)) => {
                    one.tasks += 1;
                    return Ok(Space { task, arena: number, is_large: false });
                }
            }
        }
        let arena = self.maker.create_arena_beside(Arena::at(ARENA))?;
        let made = self.maker.create_small(arena, size, self.isolation, DOMAIN);
        let (task, _) = made.inspect_err(|_| self.end(arena))?;
        let number = self.all.iter().position(Option::is_none).unwrap_or_else(|| {
            self.all.push(None);
            self.all.len() - 1
        });
        self.all[number] = Some(One { tasks: 1, ..One::new(arena) });
        Ok(Space { task, arena: number, is_large: false })
    }

    /// Ends a task that has no threads, and its arena with the last.
    pub fn destroy(&mut self, Space { task, arena: number, .. }: Space) {
        // Nobody else can destroy it.
        let _ = self.maker.destroy(task.place());
        let Some(one) = &mut self.all[number] else { return };
        one.full_at = u32::MAX;
        if number == 0 {
            return;
        }
        one.tasks -= 1;
        if one.tasks == 0 {
            let arena = one.arena;
            self.end(arena);
            self.all[number] = None;
        }
    }

    fn end(&self, arena: Arena<Native>) {
        // It has no tasks, and nobody else can destroy it.
        let _ = self.maker.destroy(arena.place());
    }
}
