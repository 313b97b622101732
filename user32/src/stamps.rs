//! The stubs that measure: an operation between two readings of the time-stamp counter.
//!
//! What lies between the readings beside the operation is fixed and counted, see
//! [`lilliput_runtime::machine::Stamps`]: change both together.

use core::arch::naked_asm;
use core::mem::offset_of;

use lilliput_abi::layout;
use lilliput_runtime::Message;
use lilliput_runtime::machine::Stamps;
use lilliput_runtime::mark;

/// A system call between two stamps, which hold selector and tag.
///
/// ECX, which a call loses, carries the stamps' address in and the status past the second reading; the tag
/// goes there by the stack. The arguments begin at 20 behind four registers, and at 24 behind the tag.
#[unsafe(naked)]
pub unsafe extern "C" fn stamped_call(message: *mut Message, stamps: *mut Stamps) -> u32 {
    naked_asm!(
        "pushl %ebx",
        "pushl %esi",
        "pushl %edi",
        "pushl %ebp",
        "movl 20(%esp), %eax",
        "movl 24(%esp), %ecx",
        "movl {words}(%eax), %ebx",
        "movl {words}+4(%eax), %esi",
        "movl {words}+8(%eax), %edi",
        "movl {words}+12(%eax), %ebp",
        "lfence",
        "rdtsc",
        "lfence",
        "movl %eax, {before}(%ecx)",
        ".byte 0x0f, 0x1f, 0x80",
        ".long {begin}",
        "movl {selector}(%ecx), %eax",
        "movl {call_tag}(%ecx), %edx",
        "call {entry}",
        ".byte 0x0f, 0x1f, 0x80",
        ".long {end}",
        "movl %eax, %ecx",
        "pushl %edx",
        "lfence",
        "rdtsc",
        "movl 28(%esp), %edx",
        "movl %eax, {after}(%edx)",
        "movl 24(%esp), %edx",
        "popl {tag}(%edx)",
        "movl %ebx, {words}(%edx)",
        "movl %esi, {words}+4(%edx)",
        "movl %edi, {words}+8(%edx)",
        "movl %ebp, {words}+12(%edx)",
        "movl %ecx, %eax",
        "popl %ebp",
        "popl %edi",
        "popl %esi",
        "popl %ebx",
        "ret",
        entry = const layout::ENTRY_PAGE,
        tag = const offset_of!(Message, tag),
        words = const offset_of!(Message, words),
        begin = const mark::BEGIN,
        end = const mark::END,
        before = const offset_of!(Stamps, before),
        after = const offset_of!(Stamps, after),
        selector = const offset_of!(Stamps, selector),
        call_tag = const offset_of!(Stamps, tag),
        options(att_syntax),
    )
}

/// What [`stamped_call`] does between its stamps, with a call to a bare return in place of the entry page.
#[unsafe(naked)]
pub unsafe extern "C" fn stamped_nothing(stamps: *mut Stamps) {
    naked_asm!(
        "pushl %ebx",
        "movl 8(%esp), %ecx",
        "movl %ecx, %ebx",
        "lfence",
        "rdtsc",
        "lfence",
        "movl %eax, {before}(%ecx)",
        ".byte 0x0f, 0x1f, 0x80",
        ".long {begin}",
        "movl {selector}(%ecx), %eax",
        "movl {call_tag}(%ecx), %edx",
        "call 2f",
        ".byte 0x0f, 0x1f, 0x80",
        ".long {end}",
        "movl %eax, %ecx",
        "pushl %edx",
        "lfence",
        "rdtsc",
        "movl %eax, {after}(%ebx)",
        "popl %edx",
        "popl %ebx",
        "2: ret",
        begin = const mark::BEGIN,
        end = const mark::END,
        before = const offset_of!(Stamps, before),
        after = const offset_of!(Stamps, after),
        selector = const offset_of!(Stamps, selector),
        call_tag = const offset_of!(Stamps, tag),
        options(att_syntax),
    )
}

/// Reads the byte at `address` between two stamps.
#[unsafe(naked)]
pub unsafe extern "C" fn stamped_read(address: usize, stamps: *mut Stamps) {
    naked_asm!(
        "pushl %ebx",
        "movl 8(%esp), %ebx",
        "movl 12(%esp), %ecx",
        "lfence",
        "rdtsc",
        "lfence",
        "movl %eax, {before}(%ecx)",
        ".byte 0x0f, 0x1f, 0x80",
        ".long {begin}",
        "movb (%ebx), %dl",
        ".byte 0x0f, 0x1f, 0x80",
        ".long {end}",
        "lfence",
        "rdtsc",
        "movl %eax, {after}(%ecx)",
        "popl %ebx",
        "ret",
        begin = const mark::BEGIN,
        end = const mark::END,
        before = const offset_of!(Stamps, before),
        after = const offset_of!(Stamps, after),
        options(att_syntax),
    )
}
