//! Where the program begins, and what it is given.

use core::arch::naked_asm;
use core::ffi::CStr;

use crate::call;

/// The arguments, as Linux puts them on the stack: their number, then a pointer to each, then a null pointer.
pub struct Arguments(*const usize);

impl Arguments {
    /// How many there are, with the program's own name.
    pub fn count(&self) -> usize {
        // SAFETY: the system put it there.
        unsafe { self.0.read() }
    }

    /// One of them.
    pub fn get(&self, number: usize) -> Option<&CStr> {
        if number >= self.count() {
            return None;
        }
        // SAFETY: so many pointers follow, each to a string that stays as long as the program does.
        Some(unsafe { CStr::from_ptr(self.0.add(1 + number).read() as *const _) })
    }

    /// An entry of the auxiliary vector, which follows the environment.
    #[cfg(target_arch = "x86")]
    pub fn auxiliary(&self, kind: usize) -> Option<usize> {
        // SAFETY: behind the arguments' null pointer are pointers to the end of the environment, which is a null pointer, and pairs to a
        // pair whose first word is zero.
        unsafe {
            let mut at = self.0.add(2 + self.count());
            while at.read() != 0 {
                at = at.add(1);
            }
            at = at.add(1);
            while at.read() != 0 && at.read() != kind {
                at = at.add(2);
            }
            (at.read() == kind).then(|| at.add(1).read())
        }
    }

    /// The path that the program was started by.
    pub fn program(&self) -> &CStr {
        self.get(0).unwrap_or(c"")
    }
}

/// The first instructions: they note the time and align the stack.
#[cfg(target_arch = "x86")]
#[unsafe(no_mangle)]
#[unsafe(naked)]
pub extern "C" fn _start() -> ! {
    naked_asm!(
        "rdtsc",
        "mov ecx, esp",
        "xor ebp, ebp",
        "and esp, -16",
        "sub esp, 4",
        "push edx",
        "push eax",
        "push ecx",
        "call {begin}",
        begin = sym begin,
    )
}

/// The first instructions: they note the time and align the stack.
#[cfg(target_arch = "x86_64")]
#[unsafe(no_mangle)]
#[unsafe(naked)]
pub extern "C" fn _start() -> ! {
    naked_asm!(
        "rdtsc",
        "mov rdi, rsp",
        "mov esi, eax",
        "xor ebp, ebp",
        "and rsp, -16",
        "call {begin}",
        begin = sym begin,
    )
}

/// What a thread-local segment begins with: its own address.
static mut SEGMENT: [usize; 64] = [0; 64];

extern "C" fn begin(stack: *const usize, low: u32, high: u32) -> ! {
    let segment = &raw mut SEGMENT as usize;
    // SAFETY: nobody else is there.
    unsafe { SEGMENT[0] = segment };
    // Without one it measures all the same.
    let _ = call::set_thread_segment(segment);
    call::exit(crate::main(&Arguments(stack), u64::from(high) << 32 | u64::from(low)))
}
