//! The local APIC: end of interrupt, and the timer.

use core::ptr::NonNull;

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use spin::Once;
use x86_64::registers::model_specific::Msr;
use x86_64::{PhysAddr, VirtAddr};

use super::clock;
use super::idt::vector;
use super::measure::{self, Measurement};
use super::pic;
use crate::mm::frames::FrameSource;
use crate::mm::kernel_map;

const BASE: Msr = Msr::new(0x1b);
const BASE_ENABLE: u64 = 1 << 11;
const BASE_X2APIC: u64 = 1 << 10;
/// First model-specific register in x2APIC mode (Intel SDM volume 3, 12.12.1.2).
const X2APIC_FIRST: u32 = 0x800;

/// Registers, by their offset in memory.
#[derive(Clone, Copy)]
#[repr(u32)]
enum Register {
    Identifier = 0x20,
    TaskPriority = 0x80,
    EndOfInterrupt = 0xb0,
    Spurious = 0xf0,
    Command = 0x300,
    Timer = 0x320,
    PerformanceCounters = 0x340,
    Line0 = 0x350,
    Line1 = 0x360,
    Error = 0x370,
    InitialCount = 0x380,
    CurrentCount = 0x390,
    Divide = 0x3e0,
}

/// Physical addresses at which devices' messages become interrupts, and a local APIC's registers usually are.
pub const MESSAGES: core::ops::Range<u64> = 0xfee0_0000..0xfef0_0000;

const SOFTWARE_ENABLE: u32 = 1 << 8;
const MASKED: u32 = 1 << 16;
const DIVIDE_BY_1: u32 = 0b1011;
/// Delivery mode "non-maskable interrupt": where the board signals its own failure.
const AS_NMI: u32 = 0b100 << 8;

/// How its registers are reached.
#[derive(Clone, Copy)]
enum LocalApic {
    /// As memory.
    Memory(NonNull<u8>),
    /// As model-specific registers: x2APIC mode, where the firmware turned it on.
    Msr,
}

// SAFETY: the address is the same for all CPUs, and each reaches its own registers there.
unsafe impl Send for LocalApic {}
// SAFETY: as above.
unsafe impl Sync for LocalApic {}

static LOCAL_APIC: Once<LocalApic> = Once::new();
/// How far the timer counts while the time-stamp counter counts 2^32.
static TIMER_RATIO: AtomicU64 = AtomicU64::new(0);

impl LocalApic {
    fn read(self, register: Register) -> u32 {
        match self {
            // SAFETY: the page is mapped uncached, and reading these registers has no effect.
            Self::Memory(base) => unsafe { base.byte_add(register as usize).cast::<u32>().read_volatile() },
            // SAFETY: the register exists in x2APIC mode, and reading it has no effect.
            Self::Msr => unsafe { Msr::new(X2APIC_FIRST + (register as u32 >> 4)).read() as u32 },
        }
    }

    #[inline]
    fn write(self, register: Register, value: u32) {
        match self {
            // SAFETY: the page is mapped uncached; the callers are in this file and write what is defined.
            Self::Memory(base) => unsafe { base.byte_add(register as usize).cast::<u32>().write_volatile(value) },
            // SAFETY: the register exists in x2APIC mode; as above.
            Self::Msr => unsafe { Msr::new(X2APIC_FIRST + (register as u32 >> 4)).write(u64::from(value)) },
        }
    }
}

fn local() -> LocalApic {
    *LOCAL_APIC.get().expect("the local APIC is set up before interrupts are")
}

/// Turns this CPU's local APIC on, all its sources masked but the NMI line, and the legacy controllers off.
#[unsafe(link_section = ".boot.text")]
pub fn init(registers: PhysAddr, frames: &mut impl FrameSource) {
    pic::mask();
    let mut base = BASE;
    // SAFETY: the CPU has an APIC; the mode, x2APIC or not, stays as it is.
    let mode = unsafe {
        let mode = base.read();
        base.write(mode | BASE_ENABLE);
        mode
    };
    let apic = *LOCAL_APIC.call_once(|| {
        if mode & BASE_X2APIC != 0 {
            return LocalApic::Msr;
        }
        let address: VirtAddr = kernel_map::map_device(registers, 0x400, frames);
        LocalApic::Memory(NonNull::new(address.as_mut_ptr()).expect("devices are mapped in the upper half"))
    });
    apic.write(Register::TaskPriority, 0);
    apic.write(Register::Spurious, SOFTWARE_ENABLE | u32::from(vector::SPURIOUS));
    for source in [Register::Timer, Register::PerformanceCounters, Register::Line0, Register::Error] {
        apic.write(source, MASKED | u32::from(vector::SPURIOUS));
    }
    apic.write(Register::Line1, AS_NMI);
}

/// Gets this CPU's timer ready to be set and says at what rate it counts, in kHz.
#[unsafe(link_section = ".boot.text")]
pub fn measure_timer() -> u64 {
    let apic = local();
    apic.write(Register::Divide, DIVIDE_BY_1);
    let kilohertz = timer_kilohertz(apic);
    TIMER_RATIO.store((kilohertz << 32) / clock::kilohertz(), Relaxed);
    apic.write(Register::Timer, u32::from(vector::TIMER));
    kilohertz
}

/// Makes the timer interrupt once, when the time-stamp counter has gone on by so much; or earlier, if that is further off than its
/// register reaches, some seconds.
pub fn set_timer(ticks: u64) {
    let ticks = u128::from(ticks.min(u64::from(u32::MAX)));
    let count = ((ticks * u128::from(TIMER_RATIO.load(Relaxed))) >> 32) + 1;
    local().write(Register::InitialCount, u32::try_from(count).unwrap_or(u32::MAX));
}

/// Lets the timer interrupt no more until it is set.
pub fn stop_timer() {
    local().write(Register::InitialCount, 0);
}

/// The rate of the timer, by what it counts while the time-stamp counter runs for about 2 ms.
fn timer_kilohertz(apic: LocalApic) -> u64 {
    let kilohertz = clock::kilohertz();
    apic.write(Register::Timer, MASKED | u32::from(vector::TIMER));
    let rate = measure::best(|| {
        let begin = clock::ticks();
        apic.write(Register::InitialCount, u32::MAX);
        let begin = begin..clock::ticks();
        clock::spin(kilohertz * 2);
        let end = clock::ticks();
        let counted = u64::from(u32::MAX - apic.read(Register::CurrentCount));
        let end = end..clock::ticks();
        let length = end.end - begin.end;
        let doubt = (begin.end - begin.start) + (end.end - end.start);
        Some(Measurement { value: counted * kilohertz / length, doubt, length })
    });
    apic.write(Register::InitialCount, 0);
    rate.unwrap_or(0)
}

/// Where a word stored makes this CPU's local APIC send an interrupt; `None` where registers are no memory.
pub fn command() -> Option<VirtAddr> {
    match local() {
        LocalApic::Memory(base) => Some(VirtAddr::from_ptr(base.as_ptr()) + Register::Command as u64),
        LocalApic::Msr => None,
    }
}

/// The number of this CPU's local APIC, if it has the 8 bits of an I/O APIC's destination and of a device's message.
pub fn short_id() -> Option<u8> {
    let identifier = local().read(Register::Identifier);
    match local() {
        LocalApic::Memory(_) => Some((identifier >> 24) as u8),
        LocalApic::Msr => u8::try_from(identifier).ok(),
    }
}

/// Where a device writes to, and what, to raise a vector on this CPU (Intel SDM volume 3, 12.11).
pub fn message(vector: u8) -> Option<(u32, u32)> {
    short_id().map(|apic| (MESSAGES.start as u32 | u32::from(apic) << 12, u32::from(vector)))
}

/// Tells this CPU's local APIC that the interrupt that it delivered last is dealt with.
#[inline]
pub fn end_of_interrupt() {
    local().write(Register::EndOfInterrupt, 0);
}
