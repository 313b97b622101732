//! Making up system calls: any, and such as nearly make sense.

use lilliput_abi::layout::{HOST_START, USER_END, USER_START};
use lilliput_abi::object::map_range;
use lilliput_abi::operation::deadline;
use lilliput_abi::tag::SHORT_WORDS;
use lilliput_abi::{Operation, Selector, Tag};

use super::kit::{self, at};
use crate::message::{Message, WORDS, Word};
use crate::place;
use crate::random::Random;

/// One system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// By the interrupt, and not by what this CPU has for it.
    pub by_interrupt: bool,
    /// Operation and place, any 32 bits.
    pub selector: Selector,
    /// Tag and words, any as well.
    pub message: Message,
}

impl Step {
    /// Whether the task may wait for another one after it.
    pub fn may_wait(&self) -> bool {
        let operation = self.selector.operation();
        operation.is_some_and(|operation| operation.can_wait() || operation == Operation::Sleep)
    }
}

/// What is sent to a witness: see [`super::witness`].
pub const TO_WITNESS: Selector = Selector::new(Operation::Call, at::WITNESS);

const RIGHTS: [u8; 10] = [16, 48, 80, 96, 112, 0, 1, 3, 7, 0x7f];
/// Methods of the factory, by their labels.
const FACTORY_METHODS: [u32; 11] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12];
/// Methods of a task, by their labels.
const TASK_METHODS: [u32; 11] = [1, 2, 3, 4, 5, 6, 7, 8, 16, 17, 18];
/// Methods of any thread: not those by which a task that is waited for falls silent.
const THREAD_METHODS: [u32; 6] = [1, 2, 3, 5, 6, 8];
/// Methods of a thread that the task made.
const OWN_THREAD_METHODS: [u32; 8] = [1, 2, 3, 4, 5, 6, 7, 8];
const OPERATIONS_ON_ENDPOINTS: [Operation; 8] = [
    Operation::Call,
    Operation::Send,
    Operation::SendNonBlocking,
    Operation::CallNonBlocking,
    Operation::Receive,
    Operation::ReceiveNonBlocking,
    Operation::Reply,
    Operation::ReplyReceive,
];
const OPERATIONS_OF_TIME: [Operation; 4] =
    [Operation::Time, Operation::SetDeadline, Operation::SetDeadline, Operation::Sleep];
const OPERATIONS_ON_NOTIFICATIONS: [Operation; 3] = [Operation::Signal, Operation::Wait, Operation::Poll];

/// How many places that the kernel named are remembered.
const RECENT: usize = 8;

/// Makes up steps, the same for the same seed and the same places.
#[derive(Clone, Debug)]
pub struct Generator {
    random: Random,
    /// Where the task's space begins.
    start: Word,
    /// Where its program begins, for new threads.
    entry: Word,
    factory: bool,
    recent: [u32; RECENT],
}

impl Generator {
    /// For a program that begins at `entry`, with a factory or without.
    pub fn new(seed: u64, entry: Word, factory: bool) -> Self {
        let start = kit::start_of_space(entry);
        Self { random: Random::new(seed), start, entry, factory, recent: [at::LAST + 1; RECENT] }
    }

    /// Remembers a place that the kernel named.
    pub fn remember(&mut self, place: u32) {
        let at = self.random.below(RECENT as u32) as usize;
        self.recent[at] = place;
    }

    /// The numbers that steps are made from.
    pub fn random(&mut self) -> &mut Random {
        &mut self.random
    }

    /// The next step.
    pub fn step(&mut self) -> Step {
        match self.random.below(20) {
            0..=6 => self.message(),
            7 if self.factory && self.one_in(3) => self.reply(),
            7 => self.notification(),
            8 => self.time(),
            9..=11 => self.task(),
            12..=14 if self.factory => self.factory(),
            12 => self.thread(),
            15 => self.thread(),
            16 => self.witness(),
            17 => self.anything(),
            _ => self.nearly(),
        }
    }

    /// A step that only sends, receives or signals: what a further thread does beside the one that is judged.
    pub fn message(&mut self) -> Step {
        let operation = self.pick(&OPERATIONS_ON_ENDPOINTS);
        let endpoint = match self.random.below(8) {
            0 => self.pick(&self.recent.clone()),
            _ => self.pick(&at::ENDPOINTS),
        };
        // Words that fit every receiver, mostly: else too few messages arrive.
        let narrow = if self.one_in(4) { Word::MAX } else { u32::MAX as Word };
        let words = [(); WORDS].map(|()| self.word() & narrow);
        let most = if self.one_in(6) { 12 } else { 5 };
        let length = self.random.below(most);
        let label = if self.one_in(3) { self.random.below(3) } else { self.random.next() as u32 };
        let selector = self.timed(operation, endpoint);
        self.call(selector, Tag::new(label as u16, length), words)
    }

    fn notification(&mut self) -> Step {
        let operation = self.pick(&OPERATIONS_ON_NOTIFICATIONS);
        let place = if self.one_in(6) { self.place() } else { self.pick(&at::NOTIFICATIONS) };
        let selector = self.timed(operation, place);
        self.call(selector, Tag::default(), [0; WORDS])
    }

    /// By whatever was made last, which may be a reply object.
    fn reply(&mut self) -> Step {
        let operation = self.pick(&[Operation::KeepReceive, Operation::ReplyKept]);
        let place = self.pick(&self.recent.clone());
        let selector =
            if operation.can_wait() { self.timed(operation, place) } else { Selector::new(operation, place) };
        let message = self.message().message;
        self.call(selector, message.tag, message.words)
    }

    /// Mostly what ends soon: a task that sleeps too long is not judged.
    fn time(&mut self) -> Step {
        let operation = self.pick(&OPERATIONS_OF_TIME);
        let mut words = [0; WORDS];
        words[0] = self.random.below(3_000_000) as Word;
        let mut label = deadline::FROM_NOW;
        if self.one_in(4) {
            (label, words[0]) = (self.random.below(3) as u16, self.word());
        }
        if operation != Operation::Sleep && self.one_in(4) {
            words[1] = self.word();
        }
        self.call(Selector::new(operation, 0), Tag::new(label, 2), words)
    }

    /// The selector of an operation, which at times is a timed one.
    fn timed(&mut self, operation: Operation, place: u32) -> Selector {
        let selector = Selector::new(operation, place);
        if self.one_in(3) { selector.timed() } else { selector }
    }

    fn task(&mut self) -> Step {
        let task = match self.random.below(8) {
            0 => self.place(),
            1 | 2 => at::PARTNER,
            3 if self.factory => self.pick(&self.recent.clone()),
            _ => place::TASK,
        };
        let label = match self.pick(&TASK_METHODS) {
            // A task whose faults go elsewhere is soon lost.
            5 if !self.one_in(4) => 1,
            label => label,
        };
        let words: [Word; 4] = match label {
            1 => {
                let frames = match self.random.below(4) {
                    0 => self.place(),
                    1 => self.pick(&self.recent.clone()),
                    _ => place::FRAMES,
                };
                let range = map_range(self.random.below(40) as u16, self.random.below(9) as u16);
                let flags = if self.one_in(4) { self.random.below(8) << 8 } else { 0 };
                [frames as Word, self.address(), range as Word, (u32::from(self.pick(&RIGHTS)) | flags) as Word]
            }
            2 => [self.address(), self.pick(&[0, 1, 2, 16, 256, 512, 0x1_0000, 0x10_0000, Word::MAX]), 0, 0],
            3 => {
                let place = if self.one_in(2) { 0 } else { self.place() };
                [self.place() as Word, self.rights(), self.pick(&[0, 1, 7, 1 << 30, 1 << 31]), place as Word]
            }
            4 => [self.place() as Word, 0, 0, 0],
            5 => [if self.one_in(4) { 0 } else { self.place() as Word }, self.pick(&[0, 5, 1 << 30, 1 << 31]), 0, 0],
            7 => {
                let to = if self.one_in(3) { self.place() } else { self.pick(&[place::TASK, at::PARTNER]) };
                let frames = if self.one_in(3) { self.place() } else { place::FRAMES };
                [frames as Word, self.address() | self.pick(&[0, 1, 3, 100, 0xfff]), to as Word, self.address()]
            }
            8 => [self.random.below(66) as Word, 0, 0, 0],
            16 => {
                const SIZES: [Word; 9] =
                    [0x1000, 0x2_0000, 0x20_0000, 0x40_0000, 0x60_0000, 0x200_0000, 0x1000_0000, 0xff80_0000, 0x1234];
                [self.pick(&SIZES), self.random.below(3) as Word, 0, 0]
            }
            17 => [self.random.below(5) as Word, 0, 0, 0],
            18 => {
                let arena = if self.one_in(4) { self.place() } else { at::ARENA };
                [arena as Word, self.random.below(5) as Word, 0, 0]
            }
            _ => [0; 4],
        };
        self.method(task, label, &words)
    }

    fn factory(&mut self) -> Step {
        if self.one_in(12) {
            // Compaction, the only method of an arena.
            return self.method(at::ARENA, 1, &[]);
        }
        let label = self.pick(&FACTORY_METHODS);
        let task = if self.one_in(4) { self.place() } else { self.pick(&self.recent.clone()) } as Word;
        let arena = if self.one_in(3) { task } else { at::ARENA as Word };
        let words: [Word; 4] = match label {
            4 | 5 => [if label == 4 && self.one_in(2) { 0 } else { arena }, 0, 0, 0],
            6 => {
                let size = self.pick(&[0x1000, 0x2_0000, 0x20_0000, 0x3f_f000, 0x1000_0000, 0xff80_0000, 0, 0x1234]);
                [arena, size, self.random.below(5) as Word, self.random.below(3) as Word]
            }
            7 => [task, self.random.below(70) as Word, 0, 0],
            8 => {
                let pages = self.pick(&[1, 2, 3, 16, 100, 600, 0x1_0000, 0, Word::MAX, 0x1000_0000]);
                let begun = if self.one_in(4) { self.place() as Word } else { 0 };
                let colours = if self.one_in(3) { self.random.next() } else { 0 };
                [pages, begun, colours as u32 as Word, (colours >> 32) as u32 as Word]
            }
            9 => [task, 0, 0, 0],
            _ => [0; 4],
        };
        self.method(at::FACTORY, label, &words)
    }

    fn thread(&mut self) -> Step {
        let (thread, label) = match self.random.below(6) {
            0 => (self.place(), self.pick(&THREAD_METHODS)),
            1 => (at::PARTNER_THREAD, self.pick(&THREAD_METHODS)),
            2 | 3 if self.factory => (self.pick(&self.recent.clone()), self.pick(&OWN_THREAD_METHODS)),
            _ => (at::THREAD, self.pick(&THREAD_METHODS)),
        };
        let words: [Word; 4] = match label {
            1 => {
                let ip = if self.one_in(3) { self.entry } else { self.address() };
                [ip, self.address(), self.word(), self.word()]
            }
            2 => [self.random.below(66) as Word, 0, 0, 0],
            4 => [self.pick(&at::ENDPOINTS) as Word, self.random.below(9) as Word, 0, 0],
            6 => [self.random.below(20) as Word, self.word(), self.address(), self.word()],
            _ => [self.random.below(6) as Word, 0, 0, 0],
        };
        self.method(thread, label, &words)
    }

    /// A question that the witness answers, with words of 32 bits.
    fn witness(&mut self) -> Step {
        let words = [(); WORDS].map(|()| self.random.next() as u32 as Word);
        let tag = Tag::new(super::witness::ASK, self.random.below(5));
        self.call(TO_WITNESS, tag, words)
    }

    /// Something that makes sense but for one thing.
    fn nearly(&mut self) -> Step {
        let mut step = match self.random.below(4) {
            0 => self.message(),
            1 => self.task(),
            2 => self.thread(),
            _ => self.factory(),
        };
        match self.random.below(5) {
            0 => step.selector = Selector(step.selector.0 & 0xff_ffff | (self.random.next() as u32) << 24),
            1 => step.selector = Selector(step.selector.0 & 0xff00_0000 | self.place()),
            2 => step.message.tag = Tag(self.random.next() as u32),
            3 => step.message.tag = Tag(step.message.tag.0 & !0xff | self.random.below(256)),
            _ => step.message.words[self.random.below(4) as usize] = self.word(),
        }
        step
    }

    fn anything(&mut self) -> Step {
        let words = [(); WORDS].map(|()| self.word());
        let (selector, tag) = (Selector(self.random.next() as u32), Tag(self.random.next() as u32));
        self.call(selector, tag, words)
    }

    /// A method with as many words as it is given.
    fn method(&mut self, place: u32, label: u32, words: &[Word]) -> Step {
        let message = Message::new(label as u16, words);
        self.call(Selector::new(Operation::Call, place), message.tag, message.words)
    }

    fn call(&mut self, selector: Selector, tag: Tag, words: [Word; WORDS]) -> Step {
        // What is longer than every pair can exchange says so, mostly.
        let long = (tag.words() > SHORT_WORDS) != self.one_in(16);
        let selector = if long { selector.long() } else { selector };
        Step { by_interrupt: self.one_in(8), selector, message: Message { tag, words } }
    }

    fn place(&mut self) -> u32 {
        match self.random.below(10) {
            0..=5 => self.random.below(at::LAST + 2),
            6 | 7 => self.pick(&self.recent.clone()),
            8 => self.random.below(256),
            _ => self.pick(&[0, 255, 256, 257, 0xffff, 0x10_0000, 0xff_ffff, 0xffff_ffff]),
        }
    }

    fn rights(&mut self) -> Word {
        if self.one_in(2) { self.random.below(128) as Word } else { self.pick(&[0x7f, 1, 3, 7, 0x80, 0, 0x100]) }
    }

    /// An address, mostly one that can be mapped.
    pub fn address(&mut self) -> Word {
        let page = self.random.below(((kit::SCRATCH_END - kit::SCRATCH) / kit::PAGE) as u32) as Word;
        match self.random.below(10) {
            0..=5 => self.start + kit::SCRATCH + page * kit::PAGE,
            6 => self.start.wrapping_add(self.word()),
            7 => self.start + self.pick(&[0, 0x1000, 0xf000, USER_START as Word, kit::SCRATCH_END - kit::PAGE]),
            8 => kit::SMALL_SIZE as Word - self.pick(&[0, kit::PAGE, 2 * kit::PAGE, kit::FREE_TOP]),
            _ => self.word(),
        }
    }

    /// A number at the edge of something, or any.
    pub fn word(&mut self) -> Word {
        const EDGES: [u64; 22] = [
            0,
            1,
            2,
            4,
            0xfff,
            0x1000,
            0xffff,
            0x1_0000,
            0x20_0000,
            0x3f_ffff,
            0x7fff_ffff,
            0x8000_0000,
            0xffff_f000,
            0xffff_ffff,
            0x1_0000_0000,
            HOST_START - 1,
            HOST_START,
            2 * HOST_START,
            USER_END,
            0x8000_0000_0000,
            0xffff_ffff_8000_0000,
            u64::MAX,
        ];
        match self.random.below(4) {
            0 => self.random.next() as Word,
            1 => self.random.below(300) as Word,
            _ => self.pick(&EDGES) as Word,
        }
    }

    fn one_in(&mut self, number: u32) -> bool {
        self.random.below(number) == 0
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.random.below(from.len() as u32) as usize]
    }
}

#[cfg(test)]
mod tests;
