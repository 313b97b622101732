//! Code that nobody wrote.

use core::arch::asm;

use lilliput_attack::{Outcome, kit, random};
use lilliput_user32::Native;
use lilliput_user32::runtime::random::Random;

use crate::Routines;
use crate::pages::{PAGE, last, map_bytes};

pub const ROUTINES: Routines = &[("random-code", || run(false)), ("random-system-code", || run(true))];

fn run(system: bool) -> Outcome {
    let mut random = Random::new(kit::variant::<Native>() as u64 + 1);
    map_bytes(last(), random::code(&mut random, system))?;
    let mut next = || random.next() as u32;
    // SAFETY: none is needed: whatever the code does, it does it as this task, which ends thereby or is ended.
    unsafe {
        asm!("mov ebx, eax", "not ebx", "jmp edi", in("edi") last() + next() % PAGE, in("eax") next(), in("ecx") next(),
            in("edx") next(), options(noreturn))
    }
}
