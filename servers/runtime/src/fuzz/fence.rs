//! What fuzzing leaves undone: what a kernel has to allow, and the run would not survive.

use lilliput_abi::object::map;
use lilliput_abi::operation::deadline;
use lilliput_abi::{Operation, Rights, Selector, Tag};

use super::generate::Step;
use super::kit::{self, at};
use crate::message::Word;
use crate::place;

/// Labels by which several kinds of objects are asked for what is fenced. A label is looked at whatever object it goes to.
mod label {
    /// Of a task.
    pub const MAP: u16 = 1;
    /// Of a task: unmap.
    pub const UNMAP: u16 = 2;
    /// Of a task.
    pub const GRANT: u16 = 3;
    /// Of nothing.
    pub const NONE: u16 = 0;
    /// Of a task: delete. Of a thread: set its fault handler.
    pub const DELETE: u16 = 4;
    /// Of a task.
    pub const SET_FAULT_HANDLER: u16 = 5;
    /// Of a task, and of nothing else.
    pub const INFO: u16 = 6;
    /// Of a factory: create a thread. Of a task: move pages.
    pub const CREATE_THREAD: u16 = 7;
    /// Of a task.
    pub const RESIZE: u16 = 16;
    /// Of a factory. Of a task: revoke.
    pub const DESTROY: u16 = 9;
}

/// What no task gives up: whom it reports to, and where what it made is put.
const KEPT_BY_ALL: [u32; 2] = [place::PARENT, at::KEEPER];
/// What a steady task does not either.
const KEPT_BY_STEADY: [u32; 3] = [place::TASK, place::FRAMES, at::WITNESS];

/// The highest number of pages a new set of frames has: larger ones take long to zero.
const MOST_PAGES: Word = 1024;

/// The longest sleep, in nanoseconds.
const MOST_SLEEP: Word = 3_000_000;

/// What one task leaves undone.
#[derive(Clone, Copy, Debug)]
pub struct Fence {
    /// Whether it does itself no harm.
    pub steady: bool,
    /// Whether it makes objects. Capabilities to them are kept elsewhere, and nobody must revoke those: whoever waits on such an
    /// object would wait for ever.
    pub maker: bool,
    /// Where its space begins.
    pub start: Word,
}

impl Fence {
    /// The step, changed where it goes too far.
    pub fn tame(&self, mut step: Step) -> Step {
        if step.selector.index() == at::KEEPER {
            step.selector = Selector(step.selector.0 & 0xff00_0000 | place::TASK);
        }
        // Who sleeps gives no sign of life.
        if step.selector.operation() == Some(Operation::Sleep) {
            let length = step.message.words[0] % MOST_SLEEP;
            step.message.tag = Tag::new(deadline::FROM_NOW, 2);
            step.message.words[..2].copy_from_slice(&[length, 0]);
        }
        // Nor does who ended, though whoever watches would have to know.
        if step.selector.operation() == Some(Operation::Exit) {
            step.message.tag = Tag::new(0, 0);
        }
        // Only calls have methods; of other operations the words are nobody's but the receiver's.
        if step.selector.operation() != Some(Operation::Call) {
            return step;
        }
        let itself = step.selector.index() == place::TASK;
        let (label, words) = (step.message.label(), &mut step.message.words);
        match label {
            label::MAP if self.steady && itself && self.is_own(words[1], words[2] >> 16) => {
                words[3] &= !(map::REPLACE as Word);
            }
            label::UNMAP if self.steady && self.is_own(words[0], words[1]) => {
                words[0] = self.start + kit::SCRATCH;
                words[1] %= 256;
            }
            // Whoever handles its faults instead of its parent may answer that it stops.
            label::DELETE
                if self.steady && ![place::TASK, at::PARTNER, at::FACTORY].contains(&step.selector.index()) =>
            {
                step.message.tag.0 = step.message.tag.0 & 0xffff | u32::from(label::NONE) << 16;
            }
            label::DELETE if self.keeps(words[0]) => words[0] = at::LAST as Word,
            label::GRANT if self.maker => words[1] &= !(Rights::DESTROY.bits() as Word),
            label::DESTROY if self.maker && step.selector.index() != at::FACTORY => {
                step.message.tag.0 = step.message.tag.0 & 0xffff | u32::from(label::INFO) << 16;
            }
            // What it must not destroy for want of a right, or because it is the caller's own, it may try to.
            label::DESTROY if self.steady && words[0] == place::FRAMES as Word => words[0] = at::LAST as Word,
            label::SET_FAULT_HANDLER if self.steady && step.selector.index() == place::TASK => {
                step.message.tag.0 = step.message.tag.0 & 0xffff | u32::from(label::INFO) << 16;
            }
            // Whatever is cut off is gone.
            label::RESIZE if self.steady && itself && words[0] < kit::SMALL_SIZE as Word => {
                words[0] += kit::SMALL_SIZE as Word;
            }
            label::CREATE_THREAD => {
                let (address, pages) = (words[1] & !(kit::PAGE - 1), words[1] % kit::PAGE);
                if self.steady && address != 0 && self.is_own(address, pages) {
                    words[1] = self.start + kit::SCRATCH + pages % 256;
                }
                if words[0] == at::KEEPER as Word || self.steady && words[0] == place::TASK as Word {
                    words[0] = at::PARTNER as Word;
                }
                // The task that pages are moved to.
                if words[2] == at::KEEPER as Word {
                    words[2] = at::PARTNER as Word;
                }
            }
            // Of a factory: frames.
            8 if words[0] > MOST_PAGES && words[0] < 1 << 24 => words[0] %= MOST_PAGES,
            _ => {}
        }
        step
    }

    fn keeps(&self, place: Word) -> bool {
        let is = |kept: &u32| *kept as Word == place;
        KEPT_BY_ALL.iter().any(is) || self.steady && KEPT_BY_STEADY.iter().any(is)
    }

    /// Whether pages in this range may be the program's: all but the scratch range and what lies beyond the stack.
    fn is_own(&self, address: Word, pages: Word) -> bool {
        let offset = address.wrapping_sub(self.start);
        let end = pages.checked_mul(kit::PAGE).and_then(|bytes| offset.checked_add(bytes));
        let is_scratch = offset >= kit::SCRATCH && end.is_some_and(|end| end <= kit::SCRATCH_END);
        !is_scratch
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz::generate::Generator;
    use lilliput_abi::Tag;
    use proptest::prelude::*;

    const STEADY: Fence = Fence { steady: true, maker: false, start: 0 };

    fn method(place: u32, label: u16, words: [Word; 2]) -> Step {
        let mut step = Generator::new(1, 0x1_0000, true).step();
        step.selector = Selector::new(Operation::Call, place);
        step.message.tag = Tag::new(label, 4);
        step.message.words[..2].copy_from_slice(&words);
        step
    }

    #[test]
    fn the_program_of_a_steady_task_stays_mapped() {
        let steady = STEADY;
        let wild = Fence { steady: false, ..STEADY };
        for range in [[0x1_0000, 1], [kit::SCRATCH, 257], [kit::SCRATCH_END, 1], [kit::SCRATCH, Word::MAX], [0, 512]] {
            let step = method(place::TASK, label::UNMAP, range);
            let words = steady.tame(step).message.words;
            assert!(words[0] == kit::SCRATCH && words[1] < 256, "{range:x?}");
            assert_eq!(wild.tame(step), step);
        }
        let step = method(place::TASK, label::UNMAP, [kit::SCRATCH + kit::PAGE, 255]);
        assert_eq!(steady.tame(step), step);
    }

    #[test]
    fn the_program_of_a_steady_task_is_not_replaced() {
        let steady = STEADY;
        let replacing = |address, pages: Word| {
            let mut step = method(place::TASK, label::MAP, [place::FRAMES as Word, address]);
            step.message.words[2..4].copy_from_slice(&[pages << 16, map::REPLACE as Word | 16]);
            steady.tame(step).message.words[3]
        };
        assert_eq!(replacing(0x1_0000, 1), 16);
        assert_eq!(replacing(kit::SCRATCH, 257), 16);
        assert_eq!(replacing(kit::SCRATCH, 256), map::REPLACE as Word | 16);
    }

    #[test]
    fn the_program_of_a_steady_task_is_not_moved() {
        let steady = STEADY;
        let moving = |range| steady.tame(method(place::TASK, label::CREATE_THREAD, [place::FRAMES as Word, range]));
        assert_eq!(moving(0x1_0000 + 3).message.words[1], kit::SCRATCH + 3);
        assert_eq!(moving(kit::SCRATCH + 257).message.words[1], kit::SCRATCH + 1);
        assert_eq!(moving(kit::SCRATCH + 256).message.words[1], kit::SCRATCH + 256);
        assert_eq!(moving(5).message.words[1], 5, "a priority");
        let mut to_keeper = method(place::TASK, label::CREATE_THREAD, [place::FRAMES as Word, kit::SCRATCH + 1]);
        to_keeper.message.words[2] = at::KEEPER as Word;
        assert_eq!(steady.tame(to_keeper).message.words[2], at::PARTNER as Word, "nor are pages moved to the keeper");
    }

    #[test]
    fn the_space_of_a_steady_task_is_not_cut() {
        let tamed = |steady, size| {
            let words = [size, 0];
            (Fence { steady, ..STEADY }).tame(method(place::TASK, label::RESIZE, words)).message.words[0]
        };
        assert_eq!(
            (tamed(true, 0x2_0000), tamed(false, 0x2_0000), tamed(true, 0x60_0000)),
            (0x42_0000, 0x2_0000, 0x60_0000)
        );
    }

    #[test]
    fn what_is_kept_is_not_given_up() {
        let steady = STEADY;
        let tamed = |label, place| steady.tame(method(place::TASK, label, [place as Word, 0])).message.words[0];
        for place in [place::PARENT, at::KEEPER, at::WITNESS, place::TASK, place::FRAMES] {
            assert_eq!(tamed(label::DELETE, place), at::LAST as Word);
        }
        assert_eq!(tamed(label::DESTROY, place::FRAMES), at::LAST as Word);
        assert_eq!(tamed(label::DESTROY, place::TASK), place::TASK as Word);
    }

    #[test]
    fn who_handles_a_steady_threads_faults_stays() {
        for thread in [at::THREAD, 50] {
            let tamed = STEADY.tame(method(thread, label::DELETE, [at::ENDPOINTS[0] as Word, 0]));
            assert_eq!(tamed.message.label(), label::NONE);
        }
    }

    #[test]
    fn what_a_maker_makes_is_not_revoked() {
        let maker = Fence { maker: true, ..STEADY };
        let rights = Rights::all().bits() as Word;
        for task in [place::TASK, at::PARTNER] {
            assert_eq!(maker.tame(method(task, label::DESTROY, [50, 0])).message.label(), label::INFO);
            let granted = maker.tame(method(task, label::GRANT, [50, rights])).message.words;
            assert_eq!(granted[1], rights & !(Rights::DESTROY.bits() as Word));
        }
        let destroying = method(at::FACTORY, label::DESTROY, [50, 0]);
        assert_eq!(maker.tame(destroying), destroying);
    }

    proptest! {
        #[test]
        fn nobody_reaches_the_keeper(seed: u64, steady: bool, maker: bool) {
            let fence = Fence { steady, maker, start: 0 };
            let mut generator = Generator::new(seed, 0x1_0000, true);
            for _ in 0..200 {
                let step = fence.tame(generator.step());
                prop_assert_ne!(step.selector.index(), at::KEEPER);
                prop_assert_eq!(fence.tame(step), step, "what is tame stays so");
            }
        }
    }
}
