//! Holding values in the vector registers across a system call.

use core::arch::naked_asm;
use core::mem::offset_of;

use lilliput_abi::layout;
use lilliput_runtime::Message;
use lilliput_runtime::machine::Vectors;

/// As [`lilliput_runtime::Machine::hold_vectors`] says. Between the loads and the stores no instruction
/// but the kernel's touches a vector register. MXCSR and the x87 control word are put back to what the caller had.
///
/// On the stack, from the top: caller's MXCSR and control word, four registers, the return address
/// and the arguments, which begin at 28.
#[unsafe(naked)]
pub unsafe extern "C" fn hold_vectors(vectors: *mut Vectors, selector: u32, message: *mut Message, spins: u32) -> u32 {
    naked_asm!(
        "pushl %ebx",
        "pushl %esi",
        "pushl %edi",
        "pushl %ebp",
        "subl $8, %esp",
        "stmxcsr (%esp)",
        "fnstcw 4(%esp)",
        "movl 28(%esp), %ecx",
        "movups {registers}(%ecx), %xmm0",
        "movups {registers}+1*16(%ecx), %xmm1",
        "movups {registers}+2*16(%ecx), %xmm2",
        "movups {registers}+3*16(%ecx), %xmm3",
        "movups {registers}+4*16(%ecx), %xmm4",
        "movups {registers}+5*16(%ecx), %xmm5",
        "movups {registers}+6*16(%ecx), %xmm6",
        "movups {registers}+7*16(%ecx), %xmm7",
        "ldmxcsr {mxcsr}(%ecx)",
        "fldcw {control}(%ecx)",
        "movl 32(%esp), %eax",
        "movl 36(%esp), %ecx",
        "movl {tag}(%ecx), %edx",
        "movl {words}(%ecx), %ebx",
        "movl {words}+4(%ecx), %esi",
        "movl {words}+8(%ecx), %edi",
        "movl {words}+12(%ecx), %ebp",
        "call {entry}",
        "movl 36(%esp), %ecx",
        "movl %edx, {tag}(%ecx)",
        "movl %ebx, {words}(%ecx)",
        "movl %esi, {words}+4(%ecx)",
        "movl %edi, {words}+8(%ecx)",
        "movl %ebp, {words}+12(%ecx)",
        "movl 40(%esp), %ecx",
        "incl %ecx",
        "2: decl %ecx",
        "jnz 2b",
        "movl 28(%esp), %ecx",
        "movups %xmm0, {registers}(%ecx)",
        "movups %xmm1, {registers}+1*16(%ecx)",
        "movups %xmm2, {registers}+2*16(%ecx)",
        "movups %xmm3, {registers}+3*16(%ecx)",
        "movups %xmm4, {registers}+4*16(%ecx)",
        "movups %xmm5, {registers}+5*16(%ecx)",
        "movups %xmm6, {registers}+6*16(%ecx)",
        "movups %xmm7, {registers}+7*16(%ecx)",
        "stmxcsr {mxcsr}(%ecx)",
        "fnstcw {control}(%ecx)",
        "ldmxcsr (%esp)",
        "fldcw 4(%esp)",
        "addl $8, %esp",
        "popl %ebp",
        "popl %edi",
        "popl %esi",
        "popl %ebx",
        "ret",
        entry = const layout::ENTRY_PAGE,
        registers = const offset_of!(Vectors, registers),
        mxcsr = const offset_of!(Vectors, mxcsr),
        control = const offset_of!(Vectors, control),
        tag = const offset_of!(Message, tag),
        words = const offset_of!(Message, words),
        options(att_syntax),
    )
}
