//! Whether the kernel's half of a root is the kernel's alone, and nothing in it is both written and executed.

use x86_64::VirtAddr;
use x86_64::structures::paging::PageTableFlags as Flags;

use super::{ENTRIES, TableMemory, UPPER_HALF};
use crate::frames::Frame;

/// What all levels allow (the CPU takes the AND), with "no execute" turned into "execute".
#[derive(Clone, Copy)]
struct Allowed {
    user: bool,
    write: bool,
    execute: bool,
}

impl Allowed {
    fn and(self, flags: Flags) -> Self {
        Self {
            user: self.user && flags.contains(Flags::USER_ACCESSIBLE),
            write: self.write && flags.contains(Flags::WRITABLE),
            execute: self.execute && !flags.contains(Flags::NO_EXECUTE),
        }
    }
}

/// The first page of the kernel's half that a task can reach, or that can be both written and executed; `None` if all is well.
pub fn breach(memory: &mut impl TableMemory, root: Frame) -> Option<VirtAddr> {
    let all = Allowed { user: true, write: true, execute: true };
    (UPPER_HALF..ENTRIES).find_map(|entry| below(memory, root, entry, 3, 0, all))
}

/// The same below one entry of a table of this level (0 for the last), which maps addresses from `start` on.
fn below(
    memory: &mut impl TableMemory,
    table: Frame,
    number: usize,
    level: u32,
    start: u64,
    above: Allowed,
) -> Option<VirtAddr> {
    let entry = &memory.table(table)[number];
    let (flags, next) = (entry.flags(), entry.addr());
    if !flags.contains(Flags::PRESENT) {
        return None;
    }
    let start = start + ((number as u64) << (12 + 9 * level));
    let allowed = above.and(flags);
    if level == 0 || flags.contains(Flags::HUGE_PAGE) {
        let breached = allowed.user || allowed.write && allowed.execute;
        return breached.then(|| VirtAddr::new_truncate(start));
    }
    (0..ENTRIES).find_map(|entry| below(memory, Frame::containing(next), entry, level - 1, start, allowed))
}
