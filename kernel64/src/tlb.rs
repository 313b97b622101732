//! Tags of page-table roots, and flushes.

use x86_64::registers::control::{Cr4, Cr4Flags};

use crate::cpu::percpu::PerCpu;
use crate::mm::kernel_map;
use crate::switch;

/// Bit 63 of a value written to CR3: entries of this PCID stay (AMD64 APM vol. 2, 5.5.2).
pub const KEEP: u64 = 1 << 63;
const PCIDS: usize = 4096;
const PCID_MASK: u64 = PCIDS as u64 - 1;

/// Process-context identifiers. 0 is for roots without a tag: each load of one flushes.
pub struct Pcids {
    used: [u64; PCIDS / 64],
}

impl Pcids {
    /// All free where the CPU has them; none where it has not.
    pub const fn new(present: bool) -> Self {
        let mut used = if present { [0; PCIDS / 64] } else { [u64::MAX; PCIDS / 64] };
        used[0] |= 1;
        Self { used }
    }

    /// What to write to CR3 for a root, tagged if there is a PCID left. A root without one flushes at every load,
    /// which is slower and as safe.
    pub fn tag(&mut self, root: u64) -> u64 {
        let Some(word) = self.used.iter().position(|&word| word != u64::MAX) else { return root };
        let bit = self.used[word].trailing_ones() as usize;
        self.used[word] |= 1 << bit;
        root | (word * 64 + bit) as u64 | KEEP
    }

    /// How many there are left.
    pub fn free(&self) -> u64 {
        self.used.iter().map(|word| u64::from(word.count_zeros())).sum()
    }

    /// Gives the tag of a root back. Its entries must be flushed before it is used again: see [`flush`].
    pub fn release(&mut self, cr3: u64) {
        let pcid = (cr3 & PCID_MASK) as usize;
        if cr3 & KEEP != 0 && pcid != 0 {
            self.used[pcid / 64] &= !(1 << (pcid % 64));
        }
    }
}

/// Flushes what this CPU may have cached of a root's lower half. The root itself may be gone already.
pub fn flush(this: &PerCpu, cr3: u64) {
    let loaded = this.cpu.loaded.cr3;
    if loaded == cr3 {
        // SAFETY: the root is in force. Without bit 63 the write flushes its entries.
        unsafe { switch::write_cr3(cr3 & !KEEP) };
    } else if cr3 & KEEP != 0 {
        let kernel_root = kernel_map::root().start().as_u64();
        // SAFETY: both roots exist and have the kernel's half. The first write flushes all entries of the PCID,
        // whichever root they came from.
        unsafe {
            switch::write_cr3(kernel_root | cr3 & PCID_MASK);
            switch::write_cr3(loaded);
        }
    }
    // Untagged and not in force: leaving it flushed it.
}

/// Flushes all roots' entries, of every tag: what several roots share was changed.
pub fn flush_all() {
    // SAFETY: a change of CR4.PGE flushes everything (AMD64 APM vol. 2, 5.5.3; Intel SDM vol. 3, 4.10.4.1).
    unsafe {
        Cr4::update(|flags| flags.remove(Cr4Flags::PAGE_GLOBAL));
        Cr4::update(|flags| flags.insert(Cr4Flags::PAGE_GLOBAL));
    }
}
