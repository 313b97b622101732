//! The figures of a free run as a table for people, where nobody reads the records: on a real machine.

use alloc::string::String;
use core::arch::x86_64::__cpuid;

use lilliput_abi::object::fact;
use lilliput_runtime::bench::Spread;
use lilliput_runtime::bench::counted::Counted;

use super::rows::Overhead;
use crate::SYSTEM;
use crate::failure::{Failure, context};
use crate::output::say;

/// CPUID, leaf 1, ECX: there is a hypervisor (Intel SDM vol. 2, CPUID: always 0 on real processors).
const HYPERVISOR: u32 = 1 << 31;

/// Says what is measured on what.
pub fn head(limits_enforced: bool, overhead: &[Overhead; 2]) -> Result<(), Failure> {
    let kilohertz = context(SYSTEM.fact(fact::TSC_KHZ), "the clock's frequency")?;
    say!("cycles: one way, in counts of the TSC ({}.{:03} MHz)", kilohertz / 1000, kilohertz % 1000);
    say!("cycles: processor: {}", brand());
    if __cpuid(1).ecx & HYPERVISOR != 0 {
        say!("cycles: EMULATED: these are cycles of an emulator or a virtual machine, of no processor");
    }
    let enforced =
        if limits_enforced { "enforced" } else { "NOT enforced, small tasks in `segment` mode are not confined" };
    say!("cycles: segment limits: {enforced}");
    let [small, wide] = [&overhead[0], &overhead[1]].map(|overhead| overhead.time);
    say!("cycles: subtracted, the median of measuring nothing: {small} where a small task begins, {wide} else");
    say!("cycles: a string's line is its call and the answer together");
    say!(
        "cycles: performance counters: {}",
        match overhead[1].counted.is_empty() {
            true => "none; why, the log says",
            false => "medians of as many rounds, below a line; cycles there are the core's",
        }
    );
    say!(
        "{:<15} {:<14} {:>5} {:<13} {:>6} {:>6} {:>6} {:>6}",
        "operation",
        "from -> to",
        "words",
        "isolation",
        "min",
        "median",
        "p90",
        "p99"
    );
    Ok(())
}

/// One line: 78 characters, so that a screen's width takes two with their marks.
pub fn line(name: &str, [from, to]: [&str; 2], words: usize, isolation: &str, spread: Spread) {
    let Spread { least, median, p90, p99 } = spread;
    let name = name.replacen(" and answer", "", 1);
    let way = alloc::format!("{from} -> {to}");
    say!("{name:<15} {way:<14} {words:>5} {isolation:<13} {least:>6} {median:>6} {p90:>6} {p99:>6}");
}

/// What performance counters say of the way in the line above.
pub fn counted(counted: &Counted) {
    let shown = |count: Option<u32>| count.map_or_else(|| String::from("-"), |count| alloc::format!("{count}"));
    let [instructions, cycles, data, code, misses] = counted.shown().map(shown);
    say!(
        "    {instructions} instructions, {cycles} cycles, walks {data} data {code} code, {misses} second-cache misses"
    );
}

/// The processor's name, as it gives it.
fn brand() -> String {
    const FIRST: u32 = 0x8000_0002;
    if __cpuid(0x8000_0000).eax < FIRST + 2 {
        return String::from("it has no name");
    }
    let leaves = (FIRST..FIRST + 3).map(__cpuid);
    let bytes = leaves.flat_map(|leaf| [leaf.eax, leaf.ebx, leaf.ecx, leaf.edx]).flat_map(u32::to_le_bytes);
    let name: String = bytes.take_while(|&byte| byte != 0).map(char::from).filter(char::is_ascii).collect();
    String::from(name.trim())
}
