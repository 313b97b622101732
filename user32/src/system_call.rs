//! The system call stub.

use core::arch::naked_asm;
use core::mem::offset_of;

use lilliput_abi::{Selector, layout};
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

/// Makes a system call by the interrupt, without the entry page.
pub fn by_interrupt(selector: Selector, message: &mut Message) -> u32 {
    // SAFETY: as for `invoke`.
    unsafe { system_call_by_interrupt(selector.0, message) }
}

/// The body of a stub: the message is loaded and stored whole.
///
/// A system call takes and returns every register but the stack pointer, so the ones that the
/// caller wants back are pushed. ECX comes back lost: it holds the message's address before and after.
macro_rules! stub {
    ($entry:literal $(, $page:ident)?) => {
        naked_asm!(
            "pushl %ebx",
            "pushl %esi",
            "pushl %edi",
            "pushl %ebp",
            "movl 20(%esp), %eax",
            "movl 24(%esp), %ecx",
            "movl {tag}(%ecx), %edx",
            "movl {words}(%ecx), %ebx",
            "movl {words}+4(%ecx), %esi",
            "movl {words}+8(%ecx), %edi",
            "movl {words}+12(%ecx), %ebp",
            $entry,
            "movl 24(%esp), %ecx",
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
                $($page = const layout::ENTRY_PAGE,)?
            tag = const offset_of!(Message, tag),
            words = const offset_of!(Message, words),
            // Only this syntax has a direct call to a number.
            options(att_syntax),
        )
    };
}

/// Enters through the kernel's entry page, which does what this CPU offers.
#[unsafe(naked)]
unsafe extern "C" fn system_call(selector: u32, message: *mut Message) -> u32 {
    stub!("call {entry}", entry)
}

#[unsafe(naked)]
unsafe extern "C" fn system_call_by_interrupt(selector: u32, message: *mut Message) -> u32 {
    stub!("int $0x40")
}

const _: () = assert!(size_of::<Word>() == 4 && size_of::<Message>() == 4 + 4 * 4);
