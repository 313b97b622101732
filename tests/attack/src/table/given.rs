//! What others were given: their messages, answers, objects and time.

use super::{Attack, BOTH, harmless};

pub(super) const ATTACKS: &[Attack] = &[
    harmless("nothing-of-others", BOTH, "messages, answers and objects of others, by capabilities to send", "none"),
    harmless(
        "nothing-by-messages",
        BOTH,
        "strings from and to memory of others and of the kernel, capabilities that nobody takes, and forged flags",
        "none",
    ),
    harmless(
        "written-registers",
        BOTH,
        "places, stacks and flags that the kernel returns to, as a debugger may write them",
        "APM 3, IRET; SDM 2, SYSRET",
    ),
    harmless("no-more-time", BOTH, "a higher priority than it was given", "none"),
];
