//! What the tasks of a round start with, and what they tell.

use lilliput_abi::layout::{HOST_START, PAGE_SIZE, USER_END};

use crate::message::Word;
use crate::object::{Factory, Task, Thread};
use crate::place;

/// What a task may ask its parent for.
pub mod parameter {
    use crate::message::Word;

    /// Low half of the seed.
    pub const SEED: Word = 1;
    /// High half.
    pub const SEED_HIGH: Word = 2;
    /// How many steps come before the end.
    pub const STEPS: Word = 3;
    /// 1 where the task is steady.
    pub const STEADY: Word = 4;
    /// For a task with a factory: where at the keeper's it puts what it made, [`super::MOST_MADE`] places from here on.
    pub const KEPT_FROM: Word = 5;
    /// Asked for as a sign of life.
    pub const ALIVE: Word = 6;
    /// What the poker is to do: see [`super::command`].
    pub const COMMAND: Word = 7;
}

/// What the poker is to do.
pub mod command {
    use crate::message::Word;

    /// Go on.
    pub const POKE: Word = 0;
    /// End all that was made and tell, once: [`super::CLEANED`].
    pub const CLEAN: Word = 1;
}

/// First word of a result: the last step comes next, `(1 if it is sure to raise an exception, what instruction)`.
pub const LAST_STEP: Word = 1;
/// First word of a result of the poker's: `(objects ended, objects that could not be)`.
pub const CLEANED: Word = 2;

/// Places that only fuzzing has, beside those of [`place`].
pub mod at {
    /// The task's own first thread.
    pub const THREAD: u32 = 12;
    /// The factory.
    pub const FACTORY: u32 = 13;
    /// Another task of the round.
    pub const PARTNER: u32 = 14;
    /// Its first thread.
    pub const PARTNER_THREAD: u32 = 15;
    /// The poker's task, to put away what was made.
    pub const KEEPER: u32 = 16;
    /// The witnesses' endpoint.
    pub const WITNESS: u32 = 17;
    /// Frames with few rights.
    pub const READ_ONLY_FRAMES: u32 = 18;
    /// An arena.
    pub const ARENA: u32 = 19;
    /// Endpoints, each with other rights.
    pub const ENDPOINTS: [u32; 4] = [3, 20, 21, 22];
    /// Notifications, each with other rights.
    pub const NOTIFICATIONS: [u32; 2] = [7, 23];
    /// The places above.
    pub const LAST: u32 = 23;
}

/// The poker's places.
pub mod poker {
    /// Endpoints of a round.
    pub const ENDPOINTS: core::ops::Range<u32> = 16..21;
    /// Notifications of a round.
    pub const NOTIFICATIONS: core::ops::Range<u32> = 24..27;
    /// Threads of a round.
    pub const THREADS: core::ops::Range<u32> = 32..48;
    /// What tasks of the round made.
    pub const KEPT: core::ops::Range<u32> = 64..256;
}

/// Badges of what a round's tasks, its fuzzers, and the poker have. Whoever may revoke takes from everybody else what has the same badge: what
/// the poker has must have its own, else nobody wakes those that wait.
pub mod badge {
    /// Of what a fuzzer has, by its number: endpoints, itself, frames, a witness.
    pub const fn fuzzer(number: usize) -> u32 {
        0x100 + number as u32
    }

    /// Of a notification that a fuzzer may wait for: a bit, as it is what a signal sets.
    pub const fn waited_for(fuzzer: usize) -> u32 {
        1 << fuzzer
    }

    /// Of a notification that a fuzzer only signals.
    pub const SIGNALLED: u32 = 1 << 30;
    /// Of what a fuzzer has of its partner.
    pub const PARTNER: u32 = 0x60;

    /// Of an endpoint of the poker's, by its number.
    pub const fn poked_endpoint(number: usize) -> u32 {
        0x70 + number as u32
    }

    /// Of a notification of the poker's, by its number.
    pub const fn poked_notification(number: usize) -> u32 {
        1 << (super::poker::THREADS.end - super::poker::THREADS.start) << number
    }
}

/// The most objects that one task makes.
pub const MOST_MADE: u32 = 90;

/// The highest priority that tasks of a round have, and the poker's. Whoever never waits shares the CPU with the poker then.
pub const PRIORITY: u8 = 40;
/// Priority of witnesses: they answer the root task at once.
pub const WITNESS_PRIORITY: u8 = 44;

/// The size of the small spaces.
pub const SMALL_SIZE: u32 = 4 << 20;
/// Pages at [`place::FRAMES`].
pub const FRAMES_PAGES: usize = 32;
/// Of these, the first that are stacks of further threads.
pub const STACK_FRAMES: u16 = 24;
/// Where nothing of a program's is mapped, from the start of its space on; up to [`SCRATCH_END`].
pub const SCRATCH: Word = 0x20_0000;
/// The end of that range.
pub const SCRATCH_END: Word = 0x30_0000;
/// Where stacks of further threads are mapped.
pub const STACKS: Word = 0x30_0000;
/// What stays free at the top of a small space.
pub const FREE_TOP: Word = 16 * PAGE;

/// Bytes of a page.
pub const PAGE: Word = PAGE_SIZE as Word;

/// Where the space of a program at `address` begins: 0, and for a host the end of its clients' slots.
pub const fn start_of_space(address: Word) -> Word {
    if (address as u64) < HOST_START || address as u64 >= 2 * HOST_START { 0 } else { HOST_START as Word }
}

/// Where code can be put that is not the program's own: the scratch range, and the last page of a small or 64-bit space.
pub fn holds_code(address: Word) -> bool {
    let offset = address - start_of_space(address);
    let last = if size_of::<Word>() == 4 { SMALL_SIZE as Word } else { USER_END as Word } - PAGE;
    (SCRATCH..SCRATCH_END).contains(&offset) || (last..last + PAGE).contains(&address)
}

/// The task's own task.
pub const fn task<K>() -> Task<K> {
    Task::at(place::TASK)
}

/// Its thread.
pub const fn thread<K>() -> Thread<K> {
    Thread::at(at::THREAD)
}

/// The factory.
pub const fn factory<K>() -> Factory<K> {
    Factory::at(at::FACTORY)
}

/// A number that follows from a seed and a place in its sequence (splitmix64, Steele and others 2014).
pub const fn mix(seed: u64, number: u64) -> u64 {
    let sum = seed.wrapping_add(number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let first = (sum ^ sum >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let second = (first ^ first >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    second ^ second >> 31
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_that_follow_each_other_have_nothing_in_common() {
        let all: std::collections::BTreeSet<u64> =
            (0..100).flat_map(|seed| (0..100).map(move |number| mix(seed, number))).collect();
        assert_eq!(all.len(), 100 * 100);
    }

    #[test]
    fn nobody_revokes_what_the_poker_has() {
        let fuzzers = 0..poker::THREADS.len();
        let notifications: Vec<u32> = (0..poker::NOTIFICATIONS.len()).map(badge::poked_notification).collect();
        let endpoints: Vec<u32> = (0..poker::ENDPOINTS.len()).map(badge::poked_endpoint).collect();
        for number in fuzzers {
            assert!(!notifications.contains(&badge::waited_for(number)), "notification of fuzzer {number}");
            assert!(!endpoints.contains(&badge::fuzzer(number)), "endpoint of fuzzer {number}");
        }
        let mut own = [notifications, endpoints, vec![badge::SIGNALLED, badge::PARTNER, 0]].concat();
        own.sort_unstable();
        let all = own.len();
        own.dedup();
        assert_eq!(own.len(), all);
    }

    #[test]
    fn code_lies_where_no_program_does() {
        let host = HOST_START as Word;
        assert!(holds_code(SCRATCH) && holds_code(host + SCRATCH_END - 1) && holds_code(USER_END as Word - 1));
        for address in [0, 0x1_0000, 0x40_0000, SCRATCH_END, host, host + 0x40_0000, USER_END as Word, Word::MAX] {
            assert!(!holds_code(address), "{address:#x}");
        }
    }
}
