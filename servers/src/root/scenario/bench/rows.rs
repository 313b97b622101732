//! From figures to rows: what was between the stamps besides the kernel is taken off.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use lilliput_abi::Isolation;
use lilliput_abi::object::kind;
use lilliput_runtime::bench::clock::Clock;
use lilliput_runtime::bench::counted::Counted;
use lilliput_runtime::bench::{Figure, Spread, operation, requests};
use lilliput_runtime::machine::{MEASURING_INSTRUCTIONS, STUB_INSTRUCTIONS};

use super::budgets;
use super::cases::Case;
use super::table;
use crate::failure::Failure;
use crate::output::say;

/// What the figures were measured on.
pub struct Platform {
    /// Whether the time-stamp counter counts instructions.
    pub instructions: bool,
    /// Fact `COUNTS_SWITCHES`: the kernel counts what it loads and not less, and is slower for it.
    pub counts: bool,
    /// Whether to print a table for people as well.
    pub table: bool,
    /// Fact `COMPAT_ENTRY`.
    pub compat_entry: u64,
    /// Fact `LIMITS_ENFORCED`.
    pub limits_enforced: bool,
}

/// What measuring itself takes, in a task of one kind.
pub struct Overhead {
    /// Ticks.
    pub time: u32,
    /// What performance counters say.
    pub counted: Counted,
}

/// One way of an operation.
struct Way<'a> {
    name: &'a str,
    from: u64,
    to: u64,
    words: usize,
    /// Between the stamps.
    time: Spread,
    /// Instructions of that which are the user's, and those that are there for measuring only.
    user: u32,
    measuring: u32,
    /// Ticks that the measuring takes in the task that it starts from.
    overhead: u32,
    cr3_writes: u32,
    segment_loads: u32,
    counted: Counted,
}

/// The records of a case in one mode, a line each. Prints the table's lines, if there is a table, and what is held against budgets.
pub fn records(
    case: &Case,
    mode: Isolation,
    figures: &[Figure],
    platform: &Platform,
    overhead: &[Overhead; 2],
) -> Result<Vec<String>, Failure> {
    if case.is_whole() {
        return Ok(whole_records(case, mode, figures, platform, overhead));
    }
    if case.is_foreign() && platform.counts {
        return Ok(Vec::new());
    }
    let mut records = Vec::new();
    for time in figures.iter().filter(|figure| figure.clock == Clock::Time) {
        // A foreign thread reads no other clock.
        let count = |clock| {
            let of_clock = |figure: &&Figure| figure.words == time.words && figure.clock == clock;
            if case.is_foreign() { Some(time) } else { figures.iter().find(of_clock) }
        };
        let (Some(cr3), Some(segments)) = (count(Clock::Cr3Writes), count(Clock::SegmentLoads)) else {
            return Err(Failure::new(format!("{}: a figure is missing", case.title())));
        };
        let (there, back) = case.names();
        let overhead_of = |kind| &overhead[usize::from(kind != kind::SMALL)];
        let counted = |side, from, user, measuring| {
            let known = [user + measuring, MEASURING_INSTRUCTIONS + stub_instructions(from, 0)];
            Counted::of(figures, time.words, side, &overhead_of(from).counted, known)
        };
        let (enter, leave) = (entering(case.from, platform), leaving(case.to));
        let fault = case.operation == operation::FAULT;
        let mut way = Way {
            name: there,
            from: case.from,
            to: case.to,
            words: time.words,
            time: time.there,
            // A fault is raised by the access itself, without a stub. Emulators do not count an instruction
            // that faults: the kernel's part begins with the first instruction of the exception's handler.
            user: match (fault, case.is_foreign()) {
                (true, _) => leave,
                // It loads a number, and enters by itself.
                (_, true) => 1 + leave,
                _ => enter + leave,
            },
            measuring: MEASURING_INSTRUCTIONS,
            overhead: overhead_of(case.from).time,
            cr3_writes: cr3.there.median,
            segment_loads: segments.there.median,
            counted: Counted::default(),
        };
        way.counted = counted(|figure| figure.there, case.from, way.user, way.measuring);
        records.push(way.record(case, mode, platform));
        if let Some(back) = back {
            let (enter, leave) = (entering(case.to, platform), leaving(case.from));
            way = Way {
                name: back,
                from: case.to,
                to: case.from,
                time: time.back,
                // The access that raised the fault is made again, and then the time is read at once.
                user: match (fault, case.is_foreign()) {
                    (true, _) => enter + 1,
                    (_, true) => enter,
                    _ => enter + leave,
                },
                measuring: if fault || case.is_foreign() { MEASURING_INSTRUCTIONS - 2 } else { MEASURING_INSTRUCTIONS },
                overhead: overhead_of(case.to).time,
                cr3_writes: cr3.back.median,
                segment_loads: segments.back.median,
                ..way
            };
            way.counted = counted(|figure| figure.back, case.to, way.user, way.measuring);
            records.push(way.record(case, mode, platform));
        }
    }
    Ok(records)
}

/// Those of what is measured as a whole, user's instructions included: of a string, and of requests, those of both sides, and the answers.
fn whole_records(
    case: &Case,
    mode: Isolation,
    figures: &[Figure],
    platform: &Platform,
    overhead: &[Overhead; 2],
) -> Vec<String> {
    let [measuring, of_kind] = [MEASURING_INSTRUCTIONS, stub_instructions(case.from, 0)];
    let overhead = &overhead[usize::from(case.from != kind::SMALL)];
    let record = |figure: &Figure| {
        let size = match (case.is_requests(), 1_u64 << figure.words) {
            (true, _) => requests::COSTS.get(figure.words).map_or_else(String::new, |cost| format!("{cost} each")),
            (false, bytes @ 0..0x400) => format!("{bytes} B"),
            (false, bytes @ 0x400..0x10_0000) => format!("{} KiB", bytes >> 10),
            (false, bytes) => format!("{} MiB", bytes >> 20),
        };
        let name = format!("{}, {size}", case.names().0);
        let words = if case.is_requests() { 2 } else { 4 };
        let (from, to) = (kind::name(case.from), kind::name(case.to));
        // Of requests it is taken off already.
        let less = |overhead: u32| figure.there.less(if case.is_requests() { 0 } else { overhead });
        let cost = if platform.instructions {
            format!("\"instructions\":{}", less(measuring).median)
        } else {
            let counted = match case.is_requests() {
                true => Counted::told(figures, figure.words),
                false => {
                    let known = [measuring, measuring + of_kind];
                    Counted::of(figures, figure.words, |figure| figure.there, &overhead.counted, known)
                }
            };
            ticks(less(overhead.time), platform, &name, [from, to], words, case, mode) + &counts(&counted, platform)
        };
        let isolation = if case.has_small() { format!("\"{}\"", mode.name()) } else { String::from("null") };
        format!(
            "@row {{\"name\":\"{name}\",\"from\":\"{from}\",\"to\":\"{to}\",\"words\":{words},\"isolation\":{isolation},{cost},\
             \"limits_enforced\":{}}}",
            platform.limits_enforced
        )
    };
    let times = figures.iter().filter(|figure| figure.clock == Clock::Time && !platform.counts);
    times.map(record).collect()
}

/// A row's part about time; prints the table's line, where there is one.
fn ticks(
    spread: Spread,
    platform: &Platform,
    name: &str,
    way: [&str; 2],
    words: usize,
    case: &Case,
    mode: Isolation,
) -> String {
    if platform.table {
        table::line(name, way, words, if case.has_small() { mode.name() } else { "-" }, spread);
    }
    let Spread { least, median, p90, p99 } = spread;
    format!("\"ticks\":{median},\"ticks_min\":{least},\"ticks_p90\":{p90},\"ticks_p99\":{p99}")
}

/// A row's part about performance counters: what there is of it; prints the line below the table's.
fn counts(counted: &Counted, platform: &Platform) -> String {
    if platform.table && !counted.is_empty() {
        table::counted(counted);
    }
    let there = Counted::KEYS.iter().zip(counted.shown());
    there.filter_map(|(key, count)| Some(format!(",\"{key}\":{}", count?))).collect()
}

impl Way<'_> {
    /// Whether both tasks of a case use the same root: small ones of one arena in `segment` mode, and a host with those of its arena.
    fn keeps_root(case: &Case, mode: Isolation) -> bool {
        match (case.from, case.to) {
            (kind::SMALL, kind::SMALL) => mode == Isolation::Segment,
            (kind::SMALL, kind::HOST) => true,
            _ => false,
        }
    }

    fn record(&self, case: &Case, mode: Isolation, platform: &Platform) -> String {
        let (from, to) = (kind::name(self.from), kind::name(self.to));
        let (isolation, suffix) = if case.has_small() {
            (format!("\"{}\"", mode.name()), format!(", {}", mode.name()))
        } else {
            (String::from("null"), String::new())
        };
        let cost = if platform.counts {
            if Self::keeps_root(case, mode) {
                let what = format!("CR3 writes of {} {from} -> {to}, {} words{suffix}", self.name, self.words);
                say!("@budget {what} {} 0", self.cr3_writes);
            }
            format!("\"cr3_writes\":{},\"segment_loads\":{}", self.cr3_writes, self.segment_loads)
        } else if platform.instructions {
            let kernel = self.time.median.saturating_sub(self.user + self.measuring);
            let limit = budgets::limit(self.name, case.from, case.to, self.words);
            if let Some(limit) = limit.filter(|_| mode == Isolation::Segment || !case.has_small()) {
                say!("@budget {} {from} -> {to}, {} words{suffix} {kernel} {limit}", self.name, self.words);
            }
            format!("\"instructions\":{kernel},\"user_instructions\":{}", self.user)
        } else {
            let time = self.time.less(self.overhead);
            let ticks = ticks(time, platform, self.name, [from, to], self.words, case, mode);
            ticks + &counts(&self.counted, platform)
        };
        format!(
            "@row {{\"name\":\"{}\",\"from\":\"{from}\",\"to\":\"{to}\",\"words\":{},\"isolation\":{isolation},{cost},\
             \"limits_enforced\":{}}}",
            self.name, self.words, platform.limits_enforced
        )
    }
}

/// Instructions of a stub around the kernel's part, from loading the selector on.
pub fn stub_instructions(kind: u64, compat_entry: u64) -> u32 {
    let platform = Platform { instructions: false, counts: false, table: false, compat_entry, limits_enforced: false };
    entering(kind, &platform) + leaving(kind)
}

/// The user's instructions before the one that enters the kernel: selector and tag are loaded; a
/// 32-bit task calls the entry page, which saves the stack pointer for SYSENTER.
fn entering(kind: u64, platform: &Platform) -> u32 {
    const SYSENTER: u64 = 2;
    match (kind, platform.compat_entry) {
        (kind::SMALL, SYSENTER) => STUB_INSTRUCTIONS + 2,
        (kind::SMALL, _) => STUB_INSTRUCTIONS + 1,
        _ => STUB_INSTRUCTIONS,
    }
}

/// The user's instructions after the one that left the kernel: a 32-bit task returns from the entry page.
fn leaving(kind: u64) -> u32 {
    u32::from(kind == kind::SMALL)
}
