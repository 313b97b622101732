//! Segment registers.

use core::arch::{asm, naked_asm};
use core::sync::atomic::{AtomicU32, Ordering::SeqCst};

use lilliput_attack::catcher::OPERAND;
use lilliput_attack::kit::WITNESSES;
use lilliput_attack::witness::{ECHO, is_secret};
use lilliput_attack::{Outcome, catcher, escaped, kit, must};
use lilliput_user32::Native;
use lilliput_user32::runtime::{Endpoint, invoke};

use crate::Routines;
use crate::sweep::{CODE, DATA, every, is_own_data, is_own_stack, some, sweep};
use crate::target::target;

pub const ROUTINES: Routines = &[
    ("every-selector-by-mov", by_mov),
    ("every-selector-by-pop", by_pop),
    ("every-selector-by-far-load", by_far_load),
    ("reach-of-own-selectors", reach_of_own_selectors),
    ("null-selectors", null_selectors),
    ("null-stack", null_stack),
    ("stale-segments-after-call", stale_after_call),
    ("stale-segments-after-preemption", stale_after_preemption),
    ("segments-at-start", segments_at_start),
    ("kernel-data-as-stack", kernel_data_as_stack),
];

/// Loads a register by the instructions given, and returns what is in it; all data segments are the task's own afterwards.
/// The stack pointer is in EDX meanwhile.
macro_rules! load {
    ($register:literal; $($line:expr),+) => {
        naked_asm!(
            "movl %esp, %edx",
            $($line,)+
            concat!("movl %", $register, ", %eax"),
            "movl %edx, %esp",
            "movl %ss, %ecx",
            "movl %ecx, %ds",
            "movl %ecx, %es",
            "movzwl %ax, %eax",
            "ret",
            operand = sym OPERAND,
            options(att_syntax),
        )
    };
}

macro_rules! loads {
    ($($register:literal, $mov:ident, $pop:ident, $far:ident, $far_load:literal;)+) => {
        $(
            #[unsafe(naked)]
            unsafe extern "C" fn $mov() -> u32 {
                load!($register; concat!("movw {operand}, %", $register))
            }

            #[unsafe(naked)]
            unsafe extern "C" fn $pop() -> u32 {
                load!($register; "movl ${operand}, %esp", concat!("popl %", $register))
            }

            #[unsafe(naked)]
            unsafe extern "C" fn $far() -> u32 {
                load!($register; concat!($far_load, " {operand}, %ecx"))
            }
        )+
        const MOVES: [unsafe extern "C" fn() -> u32; 5] = [$($mov),+];
        const POPS: [unsafe extern "C" fn() -> u32; 5] = [$($pop),+];
        const FAR_LOADS: [unsafe extern "C" fn() -> u32; 5] = [$($far),+];
    };
}

loads! {
    "ds", mov_ds, pop_ds, far_ds, "ldsl";
    "es", mov_es, pop_es, far_es, "lesl";
    "fs", mov_fs, pop_fs, far_fs, "lfsl";
    "gs", mov_gs, pop_gs, far_gs, "lgsl";
    "ss", mov_ss, pop_ss, far_ss, "lssl";
}

/// The variant that is about SS.
const STACK: usize = 4;

fn own(register: usize) -> fn(u16) -> bool {
    if register == STACK { is_own_stack } else { is_own_data }
}

/// A selector in the first word.
fn first_word(selector: u16) -> [usize; 5] {
    [usize::from(selector), 0, 0, 0, 0]
}

/// An offset, which becomes the stack pointer if it is SS that is loaded, and a selector.
fn far_pointer(selector: u16) -> [usize; 5] {
    [&raw const OPERAND as usize, usize::from(selector), 0, 0, 0]
}

fn by_mov() -> Outcome {
    let register = kit::variant::<Native>();
    sweep(every(), DATA, first_word, MOVES[register], own(register))
}

fn by_pop() -> Outcome {
    let register = kit::variant::<Native>();
    sweep(some(), DATA, first_word, POPS[register], own(register))
}

fn by_far_load() -> Outcome {
    let register = kit::variant::<Native>();
    sweep(some(), DATA, far_pointer, FAR_LOADS[register], own(register))
}

/// All that can be loaded into a data segment register.
const OWN: [u16; 12] = [0, 1, 2, 3, 0x20, 0x21, 0x22, DATA, 0x28, 0x29, 0x2a, CODE];

/// Reads a neighbour's secret through ES, FS, GS or DS with each of these.
fn reach_of_own_selectors() -> Outcome {
    let variant = kit::variant::<Native>();
    let (selector, target) = (OWN[variant / 4], target(0));
    let value: u32;
    // SAFETY: the read ends this task.
    unsafe {
        match variant % 4 {
            0 => asm!("mov es, {1:e}", "mov {0}, es:[{2}]", out(reg) value, in(reg) selector, in(reg) target),
            1 => asm!("mov fs, {1:e}", "mov {0}, fs:[{2}]", out(reg) value, in(reg) selector, in(reg) target),
            2 => asm!("mov gs, {1:e}", "mov {0}, gs:[{2}]", out(reg) value, in(reg) selector, in(reg) target),
            _ => asm!("mov ds, {1:e}", "mov {0}, [{2}]", "push ss", "pop ds",
                out(reg) value, in(reg) selector, in(reg) target),
        }
    }
    escaped!(Native, "{value:#x} was read through selector {selector:#x}")
}

/// A null selector loads, and nothing is reached through it: not even what the register reached before.
fn null_selectors() -> Outcome {
    let null = kit::variant::<Native>() as u32;
    catcher::start::<Native>(&[13, 14], 1)?;
    catcher::be_satisfied();
    let value: u32;
    // SAFETY: an exception that ends it well: #GP, or where limits are not enforced #PF, since the base is zero then.
    unsafe { asm!("mov es, {1:e}", "mov {0}, es:[{2}]", out(reg) value, in(reg) null, in(reg) &raw const OPERAND) };
    must!(Native, !is_secret(u64::from(value)), "{value:#x} was read through a null selector");
    Ok(())
}

fn null_stack() -> Outcome {
    // SAFETY: the load ends this task.
    unsafe { asm!("mov ss, {:e}", in(reg) kit::variant::<Native>()) };
    escaped!(Native, "SS is null")
}

fn kernel_data_as_stack() -> Outcome {
    let selector = [0x10_u32, 0x13, 0x20, 0x2b][kit::variant::<Native>()];
    // SAFETY: the load ends this task.
    unsafe { asm!("mov ss, {:e}", in(reg) selector) };
    escaped!(Native, "SS is {selector:#x}")
}

/// A word that only this task has, at an address that others have as well.
static OWN_WORD: AtomicU32 = AtomicU32::new(0);
const MINE: u32 = 0x0a11_ce00;

/// What is at that address through each of ES, FS and GS.
fn seen_through_segments() -> [u32; 3] {
    let (es, fs, gs): (u32, u32, u32);
    // SAFETY: reads of this task's own memory through its own segments.
    unsafe {
        asm!("mov {0}, es:[{3}]", "mov {1}, fs:[{3}]", "mov {2}, gs:[{3}]",
            out(reg) es, out(reg) fs, out(reg) gs, in(reg) OWN_WORD.as_ptr())
    };
    [es, fs, gs]
}

/// Loads what this task can load into ES, FS and GS.
fn load_segments(selectors: [u16; 3]) {
    // SAFETY: these are this task's own segments, both of which begin at its address 0.
    unsafe {
        asm!("mov es, {0:e}", "mov fs, {1:e}", "mov gs, {2:e}",
            in(reg) selectors[0], in(reg) selectors[1], in(reg) selectors[2])
    };
}

const COMBINATIONS: [[u16; 3]; 4] = [[DATA; 3], [DATA, CODE, DATA], [DATA, DATA, CODE], [0x20, 0x28, 0x21]];

fn check(when: &str) {
    for (register, word) in ["ES", "FS", "GS"].into_iter().zip(seen_through_segments()) {
        must!(Native, word == MINE, "{word:#x} is seen through {register} {when}");
    }
}

fn stale_after_call() -> Outcome {
    OWN_WORD.store(MINE, SeqCst);
    let partner = Endpoint::<Native>::at(WITNESSES[kit::variant::<Native>()]);
    for selectors in COMBINATIONS {
        load_segments(selectors);
        partner.request(ECHO, &[])?;
        check("after a call");
    }
    load_segments([DATA; 3]);
    Ok(())
}

fn stale_after_preemption() -> Outcome {
    OWN_WORD.store(MINE, SeqCst);
    for round in 0..200 {
        load_segments(COMBINATIONS[round % COMBINATIONS.len()]);
        invoke::give_way::<Native>();
        check("after others ran");
    }
    load_segments([DATA; 3]);
    Ok(())
}

/// A thread starts with segments that reach its own task's memory, or none.
fn segments_at_start() -> Outcome {
    OWN_WORD.store(MINE, SeqCst);
    for partner in WITNESSES {
        Endpoint::<Native>::at(partner).request(ECHO, &[])?;
        let thread = kit::factory::<Native>().create_thread(kit::task(), kit::PRIORITY)?;
        thread.start(look_through_segments as *const () as usize, 0x1_2344, [0, 0])?;
        kit::notification::<Native>().wait()?;
        kit::factory::<Native>().destroy(thread.place())?;
        for (register, word) in ["DS", "ES", "FS", "GS"].into_iter().zip(&SEEN) {
            let word = word.load(SeqCst);
            must!(Native, word == MINE, "{word:#x} is seen through {register} by a new thread");
        }
    }
    Ok(())
}

static SEEN: [AtomicU32; 4] = [const { AtomicU32::new(0) }; 4];

/// A thread without a stack: notes what it sees, signals, and waits for ever.
#[unsafe(naked)]
extern "C" fn look_through_segments() -> ! {
    naked_asm!(
        "movl %ds:{word}, %eax",
        "movl %eax, {seen}",
        "movl %es:{word}, %eax",
        "movl %eax, {seen}+4",
        "movl %fs:{word}, %eax",
        "movl %eax, {seen}+8",
        "movl %gs:{word}, %eax",
        "movl %eax, {seen}+12",
        "movl ${signal}, %eax",
        "xorl %edx, %edx",
        "int $0x40",
        "2: movl ${receive}, %eax",
        "xorl %edx, %edx",
        "int $0x40",
        "jmp 2b",
        word = sym OWN_WORD,
        seen = sym SEEN,
        signal = const crate::registers::SIGNAL,
        receive = const crate::registers::RECEIVE,
        options(att_syntax),
    )
}
