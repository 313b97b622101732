//! What foreign threads of trials execute.

use core::arch::naked_asm;

use lilliput_runtime::Word;
use lilliput_runtime::bench::ROUNDS;
use lilliput_runtime::bench::foreign::{self as bench, Callers};
use lilliput_runtime::mark;
use lilliput_runtime::trial::foreign::{REGISTERS, STOP, Way};

unsafe extern "C" {
    static lilliput_foreign_after_sysenter: u8;
}

/// Where a foreign thread begins that enters so, and where it goes on after SYSENTER.
pub fn routine(way: Way) -> [Word; 2] {
    let start = match way {
        Way::Interrupt => by_interrupt,
        Way::Syscall => by_syscall,
        Way::Sysenter => by_sysenter,
        Way::Own => by_own_interrupt,
        Way::Storage | Way::StorageSyscall => between_reads,
    };
    [start as *const () as Word, &raw const lilliput_foreign_after_sysenter as Word]
}

/// Loads registers, enters, stores them and the flags, and asks for its stop, again and again. The stack is its own, and it is alone in its routine.
macro_rules! routine {
    ($name:ident, $($line:literal),+) => {
        #[unsafe(naked)]
        extern "C" fn $name() -> ! {
            naked_asm!(
                "2:",
                "leal {stack} + 1024, %esp",
                "movl {registers} + 3*4, %eax",
                "movl {registers} + 4*4, %ebx",
                "movl {registers} + 5*4, %ecx",
                "movl {registers} + 6*4, %edx",
                "movl {registers} + 7*4, %esi",
                "movl {registers} + 8*4, %edi",
                "movl {registers} + 9*4, %ebp",
                "pushl {registers} + 2*4",
                "popfl",
                $($line,)+
                "movl %esp, {registers} + 1*4",
                "movl %eax, {registers} + 3*4",
                "movl %ebx, {registers} + 4*4",
                "movl %ecx, {registers} + 5*4",
                "movl %edx, {registers} + 6*4",
                "movl %esi, {registers} + 7*4",
                "movl %edi, {registers} + 8*4",
                "movl %ebp, {registers} + 9*4",
                "pushfl",
                "popl {registers} + 2*4",
                "movl ${stop}, %ebx",
                "int $0x80",
                "jmp 2b",
                registers = sym REGISTERS,
                stack = sym STACK,
                stop = const STOP,
                options(att_syntax),
            )
        }
    };
}

static STACK: [core::sync::atomic::AtomicU32; 256] = [const { core::sync::atomic::AtomicU32::new(0) }; 256];

// Whoever is stepped raises an exception before its call.
routine!(by_interrupt, "nop", "int $0x80");
routine!(by_syscall, "nop", "syscall");
routine!(
    by_sysenter,
    "movl %esp, %ebp",
    "sysenter",
    "ud2",
    ".globl lilliput_foreign_after_sysenter",
    "lilliput_foreign_after_sysenter:"
);
routine!(by_own_interrupt, "int $0x40");
routine!(
    between_reads,
    "movl %gs:0, %esi",
    "movd %esi, %xmm5",
    "int $0x80",
    "movd %gs:0, %xmm6",
    "pand %xmm6, %xmm5",
    "movd %xmm5, %edi"
);

/// Calls between two stamps, as often as is asked for; then asks for its stop, and begins anew. All registers but EAX, and ECX by SYSCALL, are kept.
macro_rules! caller {
    ($name:ident, $line:literal, $first:literal then $second:literal $(, $operand:ident)?) => {
        #[unsafe(naked)]
        extern "C" fn $name() -> ! {
            naked_asm!(
                "2:",
                "xorl %ebp, %ebp",
                "3:",
                "lfence",
                $first,
                "lfence",
                "movl %eax, {stamps}(,%ebp,4)",
                ".byte 0x0f, 0x1f, 0x80",
                ".long {begin}",
                "movl ${call}, %eax",
                $line,
                ".byte 0x0f, 0x1f, 0x80",
                ".long {end}",
                "lfence",
                $second,
                "movl %eax, {stamps} + 4*{rounds}(,%ebp,4)",
                "incl %ebp",
                "cmpl {calls}, %ebp",
                "jb 3b",
                "movl ${stop}, %eax",
                "int $0x80",
                "jmp 2b",
                begin = const mark::BEGIN,
                end = const mark::END,
                stamps = sym bench::STAMPS,
                calls = sym bench::CALLS,
                rounds = const ROUNDS,
                call = const bench::CALL,
                stop = const bench::STOP,
                $($operand = sym bench::COUNTER,)?
                options(att_syntax),
            )
        }
    };
}

caller!(calls_by_interrupt, "int $0x80", "rdtsc" then "rdtsc");
caller!(calls_by_syscall, "syscall", "rdtsc" then "rdtsc");

/// The same by a performance counter: as in the other stubs that read one (`stamps.rs`), one instruction more stands behind the first reading, and four before the second. There
/// is no stack.
macro_rules! counted {
    ($name:ident, $line:literal) => {
        caller!(
            $name,
            $line,
            "movl {counter}, %ecx\nlfence\nrdpmc\nnop" then "nop\nnop\nmovl {counter}, %ecx\nlfence\nrdpmc",
            counter
        );
    };
}

counted!(counted_by_interrupt, "int $0x80");
counted!(counted_by_syscall, "syscall");

/// Those that read the time-stamp counter, and those that read a performance counter.
pub const CALLERS: Callers = [[calls_by_interrupt, calls_by_syscall], [counted_by_interrupt, counted_by_syscall]];
