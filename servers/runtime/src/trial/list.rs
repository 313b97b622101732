//! All trials, as a table.

use lilliput_abi::object::kind::{HOST, SMALL, WIDE};

/// How a trial must end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// By saying that all went well.
    Success,
    /// By one of these exceptions.
    Fault(&'static [u8]),
    /// By a page fault at this address, as the task sees it.
    PageFault(u64),
    /// In any way, if only everybody else goes on.
    AnyEnd,
}

use Expected::{AnyEnd, Fault, PageFault, Success};

/// A trial.
#[derive(Clone, Copy, Debug)]
pub struct Trial {
    /// Its name, which is also the function's.
    pub name: &'static str,
    /// Kinds of task that it is run in.
    pub kinds: &'static [u64],
    /// Kinds of task that are its partner in turn; empty for none.
    pub partners: &'static [u64],
    /// How it must end.
    pub expected: Expected,
    /// Whether it needs a small task in `segment` mode and limits that are enforced.
    pub limits: bool,
}

const BOTH: &[u64] = &[SMALL, WIDE];
const NARROW: &[u64] = &[SMALL];
const LONG: &[u64] = &[WIDE];
const HOSTS: &[u64] = &[HOST];
const ALL: &[u64] = &[SMALL, HOST, WIDE];

const INVALID_OPCODE: u8 = 6;
const STACK_FAULT: u8 = 12;
const PROTECTION: u8 = 13;
const PAGE_FAULT: u8 = 14;

const fn alone(name: &'static str, kinds: &'static [u64]) -> Trial {
    Trial { name, kinds, partners: &[], expected: Success, limits: false }
}

const fn with(name: &'static str, kinds: &'static [u64], partners: &'static [u64]) -> Trial {
    Trial { partners, ..alone(name, kinds) }
}

const fn ends(name: &'static str, kinds: &'static [u64], expected: Expected) -> Trial {
    Trial { expected, ..alone(name, kinds) }
}

const fn beyond_limit(name: &'static str) -> Trial {
    Trial { limits: true, ..ends(name, NARROW, Fault(&[STACK_FAULT, PROTECTION])) }
}

/// All trials, in the order in which they run.
pub const TRIALS: &[Trial] = &[
    // System calls that must be refused.
    alone("bad-capability", BOTH),
    alone("bad-operation", BOTH),
    alone("wrong-type", BOTH),
    alone("bad-message", BOTH),
    alone("bad-argument", BOTH),
    alone("no-performance-counters", BOTH),
    alone("missing-right", BOTH),
    alone("grant-takes-away", BOTH),
    alone("ceilings", BOTH),
    alone("budget-ceilings", BOTH),
    // Messages.
    with("all-lengths", BOTH, ALL),
    with("badges", BOTH, ALL),
    with("word-too-wide", LONG, NARROW),
    with("reply-too-wide", NARROW, &[WIDE]),
    alone("parameter-too-wide", BOTH),
    with("reply-of-host-is-cut", NARROW, &[HOST]),
    with("zero-extension", NARROW, &[HOST, WIDE]),
    with("one-reply", BOTH, ALL),
    with("capability-returns", BOTH, ALL),
    with("capability-refusals", BOTH, ALL),
    with("string-lengths", BOTH, ALL),
    with("string-refusals", BOTH, ALL),
    with("string-faults", BOTH, ALL),
    with("string-interrupted", BOTH, ALL),
    with("string-into-gaps", BOTH, ALL),
    alone("prints", BOTH),
    alone("rude", BOTH),
    with("non-blocking", BOTH, BOTH),
    with("unanswered", BOTH, ALL),
    with("server-death", BOTH, ALL),
    alone("destroyed-while-waiting", BOTH),
    alone("queue-order", BOTH),
    alone("fault-message", BOTH),
    alone("signal-bits", BOTH),
    alone("bound-notification", BOTH),
    // Callers that are put aside.
    alone("kept-out-of-order", BOTH),
    alone("kept-refusals", BOTH),
    alone("kept-ends", BOTH),
    with("kept-by-partner", BOTH, ALL),
    // Objects and memory.
    alone("stale-capability", BOTH),
    alone("table-full", BOTH),
    alone("usage-returns", BOTH),
    alone("factory-quotas", BOTH),
    alone("factory-takes-all", BOTH),
    alone("factory-refusals", BOTH),
    alone("factories-balance", BOTH),
    alone("many-arenas", BOTH),
    alone("revoke-lineage", BOTH),
    alone("revoke-ends-waits", BOTH),
    alone("thread-methods", BOTH),
    alone("frames-are-zero", BOTH),
    alone("map-refusals", BOTH),
    ends("client-is-gone", HOSTS, Fault(&[PAGE_FAULT])),
    alone("next-client", HOSTS),
    ends("unmapped-faults", BOTH, PageFault(super::kit::SCRATCH as u64)),
    ends("read-only-faults", BOTH, PageFault(super::kit::SCRATCH as u64)),
    alone("many-pages", BOTH),
    alone("long-calls-let-others-run", BOTH),
    alone("mapping-stops-where-it-must", BOTH),
    ends("replacing", BOTH, PageFault(super::kit::SCRATCH as u64)),
    alone("large-pages", LONG),
    alone("no-large-pages", NARROW),
    ends("moving", BOTH, PageFault(super::kit::SCRATCH as u64)),
    alone("coloured-frames", BOTH),
    alone("destroyed-in-steps", BOTH),
    // Death.
    alone("thread-exits", BOTH),
    with("task-exits", BOTH, ALL),
    alone("server-restarts", BOTH),
    alone("pager-dies", BOTH),
    alone("revoked-while-derived", BOTH),
    alone("places", BOTH),
    // Devices.
    alone("interrupt-delivery", BOTH),
    alone("interrupt-noted", BOTH),
    alone("interrupt-storm", BOTH),
    alone("interrupt-refusals", BOTH),
    alone("device-rights", BOTH),
    alone("ports", BOTH),
    alone("device-memory", BOTH),
    alone("device-memory-dies-with-its-task", BOTH),
    alone("frame-addresses", BOTH),
    // Threads in another's hands.
    alone("stop-and-resume", BOTH),
    alone("stopped-with-vectors", BOTH),
    alone("vectors-of-another", BOTH),
    alone("fault-registers", BOTH),
    alone("thread-fault-handler", BOTH),
    alone("narrow-registers", LONG),
    // Foreign threads.
    with("foreign-calls", BOTH, &[HOST, WIDE]),
    with("foreign-storage", BOTH, &[HOST, WIDE]),
    with("foreign-control", BOTH, &[HOST, WIDE]),
    with("foreign-unanswered", BOTH, &[HOST, WIDE]),
    with("foreign-kept", BOTH, &[HOST, WIDE]),
    with("foreign-narrow-handler", BOTH, NARROW),
    with("foreign-refusals", BOTH, &[HOST, WIDE]),
    with("foreign-at-end-of-space", NARROW, &[HOST, WIDE]),
    // Threads with storage of their own.
    alone("storage-of-threads", BOTH),
    with("storage-in-calls", BOTH, ALL),
    with("storage-moves", NARROW, &[HOST, WIDE]),
    alone("storage-refusals", BOTH),
    alone("storage-is-turned", NARROW),
    alone("storage-in-one-access", NARROW),
    // Small spaces that change.
    alone("resize-refusals", BOTH),
    alone("grows-by-faults", NARROW),
    with("changed-in-call", NARROW, ALL),
    alone("changed-while-preempted", NARROW),
    alone("isolation-changes", NARROW),
    alone("large-and-back", NARROW),
    alone("another-arena", NARROW),
    with("shared-host", NARROW, &[HOST]),
    alone("shared-host-ends", BOTH),
    alone("moved-over-itself", NARROW),
    alone("compaction", NARROW),
    alone("segments-follow", NARROW),
    ends("shrinking-unmaps", NARROW, Fault(&[PROTECTION, PAGE_FAULT])),
    ends("old-slot-is-lost", NARROW, Fault(&[PROTECTION, PAGE_FAULT])),
    // Time.
    alone("preemption", BOTH),
    alone("priorities", BOTH),
    alone("yielding", BOTH),
    alone("vector-state", BOTH),
    alone("budgets", BOTH),
    alone("donated-time", BOTH),
    alone("time-is-charged", BOTH),
    alone("clock", BOTH),
    alone("sleep", BOTH),
    alone("sleep-order", BOTH),
    alone("many-sleepers", LONG),
    alone("timeouts", BOTH),
    with("timed-calls", BOTH, ALL),
    alone("caller-gives-up", BOTH),
    alone("deadline-passed", BOTH),
    alone("deadline-refusals", BOTH),
    alone("ends-before-deadline", BOTH),
    // Entry and exit.
    with("entry-by-int", BOTH, ALL),
    alone("entry-with-bad-stack", BOTH),
    alone("entry-elsewhere", NARROW),
    ends("entry-page-with-bad-stack", NARROW, AnyEnd),
    alone("entry-with-odd-flags", BOTH),
    ends("entry-single-stepped", BOTH, AnyEnd),
    ends("entry-at-end-of-page", BOTH, PageFault(super::kit::SCRATCH as u64 + 0x1000)),
    ends("entry-at-end-of-space", NARROW, Fault(&[PROTECTION, PAGE_FAULT])),
    alone("first-registers", BOTH),
    with("registers-after-call", BOTH, ALL),
    alone("interrupted-registers", BOTH),
    alone("interrupted-with-bad-stack", BOTH),
    alone("visible-descriptors", BOTH),
    ends("entry-by-sysenter", LONG, AnyEnd),
    ends("iret-to-virtual-8086", BOTH, Fault(&[PROTECTION, PAGE_FAULT])),
    // Exceptions.
    ends("fault-invalid-opcode", BOTH, Fault(&[INVALID_OPCODE])),
    ends("fault-divide", BOTH, Fault(&[0])),
    ends("fault-breakpoint", BOTH, Fault(&[3])),
    ends("fault-debug", BOTH, Fault(&[1])),
    ends("fault-halt", BOTH, Fault(&[PROTECTION])),
    ends("fault-interrupt-flag", BOTH, Fault(&[PROTECTION])),
    ends("fault-port", BOTH, Fault(&[PROTECTION])),
    ends("fault-control-register", BOTH, Fault(&[PROTECTION])),
    ends("fault-interrupt-gate", BOTH, Fault(&[PROTECTION])),
    ends("fault-foreign-interrupt", BOTH, Fault(&[PROTECTION])),
    ends("fault-foreign-selector", BOTH, Fault(&[PROTECTION])),
    ends("fault-far-jump", BOTH, Fault(&[PROTECTION])),
    ends("fault-far-jump-to-kernel", BOTH, Fault(&[PROTECTION])),
    ends("fault-null-read", BOTH, PageFault(0)),
    ends("fault-null-call", BOTH, PageFault(0)),
    ends("fault-execute-data", BOTH, PageFault(super::kit::SCRATCH as u64)),
    ends("fault-stack-overflow", BOTH, Fault(&[PAGE_FAULT])),
    ends("fault-write-entry-page", NARROW, PageFault(0x1000)),
    ends("fault-overflow", NARROW, Fault(&[4])),
    ends("fault-bound", NARROW, Fault(&[5])),
    ends("fault-x87", BOTH, Fault(&[16])),
    ends("fault-kernel-read", LONG, PageFault(0xffff_ffff_8000_0000)),
    ends("fault-kernel-call", LONG, PageFault(0xffff_ffff_8000_0000)),
    ends("fault-non-canonical", LONG, Fault(&[PROTECTION, STACK_FAULT])),
    ends("fault-non-canonical-jump", LONG, Fault(&[PROTECTION])),
    ends("fault-beyond-space", NARROW, Fault(&[PROTECTION, PAGE_FAULT])),
    ends("fault-wrap-around", NARROW, Fault(&[STACK_FAULT, PROTECTION, PAGE_FAULT])),
    // Confinement by segment limits.
    beyond_limit("limit-read"),
    beyond_limit("limit-write"),
    beyond_limit("limit-straddle"),
    beyond_limit("limit-fetch"),
    beyond_limit("limit-stack"),
    beyond_limit("limit-old-slot"),
    // The last ones: the kernel's table of threads is long afterwards, and whoever checks all of it at each entry is slow.
    alone("factory-promises", BOTH),
    alone("factory-threads", BOTH),
    alone("crowd-loses-capability", BOTH),
    alone("crowd-moves", NARROW),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique() {
        let names: std::collections::BTreeSet<_> = TRIALS.iter().map(|trial| trial.name).collect();
        assert_eq!(names.len(), TRIALS.len());
    }
}
