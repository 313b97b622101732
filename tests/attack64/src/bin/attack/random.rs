//! Code that nobody wrote.

use core::arch::asm;

use lilliput_attack::{Outcome, kit, random};
use lilliput_user64::Native;
use lilliput_user64::runtime::random::Random;

use crate::Routines;
use crate::pages::{FREE, PAGE, map_bytes};

pub const ROUTINES: Routines = &[("random-code", || run(false)), ("random-system-code", || run(true))];

fn run(system: bool) -> Outcome {
    let mut random = Random::new(kit::variant::<Native>() as u64 + 1);
    map_bytes(FREE, random::code(&mut random, system))?;
    let mut next = || random.next() as u64;
    // SAFETY: none is needed: whatever the code does, it does it as this task, which ends thereby or is ended.
    unsafe {
        asm!("jmp rdi", in("rdi") FREE + next() % PAGE, in("rax") next(), in("rcx") next(), in("rdx") next(), in("rsi") next(),
            in("r8") next(), in("r9") next(), in("r10") next(), in("r11") next(), options(noreturn))
    }
}
