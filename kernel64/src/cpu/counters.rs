//! Performance counters, where the boot configuration asks for them: set once, tried, and from then on read by whoever likes, without the kernel.
//!
//! What is written where is decided in [`lilliput_core::counters`]. No register is touched that CPUID does not promise; a hypervisor that promises one and
//! refuses it ends the boot by an exception.

use core::arch::asm;
use core::arch::x86_64::__cpuid_count;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use lilliput_abi::object::counter;
use lilliput_core::counters::{self, Counter, ITERATIONS, MISSES, Plan};
use x86_64::VirtAddr;
use x86_64::instructions::tlb;
use x86_64::registers::control::{Cr4, Cr4Flags};
use x86_64::registers::model_specific::Msr;

use crate::facts::NO_COUNTERS;
use crate::log;

/// What counters are tried on.
static TRIED: AtomicU64 = AtomicU64::new(0);

/// Has the counters count and lets users read them by RDPMC; gives what RDPMC knows each number of [`counter`] by. Says in the log which ones there
/// are, or why there are none.
pub fn start() -> [u32; counter::COUNT] {
    let plan = counters::plan(|leaf, subleaf| {
        let leaf = __cpuid_count(leaf, subleaf);
        [leaf.eax, leaf.ebx, leaf.ecx, leaf.edx]
    });
    let mut plan = match plan {
        Ok(plan) => plan,
        Err(reason) => {
            log!("performance counters: none: {reason}");
            return NO_COUNTERS;
        }
    };
    write(&plan, true);
    let mut advanced = [0; counter::COUNT];
    plan.keep(|number, counter| {
        let before = read(counter);
        bring_about(number);
        advanced[number] = read(counter).wrapping_sub(before);
        counters::is_plausible(number, advanced[number])
    });
    if plan.is_empty() {
        write(&plan, false);
        let [instructions, cycles, ..] = advanced;
        log!(
            "performance counters: none: a loop of {} instructions took {instructions} and {cycles} cycles by them",
            2 * ITERATIONS
        );
        return NO_COUNTERS;
    }
    // SAFETY: RDPMC writes registers of who executes it, and nothing else.
    unsafe { Cr4::update(|flags| flags.insert(Cr4Flags::PERFORMANCE_MONITOR_COUNTER)) };
    let there = counter::NAMES.iter().zip(plan.counters).filter(|(_, place)| place.is_some());
    there.for_each(|(name, _)| log!("performance counters: {name}, which everybody can read"));
    plan.counters.map(|place| place.map_or(u32::MAX, |counter| counter.index))
}

/// Writes what the plan says, or zeros in its place, which stops all.
fn write(plan: &Plan, start: bool) {
    for &(register, value) in plan.writes() {
        // SAFETY: CPUID promises the register, which says what is counted and that no interrupt comes of it.
        unsafe { Msr::new(register).write(if start { value } else { 0 }) };
    }
}

/// The low half of a counter, when all that stands before is done.
fn read(counter: Counter) -> u32 {
    fence();
    // SAFETY: CPUID promises the register; reading it changes nothing.
    unsafe { Msr::new(counter.register).read() as u32 }
}

/// Brings about what a counter counts, as often as [`counters::is_plausible`] takes for granted.
fn bring_about(number: usize) {
    if matches!(number, counter::INSTRUCTIONS | counter::CYCLES) {
        // SAFETY: counts a register down.
        unsafe { asm!("2: dec {0:e}", "jnz 2b", inout(reg) ITERATIONS => _, options(nomem, nostack)) };
        return;
    }
    let line = VirtAddr::from_ptr(&raw const TRIED);
    for _ in 0..MISSES {
        match number {
            counter::DATA_WALKS | counter::STORE_WALKS => tlb::flush(line),
            counter::CODE_WALKS => tlb::flush(VirtAddr::new(elsewhere as fn() as usize as u64)),
            // SAFETY: writes a line back to memory, and the caches have it no longer.
            _ => unsafe { asm!("clflush [{}]", in(reg) line.as_u64(), options(nostack, preserves_flags)) },
        }
        fence();
        match number {
            counter::STORE_WALKS => TRIED.store(1, Relaxed),
            counter::CODE_WALKS => elsewhere(),
            _ => _ = TRIED.load(Relaxed),
        }
    }
}

/// Code to go to.
#[inline(never)]
fn elsewhere() {
    fence();
}

/// Waits until all that stands before is done.
fn fence() {
    // SAFETY: two instructions that wait.
    unsafe { asm!("mfence", "lfence", options(nostack, preserves_flags)) };
}
