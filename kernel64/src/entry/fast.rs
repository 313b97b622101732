//! The fast path: a call to a server that waits, its answer, and the null call.
//!
//! This is what `lilliput_core::ipc::fast` says, in assembly: all checks first, a marked point of no return, then the
//! commit. A check that fails leaves everything as it was and goes to the general path, which decides by the
//! same rules. Words 0-3 pass through in their registers; nothing else of a thread is stored but where it goes on,
//! since a system call takes and returns every other register. What a thread does follows from links: no states are stored.
//!
//! | register | in | out |
//! | --- | --- | --- |
//! | RAX | selector | badge, or 0 for an answer |
//! | RDX | tag, which is not looked at | the same, 32 bits |
//! | RBX, RSI, RDI, RBP | words 0-3 | the same; 32 bits each if one of the two is small |
//! | RCX, R11 | return address and flags (SYSCALL) | 0 (small), lost (64-bit) |
//! | R8-R10, R12-R15 | no part of the message | 0 (64-bit); a host gets back from its guests what it left in R8 and R12-R15 |
//! | flags | | interrupts on, all others lost |
//!
//! While it runs: RSP = block of the thread that entered, R10 = block of the other, RCX = capability, R9 = endpoint, R11 =
//! scratch. RSP is no stack: every exception that can come here has a stack of its own.
//!
//! Checked: the place is in the table; type, generation and right of the capability in one comparison; somebody waits, alone, and may be
//! handed on, in one comparison that also picks the exit; that words fit a 32-bit receiver. An answer goes to the caller that the thread
//! has, and the thread then waits at its home, if nobody is there.
//!
//! Not looked at, since the gate is closed where it would matter: priorities ([`Cpu::attention`]) and vector registers. Not
//! looked at, since it can't be otherwise: that a home may be received from. Stale afterwards: states ([`Machine::state`]),
//! what the CPU has loaded ([`Loaded::by`]), the account's split in user and kernel (the time up to here is charged to the
//! account "user" of the thread that entered).
//!
//! On exits: a far return takes about half as long as IRETQ (79 against 152 core cycles, ring 3 to 3, on one Zen 3) and restores no flags; STI
//! before it takes effect after it (AMD64 APM vol. 3, STI).
//!
//! [`Cpu::attention`]: lilliput_core::cpu::Cpu::attention
//! [`Machine::state`]: lilliput_core::machine::Machine::state
//! [`Loaded::by`]: lilliput_core::plan::Loaded::by

use core::arch::global_asm;
use core::mem::offset_of;

use lilliput_abi::Operation;
use lilliput_abi::operation::{LONG, OPERATION_SHIFT};
use lilliput_compat32::descriptor::Descriptor;
use lilliput_compat32::gdt::{USER_CODE_ENTRY, USER_DATA_ENTRY};
use lilliput_core::capability::Capability;
use lilliput_core::cpu::Cpu;
use lilliput_core::endpoint::{Endpoint, Queue};
use lilliput_core::plan::Loaded;
use lilliput_core::registers::FLAGS;
use lilliput_core::slab::Object;
use lilliput_core::thread::{Account, Frame, Gate, Home, Kind, Thread, class};
use x86_64::registers::control::Cr0Flags;

use super::system_call;
use crate::cpu::percpu::PerCpu;

unsafe extern "C" {
    /// SYSCALL from 64-bit code (LSTAR).
    pub safe fn lilliput_syscall64();
    /// SYSCALL from compatibility mode (CSTAR).
    pub safe fn lilliput_syscall32();
    /// SYSENTER.
    pub safe fn lilliput_sysenter();
}

/// The largest class of a small thread that may be handed on; those of others are greater.
const ANY_SMALL: u32 = class(Kind::Small, u8::MAX);

/// An operation in the selector, without an index.
const fn operation(operation: Operation) -> u64 {
    (operation as u64) << OPERATION_SHIFT
}

const _: () = {
    // A capability's place, scaled; a call's selector is the bare index, and a long message's none.
    assert!(size_of::<Capability>() == 1 << 4);
    assert!(Operation::Call as u32 == 0 && LONG == 1 << 31);
    assert!(offset_of!(Queue, head) == 0);
    // Two descriptors and a frame follow each other: what is popped.
    assert!(offset_of!(Thread, code_descriptor) == offset_of!(Thread, data_descriptor) + 8);
    assert!(offset_of!(Thread, frame) == offset_of!(Thread, code_descriptor) + 8);
    assert!(size_of::<Frame>() == 4 * 8);
    // Classes by which exits are picked.
    assert!(ANY_SMALL < class(Kind::Host, 0) && class(Kind::Host, u8::MAX) < class(Kind::Wide, 0));
};

global_asm!(
    r#"
# ---- Entry ---------------------------------------------------------------------------------------------------

# SYSCALL from compatibility mode. The return address is not kept: whoever enters goes on at the entry page's return, hence enters there.
.macro ENTER_SMALL
    swapgs
    mov r11d, esp
    mov rsp, gs:[{current}]
    mov [rsp + {sp}], r11
.endm

# SYSCALL from 64-bit code. R11 = the user's stack pointer.
.macro ENTER_WIDE
    swapgs
    mov r11, rsp
    mov rsp, gs:[{current}]
    mov [rsp + {ip}], rcx
    mov [rsp + {sp}], r11
.endm

# ---- Checks --------------------------------------------------------------------------------------------------

# A call by the capability at place EAX, which is in the table. RCX = capability, R9 = endpoint, R10 = who is first in its queue, or
# nobody, R11D = its class.
.macro CHECK_CALL general
    mov ecx, eax
    shl ecx, 4
    add rcx, [rsp + {capabilities}]
    movsxd r9, dword ptr [rcx + {object}]
    mov r11d, [rcx + {key}]
    cmp r11d, [r9 + {endpoint_key}]
    jne \general
    movsxd r10, dword ptr [r9 + {queue}]
    mov r11d, [r10 + {class}]
.endm

# An answer goes on at the thread's home. R9 = that, where nobody is.
.macro CHECK_HOME general
    movsxd r9, dword ptr [rsp + {gate_home}]
    cmp dword ptr [r9 + {queue}], {nobody}
    jne \general
.endm

# R10 = the caller, or nobody, R11D = its class.
.macro CALLER
    movsxd r10, dword ptr [rsp + {caller}]
    mov r11d, [r10 + {class}]
.endm

# Whether the words of a 64-bit sender fit a 32-bit receiver.
.macro FITS general
    mov r11, rbx
    or r11, rsi
    or r11, rdi
    or r11, rbp
    shr r11, 32
    jnz \general
.endm

# ---- Commit --------------------------------------------------------------------------------------------------

# The receiver takes the message of the thread that entered, which waits for its answer. EAX = badge.
.macro COMMIT_CALL link
    # Point of no return.
    mov dword ptr [r9 + {queue}], {nobody}
    mov [r10 + \link], esp
    mov [rsp + {server}], r10d
    mov gs:[{current}], r10
    EXCHANGE
    mov eax, [rcx + {badge}]
.endm

# The caller gets its answer; the thread that entered is alone at its home. EAX = 0.
.macro COMMIT_REPLY link
    # Point of no return.
    mov [r9 + {queue}], esp
    mov dword ptr [rsp + \link], {nobody}
    mov gs:[{current}], r10
    EXCHANGE
    xor eax, eax
.endm

# The time until now is charged to the thread that entered, and from now on to the other. The time slice goes along.
.macro EXCHANGE
    mov r9d, edx
    rdtsc
    shl rdx, 32
    or rax, rdx
    add [rsp + {user_ticks}], rax
    sub [r10 + {user_ticks}], rax
    inc qword ptr [rsp + {exchanges}]
    mov edx, r9d
.endm

# ---- Exit ----------------------------------------------------------------------------------------------------

# How often CR3 is written and data segment registers are loaded, in a kernel that was built to tell.
.macro COUNT what, times
    .if {counting}
    add qword ptr gs:[\what], \times
    .endif
.endm

# The root of the thread in R10.
.macro ROOT
    mov rcx, [r10 + {cr3}]
    mov cr3, rcx
    COUNT {cr3_writes}, 1
.endm

# The same, unless it is that of the thread that entered.
.macro ROOT_IF_OTHER
    mov rcx, [r10 + {cr3}]
    cmp rcx, [rsp + {cr3}]
    je 9f
    mov cr3, rcx
    COUNT {cr3_writes}, 1
9:
.endm

# Both descriptors of the thread in R10. RSP = its frame.
.macro DESCRIPTORS
    lea rsp, [r10 + {data_descriptor}]
    pop qword ptr gs:[{gdt_data}]
    pop qword ptr gs:[{gdt_code}]
.endm

# R8 and R12-R15 may be a host's, for whom they stay as they are while its guests run.
.macro CLEAR_KEPT
    xor r8d, r8d
    xor r12d, r12d
    xor r13d, r13d
    xor r14d, r14d
    xor r15d, r15d
.endm

# To the small thread in R10, whose root is in force. GS is loaded after the last use of the kernel's.
.macro LEAVE_SMALL label
    DESCRIPTORS
    COUNT {segment_loads}, 4
    mov ds, word ptr [rsp + {frame_ss}]
    mov es, word ptr [rsp + {frame_ss}]
    mov fs, word ptr [rsp + {frame_ss}]
    swapgs
    mov gs, word ptr [rsp + {frame_ss}]
    xor ecx, ecx
    sti
    .globl \label
\label:
    retfq
.endm

# To the guest in R10 of the host that entered: its root is in force and its segments are loaded, but for code.
.macro LEAVE_TO_GUEST label
    lea rsp, [r10 + {code_descriptor}]
    pop qword ptr gs:[{gdt_code}]
    swapgs
    xor ecx, ecx
    sti
    .globl \label
\label:
    retfq
.endm

# To the host in R10 of the small thread that entered, whose root and segments stay. Of a 64-bit code descriptor only the upper half counts.
.macro LEAVE_TO_HOST
    mov dword ptr gs:[{gdt_code} + 4], {code64_upper}
    mov rcx, [r10 + {ip}]
    mov r11d, {flags}
    mov rsp, [r10 + {sp}]
    xor r9d, r9d
    xor r10d, r10d
    swapgs
    sysretq
.endm

# To the 64-bit thread in R10 from another one: 64-bit mode ignores DS and ES, and what FS and GS have is no task's.
.macro LEAVE_WIDE
    mov rcx, [r10 + {ip}]
    mov r11d, {flags}
    mov rsp, [r10 + {sp}]
    xor r9d, r9d
    xor r10d, r10d
    CLEAR_KEPT
    swapgs
    sysretq
.endm

# To the 64-bit thread in R10 from a small one or a host: the bases of FS and GS are a small task's.
.macro LEAVE_WIDE_WITH_SEGMENTS
    ROOT
    DESCRIPTORS
    COUNT {segment_loads}, 2
    mov fs, word ptr [rsp + {frame_ss}]
    swapgs
    mov gs, word ptr [rsp + {frame_ss}]
    mov rcx, [rsp]
    mov r11d, {flags}
    mov rsp, [rsp + {frame_sp}]
    xor r9d, r9d
    xor r10d, r10d
    CLEAR_KEPT
    sysretq
.endm

# To the host in R10 from a 64-bit thread of another root. It is noted what is loaded: it can't be told from who runs.
.macro LEAVE_TO_OTHER_HOST
    ROOT
    xor r9d, r9d
    NOTE
    LEAVE_WIDE
.endm

# Notes for the host in R10 what is loaded: root RCX, segments of task R9D, which if any is of its arena.
.macro NOTE
    mov gs:[{loaded_cr3}], rcx
    mov gs:[{loaded_segments}], r9d
    movzx ecx, byte ptr [r10 + {arena}]
    mov gs:[{loaded_arena}], ecx
    mov gs:[{loaded_segments_arena}], ecx
.endm

# A 32-bit sender's words, zero-extended: the upper halves are undefined after compatibility mode (AMD64 APM vol. 1, 3.1.2).
.macro EXTEND
    mov ebx, ebx
    mov esi, esi
    mov edi, edi
    mov ebp, ebp
.endm

# ---- The paths -----------------------------------------------------------------------------------------------

.section .text.lilliput_fast, "ax"
.globl lilliput_syscall32
.type lilliput_syscall32, @function
.balign 64
lilliput_syscall32:
    ENTER_SMALL
lilliput_compat_entry:
    cmp eax, [rsp + {gate_places}]
    jae 20f
    CHECK_CALL lilliput_general32
    cmp r11d, [rsp + {peers}]
    jne 10f
    COMMIT_CALL {caller}
    LEAVE_SMALL lilliput_return_call32
10: cmp r11d, [rsp + {host_peer}]
    jne 11f
    COMMIT_CALL {guest}
    EXTEND
    LEAVE_TO_HOST
11: cmp r11d, {class_wide}
    jne 12f
    COMMIT_CALL {caller}
    EXTEND
    LEAVE_WIDE_WITH_SEGMENTS
12: cmp r11d, {any_small}
    ja lilliput_general32
    COMMIT_CALL {caller}
    ROOT_IF_OTHER
    CLEAR_KEPT
    LEAVE_SMALL lilliput_return_call32_other

20: cmp eax, {reply_receive}
    jne 30f
    CHECK_HOME lilliput_gate32
    CALLER
    cmp r11d, [rsp + {peers}]
    jne 21f
    COMMIT_REPLY {caller}
    LEAVE_SMALL lilliput_return_reply32
21: cmp r11d, {class_wide}
    jne 22f
    COMMIT_REPLY {caller}
    EXTEND
    LEAVE_WIDE_WITH_SEGMENTS
22: cmp r11d, [rsp + {host_peer}]
    jne 23f
    COMMIT_REPLY {caller}
    EXTEND
    mov rcx, [rsp + {cr3}]
    mov r9d, [rsp + {task}]
    NOTE
    LEAVE_TO_HOST
23: cmp r11d, {any_small}
    ja lilliput_general32
    COMMIT_REPLY {caller}
    ROOT_IF_OTHER
    CLEAR_KEPT
    LEAVE_SMALL lilliput_return_reply32_other

30: cmp eax, {null_call}
    jne lilliput_gate32
    xor eax, eax
    xor ecx, ecx
    lea rsp, [rsp + {ip}]
    swapgs
    sti
    .globl lilliput_return_null32
lilliput_return_null32:
    retfq

.globl lilliput_syscall64
.type lilliput_syscall64, @function
.balign 64
lilliput_syscall64:
    ENTER_WIDE
lilliput_wide_entry:
    cmp eax, [rsp + {gate_places}]
    jae 50f
    CHECK_CALL lilliput_general64
    cmp r11d, [rsp + {peers}]
    jne 40f
    COMMIT_CALL {caller}
    ROOT_IF_OTHER
    LEAVE_WIDE
40: cmp r11d, {any_small}
    ja 41f
    FITS lilliput_general64
    COMMIT_CALL {caller}
    ROOT
    CLEAR_KEPT
    LEAVE_SMALL lilliput_return_call64
41: shr r11d, 8
    cmp r11d, {kind_host}
    jne lilliput_general64
    COMMIT_CALL {caller}
    LEAVE_TO_OTHER_HOST

50: cmp eax, {reply_receive}
    jne 60f
    CHECK_HOME lilliput_gate64_short
    movsxd r10, dword ptr [rsp + {guest}]
    cmp r10d, {nobody}
    je 51f
    COMMIT_REPLY {guest}
    LEAVE_TO_GUEST lilliput_return_guest
51: CALLER
    cmp r11d, [rsp + {peers}]
    jne 52f
    COMMIT_REPLY {caller}
    ROOT_IF_OTHER
    LEAVE_WIDE
52: cmp r11d, {any_small}
    ja 53f
    FITS lilliput_general64
    COMMIT_REPLY {caller}
    ROOT
    CLEAR_KEPT
    LEAVE_SMALL lilliput_return_reply64
53: cmp r11d, {class_wide}
    jne 54f
    COMMIT_REPLY {caller}
    LEAVE_WIDE_WITH_SEGMENTS
54: shr r11d, 8
    cmp r11d, {kind_host}
    jne lilliput_general64
    cmp byte ptr [rsp + {kind}], {kind_host}
    je lilliput_general64
    COMMIT_REPLY {caller}
    LEAVE_TO_OTHER_HOST

60: cmp eax, {null_call}
    jne lilliput_gate64
    xor eax, eax
    mov rsp, r11
    mov r11d, {flags}
    swapgs
    sysretq

# SYSENTER keeps nothing and clears IF only (Intel SDM vol. 2, SYSENTER): the entry page passes the stack pointer in ECX, the
# return address is fixed, and NT, TF, AC and DF arrive as the user left them. A single step that was pending is
# taken at the first instruction, on the stack of #DB, whose handler clears TF; the POPFQ clears the rest. 64-bit code can come
# here too, and is not believed: the general path takes it for hostile.
.globl lilliput_sysenter
.type lilliput_sysenter, @function
.balign 64
lilliput_sysenter:
    swapgs
    mov rsp, gs:[{kernel_stack_top}]
    push 2
    popfq
    mov rsp, gs:[{current}]
    mov ecx, ecx
    mov [rsp + {sp}], rcx
    cmp byte ptr [rsp + {kind}], {kind_small}
    je lilliput_compat_entry

# ---- To the general path -------------------------------------------------------------------------------------

# The registers follow in the block of the thread that entered, whose frame is stored already.
lilliput_general32:
    lea rsp, [rsp + {registers_end}]
    push rax
    push rdx
    sub rsp, 7 * 8
    jmp {general32}

# The host's guest becomes its caller. R8 = the root in force: the guest's, or else what was noted.
.macro RECEIVE_GUEST
    mov r8, gs:[{loaded_cr3}]
    movsxd r11, dword ptr [rsp + {guest}]
    cmp r11d, {nobody}
    je 8f
    mov r8, [r11 + {cr3}]
    mov [rsp + {caller}], r11d
    mov dword ptr [rsp + {guest}], {nobody}
8:
.endm

# A call or an answer of a thread that could use vector registers: if that is why its gate is closed, the next one must not use them
# (CR0.TS), and it is tried again. Everything else is for the general path.
.macro OPEN_GATE general, again
    cmp byte ptr gs:[{vector_enabled}], 0
    je \general
    cmp byte ptr gs:[{attention}], 0
    jne \general
    cmp eax, {reply_receive}
    je 8f
    cmp eax, [rsp + {places}]
    jae \general
8:  mov byte ptr gs:[{vector_enabled}], 0
    mov r11, cr0
    or r11, {task_switched}
    mov cr0, r11
    mov r11d, [rsp + {places}]
    mov [rsp + {gate_places}], r11d
    mov r11d, [rsp + {home}]
    mov [rsp + {gate_home}], r11d
    mov r11, [rsp + {sp}]
    jmp \again
.endm

lilliput_gate32:
    OPEN_GATE lilliput_general32, lilliput_compat_entry

lilliput_gate64_short:
    xor r9d, r9d
    xor r10d, r10d
# R9 and R10 are as they came: they may be part of a long message.
lilliput_gate64:
    cmp byte ptr [rsp + {kind}], {kind_host}
    je lilliput_host_call
    OPEN_GATE lilliput_general64_long, lilliput_wide_entry

# A host calls. Its guest is a caller like others from here on: what the CPU has loaded changes.
lilliput_host_call:
    cmp eax, [rsp + {places}]
    jae lilliput_general64_long
    cmp byte ptr gs:[{vector_enabled}], 0
    jne lilliput_general64_long
    cmp byte ptr gs:[{attention}], 0
    jne lilliput_general64_long
    CHECK_CALL lilliput_general64
    cmp r11d, {class_wide}
    jne 71f
    RECEIVE_GUEST
    COMMIT_CALL {caller}
    LEAVE_WIDE_WITH_SEGMENTS
71: cmp r11d, {any_small}
    ja lilliput_general64
    FITS lilliput_general64
    RECEIVE_GUEST
    COMMIT_CALL {caller}
    # What is loaded was noted by whoever switched to the host, unless its guest came.
    cmp r8, [r10 + {cr3}]
    je 72f
    ROOT
72: CLEAR_KEPT
    LEAVE_SMALL lilliput_return_host_call
lilliput_general64:
    xor r9d, r9d
    xor r10d, r10d
lilliput_general64_long:
    lea rsp, [rsp + {registers_end}]
    push rax
    push rdx
    jmp {general64}
.text
"#,
    counting = const cfg!(feature = "count-switches") as u8,
    current = const offset_of!(PerCpu, cpu) + offset_of!(Cpu, current),
    attention = const offset_of!(PerCpu, cpu) + offset_of!(Cpu, attention),
    vector_enabled = const offset_of!(PerCpu, cpu) + offset_of!(Cpu, vector_enabled),
    loaded_cr3 = const offset_of!(PerCpu, cpu) + offset_of!(Cpu, loaded) + offset_of!(Loaded, cr3),
    loaded_arena = const offset_of!(PerCpu, cpu) + offset_of!(Cpu, loaded) + offset_of!(Loaded, arena),
    loaded_segments = const offset_of!(PerCpu, cpu) + offset_of!(Cpu, loaded) + offset_of!(Loaded, segments),
    loaded_segments_arena = const offset_of!(PerCpu, cpu) + offset_of!(Cpu, loaded) + offset_of!(Loaded, segments_arena),
    kernel_stack_top = const offset_of!(PerCpu, kernel_stack_top),
    cr3_writes = const offset_of!(PerCpu, cr3_writes),
    segment_loads = const offset_of!(PerCpu, segment_loads),
    gdt_code = const offset_of!(PerCpu, gdt) + 8 * USER_CODE_ENTRY,
    gdt_data = const offset_of!(PerCpu, gdt) + 8 * USER_DATA_ENTRY,
    ip = const offset_of!(Thread, frame) + offset_of!(Frame, ip),
    sp = const offset_of!(Thread, frame) + offset_of!(Frame, sp),
    frame_sp = const offset_of!(Frame, sp),
    frame_ss = const offset_of!(Frame, ss),
    registers_end = const offset_of!(Thread, registers) + offset_of!(lilliput_core::thread::Registers, rcx),
    data_descriptor = const offset_of!(Thread, data_descriptor),
    code_descriptor = const offset_of!(Thread, code_descriptor),
    cr3 = const offset_of!(Thread, cr3),
    arena = const offset_of!(Thread, arena),
    task = const offset_of!(Thread, task),
    kind = const offset_of!(Thread, kind),
    class = const Thread::CLASS_OFFSET,
    peers = const offset_of!(Thread, peers),
    host_peer = const offset_of!(Thread, host_peer),
    capabilities = const offset_of!(Thread, capabilities),
    places = const offset_of!(Thread, places),
    home = const offset_of!(Thread, home) + offset_of!(Home, endpoint),
    gate_places = const offset_of!(Thread, gate) + offset_of!(Gate, places),
    gate_home = const offset_of!(Thread, gate) + offset_of!(Gate, home),
    caller = const offset_of!(Thread, caller),
    guest = const offset_of!(Thread, guest),
    server = const offset_of!(Thread, server),
    user_ticks = const offset_of!(Thread, account) + offset_of!(Account, user),
    exchanges = const offset_of!(Thread, account) + offset_of!(Account, exchanges),
    object = const Capability::OBJECT_OFFSET,
    badge = const offset_of!(Capability, badge),
    key = const offset_of!(Capability, key),
    endpoint_key = const offset_of!(Endpoint, header),
    queue = const offset_of!(Endpoint, queue),
    nobody = const Thread::BASE,
    class_wide = const class(Kind::Wide, 0),
    any_small = const ANY_SMALL,
    kind_small = const Kind::Small as u8,
    kind_host = const Kind::Host as u8,
    code64_upper = const Descriptor::USER_CODE64.0 >> 32,
    flags = const FLAGS,
    reply_receive = const operation(Operation::ReplyReceive),
    null_call = const operation(Operation::Null),
    task_switched = const Cr0Flags::TASK_SWITCHED.bits(),
    general32 = sym system_call::general32,
    general64 = sym system_call::general64,
);
