//! What CPUID says of the time-stamp counter's frequency.

use raw_cpuid::CpuId;

/// No counter of a 64-bit CPU is slower or faster than this: words outside are not believed.
const PLAUSIBLE_KILOHERTZ: core::ops::RangeInclusive<u64> = 100_000..=20_000_000;

/// The frequency in kHz: from the hypervisor's timing leaf, else from the crystal's ratio (Intel SDM
/// volume 3, 20.7.3).
pub fn kilohertz() -> Option<u64> {
    let cpuid = CpuId::new();
    let hypervisor = cpuid.get_hypervisor_info().and_then(|info| info.tsc_frequency()).map(u64::from);
    let crystal = cpuid.get_tsc_info().and_then(|info| info.tsc_frequency()).map(|hertz| hertz / 1000);
    hypervisor.or(crystal).filter(|kilohertz| PLAUSIBLE_KILOHERTZ.contains(kilohertz))
}
