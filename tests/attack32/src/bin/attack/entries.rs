//! Every way into the kernel, with hostile stack pointers, flags and places.

use core::arch::{asm, naked_asm};
use core::sync::atomic::AtomicU32;

use lilliput_abi::{Error, Operation, Selector, Tag};
use lilliput_attack::kit::{self, WITNESSES, parameter};
use lilliput_attack::witness::ECHO;
use lilliput_attack::{Outcome, catcher, must};
use lilliput_user32::runtime::{Endpoint, Invoke, Message, invoke};
use lilliput_user32::{Native, by_interrupt};

use crate::flags::{ALIGNMENT_CHECK, DIRECTION, IDENTIFICATION, NESTED_TASK};
use crate::pages::{PAGE, last, map_code};
use crate::target::{size, target};
use crate::{Routines, steps};

pub const ROUTINES: Routines = &[
    ("int-with-any-stack", || with_any_stack(int_with_stack)),
    ("entry-with-any-stack", entry_with_any_stack),
    ("syscall-of-other-make", syscall_of_other_make),
    ("any-call-with-any-stack", any_call_with_any_stack),
    ("flags-at-int", || with_flags(steps::null_by_int)),
    ("flags-at-entry", || with_flags(steps::null_by_entry)),
    ("int-at-end-of-space", || enter_at_end(&INT, NULL.0, 0)),
    ("entry-at-end-of-space", || enter_at_end(entry_instruction(), NULL.0, 0)),
    ("call-at-end-of-space", call_at_end),
    ("resumed-at-end-of-space", resumed_at_end),
    ("entry-at-end-of-page", entry_at_end_of_page),
    ("start-anywhere", start_anywhere),
    ("entry-page-anywhere", entry_page_anywhere),
    ("prefixed-entry", prefixed_entry),
    ("every-operation", every_operation),
    ("stack-after-entry", stack_after_entry),
    ("preempted-with-any-stack", || with_any_stack(preempted_with_stack)),
    ("preempted-with-any-flags", preempted_with_flags),
    ("fault-storm", fault_storm),
    ("stack-overflow", stack_overflow),
];

const NULL: Selector = Selector::new(Operation::Null, 0);
const INT: [u8; 2] = [0xcd, 0x40];
const SYSCALL: [u8; 2] = [0x0f, 0x05];
/// The value of the fact where SYSCALL is the CPU's own entry.
const BY_SYSCALL: usize = 1;

fn has_syscall() -> bool {
    kit::parameter::<Native>(parameter::ENTRY) == BY_SYSCALL
}

/// SYSCALL where it works.
fn entry_instruction() -> &'static [u8] {
    if has_syscall() { &SYSCALL } else { &INT }
}

/// Stack pointers at all edges, and at what others and the kernel have.
fn stacks() -> [u32; 14] {
    let size = size();
    [
        0,
        1,
        3,
        4,
        size - 1,
        size,
        size + 4,
        target(0),
        target(1),
        0x7fff_ffff,
        0x8000_0000,
        0xc000_0000,
        u32::MAX - 3,
        u32::MAX,
    ]
}

/// Runs an instruction with the stack pointer of the argument, and returns what it is afterwards.
macro_rules! with_stack {
    ($($line:literal),+) => {
        naked_asm!(
            "push ebx",
            "push esi",
            "push edi",
            "push ebp",
            "mov ecx, [esp + 20]",
            "mov [{saved}], esp",
            "mov esp, ecx",
            "mov eax, {null}",
            "xor edx, edx",
            $($line,)+
            "mov eax, esp",
            "mov esp, [{saved}]",
            "pop ebp",
            "pop edi",
            "pop esi",
            "pop ebx",
            "ret",
            saved = sym SAVED,
            null = const NULL.0,
        )
    };
}

/// Where that keeps the stack pointer.
static SAVED: AtomicU32 = AtomicU32::new(0);

#[unsafe(naked)]
unsafe extern "C" fn int_with_stack(stack: u32) -> u32 {
    with_stack!("int 0x40")
}

#[unsafe(naked)]
unsafe extern "C" fn preempted_with_stack(stack: u32) -> u32 {
    with_stack!("mov ecx, 1000000", "2: dec ecx", "jnz 2b")
}

fn with_any_stack(attempt: unsafe extern "C" fn(u32) -> u32) -> Outcome {
    for stack in stacks() {
        // SAFETY: the routine uses no stack while the stack pointer is off, and puts it back.
        let after = unsafe { attempt(stack) };
        must!(Native, after == stack, "the stack pointer {stack:#x} became {after:#x}");
    }
    Ok(())
}

/// The kernel returns to the entry page, and that by ESP, which SYSENTER is told in ECX.
fn entry_with_any_stack() -> Outcome {
    let stack = [0, 1, size(), target(0), target(1), 0x8000_0000, u32::MAX - 1, u32::MAX][kit::variant::<Native>()];
    // SAFETY: the entry page returns by a stack that is not there, which ends this task; where neither is this CPU's entry, the
    // instruction does.
    unsafe {
        if has_syscall() {
            asm!("mov esp, ecx", "syscall", "ud2", in("eax") NULL.0, in("ecx") stack, in("edx") 0, options(noreturn))
        }
        asm!("mov esp, ecx", "sysenter", "ud2", in("eax") NULL.0, in("ecx") stack, in("edx") 0, options(noreturn))
    }
}

/// On AMD, SYSCALL works from 32-bit code and does not on Intel; where it does, it is a system call, which returns by the entry page's
/// RET wherever it is made.
fn syscall_of_other_make() -> Outcome {
    let status: u32;
    // SAFETY: the null call changes the registers declared; the others are message registers, which it gives back.
    unsafe {
        asm!("call 3f", "jmp 4f", "3: syscall", "ud2", "4:", inout("eax") NULL.0 => status, inout("edx") 0 => _, out("ecx") _)
    };
    must!(Native, status == 0, "the status is {status:#x}");
    Ok(())
}

/// A call that blocks, whose answer finds the stack pointer anywhere.
#[unsafe(naked)]
unsafe extern "C" fn echo_with_stack(stack: u32, place: u32) -> u32 {
    naked_asm!(
        "push ebx",
        "push esi",
        "push edi",
        "push ebp",
        "mov ecx, [esp + 20]",
        "mov eax, [esp + 24]",
        "mov [{saved}], esp",
        "mov esp, ecx",
        "mov edx, {tag}",
        "int 0x40",
        "mov eax, esp",
        "mov esp, [{saved}]",
        "pop ebp",
        "pop edi",
        "pop esi",
        "pop ebx",
        "ret",
        saved = sym SAVED,
        tag = const Tag::new(ECHO, 0).0,
    )
}

fn any_call_with_any_stack() -> Outcome {
    for stack in stacks() {
        for place in WITNESSES {
            // SAFETY: the routine uses no stack while the stack pointer is off, and puts it back.
            let after = unsafe { echo_with_stack(stack, place) };
            must!(Native, after == stack, "the stack pointer {stack:#x} became {after:#x}");
        }
    }
    Ok(())
}

/// Flags that mean something to the CPU, but for TF, which has attacks of its own.
pub fn flags() -> u32 {
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
    all[kit::variant::<Native>()] | 2
}

fn with_flags(enter: unsafe extern "C" fn(u32) -> u32) -> Outcome {
    let flags = flags();
    for _ in 0..10 {
        // SAFETY: the routine sets flags that a task may set, and puts them back.
        unsafe { enter(flags) };
        // What the kernel does next must not find them.
        invoke::give_way::<Native>();
        Endpoint::<Native>::at(WITNESSES[0]).request(ECHO, &[1, 2, 3, 4])?;
    }
    Ok(())
}

/// Enters by the last two bytes of the space. SYSCALL goes on at the entry page's RET, INT beyond the end.
fn enter_at_end(instruction: &[u8], selector: u32, tag: u32) -> Outcome {
    map_code(last(), PAGE - 2, instruction)?;
    // SAFETY: the code that was put there makes a system call, and then returns or leaves the space, which ends this task.
    unsafe {
        asm!("push ebx", "push esi", "push edi", "push ebp", "call {}", "pop ebp", "pop edi", "pop esi", "pop ebx",
            in(reg) size() - 2, inout("eax") selector => _, inout("edx") tag => _, out("ecx") _)
    };
    Ok(())
}

fn call_at_end() -> Outcome {
    let place = WITNESSES[kit::variant::<Native>()];
    enter_at_end(entry_instruction(), place, Tag::new(ECHO, 0).0)
}

/// The fault is restarted, and comes again.
fn resumed_at_end() -> Outcome {
    catcher::start::<Native>(&[13, 14], 100)?;
    catcher::be_satisfied();
    enter_at_end(&INT, NULL.0, 0)
}

fn entry_at_end_of_page() -> Outcome {
    let page = size() - 4 * PAGE;
    map_code(page, PAGE - 2, &INT)?;
    // SAFETY: the code that was put there makes the null call and then leaves the page, which ends this task.
    unsafe { asm!("jmp {}", in(reg) page + PAGE - 2, in("eax") NULL.0, in("edx") 0, options(noreturn)) }
}

/// Threads can't start beyond; those that can start where nothing is raise faults, which nobody answers.
fn start_anywhere() -> Outcome {
    let size = size() as usize;
    kit::task::<Native>().set_fault_handler(kit::service::<Native>().place(), 0)?;
    let places = [0, 1, 0xfff, 0x1000, size - 1, size, target(0) as usize, target(1) as usize, 0x8000_0000, usize::MAX];
    for ip in places {
        for sp in places {
            let thread = kit::factory::<Native>().create_thread(kit::task(), kit::SERVER_PRIORITY)?;
            let started = thread.start(ip, sp, [0, 0]);
            let permitted = ip != 0 && ip < size && sp <= size;
            must!(Native, started.is_ok() == permitted, "a thread at {ip:#x}, stack {sp:#x}: {started:?}");
            invoke::give_way::<Native>();
            kit::factory::<Native>().destroy(thread.place())?;
        }
    }
    Ok(())
}

fn entry_page_anywhere() -> Outcome {
    let place = 0x1001 + kit::variant::<Native>();
    // SAFETY: what stands there makes a system call, returns, or raises an exception.
    unsafe {
        asm!("push ebx", "push esi", "push edi", "push ebp", "mov ecx, esp", "call {0}", "pop ebp", "pop edi", "pop esi", "pop ebx",
            in(reg) place, inout("eax") NULL.0 => _, inout("edx") 0 => _, out("ecx") _)
    };
    Ok(())
}

const PREFIXES: [u8; 8] = [0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x2e, 0x64, 0x26];
const INSTRUCTIONS: [[u8; 2]; 3] = [INT, SYSCALL, [0x0f, 0x34]];

/// An entry with a prefix; SYSCALL and SYSENTER return by the stack, INT falls through.
fn prefixed_entry() -> Outcome {
    let variant = kit::variant::<Native>();
    let [first, second] = INSTRUCTIONS[variant / PREFIXES.len()];
    // The instruction; then `add esp, 4` over the return address, and a return.
    map_code(last(), 0, &[PREFIXES[variant % PREFIXES.len()], first, second, 0x83, 0xc4, 0x04, 0xc3])?;
    // SAFETY: the code that was put there makes the null call, or raises an exception.
    unsafe {
        asm!(
            "pushl %ebx", "pushl %esi", "pushl %edi", "pushl %ebp",
            "movl %esp, {saved}",
            "movl {0:e}, %ebp",
            "pushl $2f", "pushl $2f",
            "movl %esp, %ecx",
            "jmpl *%ebp",
            "2: movl {saved}, %esp",
            "popl %ebp", "popl %edi", "popl %esi", "popl %ebx",
            in(reg) last(), saved = sym SAVED, inout("eax") NULL.0 => _, inout("edx") 0 => _, out("ecx") _,
            options(att_syntax),
        )
    };
    Ok(())
}

/// Operations that need no capability.
const IGNORE_INDEX: [Operation; 6] =
    [Operation::Yield, Operation::Null, Operation::Time, Operation::SetDeadline, Operation::Sleep, Operation::Accept];

/// No number of an operation, and no index, leads out of a table.
fn every_operation() -> Outcome {
    // Those that ignore their index, or wait where there is nothing to wait for, are no refusals.
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

fn stack_after_entry() -> Outcome {
    let limit = size() - 1;
    for enter in [Native::invoke as fn(Selector, &mut Message) -> u32, by_interrupt] {
        for selector in [NULL, Selector::new(Operation::Yield, 0), Selector::new(Operation::Call, WITNESSES[0])] {
            enter(selector, &mut Message::new(ECHO, &[]));
            let (found, stack): (u32, u32);
            // SAFETY: reads a selector and its limit; what is pushed is popped.
            unsafe {
                asm!("mov {1:e}, ss", "lsl {0:e}, {1:e}", "push {0:e}", "pop {0:e}", out(reg) found, out(reg) stack)
            };
            must!(Native, found == limit && stack & 0xffff == 0x23, "SS is {stack:#x} with limit {found:#x}");
        }
    }
    Ok(())
}

fn preempted_with_flags() -> Outcome {
    for flags in [DIRECTION | 2, NESTED_TASK | 2, ALIGNMENT_CHECK | 2, IDENTIFICATION | DIRECTION | NESTED_TASK | 2] {
        let after: u32;
        // SAFETY: the flags are put back to what the compiler expects.
        unsafe {
            asm!("push {0:e}", "popfd", "mov ecx, 2000000", "2: dec ecx", "jnz 2b", "pushfd", "pop {0:e}", "push 2", "popfd",
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
        unsafe { asm!("mov es, word ptr [{}]", sym catcher::OPERAND) };
        assert!(catcher::faulted());
    }
    Ok(())
}

fn stack_overflow() -> Outcome {
    // SAFETY: pushes on this task's own stack, until that ends and with it the task.
    unsafe { asm!("2: push eax", "jmp 2b", options(noreturn)) }
}
