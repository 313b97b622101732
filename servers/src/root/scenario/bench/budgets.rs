//! How many kernel instructions a row may have. A path that grows beyond its limit fails a test.

use lilliput_abi::Isolation;

use super::cases::Case;

/// A limit for rows of one name.
struct Budget {
    name: &'static str,
    /// Kernel instructions, entry and exit instruction included.
    limit: u32,
}

/// What seL4's fast path takes on the same emulator, for every pair of kinds.
const BUDGETS: &[Budget] = &[Budget { name: "call", limit: 210 }, Budget { name: "reply", limit: 236 }];

/// The longest message that the compared path takes in registers.
const COMPARED: usize = 4;

/// The limit of a row, if it has one: small tasks are compared in `segment` mode.
pub fn limit(name: &str, case: &Case, mode: Isolation, words: usize) -> Option<u32> {
    let compared = (mode == Isolation::Segment || !case.has_small()) && words <= COMPARED;
    BUDGETS.iter().find(|budget| budget.name == name && compared).map(|budget| budget.limit)
}
