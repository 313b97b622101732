//! How many kernel instructions a row may have: what it has today. A path that grows beyond that fails a test.

use core::ops::RangeInclusive;

use lilliput_abi::object::kind::{HOST, SMALL, WIDE};

/// A limit for the rows of one case.
struct Budget {
    name: &'static str,
    /// Kind of the task that calls, whichever way the row's message goes.
    client: u64,
    /// Kind of the task that is called.
    server: u64,
    /// Lengths of messages.
    words: RangeInclusive<usize>,
    /// Kernel instructions, entry and exit instruction included.
    limit: u32,
}

/// Small tasks in `segment` mode. seL4's fast path takes 210 for a call and 236 for an
/// answer between two page tables on the same emulator.
const BUDGETS: &[Budget] = &[
    budget("call", SMALL, SMALL, 42),
    budget("call", SMALL, HOST, 45),
    budget("call", HOST, SMALL, 75),
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
    budget("signal", SMALL, SMALL, 82),
    budget("signal", WIDE, WIDE, 91),
    budget("page fault", SMALL, HOST, 86),
    budget("page fault", SMALL, WIDE, 92),
    budget("page fault", WIDE, WIDE, 92),
    budget("page fault answer", SMALL, HOST, 91),
    budget("page fault answer", SMALL, WIDE, 90),
    budget("page fault answer", WIDE, WIDE, 89),
    budget("foreign int 0x80", SMALL, HOST, 45),
    budget("foreign int 0x80 answer", SMALL, HOST, 40),
    budget("foreign syscall", SMALL, HOST, 55),
    budget("foreign syscall answer", SMALL, HOST, 40),
    budget("foreign syscall", WIDE, HOST, 67),
    budget("foreign syscall answer", WIDE, HOST, 48),
    budget("foreign syscall", WIDE, WIDE, 72),
    budget("foreign syscall answer", WIDE, WIDE, 63),
    long("call", WIDE, WIDE, 55),
    long("reply", WIDE, WIDE, 52),
    long("call in one task", WIDE, WIDE, 54),
    long("reply in one task", WIDE, WIDE, 51),
];

/// For messages of the words that every pair of tasks can exchange.
const fn budget(name: &'static str, client: u64, server: u64, limit: u32) -> Budget {
    Budget { name, client, server, words: 0..=4, limit }
}

/// For messages of up to eight.
const fn long(name: &'static str, client: u64, server: u64, limit: u32) -> Budget {
    Budget { name, client, server, words: 5..=8, limit }
}

/// The limit of an operation between a client and a server of these kinds, if it has one.
pub fn limit(name: &str, client: u64, server: u64, words: usize) -> Option<u32> {
    let is_this = |budget: &&Budget| {
        budget.name == name && budget.client == client && budget.server == server && budget.words.contains(&words)
    };
    BUDGETS.iter().find(is_this).map(|budget| budget.limit)
}
