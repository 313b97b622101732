//! What the ACPI tables say of interrupt controllers and CPUs.

use core::ptr::NonNull;

use acpi::sdt::madt::{Madt, MadtEntry};
use acpi::sdt::{SdtHeader, Signature};
use acpi::{AcpiTables, Handler, PciAddress, PhysicalMapping};
use x86_64::PhysAddr;

use crate::mm::physmap;

/// Where a local APIC is unless somebody says otherwise (Intel SDM volume 3, 12.4.1).
const DEFAULT_LOCAL_APIC: u64 = 0xfee0_0000;
/// No machine has more entries than this; a table that seems to is broken.
const MAX_ENTRIES: usize = 8192;

/// What the kernel takes from the tables.
#[derive(Clone, Copy, Debug)]
pub struct Platform {
    /// Where the local APIC's registers are.
    pub local_apic: PhysAddr,
    /// CPUs that can be used.
    pub cpus: u32,
}

impl Platform {
    /// Reads the tables. Where there are none, it is a PC with one CPU.
    ///
    /// The boot loader's page table must still be in force: it maps all addresses that tables can be at.
    pub fn read(rsdp: Option<PhysAddr>) -> Self {
        let mut platform = Self { local_apic: PhysAddr::new(DEFAULT_LOCAL_APIC), cpus: 1 };
        // SAFETY: the address is the firmware's own, by way of the boot loader.
        let tables = rsdp.and_then(|rsdp| unsafe { AcpiTables::from_rsdp(Memory, rsdp.as_u64() as usize) }.ok());
        let Some(madt) = tables.as_ref().and_then(|tables| tables.find_table::<Madt>()) else {
            return platform;
        };
        let madt = madt.get();
        if madt.header.signature != Signature::MADT {
            return platform;
        }
        platform.local_apic = PhysAddr::new(u64::from(madt.local_apic_address));
        platform.cpus = 0;
        for entry in madt.entries().take(MAX_ENTRIES) {
            match entry {
                MadtEntry::LocalApic(cpu) => platform.cpus += u32::from(is_enabled(cpu.flags)),
                MadtEntry::LocalX2Apic(cpu) => platform.cpus += u32::from(is_enabled(cpu.flags)),
                MadtEntry::LocalApicAddressOverride(entry) => {
                    platform.local_apic = PhysAddr::new_truncate(entry.local_apic_address);
                }
                _ => (),
            }
        }
        platform.cpus = platform.cpus.max(1);
        platform
    }
}

/// Whether a CPU's flags say that it is there (ACPI 6.5, 5.2.12.2).
const fn is_enabled(flags: u32) -> bool {
    flags & 1 != 0
}

/// Gives the `acpi` crate memory to read. Nothing else is asked of it while only tables are read.
#[derive(Clone, Copy)]
struct Memory;

/// Stands in for a table that is not in memory: it has no signature and no entries.
static NO_TABLE: [u64; size_of::<Madt>().div_ceil(8)] = [0; _];

impl Handler for Memory {
    unsafe fn map_physical_region<T>(&self, physical_address: usize, size: usize) -> PhysicalMapping<Self, T> {
        let start = PhysAddr::new_truncate(physical_address as u64);
        let (virtual_start, length) = if physmap::is_mapped(start, size as u64) {
            (physmap::address(start).as_mut_ptr::<T>(), size)
        } else {
            assert!(size_of::<T>() <= size_of_val(&NO_TABLE), "the kernel reads no bigger structure than a MADT's");
            (NO_TABLE.as_ptr().cast_mut().cast::<T>(), size_of::<SdtHeader>())
        };
        PhysicalMapping {
            physical_start: physical_address,
            virtual_start: NonNull::new(virtual_start).expect("physical memory is mapped in the upper half"),
            region_length: length,
            mapped_length: length,
            handler: *self,
        }
    }

    fn unmap_physical_region<T>(_: &PhysicalMapping<Self, T>) {}

    fn read_u8(&self, _: usize) -> u8 {
        not_for_tables()
    }
    fn read_u16(&self, _: usize) -> u16 {
        not_for_tables()
    }
    fn read_u32(&self, _: usize) -> u32 {
        not_for_tables()
    }
    fn read_u64(&self, _: usize) -> u64 {
        not_for_tables()
    }
    fn write_u8(&self, _: usize, _: u8) {
        not_for_tables()
    }
    fn write_u16(&self, _: usize, _: u16) {
        not_for_tables()
    }
    fn write_u32(&self, _: usize, _: u32) {
        not_for_tables()
    }
    fn write_u64(&self, _: usize, _: u64) {
        not_for_tables()
    }
    fn read_io_u8(&self, _: u16) -> u8 {
        not_for_tables()
    }
    fn read_io_u16(&self, _: u16) -> u16 {
        not_for_tables()
    }
    fn read_io_u32(&self, _: u16) -> u32 {
        not_for_tables()
    }
    fn write_io_u8(&self, _: u16, _: u8) {
        not_for_tables()
    }
    fn write_io_u16(&self, _: u16, _: u16) {
        not_for_tables()
    }
    fn write_io_u32(&self, _: u16, _: u32) {
        not_for_tables()
    }
    fn read_pci_u8(&self, _: PciAddress, _: u16) -> u8 {
        not_for_tables()
    }
    fn read_pci_u16(&self, _: PciAddress, _: u16) -> u16 {
        not_for_tables()
    }
    fn read_pci_u32(&self, _: PciAddress, _: u16) -> u32 {
        not_for_tables()
    }
    fn write_pci_u8(&self, _: PciAddress, _: u16, _: u8) {
        not_for_tables()
    }
    fn write_pci_u16(&self, _: PciAddress, _: u16, _: u16) {
        not_for_tables()
    }
    fn write_pci_u32(&self, _: PciAddress, _: u16, _: u32) {
        not_for_tables()
    }
    fn nanos_since_boot(&self) -> u64 {
        not_for_tables()
    }
    fn stall(&self, _: u64) {
        not_for_tables()
    }
    fn sleep(&self, _: u64) {
        not_for_tables()
    }
}

/// Only the interpreter of ACPI's byte code asks for ports, time and the like, and it is not built in.
fn not_for_tables() -> ! {
    unreachable!("reading ACPI tables takes no device access")
}
