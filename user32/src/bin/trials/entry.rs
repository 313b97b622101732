//! Entering the kernel from odd places, by odd ways, with odd registers.

use core::arch::{asm, naked_asm};
use core::sync::atomic::AtomicU32;

use lilliput_abi::object::fact;
use lilliput_abi::{Error, Operation, Rights, Selector, layout};
use lilliput_user32::runtime::trial::partner::ECHO;
use lilliput_user32::runtime::trial::{Outcome, kit};
use lilliput_user32::runtime::{Machine, Message, System, Word, place};
use lilliput_user32::{Native, by_interrupt};

/// The trial of this name.
pub fn find(name: &str) -> Option<fn() -> Outcome> {
    Some(match name {
        "entry-by-int" => by_int,
        "entry-with-bad-stack" => with_bad_stack,
        "entry-page-with-bad-stack" => page_with_bad_stack,
        "entry-elsewhere" => elsewhere,
        "entry-with-odd-flags" => with_odd_flags,
        "entry-single-stepped" => single_stepped,
        "entry-at-end-of-page" => at_end_of_page,
        "entry-at-end-of-space" => at_end_of_space,
        "iret-to-virtual-8086" => iret_to_virtual_8086,
        _ => return None,
    })
}

const NULL: Selector = Selector::new(Operation::Null, 0);
/// The value of [`fact::COMPAT_ENTRY`] where SYSCALL works.
const SYSCALL: u64 = 1;

/// EFLAGS bits that a program can set and that mean something to the CPU.
const TRAP: u32 = 1 << 8;
const DIRECTION: u32 = 1 << 10;
const NESTED_TASK: u32 = 1 << 14;
const ALIGNMENT_CHECK: u32 = 1 << 18;
const IDENTIFICATION: u32 = 1 << 21;

fn enters_by_syscall() -> Result<bool, Error> {
    System::<Native>::at(place::SYSTEM).fact(fact::COMPAT_ENTRY).map(|entry| entry == SYSCALL)
}

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

/// Makes the null call by an instruction, with a stack pointer that means nothing.
macro_rules! with_stack {
    ($entry:literal) => {
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
            $entry,
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

fn with_bad_stack() -> Outcome {
    for stack in [0, 1, 4, kit::SMALL_SIZE, 0x8000_0000, u32::MAX] {
        // SAFETY: the routine uses no stack while the stack pointer is off, and puts it back.
        let by_int = unsafe { int_with_stack(stack) };
        assert_eq!(by_int, stack, "the stack pointer after `int`");
    }
    Ok(())
}

#[unsafe(naked)]
unsafe extern "C" fn int_with_stack(stack: u32) -> u32 {
    with_stack!("int 0x40")
}

/// The CPU's own instruction, made elsewhere than in the entry page, returns by the page all the same.
fn elsewhere() -> Outcome {
    if enters_by_syscall()? {
        let status: u32;
        // SAFETY: the null call gives the message registers back; the return address is that of the call.
        unsafe {
            asm!("call 3f", "jmp 4f", "3: syscall", "ud2", "4:", inout("eax") NULL.0 => status, inout("edx") 0 => _, out("ecx") _)
        };
        assert_eq!(status, 0);
    }
    Ok(())
}

/// The entry page itself needs a stack to return by: without one, it is this task that faults.
fn page_with_bad_stack() -> Outcome {
    // SAFETY: nothing is done behind the jump. The entry page returns by a stack that is not there.
    unsafe {
        asm!("mov esp, 4", "jmp {}", in(reg) layout::ENTRY_PAGE, in("eax") NULL.0, in("edx") 0, options(noreturn))
    }
}

fn with_odd_flags() -> Outcome {
    for flags in [DIRECTION, NESTED_TASK, ALIGNMENT_CHECK, IDENTIFICATION, DIRECTION | NESTED_TASK | ALIGNMENT_CHECK] {
        // SAFETY: as `null_with_flags` says.
        unsafe { null_with_flags(flags | 2) };
        // Interrupts that come later must not find any of these flags left in the kernel.
        Native::hold_vectors(&mut Default::default(), NULL, &mut Message::default(), 100_000);
    }
    Ok(())
}

fn single_stepped() -> Outcome {
    // SAFETY: as `null_with_flags` says; the exception, where there is one, ends this task.
    unsafe { null_with_flags(TRAP | 2) };
    Ok(())
}

/// Makes the null call with these flags set.
///
/// It is safe with flags that a program may set: they are put back to what the compiler expects.
#[unsafe(naked)]
unsafe extern "C" fn null_with_flags(flags: u32) {
    naked_asm!(
        "pushl %ebx",
        "pushl %esi",
        "pushl %edi",
        "pushl %ebp",
        "movl ${null}, %eax",
        "xorl %edx, %edx",
        "pushl 20(%esp)",
        "popfl",
        "call {entry}",
        "pushl $2",
        "popfl",
        "popl %ebp",
        "popl %edi",
        "popl %esi",
        "popl %ebx",
        "ret",
        null = const NULL.0,
        entry = const layout::ENTRY_PAGE,
        options(att_syntax),
    )
}

/// An entry instruction in the last two bytes of a page, with nothing mapped behind: the kernel returns to the next page.
fn at_end_of_page() -> Outcome {
    enter_from_end_of(kit::SCRATCH)
}

/// The same where the space ends.
fn at_end_of_space() -> Outcome {
    enter_from_end_of(kit::SMALL_SIZE as Word - 0x1000)
}

fn enter_from_end_of(page: Word) -> Outcome {
    let last = 0x1000 - 4;
    kit::map_scratch::<Native>(Rights::READ | Rights::WRITE)?;
    Native::poke(kit::SCRATCH + last, u32::from_le_bytes([0x90, 0x90, 0xcd, layout::SYSTEM_CALL_VECTOR]));
    kit::task::<Native>().unmap(kit::SCRATCH, 1)?;
    kit::task::<Native>().map(kit::frames(), page, 0, 1, Rights::READ | Rights::EXECUTE)?;
    // SAFETY: the code that was put there makes the null call and then leaves the page, which ends this task.
    unsafe { asm!("jmp {}", in(reg) page + last, in("eax") NULL.0, in("edx") 0, options(noreturn)) }
}

/// A return from an interrupt with VM set, to a selector that asks for no user's privilege: a CPU refuses the selector, QEMU's
/// TCG changes to that mode, where a selector means something else. Either way this task ends, and nobody else.
fn iret_to_virtual_8086() -> Outcome {
    // SAFETY: the frame leads to an exception, which ends this task.
    unsafe { asm!("push 0x20202", "push 0x28", "push 0x1000", "iretd", options(noreturn)) }
}
