//! The processor's performance counters: which ones CPUID promises, what is written to have them count, and whether they do.
//!
//! Two kinds are known: the architectural ones of Intel's processors, from their second version on (Intel SDM vol. 3, "Architectural Performance
//! Monitoring"), and the six of a core of AMD's (AMD64 APM vol. 2, "Performance Monitoring Counters"). AMD's four older ones, which no bit of CPUID
//! promises, are left alone: a hypervisor that has none raises #GP there.

mod event;
#[cfg(test)]
mod tests;

use core::fmt;

use lilliput_abi::object::counter;

use self::event::Maker;

/// Counts user mode, the kernel, and counts at all: the same bits of Intel's and of AMD's event selects.
const EVERYWHERE: u64 = 1 << 16 | 1 << 17 | 1 << 22;

/// IA32_PERFEVTSEL0, IA32_PMC0; and the next counter's behind them (Intel SDM vol. 4, table 2-2).
const INTEL_SELECT: u32 = 0x186;
const INTEL_COUNTER: u32 = 0xc1;
/// IA32_FIXED_CTR0: retired instructions; the next: core cycles while not halted. IA32_FIXED_CTR_CTRL: 3 counts user mode and kernel.
const INTEL_FIXED: u32 = 0x309;
const INTEL_FIXED_CONTROL: u32 = 0x38d;
/// IA32_PERF_GLOBAL_CTRL: a bit for each counter, from bit 32 on for each fixed one.
const INTEL_GLOBAL: u32 = 0x38f;
/// What RDPMC knows fixed counters by.
const FIXED_INDEX: u32 = 1 << 30;

/// PERF_CTL0, PERF_CTR0; the next counter's are two further on (AMD64 APM vol. 2, "Core Performance Event-Select Registers").
const AMD_SELECT: u32 = 0xc001_0200;
const AMD_COUNTER: u32 = 0xc001_0201;
/// PerfCntrGlobalCtl, where there is PerfMonV2.
const AMD_GLOBAL: u32 = 0xc000_0301;
/// How many there are with PerfCtrExtCore.
const AMD_COUNTERS: u32 = 6;

/// Iterations of the loop that is counted to see whether instructions and cycles are, of two instructions each.
pub const ITERATIONS: u32 = 10_000;
/// Times that something is done that must miss a TLB or the caches.
pub const MISSES: u32 = 64;

/// Why there are no counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// CPUID shows none: those of Intel of no version, or of the first, which has no register to stop all.
    Version(u8),
    /// An AMD processor, or what passes for one, without PerfCtrExtCore.
    NotPromised,
    /// Neither maker's.
    Unknown,
    /// They are narrower than what is read of them.
    Narrow(u8),
    /// Instructions or cycles have none.
    Few,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(version) => write!(f, "CPUID shows performance monitoring of version {version}"),
            Self::NotPromised => f.write_str("CPUID does not show PerfCtrExtCore"),
            Self::Unknown => f.write_str("of this maker's processors it is not known"),
            Self::Narrow(bits) => write!(f, "they have {bits} bits"),
            Self::Few => f.write_str("too few for instructions and cycles"),
        }
    }
}

/// A counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counter {
    /// Its model-specific register.
    pub register: u32,
    /// What RDPMC knows it by.
    pub index: u32,
}

/// Which counters count what, and what has to be written for it.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// The counter of each number of [`counter`].
    pub counters: [Option<Counter>; counter::COUNT],
    writes: [(u32, u64); Self::MOST],
    length: usize,
}

impl Plan {
    /// A select for each of [`counter`], and what starts all.
    const MOST: usize = counter::COUNT + 2;

    const fn new() -> Self {
        Self { counters: [None; counter::COUNT], writes: [(0, 0); Self::MOST], length: 0 }
    }

    fn write(&mut self, register: u32, value: u64) {
        self.writes[self.length] = (register, value);
        self.length += 1;
    }

    /// Model-specific registers and what to write to them, in this order.
    pub fn writes(&self) -> &[(u32, u64)] {
        &self.writes[..self.length]
    }

    /// Leaves out those that did not advance as they should: see [`is_plausible`]. Walks of loads alone are no figure where stores have a counter of
    /// their own, nor are any of use without instructions and cycles.
    pub fn keep(&mut self, mut advanced: impl FnMut(usize, Counter) -> bool) {
        let had_stores = self.counters[counter::STORE_WALKS].is_some();
        for (number, place) in self.counters.iter_mut().enumerate() {
            *place = place.filter(|&counter| advanced(number, counter));
        }
        let both = self.counters[counter::DATA_WALKS].is_some() && self.counters[counter::STORE_WALKS].is_some();
        if had_stores && !both {
            self.counters[counter::DATA_WALKS] = None;
            self.counters[counter::STORE_WALKS] = None;
        }
        if self.lacks_first() {
            self.counters = [None; counter::COUNT];
        }
    }

    fn lacks_first(&self) -> bool {
        self.counters[counter::INSTRUCTIONS].is_none() || self.counters[counter::CYCLES].is_none()
    }

    /// Whether none is left.
    pub fn is_empty(&self) -> bool {
        self.counters.iter().all(Option::is_none)
    }
}

/// What to write on a processor whose CPUID answers so: `(leaf, subleaf) -> [EAX, EBX, ECX, EDX]`.
///
/// # Errors
/// Why there is nothing to be written.
pub fn plan(cpuid: impl Fn(u32, u32) -> [u32; 4]) -> Result<Plan, Reason> {
    let cpuid: &dyn Fn(u32, u32) -> [u32; 4] = &cpuid;
    let [last, b, c, d] = cpuid(0, 0);
    let plan = match Maker::of([b, d, c]) {
        Some(Maker::Intel) if last >= 0xa => intel(cpuid)?,
        Some(Maker::Intel) => return Err(Reason::Version(0)),
        Some(Maker::Amd) => amd(cpuid)?,
        None => return Err(Reason::Unknown),
    };
    if plan.lacks_first() { Err(Reason::Few) } else { Ok(plan) }
}

/// CPUID leaf 0xA (Intel SDM vol. 2): EAX has the version, how many general counters there are, of how many bits, and how many bits EBX has, of which one
/// says that an event is *not* there; EDX has the number of fixed counters and their bits.
fn intel(cpuid: &dyn Fn(u32, u32) -> [u32; 4]) -> Result<Plan, Reason> {
    let [a, absent, _, d] = cpuid(0xa, 0);
    let [version, general, bits, length] = a.to_le_bytes();
    let (fixed, fixed_bits) = (d & 0x1f, (d >> 5) as u8);
    if version < 2 {
        return Err(Reason::Version(version));
    }
    if general > 0 && bits < u32::BITS as u8 {
        return Err(Reason::Narrow(bits));
    }
    let mut plan = Plan::new();
    let mut enabled = 0;
    plan.write(INTEL_GLOBAL, 0);
    if fixed >= 2 && fixed_bits >= u32::BITS as u8 {
        for number in [counter::INSTRUCTIONS, counter::CYCLES] {
            let at = number as u32;
            plan.counters[number] = Some(Counter { register: INTEL_FIXED + at, index: FIXED_INDEX | at });
            enabled |= 1 << (32 + at);
        }
        plan.write(INTEL_FIXED_CONTROL, 0x33);
    }
    let mut next = 0;
    for (number, select) in event::intel(cpuid).into_iter().enumerate() {
        // The two that are architectural: bit 0 of EBX is about cycles, bit 1 about instructions.
        let bit = match number {
            counter::CYCLES => Some(0),
            counter::INSTRUCTIONS => Some(1),
            _ => None,
        };
        let is_there = bit.is_none_or(|bit| bit < length && absent >> bit & 1 == 0);
        let Some(select) = select.filter(|_| is_there && plan.counters[number].is_none() && next < u32::from(general))
        else {
            continue;
        };
        plan.counters[number] = Some(Counter { register: INTEL_COUNTER + next, index: next });
        plan.write(INTEL_SELECT + next, select.bits() | EVERYWHERE);
        enabled |= 1 << next;
        next += 1;
    }
    plan.write(INTEL_GLOBAL, enabled);
    Ok(plan)
}

/// CPUID Fn8000_0001 ECX bit 23 is PerfCtrExtCore: six counters of 48 bits; Fn8000_0022 EAX bit 0 is PerfMonV2, which has a register that starts all
/// (AMD64 APM vol. 3, appendix E).
fn amd(cpuid: &dyn Fn(u32, u32) -> [u32; 4]) -> Result<Plan, Reason> {
    let last = cpuid(0x8000_0000, 0)[0];
    if last < 0x8000_0001 || cpuid(0x8000_0001, 0)[2] >> 23 & 1 == 0 {
        return Err(Reason::NotPromised);
    }
    let second = (last >= 0x8000_0022).then(|| cpuid(0x8000_0022, 0)).filter(|[a, ..]| a & 1 != 0);
    // How many there are, where it is said.
    let there = second.map_or(AMD_COUNTERS, |[_, b, ..]| (b & 0xf).min(AMD_COUNTERS));
    let mut plan = Plan::new();
    let mut next = 0;
    for (number, select) in event::amd(cpuid).into_iter().enumerate() {
        let Some(select) = select.filter(|_| next < there) else { continue };
        plan.counters[number] = Some(Counter { register: AMD_COUNTER + 2 * next, index: next });
        plan.write(AMD_SELECT + 2 * next, select.bits() | EVERYWHERE);
        next += 1;
    }
    if second.is_some() {
        plan.write(AMD_GLOBAL, (1 << next) - 1);
    }
    Ok(plan)
}

/// Whether a counter may have advanced by so many: instructions and cycles while a loop of [`ITERATIONS`] iterations of two instructions each ran; others
/// while what they count was brought about [`MISSES`] times.
///
/// A walk may be begun speculatively and more than once, a line be fetched before it is asked for, and few be missed: so the bounds are wide.
pub fn is_plausible(number: usize, advanced: u32) -> bool {
    match number {
        counter::INSTRUCTIONS => (2 * ITERATIONS..2 * ITERATIONS + 1000).contains(&advanced),
        counter::CYCLES => (ITERATIONS / 4..=ITERATIONS * 20).contains(&advanced),
        _ => (MISSES / 2..=MISSES * 16).contains(&advanced),
    }
}
