//! Strings, stacks and instruction fetch across the limit. Variants are targets or edges.

use super::{Attack, BP, Expected, GP, NARROW, PF, SS, UD, attack, beyond, ends, harmless};

const LIMITS: &str = "APM 2, 4.12 (segment limit checks); SDM 3, 5.3";
const STRINGS: &str = "APM 3, 1.2.6 (repeat prefixes), 2, 4.12";
const TARGETS: u16 = 5;

pub(super) const ATTACKS: &[Attack] = &[
    beyond("string-copy-out", "REP MOVSB from its own to beyond", STRINGS, TARGETS),
    beyond("string-copy-in", "REP MOVSD from beyond to its own", STRINGS, TARGETS),
    beyond("string-copy-override", "MOVSB with every segment override from beyond", STRINGS, 5),
    beyond("string-store", "REP STOSD to beyond", STRINGS, TARGETS),
    beyond("string-load", "LODSD from beyond", STRINGS, TARGETS),
    beyond("string-scan", "REPNE SCASB beyond", STRINGS, TARGETS),
    beyond("string-compare", "REPE CMPSB beyond", STRINGS, TARGETS),
    beyond("string-backward", "REP STOSB downward from beyond", STRINGS, TARGETS),
    beyond("string-across-limit", "REP MOVSB and STOSD across the end of its space", STRINGS, 4),
    ends("string-input", NARROW, "INSB to beyond", "APM 2, 12.2.4 (I/O permission)", &[SS, GP]).variants(TARGETS),
    ends("string-output", NARROW, "OUTSB from beyond", "APM 2, 12.2.4 (I/O permission)", &[SS, GP]).variants(TARGETS),
    beyond("stack-push", "PUSH beyond", LIMITS, TARGETS),
    beyond("stack-pop", "POP beyond", LIMITS, TARGETS),
    beyond("stack-push-all", "PUSHAD beyond", LIMITS, TARGETS),
    beyond("stack-pop-all", "POPAD beyond", LIMITS, TARGETS),
    beyond("stack-push-flags", "PUSHFD beyond", LIMITS, TARGETS),
    beyond("stack-pop-flags", "POPFD beyond", LIMITS, TARGETS),
    beyond("stack-call", "CALL with the stack beyond", LIMITS, TARGETS),
    beyond("stack-return", "RET with the stack beyond", LIMITS, TARGETS),
    beyond("stack-far-return", "a far return with the stack beyond", LIMITS, TARGETS),
    beyond("stack-iret", "IRET with the stack beyond", LIMITS, TARGETS),
    beyond("stack-enter", "ENTER with frames that lie beyond", "APM 3, ENTER", TARGETS),
    beyond("stack-enter-nested", "ENTER with 31 levels, frame pointers from beyond", "APM 3, ENTER", TARGETS),
    beyond("stack-leave", "LEAVE with the frame beyond", "APM 3, LEAVE", TARGETS),
    beyond("stack-at-edges", "PUSH and POP where the stack meets the ends of the space", LIMITS, 6),
    attack("stack-sixteen-bit", NARROW, "16-bit pushes and pops at the edges", LIMITS, Expected::Fault(&[SS, GP, PF]))
        .variants(4),
    beyond("fetch-by-jump", "a jump beyond", LIMITS, TARGETS),
    beyond("fetch-by-call", "a call beyond", LIMITS, TARGETS),
    beyond("fetch-by-return", "a return to beyond", LIMITS, TARGETS),
    beyond("fetch-by-far-jump", "a far jump beyond, by its own selector", LIMITS, TARGETS),
    beyond("fetch-by-iret", "an IRET beyond, by its own selector", LIMITS, TARGETS),
    beyond("fetch-off-the-end", "code that runs off the end of its space", LIMITS, 1),
    beyond("fetch-straddling", "an instruction that begins within and ends beyond", LIMITS, 1),
    beyond("fetch-short-jump", "a short jump over the end", LIMITS, 2),
    ends("fetch-sixteen-bit", NARROW, "jump, call and return with 16-bit targets", "APM 3, JMP", &[BP, UD, SS, GP, PF])
        .variants(3),
    harmless(
        "mov-ss-for-ever",
        NARROW,
        "to keep interrupts out by loading SS again and again",
        "APM 2, 8.5.4; SDM 3, 6.8.3",
    ),
];
