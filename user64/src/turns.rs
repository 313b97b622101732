//! A server's turns: each answers a foreign thread and takes the next message, with nothing between but what serves it.

use core::arch::naked_asm;
use core::ffi::c_void;
use core::mem::offset_of;

use lilliput_abi::{Operation, Selector};
use lilliput_runtime::{Message, Word};

/// Gives a foreign thread its registers, which are the first words of `message`, and takes the next message where the last one came from;
/// `serve` gets what came, with the status word of the system call. As long as it says so that is answered in the same way, else `message` is
/// what came last, and its status word the result. Only the words that a foreign system call has are taken over.
pub fn return_receive_while(message: &mut Message, mut serve: impl FnMut(u32, &mut Message) -> bool) -> u32 {
    extern "C" fn turn<S: FnMut(u32, &mut Message) -> bool>(
        serve: *mut c_void,
        status: u32,
        message: *mut Message,
    ) -> bool {
        // SAFETY: both are borrowed below for as long as this may be called, and used here alone.
        unsafe { (*serve.cast::<S>())(status, &mut *message) }
    }
    fn turn_of<S: FnMut(u32, &mut Message) -> bool>(_: &S) -> Turn {
        turn::<S>
    }
    let turn = turn_of(&serve);
    // SAFETY: the function calls `turn` with these two pointers, reads and writes the message, and keeps what the C ABI wants kept.
    unsafe { turns(message, (&raw mut serve).cast(), turn) }
}

type Turn = extern "C" fn(*mut c_void, u32, *mut Message) -> bool;

/// A system call takes and returns every register but the stack pointer. Those that the caller wants back are pushed once for all turns; what a turn
/// needs lies on the stack.
#[unsafe(naked)]
unsafe extern "C" fn turns(message: *mut Message, serve: *mut c_void, turn: Turn) -> u32 {
    naked_asm!(
        "push rbx",
        "push rbp",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "push rdx",
        "push rsi",
        "push rdi",
        "mov rcx, rdi",
        "2:",
        "mov rbx, [rcx + {words}]",
        "mov rsi, [rcx + {words} + 1*8]",
        "mov rdi, [rcx + {words} + 2*8]",
        "mov rbp, [rcx + {words} + 3*8]",
        "mov r8, [rcx + {words} + 4*8]",
        "mov r9, [rcx + {words} + 5*8]",
        "mov r10, [rcx + {words} + 6*8]",
        "mov eax, {selector}",
        "syscall",
        "mov rcx, [rsp]",
        "mov [rcx + {tag}], edx",
        "mov [rcx + {words}], rbx",
        "mov [rcx + {words} + 1*8], rsi",
        "mov [rcx + {words} + 2*8], rdi",
        "mov [rcx + {words} + 3*8], rbp",
        "mov [rcx + {words} + 4*8], r8",
        "mov [rcx + {words} + 5*8], r9",
        "mov [rcx + {words} + 6*8], r10",
        "mov rdi, [rsp + 8]",
        "mov r12d, eax",
        "mov esi, eax",
        "mov rdx, rcx",
        "call [rsp + 16]",
        "mov rcx, [rsp]",
        "test al, al",
        "jnz 2b",
        "mov eax, r12d",
        "add rsp, 24",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbp",
        "pop rbx",
        "ret",
        selector = const Selector::new(Operation::ReturnReceive, 0).0,
        tag = const offset_of!(Message, tag),
        words = const offset_of!(Message, words),
    )
}

const _: () = assert!(size_of::<Word>() == 8 && lilliput_abi::foreign::WORDS == 7);
