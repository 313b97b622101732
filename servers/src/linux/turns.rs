//! The server's turns: each answers a program's call and takes the next message. Calls whose answers are known are answered here, between two system calls of the server's own, with
//! their words in the registers that they came in.

use core::arch::naked_asm;
use core::mem::offset_of;

use lilliput_abi::foreign::{self, INTERRUPT_LABEL, SYSCALL_LABEL, SYSENTER_LABEL};
use lilliput_abi::{Operation, Selector, Tag};
use lilliput_linux::Known;
use lilliput_linux::known::{NUMBERS, ROW, THREADS};
use lilliput_runtime::{Message, Word};

/// Gives a program its registers, which are the first words of `message`, and takes the next message where the last one came from, until one is something else than a call whose
/// answer is known; then `message` is that, and its status word the result. Only the words that a program's system call has are taken over.
pub fn answer(known: &Known, message: &mut Message) -> u32 {
    // SAFETY: the function reads the table, reads and writes the message, and keeps what the C ABI wants kept.
    unsafe { turns(message, known) }
}

/// A system call takes and returns every register but the stack pointer. Those that the caller wants back are pushed once for all turns; the two pointers lie on the stack.
///
/// What came is in EAX (the badge, or an error, which is above all badges), EDX (the tag), and the words' registers, of which R8 is EAX of a 32-bit program and RBX is RAX of
/// a 64-bit one. `int 0x80` of a 64-bit program is not answered here, and numbers are compared with all 64 bits, so that none has bits above that are left out.
#[unsafe(naked)]
unsafe extern "C" fn turns(message: *mut Message, known: *const Known) -> u32 {
    naked_asm!(
        lilliput_user64::push_kept!(),
        "push rdi",
        "push rsi",
        "mov rcx, rdi",
        "mov rbx, [rcx + {words}]",
        "mov rsi, [rcx + {words} + 1*8]",
        "mov rdi, [rcx + {words} + 2*8]",
        "mov rbp, [rcx + {words} + 3*8]",
        "mov r8, [rcx + {words} + 4*8]",
        "mov r9, [rcx + {words} + 5*8]",
        "mov r10, [rcx + {words} + 6*8]",
        "2:",
        "mov eax, {selector}",
        "syscall",
        "cmp edx, {interrupt}",
        "jne 4f",
        "cmp eax, {threads}",
        "ja 6f",
        "mov r11, [rsp]",
        "lea r12d, [rax*{row}]",
        "cmp dword ptr [r11 + r12*4 + {rows}], 0",
        "jne 6f",
        "3:",
        "cmp r8, {numbers}",
        "jae 6f",
        "movzx ecx, byte ptr [r11 + r8 + {narrow}]",
        "jrcxz 6f",
        "add ecx, r12d",
        "mov r8d, [r11 + rcx*4 + {rows}]",
        "jmp 2b",
        // By `syscall` or `sysenter`, of a program of either width.
        "4:",
        "cmp edx, {syscall}",
        "je 5f",
        "cmp edx, {sysenter}",
        "jne 6f",
        "5:",
        "cmp eax, {threads}",
        "ja 6f",
        "mov r11, [rsp]",
        "lea r12d, [rax*{row}]",
        "cmp dword ptr [r11 + r12*4 + {rows}], 0",
        "je 3b",
        "cmp rbx, {numbers}",
        "jae 6f",
        "movzx ecx, byte ptr [r11 + rbx + {wide}]",
        "jrcxz 6f",
        "add ecx, r12d",
        "mov ebx, [r11 + rcx*4 + {rows}]",
        "jmp 2b",
        // Anything else.
        "6:",
        "mov rcx, [rsp + 8]",
        "mov [rcx + {tag}], edx",
        "mov [rcx + {words}], rbx",
        "mov [rcx + {words} + 1*8], rsi",
        "mov [rcx + {words} + 2*8], rdi",
        "mov [rcx + {words} + 3*8], rbp",
        "mov [rcx + {words} + 4*8], r8",
        "mov [rcx + {words} + 5*8], r9",
        "mov [rcx + {words} + 6*8], r10",
        "add rsp, 16",
        lilliput_user64::pop_kept!(),
        "ret",
        selector = const Selector::new(Operation::ReturnReceive, 0).0,
        interrupt = const Tag::new(INTERRUPT_LABEL, foreign::WORDS).0,
        syscall = const Tag::new(SYSCALL_LABEL, foreign::WORDS).0,
        sysenter = const Tag::new(SYSENTER_LABEL, foreign::WORDS).0,
        numbers = const NUMBERS,
        threads = const THREADS,
        row = const ROW,
        narrow = const Known::NARROW,
        wide = const Known::WIDE,
        rows = const Known::ROWS,
        tag = const offset_of!(Message, tag),
        words = const offset_of!(Message, words),
    )
}

const _: () = assert!(size_of::<Word>() == 8 && foreign::WORDS == 7);
// What the registers above are the words of.
const _: () = assert!(foreign::EAX == 4 && foreign::RAX == 0);
