//! Segment registers and what the descriptor tables tell.

use super::{Attack, BOTH, Expected, GP, LONG, NARROW, SS, attack, beyond, ends, harmless};

const LOADS: &str = "APM 2, 4.10 (data-access privilege checks); SDM 3, 5.6";

pub(super) const ATTACKS: &[Attack] = &[
    harmless("every-selector-by-mov", BOTH, "each of the 65,536 selectors in DS, ES, FS, GS and SS", LOADS).variants(5),
    harmless("every-selector-by-pop", NARROW, "selectors of all kinds in DS, ES, FS, GS and SS by POP", LOADS)
        .variants(5),
    harmless("every-selector-by-far-load", BOTH, "selectors of all kinds by LDS, LES, LFS, LGS and LSS", LOADS)
        .variants(5),
    beyond(
        "reach-of-own-selectors",
        "a neighbour's secret through each selector that can be loaded",
        "APM 2, 4.12",
        48,
    ),
    harmless("null-selectors", BOTH, "data through null selectors", "APM 2, 4.5.1").variants(4),
    ends("null-stack", BOTH, "a null stack segment", "APM 3, MOV", &[GP]).variants(4),
    harmless(
        "stale-segments-after-call",
        BOTH,
        "another's memory through segments that survived a call",
        "APM 2, 4.5.2",
    )
    .variants(3),
    harmless("stale-segments-after-preemption", BOTH, "the same, after others ran", "APM 2, 4.5.2"),
    harmless(
        "segments-at-start",
        BOTH,
        "another's memory through the segments that a thread starts with",
        "APM 2, 4.5.2",
    ),
    harmless("segment-bases", LONG, "bases of FS and GS that a 32-bit task left", "APM 2, 4.5.3"),
    harmless("descriptors-by-lar", BOTH, "the rights of each of the 65,536 selectors", "APM 3, LAR"),
    harmless("descriptors-by-lsl", BOTH, "the limit of each of the 65,536 selectors", "APM 3, LSL"),
    harmless(
        "descriptors-by-verify",
        BOTH,
        "which of the 65,536 selectors can be read or written",
        "APM 3, VERR, VERW",
    ),
    attack(
        "table-addresses",
        BOTH,
        "where GDT, IDT, LDT and TSS are, and CR0",
        "SDM 3, 2.5 (UMIP)",
        Expected::HarmlessOr(&[GP]),
    )
    .variants(5),
    beyond("store-table-address-beyond", "a write beyond the limit by SGDT and SIDT", "APM 3, SGDT", 2),
    harmless("adjusted-privilege", NARROW, "a selector of less RPL by ARPL", "APM 3, ARPL"),
    ends("kernel-data-as-stack", BOTH, "the kernel's data segment on top of the stack", LOADS, &[GP, SS]).variants(4),
];
