//! Segment registers of a task that was moved.

use core::arch::asm;

use lilliput_abi::{Isolation, Rights};
use lilliput_user32::Native;
use lilliput_user32::runtime::trial::Outcome;
use lilliput_user32::runtime::trial::kit::{self, SCRATCH};
use lilliput_user32::runtime::{Machine, Word};

/// The trial of this name.
pub fn find(name: &str) -> Option<fn() -> Outcome> {
    (name == "segments-follow").then_some(follow as fn() -> Outcome)
}

/// What is read by each segment register is the same, however the task was moved in between.
fn follow() -> Outcome {
    const MARK: u32 = 0x600d_600d;
    kit::map_scratch::<Native>(Rights::READ | Rights::WRITE)?;
    Native::poke(SCRATCH, MARK);
    let (task, factory) = (kit::task::<Native>(), kit::factory::<Native>());
    let size = kit::SMALL_SIZE as Word;
    for turn in 0..3 {
        let isolation = Isolation::from_number(task.info()?.isolation).unwrap_or(Isolation::Auto);
        let (blocker, _) = factory.create_small(kit::arena(), 1 << 20, isolation, 0)?;
        let before = task.info()?.base;
        // Right after the call that moves the task, the registers are what the kernel loaded for it.
        task.resize(size + (turn + 1) * (4 << 20), turn == 2)?;
        let seen = by_all(SCRATCH);
        assert_eq!(seen, [MARK; 6], "what CS, SS, DS, ES, FS and GS read in turn {turn}");
        assert!(task.info()?.base != before || turn > 0, "it was to be moved");
        factory.destroy(blocker.place())?;
    }
    Ok(())
}

/// Reads a word by CS, SS, DS, ES, FS and GS.
fn by_all(address: Word) -> [u32; 6] {
    let mut seen = [0; 6];
    // SAFETY: the word is mapped; all that changes is the array, which has room for six.
    unsafe {
        asm!(
            "mov {value}, cs:[{address}]", "mov [{seen}], {value}",
            "mov {value}, ss:[{address}]", "mov [{seen} + 4], {value}",
            "mov {value}, ds:[{address}]", "mov [{seen} + 8], {value}",
            "mov {value}, es:[{address}]", "mov [{seen} + 12], {value}",
            "mov {value}, fs:[{address}]", "mov [{seen} + 16], {value}",
            "mov {value}, gs:[{address}]", "mov [{seen} + 20], {value}",
            value = out(reg) _, address = in(reg) address, seen = in(reg) &mut seen,
            options(nostack, preserves_flags),
        );
    }
    seen
}
