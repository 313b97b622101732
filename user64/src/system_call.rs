//! The system call stub.

use core::arch::naked_asm;
use core::mem::offset_of;

use lilliput_abi::Selector;
use lilliput_runtime::{Invoke, Message, Word};

/// The kernel this program runs on.
#[derive(Clone, Copy, Debug)]
pub struct Native;

impl Invoke for Native {
    fn invoke(selector: Selector, message: &mut Message) -> u32 {
        // SAFETY: the stub reads and writes the message and nothing else, and keeps what the C ABI
        // wants kept; what the kernel may do to memory it can do to mapped pages at any time.
        unsafe { system_call(selector.0, message) }
    }
}

/// Makes a system call by the interrupt, which costs more than `syscall` and is there on every CPU.
pub fn by_interrupt(selector: Selector, message: &mut Message) -> u32 {
    // SAFETY: as for `invoke`.
    unsafe { system_call_by_interrupt(selector.0, message) }
}

/// The body of a stub: `edi` the selector, `rsi` the message, which is loaded and stored whole.
///
/// A system call takes and returns every register but the stack pointer, so the ones that the
/// caller wants back are pushed, and the message's address with them. RCX and R11 come back lost:
/// RCX is where the address is popped to.
macro_rules! stub {
    ($entry:literal) => {
        naked_asm!(
            crate::push_kept!(),
            "push rsi",
            "mov eax, edi",
            "mov edx, [rsi + {tag}]",
            "mov rbx, [rsi + {words}]",
            "mov rdi, [rsi + {words} + 2*8]",
            "mov rbp, [rsi + {words} + 3*8]",
            "mov r8, [rsi + {words} + 4*8]",
            "mov r9, [rsi + {words} + 5*8]",
            "mov r10, [rsi + {words} + 6*8]",
            "mov r12, [rsi + {words} + 7*8]",
            "mov r13, [rsi + {words} + 8*8]",
            "mov r14, [rsi + {words} + 9*8]",
            "mov r15, [rsi + {words} + 10*8]",
            "mov rsi, [rsi + {words} + 1*8]",
            $entry,
            "pop rcx",
            "mov [rcx + {tag}], edx",
            "mov [rcx + {words}], rbx",
            "mov [rcx + {words} + 1*8], rsi",
            "mov [rcx + {words} + 2*8], rdi",
            "mov [rcx + {words} + 3*8], rbp",
            "mov [rcx + {words} + 4*8], r8",
            "mov [rcx + {words} + 5*8], r9",
            "mov [rcx + {words} + 6*8], r10",
            "mov [rcx + {words} + 7*8], r12",
            "mov [rcx + {words} + 8*8], r13",
            "mov [rcx + {words} + 9*8], r14",
            "mov [rcx + {words} + 10*8], r15",
            crate::pop_kept!(),
            "ret",
            tag = const offset_of!(Message, tag),
            words = const offset_of!(Message, words),
        )
    };
}

#[unsafe(naked)]
unsafe extern "C" fn system_call(selector: u32, message: *mut Message) -> u32 {
    stub!("syscall")
}

#[unsafe(naked)]
unsafe extern "C" fn system_call_by_interrupt(selector: u32, message: *mut Message) -> u32 {
    stub!("int 0x40")
}

const _: () = assert!(size_of::<Word>() == 8 && size_of::<Message>() == 8 + 11 * 8);
