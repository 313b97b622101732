//! What the kernel tells about the system call of a foreign thread.
//!
//! It is a call that the kernel makes on behalf of the thread, to whoever handles its faults. The label says by which instruction; seven
//! words are the registers that such calls have their arguments in. Those are where the thread had them, as far as a message can have them there.

/// Label of a message about `int 0x80`.
pub const INTERRUPT_LABEL: u16 = 0xfffe;
/// Label of a message about `syscall`. RCX and R11 of the thread are what the instruction makes of them.
pub const SYSCALL_LABEL: u16 = 0xfffd;
/// Label of a message about `sysenter`, which a 32-bit thread goes on after with EBP as its stack pointer, at the address that was set.
pub const SYSENTER_LABEL: u16 = 0xfffc;

/// The vector of the system calls that are not the kernel's: for a thread that is not foreign it is a general protection fault, as the
/// kernel's own is for one that is.
pub const VECTOR: u8 = 0x80;

/// How many words the message has. Of a 32-bit thread: EBX, ESI, EDI, EBP, EAX, ECX, EDX. Of a 64-bit one: RAX, RSI, RDI, RDX, R8, R9, R10.
pub const WORDS: u32 = 7;

/// Which word is EAX of a 32-bit thread: the number of the call, and in an answer its result.
pub const EAX: usize = 4;
/// Which word is RAX of a 64-bit thread.
pub const RAX: usize = 0;

/// Label of an answer that sets registers: as long a message as that about the call, whose words go to where those came from. All other
/// registers stay. Labels of answers to a fault mean here what they mean there.
pub const ANSWER: u16 = 2;
