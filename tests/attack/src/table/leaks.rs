//! What others left in registers.

use super::{Attack, BOTH, LONG, NARROW, harmless};

const PARTNERS: u16 = 6;

pub(super) const ATTACKS: &[Attack] = &[
    harmless("registers-at-start", BOTH, "what others left in the registers of a new thread", "none"),
    harmless("registers-after-call", BOTH, "what the answering task or the kernel left in registers", "APM 1, 3.1.2")
        .variants(PARTNERS),
    harmless(
        "registers-after-receive",
        BOTH,
        "what a caller or the kernel left in registers of one that waits for calls",
        "APM 1, 3.1.2",
    )
    .variants(3),
    harmless("flags-at-start", BOTH, "flags of others or of the kernel in a new thread", "APM 2, 3.1.6"),
    harmless(
        "registers-after-refusal",
        BOTH,
        "what the kernel left in registers after calls that it refuses",
        "APM 1, 3.1.2",
    ),
    harmless("registers-after-null-call", BOTH, "the same after the null call, by each entry", "APM 2, 6.1.1"),
    harmless("registers-after-fault", BOTH, "the same after a fault that was restarted", "APM 2, 8.9.3"),
    harmless("registers-after-preemption", BOTH, "what others left, or changed, while they ran", "APM 2, 8.9.3"),
    harmless("upper-halves", LONG, "upper halves of registers after a 32-bit task answered", "APM 1, 3.1.2"),
    harmless("flags-after-call", BOTH, "flags of others or of the kernel", "APM 2, 6.1.1").variants(3),
    harmless("vectors-at-start", BOTH, "what others left in vector registers of a new thread", "APM 2, 11.4"),
    harmless("vectors-after-call", BOTH, "the same after calls to others who filled theirs", "APM 2, 11.4")
        .variants(PARTNERS),
    harmless("vectors-after-preemption", BOTH, "the same after others ran", "APM 2, 11.4"),
    harmless(
        "x87-pointers",
        BOTH,
        "the last x87 instruction of another task",
        "APM 2, 11.4.4 (FXSAVE leaves FIP, FDP and FOP alone)",
    ),
    harmless("vectors-of-the-dead", BOTH, "the vector registers of a task that ended", "APM 2, 11.4"),
    harmless("upper-vectors", NARROW, "XMM8 to XMM15, which 32-bit code can't name, by FXSAVE", "APM 2, 11.4.4"),
];
