//! How many kernel instructions a row may have: what it has today. A path that grows beyond that fails a test.

use lilliput_abi::Isolation;
use lilliput_abi::object::kind::{HOST, SMALL, WIDE};

use super::cases::Case;

/// A limit for the rows of one case.
struct Budget {
    name: &'static str,
    /// Kind of the task that calls, whichever way the row's message goes.
    client: u64,
    /// Kind of the task that is called.
    server: u64,
    /// Kernel instructions, entry and exit instruction included.
    limit: u32,
}

/// Messages of up to four words, small tasks in `segment` mode. seL4's fast path takes 210 for a call and 236 for an
/// answer between two page tables on the same emulator.
const BUDGETS: &[Budget] = &[
    budget("call", SMALL, SMALL, 42),
    budget("call", SMALL, HOST, 45),
    budget("call", HOST, SMALL, 74),
    budget("call", SMALL, WIDE, 58),
    budget("call", WIDE, SMALL, 58),
    budget("call", WIDE, WIDE, 48),
    budget("reply", SMALL, SMALL, 39),
    budget("reply", SMALL, HOST, 34),
    budget("reply", HOST, SMALL, 51),
    budget("reply", SMALL, WIDE, 58),
    budget("reply", WIDE, SMALL, 53),
    budget("reply", WIDE, WIDE, 48),
    budget("call in one task", SMALL, SMALL, 42),
    budget("call in one task", WIDE, WIDE, 47),
    budget("reply in one task", SMALL, SMALL, 39),
    budget("reply in one task", WIDE, WIDE, 47),
    budget("null call", SMALL, SMALL, 17),
    budget("null call", WIDE, WIDE, 17),
];

/// The longest message that the fast path takes in registers.
const SHORT: usize = 4;

const fn budget(name: &'static str, client: u64, server: u64, limit: u32) -> Budget {
    Budget { name, client, server, limit }
}

/// The limit of a row, if it has one.
pub fn limit(name: &str, case: &Case, mode: Isolation, words: usize) -> Option<u32> {
    let limited = (mode == Isolation::Segment || !case.has_small()) && words <= SHORT;
    let fits = |budget: &&Budget| budget.name == name && budget.client == case.from && budget.server == case.to;
    BUDGETS.iter().find(fits).filter(|_| limited).map(|budget| budget.limit)
}
