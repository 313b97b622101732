//! Segment descriptors: encoding the few that this kernel uses, and decoding any (AMD64 APM vol. 2, section 4.7).

use core::ops::Range;

#[cfg(test)]
mod tests;

/// One past the highest address that 32-bit code can form.
pub const LINEAR_END: u64 = 1 << 32;

/// Bytes below 4 GiB that a segment of expand-up type can cover exactly: neither rounded nor wrapping around.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    base: u32,
    limit: u32,
}

impl Extent {
    /// Sizes above this are counted in pages, since a limit has 20 bits.
    const BYTE_GRANULAR: u64 = 1 << 20;

    /// The extent of `size` bytes from linear address `base` on. Above 1 MiB, sizes are multiples of 4096.
    pub const fn new(base: u64, size: u64) -> Option<Self> {
        let exact = size <= Self::BYTE_GRANULAR || size.is_multiple_of(4096);
        if size == 0 || size > LINEAR_END || base > LINEAR_END - size || !exact {
            return None;
        }
        Some(Self { base: base as u32, limit: (size - 1) as u32 })
    }

    /// The part of it from an offset on, with this as the highest offset from there if it goes so far. Above 1 MiB it is cut to whole pages.
    pub const fn part(self, from: u32, highest: u32) -> Option<Self> {
        if from > self.limit {
            return None;
        }
        let rest = self.limit - from;
        let limit = if highest < rest { highest } else { rest };
        let limit = if (limit as u64) < Self::BYTE_GRANULAR { limit } else { (limit - 0xfff) | 0xfff };
        Some(Self { base: self.base + from, limit })
    }

    /// Linear address of offset 0.
    pub const fn base(self) -> u32 {
        self.base
    }

    /// The highest offset.
    pub const fn limit(self) -> u32 {
        self.limit
    }

    /// The linear addresses.
    pub const fn linear(self) -> Range<u64> {
        let base = self.base as u64;
        base..base + self.limit as u64 + 1
    }
}

/// A segment descriptor as it stands in the table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct Descriptor(pub u64);

const ACCESSED: u64 = 1 << 40;
const WRITABLE_OR_READABLE: u64 = 1 << 41;
const EXPAND_DOWN_OR_CONFORMING: u64 = 1 << 42;
const CODE: u64 = 1 << 43;
const NOT_SYSTEM: u64 = 1 << 44;
const DPL_SHIFT: u32 = 45;
const PRESENT: u64 = 1 << 47;
const LONG: u64 = 1 << 53;
const BIG: u64 = 1 << 54;
const GRANULAR: u64 = 1 << 55;

/// Type of an available 64-bit TSS (APM vol. 2, table 4-6).
const TSS_AVAILABLE: u64 = 9;

impl Descriptor {
    /// No descriptor: not present, of no type.
    pub const EMPTY: Self = Self(0);
    /// 64-bit code of the kernel. Base and limit mean nothing in 64-bit mode.
    pub const KERNEL_CODE: Self = Self(CODE | Self::data_access(0) | LONG);
    /// Flat data of the kernel.
    pub const KERNEL_DATA: Self = Self(0x000f_0000_0000_ffff | Self::data_access(0) | BIG | GRANULAR);
    /// 64-bit code of tasks.
    pub const USER_CODE64: Self = Self(CODE | Self::data_access(3) | LONG);
    /// Data segment of 64-bit tasks, which is there since IRETQ wants one for SS.
    ///
    /// 64-bit mode ignores its base and limit, so it can cover a single byte, one that is never mapped: 32-bit
    /// code that got hold of it by a mistake elsewhere would reach nothing.
    pub const USER_DATA64: Self = Self(Self::data_access(3) | BIG);

    /// A 32-bit code segment of tasks, readable, not conforming.
    pub const fn code32(extent: Extent) -> Self {
        Self(CODE | Self::data_access(3) | BIG | Self::place(extent))
    }

    /// A 32-bit data segment of tasks, writable, growing upward.
    pub const fn data32(extent: Extent) -> Self {
        Self(Self::data_access(3) | BIG | Self::place(extent))
    }

    /// A 32-bit data segment of tasks with every offset there is: from `base` on, and around the end of 4 GiB to just below it.
    pub const fn wrapping32(base: u32) -> Self {
        Self(Self::data_access(3) | BIG | Self::bounds(base, 0xf_ffff) | GRANULAR)
    }

    /// A 32-bit data segment of tasks with negative offsets only: those of so many whole pages below `base`, fewer than all there are. It expands down, so what is valid are the
    /// offsets above the limit.
    pub const fn below32(base: u32, pages: u32) -> Self {
        Self(Self::data_access(3) | BIG | Self::bounds(base, 0xf_ffff - pages) | GRANULAR | EXPAND_DOWN_OR_CONFORMING)
    }

    /// Whether it is one of those.
    pub const fn is_below(self) -> bool {
        self.0 & (CODE | EXPAND_DOWN_OR_CONFORMING) == EXPAND_DOWN_OR_CONFORMING
    }

    /// The two entries of a 64-bit TSS of `bytes` bytes.
    pub const fn tss(base: u64, bytes: u16) -> [Self; 2] {
        let low = Self::base(base as u32) | (bytes - 1) as u64 | TSS_AVAILABLE << 40 | PRESENT;
        [Self(low), Self(base >> 32)]
    }

    /// Present, writable data (or readable code), with the accessed bit set, so that the CPU never writes to the table.
    const fn data_access(dpl: u64) -> u64 {
        PRESENT | NOT_SYSTEM | WRITABLE_OR_READABLE | ACCESSED | dpl << DPL_SHIFT
    }

    const fn place(extent: Extent) -> u64 {
        let (field, granular) = if extent.limit as u64 >= Extent::BYTE_GRANULAR {
            (extent.limit >> 12, GRANULAR)
        } else {
            (extent.limit, 0)
        };
        Self::bounds(extent.base, field) | granular
    }

    /// The fields of base and limit, of which the latter has 20 bits.
    const fn bounds(base: u32, limit: u32) -> u64 {
        let limit = limit as u64;
        Self::base(base) | limit & 0xffff | (limit & 0xf_0000) << 32
    }

    const fn base(base: u32) -> u64 {
        let base = base as u64;
        (base & 0xff_ffff) << 16 | (base & 0xff00_0000) << 32
    }

    /// Reads a descriptor as the CPU does.
    pub fn decode(self) -> Decoded {
        let bits = self.0;
        let bit = |mask: u64| bits & mask != 0;
        let kind = if !bit(NOT_SYSTEM) {
            Kind::System((bits >> 40 & 0xf) as u8)
        } else if bit(CODE) {
            Kind::Code { conforming: bit(EXPAND_DOWN_OR_CONFORMING), readable: bit(WRITABLE_OR_READABLE) }
        } else {
            Kind::Data { expand_down: bit(EXPAND_DOWN_OR_CONFORMING), writable: bit(WRITABLE_OR_READABLE) }
        };
        let field = (bits & 0xffff | bits >> 32 & 0xf_0000) as u32;
        Decoded {
            kind,
            base: (bits >> 16 & 0xff_ffff | bits >> 32 & 0xff00_0000) as u32,
            limit: if bit(GRANULAR) { field << 12 | 0xfff } else { field },
            dpl: (bits >> DPL_SHIFT & 3) as u8,
            present: bit(PRESENT),
            accessed: bit(ACCESSED),
            long: bit(LONG),
            big: bit(BIG),
        }
    }
}

/// What a descriptor is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// TSS, LDT, gate, or one of the reserved types.
    System(u8),
    /// Data or stack.
    Data {
        /// Whether the offsets *above* the limit are the valid ones.
        expand_down: bool,
        /// Whether it can be written.
        writable: bool,
    },
    /// Code.
    Code {
        /// Whether code of less privilege may enter it without a gate, keeping its own privilege.
        conforming: bool,
        /// Whether it can be read as data.
        readable: bool,
    },
}

/// The fields of a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// What it is for.
    pub kind: Kind,
    /// Linear address of offset 0.
    pub base: u32,
    /// The limit in bytes, scaled.
    pub limit: u32,
    /// Privilege level, 0 to 3.
    pub dpl: u8,
    /// Whether it may be used at all.
    pub present: bool,
    /// Whether the CPU would not set the accessed bit.
    pub accessed: bool,
    /// The L bit: 64-bit code.
    pub long: bool,
    /// The D or B bit: 32-bit code, stack or bounds.
    pub big: bool,
}

impl Decoded {
    /// What compatibility-mode code reaches through it (APM vol. 2, section 4.7.3).
    pub const fn reach(&self) -> Reach {
        let (first, last) = match self.kind {
            Kind::System(_) => return Reach::NOTHING,
            Kind::Data { expand_down: true, .. } => {
                let last = if self.big { u32::MAX } else { 0xffff };
                if self.limit >= last {
                    return Reach::NOTHING;
                }
                (self.limit + 1, last)
            }
            _ => (0, self.limit),
        };
        Reach { start: self.base.wrapping_add(first), bytes: (last - first) as u64 + 1 }
    }
}

/// Linear addresses that 32-bit code reaches: from `start` on, around the end of 4 GiB if they go that far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    /// The first of them.
    pub start: u32,
    /// How many they are, up to 2^32.
    pub bytes: u64,
}

impl Reach {
    /// No address.
    pub const NOTHING: Self = Self { start: 0, bytes: 0 };

    /// Whether all of them lie in a range.
    pub const fn is_within(&self, range: &Range<u64>) -> bool {
        let start = self.start as u64;
        // One that wraps has addresses at both ends of the 4 GiB.
        let around = start + self.bytes > LINEAR_END;
        let covers_all = range.start == 0 && range.end >= LINEAR_END;
        self.bytes == 0 || covers_all || !around && range.start <= start && start + self.bytes <= range.end
    }

    /// Whether an address is one of them.
    pub const fn contains(&self, linear: u32) -> bool {
        (linear.wrapping_sub(self.start) as u64) < self.bytes
    }
}
