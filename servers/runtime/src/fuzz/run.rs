//! A task that carries out what its seed says.

use lilliput_abi::object::FactoryMethod;
use lilliput_abi::{Error, Operation, Rights};

use super::code::Code;
use super::fence::Fence;
use super::generate::{Generator, Step, TO_WITNESS};
use super::kit::{self, MOST_MADE, PAGE, PRIORITY, at, parameter};
use super::{Hostile, witness};
use crate::invoke::give_way;
use crate::message::Word;
use crate::object::{Factory, Frames, Task};
use crate::{parent, place, role};

/// Steps between two signs of life.
const STEPS_PER_SIGN: Word = 16;
/// The most further threads that a task with a factory starts for itself.
const MOST_THREADS: u16 = 2;
const STACK_PAGES: u16 = 12;

const _: () = assert!(MOST_THREADS * STACK_PAGES <= kit::STACK_FRAMES);

/// A task's state.
struct Fuzzer {
    generator: Generator,
    fence: Fence,
    /// Where at the keeper's it puts what it makes; 0 without a factory.
    kept_from: u32,
    made: u32,
    threads: u16,
}

/// Runs all steps, the last one included. What the parent does not answer any more, it need not be told.
pub fn run<K: Hostile>() -> ! {
    let ask = |number| parent::parameter::<K>(number).unwrap_or_default();
    let seed = ask(parameter::SEED) as u32 as u64 | (ask(parameter::SEED_HIGH) as u64) << 32;
    let (steps, steady, kept_from) =
        (ask(parameter::STEPS), ask(parameter::STEADY) != 0, ask(parameter::KEPT_FROM) as u32);
    let start = kit::start_of_space(K::entry());
    let mut fuzzer = Fuzzer {
        generator: Generator::new(seed, K::entry(), kept_from != 0),
        fence: Fence { steady, maker: kept_from != 0, start },
        kept_from,
        made: 0,
        threads: 0,
    };
    for number in 0..steps {
        if number % STEPS_PER_SIGN == 0 {
            ask(parameter::ALIVE);
        }
        fuzzer.step::<K>();
    }
    fuzzer.end::<K>()
}

/// What a further thread does: it sends and receives, until its task ends.
pub fn run_thread<K: Hostile>(seed: Word) -> ! {
    let mut generator = Generator::new(kit::mix(seed as u64, 1), K::entry(), false);
    loop {
        // Any outcome will do.
        let _ = perform::<K>(&mut generator.message());
        give_way::<K>();
    }
}

/// Makes the system call; the message is what came back.
fn perform<K: Hostile>(step: &mut Step) -> Result<u32, Error> {
    let enter = if step.by_interrupt { K::by_interrupt } else { K::invoke };
    Error::from_status(enter(step.selector, &mut step.message))
}

impl Fuzzer {
    fn step<K: Hostile>(&mut self) {
        if self.kept_from != 0
            && self.threads < MOST_THREADS
            && self.made < MOST_MADE
            && self.generator.random().below(100) == 0
        {
            // Where there is no memory or no place for one more there is none.
            let _ = self.start_thread::<K>();
        }
        let asked = self.fence.tame(self.generator.step());
        if self.is_creation(&asked) && self.made >= MOST_MADE {
            return;
        }
        let mut step = asked;
        let outcome = perform::<K>(&mut step);
        if self.is_creation(&asked) && outcome.is_ok() && step.message.tag.words() == 2 {
            self.keep::<K>(step.message.words[0] as u32);
        }
        if self.fence.steady && asked.selector == TO_WITNESS && witness::is_question(&asked.message) {
            let answer = outcome.map(|_| step.message);
            assert!(
                witness::is_answer(&asked.message, &answer),
                "the witness answers {:?} by {answer:?}",
                asked.message
            );
        }
    }

    /// Whether a success of this step is an object more.
    fn is_creation(&self, step: &Step) -> bool {
        let makes = |label| label <= FactoryMethod::CreateFrames as u16 || label == FactoryMethod::CreateReply as u16;
        self.kept_from != 0
            && step.selector.operation() == Some(Operation::Call)
            && step.selector.index() == at::FACTORY
            && makes(step.message.label())
    }

    /// Puts an object just made away, so that it can be ended when this task is no more.
    fn keep<K: Hostile>(&mut self, place: u32) {
        self.generator.remember(place);
        let kept_at = self.kept_from + self.made;
        self.made += 1;
        // The badge is what a signal sets.
        if Task::<K>::at(at::KEEPER).grant(place, Rights::all(), 1, kept_at).is_err() {
            let _ = kit::factory::<K>().destroy(place);
        }
    }

    /// Starts another thread of this task, on a stack that nothing unmaps.
    fn start_thread<K: Hostile>(&mut self) -> Result<(), Error> {
        self.threads += 1;
        let number = self.threads - 1;
        let stack = self.fence.start + kit::STACKS + number as Word * (STACK_PAGES as Word + 1) * PAGE;
        let frames = Frames::<K>::at(place::FRAMES);
        kit::task::<K>().map(frames, stack, number * STACK_PAGES, STACK_PAGES, Rights::READ | Rights::WRITE)?;
        let factory: Factory<K> = kit::factory();
        let thread = factory.create_thread(kit::task(), PRIORITY)?;
        self.keep::<K>(thread.place());
        let seed = self.generator.random().next() as u32 as Word;
        thread.start(K::entry(), stack + STACK_PAGES as Word * PAGE, [role::FUZZ_THREAD, seed])
    }

    /// The last step: code of the task's own making.
    fn end<K: Hostile>(&mut self) -> ! {
        let mut step = self.fence.tame(self.generator.step());
        while self.is_creation(&step) {
            // Nobody would put away what it makes.
            step = self.fence.tame(self.generator.step());
        }
        let pages = ((kit::SCRATCH_END - kit::SCRATCH) / PAGE) as u32;
        let random = self.generator.random();
        let scratch = self.fence.start + kit::SCRATCH + random.below(pages) as Word * PAGE;
        let last =
            if size_of::<Word>() == 4 { kit::SMALL_SIZE as Word } else { lilliput_abi::layout::USER_END as Word }
                - PAGE;
        // The last page of a host's range is not one that code can be put to here.
        let page = if random.below(3) == 0 && self.fence.start == 0 { last } else { scratch };
        let code = Code::new(random, page, &step);
        let words = [kit::LAST_STEP, Word::from(code.sure), code.finale as Word];
        let _ = parent::result::<K>(&words);
        self.put::<K>(page, &code);
        K::jump(page + code.offset)
    }

    /// Puts code to a page. Where that fails, the jump to it is the last step.
    fn put<K: Hostile>(&self, page: Word, code: &Code) {
        let (task, frames) = (kit::task::<K>(), Frames::<K>::at(place::FRAMES));
        let _ = task.unmap(page, 1);
        let map = |rights| task.map(frames, page, kit::STACK_FRAMES, 1, rights);
        if map(Rights::READ | Rights::WRITE).is_err() {
            return;
        }
        for (number, word) in code.data.iter().enumerate() {
            K::store(page + number * size_of::<Word>(), &word.to_le_bytes());
        }
        K::store(page + code.offset, &code.bytes[..code.length]);
        let _ = task.unmap(page, 1);
        let _ = map(Rights::READ | Rights::EXECUTE);
    }
}
