//! What fuzzing needs of this width.

use core::arch::asm;
use core::ptr;

use lilliput_abi::Selector;
use lilliput_runtime::fuzz::{Hostile, kit};
use lilliput_runtime::{Message, Word};

use crate::{Native, by_interrupt};

impl Hostile for Native {
    fn by_interrupt(selector: Selector, message: &mut Message) -> u32 {
        by_interrupt(selector, message)
    }

    fn store(address: Word, bytes: &[u8]) {
        assert!(
            kit::holds_code(address) && kit::holds_code(address + bytes.len() - 1),
            "{address:#x} is no place for code"
        );
        // SAFETY: nothing of this program can be there, so that any bytes may be overwritten; if nothing is mapped, the
        // kernel ends this task.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), address as *mut u8, bytes.len()) };
    }

    fn jump(address: Word) -> ! {
        assert!(kit::holds_code(address), "{address:#x} is no place for code");
        // SAFETY: nothing of this program runs afterwards but what the code there jumps to, which may end or harm this
        // task and no other: that is what it is for.
        unsafe { asm!("jmp {}", in(reg) address, options(noreturn)) }
    }
}
