//! The stubs that measure: an operation between two readings of the time-stamp counter, or of a performance counter.
//!
//! What lies between the readings beside the operation is fixed and counted, see
//! [`lilliput_runtime::machine::Stamps`]: change both together.

use core::arch::naked_asm;
use core::mem::offset_of;

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
        /// A system call between two stamps: `rdi` the message, `rsi` the stamps, which hold selector and tag.
        ///
        /// RCX and R11, which a call loses, carry the stamps' address in, and status and tag past the second reading.
        #[unsafe(naked)]
        pub unsafe extern "C" fn $call(message: *mut Message, stamps: *mut Stamps) -> u32 {
            naked_asm!(
                crate::push_kept!(),
                "push rsi",
                "push rdi",
                "mov rcx, rsi",
                "mov rbx, [rdi + {words}]",
                "mov rsi, [rdi + {words} + 1*8]",
                "mov rbp, [rdi + {words} + 3*8]",
                "mov r8, [rdi + {words} + 4*8]",
                "mov r9, [rdi + {words} + 5*8]",
                "mov r10, [rdi + {words} + 6*8]",
                "mov r12, [rdi + {words} + 7*8]",
                "mov r13, [rdi + {words} + 8*8]",
                "mov r14, [rdi + {words} + 9*8]",
                "mov r15, [rdi + {words} + 10*8]",
                "mov rdi, [rdi + {words} + 2*8]",
                "lfence",
                $call_first,
                "lfence",
                "mov [rcx + {before}], eax",
                ".byte 0x0f, 0x1f, 0x80",
                ".long {begin}",
                "mov eax, [rcx + {selector}]",
                "mov edx, [rcx + {call_tag}]",
                "syscall",
                ".byte 0x0f, 0x1f, 0x80",
                ".long {end}",
                "mov ecx, eax",
                "mov r11d, edx",
                "lfence",
                $call_second,
                "pop rdx",
                "mov [rdx + {tag}], r11d",
                "mov [rdx + {words}], rbx",
                "mov [rdx + {words} + 1*8], rsi",
                "mov [rdx + {words} + 2*8], rdi",
                "mov [rdx + {words} + 3*8], rbp",
                "mov [rdx + {words} + 4*8], r8",
                "mov [rdx + {words} + 5*8], r9",
                "mov [rdx + {words} + 6*8], r10",
                "mov [rdx + {words} + 7*8], r12",
                "mov [rdx + {words} + 8*8], r13",
                "mov [rdx + {words} + 9*8], r14",
                "mov [rdx + {words} + 10*8], r15",
                "pop rdx",
                "mov [rdx + {after}], eax",
                "mov eax, ecx",
                crate::pop_kept!(),
                "ret",
                tag = const offset_of!(Message, tag),
                words = const offset_of!(Message, words),
                begin = const mark::BEGIN,
                end = const mark::END,
                before = const offset_of!(Stamps, before),
                after = const offset_of!(Stamps, after),
                selector = const offset_of!(Stamps, selector),
                call_tag = const offset_of!(Stamps, tag),
                $($operand)*
            )
        }

        /// What [`stamped_call`] does between its stamps, without the system call: `rdi` the stamps.
        #[unsafe(naked)]
        pub unsafe extern "C" fn $nothing(stamps: *mut Stamps) {
            naked_asm!(
                "lfence",
                $nothing_first,
                "lfence",
                "mov [rdi + {before}], eax",
                ".byte 0x0f, 0x1f, 0x80",
                ".long {begin}",
                "mov eax, [rdi + {selector}]",
                "mov edx, [rdi + {call_tag}]",
                ".byte 0x0f, 0x1f, 0x80",
                ".long {end}",
                "mov ecx, eax",
                "mov r11d, edx",
                "lfence",
                $nothing_second,
                "mov [rdi + {after}], eax",
                "ret",
                begin = const mark::BEGIN,
                end = const mark::END,
                before = const offset_of!(Stamps, before),
                after = const offset_of!(Stamps, after),
                selector = const offset_of!(Stamps, selector),
                call_tag = const offset_of!(Stamps, tag),
                $($operand)*
            )
        }

        /// Reads the byte at `rdi` between two stamps, `rsi`.
        #[unsafe(naked)]
        pub unsafe extern "C" fn $read(address: usize, stamps: *mut Stamps) {
            naked_asm!(
                "lfence",
                $read_first,
                "lfence",
                "mov [rsi + {before}], eax",
                ".byte 0x0f, 0x1f, 0x80",
                ".long {begin}",
                "mov cl, [rdi]",
                ".byte 0x0f, 0x1f, 0x80",
                ".long {end}",
                "lfence",
                $read_second,
                "mov [rsi + {after}], eax",
                "ret",
                begin = const mark::BEGIN,
                end = const mark::END,
                before = const offset_of!(Stamps, before),
                after = const offset_of!(Stamps, after),
                $($operand)*
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
        by "mov r11, rcx\nmov ecx, [rcx + {counter}]\nlfence\nrdpmc\nmov rcx, r11"
        then "push rcx\nmov rcx, [rsp + 16]\nmov ecx, [rcx + {counter}]\nlfence\nrdpmc\npop rcx",
    counted_nothing
        by "mov r11, rdi\nmov ecx, [rdi + {counter}]\nlfence\nrdpmc\nmov rdi, r11"
        then "push rcx\nmov rcx, rdi\nmov ecx, [rcx + {counter}]\nlfence\nrdpmc\npop rcx",
    counted_read
        by "mov r11, rsi\nmov ecx, [rsi + {counter}]\nlfence\nrdpmc\nmov rsi, r11"
        then "push rcx\nmov rcx, rsi\nmov ecx, [rcx + {counter}]\nlfence\nrdpmc\npop rcx",
    counter = const offset_of!(Stamps, counter),
}
