//! The fast path: a call to a server that waits, its answer, and the null call.
//!
//! This is what `lilliput_core::ipc::fast` says, in assembly: all checks first, a marked point of no return, then the
//! commit. A check that fails leaves everything as it was and goes to the general path, which decides by the
//! same rules. Messages of up to four words pass through in their registers; nothing else of a thread is
//! stored but where it goes on, since a system call takes and returns every other register.
//!
//! | register | in | out |
//! | --- | --- | --- |
//! | RAX | selector | badge, or 0 for an answer |
//! | RDX | tag: at most four words, no flags | the same, 32 bits |
//! | RBX, RSI, RDI, RBP | words 0-3 | the same; 32 bits each if one of the two is small |
//! | RCX, R11 | return address and flags (SYSCALL) | 0 (small), lost (64-bit) |
//! | R8-R10, R12-R15 | no part of the message | 0 (64-bit) |
//!
//! While it runs: RSP = block of the thread that entered, R10 = block of the other, R8 = capability, R9 = offset of the
//! endpoint in its table, RCX and R11 = scratch. RSP is no stack: every exception that can come here has a stack of its own.
//!
//! Checked: the place is in the table; generation, type and right of the capability in one comparison; somebody waits, alone,
//! with nothing pending, on this CPU, and what it waits for, in one comparison that also picks the exit; length and flags of the
//! tag; that words fit a 32-bit receiver; for an answer, that nobody outranks the caller. What may be stale and is not looked at: the accounts' split in user and kernel (the time up to here is
//! charged to the account "user" of the thread that entered).

use core::arch::global_asm;
use core::mem::offset_of;

use lilliput_abi::operation::{INDEX_MASK, OPERATION_SHIFT};
use lilliput_abi::{Operation, Rights};
use lilliput_compat32::entry_page::SYSENTER_RETURN_ADDRESS;
use lilliput_compat32::gdt::{USER_CODE_ENTRY, USER_DATA, USER_DATA_ENTRY};
use lilliput_core::capability::Capability;
use lilliput_core::cpu::Cpu;
use lilliput_core::endpoint::{Endpoint, Queue};
use lilliput_core::plan::Loaded;
use lilliput_core::scheduler::ReadyQueue;
use lilliput_core::thread::{Account, Frame, Kind, State, Thread, readiness};

use x86_64::registers::control::Cr0Flags;

use super::system_call;
use crate::cpu::percpu::PerCpu;
use crate::mm::layout;

unsafe extern "C" {
    /// SYSCALL from 64-bit code (LSTAR).
    pub safe fn lilliput_syscall64();
    /// SYSCALL from compatibility mode (CSTAR).
    pub safe fn lilliput_syscall32();
    /// SYSENTER.
    pub safe fn lilliput_sysenter();
}

/// RFLAGS of a thread that entered by SYSENTER: its own are lost. IF, and bit 1, which is always set.
const SYSENTER_FLAGS: u64 = 0x202;

/// Or-ed to a capability's key, every right but the wanted one is there: then one comparison with the object's key tells.
const fn all_but(right: Rights) -> u64 {
    !(right.bits() as u64) & 0xff
}

/// An operation in the selector, without an index.
const fn operation(operation: Operation) -> u64 {
    (operation as u64) << OPERATION_SHIFT
}

const _: () = {
    // The scale of the index of an endpoint, and a call's selector being the bare index.
    assert!(size_of::<Endpoint>() == 1 << 5 && size_of::<Capability>() == 1 << 4);
    assert!(Operation::Call as u32 == 0 && INDEX_MASK.leading_zeros() == 8);
    // Both ends of a queue in one store; state and frame in another.
    assert!(offset_of!(Queue, head) == 0 && offset_of!(Queue, tail) == 4);
    assert!(offset_of!(Thread, full_frame) == offset_of!(Thread, state) + 1);
    // A thread's registers, descriptors and frame follow each other.
    assert!(offset_of!(Thread, data_descriptor) == offset_of!(Thread, code_descriptor) + 8);
    assert!(offset_of!(Thread, frame) == offset_of!(Thread, data_descriptor) + 8);
};

global_asm!(
    r#"
# ---- Entry ---------------------------------------------------------------------------------------------------

# SYSCALL: notes where the thread goes on. Afterwards RSP is its block, RCX and R11 are free.
.macro ENTER
    swapgs
    mov gs:[{user_sp}], rsp
    mov rsp, gs:[{current}]
    mov [rsp + {ip}], rcx
    mov [rsp + {flags}], r11
    mov rcx, gs:[{user_sp}]
    mov [rsp + {sp}], rcx
.endm

# ---- Checks --------------------------------------------------------------------------------------------------

# R8 = place -> R8 = capability, R9 = offset of its endpoint, whose key must be the capability's with all rights
# but the wanted one added.
.macro LOOK_UP all_but_right, general
    shl r8d, 4
    add r8, [rsp + {capabilities}]
    mov r9d, [r8 + {object}]
    shl r9d, 5
    mov r11, [r8 + {key}]
    or r11, \all_but_right
    cmp r11, [r9 + {endpoints} + {endpoint_key}]
    jne \general
.endm

# ECX = number of a thread -> R10 = its block. Thread 0 is none, and never in a state that is looked for.
.macro BLOCK
    imul r10, rcx, {thread_size}
    add r10, {threads}
.endm

# A call by the capability at place EAX. R8 = capability, R9 = offset of the endpoint, R10 and ECX = block and number of its first
# receiver, behind whom nobody waits, R11 = what that thread is and waits for.
.macro CHECK_CALL general
    mov r8d, eax
    LOOK_UP {all_but_send}, \general
    mov ecx, [r9 + {endpoints} + {receivers}]
    BLOCK
    cmp dword ptr [r10 + {next}], 0
    jne \general
    mov r11d, [r10 + {readiness}]
.endm

# An answer, and then a receive by the capability at place R8. R9 = offset of the endpoint, where nobody waits, R10 and R8 = block and
# number of the caller, whom nobody outranks, R11 = what it is and waits for.
.macro CHECK_REPLY general
    LOOK_UP {all_but_receive}, \general
    mov r11d, [r9 + {endpoints} + {senders}]
    or r11d, [r9 + {endpoints} + {receivers}]
    jnz \general
    mov ecx, [rsp + {caller}]
    BLOCK
    mov r8d, ecx
    movzx ecx, byte ptr [r10 + {priority}]
    mov r11, gs:[{ready_bitmap}]
    shr r11, cl
    shr r11, 1
    jnz \general
    mov r11d, [r10 + {readiness}]
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

# The receiver, ECX, takes the message of the thread that entered, which waits for its answer. EAX = badge.
.macro COMMIT_CALL
    # Point of no return.
    mov qword ptr [r9 + {endpoints} + {receivers}], 0
    mov r11d, gs:[{current_index}]
    mov [r10 + {caller}], r11d
    mov byte ptr [r10 + {state}], {state_ready}
    mov [rsp + {server}], ecx
    mov word ptr [rsp + {state}], {state_awaiting_reply}
    RUN_NEXT
    mov eax, [r8 + {badge}]
.endm

# The caller, R8, gets its answer; the thread that entered is the endpoint's only receiver. EAX = 0.
.macro COMMIT_REPLY
    # Point of no return.
    mov ecx, gs:[{current_index}]
    mov [r9 + {endpoints} + {receivers}], ecx
    mov [r9 + {endpoints} + {receivers} + 4], ecx
    shr r9d, 5
    mov [rsp + {endpoint}], r9d
    mov dword ptr [rsp + {caller}], 0
    mov word ptr [rsp + {state}], {state_receiving}
    mov dword ptr [r10 + {server}], 0
    mov byte ptr [r10 + {state}], {state_ready}
    mov ecx, r8d
    RUN_NEXT
    xor eax, eax
.endm

# The time slice goes over to thread ECX; the time until now is charged to the thread that entered. EDX = tag.
# If that thread has used vector registers since it was switched to, the next one must not: CR0.TS.
.macro RUN_NEXT
    cmp byte ptr gs:[{vector_enabled}], 0
    je 1f
    mov byte ptr gs:[{vector_enabled}], 0
    mov r11, cr0
    or r11, {task_switched}
    mov cr0, r11
1:
    mov gs:[{current_index}], ecx
    mov gs:[{current}], r10
    inc qword ptr [rsp + {messages}]
    inc qword ptr [r10 + {switches}]
    mov r11d, edx
    rdtsc
    shl rdx, 32
    or rax, rdx
    mov rcx, rax
    sub rax, gs:[{stamp}]
    mov gs:[{stamp}], rcx
    add [rsp + {user_ticks}], rax
    mov edx, r11d
.endm

# ---- Exit ----------------------------------------------------------------------------------------------------

# The root that the thread in R10 runs in, unless it is in force.
.macro ROOT
    mov rcx, [r10 + {cr3}]
    cmp rcx, gs:[{loaded_cr3}]
    je 9f
    mov cr3, rcx
    mov gs:[{loaded_cr3}], rcx
    mov ecx, [r10 + {arena}]
    mov gs:[{loaded_arena}], ecx
    inc qword ptr gs:[{cr3_writes}]
9:
.endm

# Both descriptors and DS, ES, FS for the thread in R10; RSP walks from its descriptors to its frame. GS is left to
# the caller: what loads it must run between two SWAPGS, or after the last one. ECX = selector.
.macro SEGMENTS
    lea rsp, [r10 + {code_descriptor}]
    pop qword ptr gs:[{gdt_code}]
    pop qword ptr gs:[{gdt_data}]
    mov ecx, {user_data}
    mov ds, ecx
    mov es, ecx
    mov fs, ecx
    add qword ptr gs:[{segment_loads}], 4
.endm

# To the small task of the thread in R10.
.macro LEAVE_SMALL label
    ROOT
    mov rcx, [r10 + {task}]
    cmp rcx, gs:[{loaded_segments}]
    je 2f
    mov gs:[{loaded_segments}], rcx
    SEGMENTS
    swapgs
    mov gs, ecx
    xor ecx, ecx
    .globl \label
\label:
    iretq
2:  # Its segments are loaded; its host may have run in between.
    lea rsp, [r10 + {code_descriptor}]
    pop qword ptr gs:[{gdt_code}]
    add rsp, 8
    swapgs
    xor ecx, ecx
    .globl \label\()_again
\label\()_again:
    iretq
.endm

# To the 64-bit task of the thread in R10, whose segments are its own by now. It came by a system call,
# hence its address is in the lower half: the last page there is never mapped.
.macro SYSRET
    mov rcx, [r10 + {ip}]
    mov r11, [r10 + {flags}]
    mov rsp, [r10 + {sp}]
    xor r8d, r8d
    xor r9d, r9d
    xor r10d, r10d
    xor r12d, r12d
    xor r13d, r13d
    xor r14d, r14d
    xor r15d, r15d
    swapgs
    sysretq
.endm

# All segments for the thread in R10, GS included.
.macro ALL_SEGMENTS
    mov rcx, [r10 + {task}]
    mov gs:[{loaded_segments}], rcx
    SEGMENTS
    swapgs
    mov gs, ecx
    swapgs
.endm

.macro LEAVE_WIDE
    ROOT
    mov rcx, [r10 + {task}]
    cmp rcx, gs:[{loaded_segments}]
    je 3f
    ALL_SEGMENTS
3:
    SYSRET
.endm

# A host runs on any root of its arena, with whatever segments one of its arena's small tasks left.
.macro LEAVE_HOST
    mov ecx, [r10 + {arena}]
    cmp ecx, gs:[{loaded_arena}]
    je 1f
    ROOT
    mov ecx, [r10 + {arena}]
1:  cmp ecx, gs:[{loaded_segments} + 4]
    je 2f
    ALL_SEGMENTS
    jmp 3f
2:  mov rcx, [r10 + {code_descriptor}]
    mov gs:[{gdt_code}], rcx
3:
    SYSRET
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
    ENTER
lilliput_compat_entry:
    cmp eax, [rsp + {places}]
    jae 20f
    cmp dx, {short_words}
    ja lilliput_general32
    CHECK_CALL lilliput_general32
    cmp r11d, {receiving_small}
    jne 10f
    COMMIT_CALL
    LEAVE_SMALL lilliput_iret_call32
10: cmp r11d, {receiving_host}
    jne 11f
    COMMIT_CALL
    EXTEND
    LEAVE_HOST
11: cmp r11d, {receiving_wide}
    jne lilliput_general32
    COMMIT_CALL
    EXTEND
    LEAVE_WIDE

20: mov r8d, eax
    sub r8d, {reply_receive}
    cmp r8d, [rsp + {places}]
    jae 30f
    cmp dx, {short_words}
    ja lilliput_general32
    CHECK_REPLY lilliput_general32
    cmp r11d, {awaiting_small}
    jne 21f
    COMMIT_REPLY
    LEAVE_SMALL lilliput_iret_reply32
21: cmp r11d, {awaiting_host}
    jne 22f
    COMMIT_REPLY
    EXTEND
    LEAVE_HOST
22: cmp r11d, {awaiting_wide}
    jne lilliput_general32
    COMMIT_REPLY
    EXTEND
    LEAVE_WIDE

30: cmp eax, {null_call}
    jne lilliput_general32
    lea rsp, [rsp + {ip}]
    xor eax, eax
    xor ecx, ecx
    swapgs
    .globl lilliput_iret_null32
lilliput_iret_null32:
    iretq

.globl lilliput_syscall64
.type lilliput_syscall64, @function
.balign 64
lilliput_syscall64:
    ENTER
    # Longer messages need the registers that serve as scratch here.
    cmp dx, {short_words}
    ja lilliput_general64_long
    cmp eax, [rsp + {places}]
    jae 50f
    CHECK_CALL lilliput_general64
    cmp r11d, {receiving_wide}
    jne 40f
    COMMIT_CALL
    LEAVE_WIDE
40: cmp r11d, {receiving_small}
    jne 41f
    FITS lilliput_general64
    COMMIT_CALL
    LEAVE_SMALL lilliput_iret_call64
41: cmp r11d, {receiving_host}
    jne lilliput_general64
    COMMIT_CALL
    LEAVE_HOST

50: mov r8d, eax
    sub r8d, {reply_receive}
    cmp r8d, [rsp + {places}]
    jae 60f
    CHECK_REPLY lilliput_general64
    cmp r11d, {awaiting_small}
    jne 51f
    FITS lilliput_general64
    COMMIT_REPLY
    LEAVE_SMALL lilliput_iret_reply64
51: cmp r11d, {awaiting_wide}
    jne 52f
    COMMIT_REPLY
    LEAVE_WIDE
52: cmp r11d, {awaiting_host}
    jne lilliput_general64
    COMMIT_REPLY
    LEAVE_HOST

60: cmp eax, {null_call}
    jne lilliput_general64
    mov rcx, [rsp + {ip}]
    mov r11, [rsp + {flags}]
    mov rsp, [rsp + {sp}]
    xor eax, eax
    xor r8d, r8d
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
    mov qword ptr [rsp + {ip}], {sysenter_return}
    mov qword ptr [rsp + {flags}], {sysenter_flags}
    cmp byte ptr [rsp + {kind}], {kind_small}
    je lilliput_compat_entry

# ---- To the general path -------------------------------------------------------------------------------------

# The registers follow in the block of the thread that entered, whose frame is stored already. R8-R10 and R11 held the
# kernel's own and are no part of the message.
lilliput_general32:
    lea rsp, [rsp + {registers_end}]
    push rax
    push rdx
    sub rsp, 7 * 8
    jmp {general32}
lilliput_general64:
    xor r8d, r8d
    xor r9d, r9d
    xor r10d, r10d
lilliput_general64_long:
    lea rsp, [rsp + {registers_end}]
    push rax
    push rdx
    jmp {general64}
.text
"#,
    user_sp = const offset_of!(PerCpu, user_sp),
    current = const offset_of!(PerCpu, current),
    kernel_stack_top = const offset_of!(PerCpu, kernel_stack_top),
    cr3_writes = const offset_of!(PerCpu, cr3_writes),
    segment_loads = const offset_of!(PerCpu, segment_loads),
    gdt_code = const offset_of!(PerCpu, gdt) + 8 * USER_CODE_ENTRY,
    gdt_data = const offset_of!(PerCpu, gdt) + 8 * USER_DATA_ENTRY,
    current_index = const offset_of!(PerCpu, cpu) + offset_of!(Cpu, current),
    stamp = const offset_of!(PerCpu, cpu) + offset_of!(Cpu, stamp),
    vector_enabled = const offset_of!(PerCpu, cpu) + offset_of!(Cpu, vector_enabled),
    ready_bitmap = const offset_of!(PerCpu, cpu) + offset_of!(Cpu, ready) + offset_of!(ReadyQueue, occupied),
    loaded_cr3 = const offset_of!(PerCpu, cpu) + offset_of!(Cpu, loaded) + offset_of!(Loaded, cr3),
    loaded_arena = const offset_of!(PerCpu, cpu) + offset_of!(Cpu, loaded) + offset_of!(Loaded, arena),
    loaded_segments = const offset_of!(PerCpu, cpu) + offset_of!(Cpu, loaded) + offset_of!(Loaded, segments),
    ip = const offset_of!(Thread, frame) + offset_of!(Frame, ip),
    flags = const offset_of!(Thread, frame) + offset_of!(Frame, flags),
    sp = const offset_of!(Thread, frame) + offset_of!(Frame, sp),
    registers_end = const offset_of!(Thread, registers) + offset_of!(lilliput_core::thread::Registers, rcx),
    code_descriptor = const offset_of!(Thread, code_descriptor),
    cr3 = const offset_of!(Thread, cr3),
    task = const offset_of!(Thread, task),
    arena = const offset_of!(Thread, arena),
    capabilities = const offset_of!(Thread, capabilities),
    places = const offset_of!(Thread, places),
    kind = const offset_of!(Thread, kind),
    readiness = const offset_of!(Thread, kind),
    state = const offset_of!(Thread, state),
    priority = const offset_of!(Thread, priority),
    caller = const offset_of!(Thread, caller),
    server = const offset_of!(Thread, server),
    endpoint = const offset_of!(Thread, endpoint),
    next = const offset_of!(Thread, next),
    messages = const offset_of!(Thread, account) + offset_of!(Account, messages),
    switches = const offset_of!(Thread, account) + offset_of!(Account, switches),
    user_ticks = const offset_of!(Thread, account) + offset_of!(Account, user),
    thread_size = const size_of::<Thread>(),
    object = const offset_of!(Capability, object),
    badge = const offset_of!(Capability, badge),
    key = const offset_of!(Capability, key),
    endpoint_key = const offset_of!(Endpoint, header),
    senders = const offset_of!(Endpoint, senders),
    receivers = const offset_of!(Endpoint, receivers),
    threads = const layout::THREADS as i64,
    endpoints = const layout::ENDPOINTS as i64,
    user_data = const USER_DATA,
    short_words = const lilliput_abi::tag::SHORT_WORDS,
    all_but_send = const all_but(Rights::SEND),
    all_but_receive = const all_but(Rights::RECEIVE),
    reply_receive = const operation(Operation::ReplyReceive),
    null_call = const operation(Operation::Null),
    task_switched = const Cr0Flags::TASK_SWITCHED.bits(),
    kind_small = const Kind::Small as u8,
    state_ready = const State::Ready as u8,
    state_receiving = const State::Receiving as u8,
    state_awaiting_reply = const State::AwaitingReply as u8,
    receiving_small = const readiness(Kind::Small, State::Receiving),
    receiving_host = const readiness(Kind::Host, State::Receiving),
    receiving_wide = const readiness(Kind::Wide, State::Receiving),
    awaiting_small = const readiness(Kind::Small, State::AwaitingReply),
    awaiting_host = const readiness(Kind::Host, State::AwaitingReply),
    awaiting_wide = const readiness(Kind::Wide, State::AwaitingReply),
    sysenter_return = const SYSENTER_RETURN_ADDRESS,
    sysenter_flags = const SYSENTER_FLAGS,
    general32 = sym system_call::general32,
    general64 = sym system_call::general64,
);
