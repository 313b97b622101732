//! Memory of the kernel and of others, by page tables.

use super::{Attack, BOTH, Expected, GP, LONG, NARROW, PF, SS, attack, ends, harmless};

const PAGES: &str = "APM 2, 5.6 (page-protection checks)";

pub(super) const ATTACKS: &[Attack] = &[
    ends("read-kernel", LONG, "the kernel's text, data, stacks, tables and the map of physical memory", PAGES, &[PF])
        .variants(12),
    ends("write-kernel", LONG, "a write to the same", PAGES, &[PF]).variants(12),
    ends("execute-kernel", LONG, "a jump to the same", PAGES, &[PF]).variants(12),
    ends("read-non-canonical", LONG, "addresses that are none", "APM 2, 5.3.1", &[SS, GP]).variants(6),
    ends(
        "kernel-by-prefix",
        LONG,
        "the kernel's memory with every segment override, and with 32-bit addresses",
        "APM 2, 4.5.3; APM 3, 1.2.3",
        &[PF],
    )
    .variants(8),
    ends(
        "read-others",
        LONG,
        "the slots of small tasks, and the host, from a page table that has neither",
        PAGES,
        &[PF],
    )
    .variants(3),
    ends("kernel-as-stack", LONG, "pushes and pops in the kernel's half", PAGES, &[PF, SS]).variants(4),
    ends("write-entry-page", NARROW, "a write to the page through which all small tasks enter", PAGES, &[PF]),
    ends("write-own-text", BOTH, "a write to its own code", PAGES, &[PF]),
    ends("execute-own-data", BOTH, "its own data, as code", "APM 2, 5.6.1 (no execute)", &[PF]),
    ends("execute-own-stack", BOTH, "its own stack, as code", "APM 2, 5.6.1 (no execute)", &[PF]),
    harmless(
        "map-refusals",
        BOTH,
        "pages of others' addresses, of the kernel's, over the entry page, writable and executable",
        "none",
    ),
    harmless("unmap-refusals", BOTH, "others' pages, and the entry page, unmapped", "none"),
    harmless("frames-hold-nothing", BOTH, "what was in its frames before", "none"),
    harmless("plant-leftovers", BOTH, "a page in the slot, for the next task to find", "none"),
    ends(
        "find-leftovers",
        BOTH,
        "the page that the last task left mapped in this slot or root",
        "APM 2, 5.5.3 (TLB management)",
        &[PF],
    ),
    ends("unmapped-page", BOTH, "a page of its own through the TLB, after it was unmapped", "APM 2, 5.5.3", &[PF]),
    ends(
        "page-made-read-only",
        BOTH,
        "a write by a TLB entry from before the page became read-only",
        "APM 2, 5.5.3",
        &[PF],
    ),
    attack("low-memory", BOTH, "the first 64 KiB, where nothing of a task is", PAGES, Expected::Fault(&[PF]))
        .variants(4),
];
