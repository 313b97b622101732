//! Single steps, and debug exceptions that are put off.

use core::arch::{asm, naked_asm};
use core::sync::atomic::Ordering::SeqCst;

use lilliput_abi::{Operation, Selector, Tag};
use lilliput_attack::catcher::{self, FAULTS};
use lilliput_attack::kit::{self, WITNESSES};
use lilliput_attack::witness::ECHO;
use lilliput_attack::{Outcome, escaped, must};
use lilliput_user64::Native;

use crate::Routines;
use crate::flags::TRAP;

/// Sets TF, loads SS, and raises an exception, which the single step is put off into.
macro_rules! behind_mov_ss {
    ($line:literal) => {{
        // SAFETY: the exception ends this task; SS stays what it is.
        unsafe { asm!("push 0x102", "mov eax, ss", "popfq", "mov ss, eax", $line, out("eax") _) };
        escaped!(Native, "the task goes on")
    }};
}

/// Sets TF, and executes the next instruction with it.
macro_rules! stepped_into {
    ($line:literal) => {{
        // SAFETY: the instruction, the step behind it or what follows ends this task.
        unsafe { asm!("push 0x102", "popfq", $line, "ud2", in("eax") NULL, in("ecx") 0, in("edx") 0, options(noreturn)) }
    }};
}

pub const ROUTINES: Routines = &[
    ("stepped-through-int", || stepped(null_by_int)),
    ("stepped-through-entry", || stepped(null_by_entry)),
    ("stepped-through-refusal", || stepped(refused)),
    ("stepped-into-others", stepped_into_others),
    ("stepped-through-calls", stepped_through_calls),
    ("mov-ss-before-int", || stepped(int_behind_mov_ss)),
    ("mov-ss-before-entry", || stepped(entry_behind_mov_ss)),
    ("mov-ss-before-breakpoint", || behind_mov_ss!("int3")),
    ("mov-ss-before-icebp", || behind_mov_ss!(".byte 0xf1")),
    ("mov-ss-before-fault", || behind_mov_ss!("ud2")),
];

const NULL: u32 = Selector::new(Operation::Null, 0).0;

/// Makes a system call with the flags of the argument: EAX and EDX from the constants, and returns the status. The flags
/// are put back to what the compiler expects.
macro_rules! with_flags {
    ($selector:expr, $tag:expr; $($line:literal),+) => {
        naked_asm!(
            lilliput_user64::push_kept!(),
            "mov ecx, ss",
            "mov eax, {selector}",
            "mov edx, {tag}",
            "push rdi",
            "popfq",
            // A step that is there whatever the flags are after a system call, which may lose them.
            "nop",
            $($line,)+
            "push 2",
            "popfq",
            lilliput_user64::pop_kept!(),
            "ret",
            selector = const $selector,
            tag = const $tag,
        )
    };
}

/// The null call by `int`, with these flags. It is safe with flags that a task may set.
#[unsafe(naked)]
pub unsafe extern "C" fn null_by_int(flags: u64) -> u32 {
    with_flags!(NULL, 0; "int 0x40")
}

/// The same by SYSCALL.
#[unsafe(naked)]
pub unsafe extern "C" fn null_by_entry(flags: u64) -> u32 {
    with_flags!(NULL, 0; "syscall")
}

/// A call that is refused as `BadCapability`, which is then made zero.
#[unsafe(naked)]
unsafe extern "C" fn refused(flags: u64) -> u32 {
    with_flags!(Selector::new(Operation::Call, 255).0, 0; "syscall", "sub eax, 0x80000002")
}

#[unsafe(naked)]
unsafe extern "C" fn int_behind_mov_ss(flags: u64) -> u32 {
    with_flags!(NULL, 0; "mov ss, ecx", "int 0x40")
}

#[unsafe(naked)]
unsafe extern "C" fn entry_behind_mov_ss(flags: u64) -> u32 {
    with_flags!(NULL, 0; "mov ss, ecx", "syscall")
}

#[unsafe(naked)]
unsafe extern "C" fn call_small(flags: u64) -> u32 {
    with_flags!(WITNESSES[0], Tag::new(ECHO, 0).0; "syscall")
}

#[unsafe(naked)]
unsafe extern "C" fn call_host(flags: u64) -> u32 {
    with_flags!(WITNESSES[1], Tag::new(ECHO, 0).0; "syscall")
}

#[unsafe(naked)]
unsafe extern "C" fn call_wide(flags: u64) -> u32 {
    with_flags!(WITNESSES[2], Tag::new(ECHO, 0).0; "syscall")
}

/// Enters with TF set, again and again; every step is a fault that is restarted.
fn stepped(enter: unsafe extern "C" fn(u64) -> u32) -> Outcome {
    catcher::start::<Native>(&[1], 1000)?;
    for _ in 0..10 {
        catcher::arm([0; 5], [0; 5]);
        // SAFETY: the steps are caught, and the flags put back.
        let status = unsafe { enter(TRAP | 2) };
        must!(Native, status == 0, "the status is {status:#x}");
        must!(Native, FAULTS.load(SeqCst) > 0, "there was no step");
    }
    Ok(())
}

fn stepped_through_calls() -> Outcome {
    stepped([call_small, call_host, call_wide][kit::variant::<Native>()])
}

fn stepped_into_others() -> Outcome {
    match kit::variant::<Native>() {
        0 => stepped_into!("int3"),
        1 => stepped_into!(".byte 0xcd, 4"),
        2 => stepped_into!("int 0x80"),
        3 => stepped_into!("ud2"),
        4 => stepped_into!(".byte 0xf1"),
        5 => stepped_into!("hlt"),
        6 => stepped_into!("syscall"),
        _ => stepped_into!("sysenter"),
    }
}
