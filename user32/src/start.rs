//! Where a thread of a program begins.

use core::arch::{asm, naked_asm};
use core::panic::PanicInfo;

use lilliput_runtime::{Word, parent};

use crate::Native;

unsafe extern "C" {
    /// The program's main function: see [`crate::entry!`].
    safe fn lilliput_main(word0: Word, word1: Word) -> Word;
}

/// The first instruction of a thread. The kernel starts it as if it had received a message: ebx and esi
/// hold words 0 and 1, all other registers but the stack pointer are zero.
#[unsafe(no_mangle)]
#[unsafe(naked)]
pub extern "C" fn _start() -> ! {
    naked_asm!(
        "and esp, -16",
        "sub esp, 8",
        "push esi",
        "push ebx",
        "call {run}",
        "ud2",
        run = sym run,
    )
}

extern "C" fn run(word0: Word, word1: Word) -> ! {
    end(lilliput_main(word0, word1))
}

/// Ends the task; by an exception where nobody is there to hear that it ends.
pub fn end(code: Word) -> ! {
    parent::exit::<Native>(code);
    loop {
        // SAFETY: an invalid opcode raises an exception, which ends the task.
        unsafe { asm!("ud2") };
    }
}

/// Tells the parent of a panic and ends the task.
pub fn end_by_panic(info: &PanicInfo) -> ! {
    match info.location() {
        Some(at) => parent::explain::<Native>(format_args!("{} ({}:{})", info.message(), at.file(), at.line())),
        None => parent::explain::<Native>(format_args!("{}", info.message())),
    }
    end(parent::PANICKED)
}
