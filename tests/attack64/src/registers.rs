//! Registers full of secrets.

use core::arch::{asm, naked_asm};
use core::mem::offset_of;

use lilliput_abi::Selector;
use lilliput_attack::witness::Registers;
use lilliput_runtime::machine::Vectors;
use lilliput_runtime::{Message, Word};
use lilliput_user64::Native;

/// The 64-bit side.
pub struct Long;

impl Registers for Long {
    type Kernel = Native;

    fn hold(word: Word, rounds: u32) -> bool {
        // SAFETY: the routine changes registers only, and keeps what the C ABI wants kept.
        unsafe { hold(word, rounds) == 0 }
    }

    fn filled_call(word: Word, selector: Selector, message: &mut Message) -> u32 {
        // SAFETY: the stub reads and writes the message and nothing else, and keeps what the C ABI wants kept.
        unsafe { filled_call(word, selector.0, message) }
    }

    fn fill_vectors(vectors: &Vectors) {
        // SAFETY: reads the values. This target has no vector instructions of the compiler's own, so nobody else uses the
        // registers; the x87 stack is emptied before and after.
        unsafe {
            asm!(
                "emms",
                "movups xmm0, [{0}]",
                "movups xmm1, [{0}]",
                "movups xmm2, [{0}]",
                "movups xmm3, [{0}]",
                "movups xmm4, [{0}]",
                "movups xmm5, [{0}]",
                "movups xmm6, [{0}]",
                "movups xmm7, [{0}]",
                "movups xmm8, [{0}]",
                "movups xmm9, [{0}]",
                "movups xmm10, [{0}]",
                "movups xmm11, [{0}]",
                "movups xmm12, [{0}]",
                "movups xmm13, [{0}]",
                "movups xmm14, [{0}]",
                "movups xmm15, [{0}]",
                "fld qword ptr [{0}]",
                "fld qword ptr [{0} + 8]",
                "fstp st(1)",
                "fstp st(0)",
                in(reg) &raw const vectors.registers,
                options(nostack, readonly),
            );
        }
    }
}

/// Holds a word in all registers but RSP and the counter; returns what differed.
#[unsafe(naked)]
unsafe extern "C" fn hold(word: Word, rounds: u32) -> Word {
    naked_asm!(
        lilliput_user64::push_kept!(),
        "push rdi",
        "mov ecx, esi",
        "mov rax, rdi",
        "mov rdx, rdi",
        "mov rbx, rdi",
        "mov rsi, rdi",
        "mov rbp, rdi",
        "mov r8, rdi",
        "mov r9, rdi",
        "mov r10, rdi",
        "mov r11, rdi",
        "mov r12, rdi",
        "mov r13, rdi",
        "mov r14, rdi",
        "mov r15, rdi",
        "2: dec ecx",
        "jnz 2b",
        "pop rcx",
        "xor rax, rcx",
        "xor rdx, rcx",
        "xor rbx, rcx",
        "xor rsi, rcx",
        "xor rdi, rcx",
        "xor rbp, rcx",
        "xor r8, rcx",
        "xor r9, rcx",
        "xor r10, rcx",
        "xor r11, rcx",
        "xor r12, rcx",
        "xor r13, rcx",
        "xor r14, rcx",
        "xor r15, rcx",
        "or rax, rdx",
        "or rax, rbx",
        "or rax, rsi",
        "or rax, rdi",
        "or rax, rbp",
        "or rax, r8",
        "or rax, r9",
        "or rax, r10",
        "or rax, r11",
        "or rax, r12",
        "or rax, r13",
        "or rax, r14",
        "or rax, r15",
        lilliput_user64::pop_kept!(),
        "ret",
    )
}

/// The system call stub for up to four words, with all other registers full of the word.
#[unsafe(naked)]
unsafe extern "C" fn filled_call(word: Word, selector: u32, message: *mut Message) -> u32 {
    naked_asm!(
        lilliput_user64::push_kept!(),
        "push rdx",
        "mov r8, rdi",
        "mov r9, rdi",
        "mov r10, rdi",
        "mov r12, rdi",
        "mov r13, rdi",
        "mov r14, rdi",
        "mov r15, rdi",
        "mov ecx, esi",
        // The upper halves of selector and tag mean nothing.
        "mov rax, rdi",
        "mov eax, ecx",
        "mov rcx, rdx",
        "mov edx, [rcx + {tag}]",
        "mov rbx, [rcx + {words}]",
        "mov rsi, [rcx + {words} + 1*8]",
        "mov rbp, [rcx + {words} + 3*8]",
        "mov rdi, [rcx + {words} + 2*8]",
        "syscall",
        "pop rcx",
        "mov [rcx + {tag}], edx",
        "mov [rcx + {words}], rbx",
        "mov [rcx + {words} + 1*8], rsi",
        "mov [rcx + {words} + 2*8], rdi",
        "mov [rcx + {words} + 3*8], rbp",
        lilliput_user64::pop_kept!(),
        "ret",
        tag = const offset_of!(Message, tag),
        words = const offset_of!(Message, words),
    )
}
