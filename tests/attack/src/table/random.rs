//! Code that nobody wrote. Variants are seeds.

use super::{Attack, BOTH, Expected, attack};

pub(super) const ATTACKS: &[Attack] = &[
    attack("random-code", BOTH, "random bytes as code, with random registers", "none", Expected::Any).variants(16),
    attack(
        "random-system-code",
        BOTH,
        "code of instructions about segments, stacks, flags and the system",
        "none",
        Expected::Any,
    )
    .variants(32),
];
