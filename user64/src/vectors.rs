//! Holding values in the vector registers across a system call.

use core::arch::naked_asm;
use core::mem::offset_of;

use lilliput_runtime::Message;
use lilliput_runtime::machine::Vectors;

/// As [`lilliput_runtime::Machine::hold_vectors`] says: `rdi` the values, `esi` the selector, `rdx` the
/// message, `ecx` the spins. Between the loads and the stores no instruction but the kernel's touches
/// a vector register. MXCSR and the x87 control word are put back to what the caller had.
///
/// On the stack, from the top: spins, values, message, caller's MXCSR and control word.
#[unsafe(naked)]
pub unsafe extern "C" fn hold_vectors(vectors: *mut Vectors, selector: u32, message: *mut Message, spins: u32) -> u32 {
    naked_asm!(
        crate::push_kept!(),
        "sub rsp, 8",
        "stmxcsr [rsp]",
        "fnstcw [rsp + 4]",
        "push rdx",
        "push rdi",
        "push rcx",
        "movups xmm0, [rdi + {registers}]",
        "movups xmm1, [rdi + {registers} + 1*16]",
        "movups xmm2, [rdi + {registers} + 2*16]",
        "movups xmm3, [rdi + {registers} + 3*16]",
        "movups xmm4, [rdi + {registers} + 4*16]",
        "movups xmm5, [rdi + {registers} + 5*16]",
        "movups xmm6, [rdi + {registers} + 6*16]",
        "movups xmm7, [rdi + {registers} + 7*16]",
        "ldmxcsr [rdi + {mxcsr}]",
        "fldcw [rdi + {control}]",
        "mov eax, esi",
        "mov rcx, rdx",
        "mov edx, [rcx + {tag}]",
        "mov rbx, [rcx + {words}]",
        "mov rsi, [rcx + {words} + 1*8]",
        "mov rdi, [rcx + {words} + 2*8]",
        "mov rbp, [rcx + {words} + 3*8]",
        "mov r8, [rcx + {words} + 4*8]",
        "mov r9, [rcx + {words} + 5*8]",
        "mov r10, [rcx + {words} + 6*8]",
        "mov r12, [rcx + {words} + 7*8]",
        "mov r13, [rcx + {words} + 8*8]",
        "mov r14, [rcx + {words} + 9*8]",
        "mov r15, [rcx + {words} + 10*8]",
        "syscall",
        "mov rcx, [rsp + 16]",
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
        "pop rcx",
        "inc ecx",
        "2: dec ecx",
        "jnz 2b",
        "pop rdi",
        "movups [rdi + {registers}], xmm0",
        "movups [rdi + {registers} + 1*16], xmm1",
        "movups [rdi + {registers} + 2*16], xmm2",
        "movups [rdi + {registers} + 3*16], xmm3",
        "movups [rdi + {registers} + 4*16], xmm4",
        "movups [rdi + {registers} + 5*16], xmm5",
        "movups [rdi + {registers} + 6*16], xmm6",
        "movups [rdi + {registers} + 7*16], xmm7",
        "stmxcsr [rdi + {mxcsr}]",
        "fnstcw [rdi + {control}]",
        "add rsp, 8",
        "ldmxcsr [rsp]",
        "fldcw [rsp + 4]",
        "add rsp, 8",
        crate::pop_kept!(),
        "ret",
        registers = const offset_of!(Vectors, registers),
        mxcsr = const offset_of!(Vectors, mxcsr),
        control = const offset_of!(Vectors, control),
        tag = const offset_of!(Message, tag),
        words = const offset_of!(Message, words),
    )
}
