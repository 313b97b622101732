//! What is counted exactly between two marks.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use crate::{Class, LINE, PAGE, is_kernel};

/// Counts of one side: the user's programs, or the kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Side {
    /// Instructions.
    pub instructions: u64,
    /// Accesses that read memory, those that instructions make by themselves included, as of descriptors.
    pub loads: u64,
    /// Accesses that write.
    pub stores: u64,
    /// Lines of 64 bytes that instructions came from.
    pub code_lines: u64,
    /// Lines that were read or written.
    pub data_lines: u64,
}

/// All that is counted between two marks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// By the user's programs.
    pub user: Side,
    /// By the kernel, whoever's the memory is.
    pub kernel: Side,
    /// Pages of 4 KiB, of code and of data.
    pub pages: u64,
    /// Stores to the table of descriptors.
    pub descriptor_stores: u64,
    /// Instructions of each class, in the order of [`Class::ALL`].
    pub classes: [u64; Class::ALL.len()],
}

impl Counts {
    /// Instructions of a class.
    pub fn class(&self, class: Class) -> u64 {
        self.classes[class as usize]
    }
}

/// Counts while they grow. Lines and pages are told apart by their virtual address.
#[derive(Debug, Default)]
pub struct Counter {
    counts: Counts,
    code: [HashSet<u64>; 2],
    data: [HashSet<u64>; 2],
    pages: HashSet<u64>,
}

impl Counter {
    /// Everything zero again.
    pub fn reset(&mut self) {
        self.counts = Counts::default();
        self.code.iter_mut().chain(&mut self.data).for_each(HashSet::clear);
        self.pages.clear();
    }

    /// An instruction. One that enters the kernel is the kernel's, wherever it stands.
    pub fn instruction(&mut self, address: u64, class: Option<Class>) {
        self.side(is_kernel(address) || class.is_some_and(Class::enters)).instructions += 1;
        if let Some(class) = class {
            self.counts.classes[class as usize] += 1;
        }
    }

    /// A line that an instruction comes from.
    pub fn code_line(&mut self, address: u64) {
        self.code[usize::from(is_kernel(address))].insert(address / LINE);
        self.pages.insert(address / PAGE);
    }

    /// An access by the kernel, or not.
    pub fn access(&mut self, by_kernel: bool, is_store: bool) {
        let side = self.side(by_kernel);
        *(if is_store { &mut side.stores } else { &mut side.loads }) += 1;
    }

    /// A line of an access.
    pub fn data_line(&mut self, by_kernel: bool, address: u64) {
        self.data[usize::from(by_kernel)].insert(address / LINE);
        self.pages.insert(address / PAGE);
    }

    /// A store to the table of descriptors.
    pub fn descriptor_store(&mut self) {
        self.counts.descriptor_stores += 1;
    }

    /// What was counted.
    pub fn counts(&self) -> Counts {
        let mut counts = self.counts.clone();
        let length = |set: &HashSet<u64>| set.len() as u64;
        for (number, side) in [&mut counts.user, &mut counts.kernel].into_iter().enumerate() {
            (side.code_lines, side.data_lines) = (length(&self.code[number]), length(&self.data[number]));
        }
        counts.pages = length(&self.pages);
        counts
    }

    fn side(&mut self, kernel: bool) -> &mut Side {
        if kernel { &mut self.counts.kernel } else { &mut self.counts.user }
    }
}
