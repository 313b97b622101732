//! What performance counters count, user mode and kernel together, where there are any and the boot configuration asked for them
//! ([`fact::COUNTERS`](super::fact::COUNTERS)). A counter grows from whatever it was, in its low 32 bits at least.

/// Retired instructions.
pub const INSTRUCTIONS: usize = 0;
/// Cycles of the core while it is not halted.
pub const CYCLES: usize = 1;
/// Walks of page tables for data, or, where [`STORE_WALKS`] are counted apart, for loads.
pub const DATA_WALKS: usize = 2;
/// Walks of page tables for stores.
pub const STORE_WALKS: usize = 3;
/// Walks of page tables for code.
pub const CODE_WALKS: usize = 4;
/// Requests of data and code that the second level of cache did not have.
pub const CACHE_MISSES: usize = 5;
/// How many of these there are.
pub const COUNT: usize = 6;

/// Their names in reports.
pub const NAMES: [&str; COUNT] =
    ["instructions", "cycles", "walks for data", "walks for stores", "walks for code", "misses of the second cache"];
