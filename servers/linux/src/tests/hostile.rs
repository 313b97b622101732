//! Any call with any argument: the server stands, and in the end nothing is missing.

use proptest::prelude::*;

use super::{CODE, Scene};
use crate::arch::Arch;
use crate::memory::{Access, PAGE};

/// What a program does.
#[derive(Clone, Debug)]
enum Step {
    Call { who: usize, number: usize, arguments: [u64; 6] },
    Touch { who: usize, address: u64, write: bool },
    Time(u64),
}

/// Numbers that mean something, and others.
fn argument(arch: Arch) -> impl Strategy<Value = u64> {
    let start = CODE[arch.index()];
    prop_oneof![
        4 => 0..8_u64,
        4 => start..start + 4 * PAGE,
        2 => prop::sample::select(vec![PAGE, 3 * PAGE, 1 << 20, u64::from(u32::MAX), u64::MAX, 0x8000_0000, 0o1102,
            0x003d_0f00, 0x0001_0f00, 0x4111]),
        1 => any::<u64>(),
        1 => (0..64_u32).prop_map(|bit| 1 << bit),
    ]
    .prop_map(move |value| if arch == Arch::I386 { value & 0xffff_ffff } else { value })
}

fn step(arch: Arch) -> impl Strategy<Value = Step> {
    let arguments = prop::array::uniform6(argument(arch));
    let call = (0..8_usize, 0..460_usize, arguments).prop_map(|(who, number, arguments)| Step::Call {
        who,
        number,
        arguments,
    });
    let touch = (0..8_usize, argument(arch), any::<bool>()).prop_map(|(who, address, write)| Step::Touch {
        who,
        address,
        write,
    });
    prop_oneof![20 => call, 3 => touch, 1 => (0..5_000_000_000_u64).prop_map(Step::Time)]
}

fn run(arch: Arch, steps: &[Step]) {
    let mut scene = Scene::new(arch);
    // Names and structures for calls to find.
    for (offset, text) in [(0, "/tmp/x"), (0x100, "/data"), (0x200, "/bin/narrow"), (0x300, "bin/../way/wide")] {
        scene.text(1, offset, text);
    }
    for step in steps {
        let running = scene.server.machine.running();
        let who = |who: usize| (!running.is_empty()).then(|| running[who % running.len()]);
        match *step {
            Step::Time(time) => {
                scene.server.machine.now += time;
                scene.server.tick();
            }
            Step::Call { who: number, number: call, ref arguments } => {
                let Some(badge) = who(number) else { continue };
                let Some(thread) = &scene.server.threads[badge as usize - 1] else { continue };
                scene.arch = thread.arch;
                scene.try_call(badge, call, arguments);
            }
            Step::Touch { who: number, address, write } => {
                let Some(badge) = who(number) else { continue };
                scene.touches(badge, address, if write { Access::Write } else { Access::Read });
            }
        }
        if scene.server.ended().is_some() {
            break;
        }
    }
    scene.server.end_all();
    assert!(scene.server.machine.spaces.is_empty() && scene.server.machine.running().is_empty());
    assert_eq!(scene.server.frames_in_use(), 0, "who but the cache holds frames?");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_narrow_program_brings_the_server_down(steps in prop::collection::vec(step(Arch::I386), 1..200)) {
        run(Arch::I386, &steps);
    }

    #[test]
    fn no_wide_program_brings_the_server_down(steps in prop::collection::vec(step(Arch::Amd64), 1..200)) {
        run(Arch::Amd64, &steps);
    }
}
