//! What the boot loader says, copied out before its memory is reused.

use bootloader_api::BootInfo;
use bootloader_api::info::{FrameBuffer, MemoryRegionKind, Optional};
use lilliput_abi::boot::Screen;
use x86_64::{PhysAddr, VirtAddr};

use crate::mm::physmap;

/// Memory regions that are kept; firmware with more than this many is cut off at the end.
const MAX_REGIONS: usize = 256;
/// The same of those that the firmware keeps for itself.
const MAX_FIRMWARE_REGIONS: usize = 64;

/// Who started the boot loader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Firmware {
    /// A PC BIOS.
    Bios,
    /// UEFI.
    Uefi,
}

impl Firmware {
    /// In the boot log.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bios => "BIOS",
            Self::Uefi => "UEFI",
        }
    }
}

/// A run of memory: physical addresses, the end excluded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Region {
    /// First byte.
    pub start: u64,
    /// One past the last byte.
    pub end: u64,
    /// Whether it is the kernel's to use; else the boot loader left something in it (the kernel's image, the
    /// archive, its page tables).
    pub usable: bool,
}

/// Regions in the order of the firmware's map.
struct Regions<const MOST: usize> {
    all: [Region; MOST],
    count: usize,
}

impl<const MOST: usize> Regions<MOST> {
    const NONE: Self = Self { all: [Region { start: 0, end: 0, usable: false }; MOST], count: 0 };

    const fn is_full(&self) -> bool {
        self.count == MOST
    }

    /// Adds a region, to the one before where it goes on: UEFI's map is in many small pieces.
    fn add(&mut self, region: Region) {
        if let Some(last) = self.all[..self.count].last_mut()
            && last.end == region.start
            && last.usable == region.usable
        {
            last.end = region.end;
        } else if self.count < MOST {
            self.all[self.count] = region;
            self.count += 1;
        }
    }

    fn all(&self) -> &[Region] {
        &self.all[..self.count]
    }
}

/// Whether what the firmware calls this may be a device's memory: reserved, or memory-mapped I/O (ACPI 6.5, tables 15.1 and 15.3; UEFI
/// 2.10, 7.2.3). The rest is memory with tables and code of the firmware's.
const fn may_be_a_device(kind: MemoryRegionKind) -> bool {
    const BIOS_RESERVED: u32 = 2;
    const UEFI_RESERVED: u32 = 0;
    const UEFI_MAPPED: u32 = 11;
    matches!(
        kind,
        MemoryRegionKind::UnknownBios(BIOS_RESERVED) | MemoryRegionKind::UnknownUefi(UEFI_RESERVED | UEFI_MAPPED)
    )
}

/// All that the kernel knows from the boot loader.
pub struct Handoff {
    regions: Regions<MAX_REGIONS>,
    firmware_regions: Regions<MAX_FIRMWARE_REGIONS>,
    /// Who started the boot loader.
    pub firmware: Firmware,
    /// Where the ACPI tables' root pointer is.
    pub rsdp: Option<PhysAddr>,
    /// The boot archive: where, and how many bytes.
    pub archive: Option<(PhysAddr, u64)>,
    /// What can be drawn on.
    pub screen: Screen,
}

impl Handoff {
    /// Copies what is needed. The boot loader's page table must still be in force.
    pub fn take(info: &BootInfo) -> Self {
        let mut handoff = Self {
            regions: Regions::NONE,
            firmware_regions: Regions::NONE,
            firmware: Firmware::Bios,
            rsdp: option(&info.rsdp_addr).map(PhysAddr::new),
            archive: None,
            screen: match &info.framebuffer {
                Optional::Some(buffer) => screen(buffer).unwrap_or_default(),
                Optional::None => Screen::default(),
            },
        };
        for region in info.memory_regions.iter() {
            let usable = match region.kind {
                MemoryRegionKind::Usable => true,
                MemoryRegionKind::Bootloader => false,
                kind => {
                    if let MemoryRegionKind::UnknownUefi(_) = kind {
                        handoff.firmware = Firmware::Uefi;
                    }
                    if !may_be_a_device(kind) {
                        handoff.firmware_regions.add(Region { start: region.start, end: region.end, usable: false });
                    }
                    continue;
                }
            };
            handoff.regions.add(Region { start: region.start, end: region.end, usable });
        }
        // The boot loader reads the archive into one run of frames and maps that: the first page tells where.
        handoff.archive = option(&info.ramdisk_addr)
            .and_then(|address| physmap::translate(VirtAddr::new(address)))
            .map(|start| (start, info.ramdisk_len));
        handoff
    }

    /// Memory that exists: usable, or holding what the boot loader left.
    pub fn regions(&self) -> &[Region] {
        self.regions.all()
    }

    /// Memory that the firmware keeps.
    pub fn firmware_regions(&self) -> &[Region] {
        self.firmware_regions.all()
    }

    /// Whether nothing of the firmware's map was cut off.
    pub const fn is_complete(&self) -> bool {
        !self.regions.is_full() && !self.firmware_regions.is_full()
    }

    /// Bytes of memory that exist.
    pub fn total(&self) -> u64 {
        self.regions().iter().map(|region| region.end - region.start).sum()
    }

    /// The boot archive's bytes; empty where there is none.
    pub fn archive(&self) -> &'static [u8] {
        match self.archive {
            // SAFETY: the archive lies in memory that the frame allocator never gets, it is mapped in the map of
            // physical memory at the same address before and after the change of page tables, and nobody writes it.
            Some((start, length)) => unsafe {
                core::slice::from_raw_parts(physmap::address(start).as_ptr(), length as usize)
            },
            None => &[],
        }
    }
}

/// The frame buffer, which lies in one piece where the boot loader mapped it. Its format is left out: grey is the same in all.
fn screen(buffer: &FrameBuffer) -> Option<Screen> {
    let info = buffer.info();
    let address = physmap::translate(VirtAddr::from_ptr(buffer.buffer().as_ptr()))?;
    let number = |size: usize| u32::try_from(size).ok();
    Some(Screen {
        address: address.as_u64(),
        width: number(info.width)?,
        height: number(info.height)?,
        line_bytes: number(info.stride * info.bytes_per_pixel)?,
        pixel_bytes: number(info.bytes_per_pixel)?,
    })
}

/// The boot loader's `Optional` as an `Option`.
fn option<T: Copy>(value: &Optional<T>) -> Option<T> {
    match value {
        Optional::Some(value) => Some(*value),
        Optional::None => None,
    }
}
