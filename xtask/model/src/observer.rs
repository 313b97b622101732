//! What a guest executes, seen one instruction and one access after the other.

use std::ops::Range;

use anyhow::{Context, Result};
use lilliput_runtime::mark::Mark;
use serde_json::Value;

use crate::batch::{Batch, Window};
use crate::count::Counter;
use crate::mark::Bits;
use crate::memory::{Memory, Misses};
use crate::processor::{PROCESSORS, Processor};
use crate::tlb::Layout;
use crate::{Class, LINE, Record, is_kernel};

/// An instruction.
#[derive(Clone, Copy, Debug)]
pub struct Instruction {
    /// Where it begins, virtually.
    pub address: u64,
    /// And physically.
    pub physical: u64,
    /// Its bytes.
    pub length: u64,
    /// What kind it is, if it is of one.
    pub class: Option<Class>,
}

/// A memory access.
#[derive(Clone, Copy, Debug)]
pub struct Access {
    /// Where, virtually.
    pub address: u64,
    /// And physically.
    pub physical: u64,
    /// Its bytes.
    pub size: u64,
    /// Whether it writes.
    pub is_store: bool,
}

/// No line.
const NONE: u64 = u64::MAX;

/// Takes what the guest does.
#[derive(Debug)]
pub struct Observer {
    /// Where the table of descriptors is.
    descriptors: Range<u64>,
    layout: Layout,
    bits: Bits,
    case: Value,
    batch: Option<Batch>,
    processors: Vec<(&'static Processor, bool)>,
    memories: Vec<Memory>,
    /// Misses before the window that is open.
    before: Option<Vec<Misses>>,
    counter: Counter,
    /// The line of the last instruction: further ones from it are neither lines nor misses.
    line: u64,
    by_kernel: bool,
    /// The last walk of the window that is open, on a processor that keeps what is tagged: such a one is for a page that is new, or did not fit.
    walk: Option<String>,
}

impl Observer {
    /// Nothing seen yet. All processors are modelled with tags and without, those as well that have none.
    pub fn new(descriptors: Range<u64>, layout: Layout) -> Self {
        let with = |tagged: bool| PROCESSORS.into_iter().map(move |processor| (processor, tagged));
        let processors: Vec<_> = with(false).chain(with(true)).collect();
        Self {
            descriptors,
            layout,
            bits: Bits::default(),
            case: Value::Null,
            batch: None,
            processors,
            memories: Vec::new(),
            before: None,
            counter: Counter::default(),
            line: NONE,
            by_kernel: false,
            walk: None,
        }
    }

    /// Whether what comes is looked at: a batch is under way.
    pub fn is_watching(&self) -> bool {
        self.batch.is_some()
    }

    /// A mark that is about to be executed; what comes of the batch that it ends. It is no instruction that counts; but it has to be
    /// fetched, and the page that the one behind a switch lies in may be gone.
    ///
    /// # Errors
    /// Where what the guest tells makes no sense.
    pub fn mark(&mut self, mark: Mark, place: &Instruction) -> Result<Vec<Record>> {
        self.fetch(place);
        match mark {
            Mark::Zero => self.bits.push(false),
            Mark::One => self.bits.push(true),
            Mark::Case => {
                let text = self.bits.take().context("a case's name is no text")?;
                self.case = serde_json::from_str(&text).with_context(|| format!("the case `{text}` is no JSON"))?;
            }
            Mark::Start => {
                let name = self.bits.take().context("a batch's name is no text")?;
                self.batch = Some(Batch::new(&self.case, name));
                // What was before does not matter: the batch warms up by itself.
                let memory = |&(processor, tagged): &(_, bool)| Memory::new(processor, tagged, self.layout);
                self.memories = self.processors.iter().map(memory).collect();
                self.before = None;
                self.line = NONE;
            }
            Mark::Stop => {
                self.before = None;
                let batch = self.batch.take().context("a batch ends that did not begin")?;
                return Ok(batch.records(&self.processors));
            }
            Mark::Begin => {
                self.counter.reset();
                self.walk = None;
                self.before = Some(self.memories.iter().map(|memory| memory.misses).collect());
                self.line = NONE;
            }
            Mark::End => {
                if let (Some(before), Some(batch)) = (self.before.take(), &mut self.batch) {
                    let misses = self.memories.iter().zip(before).map(|(memory, before)| memory.misses - before);
                    let walk = self.walk.take();
                    batch.push(Window { counts: self.counter.counts(), misses: misses.collect(), walk });
                }
            }
        }
        Ok(Vec::new())
    }

    /// An instruction that is about to be executed, and is no mark.
    pub fn instruction(&mut self, instruction: &Instruction) {
        let Instruction { address, class, .. } = *instruction;
        self.by_kernel = is_kernel(address);
        if self.before.is_some() {
            self.counter.instruction(address, class);
        }
        self.fetch(instruction);
        if class == Some(Class::Cr3Write) {
            self.memories.iter_mut().for_each(Memory::new_root);
            // The next instruction's page may have to be looked up anew.
            self.line = NONE;
        }
    }

    /// The lines that an instruction comes from.
    fn fetch(&mut self, instruction: &Instruction) {
        let Instruction { address, physical, length, .. } = *instruction;
        let last = address + length.saturating_sub(1);
        for line in address / LINE..=last / LINE {
            if line != self.line {
                self.line = line;
                // Of one that lies in two pages the second line's frame is not known: it is taken for the next one.
                let offset = (line * LINE).saturating_sub(address);
                let walked =
                    |memory: &mut Memory| memory.fetch(address + offset, physical + offset) && memory.is_tagged();
                let walks = self.memories.iter_mut().map(walked).fold(false, |any, walks| any | walks);
                self.note(walks, "instruction", address + offset);
                if self.before.is_some() {
                    self.counter.code_line(line * LINE);
                }
            }
        }
    }

    /// What was walked for, if it was.
    fn note(&mut self, walks: bool, what: &str, address: u64) {
        if walks && self.before.is_some() {
            self.walk = Some(format!("{what} at {address:#x}"));
        }
    }

    /// An access of the last instruction.
    pub fn access(&mut self, access: &Access) {
        let Access { address, physical, size, is_store } = *access;
        let counts = self.before.is_some();
        if counts {
            self.counter.access(self.by_kernel, is_store);
            if is_store && self.descriptors.contains(&address) {
                self.counter.descriptor_store();
            }
        }
        for line in address / LINE..=(address + size.saturating_sub(1)) / LINE {
            let offset = (line * LINE).saturating_sub(address);
            let walked = |memory: &mut Memory| memory.access(address + offset, physical + offset) && memory.is_tagged();
            let walks = self.memories.iter_mut().map(walked).fold(false, |any, walks| any | walks);
            self.note(walks, if is_store { "store" } else { "load" }, address + offset);
            if counts {
                self.counter.data_line(self.by_kernel, line * LINE);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use lilliput_runtime::mark;

    use super::*;

    const KERNEL: u64 = 0xffff_ffff_8000_0000;
    const TABLE: u64 = KERNEL + 0x3_1040;

    fn at(address: u64) -> Instruction {
        Instruction { address, physical: address & 0xff_ffff, length: 3, class: None }
    }

    fn say(observer: &mut Observer, text: &str, end: Mark) {
        for bit in mark::bits(text.as_bytes()) {
            observer.mark(if bit { Mark::One } else { Mark::Zero }, &at(0x40_0000)).unwrap();
        }
        assert!(observer.mark(end, &at(0x40_0000)).unwrap().is_empty());
    }

    fn run(observer: &mut Observer, address: u64, class: Option<Class>) {
        observer.instruction(&Instruction { class, ..at(address) });
    }

    fn access(observer: &mut Observer, address: u64, size: u64, is_store: bool) {
        observer.access(&Access { address, physical: address & 0xff_ffff, size, is_store });
    }

    /// A switch: from user to kernel, three accesses, a new root, and back.
    fn switch(observer: &mut Observer) {
        observer.mark(Mark::Begin, &at(0x40_0000)).unwrap();
        run(observer, 0x40_0000, None);
        run(observer, 0x40_003e, Some(Class::Syscall));
        run(observer, KERNEL, None);
        access(observer, TABLE, 8, true);
        run(observer, KERNEL + 3, None);
        access(observer, TABLE + 0x3c, 8, false);
        run(observer, KERNEL + 6, Some(Class::Cr3Write));
        run(observer, KERNEL + 9, Some(Class::Sysret));
        observer.mark(Mark::End, &at(0x40_0000)).unwrap();
        // This is not measured.
        run(observer, 0x50_0000, None);
    }

    #[test]
    fn a_batch_is_counted_between_marks() {
        let mut observer = Observer::new(TABLE..TABLE + 64, Layout::Lilliput);
        assert!(!observer.is_watching());
        say(&mut observer, r#"{"ways":["call"],"from":"small"}"#, Mark::Case);
        say(&mut observer, "4 words", Mark::Start);
        assert!(observer.is_watching());
        (0..8).for_each(|_| switch(&mut observer));
        let records = observer.mark(Mark::Stop, &at(0x40_0000)).unwrap();
        assert!(!observer.is_watching());
        let [record] = records.as_slice() else { panic!("one way") };
        assert_eq!((record.case["from"].as_str(), record.batch.as_str()), (Some("small"), "4 words"));
        assert_eq!((record.rounds, record.alike), (6, 6));
        let counts = &record.counts;
        assert_eq!((counts.user.instructions, counts.kernel.instructions), (1, 5), "what enters is the kernel's");
        assert_eq!((counts.user.code_lines, counts.kernel.code_lines), (2, 1), "one lies across two lines");
        assert_eq!((counts.kernel.loads, counts.kernel.stores, counts.kernel.data_lines), (1, 1, 2));
        assert_eq!((counts.descriptor_stores, counts.pages), (1, 3));
        assert_eq!((counts.class(Class::Cr3Write), counts.class(Class::Syscall)), (1, 1));
    }

    #[test]
    fn a_new_root_costs_walks_where_nothing_is_tagged() {
        let mut observer = Observer::new(0..0, Layout::Lilliput);
        say(&mut observer, "{}", Mark::Case);
        say(&mut observer, "", Mark::Start);
        (0..8).for_each(|_| switch(&mut observer));
        let records = observer.mark(Mark::Stop, &at(0x40_0000)).unwrap();
        // Of its two lines' one page, the user's; the kernel's are global.
        let walks = |tagged| records[0].walks(records[0].on("zen3", tagged).unwrap());
        assert_eq!((walks(true), walks(false)), (0.0, 1.0));
        assert_eq!(records[0].walk, None, "with tags there was none");
    }

    #[test]
    fn a_walk_that_tags_do_not_spare_is_named() {
        let mut observer = Observer::new(0..0, Layout::Lilliput);
        say(&mut observer, "{}", Mark::Case);
        say(&mut observer, "", Mark::Start);
        for round in 0..8 {
            observer.mark(Mark::Begin, &at(0x40_0000)).unwrap();
            run(&mut observer, 0x40_0000, None);
            // The same page each time, but once.
            access(&mut observer, if round == 6 { 0x60_0010 } else { 0x50_0000 }, 8, false);
            observer.mark(Mark::End, &at(0x40_0000)).unwrap();
        }
        let records = observer.mark(Mark::Stop, &at(0x40_0000)).unwrap();
        assert_eq!(records[0].walk.as_deref(), Some("load at 0x600010"));
    }

    #[test]
    fn the_same_gives_the_same() {
        let batch = || {
            let mut observer = Observer::new(0..0, Layout::Lilliput);
            say(&mut observer, "{}", Mark::Case);
            say(&mut observer, "", Mark::Start);
            (0..100).for_each(|_| switch(&mut observer));
            serde_json::to_string(&observer.mark(Mark::Stop, &at(0x40_0000)).unwrap()).unwrap()
        };
        assert_eq!(batch(), batch());
    }

    #[test]
    fn nonsense_is_an_error() {
        let mut observer = Observer::new(0..0, Layout::Lilliput);
        assert!(observer.mark(Mark::Stop, &at(0x40_0000)).is_err());
        assert!(observer.mark(Mark::Case, &at(0x40_0000)).is_err(), "no JSON");
        observer.mark(Mark::One, &at(0x40_0000)).unwrap();
        assert!(observer.mark(Mark::Start, &at(0x40_0000)).is_err(), "an eighth of a byte");
        assert!(observer.mark(Mark::End, &at(0x40_0000)).unwrap().is_empty(), "an end alone is none");
    }
}
