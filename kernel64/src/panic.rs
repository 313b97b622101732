//! The kernel's last words: what happened, where, and how it came there.

use core::fmt;
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use lilliput_abi::boot::exit;
use lilliput_abi::fault::vector_name;
use x86_64::instructions::interrupts;
use x86_64::registers::control::{Cr2, Cr3};

use crate::backtrace::{self, Symbol};
use crate::cpu::idt::vector;
use crate::cpu::stacks;
use crate::{console, log, power};

/// The registers where an exception or interrupt struck.
#[derive(Clone, Copy, Debug)]
pub struct Registers {
    /// Instruction pointer.
    pub rip: u64,
    /// Code segment selector.
    pub cs: u64,
    /// Flags.
    pub rflags: u64,
    /// Stack pointer.
    pub rsp: u64,
    /// Stack segment selector.
    pub ss: u64,
    /// rax, rbx, rcx, rdx, rsi, rdi, rbp, r8 to r15.
    pub general: [u64; 15],
}

const GENERAL_NAMES: [&str; 15] =
    ["rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"];
const RBP: usize = 6;

impl Registers {
    /// Whether it was user code that was running.
    pub const fn in_user_mode(&self) -> bool {
        self.cs & 3 != 0
    }
}

impl fmt::Display for Registers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "  rip {:#018x}  rsp {:#018x}  rflags {:#x}", self.rip, self.rsp, self.rflags)?;
        write!(f, "  cs {:#x}  ss {:#x}", self.cs, self.ss)?;
        for (number, (name, value)) in GENERAL_NAMES.iter().zip(self.general).enumerate() {
            let separator = if number % 4 == 0 { "\n  " } else { "  " };
            write!(f, "{separator}{name:3} {value:#018x}")?;
        }
        Ok(())
    }
}

/// A broken invariant of the kernel's own.
#[panic_handler]
fn panic(info: &PanicInfo) -> ! {
    let location = info.location();
    let (file, line) = location.map_or(("?", 0), |location| (location.file(), location.line()));
    begin(format_args!("KERNEL PANIC at {file}:{line}: {}", info.message()));
    backtrace::print_from_here();
    power::exit(exit::PANIC)
}

/// An exception that the kernel raised and nobody foresaw.
pub fn exception(vector: u8, error: u64, registers: &Registers) -> ! {
    let name = vector_name(vector);
    begin(format_args!("KERNEL PANIC: {name} (vector {vector}, error code {error:#x}) at {}", Symbol(registers.rip)));
    if vector == vector::PAGE_FAULT || vector == vector::DOUBLE_FAULT {
        let address = Cr2::read_raw();
        log!("the address was {address:#x}, CR3 is {:#x}", Cr3::read_raw().0.start_address());
        if stacks::is_guard(x86_64::VirtAddr::new_truncate(address).align_down(4096_u64)) {
            log!("that is the page under a kernel stack: the stack overflowed");
        }
    }
    describe(registers);
    power::exit(exit::PANIC)
}

/// A non-maskable interrupt: somebody lost patience and asks where the kernel stands, or the board reports its
/// own failure. `who` tells what the kernel was doing, as far as the caller knows.
pub fn interrupted(registers: &Registers, who: fmt::Arguments) -> ! {
    let place = if registers.in_user_mode() { "user code" } else { "the kernel" };
    begin(format_args!("NON-MASKABLE INTERRUPT in {place} at {}, {who}", Symbol(registers.rip)));
    describe(registers);
    power::exit(exit::FAILURE)
}

/// Prints the headline. Whoever comes here a second time failed in the report itself and gets one line; a third
/// time, nothing.
fn begin(headline: fmt::Arguments) {
    static DEPTH: AtomicU32 = AtomicU32::new(0);
    interrupts::disable();
    let depth = DEPTH.fetch_add(1, Relaxed);
    if depth > 1 {
        power::exit(exit::PANIC);
    }
    // SAFETY: who held the console, if anybody, was interrupted for good: nothing returns from here.
    unsafe { console::seize() };
    console::take_back();
    if depth > 0 {
        // The first report was cut off in the middle of a line.
        console::write(format_args!("\n"));
    }
    log!("{headline}");
    if depth > 0 {
        log!("this happened while an earlier failure was being reported");
        power::exit(exit::PANIC);
    }
}

fn describe(registers: &Registers) {
    console::write(format_args!("{registers}\n"));
    if !registers.in_user_mode() {
        backtrace::print(registers.rip, registers.general[RBP]);
    }
}
