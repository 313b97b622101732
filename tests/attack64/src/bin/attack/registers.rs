//! What others left in general registers.

use core::arch::{asm, naked_asm};
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst};

use lilliput_abi::layout::USER_END;
use lilliput_abi::{Error, Operation, Selector, Tag};
use lilliput_attack::kit::{self, WITNESSES};
use lilliput_attack::witness::{self, CALL_BACK, FILL, FILL_SLOWLY, is_secret};
use lilliput_attack::{Outcome, catcher, must};
use lilliput_user64::Native;
use lilliput_user64::runtime::{Endpoint, Message, Thread, object, place};

use crate::Routines;

pub const ROUTINES: Routines = &[
    ("registers-at-start", at_start),
    ("registers-after-call", after_call),
    ("registers-after-receive", after_receive),
    ("flags-at-start", flags_at_start),
    ("registers-after-refusal", after_refusal),
    ("registers-after-null-call", after_null_call),
    ("registers-after-fault", after_fault),
    ("registers-after-preemption", after_preemption),
    ("upper-halves", upper_halves),
];

/// System calls of threads without a stack: to say that they are done, and to wait for ever.
pub const SIGNAL: u32 = Selector::new(Operation::Signal, place::NOTIFICATION).0;
/// See [`SIGNAL`].
pub const RECEIVE: u32 = Selector::new(Operation::Receive, place::SERVICE).0;

/// The stack pointer of threads without a stack.
const STACK: usize = 0x1234_5678;

const NAMES: [&str; 16] =
    ["rax", "rcx", "rdx", "rbx", "rsi", "rdi", "rbp", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "rsp"];

/// What a routine found in the registers, or is to put there.
static FOUND: [AtomicU64; NAMES.len()] = [const { AtomicU64::new(0) }; NAMES.len()];

fn found() -> impl Iterator<Item = (&'static str, u64)> {
    NAMES.into_iter().zip(FOUND.iter().map(|register| register.load(SeqCst)))
}

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

/// Lets all witnesses fill their registers, the last one of them `last`.
fn fill(last: usize) -> Outcome {
    for number in (0..WITNESSES.len()).filter(|&number| number != last).chain([last]) {
        Endpoint::<Native>::at(WITNESSES[number]).request(FILL, &[])?;
    }
    Ok(())
}

fn at_start() -> Outcome {
    for last in 0..WITNESSES.len() {
        fill(last)?;
        let thread = kit::factory::<Native>().create_thread(kit::task(), kit::PRIORITY)?;
        let words = [0x1111_2222_3333_4444, 0x5555_6666_7777_8888];
        thread.start(note_registers as *const () as usize, STACK, words)?;
        kit::notification::<Native>().wait()?;
        kit::factory::<Native>().destroy(thread.place())?;
        for (name, value) in found() {
            let expected = match name {
                "rbx" => words[0] as u64,
                "rsi" => words[1] as u64,
                "rsp" => STACK as u64,
                "rdx" => u64::from(Tag::new(0, 2).0),
                _ => 0,
            };
            must!(Native, value == expected, "{name} of a new thread is {value:#x}");
        }
    }
    Ok(())
}

/// The first instructions of a thread without a stack.
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
        signal = const SIGNAL,
        receive = const RECEIVE,
    )
}

/// The first instructions of a thread without a stack: asks the witness at the place [`ASKED`] for a call, again and
/// again: it may come before there is who waits for one.
#[unsafe(naked)]
extern "C" fn ask_for_a_call() -> ! {
    naked_asm!(
        "2: mov eax, [rip + {asked}]",
        "mov edx, {tag}",
        "syscall",
        "mov eax, {turn}",
        "xor edx, edx",
        "syscall",
        "jmp 2b",
        tag = const Tag::new(CALL_BACK, 0).0,
        asked = sym ASKED,
        turn = const Selector::new(Operation::Yield, 0).0,
    )
}

/// Enters with zero in all registers but RAX and RDX, and stores them all.
macro_rules! call_and_store {
    ($line:literal) => {
        naked_asm!(
            lilliput_user64::push_kept!(),
            "mov eax, edi",
            "mov edx, esi",
            "xor ecx, ecx",
            "xor ebx, ebx",
            "xor esi, esi",
            "xor edi, edi",
            "xor ebp, ebp",
            "xor r8d, r8d",
            "xor r9d, r9d",
            "xor r10d, r10d",
            "xor r11d, r11d",
            "xor r12d, r12d",
            "xor r13d, r13d",
            "xor r14d, r14d",
            "xor r15d, r15d",
            $line,
            store_registers!(),
            lilliput_user64::pop_kept!(),
            "ret",
            found = sym FOUND,
        )
    };
}

#[unsafe(naked)]
unsafe extern "C" fn call_by_syscall(selector: u32, tag: u32) {
    call_and_store!("syscall")
}

#[unsafe(naked)]
unsafe extern "C" fn call_by_int(selector: u32, tag: u32) {
    call_and_store!("int 0x40")
}

const ENTRIES: [unsafe extern "C" fn(u32, u32); 2] = [call_by_syscall, call_by_int];

/// No register holds a secret. What carries no message holds zero, or in RCX and R11 what SYSRET needs: the task's own
/// instruction pointer and flags.
fn check(doing: &str) {
    for (name, value) in found() {
        must!(Native, !is_secret(value), "{name} holds {value:#x} after {doing}");
        let carries_message = matches!(name, "rax" | "rdx" | "rbx" | "rsi" | "rdi" | "rbp" | "rsp");
        let returns = matches!(name, "rcx" | "r11") && value < USER_END;
        must!(Native, carries_message || returns || value == 0, "{name} holds {value:#x} after {doing}");
        must!(Native, !matches!(name, "rax" | "rdx") || value >> 32 == 0, "{name} holds {value:#x} after {doing}");
    }
}

fn after_call() -> Outcome {
    let variant = kit::variant::<Native>();
    let label = [FILL, FILL_SLOWLY][variant / WITNESSES.len()];
    let place = WITNESSES[variant % WITNESSES.len()];
    for operation in [Operation::Call, Operation::CallNonBlocking] {
        for enter in ENTRIES {
            // SAFETY: the routine makes a call without words, and keeps what the C ABI wants kept.
            unsafe { enter(Selector::new(operation, place).0, Tag::new(label, 0).0) };
            must!(Native, FOUND[0].load(SeqCst) == 0, "the call failed");
            check("a call");
        }
    }
    Ok(())
}

/// Whom the thread below asks.
static ASKED: AtomicU32 = AtomicU32::new(0);

/// A thread that asks this variant's witness for calls.
fn asking() -> Result<Thread<Native>, Error> {
    let thread = kit::factory::<Native>().create_thread(kit::task(), kit::PRIORITY)?;
    ASKED.store(WITNESSES[kit::variant::<Native>()], SeqCst);
    thread.start(ask_for_a_call as *const () as usize, STACK, [0, 0])?;
    Ok(thread)
}

/// A caller's registers arrive no more than an answer's do.
fn after_receive() -> Outcome {
    for enter in ENTRIES {
        for operation in [Operation::Receive, Operation::ReplyReceive] {
            let thread = asking()?;
            // SAFETY: as above.
            unsafe { enter(Selector::new(operation, place::SERVICE).0, 0) };
            must!(Native, FOUND[0].load(SeqCst) == u64::from(kit::BADGE) as _, "nobody called");
            check("a receive");
            kit::factory::<Native>().destroy(thread.place())?;
        }
        object::reply::<Native>(&Message::default())?;
    }
    Ok(())
}

/// A new thread has interrupts on, and no other flag.
fn flags_at_start() -> Outcome {
    static OWN_STACK: [AtomicU64; 8] = [const { AtomicU64::new(0) }; 8];
    for last in 0..WITNESSES.len() {
        fill(last)?;
        let thread = kit::factory::<Native>().create_thread(kit::task(), kit::PRIORITY)?;
        let end = &raw const OWN_STACK as usize + size_of_val(&OWN_STACK);
        thread.start(note_flags as *const () as usize, end, [0, 0])?;
        kit::notification::<Native>().wait()?;
        kit::factory::<Native>().destroy(thread.place())?;
        let flags = FOUND[0].load(SeqCst);
        must!(Native, flags == 0x202, "the flags of a new thread are {flags:#x}");
    }
    Ok(())
}

/// The first instructions of a thread with a small stack.
#[unsafe(naked)]
extern "C" fn note_flags() -> ! {
    naked_asm!(
        "pushfq",
        "pop [rip + {found}]",
        "mov eax, {signal}",
        "xor edx, edx",
        "syscall",
        "2: mov eax, {receive}",
        "xor edx, edx",
        "syscall",
        "jmp 2b",
        found = sym FOUND,
        signal = const SIGNAL,
        receive = const RECEIVE,
    )
}

fn after_refusal() -> Outcome {
    for last in 0..WITNESSES.len() {
        for operation in Operation::ALL {
            fill(last)?;
            for enter in ENTRIES {
                // SAFETY: as above.
                unsafe { enter(Selector::new(operation, 255).0, Tag::new(3, 0).0) };
                check("a refusal");
            }
        }
        // More words than there are registers; a method that there is not.
        for (selector, tag) in
            [(place::SMALL_SERVER, 12), (place::SMALL_SERVER, 5), (place::TASK, 4), (place::TASK, 0xffff_0004)]
        {
            for enter in ENTRIES {
                // SAFETY: as above.
                unsafe { enter(selector, tag) };
                check("a refusal");
            }
        }
    }
    Ok(())
}

fn after_null_call() -> Outcome {
    for operation in [Operation::Null, Operation::Yield] {
        for enter in ENTRIES {
            fill(0)?;
            // SAFETY: as above.
            unsafe { enter(Selector::new(operation, 0).0, 0) };
            for (name, value) in found().filter(|(name, _)| !matches!(*name, "rsp" | "rcx" | "r11")) {
                must!(Native, value == 0, "{name} holds {value:#x} after {operation:?}");
            }
            check("a null call");
        }
    }
    Ok(())
}

/// Registers are what they were, after a fault that was restarted.
fn after_fault() -> Outcome {
    catcher::start::<Native>(&[13], 1)?;
    for round in 1..100_u64 {
        catcher::arm([0x10, 0, 0, 0, 0], [0x23, 0, 0, 0, 0]);
        let before = [round, !round, round << 8, round << 16, !round << 32, round << 40, round << 48, !(round << 56)];
        let [mut a, mut c, mut d, mut r8, mut r10, mut r11, mut r12, mut r15] = before;
        // SAFETY: the load faults, and is repaired.
        unsafe {
            asm!("mov es, word ptr [rip + {}]", sym catcher::OPERAND,
                inout("rax") a, inout("rcx") c, inout("rdx") d, inout("r8") r8, inout("r10") r10, inout("r11") r11,
                inout("r12") r12, inout("r15") r15)
        };
        assert!(catcher::faulted());
        let after = [a, c, d, r8, r10, r11, r12, r15];
        must!(Native, after == before, "registers {before:x?} became {after:x?}");
    }
    Ok(())
}

fn after_preemption() -> Outcome {
    use lilliput_attack::witness::Registers;
    use lilliput_attack64::Long;
    for word in [0, 0x0a11_ce00_0a11_ce00, usize::MAX] {
        must!(Native, Long::hold(word, 3_000_000), "a register changed while others ran");
    }
    let checked = Endpoint::<Native>::at(place::WIDE_SERVER).request(witness::CHECK, &[])?;
    must!(Native, checked.words[0] == 0, "a witness found its registers changed");
    Ok(())
}

/// What 32-bit code leaves in upper halves is undefined (APM vol. 1, 3.1.2), and no affair of a 64-bit receiver.
fn upper_halves() -> Outcome {
    for label in [FILL, FILL_SLOWLY] {
        for enter in ENTRIES {
            fill(2)?;
            // SAFETY: as above.
            unsafe { enter(place::SMALL_SERVER, Tag::new(label, 0).0) };
            for (name, value) in found().filter(|(name, _)| !matches!(*name, "rsp" | "rcx" | "r11")) {
                must!(Native, value >> 32 == 0, "{name} holds {value:#x} after a 32-bit task answered");
            }
        }
    }
    Ok(())
}
