//! What the ACPI tables say of interrupt controllers and CPUs.

use core::ptr::NonNull;

use acpi::sdt::madt::{Madt, MadtEntry};
use acpi::sdt::{SdtHeader, Signature};
use acpi::{AcpiTables, Handler, PciAddress, PhysicalMapping};
use lilliput_core::interrupt::IsaLines;
use x86_64::PhysAddr;

use crate::cpu::io_apic;
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
    /// Where ISA's interrupt lines lead.
    pub isa: IsaLines,
    io_apics: [Option<io_apic::Place>; io_apic::MOST],
}

impl Platform {
    /// Reads the tables. Where there are none, it is a PC with one CPU.
    ///
    /// The boot loader's page table must still be in force: it maps all addresses that tables can be at.
    pub fn read(rsdp: Option<PhysAddr>) -> Self {
        let mut platform = Self {
            local_apic: PhysAddr::new(DEFAULT_LOCAL_APIC),
            cpus: 1,
            isa: IsaLines::new(),
            io_apics: [None; io_apic::MOST],
        };
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
                MadtEntry::IoApic(entry) => {
                    let place = (PhysAddr::new(u64::from(entry.io_apic_address)), entry.global_system_interrupt_base);
                    if let Some(free) = platform.io_apics.iter_mut().find(|place| place.is_none()) {
                        *free = Some(place);
                    }
                }
                MadtEntry::InterruptSourceOverride(entry) if entry.bus == ISA_BUS => {
                    platform.isa.override_with(entry.irq, entry.global_system_interrupt, entry.flags);
                }
                _ => (),
            }
        }
        platform.cpus = platform.cpus.max(1);
        platform
    }

    /// The machine's I/O APICs.
    pub fn io_apics(&self) -> impl Iterator<Item = io_apic::Place> {
        self.io_apics.into_iter().flatten()
    }
}

/// The number of the ISA bus.
const ISA_BUS: u8 = 0;

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
