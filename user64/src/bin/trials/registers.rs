//! Registers: what a thread starts with, what others may see of them, what an interrupt must not change.

use core::arch::{asm, naked_asm};
use core::sync::atomic::{AtomicU64, Ordering};

use lilliput_abi::object::kind;
use lilliput_abi::{Operation, Selector, Tag, layout};
use lilliput_user64::Native;
use lilliput_user64::runtime::trial::partner::ECHO;
use lilliput_user64::runtime::trial::{Outcome, kit};
use lilliput_user64::runtime::{Word, parent, place};

/// The trial of this name.
pub fn find(name: &str) -> Option<fn() -> Outcome> {
    Some(match name {
        "first-registers" => first_registers,
        "registers-after-call" => registers_after_call,
        "interrupted-registers" => interrupted_registers,
        "interrupted-with-bad-stack" => interrupted_with_bad_stack,
        "visible-descriptors" => visible_descriptors,
        _ => return None,
    })
}

/// Names of the registers in [`FOUND`], in their order there.
const NAMES: [&str; 16] =
    ["rax", "rcx", "rdx", "rbx", "rsi", "rdi", "rbp", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "rsp"];

/// What a routine found in the registers, or is to put there.
static FOUND: [AtomicU64; NAMES.len()] = [const { AtomicU64::new(0) }; NAMES.len()];

fn found() -> impl Iterator<Item = (&'static str, u64)> {
    NAMES.into_iter().zip(FOUND.iter().map(|register| register.load(Ordering::SeqCst)))
}

/// Stores all general registers to [`FOUND`].
macro_rules! store_registers {
    () => {
        concat!(
            "mov [rip + {found}], rax\n",
            "mov [rip + {found} + 1*8], rcx\n",
            "mov [rip + {found} + 2*8], rdx\n",
            "mov [rip + {found} + 3*8], rbx\n",
            "mov [rip + {found} + 4*8], rsi\n",
            "mov [rip + {found} + 5*8], rdi\n",
            "mov [rip + {found} + 6*8], rbp\n",
            "mov [rip + {found} + 7*8], r8\n",
            "mov [rip + {found} + 8*8], r9\n",
            "mov [rip + {found} + 9*8], r10\n",
            "mov [rip + {found} + 10*8], r11\n",
            "mov [rip + {found} + 11*8], r12\n",
            "mov [rip + {found} + 12*8], r13\n",
            "mov [rip + {found} + 13*8], r14\n",
            "mov [rip + {found} + 14*8], r15\n",
            "mov [rip + {found} + 15*8], rsp",
        )
    };
}

/// Loads what [`FOUND`] holds into all of them but rsp.
macro_rules! load_registers {
    () => {
        concat!(
            "mov rax, [rip + {found}]\n",
            "mov rcx, [rip + {found} + 1*8]\n",
            "mov rdx, [rip + {found} + 2*8]\n",
            "mov rbx, [rip + {found} + 3*8]\n",
            "mov rsi, [rip + {found} + 4*8]\n",
            "mov rdi, [rip + {found} + 5*8]\n",
            "mov rbp, [rip + {found} + 6*8]\n",
            "mov r8, [rip + {found} + 7*8]\n",
            "mov r9, [rip + {found} + 8*8]\n",
            "mov r10, [rip + {found} + 9*8]\n",
            "mov r11, [rip + {found} + 10*8]\n",
            "mov r12, [rip + {found} + 11*8]\n",
            "mov r13, [rip + {found} + 12*8]\n",
            "mov r14, [rip + {found} + 13*8]\n",
            "mov r15, [rip + {found} + 14*8]",
        )
    };
}

/// Runs the instructions given between loading and storing all registers.
macro_rules! between_load_and_store {
    ($($line:literal),+) => {
        naked_asm!(
            lilliput_user64::push_kept!(),
            load_registers!(),
            $($line,)+
            store_registers!(),
            lilliput_user64::pop_kept!(),
            "ret",
            found = sym FOUND,
        )
    };
}

fn first_registers() -> Outcome {
    const STACK: Word = 0x1234_5678;
    let words = [0x1111_2222_3333_4444, 0x5555_6666_7777_8888];
    let thread = kit::factory::<Native>().create_thread(kit::task(), kit::PRIORITY)?;
    thread.start(note_registers as *const () as Word, STACK, words)?;
    kit::notification::<Native>().wait()?;
    for (name, value) in found() {
        let expected = match name {
            "rbx" => words[0] as u64,
            "rsi" => words[1] as u64,
            "rsp" => STACK as u64,
            "rdx" => Tag::new(0, 2).0 as u64,
            _ => 0,
        };
        assert_eq!(value, expected, "{name} of a new thread");
    }
    Ok(())
}

/// The first instructions of a thread whose stack pointer means nothing.
#[unsafe(naked)]
extern "C" fn note_registers() -> ! {
    naked_asm!(
        store_registers!(),
        "mov eax, {signal}",
        "xor edx, edx",
        "syscall",
        "2: mov eax, {receive}",
        "xor edx, edx",
        "syscall",
        "jmp 2b",
        found = sym FOUND,
        signal = const Selector::new(Operation::Signal, place::NOTIFICATION).0,
        receive = const Selector::new(Operation::Receive, place::SERVICE).0,
    )
}

fn registers_after_call() -> Outcome {
    const OWN: u64 = 0xaaaa_bbbb_0000_0000;
    for (number, register) in FOUND.iter().enumerate() {
        register.store(OWN + number as u64, Ordering::SeqCst);
    }
    FOUND[0].store(kit::partner::<Native>().place() as u64, Ordering::SeqCst);
    FOUND[2].store(Tag::new(ECHO, 0).0 as u64, Ordering::SeqCst);
    // SAFETY: the routine makes a call without words, and keeps what the C ABI wants kept.
    unsafe { call_with_registers() };
    let small = parent::parameter::<Native>(kit::PARTNER_KIND)? as u64 == kind::SMALL;
    for (number, (name, value)) in found().enumerate() {
        let own = OWN + number as u64;
        match name {
            "rsp" => {}
            "rax" => assert_eq!(value, 0, "the status"),
            "rdx" => assert_eq!(value, Tag::new(ECHO, 0).0 as u64, "the tag"),
            "rcx" | "r11" => assert!(value < layout::USER_END, "{name} holds {value:#x}"),
            // What a sender of the same width has in its registers may be seen; what the kernel or a third had may not.
            _ => assert!(!small || value == 0 || value == own || value == own as u32 as u64, "{name} holds {value:#x}"),
        }
    }
    Ok(())
}

#[unsafe(naked)]
unsafe extern "C" fn call_with_registers() {
    between_load_and_store!("syscall")
}

fn interrupted_registers() -> Outcome {
    const ROUNDS: u64 = 30_000_000;
    for (number, register) in FOUND.iter().enumerate() {
        register.store(0x0101_0101_0101_0101 * (number as u64 + 1), Ordering::SeqCst);
    }
    FOUND[1].store(ROUNDS, Ordering::SeqCst);
    // SAFETY: the routine counts RCX down, and keeps what the C ABI wants kept.
    unsafe { spin_with_registers() };
    for (number, (name, value)) in found().enumerate().filter(|(_, (name, _))| *name != "rsp") {
        let expected = if name == "rcx" { 0 } else { 0x0101_0101_0101_0101 * (number as u64 + 1) };
        assert_eq!(value, expected, "{name} after being interrupted");
    }
    Ok(())
}

#[unsafe(naked)]
unsafe extern "C" fn spin_with_registers() {
    between_load_and_store!("2: dec rcx", "jnz 2b")
}

fn interrupted_with_bad_stack() -> Outcome {
    for stack in [0_u64, 8, 1 << 63, 0xffff_ffff_8000_0000] {
        let after: u64;
        // SAFETY: no stack is used while the stack pointer is off; it is put back before anything else.
        unsafe {
            asm!(
                "mov {saved}, rsp",
                "mov rsp, {stack}",
                "2: dec {rounds}",
                "jnz 2b",
                "mov {after}, rsp",
                "mov rsp, {saved}",
                saved = out(reg) _,
                stack = in(reg) stack,
                rounds = inout(reg) 10_000_000_u64 => _,
                after = lateout(reg) after,
            );
        }
        assert_eq!(after, stack, "the stack pointer after being interrupted");
    }
    Ok(())
}

/// The Global Descriptor Table shows a task two descriptors: its own code, which is 64-bit, and data.
fn visible_descriptors() -> Outcome {
    const CODE: u32 = 0x2b;
    const LONG_MODE: u32 = 1 << 21;
    const DEFAULT_32: u32 = 1 << 22;
    for selector in (0..0x200).step_by(8).map(|selector| selector | 3) {
        let (access, visible): (u32, u8);
        // SAFETY: the instruction reads access rights into a register and sets a flag.
        unsafe {
            asm!("xor {0:e}, {0:e}", "lar {0:e}, {1:e}", "setz {2}",
                 out(reg) access, in(reg) selector, out(reg_byte) visible)
        };
        assert_eq!(visible == 1, matches!(selector, 0x23 | CODE), "whether selector {selector:#x} is visible");
        if selector == CODE {
            assert_eq!(access & (LONG_MODE | DEFAULT_32), LONG_MODE, "the code descriptor is {access:#x}");
        }
    }
    Ok(())
}
