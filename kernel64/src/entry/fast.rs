//! The fast path: a call to a server that waits, its answer, and the null call; messages of up to eight words; a page fault, which is a
//! call as well, and its answer; a signal that wakes a thread of a higher priority; a caller that is put aside, and its answer.
//!
//! | file | what |
//! | --- | --- |
//! | `fast/macros.s` | the stages: entry, checks, commit, exit |
//! | `fast/exchange.s` | call, answer and null call of both widths; the ways to the general path |
//! | `fast/long.s` | call and answer with words 4-7, between 64-bit tasks |
//! | `fast/signal.s` | a signal |
//! | `fast/fault.s` | a page fault and its answer |
//! | `fast/foreign.s` | a foreign thread's system call, and its answer |
//! | `fast/kept.s` | a foreign thread that its host puts aside, and its answer |
//! | `fast/vector.s` | the use of vector registers that hold the thread's state already |
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
//! Not looked at, since the gate is closed where it would matter: priorities ([`Cpu::attention`]), vector registers, and what is loaded for one
//! thread alone ([`Loaded::local`]): nobody is taken over who has such segments, nor does anybody enter who has them or could leave them to another
//! than the one who has them; but a foreign thread, which goes to a host, and comes back from there. Its own call opens the gate that vector registers closed, by CR0.TS. Not looked at, since it can't be otherwise: that a home may be received from. Stale afterwards: states ([`Machine::state`]),
//! what the CPU has loaded ([`Loaded::by`]), the account's split in user and kernel (the time up to here is charged to the
//! account "user" of the thread that entered).
//!
//! On exits: a far return takes about half as long as IRETQ (79 against 152 core cycles, ring 3 to 3, on one Zen 3) and restores no flags; STI
//! before it takes effect after it (AMD64 APM vol. 3, STI).
//!
//! [`Cpu::attention`]: lilliput_core::cpu::Cpu::attention
//! [`Machine::state`]: lilliput_core::machine::Machine::state
//! [`Loaded::local`]: lilliput_core::plan::Loaded::local
//! [`Loaded::by`]: lilliput_core::plan::Loaded::by

use core::arch::global_asm;
use core::mem::offset_of;

use lilliput_abi::fault::FAULT_LABEL;
use lilliput_abi::foreign::{self, ANSWER, INTERRUPT_LABEL, SYSCALL_LABEL, SYSENTER_LABEL};
use lilliput_abi::layout::TLS_SELECTOR;
use lilliput_abi::operation::{LONG, OPERATION_SHIFT};
use lilliput_abi::tag::{LONG_WORDS, SHORT_WORDS};
use lilliput_abi::{ObjectType, Operation, Rights, Tag};
use lilliput_compat32::descriptor::Descriptor;
use lilliput_compat32::gdt::{TLS_ENTRY, USER_CODE_ENTRY, USER_DATA_ENTRY};
use lilliput_core::alarm::{Alarm, NEVER};
use lilliput_core::budget::Budget;
use lilliput_core::capability::Capability;
use lilliput_core::cpu::Cpu;
use lilliput_core::endpoint::{Endpoint, NOTIFICATIONS, Notification, Queue};
use lilliput_core::ipc::fast::FAULTED;
use lilliput_core::plan::Loaded;
use lilliput_core::registers::{FLAGS, NEVER_OF_A_USER};
use lilliput_core::reply::{REPLIES, Reply};
use lilliput_core::scheduler::ReadyQueue;
use lilliput_core::slab::Object;
use lilliput_core::task::Task;
use lilliput_core::thread::{
    Account, Fault, Frame, Gate, Home, Interrupted, Kind, LOCAL_ROOT, Obstacles, Registers, State, Thread, Ways, class,
};
use x86_64::registers::control::Cr0Flags;

use super::{exit, system_call, trap};
use crate::cpu::percpu::PerCpu;

unsafe extern "C" {
    /// SYSCALL from 64-bit code (LSTAR).
    pub safe fn lilliput_syscall64();
    /// SYSCALL from compatibility mode (CSTAR).
    pub safe fn lilliput_syscall32();
    /// SYSENTER.
    pub safe fn lilliput_sysenter();
    /// The gate of page faults.
    pub safe fn lilliput_page_fault();
    /// The gate of #NM.
    pub safe fn lilliput_device_not_available();
    /// The gate of `int 0x80`.
    pub safe fn lilliput_foreign_interrupt();
}

/// The largest class of a small thread that may be handed on; those of others are greater, as is that of one with segments of its own.
const ANY_SMALL: u32 = class(Kind::Small, LOCAL_ROOT - 1);
/// A whole class: of a 64-bit thread that waits for the answer to its fault.
const FAULTED_WIDE: u32 = (of_kind(Kind::Wide, FAULTED) as u32) << 8;

/// Kind and obstacles of a thread: its class but for the root.
const fn of_kind(kind: Kind, obstacles: Obstacles) -> u16 {
    kind as u16 | (obstacles.bits() as u16) << 8
}

/// An operation in the selector, without an index.
const fn operation(operation: Operation) -> u64 {
    (operation as u64) << OPERATION_SHIFT
}

const _: () = {
    // A capability's place, scaled; a call's selector is the bare index, and a long message's none.
    assert!(size_of::<Capability>() == 1 << 4);
    assert!(Operation::Call as u32 == 0 && LONG == 1 << 31);
    // A host's long answer to who is kept is compared with a null call without an overflow, and is less.
    assert!(operation(Operation::ReplyKept) >= operation(Operation::Null));
    // What a signal's selector has above its place is taken off by one subtraction.
    assert!(operation(Operation::Signal) < LONG as u64);
    // What comes after a null call is told from what is before by a signed comparison.
    assert!(
        Operation::ReturnReceive as u32 > Operation::Null as u32
            && Operation::ReplyReceive as u32 <= Operation::Null as u32
    );
    assert!(offset_of!(Thread, obstacles) == offset_of!(Thread, kind) + 1);
    // Who is above is foreign.
    assert!(Ways::Foreign as u8 == Ways::OwnHost as u8 + 1);
    assert!(offset_of!(Queue, head) == 0);
    // Two descriptors and a frame follow each other: what is popped.
    assert!(offset_of!(Thread, code_descriptor) == offset_of!(Thread, data_descriptor) + 8);
    assert!(offset_of!(Thread, frame) == offset_of!(Thread, code_descriptor) + 8);
    assert!(size_of::<Frame>() == 4 * 8);
    // Compared together.
    assert!(offset_of!(Cpu, vector_enabled) == offset_of!(Cpu, attention) + 1);
    assert!(offset_of!(Cpu, has_local) == offset_of!(Cpu, attention) + 2);
    assert!(offset_of!(Cpu, preempted) == offset_of!(Cpu, attention) + 4);
    // Looked at together.
    assert!(size_of::<lilliput_core::local::Local>() == 2 * 8);
    // Classes by which exits are picked.
    assert!(ANY_SMALL < class(Kind::Host, 0) && class(Kind::Host, u8::MAX) < class(Kind::Wide, 0));
};

global_asm!(
    include_str!("fast/macros.s"),
    include_str!("fast/exchange.s"),
    include_str!("fast/long.s"),
    include_str!("fast/signal.s"),
    include_str!("fast/fault.s"),
    include_str!("fast/foreign.s"),
    include_str!("fast/kept.s"),
    include_str!("fast/vector.s"),
    counting = const cfg!(feature = "count-switches") as u8,
    accounting = const !cfg!(feature = "without-accounting") as u8,
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
    registers_end = const offset_of!(Thread, registers) + offset_of!(Registers, rcx),
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
    home = const offset_of!(Thread, fast_home),
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
    local_root = const LOCAL_ROOT,
    faulted_wide = const FAULTED_WIDE,
    only_vectors = const 1 << 8,
    kind_small = const Kind::Small as u8,
    kind_host = const Kind::Host as u8,
    code64_upper = const Descriptor::USER_CODE64.0 >> 32,
    flags = const FLAGS,
    reply_receive = const operation(Operation::ReplyReceive),
    return_receive = const operation(Operation::ReturnReceive),
    null_call = const offset_of!(Thread, null_call),
    ways = const offset_of!(Thread, ways),
    own32 = const Ways::Own32 as u8,
    own_host = const Ways::OwnHost as u8,
    foreign = const Ways::Foreign as u8,
    task_switched = const Cr0Flags::TASK_SWITCHED.bits(),
    preempted = const offset_of!(PerCpu, cpu) + offset_of!(Cpu, preempted),
    preempted_at = const offset_of!(PerCpu, cpu) + offset_of!(Cpu, preempted_at),
    occupied = const offset_of!(PerCpu, cpu) + offset_of!(Cpu, ready) + offset_of!(ReadyQueue, occupied),
    ready_queues = const offset_of!(PerCpu, cpu) + offset_of!(Cpu, ready) + offset_of!(ReadyQueue, queues),
    notification = const NOTIFICATIONS as i64 - Endpoint::BASE as i64,
    notification_key = const offset_of!(Notification, header),
    waiters = const offset_of!(Notification, waiters),
    type_notification = const ObjectType::Notification as u8,
    right_send = const Rights::SEND.bits(),
    next = const offset_of!(Thread, next),
    priority = const offset_of!(Thread, priority),
    state = const offset_of!(Thread, state),
    state_ready = const State::Ready as u8,
    switches = const offset_of!(Thread, account) + offset_of!(Account, switches),
    faults = const offset_of!(Thread, account) + offset_of!(Account, faults),
    registers = const offset_of!(Thread, registers),
    tag = const offset_of!(Thread, registers) + offset_of!(Registers, tag),
    status = const offset_of!(Thread, registers) + offset_of!(Registers, status),
    rcx = const offset_of!(Thread, registers) + offset_of!(Registers, rcx),
    r11 = const offset_of!(Thread, registers) + offset_of!(Registers, r11),
    interrupted_ip = const offset_of!(Thread, interrupted) + offset_of!(Interrupted, ip),
    interrupted_flags = const offset_of!(Thread, interrupted) + offset_of!(Interrupted, flags),
    interrupted_sp = const offset_of!(Thread, interrupted) + offset_of!(Interrupted, sp),
    user_flags = const !NEVER_OF_A_USER as u32,
    obstacles = const offset_of!(Thread, obstacles),
    full_frame = const Obstacles::FULL_FRAME.bits(),
    faulted = const FAULTED.bits(),
    raised_vector = const offset_of!(Thread, raised) + offset_of!(Fault, vector),
    raised_code = const offset_of!(Thread, raised) + offset_of!(Fault, code),
    raised_address = const offset_of!(Thread, raised) + offset_of!(Fault, address),
    fault_tag = const Tag::new(FAULT_LABEL, SHORT_WORDS).0,
    label_mask = const 0xffff_0000_u32,
    own_handler = const offset_of!(Thread, fault_handler) + offset_of!(Capability, key),
    task_handler = const offset_of!(Thread, task_handler),
    base = const offset_of!(Thread, base),
    long_words = const LONG_WORDS,
    long = const LONG,
    signal = const operation(Operation::Signal),
    foreign_gate = const offset_of!(Thread, foreign),
    own_badge = const offset_of!(Thread, fault_handler) + offset_of!(Capability, badge),
    home_endpoint = const offset_of!(Thread, home) + offset_of!(Home, endpoint),
    plain_small = const of_kind(Kind::Small, Obstacles::empty()),
    plain_host = const of_kind(Kind::Host, Obstacles::empty()),
    faulted_small = const of_kind(Kind::Small, FAULTED),
    faulted_wide_kind = const of_kind(Kind::Wide, FAULTED),
    kind_wide = const Kind::Wide as u8,
    foreign_vector = const foreign::VECTOR,
    interrupt_tag = const Tag::new(INTERRUPT_LABEL, foreign::WORDS).0,
    syscall_tag = const Tag::new(SYSCALL_LABEL, foreign::WORDS).0,
    sysenter_tag = const Tag::new(SYSENTER_LABEL, foreign::WORDS).0,
    foreign_stub = sym trap::foreign_stub,
    page_fault_stub = sym trap::page_fault_stub,
    device_stub = sym trap::device_stub,
    virtual_8086 = const trap::VM,
    vector_owner = const offset_of!(PerCpu, cpu) + offset_of!(Cpu, vector_owner),
    nowhere = const Endpoint::BASE,
    reply = const REPLIES as i64 - Endpoint::BASE as i64,
    reply_key = const offset_of!(Reply, header),
    reply_caller = const offset_of!(Reply, caller),
    keeper = const offset_of!(Reply, keeper),
    reply_next = const offset_of!(Reply, next),
    reply_previous = const offset_of!(Reply, previous),
    no_reply = const Reply::BASE,
    no_task = const Task::BASE,
    type_reply = const ObjectType::Reply as u8,
    right_receive = const Rights::RECEIVE.bits(),
    // What is left over of 2^32 is added in place of taking it off: a displacement is signed.
    reply_kept = const (1 << 32) - LONG as u64 - operation(Operation::ReplyKept),
    keep_receive = const operation(Operation::KeepReceive),
    answer_tag = const Tag::new(ANSWER, foreign::WORDS).0,
    kept = const offset_of!(Thread, kept),
    task_kept = const offset_of!(Task, kept) as i64 - offset_of!(Task, fault_handler) as i64,
    budget_period = const offset_of!(Thread, budget) + Budget::PERIOD_OFFSET,
    late = const offset_of!(Thread, late),
    turn = const offset_of!(Thread, turn),
    previous = const offset_of!(Thread, previous),
    charged = const offset_of!(Thread, charged),
    local = const offset_of!(Thread, local),
    messages = const offset_of!(Thread, account) + offset_of!(Account, messages),
    queue_tail = const Queue::TAIL_OFFSET,
    alarm = const offset_of!(PerCpu, alarm) + Alarm::SET_OFFSET,
    never = const NEVER as i64,
    whole_turn = const offset_of!(PerCpu, cpu) + offset_of!(Cpu, whole_turn),
    turn_end = const offset_of!(PerCpu, cpu) + offset_of!(Cpu, turn_end),
    payer = const offset_of!(PerCpu, cpu) + offset_of!(Cpu, payer),
    paying = const offset_of!(PerCpu, cpu) + offset_of!(Cpu, paying),
    charged_at = const offset_of!(PerCpu, cpu) + offset_of!(Cpu, charged_at),
    budget_end = const offset_of!(PerCpu, cpu) + offset_of!(Cpu, budget_end),
    has_local = const offset_of!(PerCpu, cpu) + offset_of!(Cpu, has_local),
    loaded_local = const offset_of!(PerCpu, cpu) + offset_of!(Cpu, loaded) + offset_of!(Loaded, local),
    gdt_tls = const offset_of!(PerCpu, gdt) + 8 * TLS_ENTRY,
    tls_selector = const TLS_SELECTOR,
    msr_fs_base = const 0xc000_0100_u32,
    msr_kernel_gs_base = const 0xc000_0102_u32,
    leave = sym exit::leave,
    general32 = sym system_call::general32,
    general64 = sym system_call::general64,
    general_sysenter = sym system_call::general_sysenter,
);
