//! Segment registers.

use core::arch::{asm, naked_asm};
use core::sync::atomic::{AtomicU64, Ordering::SeqCst};

use lilliput_attack::catcher::OPERAND;
use lilliput_attack::kit::WITNESSES;
use lilliput_attack::witness::ECHO;
use lilliput_attack::{Outcome, escaped, kit, must};
use lilliput_user64::Native;
use lilliput_user64::runtime::{Endpoint, invoke};

use crate::Routines;
use crate::registers::{RECEIVE, SIGNAL};
use crate::sweep::{CODE, DATA, every, is_own_data, is_own_stack, some, sweep};

pub const ROUTINES: Routines = &[
    ("every-selector-by-mov", by_mov),
    ("every-selector-by-far-load", by_far_load),
    ("null-selectors", null_selectors),
    ("null-stack", null_stack),
    ("stale-segments-after-call", stale_after_call),
    ("stale-segments-after-preemption", stale_after_preemption),
    ("segments-at-start", segments_at_start),
    ("segment-bases", segment_bases),
    ("kernel-data-as-stack", kernel_data_as_stack),
];

/// Loads a register by the instructions given, and returns what is in it. The stack pointer is in RDX meanwhile.
macro_rules! load {
    ($register:literal; $line:expr) => {
        naked_asm!(
            "mov rdx, rsp",
            $line,
            concat!("mov eax, ", $register),
            "mov rsp, rdx",
            "movzx eax, ax",
            "ret",
            operand = sym OPERAND,
        )
    };
}

macro_rules! loads {
    ($($register:literal, $mov:ident;)+) => {
        $(
            #[unsafe(naked)]
            unsafe extern "C" fn $mov() -> u32 {
                load!($register; concat!("mov ", $register, ", word ptr [rip + {operand}]"))
            }
        )+
        const MOVES: [unsafe extern "C" fn() -> u32; 5] = [$($mov),+];
    };
}

loads! {
    "ds", mov_ds;
    "es", mov_es;
    "fs", mov_fs;
    "gs", mov_gs;
    "ss", mov_ss;
}

#[unsafe(naked)]
unsafe extern "C" fn pop_fs() -> u32 {
    naked_asm!("mov rdx, rsp", "lea rsp, [rip + {operand}]", "pop fs", "mov rsp, rdx", "mov eax, fs", "ret", operand = sym OPERAND)
}

#[unsafe(naked)]
unsafe extern "C" fn pop_gs() -> u32 {
    naked_asm!("mov rdx, rsp", "lea rsp, [rip + {operand}]", "pop gs", "mov rsp, rdx", "mov eax, gs", "ret", operand = sym OPERAND)
}

#[unsafe(naked)]
unsafe extern "C" fn far_fs() -> u32 {
    load!("fs"; "lfs ecx, [rip + {operand}]")
}

#[unsafe(naked)]
unsafe extern "C" fn far_gs() -> u32 {
    load!("gs"; "lgs ecx, [rip + {operand}]")
}

#[unsafe(naked)]
unsafe extern "C" fn far_ss() -> u32 {
    load!("ss"; "lss ecx, [rip + {operand}]")
}

/// The variant that is about SS.
const STACK: usize = 4;

fn first_word(selector: u16) -> [usize; 5] {
    [usize::from(selector), 0, 0, 0, 0]
}

fn far_pointer(selector: u16) -> [usize; 5] {
    [usize::from(selector) << 32, 0, 0, 0, 0]
}

fn by_mov() -> Outcome {
    let register = kit::variant::<Native>();
    let own = if register == STACK { is_own_stack } else { is_own_data };
    sweep(every(), DATA, first_word, MOVES[register], own)
}

/// 64-bit code has LFS, LGS and LSS, and POP of FS and GS.
fn by_far_load() -> Outcome {
    match kit::variant::<Native>() {
        0 => sweep(some(), DATA, first_word, pop_fs, is_own_data),
        1 => sweep(some(), DATA, first_word, pop_gs, is_own_data),
        2 => sweep(some(), DATA, far_pointer, far_fs, is_own_data),
        3 => sweep(some(), DATA, far_pointer, far_gs, is_own_data),
        _ => sweep(some(), DATA, far_pointer, far_ss, is_own_stack),
    }
}

/// In 64-bit code null selectors are fine, and reach what all others reach.
fn null_selectors() -> Outcome {
    let null = kit::variant::<Native>() as u32;
    let own = 0x0a11_ce00_u32;
    let value: u32;
    // SAFETY: a read of this variable.
    unsafe {
        asm!("mov ds, {1:e}", "mov es, {1:e}", "mov {0:e}, es:[{2}]", out(reg) value, in(reg) null, in(reg) &own)
    };
    must!(Native, value == own, "{value:#x} was read");
    invoke::give_way::<Native>();
    Ok(())
}

/// At privilege level 3 not even 64-bit code has a null stack segment.
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

/// A word whose address tells the bases of FS and GS.
static OWN_WORD: AtomicU64 = AtomicU64::new(0);
const MINE: u64 = 0x0a11_ce00_0a11_ce00;

fn check(when: &str) {
    let (fs, gs): (u64, u64);
    // SAFETY: where the bases are zero, reads of this variable; else whatever comes is the finding.
    unsafe { asm!("mov {0}, fs:[{2}]", "mov {1}, gs:[{2}]", out(reg) fs, out(reg) gs, in(reg) OWN_WORD.as_ptr()) };
    must!(Native, fs == MINE && gs == MINE, "FS sees {fs:#x} and GS {gs:#x} {when}");
}

fn load_segments(fs: u16, gs: u16) {
    // SAFETY: these selectors have a base of zero.
    unsafe { asm!("mov fs, {0:e}", "mov gs, {1:e}", in(reg) u32::from(fs), in(reg) u32::from(gs)) };
}

const COMBINATIONS: [[u16; 2]; 4] = [[DATA, DATA], [DATA, CODE], [CODE, DATA], [0x20, 0x28]];

fn stale_after_call() -> Outcome {
    OWN_WORD.store(MINE, SeqCst);
    let partner = Endpoint::<Native>::at(WITNESSES[kit::variant::<Native>()]);
    for [fs, gs] in COMBINATIONS {
        load_segments(fs, gs);
        partner.request(ECHO, &[])?;
        check("after a call");
    }
    Ok(())
}

fn stale_after_preemption() -> Outcome {
    OWN_WORD.store(MINE, SeqCst);
    for round in 0..200 {
        let [fs, gs] = COMBINATIONS[round % COMBINATIONS.len()];
        load_segments(fs, gs);
        invoke::give_way::<Native>();
        check("after others ran");
    }
    Ok(())
}

/// A null selector leaves the base as it was on AMD: then it must be one of this task's, that is zero.
fn segment_bases() -> Outcome {
    OWN_WORD.store(MINE, SeqCst);
    for partner in WITNESSES {
        Endpoint::<Native>::at(partner).request(ECHO, &[])?;
        for null in 0..4 {
            load_segments(null, null);
            check("through null selectors");
        }
        invoke::give_way::<Native>();
        load_segments(0, 0);
        check("through null selectors after others ran");
    }
    Ok(())
}

static SEEN: [AtomicU64; 2] = [const { AtomicU64::new(0) }; 2];

fn segments_at_start() -> Outcome {
    OWN_WORD.store(MINE, SeqCst);
    for partner in WITNESSES {
        Endpoint::<Native>::at(partner).request(ECHO, &[])?;
        let thread = kit::factory::<Native>().create_thread(kit::task(), kit::PRIORITY)?;
        thread.start(look_through_segments as *const () as usize, 0x1_2348, [0, 0])?;
        kit::notification::<Native>().wait()?;
        kit::factory::<Native>().destroy(thread.place())?;
        for (register, word) in ["FS", "GS"].into_iter().zip(&SEEN) {
            let word = word.load(SeqCst);
            must!(Native, word == MINE, "{word:#x} is seen through {register} by a new thread");
        }
    }
    Ok(())
}

/// A thread without a stack: notes what it sees, signals, and waits for ever.
#[unsafe(naked)]
extern "C" fn look_through_segments() -> ! {
    naked_asm!(
        "lea rcx, [rip + {word}]",
        "mov rax, fs:[rcx]",
        "mov [rip + {seen}], rax",
        "mov rax, gs:[rcx]",
        "mov [rip + {seen} + 8], rax",
        "mov eax, {signal}",
        "xor edx, edx",
        "syscall",
        "2: mov eax, {receive}",
        "xor edx, edx",
        "syscall",
        "jmp 2b",
        word = sym OWN_WORD,
        seen = sym SEEN,
        signal = const SIGNAL,
        receive = const RECEIVE,
    )
}
