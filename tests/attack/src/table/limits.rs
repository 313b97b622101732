//! Data beyond the limit, by everything that accesses memory. Variants are targets.

use super::{Attack, BOTH, Expected, GP, NARROW, PF, SS, attack, beyond, ends, harmless};

const LIMITS: &str = "APM 2, 4.12 (segment limit checks); SDM 3, 5.3";
/// Targets: see `target` in the routines.
const TARGETS: u16 = 5;

pub(super) const ATTACKS: &[Attack] = &[
    beyond("read-by-ds", "to read beyond", LIMITS, TARGETS),
    beyond("read-by-es", "to read beyond, ES override", LIMITS, TARGETS),
    beyond("read-by-fs", "to read beyond, FS override", LIMITS, TARGETS),
    beyond("read-by-gs", "to read beyond, GS override", LIMITS, TARGETS),
    beyond("read-by-cs", "to read beyond, CS override", LIMITS, TARGETS),
    beyond("read-by-ss", "to read beyond, SS override", LIMITS, TARGETS),
    beyond("read-by-ebp", "to read beyond through EBP, which means SS", LIMITS, TARGETS),
    beyond("write-by-ds", "to write beyond", LIMITS, TARGETS),
    beyond("write-by-es", "to write beyond, ES override", LIMITS, TARGETS),
    beyond("write-by-fs", "to write beyond, FS override", LIMITS, TARGETS),
    beyond("write-by-gs", "to write beyond, GS override", LIMITS, TARGETS),
    beyond("write-by-cs", "to write beyond, CS override", LIMITS, TARGETS),
    beyond("write-by-ss", "to write beyond, SS override", LIMITS, TARGETS),
    beyond("add-to-memory", "a read and write beyond", LIMITS, TARGETS),
    beyond("exchange", "XCHG beyond, which locks", LIMITS, TARGETS),
    beyond("compare-and-exchange", "CMPXCHG8B beyond", LIMITS, TARGETS),
    beyond("exchange-and-add", "LOCK XADD beyond", LIMITS, TARGETS),
    beyond("set-bit", "BTS with a bit offset that leads beyond", "APM 3, BTS", 4),
    beyond("scaled-index", "base + 8 * index that leads beyond", "APM 1, 2.1.2 (effective addresses)", TARGETS),
    beyond("translate", "XLAT beyond", LIMITS, TARGETS),
    beyond("bounds", "BOUND with its bounds beyond", LIMITS, TARGETS),
    beyond("far-pointer-beyond", "a far pointer that lies beyond", LIMITS, TARGETS),
    beyond("verify-memory", "VERR of a selector that lies beyond", LIMITS, TARGETS),
    beyond("push-memory", "PUSH of a word that lies beyond", LIMITS, TARGETS),
    beyond("pop-memory", "POP to a word that lies beyond", LIMITS, TARGETS),
    beyond("vector-load", "MOVUPS from beyond", LIMITS, TARGETS),
    beyond("vector-store", "MOVUPS to beyond", LIMITS, TARGETS),
    beyond("masked-store", "MASKMOVDQU to beyond", LIMITS, TARGETS),
    beyond("streaming-store", "MOVNTI to beyond", LIMITS, TARGETS),
    beyond("vector-state", "FXSAVE to beyond", LIMITS, TARGETS),
    beyond("vector-restore", "FXRSTOR from beyond", LIMITS, TARGETS),
    beyond("x87-load", "FLD from beyond", LIMITS, TARGETS),
    beyond("x87-state", "FNSAVE to beyond", LIMITS, TARGETS),
    beyond("x87-environment", "FLDENV from beyond", LIMITS, TARGETS),
    beyond("control-word", "LDMXCSR from beyond", LIMITS, TARGETS),
    attack("flush-line", NARROW, "CLFLUSH of a line beyond", "APM 3, CLFLUSH", Expected::HarmlessOr(&[SS, GP, PF]))
        .variants(TARGETS),
    harmless("prefetch", NARROW, "PREFETCH of a line beyond, which never faults", "APM 3, PREFETCH").variants(TARGETS),
    harmless("effective-address", NARROW, "LEA of an address beyond, which accesses nothing", "APM 3, LEA")
        .variants(TARGETS),
    beyond("straddling-read", "a read that begins within and ends beyond", "APM 2, 4.12", 12),
    beyond("straddling-write", "a write that begins within and ends beyond", "APM 2, 4.12", 12),
    beyond("wrap-at-4-gib", "an access around the end of the 32-bit offsets", "APM 2, 4.12", 4),
    ends(
        "address-size-prefix",
        NARROW,
        "16-bit addresses, whose upper half must not count",
        "APM 3, 1.2.3",
        &[SS, GP, PF],
    )
    .variants(TARGETS),
    ends(
        "address-size-string",
        NARROW,
        "string instructions with 16-bit addresses and counts",
        "APM 3, 1.2.3",
        &[SS, GP, PF],
    )
    .variants(4),
    harmless("wrapped-index", NARROW, "base + index whose sum wraps back into its own space", "APM 1, 2.1.2"),
    harmless("within-the-limit", NARROW, "the last bytes of its own space, which are its own", "APM 2, 4.12"),
    harmless(
        "own-segment-at-edges",
        NARROW,
        "accesses to its own thread-local segment, upward and expand-down, across all edges and to others' memory",
        "APM 2, 4.8.2 (expand-down), 4.12; SDM 3, 5.3",
    )
    .variants(7),
    harmless("alignment-check", BOTH, "an alignment fault by AC", "APM 2, 8.2.18 (#AC)"),
];
