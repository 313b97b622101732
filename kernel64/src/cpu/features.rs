//! What this CPU has of what the kernel needs and of what it can use.

use core::fmt;

use lilliput_compat32::entry_page::CompatEntry;
use raw_cpuid::{CpuId, CpuIdReaderNative, Hypervisor};
use spin::Once;
use x86_64::registers::model_specific::Msr;

/// What the kernel uses where it is.
#[derive(Clone, Copy, Debug)]
pub struct Features {
    /// Page-table roots tagged by PCIDs.
    pub pcid: bool,
    /// INVPCID.
    pub invpcid: bool,
    /// The kernel can't run user pages.
    pub smep: bool,
    /// The kernel can't touch user pages.
    pub smap: bool,
    /// Users can't read the addresses of descriptor tables.
    pub umip: bool,
    /// Bits of a physical address.
    pub physical_bits: u8,
    /// 1-GiB pages.
    pub gigabyte_pages: bool,
    /// SYSENTER.
    pub sysenter: bool,
    /// How 32-bit code enters the kernel.
    pub compat_entry: CompatEntry,
    /// Machine-check exceptions.
    pub machine_check: bool,
    /// Whether user code may read kernel memory, and vector registers of others, in transient execution: see [`may_leak`].
    pub may_leak: bool,
}

static FEATURES: Once<Features> = Once::new();

/// What this CPU has. [`detect`] must have succeeded.
pub fn get() -> &'static Features {
    FEATURES.get().expect("the CPU's features are detected first")
}

/// What the kernel can't do without; most of it every 64-bit CPU has, but an emulator may hide it.
const NEEDED: [&str; 7] = ["SYSCALL", "NX", "FXSR", "SSE2", "APIC", "PGE", "TSC"];

/// Which of [`NEEDED`] there are.
#[derive(Clone, Copy, Debug)]
pub struct Lacking([bool; NEEDED.len()]);

impl fmt::Display for Lacking {
    /// Names what there is not.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_names(f, NEEDED.into_iter().zip(self.0), false)
    }
}

/// Finds out what this CPU has, or names what it lacks.
pub fn detect() -> Result<&'static Features, Lacking> {
    let cpuid = CpuId::new();
    let basic = cpuid.get_feature_info();
    let basic = basic.as_ref();
    let more = cpuid.get_extended_feature_info();
    let more = more.as_ref();
    let long = cpuid.get_extended_processor_and_feature_identifiers();
    let long = long.as_ref();
    let needed = [
        long.is_some_and(|info| info.has_syscall_sysret()),
        long.is_some_and(|info| info.has_execute_disable()),
        basic.is_some_and(|info| info.has_fxsave_fxstor()),
        basic.is_some_and(|info| info.has_sse2()),
        basic.is_some_and(|info| info.has_apic()),
        basic.is_some_and(|info| info.has_pge()),
        basic.is_some_and(|info| info.has_tsc()),
    ];
    if needed.contains(&false) {
        return Err(Lacking(needed));
    }
    let sysenter = basic.is_some_and(|info| info.has_sysenter_sysexit());
    Ok(FEATURES.call_once(|| Features {
        pcid: basic.is_some_and(|info| info.has_pcid()),
        invpcid: more.is_some_and(|info| info.has_invpcid()),
        smep: more.is_some_and(|info| info.has_smep()),
        smap: more.is_some_and(|info| info.has_smap()),
        umip: more.is_some_and(|info| info.has_umip()),
        // Where CPUID does not say, it is as in the first 64-bit CPUs.
        physical_bits: cpuid
            .get_processor_capacity_feature_info()
            .map_or(36, |info| info.physical_address_bits().min(52)),
        gigabyte_pages: long.is_some_and(|info| info.has_1gib_pages()),
        sysenter,
        compat_entry: compat_entry(&cpuid, sysenter),
        machine_check: basic.is_some_and(|info| info.has_mce()),
        may_leak: may_leak(&cpuid),
    }))
}

/// AMD, and Hygon after its designs, have SYSCALL in compatibility mode and no SYSENTER there (AMD64 APM volume 3,
/// SYSENTER); Intel has it the other way round (Intel SDM volume 2, SYSCALL). What others have is not known.
fn compat_entry(cpuid: &CpuId<CpuIdReaderNative>, sysenter: bool) -> CompatEntry {
    match cpuid.get_vendor_info().as_ref().map(|vendor| vendor.as_str()) {
        Some("AuthenticAMD" | "HygonGenuine") => CompatEntry::Syscall,
        Some("GenuineIntel") if sysenter => CompatEntry::Sysenter,
        _ => CompatEntry::Interrupt,
    }
}

/// Intel's CPUs are taken for open to "rogue data cache load" (Meltdown) and to the lazy switching of vector state (LazyFP) unless they
/// say RDCL_NO: CPUID leaf 7, EDX bit 29, and bit 0 of IA32_ARCH_CAPABILITIES (Intel SDM volume 4, table 2-2). AMD
/// states that its CPUs are open to neither.
fn may_leak(cpuid: &CpuId<CpuIdReaderNative>) -> bool {
    const ARCH_CAPABILITIES: Msr = Msr::new(0x10a);
    const ARCH_CAPABILITIES_PRESENT: u32 = 1 << 29;
    const RDCL_NO: u64 = 1;
    let vendor = cpuid.get_vendor_info();
    if vendor.as_ref().map(|vendor| vendor.as_str()) != Some("GenuineIntel") {
        return false;
    }
    let says = core::arch::x86_64::__cpuid_count(7, 0).edx & ARCH_CAPABILITIES_PRESENT != 0;
    // SAFETY: CPUID says that the register exists.
    !(says && unsafe { ARCH_CAPABILITIES.read() } & RDCL_NO != 0)
}

/// In the boot log.
const fn entry_name(entry: CompatEntry) -> &'static str {
    match entry {
        CompatEntry::Interrupt => "int",
        CompatEntry::Syscall => "syscall",
        CompatEntry::Sysenter => "sysenter",
    }
}

impl fmt::Display for Features {
    /// What is used, and what could have been.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let optional = [
            ("PCID", self.pcid),
            ("INVPCID", self.invpcid),
            ("SMEP", self.smep),
            ("SMAP", self.smap),
            ("UMIP", self.umip),
            ("1-GiB pages", self.gigabyte_pages),
        ];
        f.write_str("NX")?;
        if optional.iter().any(|&(_, present)| present) {
            f.write_str(", ")?;
            write_names(f, optional, true)?;
        }
        if optional.iter().any(|&(_, present)| !present) {
            f.write_str("; without ")?;
            write_names(f, optional, false)?;
        }
        write!(f, "; 32-bit entry by {}", entry_name(self.compat_entry))
    }
}

/// The names of the features that are there, or of those that are not.
fn write_names(
    f: &mut fmt::Formatter<'_>,
    features: impl IntoIterator<Item = (&'static str, bool)>,
    present: bool,
) -> fmt::Result {
    let mut separator = "";
    for (name, _) in features.into_iter().filter(|feature| feature.1 == present) {
        write!(f, "{separator}{name}")?;
        separator = ", ";
    }
    Ok(())
}

/// The CPU's name, for the boot log.
pub fn brand(print: impl FnOnce(&str)) {
    let cpuid = CpuId::new();
    match (cpuid.get_processor_brand_string(), cpuid.get_vendor_info()) {
        (Some(brand), _) => print(brand.as_str().trim()),
        (None, Some(vendor)) => print(vendor.as_str()),
        (None, None) => print("of unknown make"),
    }
}

/// What runs this machine, if it says that it is a virtual one.
pub fn hypervisor() -> Option<&'static str> {
    Some(match CpuId::new().get_hypervisor_info()?.identify() {
        Hypervisor::QEMU => "QEMU TCG",
        Hypervisor::KVM => "KVM",
        Hypervisor::Xen => "Xen",
        Hypervisor::VMware => "VMware",
        Hypervisor::HyperV => "Hyper-V",
        Hypervisor::Bhyve => "bhyve",
        _ => "an unknown hypervisor",
    })
}
