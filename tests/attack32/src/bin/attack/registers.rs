//! What others left in general registers.

use core::arch::{asm, naked_asm};
use core::sync::atomic::{AtomicU32, Ordering::SeqCst};

use lilliput_abi::{Error, Operation, Selector, Tag, layout};
use lilliput_attack::kit::{self, WITNESSES};
use lilliput_attack::witness::{self, CALL_BACK, FILL, FILL_SLOWLY, is_secret};
use lilliput_attack::{Outcome, catcher, must};
use lilliput_user32::Native;
use lilliput_user32::runtime::{Endpoint, Message, Thread, object, place};

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
];

/// System calls of threads without a stack: to say that they are done, and to wait for ever.
pub const SIGNAL: u32 = Selector::new(Operation::Signal, place::NOTIFICATION).0;
/// See [`SIGNAL`].
pub const RECEIVE: u32 = Selector::new(Operation::Receive, place::SERVICE).0;

/// The stack pointer of threads without a stack.
const STACK: usize = 0x1_2344;

const NAMES: [&str; 8] = ["eax", "ecx", "edx", "ebx", "esi", "edi", "ebp", "esp"];

/// What a routine found in the registers.
static FOUND: [AtomicU32; NAMES.len()] = [const { AtomicU32::new(0) }; NAMES.len()];

fn found() -> impl Iterator<Item = (&'static str, u32)> {
    NAMES.into_iter().zip(FOUND.iter().map(|register| register.load(SeqCst)))
}

macro_rules! store_registers {
    () => {
        concat!(
            "movl %eax, {found}\n",
            "movl %ecx, {found}+1*4\n",
            "movl %edx, {found}+2*4\n",
            "movl %ebx, {found}+3*4\n",
            "movl %esi, {found}+4*4\n",
            "movl %edi, {found}+5*4\n",
            "movl %ebp, {found}+6*4\n",
            "movl %esp, {found}+7*4",
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
        let words = [0x1111_2222, 0x3333_4444];
        thread.start(note_registers as *const () as usize, STACK, words)?;
        kit::notification::<Native>().wait()?;
        kit::factory::<Native>().destroy(thread.place())?;
        for (name, value) in found() {
            let expected = match name {
                "ebx" => words[0] as u32,
                "esi" => words[1] as u32,
                "esp" => STACK as u32,
                "edx" => Tag::new(0, 2).0,
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
        "movl ${signal}, %eax",
        "xorl %edx, %edx",
        "int $0x40",
        "2: movl ${receive}, %eax",
        "xorl %edx, %edx",
        "int $0x40",
        "jmp 2b",
        found = sym FOUND,
        signal = const SIGNAL,
        receive = const RECEIVE,
        options(att_syntax),
    )
}

/// The first instructions of a thread without a stack: asks the witness at the place [`ASKED`] for a call, again and
/// again: it may come before there is who waits for one.
#[unsafe(naked)]
extern "C" fn ask_for_a_call() -> ! {
    naked_asm!(
        "2: movl {asked}, %eax",
        "movl ${tag}, %edx",
        "int $0x40",
        "movl ${turn}, %eax",
        "xorl %edx, %edx",
        "int $0x40",
        "jmp 2b",
        tag = const Tag::new(CALL_BACK, 0).0,
        asked = sym ASKED,
        turn = const Selector::new(Operation::Yield, 0).0,
        options(att_syntax),
    )
}

/// Enters by the instructions given, with zero in all registers but EAX and EDX, and stores them all.
macro_rules! call_and_store {
    ($($line:literal),+ $(; $page:ident)?) => {
        naked_asm!(
            "pushl %ebx",
            "pushl %esi",
            "pushl %edi",
            "pushl %ebp",
            "movl 20(%esp), %eax",
            "movl 24(%esp), %edx",
            "xorl %ecx, %ecx",
            "xorl %ebx, %ebx",
            "xorl %esi, %esi",
            "xorl %edi, %edi",
            "xorl %ebp, %ebp",
            $($line,)+
            store_registers!(),
            "popl %ebp",
            "popl %edi",
            "popl %esi",
            "popl %ebx",
            "ret",
            found = sym FOUND,
            $($page = const layout::ENTRY_PAGE,)?
            options(att_syntax),
        )
    };
}

#[unsafe(naked)]
unsafe extern "C" fn call_by_entry(selector: u32, tag: u32) {
    call_and_store!("call {entry}"; entry)
}

#[unsafe(naked)]
unsafe extern "C" fn call_by_int(selector: u32, tag: u32) {
    call_and_store!("int $0x40")
}

const ENTRIES: [unsafe extern "C" fn(u32, u32); 2] = [call_by_entry, call_by_int];

/// No register holds a secret; ECX, which carries no message, holds zero.
fn check(doing: &str) {
    for (name, value) in found() {
        must!(Native, !is_secret(u64::from(value)), "{name} holds {value:#x} after {doing}");
        must!(Native, name != "ecx" || value == 0, "ecx holds {value:#x} after {doing}");
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
    static OWN_STACK: [AtomicU32; 8] = [const { AtomicU32::new(0) }; 8];
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
        "pushfl",
        "popl {found}",
        "movl ${signal}, %eax",
        "xorl %edx, %edx",
        "int $0x40",
        "2: movl ${receive}, %eax",
        "xorl %edx, %edx",
        "int $0x40",
        "jmp 2b",
        found = sym FOUND,
        signal = const SIGNAL,
        receive = const RECEIVE,
        options(att_syntax),
    )
}

fn after_refusal() -> Outcome {
    for last in 0..WITNESSES.len() {
        for operation in Operation::ALL {
            fill(last)?;
            for enter in ENTRIES {
                // Those that would wait for ever, or not come back, have a place or a label that there is not.
                // SAFETY: as above.
                unsafe { enter(Selector::new(operation, 255).0, Tag::new(3, 0).0) };
                check("a refusal");
            }
        }
        // More words than there are registers; a method that there is not.
        for (selector, tag) in [(place::SMALL_SERVER, 5), (place::TASK, 4), (place::TASK, 0xffff_0004)] {
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
            for (name, value) in found().filter(|(name, _)| *name != "esp") {
                must!(Native, value == 0, "{name} holds {value:#x} after {operation:?}");
            }
        }
    }
    Ok(())
}

/// Registers are what they were, after a fault that was restarted.
fn after_fault() -> Outcome {
    catcher::start::<Native>(&[13], 1)?;
    for round in 1..100_u32 {
        catcher::arm([0x10, 0, 0, 0, 0], [0x23, 0, 0, 0, 0]);
        let (mut a, mut c, mut d, mut di) = (round, !round, round << 8, round << 16);
        // SAFETY: the load faults, and is repaired.
        unsafe {
            asm!("mov es, word ptr [{}]", sym catcher::OPERAND,
                inout("eax") a, inout("ecx") c, inout("edx") d, inout("edi") di)
        };
        assert!(catcher::faulted());
        must!(
            Native,
            [a, c, d, di] == [round, !round, round << 8, round << 16],
            "registers changed: {a:#x} {c:#x} {d:#x} {di:#x}"
        );
    }
    Ok(())
}

fn after_preemption() -> Outcome {
    use lilliput_attack::witness::Registers;
    use lilliput_attack32::Narrow;
    for word in [0, 0x0a11_ce00, usize::MAX] {
        must!(Native, Narrow::hold(word, 3_000_000), "a register changed while others ran");
    }
    let checked = Endpoint::<Native>::at(place::SMALL_SERVER).request(witness::CHECK, &[])?;
    must!(Native, checked.words[0] == 0, "a witness found its registers changed");
    Ok(())
}
