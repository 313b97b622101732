//! Registers full of secrets.

use core::arch::{asm, naked_asm};
use core::mem::offset_of;

use lilliput_abi::{Selector, layout};
use lilliput_attack::witness::Registers;
use lilliput_runtime::machine::Vectors;
use lilliput_runtime::{Message, Word};
use lilliput_user32::Native;

/// The 32-bit side.
pub struct Narrow;

impl Registers for Narrow {
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
        // SAFETY: reads the values. No code of this program keeps anything in vector registers across calls, and the x87
        // stack is emptied before.
        unsafe {
            asm!(
                "emms",
                "movups xmm0, [{0}]",
                "movups xmm1, [{0} + 1*16]",
                "movups xmm2, [{0} + 2*16]",
                "movups xmm3, [{0} + 3*16]",
                "movups xmm4, [{0} + 4*16]",
                "movups xmm5, [{0} + 5*16]",
                "movups xmm6, [{0} + 6*16]",
                "movups xmm7, [{0} + 7*16]",
                "fld qword ptr [{0}]",
                "fld qword ptr [{0} + 8]",
                "fstp st(1)",
                "fstp st(0)",
                in(reg) &raw const vectors.registers,
                out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _,
                out("xmm4") _, out("xmm5") _, out("xmm6") _, out("xmm7") _,
                out("st(0)") _, out("st(1)") _, out("st(2)") _, out("st(3)") _,
                out("st(4)") _, out("st(5)") _, out("st(6)") _, out("st(7)") _,
                options(nostack, readonly),
            );
        }
    }
}

/// Holds a word in all registers but ESP and the counter; returns what differed.
#[unsafe(naked)]
unsafe extern "C" fn hold(word: Word, rounds: u32) -> u32 {
    naked_asm!(
        "push ebx",
        "push esi",
        "push edi",
        "push ebp",
        "mov eax, [esp + 20]",
        "mov ecx, [esp + 24]",
        "mov edx, eax",
        "mov ebx, eax",
        "mov esi, eax",
        "mov edi, eax",
        "mov ebp, eax",
        "2: dec ecx",
        "jnz 2b",
        "mov ecx, [esp + 20]",
        "xor eax, ecx",
        "xor edx, ecx",
        "xor ebx, ecx",
        "xor esi, ecx",
        "xor edi, ecx",
        "xor ebp, ecx",
        "or eax, edx",
        "or eax, ebx",
        "or eax, esi",
        "or eax, edi",
        "or eax, ebp",
        "pop ebp",
        "pop edi",
        "pop esi",
        "pop ebx",
        "ret",
    )
}

/// The system call stub, with ECX, the one register that carries no message, full of the word.
#[unsafe(naked)]
unsafe extern "C" fn filled_call(word: Word, selector: u32, message: *mut Message) -> u32 {
    naked_asm!(
        "pushl %ebx",
        "pushl %esi",
        "pushl %edi",
        "pushl %ebp",
        "movl 24(%esp), %eax",
        "movl 28(%esp), %ecx",
        "movl {tag}(%ecx), %edx",
        "movl {words}(%ecx), %ebx",
        "movl {words}+4(%ecx), %esi",
        "movl {words}+8(%ecx), %edi",
        "movl {words}+12(%ecx), %ebp",
        "movl 20(%esp), %ecx",
        "call {entry}",
        "movl 28(%esp), %ecx",
        "movl %edx, {tag}(%ecx)",
        "movl %ebx, {words}(%ecx)",
        "movl %esi, {words}+4(%ecx)",
        "movl %edi, {words}+8(%ecx)",
        "movl %ebp, {words}+12(%ecx)",
        "popl %ebp",
        "popl %edi",
        "popl %esi",
        "popl %ebx",
        "ret",
        entry = const layout::ENTRY_PAGE,
        tag = const offset_of!(Message, tag),
        words = const offset_of!(Message, words),
        options(att_syntax),
    )
}
