//! Every way into the kernel, with hostile stack pointers, flags and selectors.

use core::arch::{asm, naked_asm};
use core::sync::atomic::AtomicU64;

use lilliput_abi::{Error, Operation, Selector, Tag};
use lilliput_attack::kit::{self, WITNESSES, parameter};
use lilliput_attack::witness::ECHO;
use lilliput_attack::{Outcome, catcher, must};
use lilliput_user64::runtime::{Endpoint, Invoke, Message, invoke};
use lilliput_user64::{Native, by_interrupt};

use crate::flags::{ALIGNMENT_CHECK, DIRECTION, IDENTIFICATION, NESTED_TASK};
use crate::pages::{FREE, map_code};
use crate::{Routines, steps};

pub const ROUTINES: Routines = &[
    ("int-with-any-stack", || with_any_stack(int_with_stack)),
    ("syscall-with-any-stack", || with_any_stack(syscall_with_stack)),
    ("sysenter-from-64-bit", sysenter),
    ("any-call-with-any-stack", any_call_with_any_stack),
    ("flags-at-int", || with_flags(steps::null_by_int)),
    ("flags-at-entry", || with_flags(steps::null_by_entry)),
    ("prefixed-entry", prefixed_entry),
    ("wide-selector-word", wide_selector_word),
    ("every-operation", every_operation),
    ("stack-after-entry", stack_after_entry),
    ("preempted-with-any-stack", || with_any_stack(preempted_with_stack)),
    ("preempted-with-any-flags", preempted_with_flags),
    ("fault-storm", fault_storm),
    ("stack-overflow", stack_overflow),
];

const NULL: Selector = Selector::new(Operation::Null, 0);

/// Stack pointers at all edges, and at what others and the kernel have.
fn stacks() -> [u64; 16] {
    let slot = kit::parameter::<Native>(parameter::ABOVE_LINEAR) as u64;
    let host = kit::parameter::<Native>(parameter::HOST) as u64;
    [
        0,
        1,
        7,
        8,
        slot,
        host,
        0x7fff_ffff_ffff,
        0x8000_0000_0000,
        1 << 63,
        0xffff_7fff_ffff_ffff,
        0xffff_8000_0000_0000,
        0xffff_ffff_8000_0000,
        0xffff_ffff_8010_0000,
        0xffff_ffff_f000_0000,
        u64::MAX - 7,
        u64::MAX,
    ]
}

/// Where the stack pointer is kept.
static SAVED: AtomicU64 = AtomicU64::new(0);

/// Runs instructions with the stack pointer of the argument, and returns what it is afterwards. RSI is free.
macro_rules! with_stack {
    ($selector:literal, $tag:expr; $($line:literal),+) => {
        naked_asm!(
            lilliput_user64::push_kept!(),
            "mov [rip + {saved}], rsp",
            "mov rsp, rdi",
            $selector,
            "mov edx, {tag}",
            $($line,)+
            "mov rax, rsp",
            "mov rsp, [rip + {saved}]",
            lilliput_user64::pop_kept!(),
            "ret",
            saved = sym SAVED,
            tag = const $tag,
        )
    };
}

const NO_WORDS: u32 = Tag::new(ECHO, 0).0;
const _: () = assert!(NULL.0 == 0xc00_0000);

#[unsafe(naked)]
unsafe extern "C" fn int_with_stack(stack: u64) -> u64 {
    with_stack!("mov eax, 0xc000000", 0; "int 0x40")
}

#[unsafe(naked)]
unsafe extern "C" fn syscall_with_stack(stack: u64) -> u64 {
    with_stack!("mov eax, 0xc000000", 0; "syscall")
}

#[unsafe(naked)]
unsafe extern "C" fn preempted_with_stack(stack: u64) -> u64 {
    with_stack!("mov eax, 1000000", 0; "2: dec eax", "jnz 2b")
}

#[unsafe(naked)]
unsafe extern "C" fn call_with_stack(stack: u64, place: u32) -> u64 {
    with_stack!("mov eax, esi", NO_WORDS; "syscall")
}

#[unsafe(naked)]
unsafe extern "C" fn call_by_int_with_stack(stack: u64, place: u32) -> u64 {
    with_stack!("mov eax, esi", NO_WORDS; "int 0x40")
}

fn with_any_stack(attempt: unsafe extern "C" fn(u64) -> u64) -> Outcome {
    for stack in stacks() {
        // SAFETY: the routine uses no stack while the stack pointer is off, and puts it back.
        let after = unsafe { attempt(stack) };
        must!(Native, after == stack, "the stack pointer {stack:#x} became {after:#x}");
    }
    Ok(())
}

fn any_call_with_any_stack() -> Outcome {
    for stack in stacks() {
        for place in WITNESSES {
            for attempt in [call_with_stack as unsafe extern "C" fn(u64, u32) -> u64, call_by_int_with_stack] {
                // SAFETY: as above.
                let after = unsafe { attempt(stack, place) };
                must!(Native, after == stack, "the stack pointer {stack:#x} became {after:#x}");
            }
        }
    }
    Ok(())
}

/// SYSENTER, which no 64-bit task has a use for: AMD has none in long mode, and the kernel takes it for hostile.
fn sysenter() -> Outcome {
    let stack = [0, 0x1000, 1 << 63, u64::MAX][kit::variant::<Native>()];
    // SAFETY: the instruction ends this task.
    unsafe {
        asm!("mov rsp, {0}", "mov rcx, {0}", "sysenter", "ud2", in(reg) stack, in("eax") NULL.0, in("edx") 0, options(noreturn))
    }
}

fn with_flags(enter: unsafe extern "C" fn(u64) -> u32) -> Outcome {
    let all = [
        NESTED_TASK,
        ALIGNMENT_CHECK,
        DIRECTION,
        IDENTIFICATION,
        1 << 16,
        DIRECTION | NESTED_TASK,
        ALIGNMENT_CHECK | DIRECTION,
        NESTED_TASK | ALIGNMENT_CHECK | DIRECTION | IDENTIFICATION,
    ];
    let flags = all[kit::variant::<Native>()] | 2;
    for _ in 0..10 {
        // SAFETY: the routine sets flags that a task may set, and puts them back.
        unsafe { enter(flags) };
        // What the kernel does next must not find them.
        invoke::give_way::<Native>();
        Endpoint::<Native>::at(WITNESSES[0]).request(ECHO, &[1, 2, 3, 4])?;
    }
    Ok(())
}

const PREFIXES: [u8; 8] = [0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x2e, 0x64, 0x48];
const INSTRUCTIONS: [[u8; 2]; 3] = [[0xcd, 0x40], [0x0f, 0x05], [0x0f, 0x34]];

fn prefixed_entry() -> Outcome {
    let variant = kit::variant::<Native>();
    let [first, second] = INSTRUCTIONS[variant / PREFIXES.len()];
    map_code(FREE, 0, &[PREFIXES[variant % PREFIXES.len()], first, second, 0xc3])?;
    // SAFETY: the code that was put there makes the null call, or raises an exception.
    unsafe {
        asm!("push rbx", "push rbp", "call {}", "pop rbp", "pop rbx", in(reg) FREE,
            inout("rax") u64::from(NULL.0) => _, inout("rdx") 0_u64 => _, out("rcx") _, out("rsi") _, out("rdi") _,
            out("r8") _, out("r9") _, out("r10") _, out("r11") _, out("r12") _, out("r13") _, out("r14") _, out("r15") _)
    };
    Ok(())
}

/// Calls by a selector word whose upper half is not zero.
fn wide_selector_word() -> Outcome {
    for upper in [1_u64, 0x8000_0000, 0xffff_ffff] {
        for selector in [NULL.0, u32::MAX, 255, 0x00ff_ffff, Selector::new(Operation::Yield, 0).0] {
            let status: u64;
            // SAFETY: neither call touches memory.
            unsafe {
                asm!("push rbx", "push rbp", "syscall", "pop rbp", "pop rbx",
                    inout("rax") upper << 32 | u64::from(selector) => status, inout("rdx") u64::MAX << 32 => _,
                    out("rcx") _, out("rsi") _, out("rdi") _, out("r8") _, out("r9") _, out("r10") _, out("r11") _,
                    out("r12") _, out("r13") _, out("r14") _, out("r15") _)
            };
            let refused = Error::from_status(status as u32).is_err();
            let valid = matches!(Selector(selector).operation(), Some(Operation::Null | Operation::Yield));
            must!(Native, refused != valid && status >> 32 == 0, "selector {selector:#x} gives {status:#x}");
        }
    }
    Ok(())
}

/// Operations that need no capability.
const IGNORE_INDEX: [Operation; 6] =
    [Operation::Yield, Operation::Null, Operation::Time, Operation::SetDeadline, Operation::Sleep, Operation::Accept];

/// No number of an operation, and no index, leads out of a table.
fn every_operation() -> Outcome {
    for operation in 0..=255_u32 {
        for index in [255, 256, 257, 4095, 65_536, 0x80_0000, 0xff_ffff] {
            let selector = Selector(operation << 24 | index);
            let ignores =
                IGNORE_INDEX.iter().any(|&operation| selector.operation() == Some(operation)) && !selector.is_timed();
            for status in
                [Native::invoke(selector, &mut Message::default()), by_interrupt(selector, &mut Message::default())]
            {
                let refused = Error::from_status(status).is_err();
                must!(Native, refused != ignores, "operation {operation:#x} on {index:#x} gives {status:#x}");
            }
        }
    }
    Ok(())
}

/// After SYSRET, SS is the task's data segment, whatever the instruction left in its hidden part.
fn stack_after_entry() -> Outcome {
    for enter in [Native::invoke as fn(Selector, &mut Message) -> u32, by_interrupt] {
        for selector in [NULL, Selector::new(Operation::Yield, 0), Selector::new(Operation::Call, WITNESSES[0])] {
            enter(selector, &mut Message::new(ECHO, &[]));
            let (code, stack): (u32, u32);
            // SAFETY: reads selectors, and loads SS with what it has.
            unsafe { asm!("mov {0:e}, cs", "mov {1:e}, ss", "mov ss, {1:e}", out(reg) code, out(reg) stack) };
            must!(Native, code & 0xffff == 0x2b && stack & 0xffff == 0x23, "CS is {code:#x}, SS is {stack:#x}");
        }
    }
    Ok(())
}

fn preempted_with_flags() -> Outcome {
    for flags in [DIRECTION | 2, NESTED_TASK | 2, ALIGNMENT_CHECK | 2, IDENTIFICATION | DIRECTION | NESTED_TASK | 2] {
        let after: u64;
        // SAFETY: the flags are put back to what the compiler expects.
        unsafe {
            asm!("push {0}", "popfq", "mov ecx, 2000000", "2: dec ecx", "jnz 2b", "pushfq", "pop {0}", "push 2", "popfq",
                inout(reg) flags => after, out("ecx") _)
        };
        must!(Native, after & flags == flags, "flags {flags:#x} became {after:#x}");
    }
    Ok(())
}

fn fault_storm() -> Outcome {
    catcher::start::<Native>(&[13], 1)?;
    for _ in 0..10_000 {
        catcher::arm([0x10, 0, 0, 0, 0], [0x23, 0, 0, 0, 0]);
        // SAFETY: the load faults, and is repaired.
        unsafe { asm!("mov es, word ptr [rip + {}]", sym catcher::OPERAND) };
        assert!(catcher::faulted());
    }
    Ok(())
}

fn stack_overflow() -> Outcome {
    // SAFETY: pushes on this task's own stack, until that ends and with it the task.
    unsafe { asm!("2: push rax", "jmp 2b", options(noreturn)) }
}
