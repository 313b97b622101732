//! I/O APICs: where the lines of devices become interrupts (82093AA data sheet).

use core::ptr::NonNull;

use lilliput_core::interrupt::{IsaLines, Line, Redirection};
use x86_64::{PhysAddr, VirtAddr};

use super::apic;
use crate::boot::acpi::Platform;
use crate::mm::frames::FrameSource;
use crate::mm::layout::PAGE;
use crate::mm::{kernel_map, physmap};

/// How many of them are used; bigger machines may have more.
pub const MOST: usize = 8;
/// Bytes of registers: one to select, one to read and write what is selected.
const SIZE: u64 = 0x20;
const WINDOW: usize = 0x10;

const VERSION: u32 = 1;
const TABLE: u32 = 0x10;

/// One of them.
struct IoApic {
    registers: NonNull<u8>,
    /// Its first input's number among all.
    first: u32,
    inputs: u32,
}

// SAFETY: the address is good on every CPU; the kernel's state, of which this is a part, is one CPU's at a time.
unsafe impl Send for IoApic {}

impl IoApic {
    fn read(&self, register: u32) -> u32 {
        self.select(register);
        // SAFETY: the registers are mapped uncached as long as the kernel runs, and reading the window has no effect.
        unsafe { self.registers.byte_add(WINDOW).cast::<u32>().read_volatile() }
    }

    fn write(&self, register: u32, value: u32) {
        self.select(register);
        // SAFETY: as above; the callers are in this file and write entries of the redirection table only.
        unsafe { self.registers.byte_add(WINDOW).cast::<u32>().write_volatile(value) };
    }

    fn select(&self, register: u32) {
        // SAFETY: as above; selecting has no other effect.
        unsafe { self.registers.cast::<u32>().write_volatile(register) };
    }

    /// Writes an entry, the half with the mask last if it opens the line, else first: it is never half an entry.
    fn set(&self, input: u32, [low, high]: [u32; 2]) {
        self.write(TABLE + 2 * input, Redirection::UNUSED[0]);
        self.write(TABLE + 2 * input + 1, high);
        self.write(TABLE + 2 * input, low);
    }
}

/// All I/O APICs that are used, and how the board's lines lead to them.
pub struct IoApics {
    all: [Option<IoApic>; MOST],
    isa: IsaLines,
}

/// Maps them and masks all their inputs.
#[unsafe(link_section = ".boot.text")]
pub fn init(platform: &Platform, frames: &mut impl FrameSource) -> IoApics {
    let mut io_apics = IoApics { all: [const { None }; MOST], isa: platform.isa };
    for (place, (address, first)) in io_apics.all.iter_mut().zip(platform.io_apics()) {
        if !physmap::is_mapped(address, SIZE) {
            kernel_map::map_device(address, SIZE, frames);
        }
        let registers = NonNull::new(physmap::address(address).as_mut_ptr());
        let registers = registers.expect("devices are mapped in the upper half");
        let mut io_apic = IoApic { registers, first, inputs: 0 };
        io_apic.inputs = (io_apic.read(VERSION) >> 16 & 0xff) + 1;
        for input in 0..io_apic.inputs {
            io_apic.set(input, Redirection::UNUSED);
        }
        *place = Some(io_apic);
    }
    io_apics
}

impl IoApics {
    /// The line of this number, if it leads to an input that there is.
    pub fn line(&self, number: u32) -> Option<Line> {
        let line = self.isa.resolve(number)?;
        self.input(line).map(|_| line)
    }

    /// Lets a line through to a vector on this CPU, or masks it.
    pub fn set(&self, line: Line, vector: u8, masked: bool) {
        if let (Some((io_apic, input)), Some(apic)) = (self.input(line), apic::short_id()) {
            io_apic.set(input, Redirection { vector, apic, line, masked }.halves());
        }
    }

    /// Masks a line that nobody uses any more.
    pub fn clear(&self, line: Line) {
        if let Some((io_apic, input)) = self.input(line) {
            io_apic.set(input, Redirection::UNUSED);
        }
    }

    /// How many inputs there are.
    pub fn inputs(&self) -> u32 {
        self.all.iter().flatten().map(|io_apic| io_apic.inputs).sum()
    }

    /// The physical addresses of the pages that hold their registers.
    pub fn pages(&self) -> impl Iterator<Item = u64> {
        let address = |io_apic: &IoApic| physmap::physical(VirtAddr::from_ptr(io_apic.registers.as_ptr()));
        self.all.iter().flatten().map(move |io_apic| address(io_apic).align_down(PAGE).as_u64())
    }

    fn input(&self, line: Line) -> Option<(&IoApic, u32)> {
        let within = |io_apic: &&IoApic| line.global >= io_apic.first && line.global - io_apic.first < io_apic.inputs;
        self.all.iter().flatten().find(within).map(|io_apic| (io_apic, line.global - io_apic.first))
    }
}

/// Where an I/O APIC is, and its first input's number.
pub type Place = (PhysAddr, u32);
