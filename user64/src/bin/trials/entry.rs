//! Entering the kernel from odd places, by odd ways, with odd registers.

use core::arch::{asm, naked_asm};

use lilliput_abi::{Error, Operation, Rights, Selector};
use lilliput_user64::runtime::trial::partner::ECHO;
use lilliput_user64::runtime::trial::{Outcome, kit};
use lilliput_user64::runtime::{Machine, Message};
use lilliput_user64::{Native, by_interrupt};

/// The trial of this name.
pub fn find(name: &str) -> Option<fn() -> Outcome> {
    Some(match name {
        "entry-by-int" => by_int,
        "entry-with-bad-stack" => with_bad_stack,
        "entry-with-odd-flags" => with_odd_flags,
        "entry-single-stepped" => single_stepped,
        "entry-at-end-of-page" => at_end_of_page,
        "entry-by-sysenter" => by_sysenter,
        "iret-to-virtual-8086" => iret_to_virtual_8086,
        _ => return None,
    })
}

const NULL: Selector = Selector::new(Operation::Null, 0);

/// RFLAGS bits that a program can set and that mean something to the CPU.
const TRAP: u64 = 1 << 8;
const DIRECTION: u64 = 1 << 10;
const NESTED_TASK: u64 = 1 << 14;
const ALIGNMENT_CHECK: u64 = 1 << 18;
const IDENTIFICATION: u64 = 1 << 21;

fn by_int() -> Outcome {
    let sent = Message::new(ECHO, &[1, 2, 3, 4]);
    let mut message = sent;
    let selector = Selector::new(Operation::Call, kit::partner::<Native>().place());
    Error::from_status(by_interrupt(selector, &mut message))?;
    assert_eq!((message.tag, message.payload()), (sent.tag, sent.payload()), "what came back");
    let status = by_interrupt(Selector::new(Operation::Poll, 0), &mut Message::default());
    assert_eq!(Error::from_status(status), Err(Error::BadCapability), "a call that is refused");
    Ok(())
}

fn with_bad_stack() -> Outcome {
    for stack in [0, 1, 8, 0x7fff_ffff_ffff, 1 << 63, 0xffff_ffff_8000_0000, u64::MAX] {
        // SAFETY: the routines use no stack while the stack pointer is off, and put it back.
        let (by_syscall, by_int) = unsafe { (syscall_with_stack(stack), int_with_stack(stack)) };
        assert_eq!(by_syscall, stack, "the stack pointer after `syscall`");
        assert_eq!(by_int, stack, "the stack pointer after `int`");
    }
    Ok(())
}

/// Makes the null call with this stack pointer, and returns what the stack pointer is afterwards.
#[unsafe(naked)]
unsafe extern "C" fn syscall_with_stack(stack: u64) -> u64 {
    // RBX, a message register, comes back from the null call as it went in.
    naked_asm!(
        lilliput_user64::push_kept!(),
        "mov [rip + {saved}], rsp",
        "mov rsp, rdi",
        "mov eax, {null}",
        "xor edx, edx",
        "syscall",
        "mov rax, rsp",
        "mov rsp, [rip + {saved}]",
        lilliput_user64::pop_kept!(),
        "ret",
        saved = sym SAVED,
        null = const NULL.0,
    )
}

/// The same by the interrupt.
#[unsafe(naked)]
unsafe extern "C" fn int_with_stack(stack: u64) -> u64 {
    naked_asm!(
        lilliput_user64::push_kept!(),
        "mov [rip + {saved}], rsp",
        "mov rsp, rdi",
        "mov eax, {null}",
        "xor edx, edx",
        "int 0x40",
        "mov rax, rsp",
        "mov rsp, [rip + {saved}]",
        lilliput_user64::pop_kept!(),
        "ret",
        saved = sym SAVED,
        null = const NULL.0,
    )
}

/// Where the routines above keep the stack pointer.
static SAVED: core::sync::atomic::AtomicU64 = core::sync::atomic::AtomicU64::new(0);

fn with_odd_flags() -> Outcome {
    for flags in [DIRECTION, NESTED_TASK, ALIGNMENT_CHECK, IDENTIFICATION, DIRECTION | NESTED_TASK | ALIGNMENT_CHECK] {
        null_with_flags(flags);
        // Interrupts that come later must not find any of these flags left in the kernel.
        Native::hold_vectors(&mut Default::default(), NULL, &mut Message::default(), 100_000);
    }
    Ok(())
}

fn single_stepped() -> Outcome {
    null_with_flags(TRAP);
    Ok(())
}

/// Makes the null call with these flags set.
fn null_with_flags(flags: u64) {
    // SAFETY: the null call changes registers only, all of which are pushed or declared; the flags are
    // put back to what the compiler expects.
    unsafe {
        asm!(
            lilliput_user64::push_kept!(),
            "push rdi",
            "popfq",
            "syscall",
            "push 2",
            "popfq",
            lilliput_user64::pop_kept!(),
            inout("rax") NULL.0 as u64 => _,
            inout("rdx") 0_u64 => _,
            inout("rdi") flags | 2 => _,
            out("rcx") _, out("rsi") _, out("r8") _, out("r9") _, out("r10") _, out("r11") _,
        );
    }
}

/// `syscall` in the last two bytes of a page, with nothing mapped behind: the kernel returns to the next page.
fn at_end_of_page() -> Outcome {
    let last = kit::SCRATCH + 0x1000 - 4;
    kit::map_scratch::<Native>(Rights::READ | Rights::WRITE)?;
    // nop; nop; syscall
    Native::poke(last, u32::from_le_bytes([0x90, 0x90, 0x0f, 0x05]));
    kit::task::<Native>().unmap(kit::SCRATCH, 1)?;
    kit::map_scratch::<Native>(Rights::READ | Rights::EXECUTE)?;
    // SAFETY: the code that was put there makes the null call and then leaves the page, which ends this task.
    unsafe { asm!("jmp {}", in(reg) last, in("eax") NULL.0, in("edx") 0, options(noreturn)) }
}

fn by_sysenter() -> Outcome {
    // SAFETY: should the kernel take this for a system call of a 32-bit task, it returns somewhere else, if
    // at all: this task ends one way or another.
    unsafe { asm!("sysenter", "ud2", in("eax") NULL.0, in("edx") 0, in("ecx") 0, options(noreturn)) }
}

/// A return from an interrupt with VM set, to a selector that asks for no user's privilege: a CPU refuses the selector, QEMU's
/// TCG changes to that mode, where a selector means something else. Either way this task ends, and nobody else.
fn iret_to_virtual_8086() -> Outcome {
    // SAFETY: the frame leads to an exception, which ends this task.
    unsafe {
        asm!(
            "mov dword ptr [rsp - 40], 0x1000",
            "mov dword ptr [rsp - 36], 0x28",
            "mov dword ptr [rsp - 32], 0x20202",
            "sub rsp, 40",
            "iretd",
            options(noreturn)
        );
    }
}
