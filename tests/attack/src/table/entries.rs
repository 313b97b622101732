//! Every way into the kernel, with hostile state.

use super::{Attack, BOTH, BP, DB, Expected, GP, LONG, NARROW, OF, PF, SS, UD, attack, ends, harmless};

const SYSCALL: &str = "APM 2, 6.1.1 (SYSCALL and SYSRET)";
const SYSENTER: &str = "SDM 3, 5.8.7 (SYSENTER and SYSEXIT)";
const STEPS: &str = "APM 2, 13.1.4 (single stepping); SDM 3, 6.8.3, 17.3.1";

pub(super) const ATTACKS: &[Attack] = &[
    harmless("int-with-any-stack", BOTH, "the kernel's accesses through a stack pointer of its choice", "APM 2, 8.9.3"),
    harmless("syscall-with-any-stack", LONG, "the same by SYSCALL", SYSCALL),
    attack(
        "entry-with-any-stack",
        NARROW,
        "the same by SYSCALL or SYSENTER, which return by the entry page, which needs a stack",
        SYSENTER,
        Expected::HarmlessOr(&[BP, UD, SS, GP, PF]),
    )
    .variants(8),
    ends("sysenter-from-64-bit", LONG, "the 32-bit entry from 64-bit code", SYSENTER, &[UD]).variants(4),
    attack(
        "syscall-of-other-make",
        NARROW,
        "SYSCALL from 32-bit code, which only one make has",
        SYSCALL,
        Expected::HarmlessOr(&[UD]),
    ),
    harmless("any-call-with-any-stack", BOTH, "blocking calls with stack pointers of its choice", SYSCALL),
    harmless("flags-at-int", BOTH, "NT, AC, DF, ID and RF left set in the kernel", "APM 2, 8.9.3").variants(8),
    harmless("flags-at-entry", BOTH, "the same by the CPU's own entry", "APM 2, 6.1.1; SDM 2, SYSENTER").variants(8),
    harmless("stepped-through-int", BOTH, "single steps through INT into the kernel and out", STEPS),
    harmless("stepped-through-entry", BOTH, "single steps through the CPU's own entry", STEPS),
    harmless("stepped-through-refusal", BOTH, "single steps through calls that are refused", STEPS),
    ends(
        "stepped-into-others",
        BOTH,
        "single steps into every instruction that enters otherwise",
        STEPS,
        &[DB, BP, OF, UD, SS, GP, PF],
    )
    .variants(8),
    harmless("stepped-through-calls", BOTH, "single steps through calls to others", STEPS).variants(3),
    harmless(
        "mov-ss-before-int",
        BOTH,
        "a debug exception put off into the kernel by MOV SS",
        "SDM 3, 6.8.3 (CVE-2018-8897)",
    ),
    harmless("mov-ss-before-entry", BOTH, "the same before the CPU's own entry", "SDM 3, 6.8.3"),
    harmless("pop-ss-before-int", NARROW, "the same by POP SS", "SDM 3, 6.8.3"),
    ends("mov-ss-before-breakpoint", BOTH, "a debug exception put off into INT3", "SDM 3, 6.8.3", &[BP, DB]),
    ends("mov-ss-before-icebp", BOTH, "a debug exception put off into the debug exception", "SDM 3, 6.8.3", &[DB, UD]),
    ends("mov-ss-before-fault", BOTH, "a debug exception put off into a fault", "SDM 3, 6.8.3", &[UD, DB]),
    ends("int-at-end-of-space", NARROW, "an entry whose return address is beyond the limit", "APM 3, IRET", &[GP, PF]),
    attack(
        "entry-at-end-of-space",
        NARROW,
        "the same by the CPU's own entry: SYSCALL returns to the entry page",
        "APM 3, RETF",
        Expected::HarmlessOr(&[GP, PF]),
    ),
    attack(
        "call-at-end-of-space",
        NARROW,
        "the same by a call that others answer",
        "APM 3, RETF",
        Expected::HarmlessOr(&[GP, PF]),
    )
    .variants(3),
    harmless("resumed-at-end-of-space", NARROW, "the same, restarted by its own fault handler", "APM 3, IRET"),
    ends("entry-at-end-of-page", BOTH, "an entry whose return address is not mapped", "APM 2, 5.6", &[PF]),
    ends(
        "entry-at-end-of-lower-half",
        LONG,
        "SYSCALL where user addresses end",
        "SDM 2, SYSRET (CVE-2012-0217)",
        &[PF, GP],
    ),
    ends("int-at-end-of-lower-half", LONG, "INT where user addresses end", "APM 3, IRET", &[PF, GP]),
    harmless(
        "map-end-of-lower-half",
        LONG,
        "a page from which SYSCALL returns to a non-canonical address",
        "SDM 2, SYSRET",
    ),
    harmless(
        "start-anywhere",
        BOTH,
        "a thread that starts beyond, in the kernel's half, or nowhere",
        "APM 2, 5.3.1; SDM 2, SYSRET",
    ),
    ends("jump-to-non-canonical", LONG, "an instruction pointer that is no address", "APM 2, 5.3.1", &[GP]).variants(6),
    ends("return-to-non-canonical", LONG, "the same by RET", "APM 2, 5.3.1", &[GP]).variants(6),
    ends("iret-to-non-canonical", LONG, "the same by IRET", "APM 3, IRET", &[GP]).variants(6),
    harmless(
        "resumed-non-canonical",
        LONG,
        "a fault at a non-canonical address, restarted by its own handler",
        "SDM 2, IRET",
    ),
    attack(
        "entry-page-anywhere",
        NARROW,
        "jumps into the middle of the entry page",
        "none",
        Expected::HarmlessOr(&[BP, UD, SS, GP, PF]),
    )
    .variants(8),
    attack(
        "prefixed-entry",
        BOTH,
        "the entry instructions with every prefix",
        "APM 3, 1.2",
        Expected::HarmlessOr(&[DB, BP, UD, SS, GP, PF]),
    )
    .variants(24),
    harmless("wide-selector-word", LONG, "a call number with bits in the upper half of RAX", "none"),
    harmless("every-operation", BOTH, "every operation number with indices out of every table", "none"),
    harmless("stack-after-entry", BOTH, "stack segment attributes after each exit", "APM 2, 6.1.1 (SYSRET)"),
    harmless("preempted-with-any-stack", BOTH, "an interrupt with stack pointers of its choice", "APM 2, 8.9.3"),
    harmless("preempted-with-any-flags", BOTH, "an interrupt with NT, AC, DF and ID set", "APM 2, 8.9.3"),
    harmless("fault-storm", BOTH, "ten thousand faults, each restarted", "none"),
    ends("stack-overflow", BOTH, "the page below its stack", "APM 2, 8.2.15", &[PF]),
];
