//! The stubs that measure: an operation between two readings of the time-stamp counter, or of a performance counter.
//!
//! What lies between the readings beside the operation is fixed and counted, see
//! [`lilliput_runtime::machine::Stamps`]: change both together.

use core::arch::naked_asm;
use core::mem::offset_of;

use lilliput_abi::layout;
use lilliput_runtime::Message;
use lilliput_runtime::machine::Stamps;
use lilliput_runtime::mark;

/// The stubs, by what takes a reading: into EAX, with EDX lost, and ECX as it was.
macro_rules! stubs {
    (
        $call:ident by $call_first:literal then $call_second:literal,
        $nothing:ident by $nothing_first:literal then $nothing_second:literal,
        $read:ident by $read_first:literal then $read_second:literal,
        $($operand:tt)*
    ) => {
        /// A system call between two stamps, which hold selector and tag.
        ///
        /// ECX, which a call loses, carries the stamps' address in and the status past the second reading; the tag
        /// goes there by the stack. The arguments begin at 20 behind four registers, and at 24 behind the tag.
        #[unsafe(naked)]
        pub unsafe extern "C" fn $call(message: *mut Message, stamps: *mut Stamps) -> u32 {
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
                $call_first,
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
                $call_second,
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
                $($operand)*
                options(att_syntax),
            )
        }

        /// What [`stamped_call`] does between its stamps, with a call to a bare return in place of the entry page.
        #[unsafe(naked)]
        pub unsafe extern "C" fn $nothing(stamps: *mut Stamps) {
            naked_asm!(
                "pushl %ebx",
                "movl 8(%esp), %ecx",
                "movl %ecx, %ebx",
                "lfence",
                $nothing_first,
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
                $nothing_second,
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
                $($operand)*
                options(att_syntax),
            )
        }

        /// Reads the byte at `address` between two stamps.
        #[unsafe(naked)]
        pub unsafe extern "C" fn $read(address: usize, stamps: *mut Stamps) {
            naked_asm!(
                "pushl %ebx",
                "movl 8(%esp), %ebx",
                "movl 12(%esp), %ecx",
                "lfence",
                $read_first,
                "lfence",
                "movl %eax, {before}(%ecx)",
                ".byte 0x0f, 0x1f, 0x80",
                ".long {begin}",
                "movb (%ebx), %dl",
                ".byte 0x0f, 0x1f, 0x80",
                ".long {end}",
                "lfence",
                $read_second,
                "movl %eax, {after}(%ecx)",
                "popl %ebx",
                "ret",
                begin = const mark::BEGIN,
                end = const mark::END,
                before = const offset_of!(Stamps, before),
                after = const offset_of!(Stamps, after),
                $($operand)*
                options(att_syntax),
            )
        }
    };
}

stubs! {
    stamped_call by "rdtsc" then "rdtsc",
    stamped_nothing by "rdtsc" then "rdtsc",
    stamped_read by "rdtsc" then "rdtsc",
}

// The same by a performance counter. In each of them one instruction stands behind the first reading, which the other does not have, and four before the
// second, of which the fence is one, as RDPMC waits for nothing (Intel SDM vol. 2).
stubs! {
    counted_call
        by "pushl %ecx\nmovl {counter}(%ecx), %ecx\nlfence\nrdpmc\npopl %ecx"
        then "pushl %ecx\nmovl 32(%esp), %ecx\nmovl {counter}(%ecx), %ecx\nlfence\nrdpmc\npopl %ecx",
    counted_nothing
        by "pushl %ecx\nmovl {counter}(%ecx), %ecx\nlfence\nrdpmc\npopl %ecx"
        then "pushl %ecx\nmovl %ebx, %ecx\nmovl {counter}(%ecx), %ecx\nlfence\nrdpmc\npopl %ecx",
    counted_read
        by "pushl %ecx\nmovl {counter}(%ecx), %ecx\nlfence\nrdpmc\npopl %ecx"
        then "pushl %ecx\nmovl %ecx, %edx\nmovl {counter}(%edx), %ecx\nlfence\nrdpmc\npopl %ecx",
    counter = const offset_of!(Stamps, counter),
}
