//! Registers: what a thread starts with, what others may see of them, what an interrupt must not change.

use core::arch::{asm, naked_asm};
use core::sync::atomic::{AtomicU32, Ordering};

use lilliput_abi::{Operation, Selector, Tag, layout};
use lilliput_user32::Native;
use lilliput_user32::runtime::trial::partner::ECHO;
use lilliput_user32::runtime::trial::{Outcome, kit};
use lilliput_user32::runtime::{Word, place};

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
const NAMES: [&str; 14] = ["eax", "ecx", "edx", "ebx", "esi", "edi", "ebp", "esp", "cs", "ss", "ds", "es", "fs", "gs"];
/// How many of them are loaded as well.
const LOADED: usize = 7;

/// The selectors of a small task.
const CODE: u32 = 0x2b;
const DATA: u32 = 0x23;

/// What a routine found in the registers, or is to put there.
static FOUND: [AtomicU32; NAMES.len()] = [const { AtomicU32::new(0) }; NAMES.len()];

fn found() -> impl Iterator<Item = (&'static str, u32)> {
    NAMES.into_iter().zip(FOUND.iter().map(|register| register.load(Ordering::SeqCst)))
}

/// Stores all registers to [`FOUND`].
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
            "movl %esp, {found}+7*4\n",
            "movl %cs, %eax\n",
            "movl %eax, {found}+8*4\n",
            "movl %ss, %eax\n",
            "movl %eax, {found}+9*4\n",
            "movl %ds, %eax\n",
            "movl %eax, {found}+10*4\n",
            "movl %es, %eax\n",
            "movl %eax, {found}+11*4\n",
            "movl %fs, %eax\n",
            "movl %eax, {found}+12*4\n",
            "movl %gs, %eax\n",
            "movl %eax, {found}+13*4",
        )
    };
}

/// Runs the instructions given between loading and storing the registers.
macro_rules! between_load_and_store {
    ($($line:literal),+ $(; $page:ident)?) => {
        naked_asm!(
            "pushl %ebx",
            "pushl %esi",
            "pushl %edi",
            "pushl %ebp",
            "movl {found}, %eax",
            "movl {found}+1*4, %ecx",
            "movl {found}+2*4, %edx",
            "movl {found}+3*4, %ebx",
            "movl {found}+4*4, %esi",
            "movl {found}+5*4, %edi",
            "movl {found}+6*4, %ebp",
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

fn first_registers() -> Outcome {
    const STACK: Word = 0x1_2345;
    let words = [0x1111_2222, 0x8888_9999];
    let thread = kit::factory::<Native>().create_thread(kit::task(), kit::PRIORITY)?;
    thread.start(note_registers as *const () as Word, STACK, words)?;
    kit::notification::<Native>().wait()?;
    for (name, value) in found() {
        let expected = match name {
            "ebx" => words[0] as u32,
            "esi" => words[1] as u32,
            "esp" => STACK as u32,
            "edx" => Tag::new(0, 2).0,
            "cs" => CODE,
            "ss" | "ds" | "es" => DATA,
            _ => 0,
        };
        // Nothing says what FS and GS hold, only that it can be loaded.
        assert!(
            value == expected || matches!(name, "fs" | "gs") && value == DATA,
            "{name} of a new thread: {value:#x}"
        );
    }
    Ok(())
}

/// The first instructions of a thread whose stack pointer means nothing.
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
        signal = const Selector::new(Operation::Signal, place::NOTIFICATION).0,
        receive = const Selector::new(Operation::Receive, place::SERVICE).0,
        options(att_syntax),
    )
}

fn registers_after_call() -> Outcome {
    FOUND.iter().for_each(|register| register.store(0xaaaa_bbbb, Ordering::SeqCst));
    FOUND[0].store(kit::partner::<Native>().place(), Ordering::SeqCst);
    FOUND[2].store(Tag::new(ECHO, 0).0, Ordering::SeqCst);
    // SAFETY: the routine makes a call without words, and keeps what the C ABI wants kept.
    unsafe { call_with_registers() };
    for (name, value) in found() {
        match name {
            "eax" => assert_eq!(value, 0, "the status"),
            "edx" => assert_eq!(value, Tag::new(ECHO, 0).0, "the tag"),
            "cs" => assert_eq!(value, CODE, "CS"),
            "ss" | "ds" | "es" => assert_eq!(value, DATA, "{name}"),
            "fs" | "gs" => assert!(matches!(value, 0 | DATA), "{name} is {value:#x}"),
            _ => {}
        }
    }
    Ok(())
}

#[unsafe(naked)]
unsafe extern "C" fn call_with_registers() {
    between_load_and_store!("call {entry}"; entry)
}

fn interrupted_registers() -> Outcome {
    const ROUNDS: u32 = 30_000_000;
    for (number, register) in FOUND.iter().enumerate() {
        register.store(0x0101_0101 * (number as u32 + 1), Ordering::SeqCst);
    }
    FOUND[1].store(ROUNDS, Ordering::SeqCst);
    // SAFETY: the routine counts ECX down, and keeps what the C ABI wants kept.
    unsafe { spin_with_registers() };
    for (number, (name, value)) in found().enumerate().take(LOADED) {
        let expected = if name == "ecx" { 0 } else { 0x0101_0101 * (number as u32 + 1) };
        assert_eq!(value, expected, "{name} after being interrupted");
    }
    Ok(())
}

#[unsafe(naked)]
unsafe extern "C" fn spin_with_registers() {
    between_load_and_store!("2: decl %ecx", "jnz 2b")
}

fn interrupted_with_bad_stack() -> Outcome {
    for stack in [0_u32, 4, 0x8000_0000, u32::MAX] {
        let after: u32;
        // SAFETY: no stack is used while the stack pointer is off; it is put back before anything else.
        unsafe {
            asm!(
                "mov {saved}, esp",
                "mov esp, {stack}",
                "2: dec {rounds}",
                "jnz 2b",
                "mov {rounds}, esp",
                "mov esp, {saved}",
                saved = out(reg) _,
                stack = in(reg) stack,
                rounds = inout(reg) 10_000_000_u32 => after,
            );
        }
        assert_eq!(after, stack, "the stack pointer after being interrupted");
    }
    Ok(())
}

/// The Global Descriptor Table shows a task two descriptors: its own code, which is 32-bit, and data.
fn visible_descriptors() -> Outcome {
    const LONG_MODE: u32 = 1 << 21;
    const DEFAULT_32: u32 = 1 << 22;
    for selector in (0..0x200).step_by(8).map(|selector| selector | 3) {
        let (access, visible): (u32, u32);
        // SAFETY: the instruction reads access rights into a register and sets a flag.
        unsafe {
            asm!("xor eax, eax", "xor edx, edx", "lar eax, ecx", "setz dl",
                 out("eax") access, in("ecx") selector, out("edx") visible)
        };
        assert_eq!(visible == 1, matches!(selector, DATA | CODE), "whether selector {selector:#x} is visible");
        if selector == CODE {
            assert_eq!(access & (LONG_MODE | DEFAULT_32), DEFAULT_32, "the code descriptor is {access:#x}");
        }
    }
    Ok(())
}
