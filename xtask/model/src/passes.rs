//! Passes of the kernel: what it executes from one piece of user code to the next, with interrupts off all the while.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

/// Shorter passes are not told apart: nobody asks for their length.
pub const LONG: u64 = 4000;

/// A block of the kernel's code, as the emulator translates it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// Where it begins.
    pub address: u64,
    /// How many instructions it has. One that an exception cuts short counts as a whole.
    pub instructions: u64,
    /// Whether it ends by waiting for an interrupt, with interrupts on.
    pub waits: bool,
    /// Whether only boot executes it.
    pub boots: bool,
}

/// The longest of the passes that spent most of their instructions in the same block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pass {
    /// How many instructions it took.
    pub instructions: u64,
    /// How many long passes there were of which this was one.
    pub alike: u64,
    /// The block: where it begins.
    pub block: u64,
    /// How many of the instructions were that block's.
    pub share: u64,
}

/// Cuts into passes what a kernel executes. What boot does is none.
#[derive(Debug, Default)]
pub struct Passes {
    /// Blocks since the pass began: where they begin, their instructions.
    blocks: Vec<(u64, u64)>,
    instructions: u64,
    /// Whether the pass is one of boot's.
    boots: bool,
    /// Whether there was one that was not.
    any: bool,
    longest: BTreeMap<u64, Pass>,
}

impl Passes {
    /// The kernel executes a block.
    pub fn kernel(&mut self, block: Block) {
        self.boots |= block.boots;
        if !self.boots {
            self.blocks.push((block.address, block.instructions));
            self.instructions += block.instructions;
        }
        if block.waits {
            self.end();
        }
    }

    /// Other code was executed since the last block of the kernel.
    pub fn user(&mut self) {
        self.end();
    }

    fn end(&mut self) {
        let instructions = std::mem::take(&mut self.instructions);
        let boots = std::mem::take(&mut self.boots);
        if boots {
            self.blocks.clear();
            return;
        }
        self.any |= instructions > 0;
        if instructions >= LONG {
            let mut shares = HashMap::<u64, u64>::new();
            for &(block, instructions) in &self.blocks {
                *shares.entry(block).or_default() += instructions;
            }
            // Of equals the first in memory, so that the same execution gives the same answer.
            let most = shares.into_iter().max_by_key(|&(block, share)| (share, u64::MAX - block));
            if let Some((block, share)) = most {
                let longest = self.longest.entry(block).or_insert(Pass { instructions: 0, alike: 0, block, share });
                longest.alike += 1;
                if instructions > longest.instructions {
                    (longest.instructions, longest.share) = (instructions, share);
                }
            }
        }
        self.blocks.clear();
    }

    /// Whether there was one, long or not.
    pub fn any(&self) -> bool {
        self.any
    }

    /// The long ones so far, the longest first.
    pub fn longest(&self) -> Vec<&Pass> {
        let mut longest: Vec<_> = self.longest.values().collect();
        longest.sort_by_key(|pass| std::cmp::Reverse(pass.instructions));
        longest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(address: u64, instructions: u64) -> Block {
        Block { address, instructions, waits: false, boots: false }
    }

    /// Feeds passes, each a list of blocks, with user code between them.
    fn passes(of: &[&[(u64, u64)]]) -> Passes {
        let mut passes = Passes::default();
        for blocks in of {
            passes.user();
            blocks.iter().for_each(|&(address, instructions)| passes.kernel(block(address, instructions)));
        }
        passes.user();
        passes
    }

    fn lengths(passes: &Passes) -> Vec<(u64, u64, u64, u64)> {
        passes.longest().iter().map(|pass| (pass.instructions, pass.alike, pass.block, pass.share)).collect()
    }

    #[test]
    fn boot_is_no_pass() {
        let mut passes = Passes::default();
        passes.user();
        for boots in [false, true, false] {
            passes.kernel(Block { boots, ..block(0, LONG) });
        }
        passes.user();
        assert!(!passes.any() && passes.longest().is_empty());
        passes.kernel(block(0, LONG));
        passes.user();
        assert!(passes.any());
        assert_eq!(lengths(&passes), [(LONG, 1, 0, LONG)]);
    }

    #[test]
    fn the_longest_of_each_kind_is_kept() {
        let of: [&[_]; 4] = [
            &[(0, LONG), (0x10, 5)],
            &[(0, 7), (0x10, LONG), (0, 8)],
            &[(0, LONG), (0, LONG), (0x20, 1)],
            &[(0x30, LONG - 1)],
        ];
        assert_eq!(lengths(&passes(&of)), [(2 * LONG + 1, 2, 0, 2 * LONG), (LONG + 15, 1, 0x10, LONG)]);
    }

    #[test]
    fn waiting_ends_a_pass() {
        let mut passes = passes(&[&[(0, 1)]]);
        for waits in [true, false] {
            passes.kernel(Block { waits, ..block(0, LONG - 1) });
        }
        passes.kernel(block(0, 1));
        passes.user();
        assert_eq!(lengths(&passes), [(LONG, 1, 0, LONG)]);
    }
}
