//! Devices of user-level drivers: their interrupts and memory.

use lilliput_abi::{Error, Rights};
use lilliput_core::cpu::Decision;
use lilliput_core::frames::{Frame, FrameAllocator};
use lilliput_core::interrupt::{self, Action, Interrupt, VECTORS};
use lilliput_core::ipc::notify;
use lilliput_core::slab::{Index, Object, Slab};
use lilliput_core::thread::State;
use x86_64::PhysAddr;

use crate::boot::acpi::Platform;
use crate::boot::handoff::{Handoff, Region};
use crate::cpu::apic;
use crate::cpu::features;
use crate::cpu::io_apic::IoApics;
use crate::cpu::percpu::PerCpu;
use crate::mm::tables::Tables;
use crate::state::Kernel;

/// Everything about devices that the kernel keeps.
pub struct Devices {
    /// Interrupts; the number of one says its vector.
    pub interrupts: Slab<Interrupt>,
    /// Where lines become interrupts.
    pub io_apics: IoApics,
    /// Where the local APIC's registers are.
    local_apic: PhysAddr,
    /// What is memory, and so no device's.
    memory: &'static [Region],
    /// Whether the firmware's map of memory is known to its end.
    map_is_complete: bool,
}

impl Devices {
    /// No device is handed out.
    #[unsafe(link_section = ".boot.text")]
    pub fn new(
        handoff: &Handoff,
        platform: &Platform,
        io_apics: IoApics,
        tables: &mut Tables,
        frames: &mut FrameAllocator,
    ) -> Self {
        let (own, firmware) = (handoff.regions(), handoff.firmware_regions());
        let mut regions = own.iter().chain(firmware).copied();
        Self {
            interrupts: Slab::new(tables.reserve(usize::from(VECTORS) + 1, Interrupt::default, frames)),
            io_apics,
            local_apic: platform.local_apic,
            memory: tables.reserve(own.len() + firmware.len(), || regions.next().unwrap_or_default(), frames),
            map_is_complete: handoff.is_complete(),
        }
    }

    /// Whether pages can be a driver's: they are no memory and none of the kernel's devices, and the CPU can form their addresses.
    pub fn are_a_device(&self, first: Frame, pages: u64) -> bool {
        let Some(end) = first.offset(pages) else { return false };
        let (start, end) = (first.start().as_u64(), end.start().as_u64());
        let apart = |other_start: u64, other_end: u64| end <= other_start || other_end <= start;
        let page = self.local_apic.align_down(Frame::SIZE).as_u64();
        self.map_is_complete
            && end <= 1 << features::get().physical_bits
            && self.memory.iter().all(|region| apart(region.start, region.end))
            && apart(apic::MESSAGES.start, apic::MESSAGES.end)
            && apart(page, page + Frame::SIZE)
            && self.io_apics.pages().all(|page| apart(page, page + Frame::SIZE))
    }
}

/// Whether a device could make somebody ready: an interrupt is open, and somebody waits for what it signals, or is bound to that and receives.
pub fn can_wake(kernel: &Kernel, this: &PerCpu) -> bool {
    let interrupts = &kernel.devices.interrupts;
    interrupts.iter().map(|index| &interrupts[index]).filter(|interrupt| interrupt.is_open()).any(|interrupt| {
        let (to, notifications) = (interrupt.notification, &kernel.machine.notifications);
        let target = notifications.admit(to.number(), to.key, Rights::SEND);
        target.map(|target| &notifications[target]).is_some_and(|target| {
            let receives = kernel.machine.state(&this.cpu, target.bound) == State::Receiving;
            !target.waiters.head.is_none() || receives
        })
    })
}

/// The interrupt of a line, or one raised by messages.
///
/// # Errors
/// `BadArgument` for a line that there is not, `Occupied` for one that is handed out, `NoMemory` without a vector left, `Unsupported`
/// on a CPU whose number is too large for devices.
pub fn new_interrupt(kernel: &mut Kernel, factory: u32, number: Option<u32>) -> Result<Index<Interrupt>, Error> {
    let Devices { interrupts, io_apics, .. } = &mut kernel.devices;
    apic::short_id().ok_or(Error::Unsupported)?;
    let line = number.map(|number| io_apics.line(number).ok_or(Error::BadArgument)).transpose()?;
    let global = |index| interrupts[index].line.map(|line| line.global);
    if line.is_some() && interrupts.iter().any(|index| global(index) == line.map(|line| line.global)) {
        return Err(Error::Occupied);
    }
    interrupts.insert(factory, Interrupt::new(line)).ok_or(Error::NoMemory)
}

/// Ends an interrupt: its line is masked, its vector free.
pub fn remove_interrupt(kernel: &mut Kernel, index: Index<Interrupt>) {
    if let Some(line) = kernel.devices.interrupts[index].line {
        kernel.devices.io_apics.clear(line);
    }
    kernel.devices.interrupts.remove(index);
}

/// An interrupt came. One that is nobody's, as a message of a device whose driver is gone, has no effect.
pub fn interrupted(kernel: &mut Kernel, this: &mut PerCpu, vector: u8) -> Decision {
    let index = interrupt::number(vector).map(Index::<Interrupt>::new);
    let index = index.filter(|&index| kernel.devices.interrupts[index].header().is_live());
    let action = index.map(|index| (index, kernel.devices.interrupts[index].arrive()));
    let decision = action.map_or(Decision::Stay, |(index, action)| carry_out(kernel, this, index, action));
    apic::end_of_interrupt();
    decision
}

/// Its driver acknowledges an interrupt.
pub fn acknowledge(kernel: &mut Kernel, this: &mut PerCpu, index: Index<Interrupt>) -> Decision {
    let action = kernel.devices.interrupts[index].acknowledge();
    carry_out(kernel, this, index, action)
}

fn carry_out(kernel: &mut Kernel, this: &mut PerCpu, index: Index<Interrupt>, action: Action) -> Decision {
    let Interrupt { line, notification, .. } = kernel.devices.interrupts[index];
    if let (Some(line), Some(masked)) = (line, action.mask) {
        kernel.devices.io_apics.set(line, interrupt::vector(index.number()), masked);
    }
    let machine = &mut kernel.machine;
    let target = machine.notifications.admit(notification.number(), notification.key, Rights::SEND);
    match target.filter(|_| action.signal) {
        Some(target) => notify::signal(machine, &mut this.cpu, target, notification.badge),
        None => Decision::Stay,
    }
}
