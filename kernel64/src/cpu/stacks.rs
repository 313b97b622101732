//! The kernel's stacks of the first CPU, each above a page that is never mapped.
//!
//! A stack that overflows hits that page. On the main stack the page fault then can't be pushed, which is a
//! double fault; that one has a stack of its own and says what happened.

use core::arch::naked_asm;
use core::cell::UnsafeCell;

use bootloader_api::BootInfo;
use x86_64::VirtAddr;

use crate::mm::layout::PAGE;

/// Bytes of the main stack: boot and system calls. Threads have no stacks in the kernel.
const MAIN_SIZE: usize = 32 * 1024;
/// Bytes of the stack of an exception: enough for a back trace.
const EXCEPTION_SIZE: usize = 12 * 1024;
/// The stacks that a TSS can name.
pub const EXCEPTION_STACKS: usize = 7;

/// A stack and its guard.
#[repr(C, align(4096))]
struct Guarded<const SIZE: usize> {
    guard: [u8; PAGE as usize],
    stack: [u8; SIZE],
}

impl<const SIZE: usize> Guarded<SIZE> {
    const EMPTY: Self = Self { guard: [0; _], stack: [0; _] };
}

#[repr(C)]
struct Stacks {
    main: Guarded<MAIN_SIZE>,
    exceptions: [Guarded<EXCEPTION_SIZE>; EXCEPTION_STACKS],
}

/// Memory that only a CPU's stack pointer points into.
struct Memory(UnsafeCell<Stacks>);

// SAFETY: nothing in Rust ever makes a reference to the contents; one CPU uses each stack.
unsafe impl Sync for Memory {}

static STACKS: Memory =
    Memory(UnsafeCell::new(Stacks { main: Guarded::EMPTY, exceptions: [Guarded::EMPTY; EXCEPTION_STACKS] }));

/// The address past the main stack, where it starts to grow down from.
pub fn main_top() -> VirtAddr {
    // SAFETY: the pointer is not read through.
    let main = unsafe { &raw const (*STACKS.0.get()).main };
    VirtAddr::from_ptr(main) + size_of::<Guarded<MAIN_SIZE>>() as u64
}

/// The address past exception stack `number`, 0 to 6.
pub fn exception_top(number: usize) -> VirtAddr {
    // SAFETY: the pointer is not read through.
    let all = unsafe { &raw const (*STACKS.0.get()).exceptions };
    VirtAddr::from_ptr(all) + (size_of::<Guarded<EXCEPTION_SIZE>>() * (number + 1)) as u64
}

/// Whether a page is a guard, which must not be mapped.
pub fn is_guard(page: VirtAddr) -> bool {
    let main = main_top() - size_of::<Guarded<MAIN_SIZE>>() as u64;
    page == main || (0..EXCEPTION_STACKS).any(|number| page == guard_of_exception(number))
}

fn guard_of_exception(number: usize) -> VirtAddr {
    exception_top(number) - size_of::<Guarded<EXCEPTION_SIZE>>() as u64
}

/// Leaves the boot loader's stack for the main one and goes on in `next`.
///
/// # Safety
///
/// Nobody uses the main stack yet.
#[unsafe(link_section = ".boot.text")]
pub unsafe fn switch_to_main(info: &'static mut BootInfo, next: extern "C" fn(&'static mut BootInfo) -> !) -> ! {
    // SAFETY: the stack is a static's memory, and the caller vouches that it is free.
    unsafe { call_on_stack(info, main_top().as_u64(), next) }
}

/// `rdi` = the argument, `rsi` = the stack pointer, aligned to 16 bytes, `rdx` = where to go on. A frame pointer of
/// zero ends back traces here.
#[unsafe(naked)]
#[unsafe(link_section = ".boot.text")]
unsafe extern "C" fn call_on_stack(
    info: &'static mut BootInfo,
    stack: u64,
    next: extern "C" fn(&'static mut BootInfo) -> !,
) -> ! {
    naked_asm!("mov rsp, rsi", "xor ebp, ebp", "call rdx", "ud2")
}
