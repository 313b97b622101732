//! What others were given: their messages, answers, objects and time.

use super::{Attack, BOTH, harmless};

pub(super) const ATTACKS: &[Attack] = &[
    harmless("nothing-of-others", BOTH, "messages, answers and objects of others, by capabilities to send", "none"),
    harmless("no-more-time", BOTH, "a higher priority than it was given", "none"),
];
