//! Measuring against a counter, where whoever runs this virtual machine may stop it at any time.

/// One measurement: what was counted, and by how much it may be wrong.
#[derive(Clone, Copy)]
pub struct Measurement {
    /// The result.
    pub value: u64,
    /// Ticks that went by while it was not known whether the interval had begun or ended.
    pub doubt: u64,
    /// Ticks of the whole interval.
    pub length: u64,
}

/// Doubt of a measurement that is taken at once: a part in so many.
const GOOD: u64 = 1000;
/// Measurements at most, of which the one with the least doubt counts.
const ROUNDS: usize = 16;

/// Measures until a result is beyond doubt, or takes the best one.
pub fn best(mut measure: impl FnMut() -> Option<Measurement>) -> Option<u64> {
    let mut best = measure()?;
    for _ in 1..ROUNDS {
        if best.doubt < best.length / GOOD {
            break;
        }
        let next = measure()?;
        if next.doubt < best.doubt {
            best = next;
        }
    }
    Some(best.value)
}
