//! What foreign threads of trials execute.

use core::arch::naked_asm;

use lilliput_runtime::Word;
use lilliput_runtime::bench::ROUNDS;
use lilliput_runtime::bench::foreign::{self as bench, Callers};
use lilliput_runtime::mark;
use lilliput_runtime::trial::foreign::{REGISTERS, STOP, Way};

/// Where a foreign thread begins that enters so. There is no SYSENTER from 64-bit code.
pub fn routine(way: Way) -> [Word; 2] {
    let start = match way {
        Way::Interrupt | Way::Sysenter => by_interrupt,
        Way::Syscall => by_syscall,
        Way::Own => by_own_interrupt,
        Way::Storage => between_reads,
        Way::StorageSyscall => between_reads_by_syscall,
    };
    [start as *const () as Word, 0]
}

/// Loads registers, enters, stores them and the flags, and asks for its stop, again and again. The stack is its own, and it is alone in its routine.
macro_rules! routine {
    ($name:ident, $($line:literal),+) => {
        #[unsafe(naked)]
        extern "C" fn $name() -> ! {
            naked_asm!(
                "2:",
                "lea rsp, [rip + {stack} + 1024]",
                "mov rax, [rip + {registers} + 3*8]",
                "mov rbx, [rip + {registers} + 4*8]",
                "mov rcx, [rip + {registers} + 5*8]",
                "mov rdx, [rip + {registers} + 6*8]",
                "mov rsi, [rip + {registers} + 7*8]",
                "mov rdi, [rip + {registers} + 8*8]",
                "mov rbp, [rip + {registers} + 9*8]",
                "mov r8, [rip + {registers} + 10*8]",
                "mov r9, [rip + {registers} + 11*8]",
                "mov r10, [rip + {registers} + 12*8]",
                "mov r11, [rip + {registers} + 13*8]",
                "mov r12, [rip + {registers} + 14*8]",
                "mov r13, [rip + {registers} + 15*8]",
                "mov r14, [rip + {registers} + 16*8]",
                "mov r15, [rip + {registers} + 17*8]",
                "push qword ptr [rip + {registers} + 2*8]",
                "popfq",
                $($line,)+
                "mov [rip + {registers} + 1*8], rsp",
                "mov [rip + {registers} + 3*8], rax",
                "mov [rip + {registers} + 4*8], rbx",
                "mov [rip + {registers} + 5*8], rcx",
                "mov [rip + {registers} + 6*8], rdx",
                "mov [rip + {registers} + 7*8], rsi",
                "mov [rip + {registers} + 8*8], rdi",
                "mov [rip + {registers} + 9*8], rbp",
                "mov [rip + {registers} + 10*8], r8",
                "mov [rip + {registers} + 11*8], r9",
                "mov [rip + {registers} + 12*8], r10",
                "mov [rip + {registers} + 13*8], r11",
                "mov [rip + {registers} + 14*8], r12",
                "mov [rip + {registers} + 15*8], r13",
                "mov [rip + {registers} + 16*8], r14",
                "mov [rip + {registers} + 17*8], r15",
                "pushfq",
                "pop qword ptr [rip + {registers} + 2*8]",
                "mov eax, {stop}",
                "int 0x80",
                "jmp 2b",
                registers = sym REGISTERS,
                stack = sym STACK,
                stop = const STOP,
            )
        }
    };
}

static STACK: [core::sync::atomic::AtomicU64; 128] = [const { core::sync::atomic::AtomicU64::new(0) }; 128];

routine!(by_interrupt, "int 0x80");
routine!(by_syscall, "syscall");
routine!(by_own_interrupt, "int 0x40");
routine!(
    between_reads,
    "mov esi, fs:[0]",
    "movd xmm5, esi",
    "int 0x80",
    "movd xmm6, dword ptr fs:[0]",
    "pand xmm5, xmm6",
    "movd edi, xmm5"
);
routine!(
    between_reads_by_syscall,
    "mov esi, fs:[0]",
    "movd xmm5, esi",
    "syscall",
    "movd xmm6, dword ptr gs:[0]",
    "pand xmm5, xmm6",
    "movd edi, xmm5"
);

/// Calls between two stamps, as often as is asked for; then asks for its stop, and begins anew. RBX, RBP and R12 are kept.
macro_rules! caller {
    ($name:ident, $line:literal, $first:literal then $second:literal $(, $operand:ident)?) => {
        #[unsafe(naked)]
        extern "C" fn $name() -> ! {
            naked_asm!(
                "2:",
                "xor ebx, ebx",
                "lea rbp, [rip + {stamps}]",
                "lea r12, [rip + {calls}]",
                "3:",
                "lfence",
                $first,
                "lfence",
                "mov [rbp + rbx * 4], eax",
                ".byte 0x0f, 0x1f, 0x80",
                ".long {begin}",
                "mov eax, {call}",
                $line,
                ".byte 0x0f, 0x1f, 0x80",
                ".long {end}",
                "lfence",
                $second,
                "mov [rbp + rbx * 4 + 4 * {rounds}], eax",
                "inc ebx",
                "cmp ebx, [r12]",
                "jb 3b",
                "mov eax, {stop}",
                $line,
                "jmp 2b",
                begin = const mark::BEGIN,
                end = const mark::END,
                stamps = sym bench::STAMPS,
                calls = sym bench::CALLS,
                rounds = const ROUNDS,
                call = const bench::CALL,
                stop = const bench::STOP,
                $($operand = sym bench::COUNTER,)?
            )
        }
    };
}

caller!(calls_by_interrupt, "int 0x80", "rdtsc" then "rdtsc");
caller!(calls_by_syscall, "syscall", "rdtsc" then "rdtsc");

/// The same by a performance counter: as in the other stubs that read one (`stamps.rs`), one instruction more stands behind the first reading, and four before the second. There
/// is no stack.
macro_rules! counted {
    ($name:ident, $line:literal) => {
        caller!(
            $name,
            $line,
            "mov ecx, [rip + {counter}]\nlfence\nrdpmc\nnop" then "nop\nnop\nmov ecx, [rip + {counter}]\nlfence\nrdpmc",
            counter
        );
    };
}

counted!(counted_by_interrupt, "int 0x80");
counted!(counted_by_syscall, "syscall");

/// Those that read the time-stamp counter, and those that read a performance counter.
pub const CALLERS: Callers = [[calls_by_interrupt, calls_by_syscall], [counted_by_interrupt, counted_by_syscall]];
