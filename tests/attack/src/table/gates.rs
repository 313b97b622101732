//! From one mode into the other, and through gates that are not there.

use super::{Attack, BOTH, GP, LONG, NARROW, ends, harmless};

const TRANSFERS: &str = "APM 2, 4.11 (control-transfer privilege checks); SDM 3, 5.8";

pub(super) const ATTACKS: &[Attack] = &[
    ends("heavens-gate", NARROW, "64-bit code by a far jump to selectors that other systems have", TRANSFERS, &[GP])
        .variants(8),
    ends("reverse-gate", LONG, "32-bit code by a far return to selectors that other systems have", TRANSFERS, &[GP])
        .variants(8),
    harmless("every-selector-by-far-jump", BOTH, "a far jump to each of the 65,536 selectors", TRANSFERS),
    harmless(
        "every-selector-by-far-call",
        NARROW,
        "a far call to selectors of all kinds, gates and TSS among them",
        TRANSFERS,
    ),
    harmless("far-call-to-every-selector", LONG, "the same from 64-bit code", TRANSFERS)
        .not_unenforced("TCG checks a limit that far calls of 64-bit code have not"),
    harmless("every-selector-by-far-return", BOTH, "a far return to selectors of all kinds", TRANSFERS),
    harmless("every-selector-by-iret", BOTH, "an IRET to selectors of all kinds", "APM 3, IRET; SDM 2, IRET"),
    harmless("iret-to-every-stack", LONG, "an IRET with stack selectors of all kinds", "APM 3, IRET; SDM 2, IRET"),
    ends("far-call-to-tss", BOTH, "a task switch by far call or jump to the TSS", "APM 2, 12.1; SDM 3, 8.7", &[GP])
        .variants(2),
    ends("load-ldt", BOTH, "a descriptor table of its own", "APM 3, LLDT", &[GP]),
    ends("load-task-register", BOTH, "another TSS", "APM 3, LTR", &[GP]),
    ends("local-selector", BOTH, "a segment of the local table, of which there is none", "APM 2, 4.5.1", &[GP])
        .variants(4),
    harmless(
        "sixteen-bit-far-jump",
        NARROW,
        "a far jump with a 16-bit offset to each of the first selectors",
        TRANSFERS,
    ),
    harmless("code-stays-narrow", NARROW, "another default operand size after every transfer", "APM 2, 4.8.1"),
];
