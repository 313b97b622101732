//! What a process has told the system about itself, and may ask for again.

/// Each as it was set last.
#[derive(Clone, Copy, Debug)]
pub struct Traits {
    /// The signal that it gets when its parent ends; 0 for none. A child has none.
    pub death_signal: u32,
    /// Whether it becomes the parent of what its descendants leave behind. A child does not.
    pub adopts: bool,
    /// Whether it may be dumped. Nobody dumps it.
    pub is_dumpable: bool,
    /// Whether programs that it executes get no more privileges. There are none to get.
    pub gains_nothing: bool,
    /// Whether it keeps capabilities when its user changes.
    pub keeps_capabilities: bool,
    /// By how many nanoseconds its sleep may be longer. It is not.
    pub slack: u64,
    /// Its niceness: all have the same processor's time, whatever they say.
    pub niceness: i8,
    /// Its policy of scheduling, and the priority of one that has some.
    pub policy: (u32, u32),
    /// Class and priority at the disk.
    pub at_disk: u32,
    /// Capabilities: in effect, permitted, inherited.
    pub capabilities: [u64; 3],
}

/// All that there are.
const ALL: u64 = (1 << 41) - 1;
/// The usual slack.
pub const SLACK: u64 = 50_000;

impl Default for Traits {
    fn default() -> Self {
        Self {
            death_signal: 0,
            adopts: false,
            is_dumpable: true,
            gains_nothing: false,
            keeps_capabilities: false,
            slack: SLACK,
            niceness: 0,
            policy: (0, 0),
            at_disk: 0,
            capabilities: [ALL, ALL, 0],
        }
    }
}

impl Traits {
    /// Those of a child.
    pub const fn inherited(self) -> Self {
        Self { death_signal: 0, adopts: false, ..self }
    }

    /// Those after another program was executed.
    pub const fn executed(self) -> Self {
        Self { is_dumpable: true, keeps_capabilities: false, ..self }
    }
}
